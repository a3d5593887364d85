"""Takes a text apart into what can be asked on its own: sentences and list items, with their place in the text.

Every unit is a span of the text as the sender wrote it, so that it can be quoted back word for word. Lines that a mail
client wrapped are joined, list items are told from prose, and pasted matter (logs, payloads, code) is marked: it is
shown, not asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# A list marker: a bullet, a number or a letter with a stop, "1.How" without a space too, "1.:" as well.
_MARK = re.compile(
    r"[ \t]{0,8}(?:(?P<bullet>[-*•·–—▪●→])[ \t]{1,4}"
    r"|\(?(?P<number>\d{1,2})[ºª°]?(?:[.)][-:]?|[ \t]?[-–:]-?)[ \t]{0,4}(?=[^\W\d_]|[¿¡\"'“«(])"
    r"|\(?(?P<letter>[A-Ha-h])(?:\)|[.](?=[ \t]))[ \t]{0,4})"
)
# "1 how ...": a mark only where lines begin with 1 and with 2.
_BARE = re.compile(r"^[ \t]{0,8}(?P<number>\d{1,2})[ \t]{1,4}(?=[^\W\d_])", re.MULTILINE)
# "Panel: we need to know ...": an item where such lines stand below words that end with a colon.
_LABELLED = re.compile(r"[ \t]{0,8}[^\W\d_][^:?¿\n]{2,60}:[ \t]{1,3}(?=[^\W\d_¿\"])")
_SAYS = 5  # words behind such a label; fewer are a form that is filled in
# The same marks within a running line: "two things: 1) ... 2) ..."
_INLINE = re.compile(
    r"(?<=[\s:;,.])\(?(?P<number>[1-9])[.)][ \t]{0,2}(?=[^\W\d_]|[¿¡\"'“«])"
    r"|(?:(?<=\s)\(?|(?<=[\s:;,.])\((?=[A-F]))(?P<letter>[a-fA-F])\)[ \t]"
)
_SOME_INLINE = re.compile(r"[1-9a-fA-F]\)|[1-9]\.")  # what each of them holds: most lines have none
# The end of a sentence: a mark that space or the end of the text follows. "..." between words is a pause, not an end.
_END = re.compile(r"(?:[?!？！؟]+|[.;](?![.\w])|\.{2,5}(?=\s+[A-ZÁÉÍÓÚÑ¿¡]|\s*\Z)|…)[)\"'”»\]]{0,2}(?=\s|\Z)")
_PASTED = re.compile(  # the beginning of a line of a log, a payload, code
    r"\s{0,40}(?:[<{}\[\]$#]|//|(?:GET|POST|PUT|DELETE|PATCH|HTTP/\d|curl|SELECT|INSERT|UPDATE|FROM|WHERE)\b"
    r"|\d{4}-\d\d-\d\d[T ]\d|\[?\d\d:\d\d:\d\d|at [\w$.]{3,80}\(|Caused by:"
    r"|(?:WARN|ERROR|INFO|DEBUG|FATAL|Traceback)\b|https?://\S{1,2000}\s*$)"
)
_BETWEEN = 4  # most blocks that stand between two items of one list
_WRAPPED = 50  # a line shorter than this was ended by its writer, not by the mail client
_LONGEST = 40_000  # characters that are read: a question that only begins after them is not one


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or a list item: a span of the text."""

    start: int
    end: int
    paragraph: int  # number of the block of lines it stands in
    item: int  # number of its list item, -1 outside of lists
    list: int  # number of its list, -1 outside of lists
    numbered: bool  # of an item: by number or letter, not by a dash
    opens: bool  # the first unit of its paragraph or item
    pasted: bool  # a log line, a payload, code


@dataclass(slots=True)
class _Block:
    """Lines that belong together: a paragraph or one list item."""

    start: int
    end: int
    paragraph: int
    item: int = -1
    list: int = -1
    numbered: bool = False
    pasted: bool = False


@lru_cache(maxsize=4)  # several readers look at the same text
def units(text: str) -> tuple[Unit, ...]:
    """The sentences and list items of a text, in order."""
    found: list[Unit] = []
    for block in _blocks(text[:_LONGEST]):
        if block.pasted:
            found.append(_unit(block, block.start, block.end, True))
            continue
        opens = True
        for start, end in _sentences(text, block.start, block.end):
            found.append(_unit(block, start, end, opens))
            opens = False
    return tuple(found)


def _unit(block: _Block, start: int, end: int, opens: bool) -> Unit:
    return Unit(start, end, block.paragraph, block.item, block.list, block.numbered, opens, block.pasted)


class _Blocks:
    """Reads the lines of a text into blocks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[_Block] = []
        self.paragraph = self.items = self.lists = 0
        self._fresh = True  # the next line begins a block
        self._kind = ""  # of the last list mark: bullet, number, letter
        self._marked_at = -9  # number of the last block that is an item
        bare = {match.group(1) for match in _BARE.finditer(text)}
        self._marks = (_MARK, _BARE) if {"1", "2"} <= bare else (_MARK,)
        at = 0
        for line in text.split("\n"):
            if line.strip():
                self._line(line, at, at + len(line.rstrip()))
            else:
                self._fresh = True
            at += len(line) + 1

    def _line(self, line: str, start: int, end: int) -> None:
        mark = next((mark for pattern in self._marks if (mark := pattern.match(line))), None)
        if mark and start + mark.end() < end:
            self._item(mark, start + mark.end(), end)
        elif _PASTED.match(line):
            self._pasted(start, end)
        elif self._led(line):
            self._item(None, start + len(line) - len(line.lstrip()), end)
        else:
            self._prose(start + len(line) - len(line.lstrip()), end)
        self._fresh = False

    def _led(self, line: str) -> bool:
        """Whether a line is an item by its label: below a lead that ends with a colon, or below another such item."""
        label = _LABELLED.match(line)
        if label is None or not self.found or len(line[label.end() :].split()) < _SAYS:
            return False
        last = self.found[-1]
        return (self._kind == "label" and last.item >= 0) or self.text[last.end - 1] == ":"

    def _item(self, mark: re.Match[str] | None, start: int, end: int) -> None:
        kind = (mark.lastgroup or "bullet") if mark else "label"
        # A list goes on over paragraphs between its items as long as it counts on.
        begins = mark is not None and kind == "number" and int(mark.group(kind)) == 1
        if begins or kind != self._kind or len(self.found) - self._marked_at > _BETWEEN:
            self.lists += 1
        self.paragraph += 1
        self.items += 1
        self._kind, self._marked_at = kind, len(self.found)
        self.found.append(_Block(start, end, self.paragraph, self.items, self.lists, kind in ("number", "letter")))

    def _pasted(self, start: int, end: int) -> None:
        if self.found and self.found[-1].pasted and not self._fresh:
            self.found[-1].end = end
            return
        self.paragraph += self._fresh
        self.found.append(_Block(start, end, self.paragraph, pasted=True))

    def _prose(self, start: int, end: int) -> None:
        if not self.found or self._fresh:
            self.paragraph += 1
            self.found.append(_Block(start, end, self.paragraph))
            return
        previous = self.found[-1]
        if not previous.pasted and _wrapped(self.text, previous, start):
            previous.end = end
        else:
            self.found.append(_Block(start, end, self.paragraph, previous.item, previous.list, previous.numbered))


def _blocks(text: str) -> list[_Block]:
    read = _Blocks(text)
    return _split_inline(text, read.found, read.items, read.lists)


def _split_inline(text: str, blocks: list[_Block], items: int, lists: int) -> list[_Block]:
    """The same blocks, those cut in pieces that hold a list within their lines."""
    found: list[_Block] = []
    listed = False  # after a list of lines, "as (a) began in March and (b) last week" only refers to it
    for block in blocks:
        found.append(block)
        marks = [] if block.pasted or (listed and block.list < 0) else _inline(text, block)
        listed = listed or block.numbered
        if not marks:
            continue
        if block.list < 0:
            lists += 1
        list_ = block.list if block.list >= 0 else lists
        ends = [mark.start() for mark in marks[1:]] + [block.end]
        block.end = marks[0].start()
        for mark, end in zip(marks, ends, strict=True):
            items += 1
            found.append(_Block(mark.end(), end, block.paragraph, items, list_, True))
    return found


def _wrapped(text: str, block: _Block, begin: int) -> bool:
    """Whether the line that begins here goes on with the sentence of the block before it."""
    last_line = text[max(block.start, text.rfind("\n", block.start, block.end) + 1) : block.end]
    if last_line[-1:] in "?!:;":
        return False
    return len(last_line) >= _WRAPPED or text[begin].islower()


def _sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The spans of the sentences between two places."""
    cuts: list[int] = []
    for match in _END.finditer(text, start, end):
        if match.group().startswith(".") and _abbreviated(text, start, match.start()):
            continue
        cuts.append(match.end())
    found: list[tuple[int, int]] = []
    begin = start
    for cut in [*cuts, end]:
        here, there = begin, cut
        while here < there and text[here].isspace():
            here += 1
        while there > here and text[there - 1].isspace():
            there -= 1
        if there > here:
            found.append((here, there))
        begin = cut
    return found


def _abbreviated(text: str, start: int, stop: int) -> bool:
    """Whether the stop belongs to an abbreviation: "e.g.", an initial, "No. 5"."""
    begin = stop
    while begin > max(start, stop - 8) and not text[begin - 1].isspace():
        begin -= 1
    word = text[begin:stop].lstrip("(\"'“«")
    if "." in word or (len(word) == 1 and word.isupper()):
        return len(word) <= 4
    return (
        len(word) <= 6 and word.isalpha() and text[stop + 1 : stop + 2] == " " and text[stop + 2 : stop + 3].isdigit()
    )


def _inline(text: str, block: _Block) -> list[re.Match[str]]:
    """The marks of a list inside a block: only when they count on from 1 or a, or from the block's own mark."""
    if not _SOME_INLINE.search(text, block.start, block.end):
        return []
    marks = list(_INLINE.finditer(text, block.start, block.end))
    for kind, order in (("number", "123456789"), ("letter", "abcdef")):
        chosen = [mark for mark in marks if mark.lastgroup == kind]
        values = "".join(mark.group(kind).lower() for mark in chosen)
        if len(values) >= 2 and order.startswith(values):
            return chosen
        if values and block.numbered and order[1:].startswith(values):
            return chosen
    return []
