"""What was done before or to cause it, by anybody (guide: *fields*, actions).

A deed is told by a verb and the words before it, in the order of the language: "we have already replaced",
"was swapped", "after moving", "each time the client opens", "al guardar". The pack names the verbs by form and the
words that go with them (signals `deed.*`); here stands how they make up a deed:

    deed.told      says by its form who did it: "cambiamos"
    deed.accent    the same, when its accent is written, or with `deed.own` before it: "cambié", "ya cambie"
    deed.past      with somebody before it (`deed.who`), with "was" (`deed.is`), or at the beginning of a sentence
    deed.same      with somebody before it: "we put"
    deed.now       with somebody between it and an occasion (`deed.occasion`): "when I click"
    deed.alone     after an occasion: "al guardar", "cuando abro"
    deed.going     after an occasion, or while somebody is at it: "after moving", "I am testing"

Words that make it a plan, a wish or a question (`deed.not`, `deed.wish`) take it back, and so do pasts that tell of no
deed (`deed.state`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence

from triage.core.model import Evidence
from triage.core.reading.identifiers import Passage
from triage.core.reading.matches import Hit
from triage.core.reading.phrases import Tokens, tokens

_STOPS = frozenset(".!?;:\n¿¡")
_REACH = 5  # words before a verb in which its company is looked for
_NEAR = 3  # the same for words that take it back
_OPENING = 2  # words from the beginning of a sentence within which a verb opens it
_FORMS = ("told", "accent", "past", "same", "now", "alone", "going")
_COMPANY = ("who", "is", "occasion", "not", "wish", "own", "state")
_OF_CLAUSE = frozenset({"not", "wish", "own", "is"})  # what reaches no further than a comma
_NEAR_DEED = 9  # words between two deeds of one sentence
_FAR = 25  # words behind a verb in which the end of its sentence is looked for
_ASKED = 0.25  # what a deed counts in a question: "which operator deleted it?"
_TITLE = 0.6  # and in the subject, which names rather than tells
_MOST = 400  # verbs that are looked at


def deeds(passage: Passage) -> list[tuple[float, Evidence]]:
    """The deeds that a text tells, with how sure each is one."""
    verbs = [(hit.start, form, hit) for form in _FORMS for hit in passage.hits(f"deed.{form}")]
    if not verbs:
        return []
    said = tokens(passage.text)
    starts = [start for start, _ in said.spans]
    company: dict[int, dict[str, Hit]] = {}
    for name in _COMPANY:
        for hit in passage.hits(f"deed.{name}"):
            first = bisect_left(starts, hit.start)
            while first < len(starts) and starts[first] < hit.end:
                company.setdefault(first, {}).setdefault(name, hit)
                first += 1
    found: dict[int, tuple[float, Evidence]] = {}
    for start, form, hit in sorted(verbs, key=lambda verb: verb[0])[:_MOST]:
        place = bisect_left(starts, start)
        if "state" in company.get(place, {}):
            continue
        around = _Around(said, passage.text, company, place, found)
        way = _WAYS[form](around, hit)
        by = around.is_ if way == "past was" else around.occasion if way.endswith("when") else 1.0
        share = _SHARES[way] * (_ASKED if around.asked and not way.endswith("when") else 1.0)
        weight = round(hit.rule.weight * by * share * (_TITLE if passage.in_subject else 1.0), 2)
        if weight > found.get(place, (0.0,))[0]:
            first = starts[around.begin] if around.begin < place else start
            found[place] = weight, Evidence(hit.rule.id, hit.rule.clause, passage.text[first : hit.end])
    return list(found.values())


class _Around:
    """The words before a verb: who, when, and what takes it back; each with how many words lie between."""

    def __init__(
        self, said: Tokens, text: str, company: dict[int, dict[str, Hit]], place: int, more: Collection[int]
    ) -> None:
        words, spans = said.words, said.spans
        self.at: dict[str, int] = {}
        self.begin = place
        self.more = bool(more)  # other deeds were told before
        self.occasion = 0.0
        self.is_ = 0.0
        before = place - 1
        self.goes_on = False  # another deed stands before it in the sentence: "I press add, write a name, save"
        same_clause = True
        while before >= 0 and place - before <= _REACH and words[before] not in _STOPS:
            same_clause = same_clause and "," not in text[spans[before][1] : spans[before + 1][0]]
            for name, hit in company.get(before, {}).items():
                if name not in self.at and (same_clause or name not in _OF_CLAUSE):
                    self.at[name] = place - before
                    if name == "occasion":
                        self.occasion = hit.rule.weight
                    elif name == "is":
                        self.is_ = hit.rule.weight
            before -= 1
        self.goes_on = any(place - _NEAR_DEED <= told < place for told in more) and not any(
            word in _STOPS for word in words[max(more) : place]
        )
        behind = range(place + 1, place + 4)
        self.somebody_behind = any("who" in company.get(near, {}) for near in behind)  # "was replaced by the client"
        self.asked = _end(words, place) == "?"
        self.opens = place - before - 1 <= _OPENING and place - before <= _REACH
        for name in ("who", "occasion", "is"):
            if name in self.at:
                self.begin = min(self.begin, place - self.at[name])

    def has(self, name: str, within: int = _REACH) -> bool:
        return self.at.get(name, _REACH + 1) <= within

    @property
    def undone(self) -> bool:
        """Whether a plan, a negation or a question stands right before it, with nobody between who does it."""
        return self.has("not", _NEAR) and not self.at.get("who", 9) < self.at["not"]


def _end(words: Sequence[str], place: int) -> str:
    """The mark that ends the sentence of a word."""
    return next((word for word in words[place : place + _FAR] if word in _STOPS and word != ":"), "")


def _told(around: _Around, hit: Hit) -> str:
    return "" if around.undone else "told"


def _accent(around: _Around, hit: Hit) -> str:
    if around.undone:
        return ""
    if not hit.matched[-1].isascii():
        return "told"
    return "own" if around.has("own", 1) and not around.has("wish", _NEAR) else ""


def _past(around: _Around, hit: Hit) -> str:
    if around.undone:
        return ""
    if around.has("who", 4):
        return "past by"
    if around.has("is", 2):
        return "past by" if around.somebody_behind else "past was"
    if around.opens and not around.has("wish"):
        return "past first"
    if around.has("occasion", 1):
        return "past when"
    return "past more" if around.more else "past"


def _same(around: _Around, hit: Hit) -> str:
    if around.undone:
        return ""
    return "same by" if around.has("who", 3) else "past was" if around.has("is", 1) else ""


def _now(around: _Around, hit: Hit) -> str:
    if not around.has("who", 3):
        return "now more" if around.goes_on and not around.has("not") else ""
    if around.has("occasion") and around.at["who"] < around.at["occasion"]:
        return "" if around.has("not", around.at["who"]) else "now when"
    return "now" if around.at["who"] == 1 and not around.has("not") else ""


def _alone(around: _Around, hit: Hit) -> str:
    if around.has("occasion", 3) and not around.has("not", min(_NEAR, around.at["occasion"] - 1)):
        return "alone when"
    return "alone" if around.opens and not around.has("not") else ""


def _going(around: _Around, hit: Hit) -> str:
    if around.has("occasion", 2):
        return "going when"
    if around.has("not", 2):
        return ""
    if around.has("is", 2) and (around.has("who", 4) or around.opens):
        return "going by"
    return "going first" if around.opens else "going"


_WAYS: dict[str, Callable[[_Around, Hit], str]] = {
    "told": _told,
    "accent": _accent,
    "past": _past,
    "same": _same,
    "now": _now,
    "alone": _alone,
    "going": _going,
}
# How much each way of telling says that something was done.
_SHARES = {
    "": 0.0,
    "told": 1.5,
    "own": 1.2,
    "past by": 1.6,
    "past was": 0.8,
    "past first": 1.2,
    "past when": 0.3,
    "past more": 0.5,
    "past": 0.0,
    "same by": 1.2,
    "now when": 1.5,
    "now": 0.75,
    "now more": 0.6,
    "alone when": 1.4,
    "alone": 0.6,
    "going when": 1.4,
    "going by": 0.6,
    "going first": 1.15,
    "going": 0.1,
}
