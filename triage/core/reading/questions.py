"""How many tickets does a mail need? (guide: *questions*)

Those parts of the text that ask, report a fault or want something done (`asks`) are read in order. Each either goes on
with the matter at hand or opens another one: words that announce another matter, an own list item, an own paragraph
and words of its own speak for a new one; words that point back, shared words, "why?" and "how do I mend it?" speak for
the same. The vocabulary is data of the pack (signals `question.*`); here stand only the weights of the structure.

One is the rule: a second question is only seen where the marks of it outweigh what holds the text together, for a false
"several" asks a partner to write again. Which service the words belong to was tried as a further mark and did not help.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from triage.core.model import Evidence
from triage.core.pack import Pack
from triage.core.reading.asks import ASIDE, CONNECTOR, MATTER, NEAR, OPENING, Part, candidates, parts
from triage.core.reading.matches import Hit, Signals

THRESHOLD = 1.5  # what a boundary between two questions must reach
LONGEST = 1200  # characters of one question that are quoted back
MOST = 20  # questions of one mail that are told apart

_TRUST = 1.5  # how far below the threshold a boundary may stay when the mail says that there are two
_BARE = 60  # characters below which words without a subject matter only say that there is a question
_SAME = 3  # shared words by which a part is known to come back to an earlier question
_SUREST = 0.95  # no reading of words is surer than that
_ANSWER = re.compile(r"\s{0,4}(?:re|rv|aw|sv|antw|r)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a mail: the sender's own words for each, how sure their number is, and why."""

    texts: tuple[str, ...]
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class _Matter:
    """What is held to be one question: a span of the text, and what its candidates do and name."""

    start: int
    end: int
    last: Part
    words: set[str]
    asked: bool
    broken: bool
    why: list[Evidence] = field(default_factory=list)


def questions(text: str, subject: str, signals: Signals, pack: Pack | None = None) -> Questions:
    """The separate questions or problems of a person's mail. What the pack says comes by way of the signals."""
    found = parts(text, signals)
    if not found:
        return Questions((subject.strip(),), 0.5) if subject.strip() else Questions((), 0.9)
    several = min(2.0, signals.weight("question.several"))
    chosen = candidates(found, several)
    if not chosen and signals.of("question.complaint"):
        return Questions((), 0.6, signals.evidence("question.complaint"))
    if not chosen:
        return Questions((_readable(text, found[0].start, found[-1].end),), 0.8)
    answers = bool(_ANSWER.match(subject))
    matters, strongest = _matters(found, chosen, several, THRESHOLD, answers=answers)
    if several >= 2 and len(matters) == 1 and strongest >= THRESHOLD - _TRUST:
        # The mail says that there are two: its strongest boundary is the one.
        matters, strongest = _matters(found, chosen, several, strongest, answers=answers)
    texts = tuple(_quote(text, matters, found, number) for number in range(len(matters)))
    evidence = tuple(dict.fromkeys(item for matter in matters for item in matter.why))
    return Questions(texts, _confidence(strongest), evidence)


def _confidence(strongest: float) -> float:
    """From the distance of the nearest boundary to the threshold."""
    return round(_SUREST / (1 + math.exp(-1.2 * abs(strongest - THRESHOLD) - 0.3)), 3)


# ---------------------------------------------------------------- the matters, in order


def _matters(
    found: Sequence[Part], chosen: Sequence[int], several: float, threshold: float, *, answers: bool
) -> tuple[list[_Matter], float]:
    """The questions, and the strongest boundary that was seen between two candidates."""
    first = _told_before(found, chosen[0], answers=answers)
    matters = [first or _matter(found[chosen[0]])]
    waiting = chosen if first else chosen[1:]
    previous = chosen[0] - 1 if first else chosen[0]
    strongest = -2.0
    for index in waiting:
        part = found[index]
        score, why = _boundary(found, previous, index, matters[-1], several)
        if any(len(part.words & matter.words) >= _SAME for matter in matters[:-1]):
            score = min(score, threshold - 0.1)
        strongest = max(strongest, score)
        if score >= threshold and len(matters) < MOST:
            matters.append(_matter(part))
            matters[-1].start = _context(found, previous, index)
            matters[-1].why = why
        else:
            _join(matters[-1], part)
        previous = index
    return matters, strongest


def _told_before(found: Sequence[Part], first: int, *, answers: bool) -> _Matter | None:
    """The matter that is told before the first candidate, when that is said to be another one.

    "We changed our brand, here is the logo. Another thing: ..." has its first matter in the words before, unless they
    greet or thank, or the mail goes on with a conversation.
    """
    told = [part for part in found[:first] if part.words and not part.unit.pasted and not part.idle]
    part = found[first]
    aside = any(each.connects(ASIDE, NEAR) for each in found[first - 1 : first + 1])
    if answers or sum(len(part.words) for part in told) < (2 if aside else 3):
        return None
    another = any(each.connects(MATTER, each.end) for each in found[first - 1 : first + 1])
    if not another and not ((part.asks or part.wants) and part.connects(CONNECTOR, NEAR)):
        return None
    matter = _matter(told[0])
    for each in told[1:]:
        _join(matter, each)
    return matter


def _matter(part: Part) -> _Matter:
    return _Matter(part.start, part.end, part, set(part.words), part.asks or part.wants, part.fault, _said(part))


def _join(matter: _Matter, part: Part) -> None:
    matter.end, matter.last = part.end, part
    matter.words |= part.words
    matter.asked = matter.asked or part.asks or part.wants
    matter.broken = matter.broken or part.fault


# ---------------------------------------------------------------- one matter or two


def _boundary(
    found: Sequence[Part], previous: int, index: int, matter: _Matter, several: float
) -> tuple[float, list[Evidence]]:
    """How much speaks for a new question at a candidate, and the words that say so."""
    part = found[index]
    between = found[previous + 1 : index + 1]
    connectors = [hit for each in between for hit in each.of("also") if _connects(hit, each, part)]
    connector = max((hit.rule.weight for hit in connectors), default=0.0)
    score = connector + _kinds(matter, part)
    score += _place(found[previous], part, matter, connector, several)
    score += _subject(matter, part)
    new = len(part.words - matter.words)
    led_over = connector >= ASIDE or (connector >= CONNECTOR and new >= 3)
    if connector < ASIDE:
        score -= _ties(part, new, led_over=led_over)
    if not led_over and any(hit.rule.weight >= 2 or hit.start - part.start <= NEAR for hit in part.of("one")):
        score -= 1.0  # "the same problem", "is it A or is it B"
    if part.tails:
        score -= 1.5
    if "tried" in part.hits:
        score -= 1.0
    if not connectors and any(each.unit.pasted for each in between):
        score -= 0.8  # it asks about what is pasted before it
    return round(score, 2), [*(hit.evidence for hit in connectors), *_said(part)]


def _said(part: Part) -> list[Evidence]:
    """The words by which a part is a candidate."""
    hits = part.of("ask") or part.of("request") or part.of("fault")
    return [hit.evidence for hit in hits[:1]]


def _connects(hit: Hit, each: Part, part: Part) -> bool:
    """Whether a connector leads over to a part: the stronger, the further it may stand from its beginning."""
    if hit.rule.weight >= ASIDE:
        return True
    return each is part and hit.start - each.start <= (NEAR if hit.rule.weight >= CONNECTOR else OPENING)


def _kinds(matter: _Matter, part: Part) -> float:
    """What the kinds say: two questions are sooner two than two faults."""
    if part.asks or (part.wants and not part.fault):
        if matter.asked:
            # "We want to move the server. How is the copy made?" first tells what the question is about.
            return 0.3 if "purpose" in matter.last.hits and not matter.last.asks else 1.2
        # A question after a fault asks about the fault, unless it is of the sort that asks for something new.
        fresh = any(hit.rule.weight >= 2 for hit in part.of("ask")) and "detail" not in part.hits
        return 0.7 if fresh else 0.1
    if matter.broken:
        return -0.8
    return 0.7 if part.wants else 0.4


def _place(before: Part, part: Part, matter: _Matter, connector: float, several: float) -> float:
    """What the place in the mail says: an item of its own, a paragraph, the same line."""
    own_item = part.unit.item >= 0 and part.unit.item != before.unit.item
    new_paragraph = part.unit.paragraph != before.unit.paragraph
    score = 0.0
    if before.unit.item >= 0 > part.unit.item and connector < ASIDE:
        score -= 1.5  # after a list: "please explain in detail"
    elif connector or new_paragraph or own_item or part.opens or "and" in part.hits:
        score += several
    elif part.unit.item >= 0:
        score -= 1.5  # the writer put both into one item
    elif before.wants and not before.asks and not part.wants:
        score -= 0.6  # "We would like one. Which formats do you take?"
    if own_item and part.unit.list == before.unit.list:
        return score + (2.0 if part.unit.numbered else 1.4)
    if new_paragraph:
        alone = part.opens and part.asks and not part.tails and "detail" not in part.hits
        return score + (1.2 if alone and not part.words & matter.words and not _points_back(part) else 0.6)
    return score + (0.3 if part.opens else 0.0)


def _subject(matter: _Matter, part: Part) -> float:
    """What the words say: those that were there before, and new ones."""
    new = len(part.words - matter.words)
    score = 0.3 * min(new, 3) - 0.6 - min(1.8, 0.6 * len(part.words & matter.words))
    if new == 0:
        score -= 1.0
    if not matter.words and matter.end - matter.start < _BARE:
        score -= 3.0  # all that stands so far is "I have a question"
    return score


def _ties(part: Part, new: int, *, led_over: bool) -> float:
    """How much holds a part to what was said before it."""
    ties = 0.0
    if part.unit.item < 0 or not part.opens:
        ties += 0.8 * _points_back(part)
    if "detail" in part.hits and not (led_over and part.asks):
        in_item = part.unit.item >= 0 and part.opens
        ties += 1.5 if (new <= 2 or not part.asks) and not in_item else 0.7
    own_item = part.unit.item >= 0 and part.opens
    if "demand" in part.hits and not own_item:
        ties += 1.5
    if "purpose" in part.hits and not part.asks and not own_item:
        ties += 1.0  # "I want to install a new server" tells why he asks
    return ties


def _points_back(part: Part) -> int:
    """How often a part points back: by "it" before it names much of its own, by "this" at its beginning."""
    phrases = part.set_phrases()
    times = 0
    for hit in part.of("back"):
        early = bisect_left(part.places, hit.start) <= 2 if hit.rule.weight >= 2 else hit.start - part.start <= NEAR
        times += early and hit.start not in phrases
    return min(2, times)


# ---------------------------------------------------------------- the words of each


def _context(found: Sequence[Part], previous: int, index: int) -> int:
    """Where the words of a new question begin: with its connector, its item or its paragraph."""
    first = index
    while first - 1 > previous:
        before = found[first - 1]
        if before.unit.pasted or (before.unit.paragraph != found[index].unit.paragraph and "also" not in before.hits):
            break
        first -= 1
    return found[first].start


def _quote(text: str, matters: Sequence[_Matter], found: Sequence[Part], number: int) -> str:
    """The words of one question as the sender wrote them, without greeting, thanks and what is pasted after it."""
    matter = matters[number]
    start = matter.start if number else _first_words(found, matter, several=len(matters) > 1)
    limit = matters[number + 1].start if number + 1 < len(matters) else found[-1].end
    end, item = matter.end, matter.last.unit.item
    for part in found:
        if part.start < end:
            continue
        other_item = item >= 0 and part.unit.item != item
        if part.end > limit or part.unit.pasted or other_item or "thanks" in part.hits or "fyi" in part.hits:
            break
        end = part.end
    return _readable(text, start, end)


def _first_words(found: Sequence[Part], matter: _Matter, *, several: bool) -> int:
    """Where the first question begins: after the greeting, and after the words that only announce several."""
    here = next(number for number, part in enumerate(found) if part.start >= matter.start)
    in_list = found[here].unit.item >= 0
    while here > 0:
        before = found[here - 1]
        if before.unit.pasted or (not before.candidate and before.idle and "several" not in before.hits):
            break
        if several and ("several" in before.hits or (in_list and before.unit.item < 0)):
            break
        here -= 1
    start = found[here].start
    for hit in found[here].of("greeting"):
        if hit.start <= start + OPENING:
            start = max(start, hit.end)
    return start


def _readable(text: str, start: int, end: int) -> str:
    """A span of the text, trimmed, and not longer than can be quoted."""
    words = text[start:end].strip().lstrip(",.;:!-–) ").rstrip(",;:-–( ")
    if len(words) <= LONGEST:
        return words
    return words[:LONGEST].rpartition(" ")[0] + " …"
