"""Phrases: how a rule pack names words, and the matcher that finds all of them in one pass.

A phrase is a few words, compared without case and accents:

    does not load          these words, next to each other
    report*                any word that begins so; *port any word that ends so
    (open|load|work)*      one of these
    please?                a word that may be missing
    can ... register       up to five other words between, within one sentence
    #                      a number (a word that begins with a digit)

All phrases of a matcher are followed at once, from each word of the text on, by an automaton that is made as texts need
it: what was met once is looked up the next time. From a word it goes no further than the longest phrase could reach,
so the time grows with the text, whatever the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

GAP = 5  # most words that "..." skips

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?;\n¿¡]|[.:](?!\S)")  # a word, or a mark that ends a sentence
_ELEMENT = re.compile(r"\.\.\.|#|\([^()\s]+\)\*?\??|[^\s()]+")
_ONE_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_STOPS = frozenset(".!?;:\n¿¡")
_FEW_LETTERS = 40
_MOST_WORDS = 20_000  # words, and states of the automaton, that a matcher keeps
_MOST_STATES = 10_000


def fold(text: str) -> str:
    """The text without case and accents, for comparing."""
    text = text.lower()
    if text.isascii():
        return text
    foreign = _foreign(text)
    if len(foreign) > _FEW_LETTERS:
        return text.translate(_plain)
    for char in foreign:
        text = text.replace(char, _plain[ord(char)])
    return text


def _foreign(text: str) -> list[str]:
    """The letters outside ASCII. Most texts have few: replacing one by one is faster than to translate all letters."""
    return [char for char in set(text) if char > "\x7f"]


class _Plain(dict[int, str]):
    """Each character without accents, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code))
        self[code] = "".join(char for char in parts if not unicodedata.combining(char))
        return self[code]


_plain = _Plain({ord("’"): "'", ord("ß"): "ss", ord("ø"): "o", ord("ł"): "l", ord("đ"): "d"})


# ---------------------------------------------------------------- the words of a text


class Tokens:
    """The words and sentence marks of a text, folded, in order. A dot inside a number or a name ends no sentence."""

    __slots__ = ("__dict__", "_folded", "words")

    def __init__(self, text: str) -> None:
        folded = _same_length(text)
        self._folded = text if folded is None else folded
        self.words: list[str] = _WORD.findall(self._folded)
        if folded is None:
            self.words = [fold(word) for word in self.words]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each of them stands in the text."""
        return list(map(re.Match.span, _WORD.finditer(self._folded)))


@lru_cache(maxsize=4)
def tokens(text: str) -> Tokens:
    """The words of a text. They are kept for a while: several readers look at the same text."""
    return Tokens(text)


class _Letters(dict[int, int]):
    """Letters and digits without accents, one for one: what cannot be said so becomes _ODD."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        plain = fold(char) if char.isalnum() else char
        self[code] = ord(plain) if len(plain) == 1 and plain.isalnum() == char.isalnum() else ord(_ODD)
        return self[code]


_ODD = "\uffff"
_letters = _Letters({ord("’"): ord("'")})


def _same_length(text: str) -> str | None:
    """The text folded letter by letter, for which the places stay the same; None where that cannot be."""
    low = text.lower()
    if low.isascii():
        return low
    if len(low) != len(text):
        return None
    foreign = _foreign(low)
    if len(foreign) > _FEW_LETTERS:
        low = low.translate(_letters)
        return None if _ODD in low else low
    for char in foreign:
        plain = chr(_letters[ord(char)])
        if plain == _ODD:
            return None
        if plain != char:
            low = low.replace(char, plain)
    return low


# ---------------------------------------------------------------- phrases


@dataclass(frozen=True, slots=True)
class _Element:
    """One step of a phrase: which words it takes."""

    words: frozenset[str] = frozenset()
    heads: tuple[str, ...] = ()  # beginnings
    tails: tuple[str, ...] = ()  # endings
    number: bool = False
    gap: bool = False
    optional: bool = False


class PhraseError(ValueError):
    """A phrase that cannot be read; the message says what is wrong with it."""


def parse(phrase: str) -> tuple[_Element, ...]:
    """The steps of a phrase. Raises PhraseError with what is wrong."""
    steps: list[_Element] = []
    for raw in _ELEMENT.findall(fold(phrase)):
        try:
            steps.append(_element(raw))
        except ValueError as error:
            raise PhraseError(
                f"{error} in {phrase!r} is not one word: letters and digits only, words apart by spaces"
            ) from None
    if not steps or steps[0].gap or steps[-1].gap or all(step.optional for step in steps):
        raise PhraseError(f"{phrase!r} must begin and end with a word, not with '...'")
    return tuple(steps)


@lru_cache(maxsize=10_000)  # most words stand in many phrases
def _element(raw: str) -> _Element:
    """One step as it is written. Raises ValueError with what is no word."""
    if raw == "...":
        return _Element(gap=True)
    optional = raw.endswith("?")
    raw = raw.removesuffix("?")
    if raw == "#":
        return _Element(number=True, optional=optional)
    if raw.startswith("("):
        inner, star = raw.rstrip("*").strip("()"), raw.endswith("*")
        choices = [choice + "*" if star else choice for choice in inner.split("|")]
    else:
        choices = [raw]
    words: set[str] = set()
    heads: list[str] = []
    tails: list[str] = []
    for choice in choices:
        bare = choice.strip("*")
        if not bare.isalpha() and not _ONE_WORD.fullmatch(bare):
            raise ValueError(repr(choice))
        if choice.endswith("*"):
            heads.append(bare)
        elif choice.startswith("*"):
            tails.append(bare)
        else:
            words.add(bare)
    return _Element(frozenset(words), tuple(heads), tuple(tails), optional=optional)


# ---------------------------------------------------------------- the matcher


Match = tuple[int, int, int]  # the payload number of a phrase that was found, its first token, the one after its last


class _Thread(NamedTuple):
    """How far one phrase has come: the step that waits for a word, and how many words the gap before it may still
    skip (0 where no gap is)."""

    entry: int
    step: int
    skips: int


class _State(dict[int, "_State | None"]):
    """Where the automaton stands: the phrases that may go on, the more wanted way of each first, and what ends here.

    As a dictionary: the state after a word of each class, made when it is first met; None where nothing goes on.
    """

    __slots__ = ("_matcher", "ends", "payloads", "threads")

    def __init__(self, matcher: Matcher, threads: tuple[_Thread, ...], ends: tuple[int, ...]) -> None:
        self._matcher = matcher
        self.threads = threads
        self.ends = ends  # entries
        self.payloads = matcher.payloads(ends)

    def __missing__(self, kind: int) -> _State | None:
        self[kind] = self._matcher.after(self, kind)
        return self[kind]


class _Beginning(dict[int, _State | None]):
    """The states after a first word, by its class."""

    __slots__ = ("_matcher",)

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def __missing__(self, kind: int) -> _State | None:
        self[kind] = self._matcher.begun(kind)
        return self[kind]


class _Vocabulary:
    """Which elements take a word. Words that the same elements take are of one class; 0 is that of all other words."""

    STOP = 1  # the class of the marks that end a sentence

    def __init__(self) -> None:
        self._ids: dict[_Element, int] = {}
        self._words: dict[str, list[int]] = {}
        self._heads: dict[str, list[int]] = {}
        self._tails: dict[str, list[int]] = {}
        self._numbers: list[int] = []
        self._longest = 0  # beginning or ending
        self._known: dict[str, int] = {}  # word -> class
        self._classes: dict[frozenset[int], int] = {}
        self.members: list[frozenset[int]] = []  # by class
        self.forget()

    def add(self, element: _Element) -> int:
        """The number of an element."""
        bare = replace(element, optional=False) if element.optional else element  # wherever it stands
        number = self._ids.get(bare)
        if number is not None:
            return number
        number = self._ids[bare] = len(self._ids)
        for index, texts in ((self._words, bare.words), (self._heads, bare.heads), (self._tails, bare.tails)):
            for text in texts:
                index.setdefault(text, []).append(number)
        self._longest = max([self._longest, *map(len, bare.heads), *map(len, bare.tails)])
        if bare.number:
            self._numbers.append(number)
        return number

    def classes(self, words: Sequence[str]) -> list[int]:
        """The class of each word."""
        known = self._known
        return [known[word] if word in known else self._learn(word) for word in words]

    def _learn(self, word: str) -> int:
        elements = set(self._words.get(word, ()))
        for size in range(1, min(len(word), self._longest) + 1):
            elements.update(self._heads.get(word[:size], ()))
            elements.update(self._tails.get(word[-size:], ()))
        if word[0].isdigit():
            elements.update(self._numbers)
        found = self._known[word] = self._class(frozenset(elements))
        return found

    def _class(self, elements: frozenset[int]) -> int:
        number = self._classes.setdefault(elements, len(self.members))
        if number == len(self.members):
            self.members.append(elements)
        return number

    @property
    def full(self) -> bool:
        return len(self._known) > _MOST_WORDS

    def forget(self) -> None:
        """Begin anew with the words that were met."""
        self._classes = {frozenset(): 0}
        self.members = [frozenset(), frozenset()]
        self._known = dict.fromkeys(_STOPS, self.STOP)


class Matcher:
    """Finds any of many phrases in a list of words."""

    def __init__(self, phrases: Iterable[tuple[int, str]]) -> None:
        """`phrases`: (payload, phrase) pairs. Raises PhraseError."""
        self._vocabulary = _Vocabulary()
        self._payloads: list[int] = []  # by entry
        self._steps: list[tuple[_Element, ...]] = []  # by entry
        self._takes: list[tuple[int, ...]] = []  # by entry: the number of each step's element
        self._starting: dict[int, list[int]] = {}  # element -> the entries that it begins
        self._states: dict[tuple[tuple[_Thread, ...], tuple[int, ...]], _State] = {}
        self._beginning = _Beginning(self)
        for payload, phrase in phrases:
            self._add(payload, parse(phrase))

    def _add(self, payload: int, steps: tuple[_Element, ...]) -> None:
        entry = len(self._payloads)
        self._payloads.append(payload)
        self._steps.append(steps)
        self._takes.append(tuple(-1 if step.gap else self._vocabulary.add(step) for step in steps))
        if not steps[0].gap:
            self._starting.setdefault(self._takes[entry][0], []).append(entry)
        if steps[0].optional:
            self._add(payload, steps[1:])

    def find(self, words: Sequence[str]) -> list[Match]:
        """Every match, in the order of the text. At each place a phrase is found once: an optional word is taken when
        it is there, a gap skips as few words as it can."""
        if self._vocabulary.full or len(self._states) > _MOST_STATES:
            self._vocabulary.forget()
            self._states.clear()
            self._beginning.clear()
        found: list[Match] = []
        classes = self._vocabulary.classes(words)
        classes.append(_Vocabulary.STOP)  # no phrase goes on behind the last word
        beginning, payloads = self._beginning, self._payloads
        for index, kind in enumerate(classes):
            state = beginning[kind]
            if state is None:
                continue
            at = index + 1
            ends: dict[int, int] | None = None
            after = state[classes[at]]
            while after is not None:
                at += 1
                if after.ends:
                    if ends is None:
                        ends = dict.fromkeys(state.ends, index + 1)
                    for entry in after.ends:
                        ends[entry] = at  # a later end is of a more wanted way
                after = after[classes[at]]
            if ends is None:  # as after most words
                at = index + 1
                for payload in state.payloads:
                    found.append((payload, index, at))
            else:
                for entry in sorted(ends):
                    found.append((payloads[entry], index, ends[entry]))
        return found

    # ------------------------------------------------------------ making the automaton

    def payloads(self, entries: Iterable[int]) -> tuple[int, ...]:
        """What these entries stand for, in their order."""
        return tuple(self._payloads[entry] for entry in sorted(entries))

    def begun(self, kind: int) -> _State | None:
        """The state after a first word."""
        entries = {entry for number in self._vocabulary.members[kind] for entry in self._starting.get(number, ())}
        return self._state([(entry, [_Thread(entry, 1, 0)]) for entry in sorted(entries)])

    def after(self, state: _State, kind: int) -> _State | None:
        """The state after one more word."""
        members = self._vocabulary.members[kind]
        ways: dict[int, list[_Thread]] = {}
        for entry, step, skips in state.threads:
            if skips and kind != _Vocabulary.STOP:
                ways.setdefault(entry, []).append(_Thread(entry, step, -skips))
            elif not skips and self._takes[entry][step] in members:
                ways.setdefault(entry, []).append(_Thread(entry, step + 1, 0))
        return self._state(list(ways.items()))

    def _state(self, ways: Sequence[tuple[int, list[_Thread]]]) -> _State | None:
        """The state in which these ways of these entries go on. A negative number of skips: one was just used up."""
        threads: list[_Thread] = []
        ends: list[int] = []
        for entry, reached in ways:
            waiting: dict[_Thread, None] = {}
            for thread in reached:
                for one in self._waits(thread):
                    if one is None:  # the phrase ends here: less wanted ways are given up
                        break
                    waiting.setdefault(one)
                else:
                    continue
                ends.append(entry)
                break
            threads += waiting
        if not threads and not ends:
            return None
        key = (tuple(threads), tuple(ends))
        if key not in self._states:
            self._states[key] = _State(self, *key)
        return self._states[key]

    def _waits(self, thread: _Thread) -> Iterator[_Thread | None]:
        """The ways on from here that wait for a word, the most wanted first; None: the phrase ends here."""
        entry, step, skips = thread
        steps = self._steps[entry]
        if skips < 0:
            left = -skips - 1
            yield from self._waits(_Thread(entry, step + 1, 0))
            if left:
                yield _Thread(entry, step, left)
        elif step == len(steps):
            yield None
        elif steps[step].gap:
            yield from self._waits(_Thread(entry, step + 1, 0))
            yield _Thread(entry, step, GAP)
        else:
            yield thread
            if steps[step].optional:
                yield from self._waits(_Thread(entry, step + 1, 0))
