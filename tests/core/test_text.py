"""What others wrote is shown, and obeyed by nobody."""

from __future__ import annotations

import json

import pytest

from triage.core.text import ascii_domain, json_line, lines, one_line

TRICKS = [
    "\r", "\n", "\x00", "\x1b[2J", "\x07", "\x7f", "\x9b31m", "\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f",
    "\u061c", "\ufeff", "\ufffc", "\ud83d", "\u2063", "\U000e0041", "\u200b", "\u00ad", "\u3164", "\U000e0101",
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_one_line_holds_no_character_that_anything_obeys(trick: str) -> None:
    shown = one_line(f"a{trick}b")
    assert trick[0] not in shown and shown.startswith("a") and shown.endswith("b")
    shown.encode()


def test_words_of_any_script_stay() -> None:
    text = "Año 2026 – Привет 日本語 \u05e9\u05dc\u05d5\u05dd 👩\u200d🔧"
    assert one_line(text) == text


def test_a_word_with_letters_that_nobody_sees_is_that_word() -> None:
    assert one_line("Ac\u200bme\u00ad Corp\u180e") == "Acme Corp"


def test_only_the_sign_that_is_to_be_kept_is_kept() -> None:
    assert one_line("a\ufffc\ufffc\nb", keep="\ufffc") == "a\ufffc\ufffc b"


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("trick", [one for one in TRICKS if one != "\n"])
def test_lines_keep_their_ends_and_nothing_else(trick: str) -> None:
    assert trick[0] not in lines(f"a{trick}b\nc") and lines("a\nb") == "a\nb"


@pytest.mark.parametrize("trick", TRICKS)
def test_json_says_everything_and_shows_nothing_that_a_terminal_obeys(trick: str) -> None:
    line = json_line({"text": f"ñ{trick}"})
    assert trick[0] not in line and "ñ" in line
    assert json.loads(line) == {"text": f"ñ{trick}"}


def test_a_domain_is_compared_as_it_stands_on_the_wire() -> None:
    assert ascii_domain(" Bücher.Example. ") == "xn--bcher-kva.example"
    with pytest.raises(ValueError):
        ascii_domain("ü" * 70 + ".example")
