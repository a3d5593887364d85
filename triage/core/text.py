"""Words of others, made safe to show: one line stays one line, and no character plays tricks on the reader."""

from __future__ import annotations

import re

# Control characters (C0, C1, DEL), line and paragraph separators, bidi marks, and the sign that stands for a ticket's
# number in our replies.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffc]+")


def one_line(text: str, longest: int = 200, *, keep: str = "") -> str:
    """The text on one line, free of control and bidi characters (but `keep`), cut to `longest` characters."""
    line = " ".join(
        _UNSAFE.sub(lambda match: match.group() if match.group() == keep else " ", text[: longest * 4]).split()
    )
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
