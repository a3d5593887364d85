"""`triage log`: the log file made readable."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from itertools import chain

import click

from triage.cli import Context
from triage.core.errors import ConfigError
from triage.core.text import lines

_LEVELS = ("debug", "info", "warning", "error")
_LAST = 20  # lines that --follow begins with
_COLOURS = {"warning": "yellow", "error": "red"}


@click.command()
@click.option("--ticket", help="Only this ticket's.")
@click.option("--partner", help="Only this partner's; a part of the name will do.")
@click.option("--level", type=click.Choice(_LEVELS), default="debug", help="Only this level and above.")
@click.option("--since", help="Only from then on: ISO 8601, or a span such as 30m, 2h, 3d.")
@click.option("--follow", is_flag=True, help="The last lines, then those to come. Stop with Ctrl-C.")
@click.option("--full", is_flag=True, help="All keys, message ids included.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
@click.pass_obj
def log(
    context: Context,
    ticket: str | None,
    partner: str | None,
    level: str,
    since: str | None,
    follow: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Show the log readably, rotated files included. Times are UTC.

    \b
    triage log --ticket 1001
    triage log --level warning --since 1d
    triage log --follow
    """
    from triage import report
    from triage.adapters import log_files

    loaded = context.loaded
    if loaded.config.log.file == "-":
        raise ConfigError("log.file is standard output: there is no file to show; name one in [log] file")
    file = loaded.path(loaded.config.log.file)
    start = _since(since) if since else None
    number = ticket.lstrip("#") if ticket else ""
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    try:
        if not follow:
            found = log_files.stored(file, start)
        elif start or number or partner:  # whoever asks for something wants all of it, then what follows
            found = chain(log_files.earlier(file, start), log_files.growing(file))
        else:
            found = log_files.growing(file, _LAST)
        theirs: set[str] = set()  # tickets of the partner: what is sent about them names the ticket only
        for line in found:
            if number not in line:
                continue
            record = _record(line)
            if record is None:
                continue
            if partner and _is_of(record, partner):
                theirs.add(str(record.get("ticket") or ""))
            elif partner and (record.get("partner") or not record.get("ticket") or str(record["ticket"]) not in theirs):
                continue
            if not _wanted(record, number, level, start):
                continue
            shown = lines(line if as_json else report.log_line(record, full=full))
            click.echo(click.style(shown, fg=_COLOURS.get(str(record.get("level")))) if colours else shown)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; `triage run` writes it") from None


def _is_of(record: dict[str, object], partner: str) -> bool:
    return partner.casefold() in str(record.get("partner") or "").casefold()


def _wanted(record: dict[str, object], number: str, level: str, start: datetime | None) -> bool:
    if number and str(record.get("ticket")) != number:
        return False
    named = str(record.get("level"))
    if named in _LEVELS and _LEVELS.index(named) < _LEVELS.index(level):
        return False
    return start is None or _time(record) >= start


def _record(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _time(record: dict[str, object]) -> datetime:
    try:
        at = datetime.fromisoformat(str(record.get("time")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _since(text: str) -> datetime:
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}.get(text[-1:])
    if unit and text[:-1].isdecimal() and len(text) < 8:
        return datetime.now(UTC) - timedelta(**{unit: min(int(text[:-1]), 50_000)})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text!r} is neither a time (2026-01-31T08:00) nor a span (30m, 2h, 3d)") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
