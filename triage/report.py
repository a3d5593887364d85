"""What commands show in a terminal: a list of tickets, a ticket's story, the log. Plain text that also greps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from triage.core.text import one_line


def ticket_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a ticket."""
    if not rows:
        return "no tickets"
    cells = [("ticket", "state", "due (UTC)", "severity", "partner", "subject")]
    cells += [
        (
            f"#{row['number']}",
            row["state"],
            _time(row["due_at"]) + ("" if row["guaranteed"] or not row["due_at"] else " ~"),
            row["severity"] or "-",
            one_line(row["partner"], 24),
            one_line(row["subject"], 48),
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def story(
    row: Mapping[str, Any],
    events: Iterable[tuple[datetime, str, Mapping[str, Any]]],
    mails: Iterable[Mapping[str, Any]],
    promises: Iterable[Mapping[str, Any]],
) -> str:
    """A ticket as a timeline."""
    lines = [
        f"Ticket #{row['number']}  {one_line(row['subject'], 80)}",
        _pair("partner", f"{one_line(row['partner'])} <{one_line(row['requester'], 320)}>"),
        _pair("state", row["state"] + (f", flags: {', '.join(row['flags'])}" if row["flags"] else "")),
        _pair("labels", _labels(row)),
        _pair("given", ", ".join(row["fields"]) or "nothing yet"),
        _pair(
            "due",
            f"{_time(row['due_at'])} UTC{'' if row['guaranteed'] else ', not guaranteed'}" if row["due_at"] else "-",
        ),
        _pair("rules", row["pack"]),
        "",
    ]
    entries: list[tuple[datetime, str]] = [(at, _event(event, keys)) for at, event, keys in events]
    for mail in mails:
        entries.append((mail["received_at"], _mail(mail)))
    entries.sort(key=lambda entry: entry[0])
    day = ""
    for at, text in entries:
        today = at.astimezone(UTC).strftime("%A %d %B %Y")
        if today != day:
            lines.append(today)
            day = today
        first, *rest = text.split("\n")
        lines.append(f"  {at.astimezone(UTC):%H:%M:%S}  {first}")
        lines += [f"            {line}" for line in rest]
    told = list(promises)
    if told:
        lines += ["", "Promises"]
        lines += [f"  {_promise(one)}" for one in told]
    return "\n".join(lines)


def log_line(record: Mapping[str, Any]) -> str:
    """An event of the log, readably."""
    keys = {key: value for key, value in record.items() if key not in ("time", "level", "event")}
    ticket = keys.pop("ticket", None)
    level = str(record.get("level", "")).upper()
    loud = f" {level}" if level in ("WARNING", "ERROR") else ""
    shown = "  ".join(f"{key}={_short(value)}" for key, value in keys.items())
    number = f"#{ticket} " if ticket else ""
    at = str(record.get("time", ""))[:19].replace("T", " ")
    return f"{at}{loud}  {number}{record.get('event', '?')}  {shown}".rstrip()


# ---------------------------------------------------------------- parts


def _pair(name: str, value: str) -> str:
    return f"  {name:<14}{value}"


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "-"


def _labels(row: Mapping[str, Any]) -> str:
    names = ("deployment", "request_type", "service", "severity", "out_of_scope", "language")
    return ", ".join(f"{name} {row[name]}" for name in names if row[name])


def _event(event: str, keys: Mapping[str, Any]) -> str:
    hidden = ("partner", "pack", "message_id")
    shown = [
        f"{key} {_short(value)}" for key, value in keys.items() if key not in hidden and value not in (None, [], "")
    ]
    return f"{event}  {', '.join(shown)}".rstrip()


def _mail(mail: Mapping[str, Any]) -> str:
    """A mail that came in, with what was read and the words behind it."""
    reading = mail.get("reading") or {}
    head = f"mail from {mail['sender']}: {one_line(mail['subject'], 70)}"
    if not reading:
        return head
    values = [
        str(reading[key]) for key in ("kind", "request_type", "service", "severity", "out_of_scope") if reading.get(key)
    ]
    lines = [head, f"read as {', '.join(values)}; gave {', '.join(reading.get('fields', [])) or 'nothing'}"]
    lines.append(f"decided {reading.get('state')}: {', '.join(reading.get('reasons', []))}")
    because = [f"{rule} ({clause}): {one_line(words, 80)}" for rule, clause, words in reading.get("evidence", [])[:6]]
    return "\n".join([*lines, *(f"because {one}" for one in because)])


def _promise(one: Mapping[str, Any]) -> str:
    kind = "guaranteed" if one["guaranteed"] else "expected"
    end = f", {one['end']} {_time(one['ended_at'])}" if one["end"] else ", running"
    breach = f", breached {_time(one['breached_at'])}" if one["breached_at"] else ""
    return f"{_time(one['promised_at'])} to {one['to']}: {kind} by {_time(one['due'])} UTC ({one['pack']}){end}{breach}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return one_line(",".join(str(one) for one in value), 120)
    return one_line(str(value), 120)
