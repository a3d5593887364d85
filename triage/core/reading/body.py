"""What the sender wrote: a mail's text without quotes, signature and forwarded mail (guide: *text*).

The lines are walked once. Structure decides first (`>` lines, header blocks, separators), then the attribution line
above it; the signature is looked for last, in what is left. Nothing is cut on a phrase alone when words of the sender
may follow: losing words is worse than leaving a quote in, and when nothing would be left the whole text stays.
Work is linear and bounded: see `MAX_CHARS`, `MAX_LINES` and `body_marks.LINE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from triage.core.model import Body
from triage.core.reading import body_marks as marks
from triage.core.reading.body_closing import closing_start, postscript_start, without_footers
from triage.core.reading.body_lines import banner_lines

MAX_CHARS = 200_000  # beyond it a text is not taken apart line by line
MAX_LINES = 3_000
MAX_TRIES = 80  # lines that end like an attribution and are none: what has more of them is a log, or means harm

# What becomes of a line.
OWN, BLANK, QUOTE, FORWARD, MARK = "own", "blank", "quote", "forward", "mark"

_QUOTE_MARKS = re.compile(r"^(?:[ \t]?>){1,40}[ \t]?")
_INVISIBLE = str.maketrans("", "", "\u200b\u200e\u200f\u202a\u202b\u202c\u2060\ufeff\x00")
_RULE = re.compile(r"^[-_=*\u2014\u2013 ]{5,200}$")
_OPEN_LINK = re.compile(r"(?:<[^<>\s]{0,300}|\((?:https?://|www\.)[^()\s]{0,300})$")
_LINK_ALONE = re.compile(r"^[<(]?https?://\S{1,300}(?: ?>)?$")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Lines that announce earlier or forwarded mail."""

    start: int
    end: int
    below: str  # what stands below them: QUOTE or FORWARD
    to_end: bool  # all that follows is theirs; otherwise only the lines with quote marks
    fate: str = MARK  # of the lines themselves


def take_apart(text: str, *, subject: str = "", sender_name: str = "") -> Body:
    """A mail's text in its parts. `subject` tells a forward from a reply, `sender_name` helps to see a bare name."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE).strip()
    if not whole:
        return Body(text="")
    head, rest = whole[:MAX_CHARS], whole[MAX_CHARS:]
    lines = head.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        rest = lines.pop() + rest
    fates = _fates(lines, marks.is_forward_subject(subject))
    if rest:
        # More than a person writes: it goes where the last line went, or by its own first sign.
        fates.append(QUOTE if rest.startswith(">") else next((f for f in reversed(fates) if f != BLANK), OWN))
        lines.append(rest)
    segments = _segments(lines, fates)
    kept, closing = _without_closing(segments, frozenset(sender_name.casefold().replace(",", " ").split()))
    own = kept or _paragraphs(segments)
    return Body(
        text=own or whole,
        closing=closing if kept else "",
        quoted=_unmarked(lines, fates, QUOTE),
        forwarded=_unmarked(lines, fates, FORWARD),
        has_quote=QUOTE in fates,
        own=bool(own),
    )


# ---------------------------------------------------------------- quotes


def _fates(lines: list[str], forward: bool) -> list[str]:
    """What becomes of each line. A line with words before its attribution is cut in place: `lines` keeps the words."""
    quoted = _quoted(lines)
    follows = _quote_follows(lines, quoted)
    fates: list[str] = [BLANK] * banner_lines(lines)
    below = FORWARD if forward else QUOTE
    tries = MAX_TRIES
    while len(fates) < len(lines):
        at = len(fates)
        if quoted[at]:
            fates.append(below)
        elif not lines[at].strip():
            fates.append(BLANK)
        elif (mark := _block_mark(lines, fates, at, follows[at], forward)) is None and not (
            tries and marks.ends_like_attribution(lines[at].strip(" \t\xa0"), follows[at])
        ):
            fates.append(OWN)
        elif mark is None and (mark := _attribution_mark(lines, fates, at, follows[at])) is None:
            tries -= 1
            fates.append(OWN)
        else:
            fates[mark.start :] = [mark.fate] * (mark.end - mark.start)
            below = mark.below
            if mark.below == FORWARD:
                # the subject of what is passed on says something; who wrote to whom does not
                for i in range(mark.start, mark.end):
                    fates[i] = FORWARD if marks.header(lines[i])[0] == "subject" else MARK
            if mark.to_end:
                fates.extend([below] * (len(lines) - mark.end))
    return fates


def _quoted(lines: Sequence[str]) -> list[bool]:
    """Which lines are quoted by `>`: not the end of a broken link, nor a prompt, nor one lone line amid text."""
    quoted = [line.lstrip(" \t\xa0").startswith(">") for line in lines]
    count = sum(quoted)
    if not count:
        return quoted
    prompts = sum(1 for i, line in enumerate(lines) if quoted[i] and line.startswith(">>>"))
    if prompts == count:
        return [False] * len(lines)
    for i in range(1, len(lines) - 1):
        if quoted[i]:
            amid = (
                count == 1 and not quoted[i - 1] and lines[i - 1].strip() and lines[i + 1].strip() and not quoted[i + 1]
            )
            if (amid and ":" not in lines[i - 1][-1:]) or (
                not quoted[i - 1] and _OPEN_LINK.search(lines[i - 1][-320:])
            ):
                quoted[i] = False
        elif quoted[i - 1] and quoted[i + 1] and _broken_quote(lines[i - 1], lines[i]):
            quoted[i] = True
    return quoted


def _broken_quote(before: str, line: str) -> bool:
    """Is this line between two quoted ones the rest of the first, broken by a mailer, and no answer?"""
    text = line.strip()
    if not text:
        return False
    if _OPEN_LINK.search(before[-320:]) or _LINK_ALONE.match(text):
        return True
    return len(before) >= 66 and text[:1].islower() and before.rstrip()[-1] not in ".?!:;"


def _quote_follows(lines: Sequence[str], quoted: Sequence[bool]) -> list[bool]:
    """For each line: is the next line that holds anything a quoted one?"""
    follows = [False] * len(lines)
    state = False
    for i in range(len(lines) - 1, -1, -1):
        follows[i] = state
        if lines[i].strip():
            state = quoted[i]
    return follows


def _block_mark(
    lines: Sequence[str], fates: Sequence[str], at: int, quote_follows: bool, forward: bool
) -> _Mark | None:
    """The separator or the header block that begins at this line."""
    line = lines[at]
    stripped = line.strip(" \t\xa0")
    separator = marks.separator(line) if not stripped[:1].isalnum() or stripped[-1] in ":：" else ""
    block = 0 if separator else marks.header_block(lines, at)
    if not (separator or block):
        return None
    below = FORWARD if separator == "forwarded" or (forward and separator != "above") else QUOTE
    start = _with_rule_above(lines, fates, at)
    fate = QUOTE if below == QUOTE else MARK
    if separator and not quote_follows:
        at = next((i for i in range(at + 1, min(at + 4, len(lines))) if lines[i].strip()), at + 1)
        block = marks.header_block(lines, at, announced=True) if at < len(lines) else 0
        return _Mark(start, at + block, below, True, fate)
    return _Mark(start, at + max(block, 1), below, bool(block), fate)


def _attribution_mark(lines: list[str], fates: Sequence[str], at: int, quote_follows: bool) -> _Mark | None:
    """The attribution that ends at this line; words before it on the line stay in `lines`."""
    first = _attribution_start(lines, fates, at, quote_follows, marks.begins_like_attribution)
    if first is not None:
        return _Mark(first, at + 1, QUOTE, not quote_follows, QUOTE)
    cut = marks.attribution_in_line(lines[at])
    if cut > 0:
        lines[at] = lines[at][:cut].rstrip(" -\t")
        return _Mark(at, at + 1, QUOTE, not quote_follows, OWN)
    first = _attribution_start(lines, fates, at, quote_follows, lambda _: True)
    if first is None:
        return None
    if first and fates[first - 1] == OWN and marks.goes_on(lines[first - 1], lines[first]):
        first -= 1
    return _Mark(first, at + 1, QUOTE, not quote_follows, QUOTE)


def _attribution_start(
    lines: Sequence[str], fates: Sequence[str], at: int, quote_follows: bool, begins: Callable[[str], bool]
) -> int | None:
    """The first line of the attribution that ends at this line: the nearest above where it can begin."""
    for first in range(at, max(-1, at - marks.MARK_LINES), -1):
        if first < at and fates[first] != OWN:
            break
        if begins(lines[first]) and marks.attribution(lines[first : at + 1], quote_follows):
            return first
    return None


def _with_rule_above(lines: Sequence[str], fates: Sequence[str], at: int) -> int:
    """The start of a mark together with the rule of dashes or underscores that a client draws above it."""
    above = at - 1
    while above >= 0 and fates[above] == BLANK and at - above < 3:
        above -= 1
    return above if above >= 0 and fates[above] == OWN and _RULE.match(lines[above].strip()) else at


# ---------------------------------------------------------------- the sender's own lines


def _segments(lines: Sequence[str], fates: Sequence[str]) -> list[list[str]]:
    """The runs of the sender's lines between what was dropped."""
    segments: list[list[str]] = []
    run: list[str] = []
    for line, fate in zip(lines, fates, strict=True):
        if fate in (OWN, BLANK):
            run.append(line if fate == OWN else "")
            continue
        segments.append(run)
        run = []
    segments.append(run)
    return [segment for segment in segments if any(segment)]


def _without_closing(segments: Sequence[list[str]], sender: frozenset[str]) -> tuple[str, str]:
    """The text without its signature, and the signature: it ends the last segment, and may be all there is in it."""
    closings: list[str] = []
    kept = list(segments)
    while kept:
        last = kept.pop()
        postscript = postscript_start(last)
        start = closing_start(last[:postscript], sender, first=not kept)
        closings.insert(0, "\n".join(last[start:postscript]).strip())
        rest = [*last[:start], "", *last[postscript:]]
        if any(line.strip() for line in rest):
            kept.append(rest)
            break
    kept = [without_footers(segment) for segment in kept]
    return _paragraphs(kept), "\n\n".join(filter(None, closings))


def _paragraphs(segments: Sequence[Sequence[str]]) -> str:
    return "\n\n".join(filter(None, ("\n".join(segment).strip() for segment in segments)))


def _unmarked(lines: Sequence[str], fates: Sequence[str], wanted: str) -> str:
    """The lines of one fate, without their quote marks."""
    return "\n".join(
        _QUOTE_MARKS.sub("", line) for line, fate in zip(lines, fates, strict=True) if fate == wanted
    ).strip()
