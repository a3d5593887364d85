"""What a mail says is a value in a reply, in each of its texts; what a template says runs in a sandbox."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from triage.adapters import packs
from triage.adapters.compose import compose
from triage.core.clock import Rules, make_rules
from triage.core.model import Address
from triage.core.pack import Pack
from triage.core.replies import TO_PARTNERS, TO_STAFF, Facts, _samples, check_templates, numbered, write

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
PACK = packs.load(packs.shipped_rules() / "navixy")
RULES = make_rules(PACK)
HOSTILE = [
    "x\r\nBcc: victim@other.example\r\n\r\nbody",
    "x\nBcc: victim@other.example",
    "=?utf-8?q?x=0D=0ABcc=3A_victim=40other.example?=",
    "\x00\x07\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\u202egnp.exe\u2066\u2028\u2029\u200f",
    "{{ 7 * 191 }}{% for x in range(99999) %}x{% endfor %}{{ self.__init__.__globals__ }}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>&\"'</td></table>",
    'https://evil.example/"onmouseover="alert(1)',
    "javascript:alert(1) data:text/html,x",
    "\ufffc\ufffc\ufffc",
    "\ud83d\udfff",
    "Label: value\n- item\n1. item\n-----\n> quote",
    "a" * 100_000,
    "-- \nSubject: other",
]


def facts(words: str) -> Facts:
    """Every word of others that a reply may repeat."""
    fullest = max(_samples(PACK), key=lambda one: len(one.missing))
    more = hostile(fullest.extra, words)
    return replace(fullest, to_name=words, subject=words, questions=(words, words), again=True, extra=more)


def hostile(value: Any, words: str, key: str = "") -> Any:
    """The same with these words in all places but those that the program fills itself."""
    if isinstance(value, dict):
        return {name: hostile(inner, words, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, words, key) for inner in value]
    return words if isinstance(value, str) and key not in ("kind", "number") else value


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(f"@{name}" for name, _ in attrs)}
        assert all(value and value.startswith("http") for name, value in attrs if name == "href")


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("template", [*TO_PARTNERS, *TO_STAFF])
def test_hostile_words_stay_words_in_every_reply(template: str, words: str) -> None:
    languages = PACK.manifest.languages[: 1 if template in TO_STAFF else 2]
    reply = numbered(write(RULES, template, languages, "ana@acme.example", facts(words)), "1001", "1002")
    shown = reply.subject + reply.text + reply.html
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffc\ud800-\udfff]", shown
    )
    assert "\n" not in reply.subject and len(reply.subject) <= 250 and "1337" not in shown
    tags = Tags()
    tags.feed(reply.html)
    assert tags.seen <= {
        "html", "head", "meta", "body", "p", "br", "ul", "ol", "li", "table", "tr", "td", "strong", "div", "hr", "a",
        "@charset", "@style", "@href", "@role",
    }  # fmt: skip

    raw = compose(reply, sender=Address("support@vendor.example", words), message_id="<x@y>", date=AT)
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    names = {line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))}
    assert names == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "X-Triage",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert "\r" not in head.replace("\r\n", "") and "\n" not in head.replace("\r\n", "")


@pytest.mark.parametrize(
    "address", ["ana@acme.example\r\nBcc: x@y.example", "a@b.example, c@d.example", "<a@b.example>", ""]
)
def test_a_reply_to_more_than_one_mailbox_cannot_be_made(address: str) -> None:
    reply = write(RULES, "accepted", ["en"], address, facts("x"))
    with pytest.raises(Exception, match="is no address"):
        compose(reply, sender=Address("support@vendor.example"), message_id="<x@y>", date=AT)


def with_template(source: str) -> Pack:
    texts = {**PACK.replies, "en": {**PACK.replies["en"], "accepted": source}}
    return PACK.model_copy(update={"replies": texts})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ subject.__class__.__subclasses__() }}",
        "{{ self._TemplateReference__context }}",
        "{{ questions.append('x') }}",
        "{{ cycler.__init__.__globals__.os.system('id') }}",
        "{% include 'accepted' %}",
        "{% import 'os' as os %}",
        "{{ open('/etc/passwd') }}",
        "{% for x in range(10 ** 9) %}x{% endfor %}",
        "{{ 'x'.format_map({}.__class__) }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(template: str) -> None:
    faults = check_templates(with_template(f"Subject: x\n\n{template}\ntext"))
    shown = write_or_none(with_template(f"Subject: x\n\n{template}\ntext"))
    assert faults or (shown is not None and "class" not in shown and "root:" not in shown and len(shown) < 1000)


def write_or_none(pack: Pack) -> str | None:
    rules: Rules = replace(RULES, pack=pack)
    try:
        return write(rules, "accepted", ["en"], "ana@acme.example", facts("x")).text
    except Exception:
        return None
