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
    INTRO_LINK,
    INTRO_START,
    MONTHS,
    ORIGINAL,
    PRONOUNS,
    REPLY_ABOVE,
    USER,
    WEEKDAYS_LONG,
    WEEKDAYS_SHORT,
    WROTE,
    WROTE_UNSPACED,
)

LINE = 300  # characters of a line that are looked at: marks are shorter
MARK_LINES = 4  # an attribution is wrapped over so many lines at most
HEADER_LINES = 16  # a header block with its wrapped and blank lines

_WROTE = re.compile(rf"(?<!\w)(?:{WROTE})(?!\w)|{WROTE_UNSPACED}")
_WROTE_LAST = re.compile(rf"(?:(?<!\w)(?:{WROTE})|{WROTE_UNSPACED})[\s*_.…-]*$")
_DAY = rf"(?:(?:{WEEKDAYS_LONG})[^\W\d_]{{0,9}}(?:-feira)?|(?:{WEEKDAYS_SHORT}))[.,،'׳״]{{0,2}}"
# "On Tue, Jul 8", "El 08/07", "Il giorno mar 8": a date close behind the first word, as no sentence begins.
_BEGINS = re.compile(
    rf"^(?:(?:{INTRO_START})[\s,.-]{{1,2}}(?:(?:{INTRO_LINK})\s)?(?:{_DAY}\s(?:[^\W\d_]{{3,12}}[.,]?\s)?)?"
    rf"|{_DAY}\s(?:[^\W\d_]{{3,12}}[.,]?\s)?)(?:(?:{MONTHS})[a-z]{{0,6}}[.,]?\s)?['\"(]?\d"
)
_CITES = re.compile(
    r"^(?:quoting|zitat von|citando a?|citat|cytuję|in message|wiadomość napisana przez|missatge de|mensaje de)\s"
)
_DATE_FIRST = re.compile(
    r"^(?:\d{4}[-/.年]\s?\d{1,2}|\d{4}\.\s[^\W\d_]{3,12}\.?\s\d{1,2}|\d{1,2}(?:[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}|:\d{2}"
    r"|\.?\s(?:de\s)?[^\W\d_]{3,12}\.?,?\s(?:de\s)?\d{4}))"
)
_WHEN = re.compile(r"\d{1,2}\s?[:.h]\s?\d{2}|(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}|\d\s?(?:[ap]\.?\s?m|uhr)\b|\d{1,2}年")
# Day, month, year and time in figures, as no person writes them behind "wrote".
_STAMP = re.compile(r"\s(?:[^\W\d_]{1,5}\s)?\d{1,4}[./-]\d{1,2}[./-]\d{2,4},?\s(?:[^\W\d_]{1,6}\s)?\d{1,2}[:.]\d{2}")
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
_DASHES = ("--", "——", "––", "**", "==")
_PRONOUNS = frozenset(PRONOUNS.split("|"))
_USER = frozenset(USER.split("|"))
_NAME_FIRST = re.compile(
    r"^[^\W\d_][\w.'-]{1,20}(?: [^\W\d_a-z][\w.'-]{0,20}){0,2} "
    r"(?:on|wrote on|schrieb am|schreef op|escribió el|a écrit le|ha scritto il|escreveu em|skrev den|napsal dne) "
)
_HEADER_SIGNS = "*_>|# \t\u200e\u200f\xa0"


def is_forward_subject(subject: str) -> bool:
    """Does the subject begin with a client's mark for forwarding (the first prefix counts)?"""
    return bool(_PREFIX.match(subject[:80]))


def plain(line: str) -> str:
    """A line without the marks of markup around it, folded for comparison."""
    return line[:LINE].strip(_MARKUP).lower()  # (casefold would turn the Greek final sigma into another letter)


def attribution(lines: Sequence[str], quote_follows: bool) -> bool:
    """Are these lines, joined, "On ... wrote:"? `quote_follows`: the next line with text begins with `>`.

    Without quote marks below, everything below will be dropped: then it must say when, and who by name or address.
    """
    joined = " ".join(line[:LINE].strip(" \t\xa0") for line in lines).replace("< ", "<")
    if not 5 <= len(joined) <= 2 * LINE:
        return False
    text = joined.strip(_MARKUP)
    folded = text.lower()
    colon = folded[-1:] in (":", "：")
    dashed = joined[:2] in _DASHES and joined[-2:] in _DASHES
    when = _WHEN.search(folded) is not None
    address = _ADDRESS.search(folded) is not None or "mailto:" in folded
    if not (when or address or quote_follows):
        return False
    begins = _begins(folded)
    verbs = list(_WROTE.finditer(folded))
    ends_with_verb = bool(verbs) and not folded[verbs[-1].end() :].strip(" .:：…*_-")
    ends_with_address = _ADDRESS_LAST.search(joined.rstrip(" *_")) is not None
    if quote_follows:
        if verbs and (colon or dashed or ends_with_verb):
            return begins or address or when or len(text) <= 80
        if begins and when and (ends_with_address or (colon and len(text) <= 120)):
            return True
        if ends_with_address and len(_WHEN.findall(folded)) > 1:
            return True
        return colon and len(text) <= 120 and (address or _CITES.match(folded) is not None)
    if verbs and (colon or dashed or (address and ends_with_verb)):
        if when and dashed:
            return True
        if address and (begins or when or ends_with_verb or ends_with_address):
            return begins or when or ends_with_address or not colon or len(text) <= 120
        if when and colon and _STAMP.fullmatch(folded[verbs[-1].end() :].rstrip(" :：")):
            return len(folded[: verbs[-1].start()].split()) <= 5  # "Ann Lee kirjoitti 4.11.2025 klo 10.12:"
        return when and ((begins and _names_somebody(text, verbs[-1])) or _NAME_FIRST.match(text) is not None)
    # No verb that we know: the form, date first and address last, is the same in every language.
    return when and colon and ((begins and ends_with_address) or (address and _CITES.match(folded) is not None))


def _begins(folded: str) -> bool:
    return _BEGINS.match(folded) is not None or _DATE_FIRST.match(folded) is not None


def _names_somebody(text: str, verb: re.Match[str]) -> bool:
    """Does the verb stand beside a name ("Ann wrote:", "schrieb Ann:"), and not in a sentence ("the client wrote"
    " us:")?"""
    after = text[verb.end() :].strip(" :：*_-.\"'")
    if after:
        first = after.split()[0]
        return not first[:1].islower() and first.lower().strip(",.") not in _PRONOUNS
    before = text[: verb.start()].split()
    if not before:
        return False
    name = before[-1].strip("\"'<>()[],:")
    if name.lower() in _PRONOUNS:
        return False
    if not name[:1].islower() or "@" in name:
        return True
    return len(before) > 1 and (before[-2][-1:] in ",:" or before[-2].lower() in _USER)


def begins_like_attribution(line: str) -> bool:
    """Does the line begin with "On Tuesday, 8", a date or a time, in any of the languages?"""
    return _begins(plain(line)) or _CITES.match(plain(line)) is not None


def goes_on(above: str, line: str) -> bool:
    """Is an attribution that seems to begin at `line` ("<ann@example.com> wrote:") wrapped, its date on the line above?

    For languages whose first words we do not know: a line with a date and a time, and nothing that ends a sentence.
    """
    if line.lstrip(" \t*_")[:1] not in ("<", "(") or len(above) > 120:
        return False
    return len(_WHEN.findall(above.lower())) > 1 and above.rstrip()[-1:] not in ".?!:;"


def ends_like_attribution(stripped: str, quote_follows: bool) -> bool:
    """Cheap test that spares the search in lines which can't be the last line of an attribution."""
    if not stripped:
        return False
    if stripped[-1] in ":：>-*_":
        return True
    if not (quote_follows or "@" in stripped) or len(stripped) > LINE:
        return False
    return _WROTE_LAST.search(stripped[-40:].lower()) is not None


def attribution_in_line(line: str) -> int:
    """Where in a line with words of the sender before it an attribution begins; -1 when there is none."""
    text = line[: 2 * LINE].rstrip(" \t*_")
    if text[-1:] not in (":", "：") or not _WROTE_LAST.search(text[-41:-1].lower()):
        return -1
    found = -1
    for match in _MIDDLE.finditer(text):
        if match.start(1) > 0:
            found = match.start(1)
            break
    return found


def separator(line: str) -> str:
    """ "original" or "forwarded" for "-----Original Message-----" and its kin, "above" for a ticket system's line."""
    if len(line) > LINE:
        return ""
    text = plain(line)
    dashed = _DASHED.match(line) is not None
    if not (3 if dashed else 6) < len(text) < 130:
        return ""
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
    name = head[:colon].strip(_HEADER_SIGNS).lower()
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
