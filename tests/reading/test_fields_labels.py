"""The labels beside the corpus, and what measures the readers with them."""

from __future__ import annotations

from collections import Counter

from reading import measure_fields


def test_every_label_says_both_fields() -> None:
    known = measure_fields.labels()
    assert len(known) > 2_000
    assert all(set(fields) == set(measure_fields.FIELDS) for fields in known.values())
    for field in measure_fields.FIELDS:
        share = sum(fields[field] for fields in known.values()) / len(known)
        assert 0.1 < share < 0.9


def test_what_is_said_without_a_label_costs_precision_and_what_is_missed_costs_recall() -> None:
    found = measure_fields.score(Counter({(True, True): 6, (False, True): 2, (True, False): 4, (False, False): 9}))
    assert (found.precision, found.recall) == (0.75, 0.6)
