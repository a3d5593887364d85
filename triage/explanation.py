"""How `triage explain` shows one mail in a terminal: what was read, what is done, and the words behind each label.

Made to be judged at a glance: the sender's own words stand on top with the words that counted marked, the decision
below them, then a line for each label. Colours only mark what the text says anyway. Nothing that a mail says can move
the cursor or hide text: it is made safe on its way here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.core import text
from triage.core.clock import NOT_GUARANTEED, OUT_OF_HOURS, SCOPE, SERVICE
from triage.core.model import Decision, Evidence, Label, Reading
from triage.core.pack import Pack

LABELS = ("kind", "language", "request_type", "service", "out_of_scope", "severity", "courtesy")
_NAME = 14  # columns of a label's name
_LINES = 14  # of the mail's own text that are shown
_WORDS = 6  # that led to a label
_LEARNED = "learned."  # what example mails taught: single words, shown behind the phrases of the rules
_SILENT = "reading"  # the clause of rules that only say how words are understood
_MARKED = 80  # words that are marked in the text, at most

_Style = Callable[[str], str]
_STATES = {"open": "green", "awaiting_partner": "yellow", "refused": "red", "answered": "green"}
_NOTHING_SEEN = {
    "kind": "no mark of a machine or of an earlier conversation",
    "severity": "the extent is not told",
    "courtesy": "no rude words",
}
_DONE = {
    "complete": "all that is required is there: it goes to a specialist",
    "incomplete": "information is missing: it is asked for, and no clock runs",
    "several-questions": "several questions: a ticket for each is asked for, and no clock runs",
    "asked-enough": "it was asked for often enough: it goes to a specialist as it is",
    "thanks": "nothing is left to do: filed away, no clock starts",
    "empty": "it says nothing: filed away",
    "staff": "a specialist of ours wrote it",
    "unreadable": "it cannot be understood: a person looks at it",
    "not-a-partner": "a stranger: sent to the partner, no ticket is opened",
    "suspended": "the partner is suspended: refused with the reason",
    "unsubscribed": "the subscription has lapsed: refused with the reason",
    "forged": "the sender's address is forged: nobody is answered",
    "no-from": "nobody can be answered: it has no sender",
    "several-from": "nobody can be answered: it names several senders",
    "own-address": "it bears our own address as sender",
}
_NOT_GUARANTEED = {
    OUT_OF_HOURS: "came in outside working hours",
    NOT_GUARANTEED: "no time is guaranteed for such a request",
    SERVICE: "support does this row not, or only in part",
    SCOPE: "out of scope",
}


@dataclass(frozen=True, slots=True)
class Paint:
    """The place where it is shown."""

    width: int = 100
    colours: bool = False

    def __call__(self, words: str, **style: Any) -> str:
        import click

        return click.style(words, **style) if self.colours and words else words


def explanation(
    found: Mapping[str, Any], reading: Reading | None, decision: Decision | None, pack: Pack, paint: Paint
) -> str:
    """One mail. `found` is what `--json` says of it; without a reading it is the line of a mail that cannot be read."""
    head = paint(text.one_line(str(found["file"]), 300), bold=True)
    if reading is None or decision is None:
        return f"{head}\n  {paint('cannot be read', fg='red')}: {text.one_line(str(found['error']), 300)}\n"
    parts = (
        _head(found, paint),
        _own_words(found, reading, paint),
        _decision(found, decision, paint),
        _labels(reading, pack, paint),
        _questions(reading, paint),
        _fields(reading, decision, paint),
        _clauses(decision, pack, paint),
        _reply(found, paint),
    )
    return "\n\n".join([f"{head}\n" + "\n".join(parts[0]), *("\n".join(lines) for lines in parts[1:] if lines)]) + "\n"


# ---------------------------------------------------------------- parts


def _head(found: Mapping[str, Any], paint: Paint) -> list[str]:
    sender = found["sender"]
    who = sender["status"] + (f", {text.one_line(sender['partner'], 60)}" if sender["partner"] else "")
    known = sender["status"] == "authorized"
    lines = [
        *_pair("from", f"{text.one_line(found['from'], 120) or '(nobody)'}  ({who})", paint,
               lambda line: line if known else paint(line, fg="yellow")),
        *_pair("subject", text.one_line(found["subject"], 300) or "(none)", paint),
    ]  # fmt: skip
    if found["received"]:
        lines += _pair("received", _moment(datetime.fromisoformat(found["received"])), paint)
    if found["attachments"]:
        files = (f"{text.one_line(one['filename'], 60) or one['content_type']} ({_size(one['size'])})"
                 for one in found["attachments"])  # fmt: skip
        lines += _pair("attached", ", ".join(files), paint)
    if found["error"]:
        lines += _pair("error", text.one_line(found["error"], 300), paint, lambda line: paint(line, fg="red"))
    return lines


def _own_words(found: Mapping[str, Any], reading: Reading, paint: Paint) -> list[str]:
    """The beginning of what the sender wrote, with the words that counted marked."""
    wrapped = _wrapped(found["text"], paint.width - 4)
    shown = wrapped[:_LINES] if len(wrapped) > _LINES + 2 else wrapped
    marks = _marks(reading) if paint.colours else None
    bar = paint("│" if paint.colours else "|", dim=True)
    lines = [
        f"  {bar} {marks.sub(lambda word: paint(word[0], underline=True), line) if marks else line}".rstrip()
        for line in shown
    ]
    if len(wrapped) > len(shown):
        lines.append(f"  {bar} {paint(f'... {len(wrapped) - len(shown)} more lines', dim=True)}")
    left_out = [
        name for name, cut in (("signature", reading.body.closing), ("earlier mail", reading.body.quoted)) if cut
    ]
    if left_out and reading.body.own:
        lines.append(f"  {bar} {paint(f'(left out: {chr(44).join(left_out)})'.replace(',', ', '), dim=True)}")
    return lines


def _marks(reading: Reading) -> re.Pattern[str] | None:
    """Any of the phrases that counted, as they stand in the text."""
    labels = [getattr(reading, name) for name in LABELS if name != "language"]
    labels += [one for one in reading.fields.values() if one.value == "true"]
    seen = {
        one.matched
        for label in labels
        for one in label.evidence
        if not one.rule.startswith(_LEARNED) and 2 < len(one.matched) <= _MARKED
    }
    longest_first = sorted(seen, key=len, reverse=True)[:_MARKED]
    return re.compile("|".join(re.escape(word) for word in longest_first)) if longest_first else None


def _decision(found: Mapping[str, Any], decision: Decision, paint: Paint) -> list[str]:
    reason = decision.reasons[0] if decision.reasons else ""
    done = "a machine wrote it: filed away, never answered" if reason.startswith("machine:") else _DONE.get(reason, "")
    state = paint(decision.state.upper(), fg=_STATES.get(decision.state, "cyan"), bold=True)
    lines = [f"  {paint('Decision'.ljust(_NAME), bold=True)}{state}  {', '.join(decision.reasons)}"]
    if done:
        lines += _pair("", done, paint)
    if decision.missing:
        lines += _pair("missing", ", ".join(decision.missing), paint, lambda line: paint(line, fg="yellow"))
    if decision.clock:
        clock = decision.clock
        sure = (
            "guaranteed" if clock.guaranteed else f"not guaranteed: {_NOT_GUARANTEED.get(clock.reason, clock.reason)}"
        )
        lines += _pair("answer due", f"{_moment(clock.due)}, {sure}", paint)
        lines += _pair("", f"{clock.hours:g} working hours, counted from {_moment(clock.counted_from)}", paint)
    if decision.flags:
        lines += _pair("flags", ", ".join(decision.flags), paint, lambda line: paint(line, fg="yellow"))
    return lines


def _labels(reading: Reading, pack: Pack, paint: Paint) -> list[str]:
    lines: list[str] = []
    for name in LABELS:
        label: Label = getattr(reading, name)
        value = label.value or "-"
        if name == "language" and reading.language_code and value not in (reading.language_code, "-"):
            value += f" ({reading.language_code})"
        follows = name != "kind" and label.evidence and label.evidence == reading.kind.evidence
        because = "follows from the kind" if follows else _because(label.evidence)
        if not label.evidence and label.value:
            because = _NOTHING_SEEN.get(name, "") if name != "kind" or label.value == "request" else ""
        unsure = label.confidence < getattr(pack.unsure, name, 0.0)
        lines += _row(name, value, label.confidence, because, paint, unsure=unsure)
    return lines


def _questions(reading: Reading, paint: Paint) -> list[str]:
    """How many tickets it needs, and the text of each."""
    number = len(reading.questions)
    lines = _row("questions", str(number), reading.questions_confidence, "", paint)
    if number > 1:  # a single one is what the text above says
        for place, question in enumerate(reading.questions, 1):
            lines += _hanging(f"  {'':{_NAME}}", f"{place}. ", text.one_line(question, 400), paint.width)
    return lines


def _fields(reading: Reading, decision: Decision, paint: Paint) -> list[str]:
    lines: list[str] = []
    for name, label in reading.fields.items():
        there = label.value == "true"
        value = "yes" if there else "no"
        because = _because(label.evidence)
        if not there:
            because = f"not enough: {because}" if because else ""
            if name in decision.missing:
                value, because = "missing", because or "nothing like it was found"
        lines += _row(name, value, label.confidence, because, paint)
    return lines


def _clauses(decision: Decision, pack: Pack, paint: Paint) -> list[str]:
    """The clauses of the regulations behind the decision, each in its line."""
    rules: dict[str, list[str]] = {}
    for one in decision.evidence:
        if one.clause and one.clause != _SILENT:
            rules.setdefault(one.clause, []).append(one.rule)
    lines = [f"  {paint('Clauses', bold=True)}"] if rules else []
    column = max([len(clause) for clause in rules] + [0]) + 2
    for clause, named in rules.items():
        known = pack.clause_by_id.get(clause)
        says = text.one_line(known.text, 300) if known else ""
        by = ", ".join(dict.fromkeys(named))
        lines += _hanging("  ", f"{clause:<{column}}", f"{says}  [{text.one_line(by, 160)}]", paint.width)
    return lines


def _reply(found: Mapping[str, Any], paint: Paint) -> list[str]:
    reply = found["reply"]
    if not reply:
        return [f"  {paint('Reply', bold=True)}         none goes out"]
    bar = paint("│" if paint.colours else "|", dim=True)
    lines = _pair("Reply to", f"{text.one_line(reply['to'], 120)}  ({reply['language']})", paint)
    lines += _pair("", text.one_line(reply["subject"], 300), paint)
    return [*lines, *(f"  {bar} {line}".rstrip() for line in _wrapped(reply["text"], paint.width - 4))]


# ---------------------------------------------------------------- lines


def _row(name: str, value: str, sure: float, because: str, paint: Paint, *, unsure: bool = False) -> list[str]:
    """A label: its value, how sure that is, and the words that led to it."""
    colour = {"missing": "yellow", "no": "bright_black", "-": "bright_black", "rude": "red"}.get(value)
    doubt = " ?" if unsure else "  "
    room = 20 if paint.width > 80 else 17
    head = f"  {name:<{_NAME}}{value:<{room}} {sure:4.0%}{doubt} "
    first, *more = _hanging(head, "", because or ("below what the pack acts on" if unsure else ""), paint.width)
    shown = paint(f"{value:<{room}}", fg=colour, bold=colour is None)
    words = first[len(head) :]
    percent = paint(f"{sure:4.0%}{doubt if words else doubt.rstrip()}", fg="yellow" if unsure else None, dim=not unsure)
    return [f"  {name:<{_NAME}}{shown} {percent} {words}".rstrip(), *more]


def _pair(name: str, value: str, paint: Paint, style: _Style = str) -> list[str]:
    head = f"  {name:<{_NAME}}"
    first, *more = _hanging(head, "", value, paint.width)
    return [head + style(first[len(head) :]), *(" " * len(head) + style(line.strip()) for line in more)]


def _hanging(head: str, mark: str, words: str, width: int) -> list[str]:
    """The words behind the head, further lines below their beginning."""
    start = head + mark
    room = max(width - len(start), 16)
    first, *more = textwrap.wrap(words, room, break_on_hyphens=False) or [""]
    return [
        (start + first).rstrip() if not head.strip() else start + first,
        *(" " * len(start) + line for line in more),
    ]


def _because(evidence: Sequence[Evidence]) -> str:
    """The words that led to a label: phrases of the rules in quotes, then single words that examples taught."""
    phrases = list(_said(one.matched for one in evidence if not one.rule.startswith(_LEARNED)))
    taught = [
        word for word in _said(one.matched for one in evidence if one.rule.startswith(_LEARNED))
        if not any(word.lower() in phrase.lower() for phrase in phrases)
    ]  # fmt: skip
    said = ", ".join(f'"{phrase}"' for phrase in phrases[:_WORDS])
    if len(phrases) > _WORDS:
        said += f" and {len(phrases) - _WORDS} more"
    words = ", ".join(taught[:_WORDS])
    return "; ".join(part for part in (said, f"words: {words}" if words else "") if part)


def _said(words: Iterable[str]) -> Iterator[str]:
    """Each once, on one line, without those that stand in a longer one."""
    whole = list(dict.fromkeys(text.one_line(word, 60) for word in words))
    return (one for one in whole if one and not any(one != other and one.lower() in other.lower() for other in whole))


def _wrapped(words: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.lines(words).strip("\n").split("\n"):
        lines += textwrap.wrap(line, width, break_on_hyphens=False) or [""]
    return lines


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"


def _size(octets: int) -> str:
    return f"{octets} bytes" if octets < 10_000 else f"{octets / 1000:,.0f} kB"
