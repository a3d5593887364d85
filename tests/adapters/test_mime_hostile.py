"""Mail made to hurt: it is read in a bounded time, in bounded memory, and never raises.

The guards against hanging are ten times what the reading takes on a slow machine.
"""

from __future__ import annotations

import base64
import pickle
import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.mime_mutants import TOKENS, mutants
from triage.adapters import mime_cms, mime_rtf, tnef
from triage.adapters.mime import Limits, parse

MAILS = Path(__file__).parent.parent / "mails"
SAMPLES = [path.read_bytes() for path in sorted(MAILS.glob("*.eml"))]
SECONDS = 3.0  # for one mail
HEAD = b"From: ana@fleet.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
TEXT = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def multipart(parts: bytes, boundary: bytes = b"m", kind: bytes = b"mixed") -> bytes:
    return HEAD + b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n%s' % (kind, boundary, parts)


def nested(depth: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + opening + b"Content-Type: text/plain\r\n\r\ndeep\r\n"


def nested_mails(depth: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Content-Type: text/plain\r\n\r\ndeep\r\n"


MB = 1 << 20
HOSTILE = {
    "subject of a megabyte": b"Subject: " + b"a " * (MB // 2) + b"\r\n" + TEXT + b"Hello\r\n",
    "subject of encoded words": HEAD + b"Subject: " + b"=?utf-8?q?a?= " * 5_000 + b"\r\n\r\nHello\r\n",
    "subject of beginnings of encoded words": HEAD + b"Subject: " + b"=?a?q?" * 10_000 + b"\r\n\r\nHello\r\n",
    "many subjects of question marks": b"".join(b"X-%d: =?utf-8?q?%s\r\n" % (n, b"?" * 16_000) for n in range(4))
    + TEXT,
    "20,000 recipients": b"To: " + b"a@fleet.example, " * 20_000 + b"\r\n" + TEXT + b"Hello\r\n",
    "from of brackets": b"From: " + b"<" * 60_000 + b"\r\n" + TEXT,
    "from of comments": b"From: " + b"(" * 60_000 + b"\r\n" + TEXT,
    "from of quotes and commas": b"From: " + b'",' * 30_000 + b"\r\n" + TEXT,
    "from of dots": b"From: a" + b".a" * 30_000 + b"@fleet.example\r\n" + TEXT,
    "from of at signs": b"From: " + b"a@" * 30_000 + b"\r\n" + TEXT,
    "from with a long international domain": b"From: a@" + "ü".encode() * 20_000 + b".example\r\n" + TEXT,
    "30,000 headers": b"".join(b"X-%d: a\r\n" % n for n in range(30_000)) + TEXT,
    "a header folded 30,000 times": b"Subject: a\r\n" + b" a\r\n" * 30_000 + TEXT,
    "header without an end": b"Subject: " + b"a" * (4 * MB),
    "parameters": HEAD + b"Content-Type: text/plain" + b"; a=b" * 10_000 + b"\r\n\r\nHello\r\n",
    "parameters without an end": HEAD + b"Content-Type: text/plain" + b'; a="' * 10_000 + b"\r\n\r\nHello\r\n",
    "continued parameters": HEAD
    + b"Content-Type: x/y"
    + b"".join(b"; name*%d*=%%41" % n for n in range(5_000))
    + b"\r\n\r\nx",
    "references": HEAD + b"References:" + b" <a@b>" * 8_000 + b"\r\n\r\nHello\r\n",
    "references without ends": HEAD + b"References: " + b"<a" * 30_000 + b"\r\n\r\nHello\r\n",
    "20,000 parts": multipart(b"--m\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 20_000),
    "20,000 empty parts": multipart(b"--m\r\n" * 20_000),
    "a megabyte of boundaries in one line": multipart(b"--m" * (MB // 3)),
    "boundaries with something behind": multipart(b"--m x\r\n" * (MB // 7)),
    "boundaries behind lone carriage returns": multipart(b"\r--m" * (MB // 4)),
    "an empty boundary": multipart(b"--\r\n" * 50_000, boundary=b""),
    "2,000 multiparts in each other": nested(2_000),
    "2,000 mails in each other": nested_mails(2_000),
    "45 multiparts in each other, to be parsed whole": nested(45) + b"\r--b0\r\n",
    "2,000 multiparts in each other, to be parsed whole": nested(2_000) + b"\r--b0\r\n",
    "parts by the thousand, to be parsed whole": multipart(b"\r--m\r\n" + b"--m\r\n\r\nx\r\n" * 300_000),
    "mails in each other, to be parsed whole": multipart(
        b"--m\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 1_500 + b"\r--m\r\n"
    ),
    "1,000 attached mails": multipart(b"--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nx\r\n" * 1_000),
    "100 HTML parts": multipart((b"--m\r\nContent-Type: text/html\r\n\r\n" + b"<b>x</b>" * 20_000 + b"\r\n") * 100),
    "HTML of unclosed tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a " * 300_000,
    "HTML of comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!-- " * 200_000,
    "HTML in each other": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><blockquote>" * 60_000,
    "HTML of attributes": HEAD + b"Content-Type: text/html\r\n\r\n<p " + b"a=b " * 300_000 + b">x</p>",
    "text of one line": TEXT + b"a" * (10 * MB),
    "text of line ends": TEXT + b"\r\n" * (5 * MB),
    "flowed text": HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \r\n" * 500_000,
    "beginnings of uuencoded files": TEXT + b"begin 644 x\r\n" * 100_000 + b"end\r\n",
    "uuencoded files": TEXT + b"begin 644 x\r\n#0V%T\r\n`\r\nend\r\n" * 20_000,
    "beginnings of signed texts": TEXT + b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: a\r\n" * 10_000,
    "foreign characters in base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"!A" * (4 * MB),
    "paddings in base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ==" * (2 * MB),
    "quoted-printable of soft line ends": HEAD
    + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"= " * (2 * MB),
    "invitation": HEAD
    + b"Content-Type: text/calendar\r\n\r\n"
    + b"SUMMARY:" * 9_000
    + b"\r\nDESCRIPTION;x\r\n" * 50_000,
    "report": multipart(
        b"--m\r\nContent-Type: message/delivery-status\r\n\r\n" + b"Action: failed\r\n\r\n" * 100_000, kind=b"report"
    ),
    "winmail.dat": HEAD
    + b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(
        b"\x78\x9f\x3e\x22\x01\x00"
        + b"\x01\x03\x90\x06\x00\x00\x00\x20\x00"
        + b"\xff\xff\x00\x00"
        + b"\x02\x11\x00\x10\xff\xff\x00\x00" * 262_000
    ),
    "control characters": bytes(range(32)) * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_read_in_time(name: str) -> None:
    start = time.process_time()
    email = parse(HOSTILE[name])
    assert time.process_time() - start < SECONDS
    assert "unreadable" not in email.defects
    limits = Limits()
    assert len(email.text) <= limits.text
    assert len(email.attachments) <= limits.parts + 50 * limits.mails
    assert len(email.to) <= limits.addresses
    assert len(email.references) <= limits.references
    assert len(pickle.dumps(email)) < 4 * MB


def test_mutated_mails_are_read() -> None:
    for mail in mutants(SAMPLES, 3_000, seed=20261125):
        start = time.process_time()
        email = parse(mail)
        assert time.process_time() - start < SECONDS
        assert "unreadable" not in email.defects, mail
        assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in email.subject)
        assert "=cut-" not in email.text or b"=cut-" in mail


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=60), st.sampled_from(SAMPLES[:20])), max_size=12))
def test_any_bytes_become_an_email(pieces: list[bytes]) -> None:
    mail = b"".join(pieces)
    email = parse(mail)
    assert "unreadable" not in email.defects
    assert email.size == len(mail)
    shown = [email.subject, *(a.name for a in email.from_), *(a.filename for a in email.attachments), email.message_id]
    for words in shown:
        assert not any(char in words for char in "\r\n\x00\x1b\u202e\u2066")
    for attachment in email.attachments:
        assert "/" not in attachment.filename
        assert attachment.filename not in (".", "..")
    email.text.encode("utf-8")


def test_mutated_containers_are_read() -> None:
    """Of the formats inside of mail: winmail.dat, its RTF, signatures in one piece."""
    inside = []
    for name in (
        "outlook_winmail",
        "outlook_winmail_html_in_rtf",
        "outlook_winmail_rtf",
        "signed_opaque",
        "signed_stream",
    ):
        mail = (MAILS / f"{name}.eml").read_bytes()
        coded = re.search(rb"\r\n\r\n((?:[A-Za-z0-9+/=]{1,76}\r\n)+)", mail)
        assert coded
        inside.append(base64.b64decode(coded[1]))
    for data in mutants(inside, 3_000, seed=7):
        start = time.process_time()
        if tnef.is_tnef(data):
            tnef.read(data)
        mime_cms.inside(data)
        mime_rtf.text(mime_rtf.unpacked(data))
        mime_rtf.text(data)
        assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("piece", [b"{}", b"\\u1 ", b"\\'41", b"\\par", b"{\\*", b"a{", b"\\uc9"])
def test_long_rtf_is_read_in_time(piece: bytes) -> None:
    start = time.process_time()
    mime_rtf.text(b"{\\rtf1 " + piece * (MB // len(piece)))
    mime_rtf.unpacked(b"\x00\x00\x00\x00\xff\xff\xff\x7fLZFu\x00\x00\x00\x00" + b"\xff" + b"\x01\x1f" * MB)
    assert time.process_time() - start < SECONDS


# Found by mutation: each of these once ended in an exception inside of the parser.
FOUND = [
    HEAD + b"Content-Type: text/plain; charset=idna\r\n\r\nse\xf1or\r\n",
    b"From: =?utf-8?b?abcde?= \xe9 <a@fleet.example>\r\n\r\nHello\r\n",
    b"From: =?\x00?q?x?= <a@fleet.example>\r\n\r\nHello\r\n",
    multipart(b"--m\r\nContent-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n"),
    HEAD + b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n",
]


@pytest.mark.parametrize("mail", FOUND)
def test_what_once_raised_is_read(mail: bytes) -> None:
    email = parse(mail)
    assert "unreadable" not in email.defects
    assert email.error is None
