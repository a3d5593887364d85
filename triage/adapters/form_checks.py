"""Whether a regular expression of a pack may look at text from strangers.

The time of a match must not explode with the text. Two looks: the parsed expression (no repeat without an end, no
repeat directly inside another), and the clock, over growing lines made of a few characters each, so that what explodes
shows itself while it is still small.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

_parser: Any = re._parser  # type: ignore[attr-defined]  # the only place where the parsed form can be seen

LONGEST_REPEAT = 1000  # of one character or class
MOST_ROUNDS = 12  # of a repeat that has variable repeats inside
_LENGTHS = (*range(8, 46, 6), 90, 400)  # of the lines that are tried
_OWN_LENGTHS = (12, 18, 24, 32, 90, 400)
_MOST_LITERALS = 12  # of an expression's own characters that are tried
_SLOW_SECONDS = 0.004  # for one line; a good form needs some hundred-thousandths


def fault(pattern: str, ignore_case: bool = True) -> str:
    """What is wrong with an expression and what would be right; "" when it may be used."""
    try:
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        parsed = _parser.parse(pattern)
    except re.error as error:
        where = f" at character {error.pos + 1}" if error.pos is not None else ""
        return f"is not a regular expression: {error.msg}{where}"
    except (RecursionError, OverflowError):
        return "is too large or too deeply nested to be a regular expression"
    if compiled.match(""):
        return "also fits an empty text; it should need at least one character"
    wrong = _unsafe(parsed, False)
    if wrong:
        return wrong
    if _slow(compiled, _own_lines(parsed)):
        return "takes too long on long lines of one character; give its repeats smaller bounds or clearer beginnings"
    return ""


def _unsafe(steps: Any, within: bool) -> str:
    """What is wrong with these steps; `within`: they stand inside a repeat of several rounds."""
    for operation, argument in steps:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            wrong = _unsafe_repeat(argument, within, separated=len(steps) > 1)
        elif name == "BRANCH":
            wrong = next(filter(None, (_unsafe(branch, within) for branch in argument[1])), "")
        elif name == "SUBPATTERN":
            wrong = _unsafe(argument[3], within)
        elif name in ("ASSERT", "ASSERT_NOT"):
            wrong = _unsafe(argument[1], within)
        elif name == "ATOMIC_GROUP":
            wrong = _unsafe(argument, within)
        elif name in ("GROUPREF", "GROUPREF_EXISTS"):
            wrong = "refers back to a group (\\1); write the text out instead"
        else:
            wrong = ""
        if wrong:
            return wrong
    return ""


def _unsafe_repeat(argument: Any, within: bool, separated: bool) -> str:
    low, high, inside = argument
    if high is _parser.MAXREPEAT:
        return "has a repeat without an end (*, + or {n,}); write its bounds: {0,40}"
    if high > LONGEST_REPEAT:
        return f"has a repeat of up to {high}; at most {LONGEST_REPEAT} is permitted"
    if within and low != high and high > 1 and not separated:
        return "has a repeat directly inside a repeat; put a separator between them or make them one"
    if low != high and high > MOST_ROUNDS and _has_variable_repeat(inside):
        return f"has repeats inside a repeat of up to {high} rounds; at most {MOST_ROUNDS} are permitted"
    return _unsafe(inside, within or high > 1)


def _has_variable_repeat(steps: Any) -> bool:
    for operation, argument in steps:
        inside: list[Any] = []
        if str(operation).endswith("_REPEAT"):
            low, high, repeated = argument
            if low != high and high > 1:
                return True
            inside = [repeated]
        elif str(operation) == "SUBPATTERN":
            inside = [argument[3]]
        elif str(operation) == "BRANCH":
            inside = argument[1]
        if any(map(_has_variable_repeat, inside)):
            return True
    return False


def _slow(compiled: re.Pattern[str], own: Sequence[str]) -> bool:
    for line in (*_lines(), *own):
        began = time.perf_counter()  # far cheaper to ask than the time of this thread alone, and never less
        for _ in compiled.finditer(line):
            pass
        if time.perf_counter() - began >= _SLOW_SECONDS and _slow_on(compiled, line):
            return True
    return False


def _slow_on(compiled: re.Pattern[str], line: str) -> bool:
    """Whether a line takes too long each time that it is tried: a busy machine is slow by chance, not always."""
    for _ in range(3):
        began = time.thread_time()
        for _ in compiled.finditer(line):
            pass
        if time.thread_time() - began < _SLOW_SECONDS:
            return False
    return True


def _own_lines(parsed: Any) -> Sequence[str]:
    """Lines of the characters that the expression itself names: on these it may try longest."""
    named = list(dict.fromkeys(_literals(parsed)))[:_MOST_LITERALS]
    seeds = [*named, *(first + second for first, second in pairwise(named))]
    return tuple((seed * length)[:length] for length in _OWN_LENGTHS for seed in seeds)


def _literals(steps: Any) -> Iterator[str]:
    for operation, argument in steps:
        name = str(operation)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "IN":
            yield from (chr(value) for kind, value in argument if str(kind) == "LITERAL")
        elif name.endswith("_REPEAT"):
            yield from _literals(argument[2])
        elif name == "SUBPATTERN":
            yield from _literals(argument[3])
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _literals(branch)


@cache
def _lines() -> Sequence[str]:
    """The lines to try, the shortest first."""
    seeds = ("a", "0", " ", ".", "-", "_", "/", ":", "a0", "a ", "0 ", "a.", "0.", "0-", "a-", "0:", "f", "x0,", "é")
    return tuple((seed * length)[:length] for length in _LENGTHS for seed in seeds)
