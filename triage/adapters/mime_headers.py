"""The header block of a mail, as bytes, and what its values mean.

The block is bounded and split before any library sees it, so that no header is long enough to hurt. Values come out on
one line, decoded, without control and bidi characters: what a sender wrote cannot become a header, a log line or a
terminal sequence of ours.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from triage.adapters import charsets

# A field name, as tolerant as mail clients are: no space before the colon is required.
_FIELD = re.compile(rb"([!-9;-~]{1,128})[ \t]{0,8}:")
_KNOWN = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]{1,40}|received|return-path|reply-to|sender|references"
    rb"|in-reply-to|delivered-to|dkim-signature|x-[!-9;-~]{1,80})[ \t]{0,8}:",
    re.I,
)
_WORD = re.compile(r"=\?([A-Za-z0-9_.:*+-]{1,60})\?([bBqQ])\?([^?\r\n]{0,2000}(?:\?(?!=)[^?\r\n]{0,200}){0,20})\?=")
_BETWEEN = re.compile(r"[ \t\r\n]{0,80}")
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_BREAK = re.compile("[ \t]*[\r\n\x0b\x0c\x85\u2028\u2029]+[ \t]*|\t+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"<[!-;=?-~]{1,248}>")


@dataclass(slots=True)
class Block:
    """The header fields of a mail or of a part, and where its body begins."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)  # lower-case name, value still folded
    body: int = 0
    defects: set[str] = field(default_factory=set)

    def get(self, name: str) -> bytes:
        """The topmost value, b"" when absent."""
        return next((value for key, value in self.fields if key == name), b"")


def block(raw: bytes, start: int, end: int, max_bytes: int, max_fields: int, *, top: bool = False) -> Block:
    """The fields from `start`, and the offset behind the empty line that ends them.

    `top` is for whole mails, before whose header other lines may stand (byte order mark, empty lines, an mbox line).
    """
    found = Block()
    pos = _skip_leading(raw, start, end, found) if top else start
    cap = min(end, pos + max_bytes)
    fields = found.fields
    while True:
        if pos >= end:
            found.body = end
            return found
        stop = raw.find(b"\n", pos, cap)
        if stop < 0 and cap < end:
            found.defects.add("header-too-long")
            found.body = _behind_empty_line(raw, pos, end)
            return found
        after = end if stop < 0 else stop + 1
        line = raw[pos : end if stop < 0 else stop]
        if line.endswith(b"\r"):
            line = line[:-1]
        if 0 in line:
            line = line.replace(b"\x00", b"")
        if not line:
            found.body = after
            return found
        if line[0] in b" \t" and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + b"\n" + line)
        else:
            match = _FIELD.match(line)
            if match:
                if len(fields) >= max_fields:
                    found.defects.add("too-many-headers")
                    found.body = _behind_empty_line(raw, pos, end)
                    return found
                fields.append((match[1].decode("ascii").lower(), line[match.end() :]))
            elif not line.strip():
                # A line of blanks before any field ends nothing; after one it was folding.
                pass
            elif not line.startswith((b"From ", b">From ")):
                if not _more_fields(raw, after, cap):
                    # RFC 5322 wants an empty line here. What is no field is already the text.
                    found.defects.add("no-separator")
                    found.body = pos
                    return found
                found.defects.add("header-line")
        pos = after


def _skip_leading(raw: bytes, pos: int, end: int, found: Block) -> int:
    if raw.startswith(b"\xef\xbb\xbf", pos):
        pos += 3
        found.defects.add("byte-order-mark")
    while pos < end and raw[pos] in b"\r\n \t\x00":
        after = raw.find(b"\n", pos, min(end, pos + 1000)) + 1
        if not after or raw[pos:after].strip(b"\r\n \t\x00"):
            break
        pos = after
        found.defects.add("leading-lines")
    return pos


def _behind_empty_line(raw: bytes, pos: int, end: int) -> int:
    ends = [found + len(mark) for mark in (b"\n\r\n", b"\n\n") if (found := raw.find(mark, pos, end)) >= 0]
    return min(ends, default=end)


def _more_fields(raw: bytes, pos: int, cap: int) -> bool:
    """Whether a header goes on behind a line that is none: a known field within 20 lines, before an empty one."""
    for _ in range(20):
        stop = raw.find(b"\n", pos, cap)
        line = raw[pos : cap if stop < 0 else stop].rstrip(b"\r")
        if not line:
            return False
        if _KNOWN.match(line):
            return True
        if stop < 0:
            return False
        pos = stop + 1
    return False


# ---------------------------------------------------------------- values


def text(value: bytes, hint: str = "") -> str:
    """Raw bytes of a header as text: UTF-8, else the charset of the body, else Windows-1252. Not yet decoded words."""
    if value.isascii():
        return value.decode("ascii")
    return charsets.decode(value, hint=hint)[0]


def decoded(value: bytes, hint: str = "") -> str:
    """A header value for people: one line, encoded words decoded, nothing invisible."""
    return one_line(words(text(value, hint)))


def words(value: str) -> str:
    """Encoded words decoded, also where they stand against RFC 2047 (in quotes, unpadded, cut in a character)."""
    if "=?" not in value:
        return value
    out: list[str] = []
    pending: tuple[str, bytes] | None = None  # charset and bytes of the words before, not yet decoded: a character
    end = 0  # may begin in one word and end in the next
    for match in _WORD.finditer(value):
        gap = value[end : match.start()]
        data = _word_bytes(match[2], match[3])
        label = match[1].partition("*")[0].lower()
        if pending and (not gap or _BETWEEN.fullmatch(gap)):
            if pending[0] == label:
                pending = (label, pending[1] + data)
            else:
                out.append(charsets.decode(pending[1], pending[0])[0])
                pending = (label, data)
        else:
            if pending:
                out.append(charsets.decode(pending[1], pending[0])[0])
            out.append(gap)
            pending = (label, data)
        end = match.end()
    if pending:
        out.append(charsets.decode(pending[1], pending[0])[0])
    out.append(value[end:])
    return "".join(out)


def _word_bytes(encoding: str, data: str) -> bytes:
    if encoding in "qQ":
        return binascii.a2b_qp(data.replace("_", "=20").encode("utf-8", "surrogateescape"))
    return base64_bytes(data.encode("ascii", "ignore"))


def base64_bytes(data: bytes) -> bytes:
    """What clients make of damaged base64: foreign characters skipped, padding ends it, a lone rest dropped."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        clean = re.sub(rb"[^A-Za-z0-9+/=]", b"", data).partition(b"=")[0]
        clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
        return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def one_line(value: str) -> str:
    """Without line breaks, control and bidi characters; blanks at the ends removed."""
    if value.isascii() and value.isprintable():
        return value.strip()
    value = _CONTROL.sub("", _BREAK.sub(" ", value))
    return _SURROGATE.sub("\ufffd", value).strip()


def ids(value: str, most: int) -> tuple[str, ...]:
    """Message ids of a header: ASCII, no blanks, at most 250 characters; of too many the first and the last ones."""
    found = list(dict.fromkeys(_ID.findall(value)))
    if len(found) > most + 1:
        found = [found[0], *found[-most:]]
    return tuple(found)


# ---------------------------------------------------------------- parameters


def parameters(value: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """The main value (lower case) and the parameters of Content-Type or Content-Disposition.

    Understands RFC 2231 (continued, encoded), and what writers do instead: encoded words, raw 8-bit, unquoted blanks.
    The first of several equal parameters counts, an encoded one before a plain one.
    """
    line = text(value, hint).replace("\r", "").replace("\n", "")
    main, _, rest = line.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, content in _pairs(rest):
        base, star, tail = name.partition("*")
        if not star:
            plain.setdefault(base, words(content))
            continue
        number, coded, _ = tail.partition("*")
        if number.isascii() and number.isdigit() and len(number) < 4:
            pieces.setdefault(base, []).append((int(number), bool(coded), content))
        elif not number:
            pieces.setdefault(base, []).append((0, True, content))
    for base, parts in pieces.items():
        plain[base] = _joined(sorted(parts, key=lambda part: part[0]))
    return re.sub(r"\(.{0,100}?\)|[ \t]", "", main).lower()[:100], plain


def _pairs(rest: str) -> list[tuple[str, str]]:
    """name=value pairs; one pass over the text."""
    pairs: list[tuple[str, str]] = []
    pos = 0
    while pos < len(rest) and len(pairs) < 100:
        equals = rest.find("=", pos)
        semicolon = rest.find(";", pos)
        if equals < 0:
            break
        if 0 <= semicolon < equals:
            pos = semicolon + 1
            continue
        name = rest[pos:equals].strip().lower()
        pos = equals + 1
        while pos < len(rest) and rest[pos] in " \t":
            pos += 1
        if pos < len(rest) and rest[pos] == '"':
            chars: list[str] = []
            pos += 1
            while pos < len(rest) and rest[pos] != '"':
                # Windows paths carry single backslashes that escape nothing.
                if rest[pos] == "\\" and pos + 1 < len(rest) and rest[pos + 1] in '"\\':
                    pos += 1
                chars.append(rest[pos])
                pos += 1
            content = "".join(chars)
            semicolon = rest.find(";", pos)
            pos = len(rest) if semicolon < 0 else semicolon + 1
        else:
            semicolon = rest.find(";", pos)
            stop = len(rest) if semicolon < 0 else semicolon
            content = rest[pos:stop].strip()
            pos = stop + 1
        if name:
            pairs.append((name, content))
    return pairs


def _joined(parts: list[tuple[int, bool, str]]) -> str:
    charset = ""
    data = b""
    for index, (_, coded, content) in enumerate(parts):
        if coded and index == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        data += unquote_to_bytes(content) if coded else content.encode("utf-8", "surrogateescape")
    return words(charsets.decode(data, charset)[0])


def filename(disposition: dict[str, str], content_type: dict[str, str]) -> str:
    """A name to show and to judge by its ending; never a path, never invisible characters, "" when there is none."""
    name = (
        disposition.get("filename")
        or content_type.get("name")
        or content_type.get("filename")
        or disposition.get("name")
        or ""
    )
    return safe_name(name)


def safe_name(name: str) -> str:
    name = one_line(name[:2000])
    name = name.replace("\\", "/").rpartition("/")[2].strip(" ")
    if not name.strip("."):
        return ""
    if len(name) > 250:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 240 - len(ending)]}.{ending}" if dot and len(ending) < 20 else name[:250]
    return unicodedata.normalize("NFC", name)
