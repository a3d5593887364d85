"""What every match of a pattern must hold, so that most lines need not be searched for it.

    \\bapi\\.[a-z]{1,30}\\.|/(?:api|v\\d)/     one of "api.", "/api/", "/v"
    (?:01|35)\\d(?:[ .-]?\\d){12}             15 digits

It is told from the pattern as Python's own parser of patterns sees it. What is not understood demands nothing: a
pattern is then searched everywhere, as if this module were not there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

_MOST = 24  # strings of one demand
_DIGIT = re.compile(r"\d")
_SPACE = re.compile(r"[^\S ]")


@dataclass(frozen=True, slots=True)
class Needs:
    """A line without these has no match."""

    one_of: tuple[str, ...] = ()  # strings in the form that `folded` gives; empty: nothing is demanded
    digits: int = 0  # at least so many


def folded(text: str) -> str:
    """The text as patterns that ignore case see it; every space is the same."""
    text = _SPACE.sub(" ", text.casefold())
    # The dotless and the dotted i are an i to such a pattern.
    return text if text.isascii() else text.replace("ı", "i").replace("\u0307", "")


def digits(text: str) -> int:
    """How many digits a text has."""
    return len(_DIGIT.findall(text))


@lru_cache(maxsize=1000)  # forms stand in the lexicons of several languages
def needs(pattern: str) -> Needs:
    """What every match of this pattern holds."""
    try:
        from re import _parser  # type: ignore[attr-defined]  # no public way leads to it

        found = _of(_parser.parse(pattern))
    except (ImportError, AttributeError):
        return Needs()
    return Needs(found.one_of if found.one_of and _tells(found.one_of) > _NOTHING else (), found.digits)


# ---------------------------------------------------------------- many strings at once


class Finder:
    """Finds of which of many sets a text holds a string, reading it once (Aho and Corasick, 1975)."""

    def __init__(self, sets: Sequence[Sequence[str]]) -> None:
        alphabet = frozenset(char for strings in sets for string in strings for char in string)
        self._start = _Node(alphabet)
        for number, strings in enumerate(sets):
            for string in strings:
                node = self._start
                for char in string:
                    node = node.longer.setdefault(char, _Node(alphabet))
                node.sets |= {number}
        self._look_back()

    def _look_back(self) -> None:
        """Tell each node which one is behind it, the shorter strings first."""
        start = self._start
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            for char, longer in node.longer.items():
                longer.behind = start if node is start else node.behind.after(char)
                longer.sets |= longer.behind.sets
                waiting.append(longer)

    def find(self, text: str) -> set[int]:
        """The numbers of those sets."""
        found: set[int] = set()
        node = self._start
        for char in text:
            node = node[char]
            if node.sets:
                found |= node.sets
        return found


class _Node(dict[str, "_Node"]):
    """Where a finder stands: it has just read what some strings begin with. As a dictionary: where a character leads,
    worked out when it is first met."""

    __slots__ = ("_alphabet", "behind", "longer", "sets")

    def __init__(self, alphabet: frozenset[str]) -> None:
        self._alphabet = alphabet
        self.longer: dict[str, _Node] = {}
        self.sets: frozenset[int] = frozenset()  # of which a string ends here
        self.behind = self  # of what was read, the longest end with which some strings begin, too

    def after(self, char: str) -> _Node:
        node = self
        while char not in node.longer and node.behind is not node:
            node = node.behind
        return node.longer.get(char, node)

    def __missing__(self, char: str) -> _Node:
        node = self.after(char)
        if char in self._alphabet:  # others are too many to be kept
            self[char] = node
        return node


# ---------------------------------------------------------------- what a pattern demands


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of a part of a pattern."""

    strings: tuple[str, ...] | None = None  # all that it can match, None: more than can be listed
    starts: tuple[str, ...] | None = None  # otherwise: with one of these it begins
    one_of: tuple[str, ...] | None = None  # what it demands
    digits: int = 0


_ANYTHING = _Part()
_NO_WIDTH = _Part(strings=("",))


def _of(steps: Iterable[tuple[Any, Any]]) -> _Part:
    """A sequence: the strings of its neighbours grow together, the most telling demand holds."""
    run: tuple[str, ...] = ("",)  # strings that can stand at the end of what was seen
    whole = True
    demands: list[tuple[str, ...]] = []
    starts: tuple[str, ...] | None = None
    count = 0
    for name, value in steps:
        part = _step(str(name), value)
        count += part.digits
        if part.one_of:
            demands.append(part.one_of)
        grown = _joined(run, part.strings)
        if grown is None:
            longer = _joined(run, part.starts) or run
            starts = longer if whole else starts
            whole = False
            demands.append(longer)
            grown = part.strings or ("",)
        run = grown
    demands.append(run)
    longest = max(_tells(demand)[0] for demand in demands)  # which is not changed by leaving strings out
    best = max((_least(demand) for demand in demands if _tells(demand)[0] == longest), key=_tells)
    return _Part(run if whole else None, starts, best or None, count)


def _joined(before: Sequence[str], after: Sequence[str] | None) -> tuple[str, ...] | None:
    if after is None or len(before) * len(after) > _MOST:
        return None
    return tuple(dict.fromkeys(first + second for first, second in product(before, after)))


def _least(demand: Sequence[str]) -> tuple[str, ...]:
    """Without what holds another of them; nothing when one of them is empty."""
    if "" in demand:
        return ()
    return tuple(one for one in demand if not any(other != one and other in one for other in demand))


def _tells(demand: Sequence[str]) -> tuple[int, int]:
    """How much a demand tells: its strings are long, or few. A single letter is in every line."""
    shortest = min((0 if len(one) == 1 and one.isalnum() else len(one.strip()) for one in demand), default=0)
    return (shortest, -len(demand)) if shortest else _NOTHING


_NOTHING = (0, 0)


def _step(name: str, value: Any) -> _Part:
    match name:
        case "LITERAL":
            return _literal(chr(value))
        case "IN":
            return _one_of_characters(value)
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return _NO_WIDTH
        case "SUBPATTERN":
            return _of(value[3])
        case "ATOMIC_GROUP":
            return _of(value)
        case "BRANCH":
            return _either([_of(branch) for branch in value[1]])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _repeated(value[0], value[1], _of(value[2]))
        case _:
            return _ANYTHING


def _literal(char: str) -> _Part:
    text = folded(char)
    return _Part((text,), None, (text,) if text else None, int(char.isdecimal()))


def _one_of_characters(items: Sequence[tuple[Any, Any]]) -> _Part:
    chars: list[str] = []
    listed = True
    for name, value in items:
        match str(name):
            case "LITERAL":
                chars.append(chr(value))
            case "RANGE" if value[1] - value[0] < _MOST:
                chars += map(chr, range(value[0], value[1] + 1))
            case "CATEGORY" if str(value) == "CATEGORY_SPACE":
                chars.append(" ")
            case "CATEGORY" if str(value) == "CATEGORY_DIGIT":
                listed = False
            case _:
                return _ANYTHING
    only_digits = all(char.isdecimal() for char in chars)
    strings = tuple(dict.fromkeys(map(folded, chars)))
    return _Part(strings if listed and len(strings) <= _MOST else None, digits=int(only_digits))


def _either(parts: Sequence[_Part]) -> _Part:
    strings: list[str] | None = []
    starts: list[str] | None = []
    demand: list[str] | None = []
    for part in parts:
        begun = part.strings or part.starts
        strings = None if strings is None or part.strings is None else [*strings, *part.strings]
        starts = None if starts is None or begun is None else [*starts, *begun]
        demand = None if demand is None or part.one_of is None else [*demand, *part.one_of]
    return _Part(
        tuple(dict.fromkeys(strings)) if strings is not None and len(strings) <= _MOST else None,
        tuple(dict.fromkeys(starts)) if starts is not None and len(starts) <= _MOST else None,
        _least(tuple(dict.fromkeys(demand))) if demand else None,
        min(part.digits for part in parts),
    )


def _repeated(least: int, most: int, part: _Part) -> _Part:
    count = least * part.digits
    if least == 0:
        strings = ("", *part.strings) if part.strings is not None and most == 1 else None
        return _Part(strings)
    if least == most == 1:
        return part
    return _Part(None, part.strings or part.starts, part.one_of, count)
