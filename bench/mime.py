"""What reading a mail costs: `python -m bench.mime [FOLDER]`.

CPU time for one mail, the best of five rounds, beside mail-parser and the stdlib on the same bytes; and the memory that
a large mail takes. With a folder also the mean over its files.
"""

from __future__ import annotations

import base64
import email
import email.policy
import logging
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mailparser

from triage.adapters.mime import parse

_SENTENCE = (
    b"The trip report of account 1234 does not open since the update of this morning, and the tracker is silent.\r\n"
)


def sample(attachment: int, *, html: bool = False) -> bytes:
    """A mail as it arrives: five relays, a signature of the domain, text of about 15 KB, perhaps an attachment."""
    chance = random.Random(attachment)
    relays = b"".join(
        b"Received: from mail%d.fleet.example (mail%d.fleet.example [192.0.2.%d])\r\n\tby mx%d.vendor.example (Postfix)"
        b" with ESMTPS id 4Tb0x%d\r\n\tfor <support@vendor.example>; Mon, 23 Nov 2026 09:15:0%d +0000\r\n" % ((n,) * 6)
        for n in range(5)
    )
    head = (
        relays
        + b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=fleet.example; s=a;\r\n bh=%s;\r\n b=%s\r\n"
        % (b"A" * 44, b"B" * 340)
        + b"From: =?utf-8?q?Ana_P=C3=A9rez?= <ana@fleet.example>\r\nTo: Support <support@vendor.example>\r\n"
        b"Subject: =?utf-8?q?El_informe_de_conducci=C3=B3n?= no abre\r\nDate: Mon, 23 Nov 2026 10:15:00 +0100\r\n"
        b"Message-ID: <CAF1001@mail.fleet.example>\r\nIn-Reply-To: <t-1@vendor.example>\r\n"
        b"References: <t-0@vendor.example>\r\n <t-1@vendor.example>\r\nMIME-Version: 1.0\r\n"
    )
    text = _SENTENCE * (60 if html else 120)
    part = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text
    if html:
        part = (
            b"Content-Type: multipart/alternative; boundary=000000000000a1\r\n\r\n--000000000000a1\r\n" + part
            + b"--000000000000a1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div>"
            + text.replace(b"\r\n", b"<br>\r\n") + b"</div>\r\n--000000000000a1--\r\n"
        )  # fmt: skip
    if not attachment:
        return head + part
    coded = base64.encodebytes(chance.randbytes(attachment)).replace(b"\n", b"\r\n")
    return (
        head + b'Content-Type: multipart/mixed; boundary="000000000000b2c3d4"\r\n\r\n--000000000000b2c3d4\r\n' + part
        + b'\r\n--000000000000b2c3d4\r\nContent-Type: image/png; name="screen.png"\r\n'
        b'Content-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="screen.png"\r\n\r\n' + coded + b"--000000000000b2c3d4--\r\n"
    )  # fmt: skip


def cost(read: Callable[[bytes], object], mails: list[bytes], rounds: int) -> float:
    """Milliseconds of CPU for one mail."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(rounds):
            for mail in mails:
                read(mail)
        best = min(best, time.process_time() - start)
    return best * 1000 / rounds / len(mails)


def stdlib(mail: bytes) -> object:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return body and body.get_content(), [part.get_content() for part in message.iter_attachments()]


def main() -> None:
    logging.getLogger("mailparser").setLevel(logging.CRITICAL)
    kinds = {
        "15 KB": [sample(0)],
        "15 KB, text and HTML": [sample(0, html=True)],
        "15 KB + 50 KB": [sample(50_000)],
        "15 KB + 500 KB": [sample(500_000)],
        "15 KB + 5 MB": [sample(5_000_000)],
    }
    for folder in sys.argv[1:]:
        kinds[folder] = [path.read_bytes() for path in sorted(Path(folder).glob("*.eml"))]
    print(f"{'ms of CPU for one mail':26}{'triage':>9}{'mail-parser':>13}{'stdlib':>9}")
    for name, mails in kinds.items():
        rounds = max(1, 3_000_000 // sum(map(len, mails)))
        ours = cost(parse, mails, min(rounds, 100))
        theirs = [cost(read, mails, min(max(rounds // 10, 1), 20)) if not name.startswith("tests") else float("nan")
                  for read in (mailparser.parse_from_bytes, stdlib)]  # fmt: skip
        print(f"{name:26}{ours:9.2f}{theirs[0]:13.2f}{theirs[1]:9.2f}")
    large = sample(25_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    parse(large)
    took = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"25 MB attached, {len(large) >> 20} MB in all: {took * 1000:.0f} ms, {grown >> 10} MB more")


if __name__ == "__main__":
    main()
