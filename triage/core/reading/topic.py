"""What a mail is about: request type, service row, scope, severity, deployment (guide, the sections of those names).

Each reader weighs what speaks for the values of its label: word rules of the pack (`Signals`) and, where the pack has
it, what was learned from example mails (`learned`). The words of a mail that asks several things are read question by
question, and the values of the gravest hold. Which words speak for which value, and how much, is data of the pack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from triage.core.model import Evidence, Label
from triage.core.pack import NONE, Pack, WordRule
from triage.core.reading.learned import Opinion, Wording, is_reply, opinions, wording
from triage.core.reading.matches import Hit, Lexicon, Signals
from triage.core.reading.segments import units

_CLEAR = 1.0  # a weight from which a signal settles a value by itself
_BEGINNING = 250  # characters of the text in which its matter is told
_LATER = 0.6  # what a rule counts after them
_IN_SUBJECT = 2.0  # what it counts in the subject
_OF_ANOTHER = 0.5  # what it counts in the subject of a reply, for what is wanted: that mail was another one
_FEW = 60  # words, pairs and stems below which each does not say more: three words do not settle a row
_FOREIGN = 0.5  # how sure a label can be in a language of which the pack has no words
_OUT = 1.8  # what must speak for "out of scope" more than against it: a partner is not turned away on a hint
_HINT = 1.0  # how much more the learned words must say where no rule speaks
_FAULT = 3.0  # how much more they must say of a fault: what does not work is ours far more often than not
_CERTAIN = 0.7  # how sure the service must be for the scope to follow from it
_DOUBT = 1.2  # how much less sure a label is than its scores say; so that 0.8 is right in four of five mails
_BESIDE = 0.5  # what a rule for "out of scope" counts for no row: less, for the mail may well be in scope
_UNKNOWN = -6.0  # the learned score of a value that no example mail had
_LABELS = ("request_type.", "service.", "out_of_scope.", "severity.")  # whose signals are read here
_NOTHING = "null"  # how the learned weights call a label without a value
_ADDRESS = re.compile(r"(?:https?://|www\.)\S{1,2000}|\S{1,80}@\S{1,120}|<[^<>\n]{1,300}>")


@dataclass(frozen=True, slots=True)
class Passage:
    """All that is known of a text, or of one question in it: what speaks for which label."""

    signals: Signals
    opinions: Mapping[str, Opinion]
    reply: bool = False  # whether the subject is that of an earlier mail
    foreign: bool = False  # whether the pack has no words of its language


@dataclass(frozen=True, slots=True)
class Topic:
    """The labels of one question, or of the gravest of several."""

    request_type: Label
    service: Label
    out_of_scope: Label
    severity: Label


def topic(
    text: str,
    subject: str,
    signals: Signals,
    asked: Sequence[str],
    lexicon: Lexicon,
    pack: Pack,
    *,
    foreign: bool = False,
) -> Topic:
    """The topic of a mail. `signals` are those of subject and text, `asked` the text of each of its questions.

    `foreign`: it is in a language of which the pack has no words; a word that looks familiar there proves little.
    """
    signals = Signals({name: hits for name, hits in signals.hits.items() if name.startswith(_LABELS)})
    if len(asked) < 2:
        return _one(passage(text, subject, signals, pack, foreign=foreign), pack)
    parts = [(part, _heard(part, text, subject, signals, lexicon)) for part in asked]
    return _gravest([_one(passage(part, subject, heard, pack, foreign=foreign), pack) for part, heard in parts], pack)


def _heard(part: str, text: str, subject: str, signals: Signals, lexicon: Lexicon) -> Signals:
    """The signals of a part of the text, and of the subject."""
    at = text.find(part)
    return signals.within(at, at + len(part)) if at >= 0 else lexicon.signals(part, subject)  # (it was cut short)


def passage(text: str, subject: str, signals: Signals, pack: Pack, *, foreign: bool = False) -> Passage:
    """What a text says, and what was learned of such words."""
    words, heard = said(text, subject, signals)
    return Passage(heard, opinions(words, pack), is_reply(subject), foreign)


def said(text: str, subject: str, signals: Signals) -> tuple[Wording, Signals]:
    """What a text says, without pasted logs, code and addresses: those name things that nobody asks about.

    What is recognised by its form stays, for an exception or an API call is meant to be seen.
    """
    spans = _unspoken(text)
    kept: dict[str, list[Hit]] = {}
    for name, hits in signals.hits.items():
        if not name.startswith(_LABELS):
            continue
        left = [hit for hit in hits if hit.in_subject or not isinstance(hit.rule, WordRule) or not _inside(hit, spans)]
        if left:
            kept[name] = left
    words = wording(_without(text, spans), subject, chain.from_iterable(kept.values()), _FEW)
    return words, Signals(kept)


def _unspoken(text: str) -> list[tuple[int, int]]:
    """Where something stands that was pasted, or an address."""
    spans = [(unit.start, unit.end) for unit in units(text) if unit.pasted]
    return spans + [match.span() for match in _ADDRESS.finditer(text)]


def _inside(hit: Hit, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= hit.start < end for start, end in spans)


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    if not spans:
        return text
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start > at:
            pieces.append(text[at:start])
        at = max(at, end)
    return "\n".join([*pieces, text[at:]])


def _one(found: Passage, pack: Pack) -> Topic:
    kind = request_type(found, pack)
    scope = out_of_scope(found, kind, pack)
    row = service(found, scope, pack)
    whole = Topic(kind, row, _of_row(scope, row, pack), severity(found, kind, pack))
    return _less_sure(whole) if found.foreign else whole


def _less_sure(whole: Topic) -> Topic:
    """The labels of a mail that was hardly understood."""

    def less(label: Label) -> Label:
        return Label(label.value, round(label.confidence * _FOREIGN, 3), label.evidence)

    return Topic(less(whole.request_type), less(whole.service), less(whole.out_of_scope), less(whole.severity))


def _of_row(scope: Label, row: Label, pack: Pack) -> Label:
    """The scope; where none was read, the one whose mails stand in just this row, if the row is sure."""
    for entry in pack.scopes:
        if scope.value is None and entry.service == row.value != NONE and row.confidence >= _CERTAIN:
            return Label(entry.id, row.confidence, row.evidence)
    return scope


def _gravest(topics: Sequence[Topic], pack: Pack) -> Topic:
    """An incident before all else, the worst severity first; otherwise the first that is asked."""

    def rank(one: Topic) -> tuple[bool, int]:
        level = pack.severity_by_id.get(one.severity.value or "")
        return level is None, level.rank if level else 0

    return min(topics, key=rank)


def request_type(found: Passage, pack: Pack) -> Label:
    """What is wanted."""
    scores = _scores(found, "request_type", [kind.id for kind in pack.request_types])
    return _best(found, "request_type", scores, pack.request_types[-1].id)


def out_of_scope(found: Passage, kind: Label, pack: Pack) -> Label:
    """What of it support does not do, of the scopes that have no row of their own in the service table.

    Where no rule of the pack speaks for it, what was learned must say so clearly: nobody is turned away on a hint. Of a
    fault (`kind` is what is wanted) both must, for such a mail mentions other things beside that which does not work.
    """
    values = [scope.id for scope in pack.scopes if scope.service == NONE]
    learned = "out_of_scope" in found.opinions
    weights = _rule_weights(found, "out_of_scope", values)
    scores = _scores(found, "out_of_scope", [*values, _NOTHING])
    against = scores.pop(_NOTHING) if learned else _OUT
    value = max(values, key=lambda one: scores[one], default=None)
    if value is None:
        return Label(None)
    told = weights.get(value, 0.0) >= _CLEAR and not found.foreign
    entry = pack.request_type_by_id.get(kind.value or "")
    fault = kind.confidence if entry and entry.severity else 0.0
    lead = scores[value] - against - (0.0 if told else _HINT) - _FAULT * fault
    if lead < 0:
        return Label(None, _sure(-lead))
    return Label(value, _sure(lead), _evidence(found, "out_of_scope", value))


def service(found: Passage, scope: Label, pack: Pack) -> Label:
    """The row of the service table; out of scope it is the row that the scope names."""
    if scope.value is not None:
        return Label(pack.scope_by_id[scope.value].service, scope.confidence, scope.evidence)
    scores = _scores(found, "service", [*(row.id for row in pack.services), NONE])
    outside = _rule_weights(found, "out_of_scope", [one.id for one in pack.scopes if one.service == NONE])
    opinion = found.opinions.get("service")
    scores[NONE] += _BESIDE * (opinion.rules if opinion else 1.0) * max([0.0, *outside.values()])
    return _best(found, "service", scores, NONE)


def severity(found: Passage, kind: Label, pack: Pack) -> Label:
    """How far a fault reaches; no value for a request that has no severity."""
    entry = pack.request_type_by_id.get(kind.value or "")
    if entry is None or not entry.severity:
        return Label(None, kind.confidence)
    for row in sorted(pack.severities, key=lambda row: row.rank):
        weight = found.signals.weight(f"severity.{row.id}")
        if weight >= _CLEAR:
            return Label(row.id, _sure(weight), _evidence(found, "severity", row.id))
    fallback = pack.policy.fallback_severity or max(pack.severities, key=lambda row: row.rank).id
    return Label(fallback, 0.6)


def deployment(signals: Signals, pack: Pack) -> Label:
    """The deployment that the words name, if any."""
    scores = _rule_weights(Passage(signals, {}), "deployment", [plan.id for plan in pack.deployments])
    value, score = max(scores.items(), key=lambda item: item[1], default=("", 0.0))
    if score < _CLEAR:
        return Label(None, 0.5)
    return Label(value, _sure(score), signals.evidence(f"deployment.{value}"))


def _best(found: Passage, label: str, scores: Mapping[str, float], fallback: str) -> Label:
    """The value for which most speaks, sure by how far it leads the others."""
    if label not in found.opinions and not any(score > 0 for score in scores.values()):
        return Label(fallback, 0.2)
    value = max(scores, key=lambda one: scores[one])
    total = sum(math.exp((score - scores[value]) / _DOUBT) for score in scores.values())
    return Label(value, round(1 / total, 3), _evidence(found, label, value))


def _scores(found: Passage, label: str, values: Sequence[str]) -> dict[str, float]:
    """What speaks for each value: its rules, and what was learned."""
    weights = _rule_weights(found, label, values)
    opinion = found.opinions.get(label)
    if opinion is None:
        return {value: weights.get(value, 0.0) for value in values}
    return {value: opinion.rules * weights.get(value, 0.0) + opinion.scores.get(value, _UNKNOWN) for value in values}


def _rule_weights(found: Passage, label: str, values: Sequence[str]) -> dict[str, float]:
    """The weight of the rules of each value. A matter is named in the subject and at the beginning: that counts more.
    What is wanted is not: "Re: how to add a tracker" stands above many a fault.

    The heaviest rule counts whole, each further one half of the one before: five words that hint at a row do not make
    up for one that names another.
    """
    above = _OF_ANOTHER if found.reply and label == "request_type" else _IN_SUBJECT
    summed: dict[str, float] = {}
    for value in values:
        rules: dict[str, float] = {}
        for hit in found.signals.of(f"{label}.{value}"):
            weight = hit.rule.weight * (above if hit.in_subject else 1.0 if hit.start < _BEGINNING else _LATER)
            if abs(weight) > abs(rules.get(hit.rule.id, 0.0)):
                rules[hit.rule.id] = weight
        if rules:
            speaking = sorted((weight for weight in rules.values() if weight > 0), reverse=True)
            against = sum(weight for weight in rules.values() if weight < 0)
            summed[value] = sum(weight / 2**place for place, weight in enumerate(speaking)) + against
    return summed


def _evidence(found: Passage, label: str, value: str) -> tuple[Evidence, ...]:
    """What speaks for a value: its rules, the heaviest first, then the words that were learned."""
    hits = sorted(found.signals.of(f"{label}.{value}"), key=lambda hit: -hit.rule.weight)
    rules: dict[str, Evidence] = {}
    for hit in hits:
        if hit.rule.weight > 0:
            rules.setdefault(hit.rule.id, hit.evidence)
    opinion = found.opinions.get(label)
    learned = opinion.reasons(value) if opinion else ()
    return (*list(rules.values())[:4], *learned)


def _sure(lead: float) -> float:
    """From a lead of 0 (one half) to certainty."""
    return round(1 / (1 + math.exp(-max(min(lead, 30.0), -30.0))), 3)
