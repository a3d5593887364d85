"""Scoring labelled messages, and the command that does it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from triage.adapters.packs import load
from triage.commands.evaluate import evaluate
from triage.core import evaluate as scoring
from triage.core.errors import ConfigError
from triage.core.model import Body, Desk, Evidence, Label, Reading
from triage.core.pack import Pack

PACK = Path(__file__).parents[2] / "rules" / "navixy"

LABELS = {
    "kind": "request",
    "language": "en",
    "questions": 1,
    "request_type": "incident",
    "service": "api",
    "out_of_scope": None,
    "severity": "3",
    "fields": {"account": True, "asset": False},
    "courtesy": "ok",
}


def message(**changes: Any) -> dict[str, Any]:
    base = {"id": "m1", "subject": "API", "text": "The call fails.", "attachments": [], "labels": LABELS}
    return base | changes


def reading(**changes: Any) -> Reading:
    """A reading that agrees with LABELS."""
    right = Reading(
        kind=Label("request"),
        language=Label("en"),
        language_code="en",
        body=Body("The call fails."),
        questions=("The call fails.",),
        questions_confidence=0.9,
        request_type=Label("incident", 0.8),
        service=Label("api", 0.9),
        out_of_scope=Label(None),
        severity=Label("3"),
        courtesy=Label("ok"),
        deployment=Label(None),
        fields={"account": Label("true"), "asset": Label("false")},
    )
    return replace(right, **changes)


def report(*pairs: tuple[dict[str, Any], Reading]) -> scoring.Report:
    return scoring.score((scoring.row(data), read) for data, read in pairs)


def test_a_reading_that_agrees_is_right_in_every_label() -> None:
    found = report((message(), reading()))
    assert all(tally.accuracy == 1.0 for tally in found.labels.values())
    assert found.mistakes == []
    assert set(found.labels) >= {"kind", "service", "fields.account", "fields.asset", "several_questions"}


def test_precision_recall_and_f1_of_a_value() -> None:
    tally = scoring.Tally()
    tally.pairs.update({("api", "api"): 3, ("api", "ssl"): 1, ("ssl", "api"): 2, ("ssl", "ssl"): 2})
    api = tally.values()["api"]
    assert (api.precision, api.recall) == (3 / 5, 3 / 4)
    assert api.f1 == pytest.approx(2 * 0.6 * 0.75 / (0.6 + 0.75))
    assert tally.accuracy == 5 / 8
    assert tally.macro_f1 == pytest.approx((api.f1 + tally.values()["ssl"].f1) / 2)


def test_a_value_that_was_only_said_does_not_count_for_macro_f1() -> None:
    tally = scoring.Tally()
    tally.pairs.update({("api", "api"): 1, ("api", "ssl"): 1})
    assert tally.macro_f1 == pytest.approx(2 / 3)


def test_a_label_that_is_mostly_null_has_figures_of_its_values_alone() -> None:
    found = report(
        (message(), reading(out_of_scope=Label("server"))),
        (message(labels=LABELS | {"out_of_scope": "server"}), reading(out_of_scope=Label("server"))),
        (message(), reading()),
    )
    told = found.labels["out_of_scope"].told()
    assert (told.precision, told.recall) == (0.5, 1.0)


def test_unsure_labels_are_not_scored() -> None:
    found = report((message(unsure=["service", "fields.asset", "questions"]), reading(service=Label("ssl"))))
    assert not {"service", "fields.asset", "questions", "several_questions"} & set(found.labels)


def test_machine_mail_is_scored_on_kind_and_language_only() -> None:
    found = report((message(labels=LABELS | {"kind": "bounce"}), reading(kind=Label("bounce"))))
    assert set(found.labels) == {"kind", "language"}


def test_numbers_and_text_are_the_same_value() -> None:
    found = report((message(labels=LABELS | {"severity": 3}), reading()))
    assert found.labels["severity"].accuracy == 1.0


def test_one_against_several_is_scored_beside_the_number() -> None:
    found = report((message(labels=LABELS | {"questions": 3}), reading(questions=("a", "b"))))
    assert found.labels["questions"].accuracy == 0.0
    assert found.labels["several_questions"].accuracy == 1.0


@pytest.mark.parametrize(
    ("expected", "got", "closing", "same"),
    [
        ("One two.", "One\n two. ", "", True),
        ("One two.\n\nRegards,\nAnn", "One two.", "Regards,\nAnn", True),
        ("One two.", "One two.\nRegards,\nAnn", "Regards,\nAnn", True),
        ("One two.", "One", "", False),
        ("One two.", "One two. Three.", "Regards", False),
    ],
)
def test_the_text_may_keep_or_drop_its_closing(expected: str, got: str, closing: str, same: bool) -> None:
    assert scoring.same_text(expected, got, closing) is same


def test_expected_text_is_held_against_the_body() -> None:
    right = message(expected_text="The call fails.")
    wrong = message(expected_text="Another text.")
    assert report((right, reading()), (wrong, reading())).labels["text"].accuracy == 0.5


def test_the_worst_mistake_is_the_surest_and_shows_what_misled() -> None:
    misled = Label("ssl", 0.97, (Evidence("en.ssl", "reading", "https"),))
    unsure = Label("question", 0.4)
    found = report((message(), reading(service=misled, request_type=unsure)))
    first, second = found.worst()
    assert (first.label, first.expected, first.got, first.evidence[0].matched) == ("service", "api", "ssl", "https")
    assert second.label == "request_type"


def test_confusion_names_what_a_value_was_read_as() -> None:
    found = report((message(), reading(service=Label("ssl"))), (message(), reading()))
    assert scoring.confusion(found.labels["service"]) == {"api": {"api": 1, "ssl": 1}}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"text": "x"}, "labels"),
        ({"text": "x", "labels": {}}, "labels: empty"),
        ({"text": 5, "labels": LABELS}, "text"),
        ({"text": "x", "labels": LABELS, "attachments": "a.png"}, "attachments"),
        ({"text": "x", "labels": {"fields": []}}, "fields"),
    ],
)
def test_a_row_that_is_no_labelled_message_says_what_is_wrong(data: dict[str, Any], says: str) -> None:
    with pytest.raises(scoring.RowError, match=says):
        scoring.row(data)


# ---------------------------------------------------------------- the command


class Context:
    def pack(self) -> Pack:
        return load(PACK)

    def desk(self) -> Desk:
        return Desk(addresses=("support@vendor.example",))


def run(tmp_path: Path, text: str, *options: str) -> Result:
    file = tmp_path / "some.jsonl"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(evaluate, [str(file), *options], obj=Context())


def test_the_command_shows_each_label_and_the_mistakes(tmp_path: Path) -> None:
    wrong = message(id="m7", labels=LABELS | {"service": "ssl"})
    result = run(tmp_path, json.dumps(message()) + "\n\n" + json.dumps(wrong) + "\n")
    assert result.exit_code == 0
    assert "2 messages" in result.output
    assert "ssl read as api" in result.output
    assert "m7  service" in result.output


def test_the_command_speaks_json(tmp_path: Path) -> None:
    result = run(tmp_path, json.dumps(message()) + "\n", "--json")
    shown = json.loads(result.output)
    assert shown["rows"] == 1
    assert shown["labels"]["service"]["values"]["api"]["meant"] == 1
    assert shown["labels"]["service"]["confusion"] == {"api": {"api": 1}}


@pytest.mark.parametrize("line", ['{"id": ', "[1, 2]", '{"id": "x", "text": "y"}', "[" * 100_000])
def test_a_broken_line_is_named_by_file_and_number(tmp_path: Path, line: str) -> None:
    result = run(tmp_path, json.dumps(message()) + "\n" + line + "\n")
    assert isinstance(result.exception, ConfigError)
    assert "some.jsonl: line 2: " in str(result.exception)


def test_a_file_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.jsonl"
    file.write_bytes(b'{"id": "\xe9"}\n')
    result = CliRunner().invoke(evaluate, [str(file)], obj=Context())
    assert isinstance(result.exception, ConfigError)
    assert "latin.jsonl" in str(result.exception)
