"""The text of Outlook's RTF, which a winmail.dat holds compressed (MS-OXRTFCP) and often with HTML wrapped in it."""

from __future__ import annotations

import re
import struct

from triage.adapters import charsets

MOST = 1 << 18  # octets of RTF
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN = re.compile(r"\\([a-z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-f]{2})|\\(.)|([{}])|([^\\{}\r\n]+)", re.S)
_SILENT = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "generator", "listtable", "listoverridetable", "themedata",
    "datastore", "xmlnstbl", "header", "footer", "mhtmltag", "fldinst",
}  # fmt: skip
_WRITTEN = {
    "par": "\n", "line": "\n", "tab": "\t", "row": "\n", "cell": "\t", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "endash": "–", "emdash": "—",
}  # fmt: skip


def unpacked(data: bytes) -> bytes:
    """The RTF behind PR_RTF_COMPRESSED; b"" when it is none."""
    if len(data) < 16:
        return b""
    raw_size, kind = struct.unpack_from("<I4s", data, 4)
    raw_size = min(raw_size, MOST)
    if kind == b"MELA":
        return data[16 : 16 + raw_size]
    if kind != b"LZFu":
        return b""
    window = bytearray(_START) + bytearray(4096 - len(_START))
    write = len(_START)
    out = bytearray()
    pos = 16
    while pos < len(data) and len(out) < raw_size:
        control = data[pos]
        pos += 1
        for bit in range(8):
            if not control >> bit & 1:
                if pos >= len(data):
                    return bytes(out)
                piece = data[pos : pos + 1]
                pos += 1
            else:
                if pos + 2 > len(data):
                    return bytes(out)
                reference = data[pos] << 8 | data[pos + 1]
                pos += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write % 4096:
                    return bytes(out[:raw_size])
                piece = b""
                for step in range(length):  # what is copied may be what was just written
                    char = window[(offset + step) % 4096]
                    window[(write + step) % 4096] = char
                    piece += bytes([char])
            for step, char in enumerate(piece):
                window[(write + step) % 4096] = char
            write = (write + len(piece)) % 4096
            out += piece
    return bytes(out[:raw_size])


def text(rtf: bytes) -> tuple[str, bool]:
    """What it says, and whether that is HTML (which Outlook wraps in it)."""
    source = rtf[:MOST].decode("latin-1")
    wrapped = "\\fromhtml1" in source[:2000]
    page = re.search(r"\\ansicpg([0-9]{3,5})", source[:2000])
    charset = f"cp{page[1]}" if page else "cp1252"
    out: list[str] = []
    octets = bytearray()
    # Of each open group: is it silent, is it one of HTML, how many characters stand in for a \u.
    silent, tag, skip = False, False, 1
    stack: list[tuple[bool, bool, int]] = []
    hidden = False  # \htmlrtf: RTF that says again what the HTML says
    left = 0

    def say(words: str) -> None:
        if octets:
            out.append(charsets.decode(bytes(octets), charset)[0])
            octets.clear()
        out.append(words)

    for match in _TOKEN.finditer(source):
        word, number, code, symbol, brace, plain = match.groups()
        if brace == "{":
            if len(stack) < 1000:
                stack.append((silent, tag, skip))
        elif brace == "}":
            if stack:
                silent, tag, skip = stack.pop()
        elif word == "htmlrtf":
            hidden = number != "0"
        elif word in _SILENT:
            silent = True
        elif word == "htmltag":
            silent, tag = False, True
        elif symbol == "*":
            silent = not source.startswith("\\htmltag", match.end())
        elif word == "uc":
            skip = min(int(number or 1), 10)
        elif silent or hidden:
            continue
        elif left and (code or plain):
            if plain and len(plain) > left:
                say(plain[left:])
                left = 0
            else:
                left -= len(plain) if plain else 1
        elif word == "u" and number:
            say(chr(int(number) % 65536))
            left = skip
        elif word in _WRITTEN:
            say("\r\n" if wrapped and word in ("par", "line") else _WRITTEN[word])
        elif code:
            octets.append(int(code, 16))
        elif symbol:
            say("\u00a0" if symbol == "~" else symbol if symbol in "\\{}" else "")
        elif plain:
            say(plain)
    say("")
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace"), wrapped
