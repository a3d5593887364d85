"""No text makes the words and patterns of a shipped pack slow, and what is passed over at a glance holds no match."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from triage.adapters import packs
from triage.core.pack import Form, Pack
from triage.core.reading import prefilter
from triage.core.reading.matches import lexicon
from triage.core.reading.phrases import tokens

RULES = Path(__file__).parents[2] / "rules"
PACKS = [packs.load(folder) for folder in sorted(RULES.iterdir()) if (folder / "pack.toml").exists()]
# What patterns repeat, look around at, or end on.
PIECES = [*"aA1 .,:;-_/\\\"'<>[]{}()=#$%!?@|*&+~`\t\nñéи中Éo0", "a.", "a ", "1 ", "a-", "1-", "A1", "a=", "a/", " a",
          ". ", "::", "--", "a_", "1.", "''", '"a', "<a", "[a", "{\"", "a\n", "\n\n", "1,", "0:", "ab1", "the ", "a b ",
          "http://", "www.", "error ", "Error: ", "imei ", "GET /", "not ", "no "]  # fmt: skip
LENGTH = 2000  # characters of a line that forms look at
LONGEST = 1.0  # seconds; what is right takes a few thousandths


def forms(pack: Pack) -> list[Form]:
    return [form for words in pack.words.values() for form in words.form]


def seconds(work: object) -> float:
    began = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - began


def texts(heads: list[str]) -> list[str]:
    """Repeated pieces, by themselves and behind words with which a pattern begins."""
    return [head + piece * (LENGTH // len(piece)) for piece in PIECES for head in ("", *heads)]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.manifest.name)
def test_no_form_is_slow_on_repeated_characters(pack: Pack) -> None:
    for form in forms(pack):
        pattern = re.compile(form.pattern, re.IGNORECASE if form.ignore_case else 0)
        heads = [one + " " for one in prefilter.needs(form.pattern).one_of[:3]]
        for text in texts(heads):
            took = seconds(lambda text=text, pattern=pattern: list(pattern.finditer(text)))
            assert took < LONGEST / 10, f"{form.id} takes {took:.2f} s on {text[:20]!r}..."


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.manifest.name)
def test_signals_of_repeated_characters_take_time_as_the_text_is_long(pack: Pack) -> None:
    words = lexicon(pack)
    for piece in PIECES:
        text = piece * (20_000 // len(piece))
        assert seconds(lambda text=text: words.signals(text)) < LONGEST, f"slow on {piece!r}"


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.manifest.name)
def test_signals_of_nothing_but_words_of_phrases_take_time_as_the_text_is_long(pack: Pack) -> None:
    words = lexicon(pack)
    vocabulary = sorted(
        {
            word
            for part in pack.words.values()
            for rule in part.rule
            for phrase in rule.phrases
            for word in phrase.split()
        }
    )
    text = " ".join(re.sub(r"[^\w ]", "", f"{first} {last}") for first, last in pairwise(vocabulary))[:60_000]
    short, long = seconds(lambda: words.signals(text[:6000])), seconds(lambda: words.signals(text))
    assert long < max(LONGEST, 40 * short)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.manifest.name)
def test_a_line_that_is_passed_over_has_no_match(pack: Pack) -> None:
    mails = Path(__file__).parents[1] / "mails"
    lines = [line for mail in mails.glob("*.eml") for line in mail.read_text("utf-8", "replace").split("\n")]
    lines += [line for folder in RULES.iterdir() for mail in folder.glob("examples/*.eml")
              for line in mail.read_text("utf-8", "replace").split("\n")]  # fmt: skip
    lines += [line.upper() for line in lines] + [text for text in texts([]) if "\n" not in text]
    for form in forms(pack):
        pattern = re.compile(form.pattern, re.IGNORECASE if form.ignore_case else 0)
        needs = prefilter.needs(form.pattern)
        finder = prefilter.Finder([needs.one_of])
        for line in lines:
            plain = prefilter.folded(line)
            passed = prefilter.digits(line) < needs.digits or (needs.one_of and not finder.find(plain))
            if passed:
                assert not pattern.search(line), f"{form.id}: {needs} but {line!r} has a match"


@pytest.mark.parametrize(
    ("pattern", "one_of", "count"),
    [
        ("needle", {"needle"}, 0),
        ("NEEDLE|thread", {"needle", "thread"}, 0),
        (r"api\.[a-z]{1,9}/|/v\d/", {"api.", "/v"}, 0),
        (r"(?:01|35)\d(?:[ .-]?\d){12}", {"01", "35"}, 15),
        (r"f[*#]{1,3}k", {"f*", "f#"}, 0),
        (r"(?:very )?long", {"long"}, 0),
        (r"\d{3,5}", set(), 3),
        (r"[a-z]*", set(), 0),
        (r"(a|b)?", set(), 0),
        (r"\?|<a[a-z]{1,9}>", {"?", "<a"}, 0),
        (r"(?:next|p)[a-z]?[:-]", {":", "-"}, 0),
        (r"x(?=needle)", set(), 0),
        ("İI", {"ii"}, 0),
    ],
)
def test_what_a_pattern_needs(pattern: str, one_of: set[str], count: int) -> None:
    needs = prefilter.needs(pattern)
    assert (set(needs.one_of), needs.digits) == (one_of, count)


def test_strings_within_each_other_are_all_found() -> None:
    finder = prefilter.Finder([["he", "xyz"], ["she"], ["hers", "his"], ["er"], ["absent"]])
    assert finder.find("ushers") == {0, 1, 2, 3}
    assert finder.find("u sh e rs") == set()
    assert finder.find("shis xyxyz") == {0, 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Está el 2.5 listo? No.", ["esta", "el", "2", "5", "listo", "?", "no", "."]),
        ("it’s a naïve ﬁle…", ["it's", "a", "naive", "file"]),
        ("ΟΔΟΣ İz ½", ["οδος", "iz", "1⁄2"]),
    ],
)
def test_words_are_folded_and_keep_their_places(text: str, words: list[str]) -> None:
    said = tokens(text)
    assert said.words == words
    assert len(said.spans) == len(words)
    assert text[slice(*said.spans[0])] == text.split()[0].rstrip(".")
