"""`triage log`: the log file made readable."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import click

from triage.cli import Context
from triage.core.errors import ConfigError
from triage.core.text import lines


@click.command()
@click.option("--ticket", help="Only this ticket's.")
@click.option("--partner", help="Only this partner's.")
@click.option("--since", help="Only from then on: ISO 8601, or a span such as 2h, 3d.")
@click.option("--follow", is_flag=True, help="Go on as the log grows.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
@click.pass_obj
def log(
    context: Context, ticket: str | None, partner: str | None, since: str | None, follow: bool, as_json: bool
) -> None:
    """Show the log readably.

    \b
    triage log --ticket 1001
    triage log --since 2h --follow
    """
    from triage import report

    loaded = context.loaded
    if loaded.config.log.file == "-":
        raise ConfigError("log.file is standard output: there is no file to show; name one in [log] file")
    start = _since(since) if since else None
    number = ticket.lstrip("#") if ticket else None
    for line in _lines(loaded.path(loaded.config.log.file), follow):
        record = _record(line)
        if record is None:
            continue
        if number and str(record.get("ticket")) != number:
            continue
        if partner and record.get("partner") != partner:
            continue
        if start and _time(record) < start:
            continue
        click.echo(lines(line if as_json else report.log_line(record)))


def _lines(file: Path, follow: bool) -> Iterator[str]:
    """The lines of the log; with `follow` also those to come, across a rotation."""
    try:
        handle: TextIO = file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; `triage run` writes it") from None
    pending = ""
    while True:
        piece = handle.readline()
        if piece:
            pending += piece
            if pending.endswith("\n"):
                yield pending.rstrip("\n")
                pending = ""
            continue
        if not follow:
            handle.close()
            return
        time.sleep(0.2)
        if file.exists() and file.stat().st_ino != os.fstat(handle.fileno()).st_ino:
            handle.close()
            handle = file.open(encoding="utf-8", errors="replace")


def _record(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _time(record: dict[str, object]) -> datetime:
    try:
        return datetime.fromisoformat(str(record.get("time")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _since(text: str) -> datetime:
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}.get(text[-1:])
    if unit and text[:-1].isdigit():
        return datetime.now(UTC) - timedelta(**{unit: int(text[:-1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text!r} is neither a time (2026-01-31T08:00) nor a span (30m, 2h, 3d)") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
