"""`triage rules`: what a support manager does with a rule pack."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.adapters import packs
from triage.core.errors import Fault, PackError
from triage.core.pack import Pack

if TYPE_CHECKING:
    from triage.cli import Context
    from triage.core.compare import Bench, Changes
    from triage.core.directory import Directory
    from triage.core.model import Desk

_AT_ONCE = 32  # mails that a process gets at a time
_BYTES_AT_ONCE = 8 << 20


@click.group("rules")
def rules() -> None:
    """Check a rule pack, and see what a new version would change."""


# ---------------------------------------------------------------- check


@rules.command("check")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Validate the rule pack in DIR (or a shipped one, by its name) and run its examples.

    Every fault is a line: file, where in it, what was found and what would be right.

    \b
    triage rules check rules/navixy
    """
    from triage.adapters import examples

    try:
        found = packs.find(str(folder), Path())
        packs.versions(found)
        pack = packs.load(found)
    except PackError as error:
        raise click.exceptions.Exit(_say(error.faults)) from error
    number, faults = examples.run(pack, found, examples.judge(pack))
    if faults:
        raise click.exceptions.Exit(_say(faults))
    click.echo(f"ok: {', '.join(_counts(pack, number))}")


def _say(faults: Sequence[Fault]) -> int:
    """Print faults, one a line; the exit status."""
    for fault in faults:
        click.echo(" ".join(str(fault).split()))
    click.echo(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}", err=True)
    return 1


def _counts(pack: Pack, number_of_examples: int) -> list[str]:
    manifest = pack.manifest
    phrases = sum(len(rule.phrases) for words in pack.words.values() for rule in words.rule)
    forms = sum(len(words.form) for words in pack.words.values())
    replies = sum(len(texts) for texts in pack.replies.values())
    return [
        f"{manifest.name} {manifest.version}, in force from {manifest.in_force}",
        f"{len(pack.clauses)} clauses",
        f"{len(pack.services)} services",
        f"{len(pack.targets)} response times",
        f"{phrases} phrases and {forms} forms in {len(manifest.languages)} languages",
        f"{replies} reply texts",
        f"{number_of_examples} examples",
    ]


# ---------------------------------------------------------------- diff


@dataclass(frozen=True, slots=True)
class Changed:
    """A mail on which the two packs differ."""

    file: str
    subject: str
    changes: Changes


@rules.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("mail", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every change.")
@click.option("--most", default=50, show_default=True, help="How many changed mails are shown in full.")
@click.pass_obj
def diff(context: Context, old: Path, new: Path, mail: tuple[Path, ...], as_json: bool, most: int) -> None:
    """Show which decisions on this mail would change between two packs: labels, due times, replies.

    MAIL are .eml files, folders, mbox files or Maildirs. Senders are looked up in the configured partner file; without
    one, everybody is taken for an authorized partner. Each mail is judged as the first of its conversation.

    \b
    triage rules diff rules/acme rules/acme-next archive.mbox
    """
    loaded = [packs.load(packs.find(str(folder), Path())) for folder in (old, new)]
    partners, desk = _partners(context, loaded[0]), context.desk()
    if not len(partners):
        click.echo("no partner file is configured: every sender is taken for an authorized partner", err=True)
    changed: list[Changed] = []
    unreadable: list[Fault] = []
    number = 0
    for result in _progress(_compared(loaded, partners, desk, mail)):
        if isinstance(result, Fault):
            unreadable.append(result)
            continue
        number += 1
        if result is not None:
            changed.append(result)
    counts = Counter(key for one in changed for key in one.changes)
    if as_json:
        click.echo(json.dumps(_as_object(loaded, number, changed, unreadable, counts), ensure_ascii=False))
        return
    for line in _as_text(loaded, number, changed, unreadable, counts, most):
        click.echo(line)


def _partners(context: Context, pack: Pack) -> Directory:
    from triage import assembly

    return assembly.directory(context.loaded_or_default, pack)


def _compared(
    loaded: Sequence[Pack], partners: Directory, desk: Desk, mail: Sequence[Path]
) -> Iterator[Changed | Fault | None]:
    """A result for each mail, in order, from as many processes as there are processors."""
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, initializer=_begin, initargs=(loaded, partners, desk)) as pool:
        waiting: list[Future[list[Changed | Fault | None]]] = []
        for batch in _batches(mail):
            waiting.append(pool.submit(_batch, batch))
            if len(waiting) > 2 * workers:  # so that an archive of any size fits into memory
                yield from waiting.pop(0).result()
        for future in waiting:
            yield from future.result()


def _batches(mail: Sequence[Path]) -> Iterator[list[tuple[str, bytes | Fault]]]:
    from triage.adapters.archive import mails

    batch: list[tuple[str, bytes | Fault]] = []
    size = 0
    for path in mail:
        for name, raw in mails(path):
            batch.append((name, raw))
            size += len(raw) if isinstance(raw, bytes) else 0
            if len(batch) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


_bench: Bench | None = None  # of a worker process, made once


def _begin(loaded: Sequence[Pack], partners: Directory, desk: Desk) -> None:
    """What a worker process does first."""
    from triage.adapters.holidays import holiday_dates
    from triage.core.clock import make_rules
    from triage.core.compare import Bench

    global _bench
    old, new = (make_rules(pack, holiday_dates) for pack in loaded)
    _bench = Bench.of(old, new, desk, partners)


def _batch(batch: list[tuple[str, bytes | Fault]]) -> list[Changed | Fault | None]:
    return [_one(name, raw) for name, raw in batch]


def _one(name: str, raw: bytes | Fault) -> Changed | Fault | None:
    from triage.adapters.mime import parse
    from triage.core.compare import changes

    assert _bench is not None
    if isinstance(raw, Fault):
        return raw
    try:
        email = parse(raw)
        found = changes(email, _bench)
    except Exception as error:  # one mail of an archive must not end the comparison; it is told among the unreadable
        return Fault(name, "", f"surprise: {type(error).__name__}: {str(error)[:200]}")
    return Changed(name, email.subject, found) if found else None


def _progress(results: Iterator[Changed | Fault | None]) -> Iterator[Changed | Fault | None]:
    """The same, with a count on a terminal."""
    shown = sys.stderr.isatty()
    for number, result in enumerate(results, 1):
        if shown and number % 50 == 0:
            click.echo(f"\r{number} mails", nl=False, err=True)
        yield result
    if shown:
        click.echo("\r\033[K", nl=False, err=True)


def _as_object(
    loaded: Sequence[Pack], number: int, changed: Sequence[Changed], unreadable: Sequence[Fault], counts: Counter[str]
) -> dict[str, Any]:
    return {
        "old": loaded[0].manifest.version,
        "new": loaded[1].manifest.version,
        "mails": number,
        "changed": len(changed),
        "counts": dict(counts.most_common()),
        "changes": [
            {
                "file": one.file,
                "subject": one.subject,
                "changes": {key: {"before": before, "after": after} for key, (before, after) in one.changes.items()},
            }
            for one in changed
        ],
        "unreadable": [str(fault) for fault in unreadable],
    }


def _as_text(
    loaded: Sequence[Pack],
    number: int,
    changed: Sequence[Changed],
    unreadable: Sequence[Fault],
    counts: Counter[str],
    most: int,
) -> Iterator[str]:
    names = " -> ".join(f"{pack.manifest.name} {pack.manifest.version}" for pack in loaded)
    yield f"{names}: {number} mails, {len(changed)} would be decided otherwise"
    for key, times in counts.most_common():
        yield f"  {times:6d}  {key}"
    for fault in unreadable:
        yield f"not compared: {fault}"
    for one in changed[:most]:
        yield ""
        yield f"{one.file}: {one.subject or '(no subject)'}"
        for key, (before, after) in one.changes.items():
            if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
                yield f"  {key}:"
                yield from (f"    {line}" for line in _lines_that_differ(before, after))
            else:
                yield f"  {key}: {_shown(before)} -> {_shown(after)}"
    if len(changed) > most:
        yield ""
        yield f"... and {len(changed) - most} more (--most, or --json for all)"


def _lines_that_differ(before: str, after: str) -> Iterator[str]:
    lines = unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
    return (line for line in lines if not line.startswith(("---", "+++", "@@")) and line.strip("+- "))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    if isinstance(value, str) and "\n" in value:
        return "a reply"
    return str(value).lower() if isinstance(value, bool) else str(value)
