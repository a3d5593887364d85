"""Words of others, made safe to show: one line stays one line, and no character plays tricks on the reader."""

from __future__ import annotations

import json
import re
from typing import Any

# Control characters (C0, DEL, C1: terminals obey both), line and paragraph separators, bidi marks, invisible operators
# and tags, halves of characters, and the sign that stands for a ticket's number in our replies.
_TRICKS = (
    "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffc\ud800-\udfff\U000e0000-\U000e007f"
)
# Letters that are nowhere to be seen, and belong to no script's spelling: a word with one in it is found by no search.
_HIDDEN = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u3164\uffa0\U000e0100-\U000e01ef"
_UNSEEN = re.compile(f"[{_HIDDEN}]")
_UNSAFE = re.compile(f"[\x00-\x1f{_TRICKS}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_TRICKS}]")
_UNSAFE_IN_JSON = re.compile(f"[{_TRICKS}{_HIDDEN}]")
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode


def one_line(text: str, longest: int = 200, *, keep: str = "") -> str:
    """The text on one line, free of control and bidi characters (but `keep`), cut to `longest` characters."""
    if len(text) <= longest and text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text  # as nearly all are
    seen = _UNSEEN.sub("", text[: longest * 4])
    safe = _UNSAFE.sub(lambda match: match[0] if match[0] == keep else " ", seen)
    line = " ".join(safe.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def lines(text: str) -> str:
    """The text as it may be shown in a terminal: line ends stay, everything else that a terminal obeys goes."""
    return _UNSAFE_IN_LINES.sub(" ", _UNSEEN.sub("", text))


def json_line(value: Any) -> str:
    """The value as JSON on one line, that shows in a terminal what it says and nothing else: no data is lost."""
    line = _AS_JSON(value)
    return line if line.isascii() and "\x7f" not in line else _UNSAFE_IN_JSON.sub(_escaped, line)


def ascii_domain(domain: str) -> str:
    """A domain as it stands on the wire (IDNA), in lower case. Raises ValueError when it is none."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{domain!r} is not a domain") from error


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
