"""How many tickets does a mail need? (guide: *questions*)

The text is taken apart into sentences and list items (`segments`). Those that ask, report a fault or want something
done are candidates. Read in order, each candidate either goes on with the matter at hand or opens another one: words
that announce another matter, an own list item, an own paragraph and
words of its own speak for a new one; words that
point back, shared words, "why?" and "how do I mend it?" speak for the same. The vocabulary is data of the pack
(signals `question.*`); here stand only the weights of the structure.

One is the rule: a second question is only seen where the marks of it outweigh what holds the text together, for a false
"several" asks a partner to write again.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from triage.core.model import Evidence
from triage.core.pack import Pack
from triage.core.reading.matches import Hit, Signals
from triage.core.reading.phrases import fold
from triage.core.reading.segments import Unit, units

THRESHOLD = 1.5  # what a boundary between two questions must reach
_TRUST = 1.2  # how far below it may stay when the mail says that there are two
LONGEST = 1200  # characters of one question that are quoted back

_ASKS = re.compile(r"[?？؟][)\"'”»\]!?\s]{0,4}\Z")
_NO_MATTER = ("thanks", "several", "fyi", "info")  # signals of words that tell no matter
_ANSWER = re.compile(r"\s{0,4}(?:re|rv|aw|sv|antw|r)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}:", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_][\w'’]{3,40}|\b[A-Z]{2,3}\b|\b\d[\w-]{1,23}\b")
_OPENING = 2  # characters from its beginning within which a word opens a sentence
_NEAR = 30  # characters from its beginning within which a word still belongs to how a sentence begins
_STEM = 5  # letters by which words are held to be the same


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a mail: the sender's own words for each, how sure their number is, and why."""

    texts: tuple[str, ...]
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class _Part:
    """A unit of the text with what the signals say of it."""

    unit: Unit
    start: int
    end: int
    opens: bool
    hits: dict[str, list[Hit]] = field(default_factory=dict)
    asks: bool = False
    wants: bool = False
    fault: bool = False
    words: frozenset[str] = frozenset()  # stems of its content words
    tails: bool = False  # asks about nothing of its own
    places: tuple[int, ...] = ()  # where they stand

    def of(self, name: str) -> list[Hit]:
        """The hits of a question signal. Those of little weight count only where they open the part."""
        found = self.hits.get("question." + name, [])
        return [hit for hit in found if hit.rule.weight >= 1 or hit.start - self.start <= _OPENING]

    @property
    def candidate(self) -> bool:
        return self.asks or self.wants or self.fault


@dataclass(slots=True)
class _Group:
    """What is held to be one question: its candidates, and the span of the text."""

    start: int
    end: int
    parts: list[_Part]
    words: set[str]
    why: list[Evidence] = field(default_factory=list)


def questions(text: str, subject: str, signals: Signals, pack: Pack | None = None) -> Questions:
    """The separate questions or problems of a person's mail."""
    del pack  # what it says comes by way of the signals
    parts = _parts(text, signals)
    if not parts:
        return Questions((subject.strip(),), 0.5) if subject.strip() else Questions((), 0.9)
    several = min(2.0, signals.weight("question.several"))
    chosen = _candidates(text, parts, several)
    if not chosen:
        return _none_found(text, parts, signals)
    answers = bool(_ANSWER.match(subject))
    groups, strongest = _grouped(parts, chosen, several, THRESHOLD, answers=answers)
    if several >= 2 and len(groups) == 1 and strongest >= THRESHOLD - _TRUST:
        # The mail says that there are two: its strongest boundary is the one.
        groups, strongest = _grouped(parts, chosen, several, strongest, answers=answers)
    texts = tuple(_quote(text, groups, parts, number) for number in range(len(groups)))
    evidence = tuple(dict.fromkeys(item for group in groups for item in group.why))
    return Questions(texts, _confidence(strongest), evidence)


def _grouped(
    parts: Sequence[_Part], chosen: Sequence[int], several: float, threshold: float, *, answers: bool
) -> tuple[list[_Group], float]:
    """The questions, and the strongest boundary that was seen between two candidates."""
    groups, waiting = _begin(parts, chosen, answers=answers)
    strongest = -2.0
    previous = chosen[0] if len(waiting) < len(chosen) else max(0, chosen[0] - 1)
    for index in waiting:
        part = parts[index]
        score, why = _boundary(parts, previous, index, groups[-1], several)
        if any(len(part.words & group.words) >= 3 for group in groups[:-1]):
            score = min(score, threshold - 0.1)  # back at an earlier question
        strongest = max(strongest, score)
        if score >= threshold:
            groups.append(_group(part))
            groups[-1].start = _context(parts, previous, index)
            groups[-1].why = why
        else:
            _join(groups[-1], part)
        previous = index
    return groups, strongest


def _begin(parts: Sequence[_Part], chosen: Sequence[int], *, answers: bool) -> tuple[list[_Group], list[int]]:
    """The first question, and the candidates that are still to be placed.

    "We changed our brand, here is the logo. Another thing: ..." has its first matter in the words before the first
    candidate, unless they greet or thank, or the mail goes on with a conversation.
    """
    first = chosen[0]
    told = [part for part in parts[:first] if part.words and not part.unit.pasted and not _no_matter(part)]
    told_apart = parts[first].asks or parts[first].wants
    opened = parts[first - 1 : first + 1] if first else []
    announced = any(
        hit.rule.weight >= 3 or (hit.rule.weight > 1.2 and told_apart and 0 <= hit.start - parts[first].start <= _NEAR)
        for part in opened
        for hit in part.of("also")
    )
    if announced and not answers and sum(len(part.words) for part in told) >= 4:
        group = _group(told[0])
        for part in told[1:]:
            _join(group, part)
        return [group], list(chosen)
    return [_group(parts[first])], list(chosen[1:])


# ---------------------------------------------------------------- what the parts are


def _parts(text: str, signals: Signals) -> list[_Part]:
    """The units with the hits that lie in them; a connector within a sentence begins a part of its own."""
    hits = [
        (hit.start, name, hit)
        for name, found in signals.hits.items()
        if name.startswith("question.")
        for hit in found
        if not hit.in_subject
    ]
    hits.sort(key=lambda item: item[0])
    starts = [start for start, _, _ in hits]
    several = bool(signals.of("question.several"))
    parts: list[_Part] = []
    for unit in units(text):
        mine = hits[bisect_right(starts, unit.start - 1) : bisect_right(starts, unit.end - 1)]
        cuts = [] if unit.pasted else _connectors(text, unit, mine, several)
        begin = unit.start
        for cut in [*cuts, unit.end]:
            part = _Part(unit, begin, cut, unit.opens and begin == unit.start)
            for start, name, hit in mine:
                if begin <= start < cut:
                    part.hits.setdefault(name, []).append(hit)
            _judge(text, part)
            parts.append(part)
            begin = cut
    return parts


def _connectors(text: str, unit: Unit, hits: Sequence[tuple[int, str, Hit]], several: bool) -> list[int]:
    """Where something else begins within a sentence: at a connector, at "and how" too where several are announced."""
    cuts: list[int] = []
    for start, name, hit in hits:
        if several and name == "question.and" and start >= unit.start + 25:
            cuts.append(start)
            continue
        if name != "question.also" or start < unit.start + 25 or hit.end > unit.end - 15:
            continue
        before = text[max(unit.start, start - 12) : start].split()
        if not before or hit.rule.weight < 1.3 or (cuts and start - cuts[-1] <= 25):
            continue
        # After a comma or a dash; after "and", "y" too when the words can mean nothing else.
        if before[-1].endswith((",", "-", "–", "(", ":")) or (hit.rule.weight >= 2 and len(before[-1]) <= 3):
            cuts.append(start)
    return cuts


def _judge(text: str, part: _Part) -> None:
    """Fills in what a part is and which words it is about."""
    if part.unit.pasted:
        return
    piece = text[part.start : part.end]
    if (part.of("fyi") or part.of("info")) and not piece.endswith("?"):
        return
    if piece[:1] == "(" and piece.rstrip(".")[-1:] == ")":
        return  # a remark in passing
    part.asks = bool(_ASKS.search(piece)) or bool(part.of("ask"))
    part.wants = any(hit.rule.weight >= 1 or part.unit.item >= 0 for hit in part.of("request"))
    part.fault = bool(part.of("fault"))
    filler = {hit.start for hit in part.of("filler")}
    covered = [(hit.start, hit.end) for hit in part.of("filler") if " " in hit.matched]
    found: dict[int, str] = {}
    for match in _WORD.finditer(text, part.start, part.end):
        at = match.start()
        if at in filler or any(start <= at < end for start, end in covered):
            continue
        found[at] = fold(match.group())[:_STEM]
    part.words = frozenset(found.values())
    part.places = tuple(found)
    asked = part.of("ask")
    # "..., please advise", "tell us which": it asks about what stands before it.
    part.tails = bool(asked) and not _ASKS.search(piece) and not any(at > asked[0].start for at in found)


def _candidates(text: str, parts: Sequence[_Part], several: float) -> list[int]:
    """The parts which may be questions. Lists of steps, attempts and data are none."""
    data = _data_lists(parts)
    announced = _announced_lists(text, parts, several)
    chosen = []
    for index, part in enumerate(parts):
        if part.unit.pasted:
            continue
        if part.unit.list in data and not part.asks:
            continue
        if (
            part.unit.list in announced
            and part.opens
            and not part.candidate
            and len(part.words) >= 2
            and not part.of("fyi")
        ):
            part.asks = True
        opener = (several and part.of("first")) or any(hit.rule.weight >= 3 for hit in part.of("also"))
        if opener and not part.candidate and not part.of("fyi") and len(part.words) >= 2:
            part.asks = True  # it says that it is a matter of its own
        if _goes_on(part) and not part.candidate and len(part.words) >= 3:
            part.fault = True  # "Further, ...": told as one more thing
        alone = part.opens and index + 1 < len(parts) and parts[index + 1].opens
        if several and part.of("several") and len(part.words) <= (4 if alone else 1) and index + 1 < len(parts):
            continue  # "I have two problems" is none of them
        if part.candidate:
            chosen.append(index)
    if several >= 2 and len(chosen) < 2:
        chosen = [
            index
            for index, part in enumerate(parts)
            if index in chosen or (part.opens and part.words and not _no_matter(part))
        ]
    return _without_announcement(text, parts, chosen, announced)


def _no_matter(part: _Part) -> bool:
    """Whether a part only greets, thanks, announces or hands over."""
    return any(part.of(name) for name in _NO_MATTER) or (bool(part.of("greeting")) and len(part.words) <= 3)


def _goes_on(part: _Part) -> bool:
    """Whether a part begins with a connector and tells more than what was tried or is attached."""
    if any(part.of(name) for name in ("fyi", "tried", "info", "thanks")):
        return False
    return any(hit.rule.weight > 1.2 and hit.start - part.start <= _OPENING for hit in part.of("also"))


def _without_announcement(text: str, parts: Sequence[_Part], chosen: list[int], announced: set[int]) -> list[int]:
    """The same candidates, less the words before a list of questions which only say that there are some."""
    items = [index for index in chosen if parts[index].unit.list in announced and parts[index].opens]
    if len(items) < 2:
        return chosen
    kept = []
    for index in chosen:
        part = parts[index]
        only_says_so = part.of("several") or not (part.fault or _ASKS.search(text[part.start : part.end]))
        if index >= items[0] or part.unit.item >= 0 or not only_says_so:
            kept.append(index)
    return kept


def _leads(parts: Sequence[_Part]) -> dict[int, _Part | None]:
    """For each list, the part that stands right before it."""
    found: dict[int, _Part | None] = {}
    previous: _Part | None = None
    for part in parts:
        if part.unit.list >= 0 and part.unit.list not in found:
            found[part.unit.list] = previous
        previous = part
    return found


def _data_lists(parts: Sequence[_Part]) -> set[int]:
    """The lists that hold steps, attempts or data: the words before them say so, or an item is a step."""
    found = {number for number, lead in _leads(parts).items() if lead and lead.of("steps") and not lead.of("several")}
    return found | {part.unit.list for part in parts if part.unit.list >= 0 and part.opens and part.of("step")}


def _announced_lists(text: str, parts: Sequence[_Part], several: float) -> set[int]:
    """The lists whose items are questions: because the words before them say just that, or because an item asks."""
    items: dict[int, set[int]] = {}
    speaking: dict[int, set[int]] = {}
    found: set[int] = set()
    for part in parts:
        if not part.unit.numbered:
            continue
        items.setdefault(part.unit.list, set()).add(part.unit.item)
        if part.candidate and not part.of("tried"):
            speaking.setdefault(part.unit.list, set()).add(part.unit.item)
        if _ASKS.search(text[part.start : part.end]):
            found.add(part.unit.list)
    found |= {number for number, said in speaking.items() if len(said) * 2 >= len(items[number])}
    if several:
        found |= {part.unit.list for part in parts if part.unit.numbered}
    for number, lead in _leads(parts).items():
        if (
            lead
            and (lead.of("several") or ((lead.asks or lead.wants or lead.of("lead")) and len(lead.words) <= 2))
            and not lead.of("steps")
        ):
            found.add(number)
    return found - _data_lists(parts)


# ---------------------------------------------------------------- one matter or two


def _boundary(
    parts: Sequence[_Part], previous: int, index: int, group: _Group, several: float
) -> tuple[float, list[Evidence]]:
    """How much speaks for a new question at a candidate, and the words that say so."""
    part, before = parts[index], parts[previous]
    between = parts[previous + 1 : index + 1]
    connectors = [
        hit
        for each in between
        for hit in each.of("also")
        if hit.rule.weight >= 2
        or (each is part and hit.start - each.start <= (_NEAR if hit.rule.weight > 1.2 else _OPENING))
    ]
    connector = max((hit.rule.weight for hit in connectors), default=0.0)
    own_item = part.unit.item >= 0 and part.unit.item != before.unit.item
    in_list = own_item and part.unit.list == before.unit.list
    new_paragraph = part.unit.paragraph != before.unit.paragraph
    shared = len(part.words & group.words)
    new = len(part.words - group.words)

    score = connector + _kinds(group, part)
    if before.wants and not before.asks and not new_paragraph and not own_item and not part.opens:
        score -= 0.6  # "We would like one. Which formats do you take?"
    if connector or new_paragraph or own_item or part.opens or part.of("and"):
        score += several
    elif part.unit.item >= 0:
        score -= 1.5  # the writer put both into one item
    if in_list:
        score += 2.0 if part.unit.numbered else 1.4
    elif new_paragraph:
        apart = part.asks and not shared and not part.tails and not part.of("detail") and not _pointing_back(part)
        score += 1.2 if apart else 0.6
    elif part.opens:
        score += 0.3
    score -= min(1.8, 0.6 * shared)
    score += 0.3 * min(new, 3) - 0.6
    if not in_list and not connector >= 2:
        score -= 0.7 * _pointing_back(part)
    if any(hit.rule.weight >= 2 or hit.start - part.start <= _NEAR for hit in part.of("one")):
        score -= 1.0
    if part.of("detail") and connector < 2:
        score -= 1.5 if (new <= 2 or not part.asks) and not in_list else 0.7
    if part.tails:
        score -= 1.5
    if any(each.unit.pasted for each in between) and not connectors:
        score -= 0.8  # it asks about what is pasted before it
    if part.of("purpose") and not part.asks and connector < 2:
        score -= 1.0  # "I want to install a new server" tells why he asks
    if part.of("demand") and not connector >= 2:
        score -= 1.5
    if part.of("tried"):
        score -= 1.0
    if not group.words:
        score -= 3.0  # all that stands so far is "I have a question"
    if new == 0:
        score -= 1.0
    rules = [hit.evidence for hit in connectors]
    rules += [hit.evidence for hit in (part.of("ask") or part.of("request") or part.of("fault"))[:1]]
    return round(score, 2), rules


def _kinds(group: _Group, part: _Part) -> float:
    """What the kinds of two candidates say: two questions sooner are two than two faults."""
    asked = any(each.asks or each.wants for each in group.parts)
    broken = any(each.fault for each in group.parts)
    if part.asks or (part.wants and not part.fault):
        # A question after a fault asks about the fault, unless it is of the sort that asks for something new.
        fresh = 0.6 if any(hit.rule.weight >= 2 for hit in part.of("ask")) and not part.of("detail") else 0.0
        return 1.2 if asked else 0.1 + fresh
    return -0.8 if broken else 0.4


def _pointing_back(part: _Part) -> float:
    """How much a part points back: by "it" before it names much of its own, by "this" at its beginning."""
    phrases = [(hit.start, hit.end) for hit in part.of("filler") if " " in hit.matched]
    total = 0.0
    for hit in part.of("back"):
        if any(start <= hit.start < end for start, end in phrases):
            continue
        if hit.start - part.start <= _NEAR if hit.rule.weight < 2 else sum(at < hit.start for at in part.places) <= 2:
            total += 1.0
    return min(2.0, total)


def _group(part: _Part) -> _Group:
    return _Group(part.start, part.end, [part], set(part.words))


def _join(group: _Group, part: _Part) -> None:
    group.parts.append(part)
    group.end = part.end
    group.words |= part.words


def _confidence(strongest: float) -> float:
    """From the distance of the nearest boundary to the threshold."""
    return round(1 / (1 + math.exp(-1.2 * abs(strongest - THRESHOLD) - 0.2)), 3)


# ---------------------------------------------------------------- the words of each


def _context(parts: Sequence[_Part], previous: int, index: int) -> int:
    """Where the words of a new question begin: with its connector, its item or its paragraph."""
    first = index
    while first - 1 > previous:
        before = parts[first - 1]
        if before.unit.pasted or (before.unit.paragraph != parts[index].unit.paragraph and not before.of("also")):
            break
        first -= 1
    return parts[first].start


def _quote(text: str, groups: Sequence[_Group], parts: Sequence[_Part], number: int) -> str:
    """The words of one question as the sender wrote them, without greeting, thanks and what is pasted after it."""
    group = groups[number]
    limit = groups[number + 1].start if number + 1 < len(groups) else parts[-1].end
    start, end = group.start, group.end
    if number == 0:
        start = _first_words(parts, group.parts[0], len(groups) > 1)
    last = group.parts[-1].unit
    for part in parts:
        if part.start < group.end:
            continue
        other_item = last.item >= 0 and part.unit.item != last.item
        if part.end > limit or part.unit.pasted or part.of("thanks") or part.of("fyi") or other_item:
            break
        end = part.end
    return _readable(text, start, end)


def _first_words(parts: Sequence[_Part], asked: _Part, several: bool) -> int:
    """Where the first question begins: after the greeting, and after the words that only announce several."""
    start = asked.start
    for part in reversed([part for part in parts if part.start < asked.start]):
        if part.unit.pasted or (
            not part.candidate and len(part.words) <= 3 and (part.of("greeting") or part.of("thanks"))
        ):
            break
        if several and (part.of("several") or asked.unit.item >= 0 > part.unit.item):
            break
        start = part.start
    for part in parts:
        if part.start <= start < part.end:
            return _greeted(part, start)
    return start


def _greeted(part: _Part, start: int) -> int:
    """Where the part goes on after a greeting that opens it."""
    end = start
    for hit in part.of("greeting"):
        if hit.start <= end + 2:
            end = max(end, hit.end)
    return end


def _readable(text: str, start: int, end: int) -> str:
    """A span of the text, trimmed and not longer than can be quoted."""
    return text[start:end].strip().lstrip(",.;:!-– ").rstrip(",;:-–( ")[:LONGEST]


def _none_found(text: str, parts: Sequence[_Part], signals: Signals) -> Questions:
    if signals.of("question.complaint"):
        return Questions((), 0.6, signals.evidence("question.complaint"))
    return Questions((text[parts[0].start : parts[-1].end][:LONGEST],), 0.8)
