"""Learns what words say about a label, from the example mails in reading/corpus, for a rule pack.

    python -m reading.train rules/navixy

writes rules/navixy/model/<label>.json: a logistic regression over words, pairs of words and stems (see
triage/core/reading/learned.py, which reads a mail the same way). Plain Python and a fixed seed: the same corpus gives
the same file. The card in each file says what it was trained on, and how well it does on mails of the corpus that it
has not seen (five-fold cross-validation, without the word rules that stand beside it).

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

from triage.core.pack import NONE
from triage.core.reading.learned import Wording, wording
from triage.core.reading.topic import spoken

CORPUS = Path(__file__).parent / "corpus"
NOTHING = "null"  # the value of out_of_scope when nothing is
# How much the weight of a word rule counts beside the learned weights; found on labelled mails apart from the corpus.
LABELS = {"service": 1.0, "request_type": 1.0, "out_of_scope": 1.5}
EPOCHS = 15
SETTLED = 5  # epochs after which the weights count: their mean over the others is what was learned
RATE = 0.2
DECAY = 1e-3
USUAL = 4.0  # the rarity of a word that counts whole: one in some fifty mails has it
SEEN_AT_LEAST = 3  # mails in which a word must stand to be learned
SMALLEST = 0.35  # weights nearer to zero are left out


@dataclass(slots=True)
class Model:
    """Weights of a multinomial logistic regression."""

    values: list[str]
    start: list[float]
    weights: dict[str, list[float]]

    def scores(self, words: Wording) -> list[float]:
        total = self.start[:]
        scale = words.scale
        for word in words.words:
            weights = self.weights.get(word)
            if weights:
                for k, weight in enumerate(weights):
                    total[k] += weight * scale
        return total

    def best(self, words: Wording) -> str:
        scores = self.scores(words)
        return self.values[scores.index(max(scores))]


def train(mails: Sequence[Wording], meant: Sequence[str], seed: int = 1) -> Model:
    """Fits the weights by stochastic gradient descent with AdaGrad steps.

    A word counts by its rarity while it is learned (inverse document frequency): "in the" is as often seen with one
    value as with the other, and would else be given a weight by chance. The rarity is then in its weight.
    """
    values = sorted(set(meant))
    number = {value: k for k, value in enumerate(values)}
    seen = Counter(word for mail in mails for word in mail.words)
    rarity = {word: math.log(len(mails) / n) / USUAL for word, n in seen.items() if n >= SEEN_AT_LEAST}
    read = [
        (number[value], [(word, rarity[word] * mail.scale) for word in mail.words if word in rarity])
        for mail, value in zip(mails, meant, strict=True)
    ]
    weights = {word: [0.0] * len(values) for word in rarity}
    steps = {word: [1e-6] * len(values) for word in rarity}
    start, start_steps = [0.0] * len(values), [1e-6] * len(values)
    chance = random.Random(seed)
    mean = {word: [0.0] * len(values) for word in rarity}
    mean_start = [0.0] * len(values)
    for epoch in range(EPOCHS):
        chance.shuffle(read)
        for value, words in read:
            scores = start[:]
            for word, count in words:
                for k, weight in enumerate(weights[word]):
                    scores[k] += weight * count
            slope = _softmax(scores)
            slope[value] -= 1
            for word, count in words:
                row, step = weights[word], steps[word]
                for k, by in enumerate(slope):
                    move = by * count + DECAY * row[k]
                    step[k] += move * move
                    row[k] -= RATE * move / math.sqrt(step[k])
            for k, by in enumerate(slope):
                start_steps[k] += by * by
                start[k] -= 0.1 * by / math.sqrt(start_steps[k])
        if epoch >= SETTLED:
            for word, row in weights.items():
                mean[word] = [a + b / (EPOCHS - SETTLED) for a, b in zip(mean[word], row, strict=True)]
            mean_start = [a + b / (EPOCHS - SETTLED) for a, b in zip(mean_start, start, strict=True)]
    return Model(values, mean_start, {word: [weight * rarity[word] for weight in row] for word, row in mean.items()})


def _softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def crossed(mails: Sequence[Wording], meant: Sequence[str], folds: int = 5) -> tuple[float, float]:
    """Accuracy and macro-F1 on mails that were held back, each once."""
    pairs: Counter[tuple[str, str]] = Counter()
    fold = [int(hashlib.sha256(f"{i}".encode()).hexdigest(), 16) % folds for i in range(len(mails))]
    for out in range(folds):
        model = train(
            [mail for i, mail in enumerate(mails) if fold[i] != out],
            [value for i, value in enumerate(meant) if fold[i] != out],
        )
        for i, mail in enumerate(mails):
            if fold[i] == out:
                pairs[meant[i], model.best(mail)] += 1
    right = sum(n for (expected, got), n in pairs.items() if expected == got)
    f1 = []
    for value in sorted(set(meant)):
        said = sum(n for (_, got), n in pairs.items() if got == value)
        known = sum(n for (expected, _), n in pairs.items() if expected == value)
        f1.append(2 * pairs[value, value] / (said + known))
    return right / len(mails), sum(f1) / len(f1)


def corpus() -> tuple[list[dict[str, Any]], str]:
    """The example mails, and a digest of their files."""
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    for path in sorted(CORPUS.glob("*.jsonl")):
        data = path.read_bytes()
        digest.update(data)
        rows += [json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()]
    return rows, digest.hexdigest()


def main(pack: Path) -> None:
    rows, digest = corpus()
    (pack / "model").mkdir(exist_ok=True)
    for label, rules in LABELS.items():
        fit = [row for row in rows if teaches(row, label)]
        mails = [wording(spoken(row["text"]), row["subject"]) for row in fit]
        meant = [_written(row["labels"], label) for row in fit]
        accuracy, macro = crossed(mails, meant)
        model = train(mails, meant)
        card = {
            "made_by": "reading/train.py",
            "what": "logistic regression over words, pairs of words and five-letter stems",
            "corpus": "reading/corpus: invented mails, labelled by the triage guide",
            "corpus_sha256": digest,
            "mails": len(mails),
            "mails_by_value": dict(sorted(Counter(meant).items())),
            "held_back": {"folds": 5, "accuracy": round(accuracy, 3), "macro_f1": round(macro, 3)},
        }
        _write(pack / "model" / f"{label}.json", label, card, rules, model)
        print(f"{label}: {len(mails)} mails, {len(model.weights)} words, accuracy {accuracy:.3f}, macro-F1 {macro:.3f}")


def teaches(row: dict[str, Any], label: str) -> bool:
    """Whether a mail teaches a label: not where the guide leaves it open (`unsure`)."""
    return label not in row.get("unsure", ())


def _written(labels: dict[str, Any], label: str) -> str:
    """The value to learn. A scope with a row of its own is read from the row, so it is none here."""
    value = labels[label]
    return NOTHING if value is None or (label == "out_of_scope" and labels["service"] != NONE) else value


def _write(path: Path, label: str, card: dict[str, Any], rules: float, model: Model) -> None:
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
