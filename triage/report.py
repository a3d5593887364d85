"""What commands show in a terminal: a list of tickets, a ticket's story, the log. Plain text that also greps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
            one_line(row["partner"], 24),
            one_line(row["subject"], 48),
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(size) for cell, size in zip(line, widths, strict=True)).rstrip() for line in cells)
    return "\n".join(line if not width or len(line) <= width else f"{line[: width - 1]}…" for line in lines)


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


def _pair(name: str, value: str) -> str:
    return f"  {name:<14}{value}"


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "-"


def _labels(row: Mapping[str, Any]) -> str:
    names = ("deployment", "request_type", "service", "severity", "out_of_scope", "language")
    return ", ".join(f"{name} {row[name]}" for name in names if row[name])


_NOISE = frozenset({"message_id", "reply", "pack", "counted_from", "size", "language"})  # for programs, not for people
_SILENT = "reading"  # the clause of rules that only say how words are understood
_MAIL_ITSELF = frozenset({"header", "mark", "own"})  # first words of rules that look at the mail, not at its words
_LABELS = ("kind", "request_type", "service", "severity", "out_of_scope", "courtesy")


def _marks(row: Mapping[str, Any], now: datetime | None) -> str:
    if not row["due_at"]:
        return ""
    return ("" if row["guaranteed"] else " ~") + (" !" if now and row["due_at"] <= now else "")


def _event(event: str, keys: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in keys.items() if key != "partner"}
    return f"{event:<24}  {_keys(shown)}".rstrip()


def _keys(keys: Mapping[str, Any], *, full: bool = False) -> str:
    """The keys of an event as key=value; what only programs need is left out, or not."""
    named = {key: value for key, value in keys.items() if value not in (None, [], "") and (full or key not in _NOISE)}
    sure = named.pop("guaranteed", None)
    words = [f"{one_line(key, 40)}={_short(value)}" for key, value in named.items()]
    if sure is not None:
        words.append("guaranteed" if sure else "not guaranteed")
    return "  ".join(words)


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
    return "\n".join([*lines, *_because(reading.get("evidence", []))])


def _because(evidence: Iterable[Sequence[str]]) -> list[str]:
    """The words behind each label, then the clauses behind the decision."""
    words: dict[str, list[str]] = {}
    clauses: dict[str, list[str]] = {}
    for rule, clause, matched in evidence:
        if clause and clause != _SILENT:
            clauses.setdefault(clause, []).append(rule)
            continue
        first, _, rest = rule.partition(".")
        label = "kind" if first in _MAIL_ITSELF else next((name for name in _LABELS if rest.startswith(name)), "")
        if label and not rule.startswith("learned."):
            words.setdefault(label, []).append(f'"{one_line(matched, 48)}"')
    lines = [f"{label} by {', '.join(dict.fromkeys(said[:5]))}" for label, said in words.items()]
    return [*lines, *(f"clause {clause}: {', '.join(dict.fromkeys(rules))}" for clause, rules in clauses.items())]


def _promise(one: Mapping[str, Any]) -> str:
    kind = "guaranteed" if one["guaranteed"] else "expected"
    end = f", {one['end']} {_time(one['ended_at'])}" if one["end"] else ", running"
    breach = f", breached {_time(one['breached_at'])}" if one["breached_at"] else ""
    return f"{_time(one['promised_at'])} to {one['to']}: {kind} by {_time(one['due'])} UTC ({one['pack']}){end}{breach}"


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
