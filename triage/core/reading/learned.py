"""What was learned from example mails: a linear model over the words of a mail, beside the word rules.

Each label has weights from word to value (`Pack.learned`, made by reading/train.py). A mail's words, pairs of words,
word stems, and the rules that speak in it (a rule for one label may tell much of another) are looked up and added; the
opinion keeps which words said how much, so that a person can see why.
The time grows with the number of words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from triage.core.model import Evidence
from triage.core.pack import Pack
from triage.core.reading.matches import Hit, once_per_pack
from triage.core.reading.phrases import tokens
from triage.core.threads import bare_subject

_STEM = 5  # letters that stand for all forms of a long word
_MARKS = frozenset(".!?;:\n¿¡")
_START = "^"  # stands before the first word of a sentence: "^ please"
_RULE = "="  # stands before the id of a word rule that speaks in the mail
_TITLE = "s:"  # stands before the stem of a word of the subject, which names the matter better than others
_LONGEST = 6000  # characters that are looked at: a matter is told at its beginning
APART = frozenset({"kind"})  # labels that are read before the matter, by themselves
_FEW = 8  # a text with fewer words (and pairs and stems) than this is not held to say more by each


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the words of a mail say about one label."""

    scores: Mapping[str, float]  # value -> how much speaks for it
    rules: float  # how much the weight of a word rule counts beside the scores
    _heard: Callable[[str], list[tuple[float, str]]]
    _label: str

    def reasons(self, value: str, at_most: int = 3) -> tuple[Evidence, ...]:
        """The words that spoke for a value most."""
        heaviest = dict.fromkeys(shown for _, shown in sorted(self._heard(value), reverse=True))
        return tuple(Evidence(f"learned.{self._label}.{value}", "reading", shown) for shown in list(heaviest)[:at_most])


class _Rows(dict[str, tuple[float, ...]]):
    """The weights of a word for each value, gathered when it is first met: a mail has few of the words there are."""

    def __init__(self, tables: Sequence[Mapping[str, float]]) -> None:
        self._tables = tables

    def __missing__(self, word: str) -> tuple[float, ...]:
        self[word] = tuple(table.get(word, 0.0) for table in self._tables)
        return self[word]


@dataclass(frozen=True, slots=True)
class _Index:
    """What was learned, by word: its weight for each value of each label, in the order of `values`."""

    values: tuple[tuple[str, str], ...]  # (label, value)
    words: frozenset[str]  # for which there are weights
    weights: _Rows


@dataclass(slots=True)
class Wording:
    """The words of a mail in the form in which they were learned: word, pair or stem -> as it stands in the mail."""

    words: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)  # the word rules that speak in it, told apart by `_RULE`
    few: int = _FEW

    @property
    def all(self) -> dict[str, str]:
        """Everything that may have been learned."""
        return self.words | self.rules

    @property
    def scale(self) -> float:
        """What each of them counts: long mails say no more than short ones."""
        return 3.0 / math.sqrt(max(len(self.words), self.few))


def wording(text: str, subject: str = "", hits: Iterable[Hit] = (), few: int = _FEW) -> Wording:
    """The words, pairs of neighbours and stems of a mail, and the rules that hit; every number is the same word.

    The subject of a reply is that of an earlier mail: it still names the matter, but its sentences are not this mail's.
    """
    found = Wording(rules={_RULE + hit.rule.id: hit.matched for hit in hits}, few=few)
    words = found.words
    reply = is_reply(subject)
    for part in (text[:_LONGEST],) if reply else (subject, text[:_LONGEST]):
        before = _START
        for word in tokens(part).words:
            if word in _MARKS:
                if word == "?":
                    words.setdefault(word, word)
                before = _START
                continue
            if word[0].isdigit():
                word = "#"
            elif word not in words:
                words[word] = word
                if len(word) > _STEM:
                    words.setdefault(word[:_STEM] + "-", word)
            pair = f"{before} {word}"
            if pair not in words:
                words[pair] = word if before == _START else pair
            before = word
    for word in tokens(subject).words:
        if word not in _MARKS:
            words.setdefault(f"{_TITLE}{word[:_STEM]}", word)
    return found


def is_reply(subject: str) -> bool:
    """Whether a subject is that of an earlier mail."""
    return bare_subject(subject) != " ".join(subject[:500].split())


def opinion(words: Wording, pack: Pack, label: str) -> Opinion | None:
    """What was learned about one label that is read apart from the others; None when nothing was."""
    learned = pack.learned.get(label)
    if learned is None:
        return None
    scale = words.scale
    scores = {
        value: learned.start.get(value, 0.0) + scale * sum(weights[word] for word in words.words if word in weights)
        for value, weights in learned.weights.items()
    }

    def heard(value: str) -> list[tuple[float, str]]:
        weights = learned.weights.get(value, {})
        return [(weights[word], shown) for word, shown in words.words.items() if weights.get(word, 0.0) > 0]

    return Opinion(scores, learned.rules, heard, label)


def opinions(words: Wording, pack: Pack) -> dict[str, Opinion]:
    """What was learned about each label of the matter, said of these words."""
    index = _index(pack)
    known = [(index.weights[word], shown) for word, shown in words.all.items() if word in index.words]
    scores = {label: dict(learned.start) for label, learned in pack.learned.items() if label not in APART}
    scale = words.scale
    if known:
        columns = zip(*(weights for weights, _ in known), strict=True)
        for (label, value), column in zip(index.values, columns, strict=True):
            scores[label][value] += scale * sum(column)

    def heard(label: str, value: str) -> list[tuple[float, str]]:
        if (label, value) not in index.values:
            return []
        place = index.values.index((label, value))
        return [(weights[place], shown) for weights, shown in known if weights[place] > 0]

    return {
        label: Opinion(scores[label], learned.rules, partial(heard, label), learned.label)
        for label, learned in pack.learned.items()
        if label not in APART
    }


@once_per_pack
def _index(pack: Pack) -> _Index:
    """The learned weights by word, made once for each pack."""
    values = tuple(
        (label, value) for label, learned in pack.learned.items() if label not in APART for value in learned.weights
    )
    tables = [pack.learned[label].weights[value] for label, value in values]
    return _Index(values, frozenset().union(*tables), _Rows(tables))
