"""Whether a person only thanks or confirms, so that nothing is left to do (guide: *kind*).

A solution that is told makes it so, unless something is still asked or still wrong. Thanks alone must stand nearly
alone. A promise to test leaves nothing to do for us.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from triage.core.model import Label
from triage.core.reading.matches import Hit, Signals

THANKS = "thanks"

_SENTENCE = re.compile(r"[^.!?;\n]+")
_NUMBER = re.compile(r"\d{3,}")
_OWN_WORDS = 8  # words beside thanks that an answer may have and still be no more than thanks
_OWN_WORDS_UNMARKED = 6
_BESIDE_ASSENT = 4  # words beside "ok" or "understood" where nobody thanks
_BESIDE_PRAISE = 1  # and as many more beside each further word of thanks
_MOST_PRAISE = 5


def thanks(text: str, found: Signals, marked: bool, attached: bool) -> Label | None:
    """The label `thanks`, or None when something is left to do. `marked`: an earlier conversation is answered."""
    thanked, solved = _in_text(found, "thanks"), _in_text(found, "solved")
    if not (thanked or solved) or asks_something(text):
        return None
    sentences = _Sentences(tuple(match.start() for match in _SENTENCE.finditer(text)) or (0,))
    inside = _Spans([*thanked, *solved, *_in_text(found, "promise"), *_in_text(found, "filler")])
    asked, wrong, turns = (
        [hit for hit in _in_text(found, name) if not inside.holds(hit)] for name in ("ask", "open", "contrast")
    )
    if asked:
        return None
    evidence = tuple(hit.evidence for hit in (*solved[:2], *thanked[:2]))
    if solved:
        at: dict[int, int] = {}
        for hit in solved:
            at.setdefault(sentences.of(hit), hit.start)
        # "But somehow it works now" is good news; "it works, but ..." is none.
        if any(at.get(sentences.of(hit), hit.end) < hit.start for hit in turns) or any(
            sentences.opens(turn) and sentences.of(hit) == sentences.of(turn) and sentences.of(turn) not in at
            for turn in turns
            for hit in wrong
        ):
            return None
        if not marked and (not thanked or wrong):
            return None
        return Label(THANKS, 0.92 if not wrong else 0.75, evidence)
    if wrong or turns or attached or _NUMBER.search(text):
        return None
    beside = len(re.findall(r"[^\W_]+", inside.without(text)))
    praise = min(_MOST_PRAISE, len({hit.start for hit in thanked}) - 1)
    most = _OWN_WORDS if marked else _OWN_WORDS_UNMARKED
    if all(hit.rule.weight < 1 for hit in thanked):
        most = _BESIDE_ASSENT  # "On my phone it is OK with the same settings" tells something
    if beside > most + _BESIDE_PRAISE * praise:
        return None
    return Label(THANKS, round(0.9 - 0.03 * beside, 2), evidence)


def _in_text(found: Signals, name: str) -> list[Hit]:
    return [hit for hit in found.of(f"kind.{name}") if not hit.in_subject]


_QUESTION = re.compile(r"[^\s?]\s?\?(?!\S)|¿")


def asks_something(text: str) -> bool:
    """Whether there is a question mark that ends words, and not one within an address."""
    return any(_QUESTION.search(line) for line in text.split("\n") if "?" in line or "¿" in line)


@dataclass(frozen=True, slots=True)
class _Sentences:
    """Where the sentences of a text begin."""

    starts: tuple[int, ...]

    def of(self, hit: Hit) -> int:
        return bisect_right(self.starts, hit.start) - 1

    def opens(self, hit: Hit) -> bool:
        """Whether the hit stands at the beginning of its sentence."""
        return hit.start - self.starts[self.of(hit)] <= 3


class _Spans:
    """The places that some hits take."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.spans = [(hit.start, hit.end) for hit in hits]

    def holds(self, hit: Hit) -> bool:
        return any(start <= hit.start and hit.end <= end for start, end in self.spans)

    def without(self, text: str) -> str:
        kept, at = [], 0
        for start, end in sorted(self.spans):
            if start > at:
                kept.append(text[at:start])
            at = max(at, end)
        return " ".join((*kept, text[at:]))
