"""What an Email promises beyond its single fields: identity, limits, exact sizes, and that parts are not decoded."""

from __future__ import annotations

import base64
import binascii
import os
import quopri
import random
from datetime import UTC, datetime

import pytest

from triage.adapters import charsets, mime_bodies, mime_cms, mime_headers, mime_rtf
from triage.adapters.mime import Limits, parse

HEAD = b"From: Ana <ana@fleet.example>\r\nDate: Mon, 23 Nov 2026 10:15:00 +0100\r\nMessage-ID: <1@fleet.example>\r\n"
MAIL = HEAD + b"To: support@vendor.example\r\nSubject: Report\r\n\r\nIt does not open.\r\n"


def with_attachment(data: bytes, headers: bytes = b"Content-Transfer-Encoding: base64") -> bytes:
    return (
        HEAD + b"Subject: x\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nSee file\r\n--m\r\n"
        b"Content-Type: application/octet-stream; name=a.bin\r\n" + headers + b"\r\n\r\n" + data + b"\r\n--m--\r\n"
    )


# ---------------------------------------------------------------- identity


def test_two_deliveries_of_one_mail_have_one_fingerprint() -> None:
    second = (
        b"Return-Path: <ana@fleet.example>\r\nDelivered-To: help@vendor.example\r\nReceived: from x by y\r\n" + MAIL
    )
    assert parse(MAIL).fingerprint == parse(second).fingerprint
    assert parse(MAIL).fingerprint == parse(MAIL.replace(b"To: support", b"To: help")).fingerprint
    assert parse(MAIL).fingerprint == parse(MAIL.replace(b"\r\n", b"\n")).fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"does not open", b"does open"),
        (b"Report", b"Report 2"),
        (b"10:15:00", b"10:15:01"),
        (b"ana@", b"eva@"),
        (b"<1@", b"<2@"),
    ],
)
def test_different_mails_differ_though_they_share_a_message_id(old: bytes, new: bytes) -> None:
    assert parse(MAIL).fingerprint != parse(MAIL.replace(old, new)).fingerprint


def test_mails_that_differ_in_their_attachment_differ() -> None:
    assert parse(with_attachment(b"QUFB")).fingerprint != parse(with_attachment(b"QUFBQQ==")).fingerprint


def test_a_mail_without_a_message_id_has_a_fingerprint_that_stays() -> None:
    bare = MAIL.replace(b"Message-ID: <1@fleet.example>\r\n", b"")
    assert parse(bare).message_id == ""
    assert parse(bare).fingerprint == parse(bytes(bare)).fingerprint


def test_the_time_of_receipt_is_kept_and_a_date_in_the_future_is_named() -> None:
    received = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    email = parse(MAIL, received)
    assert email.received == received
    assert "future-date" in email.defects


@pytest.mark.parametrize(
    "value", ["<a b@fleet.example>", "a@fleet.example", "<añ@fleet.example>", f"<{'a' * 250}@fleet.example>", "<>"]
)
def test_an_unusable_message_id_is_none(value: str) -> None:
    email = parse(f"From: ana@fleet.example\r\nMessage-ID: {value}\r\n\r\nHello".encode())
    assert email.message_id == ""
    assert "bad-message-id" in email.defects


def test_of_too_many_references_the_first_and_the_last_count() -> None:
    value = " ".join(f"<{n}@fleet.example>" for n in range(100))
    email = parse(f"From: ana@fleet.example\r\nReferences: {value}\r\n\r\nHello".encode())
    assert len(email.references) == 31
    assert email.references[0] == "<0@fleet.example>"
    assert email.references[-1] == "<99@fleet.example>"


# ---------------------------------------------------------------- limits


def test_what_goes_beyond_a_limit_is_left_out_and_named() -> None:
    many = b"From: a@b.example\r\nTo: " + b"x@y.example, " * 50 + b"z@y.example\r\n\r\nHello"
    email = parse(many, limits=Limits(addresses=10))
    assert len(email.to) == 10
    assert "too-many-addresses" in email.defects
    parts = HEAD + b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + b"--m\r\n\r\nx\r\n" * 30 + b"--m--\r\n"
    email = parse(parts, limits=Limits(parts=5))
    assert email.text == "x\nx\nx\nx\nx"
    assert "too-many-parts" in email.defects
    assert "header-too-long" in parse(b"From: a@b.example\r\nX: " + b"x" * 70_000 + b"\r\n\r\nHello").defects
    assert parse(b"From: a@b.example\r\nX: " + b"x" * 70_000 + b"\r\n\r\nHello").text == "Hello"


def test_the_inside_of_too_deep_a_nesting_is_an_attachment() -> None:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(40))
    email = parse(HEAD + opening + b"\r\n\r\ndeep\r\n")
    assert "too-deep" in email.defects
    assert [a.content_type for a in email.attachments] == ["application/octet-stream"]


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("length", [0, 1, 2, 3, 56, 57, 58, 114, 1000, 5700, 99_999])
@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_the_size_of_an_attachment_is_exact(length: int, ending: bytes) -> None:
    data = random.Random(length).randbytes(length)
    coded = base64.encodebytes(data).strip().replace(b"\n", ending)
    (attachment,) = parse(with_attachment(coded)).attachments
    assert attachment.size == length
    (attachment,) = parse(with_attachment(base64.b64encode(data))).attachments
    assert attachment.size == length
    quoted = quopri.encodestring(data).replace(b"\n", ending)
    (attachment,) = parse(with_attachment(quoted, b"Content-Transfer-Encoding: quoted-printable")).attachments
    assert attachment.size == len(binascii.a2b_qp(quoted))


def test_the_size_of_irregular_base64_is_exact() -> None:
    data = os.urandom(3000)
    coded = base64.b64encode(data)
    ragged = b"\r\n".join([coded[:76], coded[76:100], b"", coded[100:101], coded[101:]])
    spaced = b" ".join([coded[:76], coded[76:]])
    for shape in (ragged, spaced, coded + b"\r\n\r\n", coded.rstrip(b"=")):
        body = mime_bodies.Body(shape, 0, len(shape))
        assert mime_bodies.size(body, "base64") == 3000


def test_an_attachment_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    plain = mime_headers.base64_bytes
    monkeypatch.setattr(mime_bodies, "base64_bytes", lambda data: asked.append(len(data)) or plain(data))
    raw = with_attachment(base64.encodebytes(os.urandom(500_000)).replace(b"\n", b"\r\n"))
    assert parse(raw).attachments[0].size == 500_000
    assert sum(asked) == 0


# ---------------------------------------------------------------- charsets


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("Shift_JIS", "cp932"),
        ("x-sjis", "cp932"),
        ("iso-8859-8-i", "iso8859_8"),
        ("ks_c_5601-1987", "cp949"),
        ("iso-8859-1", "cp1252"),
        ("ISO8859-15", "iso8859_15"),
        ("windows1250", "cp1250"),
        ("x-mac-roman", "mac_roman"),
        ("utf8", "utf_8"),
        ("utf-8*es", "utf_8"),
        ("unknown-8bit", ""),
        ("x-unknown", ""),
        ("base64", ""),
        ("idna", ""),
        ("unicode_escape", ""),
        ("../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_labels_are_taken_as_they_are_meant(label: str, name: str) -> None:
    assert charsets.codec(label) == name


def test_every_byte_has_a_meaning_in_every_charset() -> None:
    data = bytes(range(256))
    for label in ("", "utf-8", "iso-8859-1", "gb2312", "utf-16", "utf-7", "koi8-r", "iso-2022-jp", "big5", "nonsense"):
        found, _ = charsets.decode(data, label)
        found.encode("utf-8")
        assert found


# ---------------------------------------------------------------- Outlook


@pytest.mark.parametrize(
    ("packed", "plain"),
    [  # the examples of MS-OXRTFCP, section 4
        (
            "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0",
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
        ),
        ("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
    ],
)
def test_compressed_rtf_is_unpacked(packed: str, plain: bytes) -> None:
    assert mime_rtf.unpacked(bytes.fromhex(packed)) == plain


def test_nothing_is_inside_of_what_is_no_signature() -> None:
    assert mime_cms.inside(b"") == b""
    assert mime_cms.inside(b"\x30\x80" + bytes(200)) == b""
