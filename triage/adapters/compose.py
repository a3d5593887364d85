"""Makes the bytes of a mail from the words of a reply.

The same arguments give the same bytes: the MIME boundary comes from the Message-ID, so that a mail that is sent again
is the same mail.

The header is written here, line by line, rather than by `EmailMessage`, for two reasons found by test. The stdlib
encodes message ids of 78 characters and more, which cuts the thread in Outlook (cpython #100991). And it decodes what
looks like an encoded word in a value before it folds: the subject `=?utf-8?q?=0d=0aBcc:_x@y.example?=` becomes a Bcc.
Here each line is made of printable ASCII, whatever the arguments.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, quote

from triage.core.errors import MailError
from triage.core.model import Address, Reply

VALUE_CHARACTERS = 250  # of a subject or a name: longer ones serve nobody

_ID = re.compile(r"<[!-;=?-~]{1,248}>")  # visible ASCII in angle brackets: RFC 5322 section 3.6.4, read generously
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")
_ADDRESS = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,10}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+/^_`{|}~-]*")


def compose(
    reply: Reply,
    *,
    sender: Address,
    message_id: str,
    in_reply_to: str = "",
    references: tuple[str, ...] = (),
    date: datetime,
    auto_submitted: bool = True,
    extra_headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The mail that carries `reply`. Ids that cannot stand in a header are left out of the thread headers."""
    if not _ID.fullmatch(message_id):
        raise ValueError(f"not a message id: {message_id!a}")
    lines = [
        f"From: {_mailbox(sender)}",
        f"To: {_mailbox(Address(reply.to))}",
        _header("Subject", reply.subject),
        f"Date: {format_datetime(date)}",
        f"Message-ID: {message_id}",
    ]
    if _ID.fullmatch(in_reply_to):
        lines.append(f"In-Reply-To: {in_reply_to}")
    thread = [id_ for id_ in references if _ID.fullmatch(id_)]
    if thread:
        lines.append("References: " + "\r\n ".join(thread if len(thread) <= 11 else [thread[0], *thread[-10:]]))
    if auto_submitted:
        lines += ["Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "X-Triage: reply"]  # RFC 3834
    lines += [_header(name, value) for name, value in extra_headers]
    lines.append("MIME-Version: 1.0")
    if not reply.html:
        return _block(*lines, *_part("plain", reply.text))
    # "=_" cannot occur in quoted-printable text (RFC 2045 section 6.7).
    boundary = "=_" + hashlib.sha256(message_id.encode()).hexdigest()[:32]
    return _block(
        *lines,
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        f"--{boundary}",
        *_part("plain", reply.text),
        f"--{boundary}",
        *_part("html", reply.html),
        f"--{boundary}--",
    )


def is_address(text: str) -> bool:
    """Whether this is a mailbox as it may stand in an envelope: ASCII, one address, nothing around it."""
    return _ADDRESS.fullmatch(text) is not None


def _block(*lines: str) -> bytes:
    return "".join(line + "\r\n" for line in lines).encode("ascii")


def _part(subtype: str, text: str) -> tuple[str, ...]:
    content = "\n".join(text.splitlines()).encode("utf-8", "replace")
    body = binascii.b2a_qp(content, istext=True).decode("ascii").replace("\n", "\r\n")
    return (f"Content-Type: text/{subtype}; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", body)


def _header(name: str, value: str) -> str:
    """A header whose value is words."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"not a header name: {name!a}")
    return f"{name}: {_words(_line(value), len(name) + 2)}"


def _mailbox(address: Address) -> str:
    if not is_address(address.address):
        raise MailError(f"{address.address!a} is no address that a mail can be sent to")
    name = _line(address.name)
    if not name:
        return address.address
    if not _PLAIN_NAME.fullmatch(name):
        name = f'"{quote(name)}"' if _is_plain(name) else _words(name, len("From: "))
    return f"{name}\r\n <{address.address}>" if len(name) + len(address.address) > 66 else f"{name} <{address.address}>"


def _words(text: str, used: int) -> str:
    """`text` as a header value, folded; the first line has already `used` characters."""
    # What looks like an encoded word is encoded itself: it stays text, and is never decoded by a reader.
    header = Header(text, "us-ascii" if _is_plain(text) else "utf-8", maxlinelen=76, header_name="x" * (used - 2))
    return header.encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    return text.isascii() and "=?" not in text


def _line(text: str) -> str:
    """`text` on one line, without control, bidi and half characters, cut."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:4000]).split())[:VALUE_CHARACTERS]
