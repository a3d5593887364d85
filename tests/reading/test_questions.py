"""How many tickets a mail needs, and the words of each question."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

import pytest

from triage.core.pack import Words
from triage.core.reading.matches import Lexicon
from triage.core.reading.questions import Questions, questions

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"


@lru_cache
def _lexicon(language: str) -> Lexicon:
    words = Words.model_validate(tomllib.loads((WORDS / language / "questions.toml").read_text("utf-8")))
    return Lexicon(words.rule, words.form)


def read(text: str, language: str = "en", subject: str = "") -> Questions:
    return questions(text, subject, _lexicon(language).signals(text, subject))


SEVERAL = {
    "connector": (
        "en",
        "Hello team,\n\nThe fuel report of client Alfa is empty for May.\n\n"
        "Another question: can we put our own logo in the app?",
        ["The fuel report of client Alfa is empty for May.", "Another question: can we put our own logo in the app?"],
    ),
    "conector": (
        "es",
        "Buenas tardes. El equipo 8612 no reporta desde ayer. Por otro lado, ¿cómo renuevo el certificado del dominio?",
        ["El equipo 8612 no reporta desde ayer.", "Por otro lado, ¿cómo renuevo el certificado del dominio?"],
    ),
    "numbered": (
        "en",
        "Hi,\n\n1. How do I export geofences to KML?\n2. Which port must the firewall open for Teltonika?\n\nThanks",
        ["How do I export geofences to KML?", "Which port must the firewall open for Teltonika?"],
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_separate_matters_are_quoted_each_by_itself(name: str) -> None:
    language, text, expected = SEVERAL[name]
    assert list(read(text, language).texts) == expected
