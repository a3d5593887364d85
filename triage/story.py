"""A ticket's story as `triage show` tells it: mails, readings, decisions with their clauses, promises, clocks, answers.

A line begins with the time and a word that says what sort of thing happened; what was read from a mail and decided
about it stands below the mail. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from triage.core.text import one_line

Event = tuple[datetime, str, Mapping[str, Any]]
_HIDDEN = frozenset({"partner", "pack", "message_id", "reply", "rule"})
_MARGIN = 22  # columns before the words of a line
_SILENT = "reading"  # the clause of rules that only say how words are understood
_MAIL_ITSELF = frozenset({"header", "mark", "own"})  # first words of rules that look at the mail, not at its words
_LABELS = ("kind", "request_type", "service", "severity", "out_of_scope", "courtesy")
_ENDS = {
    "kept": "kept",
    "broken": "broken, answered",
    "replaced": "replaced by the partner's next mail",
    "withdrawn": "withdrawn",
}


def story(
    row: Mapping[str, Any],
    events: Iterable[Event],
    mails: Iterable[Mapping[str, Any]],
    promises: Iterable[Mapping[str, Any]],
    now: datetime | None = None,
) -> str:
    """The whole story. With `now`, how much time is left or over."""
    told = list(events)
    templates = {str(keys["reply"]): str(keys.get("template", "")) for _, _, keys in told if keys.get("reply")}
    entries: list[tuple[datetime, int, str, list[str]]] = []
    for mail in mails:
        entries.append((mail["received_at"], 0, "mail", _mail(mail)))
    for at, event, keys in told:
        entries.append((at, 1, *_event(event, keys, at, templates)))
    for promise in promises:
        entries.append((promise["promised_at"], 2, "promise", _promise(promise)))
    entries.sort(key=lambda entry: entry[:2])
    return "\n".join([*_head(row, now), *_timeline(entries)])


def _head(row: Mapping[str, Any], now: datetime | None) -> Iterator[str]:
    yield f"Ticket #{row['number']}  {one_line(row['subject'], 80)}"
    yield _pair("state", _state(row, now))
    yield _pair("partner", f"{one_line(row['partner'])}, {row['deployment'] or 'deployment not known'}")
    yield _pair("opened by", one_line(row["requester"], 320))
    about = (row["request_type"], row["service"], row["out_of_scope"])
    severity = [f"severity {row['severity']}"] if row["severity"] else []
    yield _pair("about", ", ".join([*(one for one in about if one and one != "none"), *severity]) or "-")
    yield _pair("given", ", ".join(row["fields"]) or "nothing yet")
    if row["flags"]:
        yield _pair("flags", ", ".join(row["flags"]))
    if row["settled"]:
        yield _pair("by staff", ", ".join(row["settled"]))
    yield _pair("rules", row["pack"])


def _state(row: Mapping[str, Any], now: datetime | None) -> str:
    due: datetime | None = row["due_at"]
    if due is None:
        return str(row["state"])
    sure = "guaranteed" if row["guaranteed"] else "not guaranteed"
    said = f"{row['state']}, an answer is due {_moment(due)} ({sure})"
    if now is None:
        return said
    return f"{said}, {_span(due, now)} " + ("left" if due > now else "OVERDUE")


def _timeline(entries: Sequence[tuple[datetime, int, str, list[str]]]) -> Iterator[str]:
    day = time = ""
    for at, _, word, (first, *rest) in entries:
        at = at.astimezone(UTC)
        today = f"{at:%A} {at.day} {at:%B %Y}"
        if today != day:
            yield ""
            yield today
            day, time = today, ""
        shown = f"{at:%H:%M:%S}"
        yield f"  {shown if shown != time else '':<8}  {word:<10}{first}".rstrip()
        time = shown
        yield from (f"{'':{_MARGIN}}{line}" for line in rest)


# ---------------------------------------------------------------- what happened


def _event(event: str, keys: Mapping[str, Any], at: datetime, templates: Mapping[str, str]) -> tuple[str, list[str]]:
    """A word for the sort of event, and what is to be said."""
    by = f" by {one_line(str(keys['by']))}" if keys.get("by") else ""
    why = f" ({_plain(keys['reason'])})" if keys.get("reason") else ""
    who = one_line(str(keys.get("sender") or ""))
    to = one_line(str(keys.get("to") or ""))
    template = _plain(keys.get("template") or templates.get(str(keys.get("reply")), "") or "mail")
    said: dict[str, tuple[str, str]] = {
        "ticket.opened": ("ticket", "opened" + _opened(keys) + by),
        "ticket.updated": ("ticket", f"is open{why}{by}{_rest(keys)}"),
        "ticket.reopened": ("ticket", f"open again{why}{by}"),
        "ticket.awaiting_partner": ("ticket", f"waits for the partner{why}{_missing(keys)}"),
        "ticket.refused": ("ticket", f"refused{why}"),
        "ticket.answered": ("ANSWER", f"by {who}: closed preliminarily"),
        "ticket.closed": ("ticket", f"closed{why}{by}"),
        "ticket.reminded": ("ticket", "the partner is reminded"),
        "clock.started": ("clock", _clock(keys, at)),
        "clock.warning": ("WARNING", f"{_share(keys)} of the time is over, due {_when(keys.get('due'), at)}"),
        "clock.breached": ("BREACH", f"nobody answered by {_when(keys.get('due'), at)}"),
        "clock.stopped": ("clock", _stopped(keys, at)),
        "reply.queued": ("reply", f"{template}, to {to}"),
        "mail.sent": ("sent", f"{template}, to {to}"),
        "mail.failed": ("FAILED", f"{template}, to {to}{why}"),
        "mail.bounced": ("BOUNCED", f"{template}, to {to}"),
        "message.ignored": ("ignored", f"mail of {who}{why}"),
    }
    if event in said:
        word, words = said[event]
        return word, [words]
    return "", [f"{event}{_rest(keys)}"]


def _opened(keys: Mapping[str, Any]) -> str:
    parts = [f", follows the closed #{keys['follows']}"] if keys.get("follows") else []
    parts += [f", split from #{keys['split_from']}"] if keys.get("split_from") else []
    parts += [f", flags: {_plain(keys['flags'])}"] if keys.get("flags") else []
    return "".join(parts)


def _missing(keys: Mapping[str, Any]) -> str:
    return f": asked for {_plain(keys['missing'])}" if keys.get("missing") else ""


def _share(keys: Mapping[str, Any]) -> str:
    return f"{keys.get('share') or 0:.0%}"


def _clock(keys: Mapping[str, Any], at: datetime) -> str:
    hours = f"{keys['hours']:g} working hours" if keys.get("hours") is not None else "time"
    start = f" from {_when(keys['counted_from'], at)}" if keys.get("counted_from") else ""
    sure = "guaranteed" if keys.get("guaranteed") else f"not guaranteed ({_plain(keys.get('reason') or '-')})"
    kept = f"; promised was {_when(keys['promised'], at)}" if keys.get("promised") else ""
    return f"runs: {hours}{start}, due {_when(keys.get('due'), at)}, {sure}{kept}"


def _stopped(keys: Mapping[str, Any], at: datetime) -> str:
    due = _parsed(keys.get("due"))
    if due is None:
        return "stopped"
    return f"stopped, {_span(due, at)} " + ("before it was due" if at <= due else "too late")


def _rest(keys: Mapping[str, Any]) -> str:
    """Keys that no sentence speaks of, as they are."""
    known = _HIDDEN | {"by", "reason", "sender", "due"}
    return "".join(f", {one_line(key, 40)} {_plain(value)}" for key, value in keys.items() if key not in known)


# ---------------------------------------------------------------- mails and promises


def _mail(mail: Mapping[str, Any]) -> list[str]:
    """A mail that came in, with what was read, the words behind it, what was decided, and the clauses."""
    lines = [f"from {one_line(mail['sender'], 320)}: {one_line(mail['subject'], 70)}"]
    reading = mail.get("reading") or {}
    if not reading:
        return lines
    values = [str(reading[key]) for key in ("kind", "request_type", "service", "out_of_scope") if reading.get(key)]
    values += [f"severity {reading['severity']}"] if reading.get("severity") else []
    lines.append(f"read      {', '.join(one for one in values if one != 'none')}")
    if reading.get("fields"):
        lines.append(f"gave      {', '.join(reading['fields'])}")
    if reading.get("missing"):
        lines.append(f"missing   {', '.join(reading['missing'])}")
    words, clauses = _evidence(reading.get("evidence", []))
    lines += [f"because   {label}: {', '.join(said)}" for label, said in words.items()]
    lines.append(f"decided   {_plain(reading.get('state'))}: {_plain(reading.get('reasons') or '-')}")
    lines += [f"clause    {clause}: {', '.join(rules)}" for clause, rules in clauses.items()]
    return lines


def _evidence(evidence: Iterable[Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The words behind each label, and the rules by the clause that they carry out."""
    words: dict[str, dict[str, None]] = {}
    clauses: dict[str, dict[str, None]] = {}
    for rule, clause, matched in evidence:
        if clause and clause != _SILENT:
            clauses.setdefault(clause, {})[rule] = None
            continue
        first, _, rest = rule.partition(".")
        label = "kind" if first in _MAIL_ITSELF else next((name for name in _LABELS if rest.startswith(name)), "")
        if label and first != "learned":
            words.setdefault(label, {})[f'"{one_line(matched, 48)}"'] = None
    return {label: list(said)[:5] for label, said in words.items()}, {one: list(said) for one, said in clauses.items()}


def _promise(one: Mapping[str, Any]) -> list[str]:
    kind = "guaranteed" if one["guaranteed"] else "expected"
    at: datetime = one["promised_at"]
    end = _ENDS.get(one["end"] or "", "runs")
    when = f" {_when(one['ended_at'], at)}" if one["ended_at"] else ""
    breach = f", breached {_when(one['breached_at'], at)}" if one["breached_at"] else ""
    return [f"to {one_line(one['to'], 320)}: an answer {kind} by {_when(one['due'], at)} - {end}{when}{breach}"]


# ---------------------------------------------------------------- parts


def _pair(name: str, value: str) -> str:
    return f"  {name:<10}{value}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return one_line(", ".join(str(one) for one in value), 160)
    return one_line(str(value), 160).replace("_", " ")


def _parsed(value: Any) -> datetime | None:
    try:
        return value if value is None or isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _when(value: Any, beside: datetime) -> str:
    """A time; the date is left out when it is that of the line."""
    at = _parsed(value)
    if at is None:
        return "-"
    at = at.astimezone(UTC)
    return f"{at:%H:%M}" if at.date() == beside.astimezone(UTC).date() else _moment(at)


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b %Y %H:%M} UTC"


def _span(one: datetime, other: datetime) -> str:
    """How far apart two times are, in the two largest units."""
    minutes = int(abs((one - other).total_seconds()) // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
