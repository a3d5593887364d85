"""Learns what words say about a label, from the example mails in reading/corpus, for a rule pack.

    python -m reading.train rules/navixy

writes rules/navixy/model/<label>.json: a logistic regression over words, pairs of words, stems, and the rules of the
pack that speak in a mail (see triage/core/reading/learned.py, which reads a mail the same way). Plain Python and a
fixed seed: the same corpus and words give the same file. The card in each file says what it was trained on, and how
well it does on mails of the corpus that it has not seen (one of five, without the weights of the rules beside it).

The mails of the corpus are invented; they are written and labelled by the triage guide in the format of
`triage evaluate`.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.adapters.packs import load
from triage.core.pack import NONE, Pack
from triage.core.reading.learned import Wording
from triage.core.reading.matches import lexicon
from triage.core.reading.topic import said

CORPUS = Path(__file__).parent / "corpus"
NOTHING = "null"  # the value of out_of_scope when nothing is


@dataclass(frozen=True, slots=True)
class Manner:
    """How a label is learned; found on labelled mails apart from the corpus."""

    rules: float  # how much the weight of a word rule counts beside the learned weights
    rate: float  # how far one mail moves the weights


LABELS = {"service": Manner(0.7, 0.2), "request_type": Manner(0.8, 0.1), "out_of_scope": Manner(1.5, 0.2)}
EPOCHS = 20
SETTLED = 10  # epochs after which the weights count: their mean over the others is what was learned
SLOWER = 0.3  # what each epoch takes off the rate
DECAY = 2e-5
USUAL = 3.3  # the rarity of a word that counts whole: one in some thirty mails has it
SEEN_AT_LEAST = 2  # mails in which a word must stand to be learned
SMALLEST = 0.2  # weights nearer to zero are left out


@dataclass(slots=True)
class Model:
    """Weights of a multinomial logistic regression."""

    values: list[str]
    start: list[float]
    weights: dict[str, list[float]]

    def scores(self, words: Wording) -> list[float]:
        total = self.start[:]
        scale = words.scale
        for word in words.all:
            weights = self.weights.get(word)
            if weights:
                for k, weight in enumerate(weights):
                    total[k] += weight * scale
        return total

    def best(self, words: Wording) -> str:
        scores = self.scores(words)
        return self.values[scores.index(max(scores))]


def train(mails: Sequence[Wording], meant: Sequence[str], rate: float = 0.2, seed: int = 1) -> Model:
    """Fits the weights by stochastic gradient descent.

    A word counts by the square of its rarity (inverse document frequency) while it is learned: "in the" is as often
    seen with one value as with the other, and would else be given a weight by chance. The rarity is then in its weight.
    """
    values = sorted(set(meant))
    number = {value: k for k, value in enumerate(values)}
    seen = Counter(word for mail in mails for word in mail.all)
    rarity = {word: (math.log(len(mails) / n) / USUAL) ** 2 for word, n in seen.items() if n >= SEEN_AT_LEAST}
    weights = {word: [0.0] * len(values) for word in rarity}
    read = [
        (number[value], [(weights[word], rarity[word] * mail.scale) for word in mail.all if word in rarity])
        for mail, value in zip(mails, meant, strict=True)
    ]
    start = [0.0] * len(values)
    shrunk = 1.0  # what all weights are to be multiplied by: so that a mail need not touch the weights of all words
    chance = random.Random(seed)
    mean = {word: [0.0] * len(values) for word in rarity}
    mean_start = start[:]
    for epoch in range(EPOCHS):
        chance.shuffle(read)
        pace = rate / (1 + SLOWER * epoch)
        for value, words in read:
            sums = [0.0] * len(values)
            for row, count in words:
                sums = [total + weight * count for total, weight in zip(sums, row, strict=True)]
            slope = _softmax([first + shrunk * total for first, total in zip(start, sums, strict=True)])
            slope[value] -= 1
            shrunk *= 1 - pace * DECAY
            for row, count in words:
                by = pace * count / shrunk
                row[:] = [weight - by * one for weight, one in zip(row, slope, strict=True)]
            start = [first - 0.1 * pace * one for first, one in zip(start, slope, strict=True)]
        if epoch >= SETTLED:
            share = shrunk / (EPOCHS - SETTLED)
            for word, row in weights.items():
                mean[word] = [a + b * share for a, b in zip(mean[word], row, strict=True)]
            mean_start = [a + b / (EPOCHS - SETTLED) for a, b in zip(mean_start, start, strict=True)]
    return Model(values, mean_start, {word: [weight * rarity[word] for weight in row] for word, row in mean.items()})


def _softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def held_back(mails: Sequence[Wording], meant: Sequence[str], rate: float, share: int = 5) -> tuple[float, float]:
    """Accuracy and macro-F1 on one mail of every five, when they are not learned from."""
    pairs: Counter[tuple[str, str]] = Counter()
    out = [int(hashlib.sha256(f"{i}".encode()).hexdigest(), 16) % share == 0 for i in range(len(mails))]
    kept = [i for i, is_out in enumerate(out) if not is_out]
    model = train([mails[i] for i in kept], [meant[i] for i in kept], rate)
    for mail, value, is_out in zip(mails, meant, out, strict=True):
        if is_out:
            pairs[value, model.best(mail)] += 1
    right = sum(n for (expected, got), n in pairs.items() if expected == got)
    f1 = []
    for value in sorted({expected for expected, _ in pairs}):
        said = sum(n for (_, got), n in pairs.items() if got == value)
        known = sum(n for (expected, _), n in pairs.items() if expected == value)
        f1.append(2 * pairs[value, value] / (said + known))
    return right / sum(pairs.values()), sum(f1) / len(f1)


def corpus() -> tuple[list[dict[str, Any]], str]:
    """The example mails, and a digest of their files."""
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    for path in sorted(CORPUS.glob("*.jsonl")):
        data = path.read_bytes()
        digest.update(data)
        rows += [json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()]
    return rows, digest.hexdigest()


def main(folder: Path) -> None:
    rows, digest = corpus()
    pack = load(folder)
    (folder / "model").mkdir(exist_ok=True)
    worded = [(row, as_read(row, pack)) for row in rows]
    for label, manner in LABELS.items():
        fit = [(row, words) for row, words in worded if teaches(row, label)]
        mails = [words for _, words in fit]
        meant = [_written(row["labels"], label) for row, _ in fit]
        accuracy, macro = held_back(mails, meant, manner.rate)
        model = train(mails, meant, manner.rate)
        card = {
            "made_by": "reading/train.py",
            "what": "logistic regression over words, pairs of words, five-letter stems, and the word rules that speak",
            "corpus": "reading/corpus: invented mails, labelled by the triage guide",
            "corpus_sha256": digest,
            "mails": len(mails),
            "mails_by_value": dict(sorted(Counter(meant).items())),
            "held_back": {"mails": "one of five", "accuracy": round(accuracy, 3), "macro_f1": round(macro, 3)},
        }
        write(folder / "model" / f"{label}.json", label, card, manner.rules, model)
        print(f"{label}: {len(mails)} mails, {len(model.weights)} words, accuracy {accuracy:.3f}, macro-F1 {macro:.3f}")


def as_read(row: dict[str, Any], pack: Pack) -> Wording:
    """The words of a mail, and the rules of the pack that they speak to, as the reader of topics has them."""
    text, subject = row["text"], row["subject"]
    return said(text, subject, lexicon(pack, [row["labels"]["language"]]).signals(text, subject))[0]


def teaches(row: dict[str, Any], label: str) -> bool:
    """Whether a mail teaches a label: not where the guide leaves it open (`unsure`)."""
    return label not in row.get("unsure", ())


def _written(labels: dict[str, Any], label: str) -> str:
    """The value to learn. A scope with a row of its own is read from the row, so it is none here."""
    value = labels[label]
    return NOTHING if value is None or (label == "out_of_scope" and labels["service"] != NONE) else value


def write(path: Path, label: str, card: dict[str, Any], rules: float, model: Model) -> None:
    """The file of one label; the words of each value stand in the order of their weight."""
    weights: dict[str, dict[str, float]] = {}
    for k, value in enumerate(model.values):
        heavy = [(round(w[k], 2), word) for word, w in model.weights.items() if abs(w[k]) >= SMALLEST]
        weights[value] = {word: weight for weight, word in sorted(heavy, key=lambda pair: (-pair[0], pair[1]))}
    start = {value: round(model.start[k], 3) for k, value in enumerate(model.values)}
    whole = {"label": label, "card": card, "rules": rules, "start": start, "weights": weights}
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m reading.train RULE-PACK-FOLDER")
    main(Path(sys.argv[1]))
