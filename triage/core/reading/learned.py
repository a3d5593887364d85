"""What was learned from example mails: a linear model over the words of a mail, beside the word rules.

Each label has weights from word to value (`Pack.learned`, made by reading/train.py). A mail's words, pairs of words and
word stems are looked up and added; the opinion keeps which words said how much, so that a person can see why.
The time grows with the number of words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from triage.core.model import Evidence
from triage.core.pack import Learned, Pack
from triage.core.reading.matches import once_per_pack
from triage.core.reading.phrases import tokens

_STEM = 5  # letters that stand for all forms of a long word
_MARKS = frozenset(".!?;:\n¿¡")
_START = "^"  # stands before the first word of a sentence: "^ please"
_LONGEST = 6000  # characters that are looked at: a matter is told at its beginning
_FEW = 8  # a mail with fewer words than this is not held to say more by each

# word -> (value, weight) pairs
Index = dict[str, tuple[tuple[str, float], ...]]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the words of a mail say about one label."""

    scores: Mapping[str, float]  # value -> how much speaks for it
    reasons: Mapping[str, tuple[Evidence, ...]]  # value -> the words that spoke for it most
    rules: float  # how much the weight of a word rule counts beside the scores


@dataclass(slots=True)
class Wording:
    """The words of a mail in the form in which they were learned: word, pair or stem -> as it stands in the mail."""

    words: dict[str, str] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """What each of them counts: long mails say no more than short ones."""
        return 3.0 / math.sqrt(max(len(self.words), _FEW))


def wording(text: str, subject: str = "") -> Wording:
    """The words, pairs of neighbours and stems of a mail; every number is the same word."""
    found = Wording()
    for part in (subject, text[:_LONGEST]):
        before = _START
        for token in tokens(part):
            word = token.word
            if word in _MARKS:
                if word == "?":
                    found.words.setdefault(word, word)
                before = _START
                continue
            if word[0].isdigit():
                word = "#"
            else:
                found.words.setdefault(word, word)
                if len(word) > _STEM:
                    found.words.setdefault(word[:_STEM] + "-", word)
            found.words.setdefault(f"{before} {word}", f"{before} {word}".removeprefix(f"{_START} "))
            before = word
    return found


def opinions(words: Wording, pack: Pack) -> dict[str, Opinion]:
    """What was learned about each label, said of these words."""
    return {label: _opinion(words, pack.learned[label], index) for label, index in _indexes(pack).items()}


def _opinion(words: Wording, learned: Learned, index: Index) -> Opinion:
    scale = words.scale
    scores = dict(learned.start)
    said: dict[str, list[tuple[float, str]]] = {}
    for word, shown in words.words.items():
        for value, weight in index.get(word, ()):
            scores[value] += weight * scale
            if weight > 0:
                said.setdefault(value, []).append((weight * scale, shown))
    return Opinion(
        scores, {value: _reasons(learned.label, value, heard) for value, heard in said.items()}, learned.rules
    )


def _reasons(label: str, value: str, heard: list[tuple[float, str]], at_most: int = 3) -> tuple[Evidence, ...]:
    heaviest = dict.fromkeys(shown for _, shown in sorted(heard, reverse=True))
    return tuple(Evidence(f"learned.{label}.{value}", "reading", shown) for shown in list(heaviest)[:at_most])


@once_per_pack
def _indexes(pack: Pack) -> dict[str, Index]:
    """The learned weights by word, made once for each pack."""
    found: dict[str, Index] = {}
    for label, learned in pack.learned.items():
        index: dict[str, list[tuple[str, float]]] = {}
        for value, weights in learned.weights.items():
            for word, weight in weights.items():
                index.setdefault(word, []).append((value, weight))
        found[label] = {word: tuple(pairs) for word, pairs in index.items()}
    return found
