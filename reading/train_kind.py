"""Learns what automatic replies say that people do not, for a rule pack.

    python -m reading.train_kind rules/navixy

writes rules/navixy/model/kind.json beside the files of reading/train.py, by the same method. Its automatic replies and
its people's mails that sound like one are in reading/corpus/kind; all the other mails of the corpus are people's, too.
Only the opening of a text is learned from, for there a machine says what it is, and no subject: a reply has ours.
Each sentence is shown by itself as well (of people's every third): a short notice then says as much as a long one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from reading.train import CORPUS, Model, corpus, train, write
from triage.core.reading.learned import Wording, wording
from triage.core.reading.machine import AUTO_REPLY, PERSON, learned_from

KIND = CORPUS / "kind"
REPEATED = 3  # times that each automatic reply is shown, for there are many more mails of people
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
SHORTEST = 4  # words of a sentence that is shown by itself
FOLDS = 5


def own_rows() -> tuple[list[dict[str, Any]], str]:
    """The mails that only this label is learned from, and a digest of their files."""
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    for path in sorted(KIND.glob("*.jsonl")):
        data = path.read_bytes()
        digest.update(data)
        rows += [json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()]
    return rows, digest.hexdigest()


def fit(mails: list[tuple[str, str]]) -> Model:
    shown: list[tuple[Wording, str]] = []
    sentences = 0
    for text, value in mails:
        shown += [(wording(text), value)] * (REPEATED if value == AUTO_REPLY else 1)
        for sentence in SENTENCE.split(text):
            if len(sentence.split()) < SHORTEST:
                continue
            sentences += 1
            if value == AUTO_REPLY:
                shown += [(wording(sentence), value)] * REPEATED
            elif sentences % 3 == 0:
                shown.append((wording(sentence), value))
    return train([words for words, _ in shown], [value for _, value in shown])


def held_back(mails: list[tuple[str, str]]) -> dict[str, Any]:
    """The share of automatic replies that is known, and of people's mails that is taken for one, each mail unseen."""
    known = lost = 0
    for out in range(FOLDS):
        model = fit([pair for i, pair in enumerate(mails) if i % FOLDS != out])
        for text, value in (pair for i, pair in enumerate(mails) if i % FOLDS == out):
            said = model.best(wording(text)) == AUTO_REPLY
            known += said and value == AUTO_REPLY
            lost += said and value == PERSON
    automatic = sum(value == AUTO_REPLY for _, value in mails)
    return {
        "folds": FOLDS,
        "known": round(known / automatic, 3),
        "people_lost": round(lost / (len(mails) - automatic), 4),
    }


def main(pack: Path) -> None:
    own, digest = own_rows()
    rows = [*own, *corpus()[0]]
    mails = [
        (learned_from(row["text"]), AUTO_REPLY if row["labels"]["kind"] == AUTO_REPLY else PERSON)
        for row in rows
        if row["labels"].get("kind") not in ("bounce", "list", "loop", "empty")
    ]
    figures = held_back(mails)
    model = fit(mails)
    card = {
        "made_by": "reading/train_kind.py",
        "what": "logistic regression over words, pairs of words and five-letter stems",
        "corpus": "reading/corpus/kind, and all of reading/corpus as people's mail: invented mails",
        "corpus_sha256": digest,
        "mails": len(mails),
        "automatic": sum(value == AUTO_REPLY for _, value in mails),
        "held_back": figures,
    }
    write(pack / "model" / "kind.json", "kind", card, 1.0, model)
    print(f"kind: {card['automatic']} automatic replies of {len(mails)} mails, {len(model.weights)} words, {figures}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m reading.train_kind RULE-PACK-FOLDER")
    main(Path(sys.argv[1]))
