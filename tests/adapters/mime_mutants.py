"""Mails that nobody would write: the samples, cut, doubled, mixed and peppered with what hurts parsers.

`python tests/adapters/mime_mutants.py 100000` reads that many (another seed as second argument) and says what broke.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TOKENS = [
    b"\r\n\r\n",
    b"\n\n",
    b"\r",
    b"\n",
    b"\x00",
    b"\xff",
    b"\x80\x81",
    b"\x1b$B",
    b"\x1b(B",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"=?utf-8?b?abcde?= \xe9 <a@b.example>",
    b"=?utf-8?q?=0d=0aBcc:_x?=",
    b"=?\x00?q?x?=",
    b"=?utf-7?q?+2AA-?=",
    b"=?",
    b"?=",
    b"=?iso-2022-jp?b?GyRC?=",
    b"=?undefined?q?x?=",
    b"=?hz?q?~{?=",
    b"=?utf-16?b?/w==?=",
    b'"',
    b"\\",
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b"(" * 200,
    b"<" * 200,
    b'"' * 199,
    b"," * 500,
    b"=" * 500,
    b"=?utf-8?q?" * 60,
    b"%" * 100,
    b"'" * 50,
    b"\xe9" * 300,
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: multipart/mixed; boundary=\r\n",
    b'Content-Type: multipart/alternative; boundary=""\r\n',
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: message/partial\r\n",
    b'Content-Type: text/plain; charset="\x00"\r\n',
    b"Content-Type: text/plain; charset=undefined\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Type: text/plain; charset=utf-16; format=flowed; delsp=yes\r\n",
    b"Content-Type: text/plain; charset=idna\r\n",
    b"Content-Type: application/ms-tnef; name=winmail.dat\r\n",
    b"Content-Type: text/calendar\r\n",
    b"Content-Type: /\r\n",
    b"Content-Type: multipart/digest; boundary=m\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: text/enriched\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*1=a; filename*99999999999999999999=b\r\n",
    b'Content-Disposition: attachment; filename="\x00/../.."\r\n',
    b"--x\r\n",
    b"--x--\r\n",
    b"--m\r\n",
    b"--m--\r\n",
    b"--m",
    b"--alt\r\n",
    b"From: ",
    b"From: a@b.example\r\n",
    b"Subject: ",
    b"Subject:\r\n",
    b"Date: ",
    b"Date: Mon, 99 Foo 99999 99:99:99 +99999\r\n",
    b"Message-ID: <",
    b"References: <a@b> <c@d>\r\n",
    b"begin 644 x\n",
    b"\nend\n",
    b"#0V%T\n",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n",
    b"-----BEGIN PGP SIGNATURE-----",
    b"<table><tr><td>" * 30,
    b"<a <a <a ",
    b"<!-- ",
    b"<meta charset=utf-7>",
    b"<blockquote>" * 40,
    b"&#0;&#xD800;&#99999999;",
    b"BEGIN:VEVENT\n",
    b"\x78\x9f\x3e\x22\x00\x00",
    b"=cut-0",
    b"=cut-99",
    b"=part-1",
    b"--=part-1\n",
    b"--=part-1--\n",
    b"=\n",
    b"= \r\n",
    b"=E",
    b"====",
]


def mutants(samples: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        mail = bytearray(chance.choice(samples))
        for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
            pos = chance.randrange(len(mail) + 1)
            what = chance.randrange(9)
            if what <= 3:
                mail[pos:pos] = chance.choice(TOKENS)
            elif what == 4:
                del mail[pos : pos + chance.choice((1, 2, 10, 100, 1000))]
            elif what == 5 and mail:
                mail[pos % len(mail)] = chance.randrange(256)
            elif what == 6:  # again
                mail[pos:pos] = mail[chance.randrange(len(mail) + 1) :][: chance.choice((10, 100, 2000))]
            elif what == 7:  # of another mail
                other = chance.choice(samples)
                start = chance.randrange(len(other) + 1)
                mail[pos:] = other[start:]
            else:
                lines = bytes(mail).splitlines(keepends=True)
                chance.shuffle(lines[: chance.randrange(len(lines) + 1)])
                line = chance.randrange(len(lines) + 1)
                lines[line : line + 1] = lines[line : line + 1] * chance.choice((0, 2, 30))
                mail = bytearray(b"".join(lines))
            del mail[200_000:]
        yield bytes(mail)


def main(count: int, seed: int) -> int:
    from triage.adapters.mime import parse

    samples = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "mails").glob("*.eml"))]
    samples += [path.read_bytes() for folder in sys.argv[3:] for path in sorted(Path(folder).iterdir())]
    slowest = (0.0, b"")
    faults: dict[str, bytes] = {}
    memory = 0
    for number, mail in enumerate(mutants(samples, count, seed)):
        start = time.process_time()
        email = parse(mail)
        took = time.process_time() - start
        slowest = max(slowest, (took, mail))
        if "unreadable" in email.defects or any(
            "=cut-" in text and b"=cut-" not in mail for text in (email.text, email.subject)
        ):
            faults.setdefault(f"{email.error}", mail)
        if number == count // 10:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    folder = Path(tempfile.mkdtemp(prefix="mutants"))
    (folder / "slowest.eml").write_bytes(slowest[1])
    for index, (error, mail) in enumerate(faults.items()):
        (folder / f"{index}.eml").write_bytes(mail)
        print(f"{folder}/{index}.eml: {error}")
    print(f"{count} mails, {len(faults)} kinds of faults, memory {memory >> 10} MB and then {grown >> 10} MB more")
    print(f"slowest: {slowest[0]:.3f} s, {folder}/slowest.eml")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
