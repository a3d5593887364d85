"""Signals: all that the words and forms of a pack find in one text, in one pass.

A reader asks for a family ("service") and gets each value's weight with the words that gave it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from triage.core.model import Evidence
from triage.core.pack import Form, Pack, WordRule
from triage.core.reading.phrases import Match, Matcher, Token, tokens

_SENTENCE_ENDS = frozenset(".!?;\n¿¡")
_LONGEST_LINE = 2000  # characters of one line that forms look at
# Families that are looked for across all languages, by readers that keep an index of their own.
_OWN_READERS = ("language.", "kind.")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hit:
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
        self.forms = tuple((form, re.compile(form.pattern, re.IGNORECASE if form.ignore_case else 0)) for form in forms)
        self._matcher = Matcher((number, phrase) for number, rule in enumerate(rules) for phrase in rule.phrases)
        self._unless = {n: Matcher((0, p) for p in rule.unless) for n, rule in enumerate(rules) if rule.unless}
        self._near = {form.id: Matcher((0, p) for p in form.near) for form in forms if form.near}
        self._not_near = {form.id: Matcher((0, p) for p in form.not_near) for form in forms if form.not_near}

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
        words = tokens(text)
        for match in self._matcher.find(words):
            rule = self.rules[match.payload]
            if rule.where != "any" and (rule.where == "subject") != in_subject:
                continue
            if match.payload in self._unless and self._silenced(match, words):
                continue
            start, end = words[match.first].start, words[match.last - 1].end
            hit = Hit(rule, text[start:end], start, end, in_subject)
            found.hits.setdefault(rule.signal, []).append(hit)

    def _silenced(self, match: Match, words: Sequence[Token]) -> bool:
        first, last = match.first, match.last
        while first > 0 and words[first - 1].word not in _SENTENCE_ENDS and match.first - first < 40:
            first -= 1
        while last < len(words) and words[last].word not in _SENTENCE_ENDS and last - match.last < 40:
            last += 1
        return bool(self._unless[match.payload].find(words[first:last]))

    def _forms(self, found: Signals, text: str, in_subject: bool) -> None:
        at = 0
        chars = set(text)
        forms = [(form, pattern) for form, pattern in self.forms if not form.needs or not chars.isdisjoint(form.needs)]
        for line in text.split("\n"):
            if not line:
                at += 1
                continue
            chars = set(line)
            for form, pattern in forms:
                if form.needs and chars.isdisjoint(form.needs):
                    continue
                for match in pattern.finditer(line[:_LONGEST_LINE]):
                    if self._fits(form, match, line):
                        hit = Hit(form, match.group(), at + match.start(), at + match.end(), in_subject)
                        found.hits.setdefault(form.signal, []).append(hit)
            at += len(line) + 1

    def _fits(self, form: Form, match: re.Match[str], line: str) -> bool:
        if form.check == "luhn" and not luhn(match.group()):
            return False
        if not form.near and not form.not_near:
            return True
        room = form.reach * 14
        before = tokens(line[max(0, match.start() - room) : match.start()])[-form.reach :]
        after = tokens(line[match.end() : match.end() + room])[: form.reach]
        around = (before, after)
        if form.near and not any(self._near[form.id].find(side) for side in around):
            return False
        return not (form.not_near and any(self._not_near[form.id].find(side) for side in around))


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
