"""The bytes of our replies."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.adapters.compose import compose
from triage.core.errors import MailError
from triage.core.model import Address, Reply

SENDER = Address("support@vendor.example", "Soporte técnico")
DATE = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LONG_ID = "<" + "A1" * 33 + "A" + "@eurprd04.example>"
OURS = "<t1.abcdef@vendor.example>"


def reply(**changes: str) -> Reply:
    values = {
        "to": "ana@partner.example",
        "subject": "[T-1] Informe vacío",
        "text": "Hola Ana:\n\nFalta la cuenta.\n",
        "html": "",
        "language": "es",
        "template": "missing",
    }
    return Reply(**(values | changes))


def make(words: Reply | None = None, **changes: Any) -> bytes:
    values: dict[str, Any] = {"sender": SENDER, "message_id": OURS, "date": DATE}
    return compose(words or reply(), **(values | changes))


def parse(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: Any) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


def test_says_what_it_is() -> None:
    mail = parse(make(in_reply_to="<1@partner.example>", references=("<0@partner.example>", "<1@partner.example>")))
    assert mail["From"] == "Soporte técnico <support@vendor.example>"
    assert mail["To"] == "ana@partner.example"
    assert mail["Subject"] == "[T-1] Informe vacío"
    assert mail["Date"].datetime == DATE
    assert mail["Message-ID"] == OURS
    assert mail["In-Reply-To"] == "<1@partner.example>"
    assert mail["References"] == "<0@partner.example> <1@partner.example>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Triage"] == "reply"
    assert text_of(mail) == "Hola Ana:\n\nFalta la cuenta.\n"


def test_html_goes_beside_the_text() -> None:
    mail = parse(make(reply(html="<p>Falta la cuenta: ¿cuál?</p>\n")))
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text_of(html).rstrip() == "<p>Falta la cuenta: ¿cuál?</p>"


def test_same_arguments_give_the_same_bytes() -> None:
    words = reply(html="<p>Hola</p>")
    assert make(words) == make(words)
    assert make(words) != make(words, message_id="<t2@vendor.example>")


def test_long_ids_stay_whole() -> None:
    assert len(LONG_ID) == 86
    references = tuple(f"<{n}" + LONG_ID[1:] for n in range(5))
    raw = make(in_reply_to=LONG_ID, references=references, message_id=LONG_ID)
    assert b"=?" not in raw.partition(b"References:")[2].partition(b"MIME")[0]
    mail = email.message_from_bytes(raw)
    assert mail["In-Reply-To"].split() == [LONG_ID]
    assert mail["Message-ID"].split() == [LONG_ID]
    assert tuple(mail["References"].split()) == references


def test_references_keep_the_first_and_the_last_ten() -> None:
    mail = parse(make(references=tuple(f"<{n}@partner.example>" for n in range(50))))
    assert str(mail["References"]).split() == [f"<{n}@partner.example>" for n in (0, *range(40, 50))]


@pytest.mark.parametrize(
    "bad", ["", "no brackets", "<a b@c>", "<a@b>\r\nBcc: x@y.example", "<ñ@b>", f"<{'x' * 300}@y>"]
)
def test_unusable_ids_are_left_out(bad: str) -> None:
    mail = parse(make(in_reply_to=bad, references=(bad, "<1@partner.example>", bad)))
    assert mail["In-Reply-To"] is None
    assert mail["References"] == "<1@partner.example>"
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    "subject",
    [
        "Re: x\r\nBcc: victim@example.com",
        "Re: x\nBcc: victim@example.com\n\nbody",
        "Re: x\rBcc: y\x0bz\x0cw\x00\x1b[31m",
        "Re: x\u2028Bcc: y\u2029z\x85w",
        "\u202etxt.exe",
        "half a pair \ud83d here",
        "=?utf-8?q?=0d=0aBcc:_victim@example.com?=",
        "a " * 100_000,
        "ñ" * 10_000,
        "x" * 10_000,
        "",
    ],
)
def test_no_subject_adds_a_header(subject: str) -> None:
    raw = make(reply(subject=subject))
    names = [line.partition(b":")[0] for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in b" \t"]
    assert names == [
        *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"X-Auto-Response-Suppress"),
        *(b"X-Triage", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"),
    ]
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")


@pytest.mark.parametrize(
    "name", ['Ana "la jefa" <x@y.example>', "Ana\r\nBcc: x@y.example", "Ñandú, S.A.", "", "x" * 5000]
)
def test_names_of_the_sender_stay_names(name: str) -> None:
    mail = parse(make(sender=Address("support@vendor.example", name)))
    assert [a.addr_spec for a in mail["From"].addresses] == ["support@vendor.example"]
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    "address", ["", "ana", "a@b\r\nBcc: c@d", "a@b, c@d", "a b@c.example", "ana@", "@b.example", "ñ@b.example", "<a@b>"]
)
def test_what_is_no_address_gets_no_mail(address: str) -> None:
    with pytest.raises(MailError, match="no address"):
        make(reply(to=address))


def test_extra_headers_are_values_only() -> None:
    mail = parse(make(extra_headers=[("X-Ticket", "T-1\r\nBcc: x@y.example")]))
    assert mail["X-Ticket"] == "T-1 Bcc: x@y.example"
    with pytest.raises(ValueError, match="header name"):
        make(extra_headers=[("X-Ticket: a\r\nBcc", "x")])


def test_note_to_staff_is_no_reply() -> None:
    mail = parse(make(auto_submitted=False, extra_headers=[("Auto-Submitted", "auto-generated")]))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Triage"] is None


@pytest.mark.parametrize("text", ["x" * 5000, "From here\n.\n..dots\n", "ñ\n" * 300, "tab\tand trailing  \n", "\ud83d"])
def test_text_survives_transport(text: str) -> None:
    raw = make(reply(text=text))
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    said = text_of(parse(raw))
    assert said.rstrip("\n") == text.encode("utf-8", "replace").decode().rstrip("\n")


@settings(deadline=None, max_examples=300)
@given(subject=st.text(), name=st.text(), text=st.text(), html=st.text(), id_=st.text(), value=st.text())
def test_no_argument_breaks_out_of_its_place(
    subject: str, name: str, text: str, html: str, id_: str, value: str
) -> None:
    raw = make(
        reply(subject=subject, text=text, html=html),
        sender=Address("support@vendor.example", name),
        in_reply_to=id_,
        references=(id_, LONG_ID),
        extra_headers=[("X-Ticket", value)],
    )
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    names = [line.partition(b":")[0] for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in b" \t"]
    expected = ["From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"]
    expected += ["X-Auto-Response-Suppress", "X-Triage", "X-Ticket", "MIME-Version", "Content-Type"]
    if not html:
        expected.append("Content-Transfer-Encoding")
    assert [n.decode() for n in names] == [n for n in expected if n != "In-Reply-To" or b"In-Reply-To" in names]
    assert len(list(email.message_from_bytes(raw).walk())) == (3 if html else 1)
