"""How many tickets a mail needs, line by line of the guide, and the words of each question."""

from __future__ import annotations

import time
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from triage.core.pack import Words
from triage.core.reading.matches import Lexicon
from triage.core.reading.questions import LONGEST, MOST, Questions, questions
from triage.core.reading.segments import units

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"

MAILS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text("utf-8"))["mail"]


@lru_cache
def _lexicon(language: str) -> Lexicon:
    files = [WORDS / folder / "questions.toml" for folder in (language, "any")]
    words = [Words.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in files]
    return Lexicon([rule for part in words for rule in part.rule], [form for part in words for form in part.form])


def read(text: str, language: str = "en", subject: str = "") -> Questions:
    return questions(text, subject, _lexicon(language).signals(text, subject))


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail["about"])
def test_a_mail_needs_as_many_tickets_as_the_guide_says(mail: dict[str, Any]) -> None:
    assert len(read(mail["text"], mail["language"]).texts) == mail["questions"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "en",
            "Hello team,\n\nThe fuel report of client Alfa is empty for May. We rebuilt it twice.\n\n"
            "Another question: can we put our own logo in the app?\n\nThanks",
            [
                "The fuel report of client Alfa is empty for May. We rebuilt it twice.",
                "Another question: can we put our own logo in the app?",
            ],
        ),
        (
            "es",
            "Buenas tardes. El equipo 8612 no reporta desde ayer. "
            "Por otro lado, ¿cómo renuevo el certificado del dominio?",
            ["El equipo 8612 no reporta desde ayer.", "Por otro lado, ¿cómo renuevo el certificado del dominio?"],
        ),
        (
            "en",
            "Hi,\n\n1. How do I export geofences to KML?\n"
            "2. Which port must the firewall open for Teltonika?\n\nThanks",
            ["How do I export geofences to KML?", "Which port must the firewall open for Teltonika?"],
        ),
        (
            "en",
            "Hi Eva, two things: 1) the map is blank for user 12 2) how do I rename a tariff?",
            ["the map is blank for user 12", "how do I rename a tariff?"],
        ),
        (
            "en",
            "hi, the bill of May is wrong for panel 12, by the way how do we switch to yearly payment?",
            ["the bill of May is wrong for panel 12", "by the way how do we switch to yearly payment?"],
        ),
        (
            "en",
            'The call fails:\n\n{"success": false}\n\nSecondly, where do I see the number of calls of this month?',
            ["The call fails", "Secondly, where do I see the number of calls of this month?"],
        ),
    ],
)
def test_each_question_is_quoted_in_the_words_of_the_sender(language: str, text: str, expected: list[str]) -> None:
    found = read(text, language)
    assert list(found.texts) == expected
    assert all(words in text for words in found.texts)


def test_lines_that_a_mail_client_wrapped_are_one_sentence() -> None:
    text = (
        "The weekly report of the client Alfa Logistics about idling and about the fuel that\n"
        "was refuelled does not arrive since Monday.\n\nPlease check."
    )
    assert len(read(text).texts) == 1
    assert len(units(text)) == 2


def test_the_words_that_opened_another_question_are_the_evidence() -> None:
    found = read("The map is blank. On another note, how do I rename a tariff?")
    assert ("en.question.also.aside", "On another note") in [(item.rule, item.matched) for item in found.evidence]


def test_a_mail_without_text_is_asked_by_its_subject() -> None:
    assert read("", subject="How do I add a user?").texts == ("How do I add a user?",)
    assert read("").texts == ()


def test_a_reading_says_how_sure_it_is() -> None:
    clear = read("The map is blank. Another question: how do I rename a tariff?").confidence
    unclear = read("The map is blank. And how do I rename a tariff?").confidence
    assert 0.5 <= unclear < clear < 1


def test_more_than_can_be_quoted_is_cut_at_a_word() -> None:
    found = read("The report is wrong " + "and the numbers differ " * 200)
    assert len(found.texts) == 1
    assert len(found.texts[0]) <= LONGEST + 2
    assert found.texts[0].endswith(("and …", "the …", "numbers …", "differ …"))


def test_a_language_without_a_pack_is_read_by_its_commonest_words() -> None:
    text = "Guten Tag, der Bericht funktioniert nicht mehr. Außerdem: wie kann ich einen Benutzer löschen?"
    assert len(read(text).texts) == 2


@pytest.mark.parametrize(
    "piece",
    [
        "? ",
        "also ",
        "1) ",
        "1) a?\n",
        "1 a\n2 b\n",
        "(",
        ".",
        " ",
        "\n",
        "- also how?\n",
        "two questions and how ",
        "it ",
        "https://",
    ],
)
def test_hostile_repetition_is_read_in_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    signals = _lexicon("en").signals(text)
    started = time.perf_counter()
    found = questions(text, "", signals)
    assert time.perf_counter() - started < 5  # milliseconds by design: a guard against what never ends
    assert len(found.texts) <= MOST
