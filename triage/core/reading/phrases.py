"""Phrases: how a rule pack names words, and the matcher that finds all of them in one pass.

A phrase is a few words, compared without case and accents:

    does not load          these words, next to each other
    report*                any word that begins so; *port any word that ends so
    (open|load|work)*      one of these
    please?                a word that may be missing
    can ... register       up to five other words between, within one sentence
    #                      a number (a word that begins with a digit)

Everything is looked up by the first word, and each place is looked at once for each phrase that could begin there,
with a bounded length: the time grows with the text, whatever the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

GAP = 5  # most words that "..." skips

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.!?;:\n¿¡]")  # a word, or a mark that ends a sentence
_ELEMENT = re.compile(r"\.\.\.|#|\([^()\s]+\)\*?\??|[^\s()]+")
_STOPS = frozenset(".!?;:\n¿¡")
_ASCII = str.maketrans({"’": "'", "ß": "ss", "ø": "o", "ł": "l", "đ": "d"})


def fold(text: str) -> str:
    """The text without case and accents, for comparing."""
    text = text.lower()
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKD", text.translate(_ASCII))
    return "".join(char for char in text if not unicodedata.combining(char))


class Token(NamedTuple):
    """A word of the text, folded, and where it stands."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words and sentence marks of a text, in order. A dot inside a number or a name ends no sentence."""
    found: list[Token] = []
    for match in _WORD.finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        if word in _STOPS and word in ".:" and end < len(text) and not text[end].isspace():
            continue
        found.append(Token(fold(word), start, end))
    return found


@dataclass(frozen=True, slots=True)
class _Element:
    """One step of a phrase: which words it takes."""

    words: frozenset[str] = frozenset()
    heads: tuple[str, ...] = ()  # beginnings
    tails: tuple[str, ...] = ()  # endings
    number: bool = False
    gap: bool = False
    optional: bool = False

    @property
    def plain(self) -> bool:
        """Whether it takes nothing but its words, and must be there."""
        return bool(self.words) and not (self.heads or self.tails or self.number or self.gap or self.optional)

    def takes(self, word: str) -> bool:
        return (
            word in self.words
            or (bool(self.heads) and word.startswith(self.heads))
            or (bool(self.tails) and word.endswith(self.tails))
            or (self.number and word[:1].isdigit())
        )


class PhraseError(ValueError):
    """A phrase that cannot be read; the message says what is wrong with it."""


def parse(phrase: str) -> tuple[_Element, ...]:
    """The steps of a phrase. Raises PhraseError with what is wrong."""
    steps: list[_Element] = []
    for raw in _ELEMENT.findall(fold(phrase)):
        if raw == "...":
            steps.append(_Element(gap=True))
            continue
        optional = raw.endswith("?")
        raw = raw.removesuffix("?")
        if raw == "#":
            steps.append(_Element(number=True, optional=optional))
            continue
        if raw.startswith("("):
            inner, star = raw.rstrip("*").strip("()"), raw.endswith("*")
            choices = [choice + "*" if star else choice for choice in inner.split("|")]
        else:
            choices = [raw]
        steps.append(_element(choices, optional, phrase))
    if not steps or steps[0].gap or steps[-1].gap or all(step.optional for step in steps):
        raise PhraseError(f"{phrase!r} must begin and end with a word, not with '...'")
    return tuple(steps)


def _element(choices: Iterable[str], optional: bool, phrase: str) -> _Element:
    words: set[str] = set()
    heads: list[str] = []
    tails: list[str] = []
    for choice in choices:
        bare = choice.strip("*")
        if not re.fullmatch(r"[^\W_]+(?:'[^\W_]+)*", bare):
            raise PhraseError(
                f"{choice!r} in {phrase!r} is not one word: letters and digits only, words apart by spaces"
            )
        if choice.endswith("*"):
            heads.append(bare)
        elif choice.startswith("*"):
            tails.append(bare)
        else:
            words.add(bare)
    return _Element(frozenset(words), tuple(heads), tuple(tails), optional=optional)


class Match(NamedTuple):
    """A phrase that was found: which one it was (its payload number), and the tokens it covers."""

    payload: int
    first: int  # index of the first token
    last: int  # index after the last token


class Matcher:
    """Finds any of many phrases in a list of tokens."""

    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        """`phrases`: (payload, phrase) pairs. Raises PhraseError."""
        self._exact: dict[str, list[tuple[int, tuple[_Element, ...]]]] = {}
        # By the first two words, where the second is told: most places are passed over without a closer look.
        self._pairs: dict[str, dict[str, list[tuple[int, tuple[_Element, ...]]]]] = {}
        self._heads: dict[str, list[tuple[str, int, tuple[_Element, ...]]]] = {}  # by the first two letters
        self._other: list[tuple[_Element, int, tuple[_Element, ...]]] = []
        for payload, phrase in phrases:
            self._add(payload, parse(phrase))

    def _add(self, payload: int, steps: tuple[_Element, ...]) -> None:
        first, rest = steps[0], steps[1:]
        for word in first.words:
            if rest and rest[0].plain:
                after = self._pairs.setdefault(word, {})
                for second in rest[0].words:
                    after.setdefault(second, []).append((payload, rest[1:]))
            else:
                self._exact.setdefault(word, []).append((payload, rest))
        for head in first.heads:
            if len(head) >= 2:
                self._heads.setdefault(head[:2], []).append((head, payload, rest))
            else:
                self._other.append((_Element(heads=(head,)), payload, rest))
        if first.tails or first.number:
            self._other.append((_Element(tails=first.tails, number=first.number), payload, rest))
        if first.optional:
            self._add(payload, rest)

    def find(self, words: Sequence[Token]) -> list[Match]:
        """Every match, in the order of the text; at each place the longest of one phrase."""
        found: list[Match] = []
        exact, pairs, heads, other = self._exact, self._pairs, self._heads, self._other
        last = len(words) - 1
        for index, token in enumerate(words):
            word = token.word
            after = pairs.get(word)
            if after and index < last:
                for payload, rest in after.get(words[index + 1].word, ()):
                    end = _end(words, index + 2, rest) if rest else index + 2
                    if end:
                        found.append(Match(payload, index, end))
            for payload, rest in exact.get(word, ()):
                self._try(found, words, index, payload, rest)
            for head, payload, rest in heads.get(word[:2], ()):
                if word.startswith(head):
                    self._try(found, words, index, payload, rest)
            for first, payload, rest in other:
                if first.takes(word):
                    self._try(found, words, index, payload, rest)
        return found

    @staticmethod
    def _try(found: list[Match], words: Sequence[Token], index: int, payload: int, rest: tuple[_Element, ...]) -> None:
        end = _end(words, index + 1, rest) if rest else index + 1
        if end:
            found.append(Match(payload, index, end))


def _end(words: Sequence[Token], at: int, steps: tuple[_Element, ...]) -> int:
    """Where the rest of a phrase ends when it begins at `at`; 0 when it is not there."""
    if not steps:
        return at
    step, rest = steps[0], steps[1:]
    if step.gap:
        for skip in range(GAP + 1):
            here = at + skip
            end = _end(words, here, rest)
            if end:
                return end
            if here >= len(words) or words[here].word in _STOPS:
                return 0
        return 0
    if at < len(words) and step.takes(words[at].word):
        end = _end(words, at + 1, rest)
        if end:
            return end
    return _end(words, at, rest) if step.optional else 0
