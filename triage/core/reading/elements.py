"""The particular item that a mail speaks of: "attendance module", not "a module".

What is always particular (a report by its name, a device model, an API method) are words and forms of the pack with
signal `field.element`. Words that only name a kind become one by the word beside them, in the order of the language:
`clue.item_last` ("attendance module") by the word before, `clue.item_first` ("módulo de asistencia") by the word after.
`clue.plain` are words that make nothing particular: "which module".

How much single words say stands apart (`clue.item`): "certificate" is nearly an item by itself, "map" hardly. Words for
the whole, for all of them, or for what is no part of the services ("devices", "login", "price") speak against one.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from triage.core.reading.identifiers import Identifier, Passage
from triage.core.reading.matches import Hit, Signals
from triage.core.reading.phrases import fold

_MOST = (1.6, 1.5, -2.0)  # what the best item, the words for items and those against them can say at most
_WORD = re.compile(r"[^\W\d_]{1,20}")
_BEFORE = re.compile(r"(?<!\w)[^\W\d_]{3,20} $")
_AFTER = re.compile(r" (?:[^\W\d_]{1,3} ){0,2}[^\W\d_]{4,20}")  # short words between are "de", "de la"


def with_elements(signals: Signals, passages: Sequence[Passage], named: Sequence[Identifier]) -> Signals:
    """The signals with every element: kinds made particular and models too, names of accounts and assets left out."""
    spans = sorted((one.in_subject, one.start, one.end) for one in named)
    found = [*signals.of("field.element"), *signals.of("clue.model")]
    found += [hit for passage in passages for hit in _particular(passage)]
    return Signals({**signals.hits, "field.element": _strongest([hit for hit in found if not _inside(spans, hit)])})


def particularity(signals: Signals) -> float:
    """How much the items and words of a mail say that a particular one is meant.

    A second item says half of what the first does, and more than three say no more. The numbers are a logistic
    regression's over labelled mails, rounded and drawn towards each other.
    """
    items = sorted(_once(signals.of("field.element")), reverse=True)
    words = _once(signals.of("clue.item"))
    best, most_for, most_against = _MOST
    total = 1.8 * min(items[0], best) - 0.6 if items else 0.0
    total += 0.8 * (len(items) > 1) + 0.7 * (len(items) > 2)
    total += 1.9 * min(sum(weight for weight in words if weight > 0), most_for)
    return total + max(sum(weight for weight in words if weight < 0), most_against)


def _once(hits: Sequence[Hit]) -> list[float]:
    """The weight of each wording, however often it stands there."""
    heaviest: dict[str, float] = {}
    for hit in hits:
        wording = fold(hit.matched)
        heaviest[wording] = max(hit.rule.weight, heaviest.get(wording, hit.rule.weight))
    return list(heaviest.values())


def _strongest(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits that share words only the one that says most: "xml file" and "config.xml file" are one item."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.in_subject, hit.start, -hit.end)):
        last = kept[-1] if kept else None
        if not last or last.in_subject != hit.in_subject or last.end <= hit.start:
            kept.append(hit)
        elif hit.rule.weight > last.rule.weight:
            kept[-1] = hit
    return kept


def _inside(spans: Sequence[tuple[bool, int, int]], hit: Hit) -> bool:
    """Whether a hit begins inside the last of these spans that begins before it."""
    place = bisect_right(spans, (hit.in_subject, hit.start, math.inf))
    if not place:
        return False
    in_subject, start, end = spans[place - 1]
    return in_subject == hit.in_subject and start <= hit.start < end


def _particular(passage: Passage) -> Iterator[Hit]:
    text = passage.text
    plain = passage.starts("clue.plain")
    for hit in passage.hits("clue.item_last"):
        before = _BEFORE.search(text, max(0, hit.start - 22), hit.start)
        if before and before.start() not in plain:
            yield hit._replace(matched=text[before.start() : hit.end], start=before.start())
    for hit in passage.hits("clue.item_first"):
        after = _AFTER.match(text, hit.end)
        if after and all(word.start() not in plain for word in _WORD.finditer(text, hit.end, after.end())):
            yield hit._replace(matched=text[hit.start : after.end()], end=after.end())
