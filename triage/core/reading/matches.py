"""Signals: all that the words and forms of a pack find in one text, in one pass.

A reader asks for a family ("service") and gets each value's weight with the words that gave it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar

from triage.core.model import Evidence
from triage.core.pack import Form, Pack, WordRule
from triage.core.reading.phrases import Match, Matcher, Tokens, tokens
from triage.core.reading.prefilter import Finder, digits, folded, needs

_SENTENCE_ENDS = frozenset(".!?;\n¿¡")
_FAR = 40  # words of a sentence before and behind a match in which it can be silenced
_LONGEST_LINE = 2000  # characters of one line that forms look at
# Families that are looked for across all languages, by readers that keep an index of their own.
_OWN_READERS = ("language.", "kind.")

T = TypeVar("T")


class Hit(NamedTuple):
    """One place where a rule or form speaks."""

    rule: WordRule | Form
    matched: str
    start: int  # character position in the text
    end: int
    in_subject: bool

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.rule.id, self.rule.clause, self.matched)


@dataclass(slots=True)
class Signals:
    """Every hit of one text, by signal."""

    hits: dict[str, list[Hit]] = field(default_factory=dict)

    def of(self, signal: str) -> list[Hit]:
        return self.hits.get(signal, [])

    def weight(self, signal: str) -> float:
        """The weight of a signal: each rule counts once at full weight, its repeats a quarter, at most twice over."""
        seen: dict[str, int] = {}
        total = 0.0
        for hit in self.of(signal):
            times = seen.get(hit.rule.id, 0)
            seen[hit.rule.id] = times + 1
            total += hit.rule.weight * (1.0 if times == 0 else 0.25 if times <= 4 else 0.0)
        return total

    def within(self, start: int, end: int) -> Signals:
        """The hits of the subject, and those of a part of the text, with their places in that part."""
        kept: dict[str, list[Hit]] = {}
        for name, hits in self.hits.items():
            here = [
                hit if hit.in_subject else hit._replace(start=hit.start - start, end=hit.end - start)
                for hit in hits
                if hit.in_subject or (start <= hit.start and hit.end <= end)
            ]
            if here:
                kept[name] = here
        return Signals(kept)

    def family(self, prefix: str) -> dict[str, float]:
        """Weights of all signals "<prefix>.<value>", by value."""
        head = prefix + "."
        return {name[len(head) :]: self.weight(name) for name in self.hits if name.startswith(head)}

    def evidence(self, signal: str, at_most: int = 5) -> tuple[Evidence, ...]:
        """What speaks for a signal: the first hit of each rule."""
        found: dict[str, Evidence] = {}
        for hit in self.of(signal):
            found.setdefault(hit.rule.id, hit.evidence)
        return tuple(found.values())[:at_most]


class Lexicon:
    """The words and forms of some languages of a pack, made ready for matching."""

    def __init__(self, rules: Sequence[WordRule], forms: Sequence[Form]) -> None:
        self.rules = tuple(rules)
        self.forms = tuple(map(_Pattern, forms))
        self._finder = Finder([pattern.needs.one_of for pattern in self.forms])
        # By whether the line has digits: the forms that demand no string.
        self._always = [
            {n for n, one in enumerate(self.forms) if not one.needs.one_of and (some or not one.needs.digits)}
            for some in (False, True)
        ]
        silencing = {phrase: 0 for rule in rules for phrase in rule.unless}
        silencing = {phrase: len(rules) + number for number, phrase in enumerate(silencing)}
        # By place (in the text, in the subject) and payload: each rule that speaks there, with what silences it.
        self._heard: list[list[tuple[WordRule, str, frozenset[int]] | None]] = [
            [
                (rule, rule.signal, frozenset(silencing[phrase] for phrase in rule.unless))
                if rule.where in ("any", place)
                else None
                for rule in rules
            ]
            + [None] * len(silencing)
            for place in ("text", "subject")
        ]
        self._matcher = Matcher(
            [
                *((number, phrase) for number, rule in enumerate(rules) for phrase in rule.phrases),
                *((number, phrase) for phrase, number in silencing.items()),
            ]
        )

    def signals(self, text: str, subject: str = "") -> Signals:
        """Everything that is found in the subject and the text."""
        found = Signals()
        if subject:
            self._words(found, subject, True)
            self._forms(found, subject, True)
        self._words(found, text, False)
        self._forms(found, text, False)
        return found

    def _words(self, found: Signals, text: str, in_subject: bool) -> None:
        said = tokens(text)
        matches = self._matcher.find(said.words)
        if not matches:
            return
        silencers: dict[int, list[Match]] = {}
        count = len(self.rules)
        for match in [match for match in matches if match[0] >= count]:
            silencers.setdefault(match[0], []).append(match)
        # There are hundreds for a mail: everything here is the short way.
        spans, heard, hits, make = said.spans, self._heard[in_subject], found.hits, tuple.__new__
        keep: dict[int, Callable[[Hit], None]] = {}
        stops: list[int] | None = None
        for number, first, last in matches:
            speaking = heard[number]
            if speaking is None:
                continue
            rule, signal, unless = speaking
            if unless and not unless.isdisjoint(silencers):
                if stops is None:
                    stops = [place for place, word in enumerate(said.words) if word in _SENTENCE_ENDS]
                if _silenced(first, last, unless, silencers, stops):
                    continue
            if last - first == 1:
                start, end = spans[first]
            else:
                start, end = spans[first][0], spans[last - 1][1]
            if number not in keep:
                keep[number] = hits.setdefault(signal, []).append
            keep[number](make(Hit, (rule, text[start:end], start, end, in_subject)))

    def _forms(self, found: Signals, text: str, in_subject: bool) -> None:
        at, forms = 0, self.forms
        for line in text.split("\n"):
            if line:
                count = digits(line)
                for number in sorted(self._finder.find(folded(line)) | self._always[count > 0]):
                    pattern = forms[number]
                    if count < pattern.needs.digits or (pattern.chars and pattern.chars.isdisjoint(line)):
                        continue
                    if not pattern.search(line, 0, _LONGEST_LINE):  # nearly always
                        continue
                    for start, end in pattern.places(line):
                        hit = Hit(pattern.form, line[start:end], at + start, at + end, in_subject)
                        found.hits.setdefault(pattern.form.signal, []).append(hit)
            at += len(line) + 1


def _silenced(
    begin: int, end: int, unless: frozenset[int], silencers: dict[int, list[Match]], stops: Sequence[int]
) -> bool:
    """Whether one of these stands in the sentence of a match. `stops`: the places of the marks that end sentences."""
    before, behind = bisect_left(stops, begin), bisect_left(stops, end)
    first = max(stops[before - 1] + 1 if before else 0, begin - _FAR)
    last = min(stops[behind], end + _FAR) if behind < len(stops) else end + _FAR
    return any(first <= other[1] and other[2] <= last for payload in unless for other in silencers.get(payload, ()))


class _Pattern:
    """A form, ready to be looked for in a line."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._pattern = re.compile(form.pattern, re.IGNORECASE if form.ignore_case else 0)
        self.search = self._pattern.search
        self.needs = needs(form.pattern)
        self.chars = frozenset(form.needs)
        self._near = Matcher((0, phrase) for phrase in form.near)
        self._not_near = Matcher((0, phrase) for phrase in form.not_near)

    def places(self, line: str) -> Iterator[tuple[int, int]]:
        """Where it stands in a line."""
        for match in self._pattern.finditer(line[:_LONGEST_LINE]):
            if self.form.check == "luhn" and not luhn(match.group()):
                continue
            if self._fits(match.start(), match.end(), line):
                yield match.span()

    def _fits(self, start: int, end: int, line: str) -> bool:
        """Whether words that are wanted stand nearby, and none that are not."""
        form = self.form
        if not form.near and not form.not_near:
            return True
        room = form.reach * 14
        before = Tokens(line[max(0, start - room) : start]).words[-form.reach :]
        after = Tokens(line[end : end + room]).words[: form.reach]
        if form.near and not (self._near.find(before) or self._near.find(after)):
            return False
        return not (self._not_near.find(before) or self._not_near.find(after))


def luhn(text: str) -> bool:
    """Whether the digits end with a right Luhn check digit (ISO/IEC 7812-1, as IMEI and ICCID do)."""
    digits = [int(char) for char in text if char.isdecimal()]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(digits) > 1 and total % 10 == 0


def lexicon(pack: Pack, languages: Iterable[str] = ()) -> Lexicon:
    """The words of these languages of a pack (all when none is named), made once and kept."""
    chosen = tuple(sorted(set(languages) & set(pack.words))) or tuple(sorted(set(pack.words) - {"any"}))
    return _lexicon(_Same(pack), (*chosen, "any"))


class _Same:
    """A pack as a cache key: itself, not its value."""

    __slots__ = ("pack",)

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def __hash__(self) -> int:
        return id(self.pack)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.pack is self.pack


@lru_cache(maxsize=64)
def _lexicon(same: _Same, languages: tuple[str, ...]) -> Lexicon:
    words = [same.pack.words[language] for language in languages if language in same.pack.words]
    return Lexicon(
        [rule for part in words for rule in part.rule if not rule.signal.startswith(_OWN_READERS)],
        [form for part in words for form in part.form if not form.signal.startswith(_OWN_READERS)],
    )


def once_per_pack(build: Callable[[Pack], T]) -> Callable[[Pack], T]:
    """A function of a pack that is computed once for each pack and kept."""
    kept = lru_cache(maxsize=16)(lambda same: build(same.pack))
    return lambda pack: kept(_Same(pack))
