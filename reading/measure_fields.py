"""Holds what is read of two fields, element and actions, against the mails of the corpus that are labelled for them.

    python -m reading.measure_fields rules/navixy

The labels stand apart from the mails, in reading/corpus-fields/labels.jsonl: a line names a mail of reading/corpus by
its id. They were given by the triage guide before the mail was read by the program. Printed are precision, recall and
F1 of "true" for each file of the corpus and for all, and the mails that were read otherwise with --mistakes.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from triage.adapters.packs import load
from triage.core.evaluate import Score, row
from triage.core.model import Desk
from triage.core.pack import Pack
from triage.core.reading.read import read

HERE = Path(__file__).parent
FIELDS = ("element", "actions")
Pairs = Counter[tuple[bool, bool]]  # (said by the label, said by the program) -> how often


def labels() -> dict[str, dict[str, bool]]:
    """Mail id -> field -> whether the information is there."""
    lines = (HERE / "corpus-fields" / "labels.jsonl").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return {entry["id"]: {field: entry[field] for field in FIELDS} for entry in entries}


def readings(pack: Pack, known: Mapping[str, Mapping[str, bool]]) -> Iterator[tuple[str, str, str, bool, bool]]:
    """(file, mail id, field, said by the label, said by the program) for each labelled mail that is in the corpus."""
    for path in sorted((HERE / "corpus").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            mail = json.loads(line)
            if mail["id"] not in known:
                continue
            given = read(row(mail).email, pack, Desk()).fields
            for field in FIELDS:
                yield path.stem, mail["id"], field, known[mail["id"]][field], given[field].value == "true"


def score(pairs: Pairs) -> Score:
    right = pairs[True, True]
    return Score(right, right + pairs[False, True], right + pairs[True, False])


def main(folder: Path, mistakes: bool) -> None:
    tallies: dict[tuple[str, str], Pairs] = defaultdict(Counter)
    for file, mail, field, meant, said in readings(load(folder), labels()):
        tallies[field, file][meant, said] += 1
        tallies[field, "all"][meant, said] += 1
        if mistakes and meant != said:
            print(f"{mail}: {field} is {str(meant).lower()}")
    for (field, file), pairs in sorted(tallies.items()):
        found = score(pairs)
        print(
            f"{field:8} {file:12} mails {pairs.total():5}  precision {found.precision:.3f}  recall {found.recall:.3f}"
            f"  F1 {found.f1:.3f}"
        )


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--mistakes"]
    if len(arguments) != 1:
        sys.exit("usage: python -m reading.measure_fields RULE-PACK-FOLDER [--mistakes]")
    main(Path(arguments[0]), "--mistakes" in sys.argv)
