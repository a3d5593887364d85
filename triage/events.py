"""The log: a function per event name, JSON lines, for an operator who greps.

An event claims only what is committed. No line ever carries a password, a token, a message body or a line break that
somebody else wrote: values are JSON strings, stripped of control and bidi characters, and cut; a password that a
server repeats in what it says is blotted out, and so is the key's part of our own Message-IDs: what is left of them
still tells one from another.

`bind` gives every line of one mail its message id.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triage.core.errors import ConfigError
from triage.core.text import json_line, one_line

_LONGEST = 500  # characters of one value
_DEEPEST = 4  # values within values
_A_SECRET = 8  # characters: shorter ones would blot out words
_SECRETS: list[str] = []
_TOKEN = re.compile(r"(?<=<triage\.)([0-9]{1,12}\.[0-9a-f]{16}\.)[0-9a-f]{20}(?=@)")  # core/threads.py makes them
_LOG = logging.getLogger("triage")
_BOUND: ContextVar[dict[str, Any]] = ContextVar("bound", default={})  # noqa: B039 - never changed in place


class _JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
        }
        keys = getattr(record, "keys", None)
        if keys is None:
            line["reason"] = _value(record.getMessage())
        else:
            line.update({key: _value(value) for key, value in keys.items() if value is not None})
        if record.exc_info and record.exc_info[1] is not None:
            line["where"] = places(record.exc_info[1])
        return json_line(line)


class _LogFile(logging.handlers.WatchedFileHandler):
    """The log file, which nobody else may read, also when it is made anew after a rotation."""

    def _open(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(open(self.baseFilename, "ab", opener=_for_us), self.encoding)


def _for_us(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def make_file(path: Path) -> None:
    """The log file, made 0640 when it is not there yet. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    os.close(_for_us(str(path), os.O_CREAT | os.O_WRONLY | os.O_APPEND))


def hide(*secrets: str) -> None:
    """From now on these words stand in no line."""
    _SECRETS[:] = sorted({one for one in secrets if len(one) >= _A_SECRET}, key=len, reverse=True)


def set_up(target: str | Path, level: str) -> None:
    """Send events to a file (made 0640; it may be rotated under us), or to standard output for "-"."""
    handler: logging.Handler
    if str(target) == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        handler = logging.StreamHandler(sys.stdout)
    else:
        path = Path(target)
        try:
            make_file(path)
            handler = _LogFile(path, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"log.file: {path} cannot be written: {error.strerror}; name a file that the daemon may write"
            ) from None
    handler.setFormatter(_JsonLines())
    logging.raiseExceptions = False  # a full disk must not put the line on standard error instead
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOG.setLevel(level.upper())
    for noisy in ("imapclient", "apscheduler", "alembic", "mailparser", "aiosmtplib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


@contextmanager
def bind(**keys: Any) -> Iterator[None]:
    """Every event within carries these keys."""
    token = _BOUND.set({**_BOUND.get(), **keys})
    try:
        yield
    finally:
        _BOUND.reset(token)


def emit(event: str, level: int = logging.INFO, **keys: Any) -> None:
    """Log an event by its name. Used by the functions below and for what the store kept to be told after a commit."""
    _LOG.log(level, event, extra={"event": event, "keys": {**_BOUND.get(), **keys}})


# ---------------------------------------------------------------- mail


def received(*, sender: str, subject: str, size: int, received: datetime | None) -> None:
    emit("message.received", sender=sender, subject=subject, size=size, received=received)


def ignored(*, reason: str, kind: str | None = None, sender: str | None = None) -> None:
    emit("message.ignored", reason=reason, kind=kind, sender=sender)


def quarantined(*, reason: str, mail: int | None = None) -> None:
    emit("message.quarantined", logging.WARNING, reason=reason, mail=mail)


def sender_refused(*, sender: str, reason: str, partner: str | None = None) -> None:
    emit("sender.refused", sender=sender, reason=reason, partner=partner)


def reply_queued(*, ticket: str | None, to: str, reply: str, template: str) -> None:
    emit("reply.queued", ticket=ticket, to=to, reply=reply, template=template)


def mail_sent(*, ticket: str | None, to: str, reply: str) -> None:
    emit("mail.sent", ticket=ticket, to=to, reply=reply)


def mail_deferred(*, ticket: str | None, to: str, reply: str, reason: str, next_try: datetime) -> None:
    emit("mail.deferred", logging.WARNING, ticket=ticket, to=to, reply=reply, reason=reason, next_try=next_try)


def mail_failed(*, ticket: str | None, to: str, reply: str, reason: str) -> None:
    emit("mail.failed", logging.ERROR, ticket=ticket, to=to, reply=reply, reason=reason)


# ---------------------------------------------------------------- tickets and clocks


def ticket(event: str, *, ticket: str, partner: str | None, **keys: Any) -> None:
    """ticket.opened, ticket.updated, ticket.awaiting_partner, ticket.answered, ticket.reopened, ticket.refused, ..."""
    emit(event, ticket=ticket, partner=partner, **keys)


def clock(event: str, *, ticket: str, partner: str | None = None, due: datetime | None = None, **keys: Any) -> None:
    """clock.started, clock.warning, clock.breached, clock.stopped"""
    level = logging.WARNING if event in ("clock.warning", "clock.breached") else logging.INFO
    emit(event, level, ticket=ticket, partner=partner, due=due, **keys)


# ---------------------------------------------------------------- the daemon


def started(**keys: Any) -> None:
    emit("daemon.started", **keys)


def stopped(*, reason: str) -> None:
    emit("daemon.stopped", reason=reason)


def trouble(event: str, *, reason: str, **keys: Any) -> None:
    """Something outside does not work: connection.failed, rules.faulty, partners.faulty ..."""
    emit(event, logging.WARNING, reason=reason, **keys)


def mended(event: str, **keys: Any) -> None:
    """It works again."""
    emit(event, **keys)


def surprise(event: str, error: BaseException, **keys: Any) -> None:
    """A fault of the program, where it was caught: its type and place, without the values of the mail."""
    _LOG.log(
        logging.ERROR,
        event,
        exc_info=error,
        extra={"event": event, "keys": {**_BOUND.get(), "reason": type(error).__name__, **keys}},
    )


def _value(value: Any, depth: int = 0) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool | int | float):
        return value
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {one_line(str(key), 60): _value(one, depth + 1) for key, one in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_value(one, depth + 1) for one in value]
    return one_line(blotted(str(value)), _LONGEST)


def blotted(text: str) -> str:
    """The text without the secrets that are hidden, and without the keyed tokens of tickets."""
    for secret in _SECRETS:
        text = text.replace(secret, "***")
    return _TOKEN.sub(r"\1***", text) if "<triage." in text else text


def places(error: BaseException) -> list[str]:
    """The innermost lines of a traceback: places, no values."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        found.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found[-6:]
