"""`triage evaluate`: holds labelled messages against what the program reads in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import click

from triage.core import evaluate as scoring
from triage.core.errors import ConfigError
from triage.core.model import Desk, Reading
from triage.core.pack import Pack
from triage.core.reading.read import read

_WORTH_A_BAR = 200  # rows from which progress is shown


class Context(Protocol):
    """What the command needs of the program around it."""

    def pack(self) -> Pack: ...

    def desk(self) -> Desk: ...


@click.command("evaluate")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE.jsonl...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for machines, with every mistake.")
@click.option("--worst", default=20, show_default=True, type=click.IntRange(0), help="How many mistakes are listed.")
@click.pass_obj
def evaluate(context: Context, files: tuple[Path, ...], as_json: bool, worst: int) -> None:
    """Hold the labels of labelled messages against what the program says.

    Each line of a FILE is one message with its labels. Shown are precision, recall and F1 of each label and value,
    which services and request types are taken for each other, and the mistakes that were made with most certainty.

    \b
    triage evaluate labelled/staged.jsonl labelled/wild.jsonl
    """
    rows = [row for file in files for row in labelled(file)]
    report = scoring.score(_readings(rows, context.pack(), context.desk()))
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False))
        return
    for line in scoring.lines(report, worst):
        click.echo(line)


def labelled(file: Path) -> Iterator[scoring.Row]:
    """The messages of a file. A line that is none is an error that names file and line."""
    with file.open(encoding="utf-8", errors="strict") as stream:
        try:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield _row(file, number, line)
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{file}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
            ) from error


def _row(file: Path, number: int, line: str) -> scoring.Row:
    try:
        data: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}: line {number}: not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError as error:
        raise ConfigError(f"{file}: line {number}: nested too deeply") from error
    if not isinstance(data, dict):
        raise ConfigError(f'{file}: line {number}: expected one JSON object, as in {{"id": ..., "labels": ...}}')
    try:
        return scoring.row(data)
    except scoring.RowError as error:
        raise ConfigError(f"{file}: line {number}: {error}") from error


def _readings(rows: list[scoring.Row], pack: Pack, desk: Desk) -> Iterator[tuple[scoring.Row, Reading]]:
    """Each row with its reading; a bar on a terminal when it takes a while."""
    if len(rows) < _WORTH_A_BAR or not sys.stderr.isatty():
        yield from ((row, read(row.email, pack, desk)) for row in rows)
        return
    with click.progressbar(rows, label="reading", file=sys.stderr) as bar:
        for row in bar:
            yield row, read(row.email, pack, desk)
