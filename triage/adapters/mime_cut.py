"""The skeleton of a mail: its headers and boundaries, with every body cut out.

Most of the time of parsing goes into attachments that nobody reads. So the bodies are found by their boundaries and
replaced by a mark; what the parser then walks is a few hundred bytes, however large the mail is, and a body stays a
slice of the mail: its size and its octets are exact, nothing is copied. Too many parts or too deep a nesting end here,
before any recursive code sees them. Where lines and boundaries can be read in two ways `cut` gives None, and the mail
is parsed whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from triage.adapters.mime_headers import Block, block, parameters

_HEADER_BYTES = 16_384  # of one part
_HEADER_FIELDS = 100  # of one part
_STRUCTURE = (
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-description",
    "content-location",
)
# A boundary that the header does not name: a line of its own, then the header of a part.
_GUESS = re.compile(rb"(?:^|\n)--([^\s\x00-\x1f]{1,100})[ \t]{0,8}\r?\n(?=content-[a-z-]{4,30}[ \t]{0,8}:)", re.I)
_CR, _LF = 13, 10
_NESTING = re.compile(rb"boundary|message/", re.I)
_SUBTYPE = re.compile(r"multipart/[a-z0-9.+-]{1,60}")


@dataclass(slots=True)
class Skeleton:
    stream: bytes  # what is left to parse
    mark: str  # a body that is mark + number stands for that slice; no other text is left that could look like it
    slices: list[tuple[int, int]]
    defects: set[str]


@dataclass(slots=True)
class _Cutter:
    raw: bytes
    mark: bytes
    max_parts: int
    max_depth: int
    out: list[bytes] = field(default_factory=list)
    slices: list[tuple[int, int]] = field(default_factory=list)
    defects: set[str] = field(default_factory=set)
    parts: int = 0
    boundaries: int = 0

    def body(self, start: int, end: int) -> None:
        self.out.append(b"\n%s%d" % (self.mark, len(self.slices)))
        self.slices.append((start, end))

    def entity(self, head: Block, end: int, depth: int, default: bytes) -> bool:
        """Writes one part; False where it can be read in two ways."""
        value = head.get("content-type") or default
        kind, params = parameters(value)
        if not kind.startswith("multipart/"):
            self.header(head, value)
            self.body(head.body, end)
            return True
        if depth >= self.max_depth:
            self.defects.add("too-deep")
            self.header(head, b"application/octet-stream")
            self.body(head.body, end)
            return True
        boundary = params.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
        spans = self.spans(boundary, head.body, end) if boundary else ()
        if spans is None:
            return False
        if not spans:
            guess = _GUESS.search(self.raw, max(head.body - 1, 0), min(end, head.body + 4096))
            boundary = guess[1] if guess else b""
            spans = self.spans(boundary, head.body, end) if boundary else ()
            self.defects.add("bad-boundary")
            if not spans:
                # Its text, if any, is read as the text of a single part.
                opening = self.raw[head.body : head.body + 1000].lstrip()
                self.header(
                    head, b"text/html" if opening[:6].lower() in (b"<html>", b"<html ", b"<!doct") else b"text/plain"
                )
                self.body(head.body, end)
                return spans is not None
        # A boundary of our own, which the parser cannot read in another way.
        self.boundaries += 1
        mark = b"=part-%d" % self.boundaries
        subtype = kind.encode("ascii", "replace") if _SUBTYPE.fullmatch(kind) else b"multipart/mixed"
        self.header(head, b'%s; boundary="%s"' % (subtype, mark))
        self.out.append(b"\n")
        inner = b"message/rfc822" if kind == "multipart/digest" else b"text/plain"
        for start, stop in spans:
            self.parts += 1
            if self.parts > self.max_parts:
                self.defects.add("too-many-parts")
                break
            self.out.append(b"--%s\n" % mark)
            part = block(self.raw, start, stop, _HEADER_BYTES, _HEADER_FIELDS)
            self.defects |= part.defects
            if not self.entity(part, stop, depth + 1, inner):
                return False
            self.out.append(b"\n")
        self.out.append(b"--%s--\n" % mark)
        return True

    def header(self, head: Block, content_type: bytes) -> None:
        for name, value in head.fields:
            if name in _STRUCTURE and name != "content-type":
                self.out.append(b"%s:%s\n" % (name.encode("ascii"), _folded(value)))
        if content_type:
            self.out.append(b"content-type:%s\n" % _folded(content_type))

    def spans(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]] | None:
        """Begin and end of each part between the delimiter lines; None when a lone CR makes lines ambiguous."""
        raw = self.raw
        marker = b"--" + boundary
        found: list[tuple[int, int]] = []
        begin = -1
        pos = raw.find(marker, start, end)
        while pos >= 0:
            before = raw[pos - 1] if pos > start else _LF
            tail = pos + len(marker)
            if before != _LF:
                if before == _CR:
                    return None
                pos = raw.find(marker, tail, end)
                continue
            stop = raw.find(b"\n", tail, min(end, tail + 200))
            last = tail + 200 >= end
            rest = raw[tail:stop] if stop >= 0 else raw[tail:end] if last else b"x"
            if b"\r" in rest[:-1]:
                return None
            if rest.strip(b" \t\r") in (b"", b"--") and not rest.startswith((b" --", b"\t--")):
                if begin >= 0 and pos > begin:
                    found.append((begin, _before_line_end(raw, begin, pos)))
                if rest.startswith(b"--") or len(found) > self.max_parts:
                    return found
                begin = end if stop < 0 else stop + 1
            pos = raw.find(marker, tail, end)
        if begin >= 0:
            self.defects.add("no-closing-boundary")
            if begin < end:
                found.append((begin, _before_line_end(raw, begin, end)))
        return found


def cut(raw: bytes, head: Block, end: int, max_parts: int, max_depth: int) -> Skeleton | None:
    """The skeleton of the mail whose header is `head`, up to `end`; None where it has to be parsed whole."""
    cutter = _Cutter(raw, b"=cut-", max_parts, max_depth)
    if not cutter.entity(head, end, 0, b""):
        return None
    return Skeleton(b"".join(cutter.out), "=cut-", cutter.slices, cutter.defects)


def whole(raw: bytes, head: Block, end: int, max_bytes: int) -> Skeleton:
    """The mail uncut, as far as memory allows; only its header where the number of parts would be too much."""
    stop = min(end, head.body + max_bytes)
    defects = {"bad-structure"} | ({"truncated"} if stop < end else set())
    body = raw[head.body : stop]
    if body.count(b"\n--") > 2_000 or len(_NESTING.findall(body)) > 50:
        defects.add("too-many-parts")
        body = b""
    cutter = _Cutter(raw, b"", 0, 0)
    cutter.header(head, head.get("content-type"))
    return Skeleton(b"".join([*cutter.out, b"\n", body]), "", [], defects)


def _folded(value: bytes) -> bytes:
    """A value that stays one header: every line break in it is followed by a blank."""
    return value.replace(b"\r", b" ").replace(b"\x00", b"")


def _before_line_end(raw: bytes, begin: int, pos: int) -> int:
    """Without the line break in front of a delimiter, which belongs to it (RFC 2046, 5.1.1)."""
    if pos > begin and raw[pos - 1 : pos] == b"\n":
        pos -= 1
        if pos > begin and raw[pos - 1 : pos] == b"\r":
            pos -= 1
    return pos
