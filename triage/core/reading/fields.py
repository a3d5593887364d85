"""Is the required information in the message? (guide: *fields*)

Each required field of the pack names its reader. What speaks for a field are words and forms of the pack (signal
`field.<reader>`), names and numbers (identifiers.py) and what is attached or pasted (evidence_of.py). An answer is a
sum of weights against a threshold, and its distance from there tells how sure it is. The numbers in this module are
the shares of such sums, fitted on labelled mails; the weights of single words stand in the pack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from triage.core.model import Body, Email, Evidence, Label
from triage.core.pack import Pack, RequiredField
from triage.core.reading.actions import deeds
from triage.core.reading.elements import particularity, with_elements
from triage.core.reading.evidence_of import attached, pasted
from triage.core.reading.identifiers import Identifier, Passage, identifiers
from triage.core.reading.matches import Signals, lexicon

_MOST_EVIDENCE = 5
_ENOUGH_WORDS = 8
_REPLY = re.compile(r"\s{0,9}(?:re|aw|sv|vs|antw|odp|rv|res|rif|ynt)\s?(?:\[\d{1,3}\])?\s?:", re.IGNORECASE)
_TABLES = (".xlsx", ".xls", ".csv", ".ods", ".tsv", ".txt")
_CELLS = str.maketrans(",;\t", "|||")  # a comma next to a number in a sentence means something else
_DONE = 0.4  # what speaks against a field when nothing is left to do: much against what is wanted, little against deeds
_OF_FAULT = {True: 0.55, None: 0.45, False: 0.0}  # what speaks for deeds when a fault is told
_MOST_SAID = 3.5  # weight of words that tell a deed by themselves
_ATTACHED_TEXT = 4000  # characters of an attachment that are looked through for identifiers


@dataclass(frozen=True, slots=True)
class _Mail:
    """What the readers look at."""

    done: bool  # nothing is left to do
    signals: Signals
    own: Signals  # without the subject of a reply, which is of an earlier mail
    passages: tuple[Passage, ...]
    words: int
    named: tuple[Identifier, ...]
    shown: tuple[Evidence, ...]  # evidence by attachment
    pasted: tuple[tuple[float, Evidence], ...]
    deeds: tuple[tuple[float, Evidence], ...]  # what was done
    files: tuple[Evidence, ...]  # attachments that hold a list of assets
    tables: tuple[Evidence, ...]  # attachments that may hold one
    fault: bool | None  # something does not work; None: not known
    aside: bool  # neither a fault nor anything of the services


def fields(
    email: Email,
    body: Body,
    signals: Signals,
    pack: Pack,
    *,
    done: bool = False,
    request_type: str | None = None,
) -> dict[str, Label]:
    """Each required field of the pack: "true" when the mail has it, "false" when not.

    `done`: the sender only thanks or confirms, and what he tells is no matter any more. The kind of request, where it
    is known, tells what to expect: who reports a fault tells what was done more often than who asks.
    """
    mail = _look(email, body, signals, pack, done, request_type)
    return {entry.id: _READERS[entry.reader](mail, entry) for entry in pack.fields}


def _look(
    email: Email,
    body: Body,
    signals: Signals,
    pack: Pack,
    done: bool,
    request_type: str | None,
) -> _Mail:
    text = body.readable  # as the signals were made
    passages = (Passage(email.subject, signals, True), Passage(text, signals, False))
    replies = _REPLY.match(email.subject) is not None
    named = tuple(found for passage in passages for found in identifiers(passage))
    signals = with_elements(signals, passages, named)
    own = Signals({name: [hit for hit in hits if not hit.in_subject] for name, hits in signals.hits.items()})
    return _Mail(
        done=done,
        signals=signals,
        own=own if replies else signals,
        passages=passages,
        words=len(text.split()) + (0 if replies else len(email.subject.split())),
        named=named,
        shown=tuple(attached(email.attachments, signals)),
        pasted=tuple(found for passage in passages for found in pasted(passage)),
        deeds=tuple(sorted((deed for passage in passages for deed in deeds(passage)), key=lambda deed: -deed[0])),
        files=tuple(_lists(email, pack)),
        tables=tuple(
            Evidence("attachment", "reading", part.filename)
            for part in email.attachments
            if part.filename.lower().endswith(_TABLES)
        ),
        fault=None if request_type is None else pack.request_type_by_id[request_type].severity,
        aside=request_type is not None and request_type == pack.request_types[-1].id,
    )


def _lists(email: Email, pack: Pack) -> Iterable[Evidence]:
    """Attachments that name assets: by what the file is called, or by what is in it."""
    for part in email.attachments:
        if part.filename.lower().endswith(_TABLES):
            yield from lexicon(pack).signals(part.filename).evidence("file.asset")
        if part.text:
            cells = part.text[:_ATTACHED_TEXT].translate(_CELLS)
            yield from lexicon(pack).signals(cells).evidence("field.asset")


# ---------------------------------------------------------------- answers


def _answer(score: float, evidence: Iterable[Evidence]) -> Label:
    """A score above 0 is yes. The farther from 0, the surer."""
    confidence = 1 / (1 + math.exp(-abs(score)))
    kept = tuple(dict.fromkeys(evidence))[:_MOST_EVIDENCE]
    return Label("true" if score > 0 else "false", round(confidence, 3), kept)


def _description(mail: _Mail, entry: RequiredField) -> Label:
    score = _concreteness(mail)
    heard = mail.own.of("field.description") or mail.signals.of("field.description")
    return _answer(score, (hit.evidence for hit in heard if (hit.rule.weight > 0) == (score > 0)))


def _concreteness(mail: _Mail) -> float:
    """How much there is to begin with: what is wrong or wanted, named things, and room enough to say it."""
    score = mail.own.weight("field.description")
    if mail.own is not mail.signals:
        score += 0.3 * mail.signals.weight("field.description")  # a reply's subject says a little
    said = mail.words - _unsaid(mail.own)
    score += min(said, 60) / 12 - 1.4
    if said >= _ENOUGH_WORDS and not any(hit.rule.weight > 0 for hit in mail.own.of("field.description")):
        score += 0.8  # words that the pack does not know, rather than none
    score += 0.4 * min(mail.own.weight("field.element"), 3.0)
    score += 0.5 * bool(mail.named) + 0.5 * bool(mail.pasted)
    return score - 8 * _DONE * mail.done


def _unsaid(signals: Signals) -> int:
    """The number of words that greet, beg or complain, and tell nothing."""
    idle = [
        (hit.in_subject, hit.start, hit.end, hit.matched)
        for hit in signals.of("field.description")
        if hit.rule.weight < 0
    ]
    count, until = 0, (False, 0)
    for in_subject, start, end, matched in sorted(idle):
        if (in_subject, start) >= until:
            count += len(matched.split())
            until = (in_subject, end)
    return count


def _account(mail: _Mail, entry: RequiredField) -> Label:
    return _named(mail, "account", ("clue.account", "clue.client"))


def _asset(mail: _Mail, entry: RequiredField) -> Label:
    if mail.files:
        return Label("true", 0.85, mail.files[:_MOST_EVIDENCE])
    if mail.tables and mail.signals.of("clue.asset_list"):  # "register the units of the attached sheet"
        return Label("true", 0.8, (*mail.signals.evidence("clue.asset_list")[:1], *mail.tables)[:_MOST_EVIDENCE])
    return _named(mail, "asset", ("clue.asset", "clue.device"))


def _named(mail: _Mail, field: str, clues: tuple[str, ...]) -> Label:
    """There when something names it; a clue with nothing behind it leaves a doubt."""
    found = [one for one in mail.named if one.field == field]
    if not found:
        doubt = any(mail.signals.of(clue) for clue in clues)
        return Label("false", 0.8 if doubt else 0.95)
    return Label("true", max(one.confidence for one in found), tuple(one.evidence for one in found[:_MOST_EVIDENCE]))


def _element(mail: _Mail, entry: RequiredField) -> Label:
    score = particularity(mail.signals) - 0.55 + 0.2 * (math.log1p(mail.words) - 3.3)
    score += 0.2 * bool(mail.named) + 0.3 * bool(mail.pasted)
    score += 0.4 * bool(mail.fault) - 1.4 * mail.aside
    if mail.own is not mail.signals and particularity(mail.own) <= 0:
        score -= 0.5  # only the subject of an earlier mail names one
    score += 0.7 * min(0.0, _concreteness(mail))  # who says nothing concrete names nothing either
    named = mail.signals.evidence("field.element")
    words = [hit.evidence for hit in mail.signals.of("clue.item") if hit.rule.weight > 0]
    return _answer(score, named or words)


def _actions(mail: _Mail, entry: RequiredField) -> Label:
    done = [weight for weight, _ in mail.deeds[:_MOST_EVIDENCE]]
    told = done[0] + 0.35 * sum(done[1:]) if done else 0.0
    score = told + min(mail.signals.weight("field.actions"), _MOST_SAID) - 1.4
    score += _OF_FAULT[mail.fault] + 0.3 * mail.done  # who says that it works again tells what he did
    evidence = [evidence for weight, evidence in mail.deeds if weight >= 0.5]
    return _answer(score, (*evidence[:3], *mail.signals.evidence("field.actions")))


def _evidence(mail: _Mail, entry: RequiredField) -> Label:
    if mail.shown:
        return Label("true", 0.97, mail.shown[:_MOST_EVIDENCE])
    score = sum(weight for weight, _ in mail.pasted) - 0.9
    return _answer(2 * score, (evidence for _, evidence in mail.pasted))


def _forms(mail: _Mail, entry: RequiredField) -> Label:
    """A field of the vendor's own: there when a form or word with its signal is found."""
    found = mail.signals.evidence(f"field.{entry.id}")
    return Label("true" if found else "false", 0.9, found)


_READERS: dict[str, Callable[[_Mail, RequiredField], Label]] = {
    "description": _description,
    "account": _account,
    "asset": _asset,
    "element": _element,
    "actions": _actions,
    "evidence": _evidence,
    "forms": _forms,
}
