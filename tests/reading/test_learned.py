"""What is learned from example mails, and the weights that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reading import train, train_kind
from triage.adapters.packs import load
from triage.core.pack import Learned, Pack, WordRule
from triage.core.reading.learned import opinion, opinions, wording
from triage.core.reading.matches import Hit

PACK = Path(__file__).parents[2] / "rules" / "navixy"

MAILS = [
    ("The oven is cold", "oven"),
    ("My oven does not heat", "oven"),
    ("An oven without heat", "oven"),
    ("The till counts wrong", "till"),
    ("Our till is open", "till"),
    ("A till with a wrong sum", "till"),
] * 2


def test_words_pairs_stems_and_the_subject_are_what_is_learned_from() -> None:
    words = wording("Reports fail. 12 trackers", "Weekly reports").words
    assert {"reports", "repor-", "reports fail", "^ reports", "# trackers", "s:weekl"} <= words.keys()
    assert "12" not in words and "fail #" not in words  # a sentence ends between them


def test_a_question_mark_is_a_word() -> None:
    assert "?" in wording("Does it heat?").words
    assert "?" not in wording("It heats.").words


def test_a_rule_that_speaks_is_learned_like_a_word_and_makes_no_mail_longer() -> None:
    rule = WordRule(id="en.service.oven", signal="service.oven", phrases=["heat*"])
    words = wording("It does not heat", hits=[Hit(rule, "heat", 12, 16, in_subject=False)])
    assert words.all["=en.service.oven"] == "heat"
    assert words.scale == wording("It does not heat").scale


def test_the_subject_of_a_reply_only_names_the_matter() -> None:
    words = wording("Still broken.", "Re: How to weigh").words
    assert "s:weigh" in words and "how to" not in words and "weigh" not in words


def test_a_word_that_every_mail_has_is_not_learned() -> None:
    mails = [wording(f"the {text}") for text, _ in MAILS]
    weights = train.train(mails, [value for _, value in MAILS]).weights
    assert max(abs(weight) for weight in weights["the"]) == 0.0


def test_case_and_accents_do_not_matter() -> None:
    assert wording("Página CAÍDA").words.keys() == wording("pagina caida").words.keys()


def test_a_long_mail_says_no_more_than_a_short_one() -> None:
    assert wording("one two three " * 3).scale > wording(" ".join(f"word{chr(97 + n)}" for n in range(26))).scale


def test_training_learns_and_gives_the_same_twice() -> None:
    mails = [wording(text) for text, _ in MAILS]
    meant = [value for _, value in MAILS]
    model = train.train(mails, meant)
    assert model.best(wording("this oven is cold")) == "oven"
    assert model.best(wording("the till was wrong")) == "till"
    assert train.train(mails, meant).weights == model.weights


def test_an_opinion_names_the_words_that_spoke_for_it() -> None:
    learned = Learned(
        label="service",
        card={},
        rules=1.0,
        start={"oven": 0.5, "till": 0.0},
        weights={"oven": {"heat": 2.0, "cold": -1.0}, "till": {"sum": 1.0}},
    )
    pack = Pack.model_construct(learned={"service": learned})
    opinion = opinions(wording("The heat is gone, the sum is wrong"), pack)["service"]
    assert opinion.scores["oven"] > opinion.scores["till"] > 0
    assert [one.matched for one in opinion.reasons("oven")] == ["heat"]
    assert opinion.reasons("till")[0].rule == "learned.service.till"


def test_a_text_without_known_words_is_judged_by_the_start_alone() -> None:
    pack = load(PACK)
    for label, heard in opinions(wording(""), pack).items():
        assert heard.scores == pack.learned[label].start


def test_the_shipped_weights_are_made_from_the_corpus_that_lies_here() -> None:
    rows, digest = train.corpus()
    for label in train.LABELS:
        card = json.loads((PACK / "model" / f"{label}.json").read_text(encoding="utf-8"))["card"]
        assert card["corpus_sha256"] == digest, f"{label}: run python -m reading.train rules/navixy"
        assert card["mails"] <= len(rows)


def test_the_shipped_weights_of_the_kind_are_made_from_its_own_corpus() -> None:
    rows, digest = train_kind.own_rows()
    card = json.loads((PACK / "model" / "kind.json").read_text(encoding="utf-8"))["card"]
    assert card["corpus_sha256"] == digest, "run python -m reading.train_kind rules/navixy"
    assert len({row["id"] for row in rows}) == len(rows)


def test_the_kind_is_asked_for_by_itself_and_is_none_of_the_matter() -> None:
    pack = load(PACK)
    heard = opinion(wording("Our desk is closed for the holiday and answers on Monday."), pack, "kind")
    assert heard is not None and heard.scores["auto_reply"] > heard.scores["person"]
    assert heard.reasons("auto_reply")
    assert "kind" not in opinions(wording("x"), pack)
    assert opinion(wording("x"), Pack.model_construct(learned={}), "kind") is None


@pytest.mark.parametrize("label", train.LABELS)
def test_every_value_in_the_corpus_is_one_of_the_pack(label: str) -> None:
    pack = load(PACK)
    known = {
        "service": {*pack.service_by_id, "none"},
        "request_type": set(pack.request_type_by_id),
        "out_of_scope": {*pack.scope_by_id, None},
    }[label]
    rows, _ = train.corpus()
    assert {row["labels"][label] for row in rows} <= known
    assert len({row["id"] for row in rows}) == len(rows)
