"""What a mail is about: request type, service row, scope, severity, deployment (guide, the sections of those names).

Each reader weighs the signals of one text. `topic` reads a mail that asks several things: each question by itself,
and the values of the gravest hold. Which words speak for which value, and how much, is data of the pack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triage.core.model import Evidence, Label
from triage.core.pack import NONE, Pack, WordRule
from triage.core.reading.matches import Hit, Signals
from triage.core.reading.segments import units

_CLEAR = 1.0  # a weight from which a signal settles a value by itself
_ADDRESS = re.compile(r"(?:https?://|www\.)\S{1,2000}|\S{1,80}@\S{1,120}|<[^<>\n]{1,300}>")
_SUBJECT = 0.5  # what a word of the subject weighs more than one of the text


@dataclass(frozen=True, slots=True)
class Topic:
    """The labels of one question, or of the gravest of several."""

    request_type: Label
    service: Label
    out_of_scope: Label
    severity: Label


def prose(text: str, signals: Signals) -> Signals:
    """The signals without the words of pasted logs, code and addresses: those name things that nobody asks about.

    What is recognised by its form stays, for an exception or an API call is meant to be seen.
    """
    spans = [(unit.start, unit.end) for unit in units(text) if unit.pasted]
    spans += [match.span() for match in _ADDRESS.finditer(text)]
    if not spans:
        return signals
    kept: dict[str, list[Hit]] = {}
    for name, hits in signals.hits.items():
        left = [
            hit
            for hit in hits
            if hit.in_subject
            or not isinstance(hit.rule, WordRule)
            or not any(start <= hit.start < end for start, end in spans)
        ]
        if left:
            kept[name] = left
    return Signals(kept)


def topic(whole: Signals, parts: Sequence[Signals], pack: Pack) -> Topic:
    """The topic of a mail. `parts` are the signals of its questions, when it asks several things."""
    if len(parts) < 2:
        return _one(whole, pack)
    return _gravest([_one(part, pack) for part in parts], pack)


def _one(signals: Signals, pack: Pack) -> Topic:
    kind = request_type(signals, pack)
    scope = out_of_scope(signals, kind, pack)
    return Topic(kind, service(signals, scope, pack), scope, severity(signals, kind, pack))


def _gravest(topics: Sequence[Topic], pack: Pack) -> Topic:
    """An incident before all else, the worst severity first; otherwise the first that is asked."""

    def rank(one: Topic) -> tuple[bool, int]:
        has_severity = one.severity.value is not None
        return not has_severity, pack.severity_by_id[one.severity.value].rank if one.severity.value else 0

    return min(topics, key=rank)


def request_type(signals: Signals, pack: Pack) -> Label:
    """What is wanted."""
    weights = _weights(signals, "request_type", [kind.id for kind in pack.request_types])
    return _best(signals, "request_type", weights, fallback=pack.request_types[-1].id)


def out_of_scope(signals: Signals, kind: Label, pack: Pack) -> Label:
    """What of it support does not do; a value only when its words clearly outweigh those against it."""
    weights = _weights(signals, "out_of_scope", [scope.id for scope in pack.scopes])
    value, weight = max(weights.items(), key=lambda item: item[1], default=("", 0.0))
    if weight < 1.8:
        return Label(None, 1.0 - 0.5 * _share(max(weight, 0.0) / 1.8))
    return Label(value, _share(weight / 3.0), signals.evidence(f"out_of_scope.{value}"))


def service(signals: Signals, scope: Label, pack: Pack) -> Label:
    """The row of the service table; out of scope it is the row that the scope names."""
    if scope.value is not None:
        return Label(pack.scope_by_id[scope.value].service, scope.confidence, scope.evidence)
    weights = _weights(signals, "service", [*(row.id for row in pack.services), NONE])
    return _best(signals, "service", weights, fallback=NONE)


def severity(signals: Signals, kind: Label, pack: Pack) -> Label:
    """How far a fault reaches; no value for a request that has no severity."""
    entry = pack.request_type_by_id.get(kind.value or "")
    if entry is None or not entry.severity:
        return Label(None, kind.confidence)
    for row in sorted(pack.severities, key=lambda row: row.rank):
        weight = signals.weight(f"severity.{row.id}")
        if weight >= _CLEAR:
            return Label(row.id, _share(weight / 2.0), signals.evidence(f"severity.{row.id}"))
    fallback = pack.policy.fallback_severity or max(pack.severities, key=lambda row: row.rank).id
    return Label(fallback, 0.6)


def deployment(signals: Signals, pack: Pack) -> Label:
    """The deployment that the words name, if any."""
    weights = _weights(signals, "deployment", [plan.id for plan in pack.deployments])
    if not any(weight >= _CLEAR for weight in weights.values()):
        return Label(None, 0.5)
    return _best(signals, "deployment", weights, fallback="")


def _weights(signals: Signals, label: str, values: Sequence[str]) -> dict[str, float]:
    """The weight of each value of a label; what stands in the subject counts more."""
    found: dict[str, float] = {}
    for value in values:
        name = f"{label}.{value}"
        hits = signals.of(name)
        if hits:
            subject = {hit.rule.id: hit.rule.weight for hit in hits if hit.in_subject}
            found[value] = signals.weight(name) + _SUBJECT * sum(subject.values())
    return found


def _best(signals: Signals, label: str, weights: Mapping[str, float], fallback: str) -> Label:
    """The heaviest value, sure by how far it leads."""
    ranked = sorted(weights.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] <= 0:
        return Label(fallback, 0.2)
    value, weight = ranked[0]
    second = max(ranked[1][1], 0.0) if len(ranked) > 1 else 0.0
    confidence = 1 / (1 + math.exp(second - weight)) * min(1.0, 0.5 + weight / 4)
    return Label(value, round(confidence, 3), evidence(signals, label, value))


def evidence(signals: Signals, label: str, value: str) -> tuple[Evidence, ...]:
    """What speaks for a value, the heaviest rules first."""
    hits = sorted(signals.of(f"{label}.{value}"), key=lambda hit: -hit.rule.weight)
    found: dict[str, Evidence] = {}
    for hit in hits:
        if hit.rule.weight > 0:
            found.setdefault(hit.rule.id, hit.evidence)
    return tuple(found.values())[:5]


def _share(amount: float) -> float:
    return round(min(max(amount, 0.0), 1.0), 3)
