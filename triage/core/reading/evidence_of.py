"""Evidence in a mail: files, pasted logs and payloads, error messages, links to pictures (guide: *fields*).

Formats (a stack trace, JSON, a log line) are [[form]]s of the pack with signal `field.evidence`. A message of the
screen is evidence when it stands in quotes or after a colon, is introduced as such (`clue.said`: "it says", "me sale")
and reads like one (`clue.failure`: "invalid", "no se pudo"); a status word is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from triage.core.model import Attachment, Evidence
from triage.core.reading.identifiers import Passage
from triage.core.reading.matches import Hit, Signals

_NEVER = re.compile(r"\.(?:vcf|p7s|p7m|asc|sig|ics|eml)$|^(?:winmail\.dat|smime\.p7s|att\d{3,5}\.(?:txt|htm|dat))$")
_DECORATION = re.compile(
    r"(?:^|[^a-z])(?:logos?|banner|signature|firma|icon|facebook|linkedin|instagram|twitter|youtube|whatsapp|outlook)(?:[^a-z].{0,40})?"
    r"\.(?:png|jpe?g|gif|bmp|svg)$"
)
_MAILER_NAME = re.compile(r"^(?:image\d{3}|oledata|outlook-[\w-]{1,40}|~wrd\d{3})\.(?:png|jpe?g|gif|bmp|mso)$")
_MACHINE_TYPES = frozenset(
    {"application/ms-tnef", "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
     "text/vcard", "text/x-vcard", "text/calendar", "message/delivery-status", "message/disposition-notification"}
)  # fmt: skip
_LARGE_PICTURE = 40_000  # bytes: an inline picture above is rather a screenshot than a signature's logo

_QUOTE = re.compile(
    r"\"[^\"\n]{4,300}\"|“[^”\n]{4,300}[”\"]|«[^»\n]{4,300}»|(?<!\w)'[^'\n]{6,200}'(?!\w)|‘[^’\n]{4,300}’"
    r"|`[^`\n]{4,300}`|(?<=[ :])\([ \t]?[^()\n]{6,120}\)"
)
_MARKS = "\"“”«»'‘’`() \t"
_REACH = 70  # characters between "it says" and the message
_REACH_ASIDE = 8  # when the message stands in brackets
_SENTENCE_END = re.compile(r"[.!?;][ \n]|\n\n")
_ITEM = re.compile(r"(?:\d{1,2}|[a-zA-Z])[.)]\s|[-*•·–]\s")  # the writer's own list rather than a machine's words
_LEAD_IN = re.compile(r"[^\n.?!:,]{0,30}:[ \t]{0,4}\n{0,3}[ \t]{0,8}")


def attached(attachments: Sequence[Attachment], signals: Signals) -> Iterator[Evidence]:
    """The attachments that show something: all but a signature's pictures, address cards, wrappers."""
    pointed_at = bool(signals.of("clue.picture"))
    for part in attachments:
        name = part.filename.lower()
        if part.content_type in _MACHINE_TYPES or _NEVER.search(name):
            continue
        if _DECORATION.search(name) and part.size < _LARGE_PICTURE and (part.inline or not pointed_at):
            continue
        if (_MAILER_NAME.match(name) or (part.inline and not name)) and not pointed_at and part.size < _LARGE_PICTURE:
            continue
        yield Evidence("attachment", "reading", part.filename or part.content_type)


def pasted(passage: Passage) -> Iterator[tuple[float, Evidence]]:
    """Formats and messages that stand in the text, with how much they say."""
    for hit in passage.hits("field.evidence"):
        if not _DECORATION.search(hit.matched.lower()):  # a link to a signature's logo
            yield hit.rule.weight, hit.evidence
    said = passage.hits("clue.said")
    failures = passage.hits("clue.failure")
    if failures:
        yield from _quoted(passage, said, failures)
    for hit in said:
        gap = _LEAD_IN.match(passage.text, hit.end)
        if not gap:
            continue
        end = passage.text.find("\n\n", gap.end())
        end = min(end if end >= 0 else len(passage.text), gap.end() + 200)
        below = "\n" in gap.group() and gap.end() < end and not passage.text.startswith("http", gap.end())
        below = below and not _ITEM.match(passage.text, gap.end())
        if below or any(gap.end() <= other.start < end for other in failures):
            yield 1.0, Evidence(hit.rule.id, hit.rule.clause, passage.text[hit.start : end].strip())


def _quoted(passage: Passage, said: Sequence[Hit], failures: Sequence[Hit]) -> Iterator[tuple[float, Evidence]]:
    """Messages of a screen in quotes."""
    for quote in _QUOTE.finditer(passage.text):
        words = quote.group().strip(_MARKS).split()
        if len(words) < 2 or (len(words) <= 3 and words[-1].isdigit()):  # a status word, a bare code
            continue
        if not any(quote.start() < hit.start and hit.end < quote.end() for hit in failures):
            continue
        aside = quote.group().startswith("(")
        if aside and not words[0][0].isupper():  # a remark of the writer
            continue
        lead = _lead(said, quote.start(), passage.text, _REACH_ASIDE if aside else _REACH)
        if lead or (len(words) >= 4 and not aside):
            rule = lead.rule if lead else failures[0].rule
            yield 2.0, Evidence(rule.id, rule.clause, quote.group())


def _lead(said: Sequence[Hit], start: int, text: str, reach: int) -> Hit | None:
    """The words before a quote that say it is a message."""
    for hit in said:
        if 0 <= start - hit.end <= reach and not _SENTENCE_END.search(text, hit.end, start):
            return hit
    return None
