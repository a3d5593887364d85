"""Where the signature block begins: closing formula, bare name, `-- `, phone footer, disclaimer.

`closing_start` is handed the last lines that the sender wrote and answers with the index of the first line that is not
his text any more. It looks from the end upwards, at `WINDOW` lines at most, and cuts only where everything below looks
like a signature: words lost are worse than a name left in.
"""

from __future__ import annotations

from collections.abc import Sequence

from triage.core.reading.body_lines import (
    AFTER_NAME,
    CODE_SIGNS,
    DATA,
    DELIMITER,
    LINE,
    LONG_NUMBER,
    POSTSCRIPT,
    formula_rest,
    is_contact,
    is_disclaimer,
    is_footer,
    is_formula,
    is_link,
    name_like,
    signature_like,
)

WINDOW = 40  # lines of text from the end that a signature block may have


def closing_start(lines: Sequence[str], sender: frozenset[str] = frozenset(), *, first: bool = True) -> int:
    """Index of the first line of the signature block, `len(lines)` when there is none.

    `first`: nothing of the text stands above these lines, so that the first of them is text.
    `sender`: the words of the sender's display name, case-folded, where it is known.
    """
    end = len(lines)
    window = [i for i in range(max(0, end - 4 * WINDOW), end) if lines[i].strip()][-WINDOW:]
    if not window:
        return end
    start = end
    disclaimer = next((i for i in window if i > window[0] and is_disclaimer(lines[i])), None)
    if disclaimer is not None and _tail_is_short(lines, disclaimer):
        start = disclaimer
    below = [i for i in window if i < start]
    while below and is_footer(lines[below[-1]]):
        start = below.pop()
    while below and is_link(lines[below[-1]]) and len(below) > 1 and is_footer(lines[below[-2]]):
        start = below[-2]
        below = below[:-2]
    rule = _signed_above_rule(lines, below, sender, first)
    if rule is not None:
        return rule
    delimiter = _delimiter_start(lines, below)
    if delimiter is not None:
        start = delimiter
        below = [i for i in below if i < start]
    slogan = _slogan_start(lines, below)
    block = _block_start(lines, [i for i in below if i < slogan], sender, first) if slogan is not None else None
    block = block if block is not None else _block_start(lines, below, sender, first)
    return block if block is not None else start


def _slogan_start(lines: Sequence[str], below: Sequence[int]) -> int | None:
    """What a firm prints below its people's signatures: prose that follows formula, name and contact data."""
    for position, index in enumerate(below[:-3]):
        if not is_formula(lines[index]) or not name_like(lines[below[position + 1]]):
            continue
        contact = next(
            (p for p in range(position + 2, min(position + 8, len(below))) if is_contact(lines[below[p]])), None
        )
        if contact is None or not all(signature_like(lines[i]) for i in below[position + 1 : contact + 1]):
            continue
        # one address alone is no letterhead, and what follows it may be an afterthought
        if sum(is_contact(lines[i]) for i in below[position + 1 :]) < 2 and not lines[below[contact]].startswith("!["):
            continue
        strange = [lines[i].strip() for i in below[contact + 1 :] if not signature_like(lines[i])]
        if not strange or len(strange) > 3 or sum(len(line.split()) for line in strange) > 50:
            continue
        if any(line[-1] == "?" or LONG_NUMBER.search(line) or DATA.search(line.casefold()) for line in strange):
            continue
        return below[contact + 1]
    return None


def _tail_is_short(lines: Sequence[str], start: int) -> bool:
    return sum(1 for line in lines[start:] if line.strip()) <= 30


def postscript_start(lines: Sequence[str]) -> int:
    """Index of a postscript, which is text though it stands below the signature; `len(lines)` when there is none."""
    texts = [i for i, line in enumerate(lines) if line.strip()][-6:]
    return next((i for i in texts[1:] if POSTSCRIPT.match(lines[i].strip()[:LINE])), len(lines))


def _signed_above_rule(lines: Sequence[str], below: Sequence[int], sender: frozenset[str], first: bool) -> int | None:
    """A closing formula and a name, then a rule: what stands below the rule is none of this mail's text."""
    for position, index in enumerate(below):
        if position and len(lines[index].strip()) > 4 and DELIMITER.match(lines[index].strip()):
            start = _block_start(lines, below[:position], sender, first)
            if start is not None and is_formula(lines[start]):
                return start
    return None


def _in_code(lines: Sequence[str], index: int) -> bool:
    """Does the line stand between two fences of pasted code?"""
    return sum(line.startswith("```") for line in lines[:index]) % 2 == 1


def _delimiter_start(lines: Sequence[str], below: Sequence[int]) -> int | None:
    """The `-- ` line: everything below it is the signature when it is short and no list or prose."""
    for position, index in enumerate(below):
        line = lines[index]
        text = line.strip()
        if not DELIMITER.match(text) or _in_code(lines, index):
            continue
        rest = below[position + 1 :]
        if not rest:
            return index
        if len(text) > 5 and not all(signature_like(lines[i]) for i in rest):
            continue  # a rule between parts of the text
        exact = line.rstrip("\r\n") in ("-- ", "--")
        strange = sum(1 for i in rest if not signature_like(lines[i]))
        if strange == 0 or (exact and len(rest) <= 12 and (strange <= 2 or line.endswith(" "))):
            return index
    return None


def _block_start(lines: Sequence[str], below: Sequence[int], sender: frozenset[str], first: bool) -> int | None:
    """The formula or the bare name above everything that looks like a signature; None when there is none."""
    best: int | None = None
    for position in range(len(below) - 1, -1, -1):
        index = below[position]
        line = lines[index]
        if first and position == 0 and not any(line.strip() for line in lines[:index]):
            break  # the first line of all is text
        if is_formula(line) or _thanks_to_a_name(lines, below, position):
            best = index
            continue
        if not signature_like(line):
            break
        if len(below) - position > 16:
            break
        named = _names_sender(line, sender)
        if best is not None and is_formula(lines[best]) and not named:
            continue
        if (named and len(line.split()) <= 6 and not is_contact(line)) or _starts_block(lines, index, below[position:]):
            best = index
    return best


def _thanks_to_a_name(lines: Sequence[str], below: Sequence[int], position: int) -> bool:
    """ "Thanks in advance for your help," above a name: the comma makes it a closing."""
    line = lines[below[position]].rstrip()
    if line[-1:] != "," or len(line.split()) > 9 or position + 1 >= len(below):
        return False
    return formula_rest(line) is not None and name_like(lines[below[position + 1]])


def _names_sender(line: str, sender: frozenset[str]) -> bool:
    if not sender or len(line) > 60:
        return False
    words = line.strip(" \t*_-–—~/.,").casefold().replace(",", " ").split()
    if not words or len(words) > 6:
        return False
    return words[0].strip(".") in sender or (len(words) > 1 and words[-1].strip(".") in sender)


def _starts_block(lines: Sequence[str], index: int, block: Sequence[int]) -> bool:
    """Is this line a bare name with nothing but name, firm and contact data below it?"""
    line = AFTER_NAME.split(lines[index], maxsplit=1)[0]  # "Ken Okoro | Head of Support"
    stripped = line.strip()
    dashed = stripped[:1] in "-–—/~" and len(stripped) > 1
    if not name_like(line, loose=dashed or any(is_contact(lines[i]) for i in block[1:4])):
        return False
    if dashed and len(stripped.split()) > 4:
        return False
    previous = next((lines[i].strip() for i in range(index - 1, -1, -1) if lines[i].strip()), "")
    if not previous or previous[-1] in ":,;":  # (alone below a quote it is an answer)
        return False
    if dashed and previous[:1] in "-–—*•":
        return False  # the last item of a list
    alone = index == 0 or not lines[index - 1].strip()
    below_sentence = previous[-1] in ".!?" and len(previous.split()) > 3 and len(stripped.split()) <= 2
    if not alone and not dashed and not below_sentence:
        return False
    rest = block[1:]
    for i in rest:
        text = lines[i].strip()
        folded = text.casefold()
        if is_contact(text) or DELIMITER.match(text) or is_footer(text):
            continue
        if CODE_SIGNS.search(text) or DATA.search(folded) or LONG_NUMBER.search(text) or (":" in text):
            return False
        if any(c.isdigit() for c in text) and not ("," in text or "·" in text or "|" in text):
            return False
        if len(text.split()) > 10 or (text[-1] in "?!" or (text[-1] == "." and len(text.split()) > 5)):
            return False
    return len(rest) <= 10


def without_footers(lines: Sequence[str]) -> list[str]:
    """The lines without footers of phones that stand alone amid the text (a reply below its quote, a mail in"
    " parts)."""
    last = len(lines) - 1
    return [
        line
        for i, line in enumerate(lines)
        if not (
            line.strip()
            and (line.rstrip()[-1] != "." or line.strip(" <([").startswith(("Sent ", "sent ")))
            and is_footer(line)
            and (i == 0 or not lines[i - 1].strip())
            and (i == last or not lines[i + 1].strip())
        )
    ]
