"""What commands show in a terminal: a list of tickets, the log. Plain text that also greps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from triage.core.text import one_line

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]{2,9}\+00:00")  # as events say it, UTC


def ticket_table(rows: Sequence[Mapping[str, Any]], now: datetime | None = None, width: int = 0) -> str:
    """A line a ticket: "~" marks a time that is not guaranteed, "!" one that is over. `width` 0: as wide as it gets."""
    if not rows:
        return "no tickets"
    cells = [("ticket", "state", "due (UTC)", "severity", "partner", "subject")]
    cells += [
        (
            f"#{row['number']}",
            row["state"],
            _time(row["due_at"]) + _marks(row, now),
            row["severity"] or "-",
            one_line(row["partner"], 24 if not width or width >= 100 else 14),
            one_line(row["subject"], 48),
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "\n".join(line if not width or len(line) <= width else f"{line[: width - 1]}…" for line in lines)


def log_line(record: Mapping[str, Any], *, full: bool = False) -> str:
    """An event of the log, readably: when, which ticket, what, and the keys that a person looks for (or all)."""
    keys = {key: value for key, value in record.items() if key not in ("time", "level", "event", "ticket")}
    level = str(record.get("level", "")).upper()
    loud = f"  {level}" if level in ("WARNING", "ERROR") else ""
    ticket = one_line(str(record.get("ticket") or ""), 20)
    at = one_line(str(record.get("time", ""))[:19].replace("T", " "))
    event = one_line(str(record.get("event", "?")), 60)
    return f"{at}  {'#' + ticket if ticket else '':<7}{event:<24}{loud}  {_keys(keys, full=full)}".rstrip()


# ---------------------------------------------------------------- parts


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "-"


_NOISE = frozenset({"message_id", "reply", "pack", "counted_from", "size", "language"})  # for programs, not for people


def _marks(row: Mapping[str, Any], now: datetime | None) -> str:
    if not row["due_at"]:
        return ""
    return ("" if row["guaranteed"] else " ~") + (" !" if now and row["due_at"] <= now else "")


def _keys(keys: Mapping[str, Any], *, full: bool = False) -> str:
    """The keys of an event as key=value; what only programs need is left out, or not."""
    named = {key: value for key, value in keys.items() if value not in (None, [], "") and (full or key not in _NOISE)}
    sure = named.pop("guaranteed", None)
    words = [f"{one_line(key, 40)}={_short(value)}" for key, value in named.items()]
    if sure is not None:
        words.append("guaranteed" if sure else "not guaranteed")
    return "  ".join(words)


def _short(value: Any) -> str:
    """A value on one line; a time to the minute, a text with spaces in quotes."""
    if isinstance(value, list):
        return one_line(",".join(str(one) for one in value), 120)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    words = one_line(str(value), 120)
    if _TIME.fullmatch(words):
        return words[:16]
    return f'"{words}"' if " " in words else words
