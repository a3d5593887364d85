"""winmail.dat: what Outlook sends instead of MIME to those it takes for Outlook users (MS-OXTNEF).

Only what a reader needs: the text and the files. Bounded, and never an exception: what is damaged ends the reading.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from triage.adapters import charsets, mime_rtf

MOST = 8 << 20  # octets that are looked at
_SIGNATURE = 0x223E9F78
_BODY, _MAPI, _RENDER, _TITLE, _DATA, _ATTACHMENT, _CODEPAGE = (
    0x2800C,
    0x69003,
    0x69002,
    0x18010,
    0x6800F,
    0x69005,
    0x69007,
)
_PLAIN, _RTF, _HTML, _LONG_NAME, _SHORT_NAME = 0x1000, 0x1009, 0x1013, 0x3707, 0x3704
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE = {0x0D, 0x1E, 0x1F, 0x102}


@dataclass(slots=True)
class Tnef:
    text: str = ""
    html: str = ""
    files: list[tuple[str, bytes]] = field(default_factory=list)


def is_tnef(start: bytes) -> bool:
    return len(start) >= 6 and struct.unpack_from("<I", start)[0] == _SIGNATURE


def read(data: bytes) -> Tnef:
    """The text and the files of what `is_tnef`."""
    found = Tnef()
    charset = "windows-1252"
    name, octets, open_file = "", b"", False
    budget = [20_000]
    pos = 6
    while pos + 9 <= len(data) and len(found.files) < 200:
        attribute, length = struct.unpack_from("<II", data, pos + 1)
        pos += 9
        if length > len(data) - pos:
            break
        value = data[pos : pos + length]
        pos += length + 2  # and a checksum
        if attribute == _CODEPAGE and length >= 4:
            charset = f"cp{struct.unpack_from('<I', value)[0]}"
        elif attribute == _BODY:
            found.text = _string(value, charset)
        elif attribute == _MAPI:
            props = _properties(value, budget)
            if _PLAIN in props:
                found.text = _typed(props[_PLAIN], charset)
            if _HTML in props:
                found.html = _typed(props[_HTML], charset)
            if _RTF in props and not found.html:
                words, is_html = mime_rtf.text(mime_rtf.unpacked(props[_RTF][1]))
                if is_html:
                    found.html = words
                else:
                    found.text = found.text or words
        elif attribute == _RENDER:
            if open_file:
                found.files.append((name, octets))
            name, octets, open_file = "", b"", True
        elif attribute == _TITLE:
            name = name or _string(value, charset)
        elif attribute == _DATA:
            octets = value
        elif attribute == _ATTACHMENT:
            props = _properties(value, budget)
            for key in (_LONG_NAME, _SHORT_NAME):
                if key in props:
                    name = _typed(props[key], charset) or name
                    break
    if open_file:
        found.files.append((name, octets))
    return found


def _properties(data: bytes, budget: list[int]) -> dict[int, tuple[int, bytes]]:
    """Property id -> (type, first value); as many values as the budget of the whole file has left."""
    found: dict[int, tuple[int, bytes]] = {}
    try:
        count = struct.unpack_from("<I", data)[0]
        pos = 4
        for _ in range(min(count, 2000)):
            kind, key = struct.unpack_from("<HH", data, pos)
            pos += 4
            if key >= 0x8000:  # a named property: its name stands in between
                by_name = struct.unpack_from("<I", data, pos + 16)[0]
                pos += 20
                length = struct.unpack_from("<I", data, pos)[0] if by_name else 0
                pos += 4 + _padded(length)
            several, kind = kind & 0x1000, kind & 0x0FFF
            values = 1
            if several or kind in _VARIABLE:
                values = struct.unpack_from("<I", data, pos)[0]
                pos += 4
            for index in range(min(values, 2000)):
                budget[0] -= 1
                if budget[0] < 0:
                    return found
                if kind in _VARIABLE:
                    length = struct.unpack_from("<I", data, pos)[0]
                    value = data[pos + 4 : pos + 4 + length]
                    pos += 4 + _padded(length)
                elif kind in _FIXED:
                    value = data[pos : pos + _FIXED[kind]]
                    pos += _FIXED[kind]
                else:
                    return found
                if index == 0:
                    found.setdefault(key, (kind, value))
            if pos > len(data):
                break
    except struct.error:
        pass  # it ends in the middle: what came before counts
    return found


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _typed(value: tuple[int, bytes], charset: str) -> str:
    kind, data = value
    return _string(data, "utf-16-le" if kind == 0x1F else charset)


def _string(data: bytes, charset: str) -> str:
    return charsets.decode(data, charset)[0].rstrip("\x00")
