"""Which parts of a text ask, report a fault or want something done.

A part is a sentence, a list item, or what follows a connector within a sentence ("..., by the way, ..."). What it does
is told by the words of the pack (signals `question.*`), by a question mark, and by the list it stands in: the items of
"I have three questions:" are questions, the items of "what I tried:" and steps to reproduce are none.

Words of a weight below 1 count only where they open a part ("Install the certificate").
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from triage.core.reading.matches import Hit, Signals
from triage.core.reading.phrases import fold
from triage.core.reading.segments import Unit, units

OPENING = 2  # characters from its beginning within which a word opens a part
NEAR = 30  # characters from its beginning within which a word still belongs to how a part begins
# What the weight of a connector (`question.also`) means:
MATTER = 3.0  # it announces a matter in so many words: "another question"
ASIDE = 2.0  # something else follows, a matter or a remark: "by the way"
CONNECTOR = 1.3  # it goes on, wherever a part begins: "also"; lighter ones only as the first word: "and", "regarding"

_APART = 25  # characters before a connector within a sentence, and between two
_REST = 15  # characters that must follow it
_GREETS = 40  # characters of a part that does no more than greet
_FEW = 2  # content words of a line before a list that says nothing but that questions follow
_STEM = 5  # letters by which words are held to be the same
_PREFIX = "question."
_ASKS = re.compile(r"[?？؟][)\"'”»\]!?\s]{0,4}\Z")
_WORD = re.compile(r"[^\W\d_][\w'’]{3,40}|\b[A-Z]{2,3}\b|\b\d[\w-]{1,23}\b")


@dataclass(slots=True)
class Part:
    """A piece of the text with what the signals say of it."""

    unit: Unit
    start: int
    end: int
    opens: bool  # the first of its paragraph, line or item
    hits: dict[str, list[Hit]] = field(default_factory=dict)
    marked: bool = False  # ends with a question mark
    asks: bool = False
    wants: bool = False
    fault: bool = False
    tails: bool = False  # asks, but about nothing of its own: "please advise"
    words: frozenset[str] = frozenset()  # stems of its content words
    places: tuple[int, ...] = ()  # where they stand

    def of(self, name: str) -> Sequence[Hit]:
        """The hits of a question signal in this part."""
        return self.hits.get(name, ())

    @property
    def candidate(self) -> bool:
        return self.asks or self.wants or self.fault

    @property
    def idle(self) -> bool:
        """Whether it only greets, thanks, announces or hands over."""
        if any(name in self.hits for name in ("thanks", "several", "fyi", "info")):
            return True
        return "greeting" in self.hits and len(self.words) <= 3 and self.end - self.start <= _GREETS

    def connects(self, weight: float, within: int) -> bool:
        """Whether a connector of at least that weight stands within so many characters of the beginning."""
        return any(hit.rule.weight >= weight and hit.start - self.start <= within for hit in self.of("also"))

    def set_phrases(self) -> set[int]:
        """The places within phrases that carry no subject matter ("is it possible")."""
        return {at for hit in self.of("filler") if " " in hit.matched for at in range(hit.start, hit.end)}


def parts(text: str, signals: Signals) -> list[Part]:
    """The parts of a text, in order."""
    hits = [
        (hit.start, name.removeprefix(_PREFIX), hit)
        for name, found in signals.hits.items()
        if name.startswith(_PREFIX)
        for hit in found
        if not hit.in_subject
    ]
    hits.sort(key=lambda item: item[0])
    starts = [start for start, _, _ in hits]
    several = bool(signals.of("question.several"))
    found: list[Part] = []
    for unit in units(text):
        first, last = bisect_left(starts, unit.start), bisect_left(starts, unit.end)
        cuts = [] if unit.pasted else _cuts(text, unit, hits[first:last], several)
        begin = unit.start
        for cut in [*cuts, unit.end]:
            part = Part(unit, begin, cut, unit.opens and begin == unit.start)
            while first < last and starts[first] < cut:
                start, name, hit = hits[first]
                if hit.rule.weight >= 1 or start - begin <= OPENING:
                    part.hits.setdefault(name, []).append(hit)
                first += 1
            _judge(text, part)
            found.append(part)
            begin = cut
    return found


def _cuts(text: str, unit: Unit, hits: Sequence[tuple[int, str, Hit]], several: bool) -> list[int]:
    """Where something else begins within a sentence: at a connector; where several are announced at "and how" too."""
    cuts: list[int] = []
    for start, name, hit in hits:
        if name not in ("also", "and") or start - (cuts[-1] if cuts else unit.start) < _APART:
            continue
        if name == "and":
            if several and unit.item < 0:
                cuts.append(start)
            continue
        before = text[max(unit.start, start - 12) : start].split()
        if not before or hit.rule.weight < CONNECTOR or hit.end > unit.end - _REST:
            continue
        # After a comma or a dash; after "and", "y" too when the words can mean nothing else.
        if before[-1].endswith((",", "-", "–", "(", ":")) or (hit.rule.weight >= ASIDE and len(before[-1]) <= 3):
            cuts.append(start)
    return cuts


def _judge(text: str, part: Part) -> None:
    """Fills in what a part does and which words it is about."""
    piece = text[part.start : part.end]
    part.marked = bool(_ASKS.search(piece))
    remark = piece[:1] == "(" and piece.rstrip(".")[-1:] == ")"
    if part.unit.pasted or remark or (not part.marked and "fyi" in part.hits):
        return
    asked = part.of("ask")
    part.asks = part.marked or bool(asked)
    part.wants = any(hit.rule.weight >= 1 or part.unit.item >= 0 for hit in part.of("request"))
    part.fault = "fault" in part.hits
    empty = {hit.start for hit in part.of("filler")} | part.set_phrases()
    found = {
        match.start(): fold(match.group())[:_STEM]
        for match in _WORD.finditer(text, part.start, part.end)
        if match.start() not in empty
    }
    part.words = frozenset(found.values())
    part.places = tuple(found)
    part.tails = bool(asked) and not part.marked and not (found and part.places[-1] > asked[0].start)


# ---------------------------------------------------------------- which of them may be questions


def candidates(found: Sequence[Part], several: float) -> list[int]:
    """The numbers of the parts that may be questions; what lists and announcements say is filled in on the way.

    `several` is the weight of the words that announce several; 2 and more: by number.
    """
    data = _data_lists(found)
    told = _descriptions(found)
    announced = _question_lists(found, several) - data - told
    chosen = []
    for index, part in enumerate(found):
        if part.unit.pasted or part.unit.list in told or (part.unit.list in data and not part.asks):
            continue
        if not part.candidate and "fyi" not in part.hits:
            _told(part, several, announced)
        following = found[index + 1] if index + 1 < len(found) else None
        if several and following and "several" in part.hits:
            alone = part.opens and following.opens
            if len(part.words) <= (4 if alone else 1):
                continue  # "I have two problems" is none of them
        if part.candidate:
            chosen.append(index)
    if several >= 2 and len(chosen) < 2:
        picked = set(chosen)
        told_of = [index for index, part in enumerate(found) if len(part.words) > 1 and not part.idle]
        chosen = [
            index
            for index, part in enumerate(found)
            if index in picked
            or (part.words and not part.idle and (part.opens or (len(told_of) == several and index in told_of)))
        ]
    return _without_announcement(found, chosen, announced)


def _told(part: Part, several: float, announced: set[int]) -> None:
    """Makes a part a candidate that does not say so itself, but by the place in which it stands."""
    if len(part.words) < 2:
        return
    in_list = part.opens and part.unit.list in announced
    if in_list or (several and "first" in part.hits) or any(hit.rule.weight >= MATTER for hit in part.of("also")):
        part.asks = True
    elif len(part.words) >= 3 and part.connects(CONNECTOR, OPENING) and not part.idle and "tried" not in part.hits:
        part.fault = True  # "Further, ...": told as one more thing


def _without_announcement(found: Sequence[Part], chosen: list[int], announced: set[int]) -> list[int]:
    """The same candidates, less the words before a list of questions which only say that there are some."""
    items = [index for index in chosen if found[index].unit.list in announced and found[index].opens]
    if len(items) < 2:
        return chosen
    return [
        index
        for index in chosen
        if index >= items[0]
        or found[index].unit.item >= 0
        or ((found[index].fault or found[index].marked) and "several" not in found[index].hits)
    ]


def _leads(found: Sequence[Part]) -> dict[int, Part | None]:
    """For each list, the part that stands right before it."""
    leads: dict[int, Part | None] = {}
    previous: Part | None = None
    for part in found:
        if part.unit.list >= 0:
            leads.setdefault(part.unit.list, previous)
        previous = part
    return leads


def _data_lists(found: Sequence[Part]) -> set[int]:
    """The lists that hold steps, attempts or data: the words before them say so, or an item is a step."""
    by_lead = {
        number for number, lead in _leads(found).items() if lead and "steps" in lead.hits and "several" not in lead.hits
    }
    return by_lead | {part.unit.list for part in found if part.unit.list >= 0 and part.opens and "step" in part.hits}


def _descriptions(found: Sequence[Part]) -> set[int]:
    """The lists by dashes that say in detail what the words before them ask: "we would like a report with:"."""
    asked = {
        number
        for number, lead in _leads(found).items()
        if lead and (lead.asks or lead.wants) and len(lead.words) > _FEW and "several" not in lead.hits
    }
    return asked - {part.unit.list for part in found if part.marked or part.wants or part.unit.numbered}


def _question_lists(found: Sequence[Part], several: float) -> set[int]:
    """The lists whose items are questions: because the words before them say just that, or because items ask."""
    items: dict[int, set[int]] = {}
    speaking: dict[int, set[int]] = {}
    lists: set[int] = set()
    for part in found:
        if not part.unit.numbered:
            continue
        items.setdefault(part.unit.list, set()).add(part.unit.item)
        if part.candidate and "tried" not in part.hits:
            speaking.setdefault(part.unit.list, set()).add(part.unit.item)
        if part.marked or several:
            lists.add(part.unit.list)
    lists |= {number for number, said in speaking.items() if len(said) * 2 >= len(items[number])}
    for number, lead in _leads(found).items():
        if not lead or "steps" in lead.hits:
            continue
        bare = len(lead.words) <= _FEW and (lead.asks or lead.wants or "lead" in lead.hits)
        if bare or "several" in lead.hits:
            lists.add(number)
    return lists
