"""The words of replies: from templates, in each language, as text and as HTML that say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from triage.adapters import packs
from triage.core.clock import Rules, make_rules
from triage.core.replies import TICKET, TO_PARTNERS, Facts, check_templates, numbered, write
from triage.core.reply_html import to_html

DUE = datetime(2026, 11, 26, 18, tzinfo=UTC)
FACTS = Facts(
    to_name="Ana Ruiz",
    subject="Trips",
    zone="America/Mexico_City",
    due=DUE,
    hours=6,
    guaranteed=True,
    severity="3",
    request_type="incident",
    service="features",
    deployment="paas",
    missing=("account",),
    questions=("How?", "Why?"),
)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return make_rules(packs.load(packs.shipped_rules() / "navixy"))


def test_the_shipped_texts_are_whole(rules: Rules) -> None:
    assert check_templates(rules.pack) == []


@pytest.mark.parametrize("template", TO_PARTNERS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_html_and_text_say_the_same(rules: Rules, template: str, language: str) -> None:
    reply = write(rules, template, (language,), "ana@acme.example", FACTS)
    body = reply.html[reply.html.index("<body") :]
    words = unescape(re.sub(r"<[^>]+>", " ", body))

    def bare(text: str) -> list[str]:
        return re.findall(r"\w+", re.sub(r"(?m)^(?:- |\d+\. )", "", text))

    assert bare(words) == bare(reply.text)


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_due_time_stands_in_the_partners_zone_and_in_utc(rules: Rules, language: str) -> None:
    text = write(rules, "accepted", (language,), "ana@acme.example", FACTS).text
    assert "12:00 (Mexico City) = 18:00 UTC" in text
    assert ("Thursday, 26 November 2026" if language == "en" else "jueves 26 de noviembre de 2026") in text


def test_a_day_that_differs_is_named_twice(rules: Rules) -> None:
    late = Facts(zone="Asia/Tokyo", due=DUE, hours=6, guaranteed=True)
    text = write(rules, "accepted", ("en",), "a@b.example", late).text
    assert "Friday, 27 November 2026, 03:00 (Tokyo) = Thursday, 26 November 2026, 18:00 UTC" in text


def test_every_number_of_a_split_mail_is_named(rules: Rules) -> None:
    reply = numbered(write(rules, "split", ("en",), "a@b.example", FACTS), "1001", "1002")
    assert reply.subject == "Re: [#1001] Trips"
    assert "#1001, #1002" in reply.text
    assert TICKET not in reply.text + reply.html + reply.subject


def test_several_languages_stand_below_each_other(rules: Rules) -> None:
    reply = write(rules, "stranger", ("en", "es"), "a@b.example", FACTS)
    assert reply.language == "en+es"
    assert reply.text.index("Thank you") < reply.text.index("Gracias")


@pytest.mark.parametrize("name", ["<b>x</b>", "a@b.example", "Ana\r\nBcc: x", "{{ 7 * 7 }}", "\u202eAna", "1234", ""])
def test_what_does_not_look_like_a_name_is_not_greeted(rules: Rules, name: str) -> None:
    text = write(rules, "accepted", ("en",), "a@b.example", Facts(to_name=name, due=DUE)).text
    assert text.startswith(("Hello,\n", "Hello Ana,\n"))


def test_words_of_a_mail_stay_words(rules: Rules) -> None:
    hostile = "<script>x</script> {{ 7 * 7 }}\r\nBcc: evil@x.example\x00 " + TICKET
    facts = Facts(subject=hostile, questions=(hostile, "b"), due=DUE)
    reply = numbered(write(rules, "several", ("en",), "a@b.example", facts), "1001")
    assert "\n" not in reply.subject and "\r" not in reply.text and "\x00" not in reply.text
    assert "{{ 7 * 7 }}" in reply.text
    assert "<script" not in reply.html


@pytest.mark.parametrize(
    "text", ["We are late: sorry.", "Este prazo é garantido: 6 horas (P4: um detalhe).", "Note: " + "x" * 130]
)
def test_a_sentence_with_a_colon_is_no_table(text: str) -> None:
    assert "<table" not in to_html(text)


def test_a_list_a_table_a_rule_and_a_link_become_html() -> None:
    html = to_html("Hello,\n\n- one\n- two\n\nDue: now\n\n-----\n\nSee https://vendor.example/docs?a=1&b=2.")
    assert html.count("<ul") == 1 and html.count("<li") == 2
    assert "<table" in html and "<hr" in html
    assert 'href="https://vendor.example/docs?a=1&amp;b=2"' in html


def test_faulty_templates_are_told_with_their_file(rules: Rules) -> None:
    texts = {language: dict(files) for language, files in rules.pack.replies.items()}
    texts["en"]["accepted"] = "Subject: x\n\n{{ deu }}"
    texts["es"]["accepted"] = "Subject: x\n\n{% if %}"
    texts["en"]["several"] = "Subject: x\n\n{% if not vendor %}never{% endif %}"
    texts["en"]["nonsense"] = "Subject: x\n\ny"
    texts["en"]["remainder"] = "Subject: x\n\ny"
    texts["en"]["split"] = "no subject"
    texts["es"]["split"] = "Subject: x\n\n{% for one in range(30000) %}{{ vendor }}{% endfor %}"
    del texts["es"]["stranger"]
    faults = [str(fault) for fault in check_templates(rules.pack.model_copy(update={"replies": texts}))]
    for said in (
        "replies/en/accepted.txt: line 3: unknown variable 'deu'; did you mean 'due'?",
        "replies/es/accepted.txt: line 3",
        "replies/en/several.txt: would go out empty",
        "replies/en/nonsense.txt: no reply has this name; known are accepted",
        "replies/en/remainder.txt: no reply has this name; did you mean 'reminder'?",
        "replies/en/split.txt: line 1: must be 'Subject: ...'",
        "replies/es/split.txt: would be longer than 100,000 characters",
        "replies/es/stranger.txt: is missing",
    ):
        assert any(fault.startswith(said) for fault in faults), said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("{{ nobody.x }}", "unknown variable 'nobody'"),
        ("{{ ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa'][weekday] }}", "cannot be filled in"),
        ("{% set x = day %}{{ y }}", "unknown variable 'y'; did you mean 'day'?"),
        ("{% if day > 9 %}x{% endif %}", "would be empty"),
        ("{{ day | nofilter }}", "No filter named"),
        ("{% for", "line 1"),
    ],
)
def test_a_faulty_way_of_writing_times_is_told_once(rules: Rules, moment: str, said: str) -> None:
    texts = {language: dict(files) for language, files in rules.pack.replies.items()}
    texts["es"]["moment"] = moment
    (fault,) = check_templates(rules.pack.model_copy(update={"replies": texts}))
    assert str(fault).startswith("replies/es/moment.txt") and said.partition(";")[0] in str(fault)


def test_a_template_cannot_leave_its_sandbox(rules: Rules) -> None:
    texts = {language: dict(files) for language, files in rules.pack.replies.items()}
    texts["en"]["accepted"] = "Subject: x\n\n{{ vendor.__class__.__mro__ }}"
    faults = check_templates(rules.pack.model_copy(update={"replies": texts}))
    assert any("accepted.txt" in fault.file for fault in faults)
