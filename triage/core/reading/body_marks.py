"""Where quoted or forwarded mail begins: attribution lines, separators, header blocks, forward marks.

Every function looks at a few lines from a given place on and answers how many of them are the mark. Work is bounded:
a mark is at most `MARK_LINES` lines, and of a line only the first `LINE` characters are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from triage.core.reading.body_words import (
    FORWARD_PREFIXES,
    FORWARDED,
    HEADERS,
    INTRO_START,
    ORIGINAL,
    REPLY_ABOVE,
    WEEKDAYS,
    WROTE,
    WROTE_UNSPACED,
)

LINE = 300  # characters of a line that are looked at: marks are shorter
MARK_LINES = 4  # an attribution is wrapped over so many lines at most
HEADER_LINES = 16  # a header block with its wrapped and blank lines

_WROTE = re.compile(rf"(?<!\w)(?:{WROTE})(?!\w)|{WROTE_UNSPACED}")
_WROTE_LAST = re.compile(rf"(?:(?<!\w)(?:{WROTE})|{WROTE_UNSPACED})[\s*_.…-]*$")
_START = re.compile(rf"^(?:{INTRO_START})(?=[\s,.:\d])")
_WEEKDAY = re.compile(rf"^(?:{WEEKDAYS})[a-zа-яё]{{0,8}}\.?,?\s")
_DATE_FIRST = re.compile(
    r"^(?:\d{4}[-/.年]\s?\d{1,2}|\d{1,2}(?:[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}"
    r"|\.?\s(?:de\s)?[^\W\d_]{3,12}\.?,?\s(?:de\s)?\d{4}))"
)
_WHEN = re.compile(r"\d{1,2}\s?[:.h]\s?\d{2}|(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}|\d\s?(?:[ap]\.?\s?m|uhr)\b|\d{1,2}年")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{2,}")
_ADDRESS_LAST = re.compile(
    r"[<(\[][^\s<>@]{0,64}(?::|@)[^<>()\[\]]{2,100}[>)\]]{1,2}\s?(?:[^\W\d_]{0,14}\s?)?[:：]?$|@[^\s<>@]{2,60}[:：]$"
)
_MARKUP = " \t*_>|#~\u200e\u200f\u202a\u202c\u200b\ufeff\xa0-–—=\\"
_MIDDLE = re.compile(
    r"(?:^|[\s.!?)]|---?-?\s?)((?:On|El|Le|Am) (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug"
    r"|Sep|Oct"
    r"|Nov|Dec|lun|mar|mi[ée]|jue|vie|s[áa]b|dom|mer|jeu|ven|sam|dim)[a-zé]{0,8}\.?,? |\d{1,4}[ ./-]))"
)
_DASHED = re.compile(r"^[-_=*~#<>\s]{2,}(?=[^-_=*~#<>\s])")
_ORIGINAL = re.compile(rf"^(?:{ORIGINAL})(?!\w)")
_FORWARDED = re.compile(rf"^(?:{FORWARDED})(?!\w)")
_REPLY_ABOVE = re.compile(REPLY_ABOVE)
_PREFIX = re.compile(
    rf"^\s*(?:\[[^\]]{{1,40}}\]\s*)?(?:{FORWARD_PREFIXES})\s?(?:\[\d{{1,2}}\])?\s?[:：]", re.IGNORECASE
)
_HEADER_SIGNS = "*_>|# \t\u200e\u200f\xa0"


def is_forward_subject(subject: str) -> bool:
    """Does the subject begin with a client's mark for forwarding (the first prefix counts)?"""
    return bool(_PREFIX.match(subject[:80]))


def plain(line: str) -> str:
    """A line without the marks of markup around it, folded for comparison."""
    return line[:LINE].strip(_MARKUP).casefold()


def attribution(lines: Sequence[str], quote_follows: bool) -> bool:
    """Are these lines, joined, "On ... wrote:"? `quote_follows`: the next line with text begins with `>`.

    Without quote marks below, the line must say when or by which address, for everything below it will be dropped.
    """
    joined = " ".join(line[:LINE].strip(" \t\xa0") for line in lines)
    if len(joined) > 2 * LINE or len(joined) < 5:
        return False
    dashed = joined[:2] in ("--", "——", "––") and joined[-2:] in ("--", "——", "––")
    text = joined.strip(_MARKUP).casefold()
    colon = text[-1:] in (":", "：")
    when = _WHEN.search(text) is not None
    address = _ADDRESS.search(text) is not None or "[mailto:" in text or "<mailto:" in text
    dated = when or address
    start = _START.match(text) is not None or _DATE_FIRST.match(text) is not None or _WEEKDAY.match(text) is not None
    wrote = _WROTE.search(text) is not None
    if wrote and (colon or dashed or (quote_follows and _WROTE_LAST.search(text) is not None)):
        if start and dated:
            return True
        if dashed or (
            address
            and (when or quote_follows or _ADDRESS_LAST.search(joined) is not None or _WROTE_LAST.search(text[:-1]))
        ):
            return True
        return (quote_follows or (when and start)) and (start or len(text) <= 80 or when)
    if not (start and when):
        # "Name <address>:" above a quote
        return quote_follows and colon and address and len(text) <= 120
    # No verb that we know: the form, date first and address last, is the same in every language.
    ends_with_address = _ADDRESS_LAST.search(joined.rstrip(" *_")) is not None
    return ends_with_address and (colon or quote_follows)


def begins_like_attribution(line: str) -> bool:
    """Does the line begin with "On", a date or a weekday, in any of the languages?"""
    text = plain(line)
    return _START.match(text) is not None or _DATE_FIRST.match(text) is not None or _WEEKDAY.match(text) is not None


def ends_like_attribution(stripped: str, quote_follows: bool) -> bool:
    """Cheap test that spares the search in lines which can't be the last line of an attribution."""
    if stripped[-1] in ":：>-*_":
        return True
    return quote_follows and len(stripped) < LINE and _WROTE_LAST.search(stripped[-40:].casefold()) is not None


def attribution_in_line(line: str) -> int:
    """Where in a line with words of the sender before it an attribution begins; -1 when there is none."""
    text = line[: 2 * LINE].rstrip(" \t*_")
    if text[-1:] not in (":", "：") or not _WROTE_LAST.search(text[:-1].casefold()):
        return -1
    found = -1
    for match in _MIDDLE.finditer(text):
        if match.start(1) > 0:
            found = match.start(1)
            break
    return found


def separator(line: str) -> str:
    """ "original" or "forwarded" for "-----Original Message-----" and its kin, "above" for a ticket system's"
    " line, else ""."""
    if len(line) > LINE:
        return ""
    text = plain(line)
    if not 6 < len(text) < 130:
        return ""
    dashed = _DASHED.match(line) is not None
    announced = text[-1] in ":：" or dashed
    if announced and _FORWARDED.match(text):
        rest = text.rstrip(":： ")
        # "Forwarded by Ann on 3 May" is an announcement between dashes only; a sentence goes on for longer.
        if dashed or len(rest.split()) <= 7 or "@" in rest:
            return "forwarded"
    if _ORIGINAL.match(text):
        rest = _ORIGINAL.sub("", text, count=1).strip(" -:：.")
        if not rest and announced:
            return "original"
    if _REPLY_ABOVE.search(text):
        return "above"
    return ""


def header(line: str) -> tuple[str, str]:
    """The kind of header that a line of a quoted block is ("from", "date", ...) and its value; "" for other lines."""
    head = line[:60]
    colon = head.find(":")
    wide = head.find("：")
    if colon < 0 or 0 <= wide < colon:
        colon = wide
    if not 0 < colon < 40:
        return "", ""
    name = head[:colon].strip(_HEADER_SIGNS).casefold()
    kind = HEADERS.get(name, "")
    return (kind, line[colon + 1 : LINE].strip(" \t*_\xa0")) if kind else ("", "")


def header_block(lines: Sequence[str], at: int, *, announced: bool = False) -> int:
    """How many lines from `at` on are the header block of a quoted mail; 0 when there is none.

    Three kinds of header, or two that hold an address: "From: Madrid" in the sender's own list is none. Below a
    separator that announces it (`announced`) one is enough.
    """
    first, value = header(lines[at])
    if first not in ("from", "date", "to", "subject"):
        return 0
    kinds = {first}
    has_address = "@" in value
    end = at + 1
    other = 0
    for index in range(at + 1, min(len(lines), at + HEADER_LINES)):
        line = lines[index]
        stripped = line.strip(_HEADER_SIGNS)
        if not stripped:
            other += 1
            if other > 2:
                break
            continue
        kind, value = header(line)
        if kind:
            kinds.add(kind)
            has_address = has_address or "@" in value
            end = index + 1
            other = 0
        else:
            # a header wrapped by the transport, or the first line of the quoted text
            other += 1
            if other > 2:
                break
            has_address = has_address or (kinds >= {"from"} and index == end and "@" in line[:LINE])
    kinds.discard("other")
    if announced:
        return end - at
    if not kinds & {"from", "to"} or ("from" not in kinds and lines[at][:2].isspace()):
        return 0  # (indented, without a sender: what a read receipt or bounce tells of a mail)
    if len(kinds) >= 3 and (has_address or "subject" in kinds or len(kinds) >= 4):
        return end - at
    if len(kinds) == 2 and has_address and kinds & {"date", "subject"}:
        return end - at
    return 0
