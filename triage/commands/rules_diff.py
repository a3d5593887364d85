"""`triage rules diff`: which decisions, replies and due times would change between two packs."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.adapters import packs
from triage.core.errors import ConfigError, Fault, TriageError
from triage.core.text import json_line, lines, one_line

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from triage.cli import Context
    from triage.core.clock import Rules
    from triage.core.compare import Bench, Changes

_AT_ONCE = 32  # mails that a process gets at a time
_BYTES_AT_ONCE = 8 << 20
_LINES = 16  # of a reply's difference that are shown
_KINDS = 60  # of changes that are counted in the summary


@dataclass(frozen=True, slots=True)
class Compared:
    """One mail of the archive."""

    file: str
    subject: str
    size: int
    changes: Changes  # empty: nothing is decided otherwise
    error: str = ""  # why it could not be compared


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("mail", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--deployment", help="Take every sender for an authorized partner who has this deployment.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each changed mail, then a summary.")
@click.option(
    "--most", default=50, show_default=True, type=click.IntRange(0), help="How many changed mails are shown in full."
)
@click.pass_obj
def diff(
    context: Context,
    old: Path,
    new: Path,
    mail: tuple[Path, ...],
    deployment: str | None,
    as_json: bool,
    most: int,
) -> None:
    """Show which decisions on this mail would change between two packs: labels, replies, due times.

    OLD and NEW are folders, or names of shipped packs. MAIL are .eml files, folders, mbox files or Maildirs.

    Senders are looked up in the configured partner file; without one, everybody is taken for an authorized partner.
    Each mail is judged as the first of its conversation, as if received when its headers say.

    \b
    triage rules diff rules/acme rules/acme-next archive.mbox
    triage rules diff navixy rules/acme --deployment paas ~/Maildir
    """
    from triage.adapters.holidays import holiday_dates
    from triage.core.clock import make_rules

    sides = [make_rules(packs.load(packs.find(str(folder), Path())), holiday_dates) for folder in (old, new)]
    bench = _bench_of(context, sides[0], sides[1], deployment)
    summary = _Summary(sides, _senders(bench))
    kept: list[Compared] = []
    for one in _progress(_compared(bench, mail), mail):
        summary.add(one)
        if as_json and (one.changes or one.error):
            click.echo(json_line(_as_object(one)))
        elif one.error or (one.changes and summary.changed <= most):
            kept.append(one)
    if as_json:
        click.echo(json_line({"summary": summary.as_object()}))
        return
    for line in (*summary.as_text(), *_as_text(kept)):
        click.echo(lines(line))
    if summary.changed > most:
        click.echo(f"\n... and {summary.changed - most} more (--most, or --json for all)")


def _bench_of(context: Context, old: Rules, new: Rules, deployment: str | None) -> Bench:
    from triage import assembly
    from triage.core.compare import Bench

    loaded = context.loaded_or_default
    partners = assembly.directory(loaded, old.pack)
    known = dict.fromkeys((*old.pack.deployment_by_id, *new.pack.deployment_by_id))
    if deployment is not None and deployment not in known:
        raise ConfigError(f"--deployment {deployment!r}: the packs know {', '.join(known)}")
    if deployment is None and not len(partners):
        deployment = ""
    return Bench.of(
        old,
        new,
        replace(context.desk(), trust=assembly.trust(loaded.config.mailbox[0])),
        datetime.now(UTC).replace(second=0, microsecond=0),
        partners=partners,
        staff=tuple(loaded.config.staff.addresses),
        deployment=deployment,
    )


def _senders(bench: Bench) -> str:
    """Who the senders are taken for, in words."""
    from triage.core.compare import fallback

    if bench.deployment is None:
        return f"looked up in the partner file ({len(bench.partners)} contacts)"
    plan = bench.deployment or fallback(bench.old.pack)
    why = "" if bench.deployment else "no partner file is configured: "
    return f"{why}everybody is taken for an authorized partner with deployment {plan}"


# ---------------------------------------------------------------- the work


def _compared(bench: Bench, mail: Sequence[Path]) -> Iterator[Compared]:
    """A result for each mail, in order, from as many processes as there are processors."""
    workers = len(os.sched_getaffinity(0))
    fork = multiprocessing.get_context("fork")  # the packs need not be sent
    with ProcessPoolExecutor(workers, mp_context=fork, initializer=_begin, initargs=(bench,)) as pool:
        waiting: list[Future[list[Compared]]] = []
        try:
            for batch in _batches(mail):
                waiting.append(pool.submit(_batch, batch))
                if len(waiting) > 2 * workers:  # so that an archive of any size fits into memory
                    yield from waiting.pop(0).result()
            for future in waiting:
                yield from future.result()
        except BrokenProcessPool:
            raise TriageError("a process that compares was ended from outside; was there enough memory?") from None
        finally:
            for future in waiting:
                future.cancel()


def _batches(mail: Iterable[Path]) -> Iterator[list[tuple[str, bytes | Fault]]]:
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


_bench: Bench | None = None  # of a worker process


def _begin(bench: Bench) -> None:
    """What a worker process does first."""
    import signal

    global _bench
    _bench = bench
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits for us


def _batch(batch: Sequence[tuple[str, bytes | Fault]]) -> list[Compared]:
    return [_one(name, raw) for name, raw in batch]


def _one(name: str, raw: bytes | Fault) -> Compared:
    from triage.adapters.mime import parse
    from triage.core.compare import changes

    assert _bench is not None
    if isinstance(raw, Fault):
        return Compared(name, "", 0, {}, raw.message)
    try:
        email = parse(raw)
        return Compared(name, email.subject, len(raw), {} if email.error else changes(email, _bench), email.error or "")
    except Exception as error:  # one mail of an archive must not end the comparison; its line says so
        return Compared(name, "", len(raw), {}, f"surprise: {type(error).__name__}: {str(error)[:200]}")


def _progress(results: Iterator[Compared], mail: Iterable[Path]) -> Iterator[Compared]:
    """The same, with a bar on a terminal."""
    if not sys.stderr.isatty():
        yield from results
        return
    number = 0
    bar: ProgressBar[None]
    with click.progressbar(
        length=sum(map(_size, mail)), file=sys.stderr, label="comparing", item_show_func=lambda _: f"{number} mails"
    ) as bar:
        for one in results:
            number += 1
            bar.update(one.size)
            yield one


def _size(path: Path) -> int:
    """Octets of the mail at a path, near enough for a bar."""
    if path.is_dir():
        return sum(
            os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
            for folder, _, names in os.walk(path)
            for name in names
        )
    return path.stat().st_size


# ---------------------------------------------------------------- how it is shown


class _Summary:
    """How many mails, and how many changes of which kind."""

    def __init__(self, sides: Sequence[Rules], senders: str) -> None:
        self._packs = [f"{side.pack.manifest.name} {side.pack.manifest.version}" for side in sides]
        self._senders = senders
        self.mails = self.changed = self.unreadable = 0
        self._parts: Counter[str] = Counter()
        self._kinds: Counter[tuple[str, str]] = Counter()

    def add(self, one: Compared) -> None:
        from triage.core.compare import kinds

        self.mails += 1
        self.changed += bool(one.changes)
        self.unreadable += bool(one.error)
        self._parts.update(one.changes.keys())
        self._kinds.update(kinds(one.changes))

    def as_object(self) -> dict[str, Any]:
        return {
            "old": self._packs[0],
            "new": self._packs[1],
            "senders": self._senders,
            "mails": self.mails,
            "changed": self.changed,
            "unreadable": self.unreadable,
            "counts": dict(self._parts.most_common()),
            "kinds": [
                {"what": what, "change": change, "mails": times} for (what, change), times in self._kinds.most_common()
            ],
        }

    def as_text(self) -> Iterator[str]:
        yield " -> ".join(self._packs)
        same = self.mails - self.changed - self.unreadable
        unread = f", {self.unreadable} cannot be read" if self.unreadable else ""
        mails = "1 mail" if self.mails == 1 else f"{self.mails} mails"
        yield f"{mails}: {self.changed} would be decided otherwise, {same} would not{unread}"
        yield f"senders: {self._senders}"
        if self.changed and self._packs[0] == self._packs[1]:
            yield "both have the same version: raise it, for tickets and replies record it"
        if self._kinds:
            yield ""
        for what, times in self._parts.most_common():
            of_it = [(change, many) for (part, change), many in self._kinds.most_common(_KINDS) if part == what]
            if len(of_it) == 1:
                yield f"{times:8d}  {what}: {one_line(of_it[0][0], 100)}"
                continue
            yield f"{times:8d}  {what}"
            yield from (f"{many:18d}  {one_line(change, 100)}" for change, many in of_it)


def _as_object(one: Compared) -> dict[str, Any]:
    found: dict[str, Any] = {"file": one.file, "subject": one.subject}
    if one.error:
        return {**found, "error": one.error}
    changes = {key: {"before": before, "after": after} for key, (before, after) in one.changes.items()}
    return {**found, "error": None, "changes": changes}


def _as_text(kept: Iterable[Compared]) -> Iterator[str]:
    """Each mail with before and after."""
    for one in kept:
        yield ""
        name = one_line(one.file, 300)
        if one.error:
            yield f"{name}: cannot be read: {one_line(one.error.removeprefix('cannot be read: '), 300)}"
            continue
        yield f"{name}: {one_line(one.subject, 120) or '(no subject)'}"
        for key, (before, after) in one.changes.items():
            yield from _change(key, before, after)


def _change(key: str, before: Any, after: Any) -> Iterator[str]:
    from triage.core.compare import shown

    if key == "due":
        before, after = (
            (f"{datetime.fromisoformat(at):%a %Y-%m-%d %H:%M} UTC" if at else at) for at in (before, after)
        )
    if key != "reply":
        yield f"  {key:<13} {one_line(shown(before), 300)}  ->  {one_line(shown(after), 300)}"
    elif before and after:
        yield f"  {key}"
        changed = list(_lines_that_differ(before, after))
        yield from (f"    {line}" for line in changed[:_LINES])
        if len(changed) > _LINES:
            yield f"    ... {len(changed) - _LINES} more lines"
    else:
        text = before or after
        yield f"  {key:<13} {'no longer goes out' if before else 'goes out now'}: {one_line(text.split(chr(10))[0])}"


def _lines_that_differ(before: str, after: str) -> Iterator[str]:
    differ = unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
    return (
        f"{line[0]} {line[1:]}" for line in differ if not line.startswith(("---", "+++", "@@")) and line[1:].strip()
    )
