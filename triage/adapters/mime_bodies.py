"""Transfer encodings: the octets of a body, or how many there are without decoding them.

Nothing here raises: damaged data are read as far as mail clients read them.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from triage.adapters.mime_headers import base64_bytes

_CHUNK = 1 << 20
_TOKEN = re.compile(r"[a-z0-9-]{1,30}")
_SOFT = re.compile(rb"=[ \t]{1,80}(?=\r?\n)")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=\r\n]")
_UU_BEGIN = re.compile(r"(?m)^begin (?:[0-7]{3,4}|-) {0,3}([^\r\n]{0,250})\r?$")


def encoding(value: str) -> str:
    """base64, quoted-printable, uuencode, or "" for everything that is left as it is."""
    found = _TOKEN.search(value.lower())
    name = found[0] if found else ""
    if name in ("base64", "base-64"):
        return "base64"
    if name in ("quoted-printable", "quotedprintable", "quoted-printeable"):
        return "quoted-printable"
    if name in ("uuencode", "x-uuencode", "uue", "x-uue"):
        return "uuencode"
    return ""


@dataclass(frozen=True, slots=True)
class Body:
    """The octets of a part as they came, transfer encoding and all: a slice that is not copied."""

    raw: bytes
    start: int
    end: int

    def head(self, most: int) -> bytes:
        return self.raw[self.start : min(self.end, self.start + most)]

    def __len__(self) -> int:
        return self.end - self.start


def octets(body: Body, name: str, most: int) -> tuple[bytes, bool]:
    """The first decoded octets (at most `most`), and whether the data were what their encoding says."""
    if name == "base64":
        part = body.head(most * 3 // 2 + 100)
        foreign = _FOREIGN.findall(part)
        if len(foreign) > 5 and len(foreign) * 20 > len(part):
            return part[:most], False  # plain text under a wrong label
        return base64_bytes(part)[:most], not set(foreign) - {b" ", b"\t"}
    if name == "quoted-printable":
        return binascii.a2b_qp(_SOFT.sub(b"=", body.head(most * 3)))[:most], True
    if name == "uuencode":
        data = body.head(most * 2)
        found = _UU_BEGIN.search(data[:_CHUNK].decode("latin-1"))
        if found is None:
            return data[:most], False
        return uu_octets(data[found.end() :])[:most], True
    return body.head(most), True


def size(body: Body, name: str) -> int:
    """How many octets the body decodes to."""
    if name == "base64":
        return _base64_size(body.raw, body.start, body.end)
    if name == "quoted-printable":
        total = 0
        pos = body.start
        while pos < body.end:
            # Cut behind a line, so that no encoded octet is torn.
            stop = (
                body.end if pos + _CHUNK >= body.end else body.raw.rfind(b"\n", pos, pos + _CHUNK) + 1 or pos + _CHUNK
            )
            total += len(binascii.a2b_qp(_SOFT.sub(b"=", body.raw[pos:stop])))
            pos = stop
        return total
    if name == "uuencode":
        return len(octets(body, name, len(body))[0])
    return len(body)


_LETTERS = re.compile(rb"[A-Za-z0-9+/]{0,1000}")


def _base64_size(raw: bytes, start: int, end: int) -> int:
    """Counted by lines where all are of one length, as encoders write them; decoded otherwise."""
    while end > start and raw[end - 1] in b"\r\n \t":
        end -= 1
    first = raw.find(b"\n", start, end)
    if first < 0:
        return len(base64_bytes(raw[start:end]))
    letters = first - start - (raw[first - 1 : first] == b"\r")
    width = first + 1 - start  # of a line with its end
    full, rest = divmod(end - start, width)
    last = raw[end - rest : end]
    bare = last.rstrip(b"=")
    padding = len(last) - len(bare)
    regular = (
        0 < rest <= letters
        and letters % 4 == 0
        and len(last) % 4 == 0
        and padding <= 2
        and _is_letters(bare, 0, len(bare))
        and raw[first : end - rest : width] == b"\n" * full
        # Sampled, not read: whoever writes lines of one length is an encoder.
        and all(
            _is_letters(raw, start + n * width, start + n * width + letters)
            for n in {0, full // 3, full // 2, full - 1}
        )
    )
    if not regular:
        return _base64_count(raw, start, end)
    return (full * letters + len(last)) * 3 // 4 - padding


def _is_letters(raw: bytes, start: int, end: int) -> bool:
    return all(_LETTERS.fullmatch(raw, pos, min(end, pos + 1000)) for pos in range(start, end, 1000))


def _base64_count(raw: bytes, start: int, end: int) -> int:
    return len(base64_bytes(raw[start:end]))


def uu_octets(data: bytes) -> bytes:
    """The octets of uuencoded lines up to "end"."""
    out: list[bytes] = []
    for line in data.splitlines():
        if line.strip() in (b"end", b"`") or (line.strip() == b"" and out):
            break
        if not line.strip():
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # A line that is too long for its count, as some encoders write it.
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:count]))
            except binascii.Error:
                break
    return b"".join(out)


def uu_files(text: str, most: int) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without the files that stand in it uuencoded, and the files."""
    files: list[tuple[str, bytes]] = []
    kept: list[str] = []
    pos = 0
    for begin in _UU_BEGIN.finditer(text):
        if begin.start() < pos:
            continue
        first = text[begin.end() + 1 : begin.end() + 81].partition("\n")[0]
        # A sentence may begin with "begin 100": the line below must look encoded.
        if not _uu_line(first):
            continue
        end = text.find("\nend", begin.end())
        if end < 0 or len(files) == most:
            break
        kept.append(text[pos : begin.start()])
        files.append((begin[1].strip(), uu_octets(text[begin.end() : end + 1].encode("latin-1", "replace"))))
        pos = end + 4
    kept.append(text[pos:])
    return "".join(kept), files


def _uu_line(line: str) -> bool:
    """Whether it is as long as its first character says."""
    line = line.rstrip("\r")
    if not line or not all(" " <= char <= "`" for char in line):
        return False
    count = (ord(line[0]) - 32) & 63
    return abs((count + 2) // 3 * 4 - (len(line) - 1)) <= 3
