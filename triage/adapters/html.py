"""HTML mail -> the text that a plain mail program would have written, ready for `core.reading.body`.

Structure that HTML knows and text does not is written the way plain mail says it: quoted mail gets `> ` before its
lines, by the containers that the mail programs put around it, and a signature container a `-- ` line above it. Nothing
is fetched, nothing hidden is shown, nothing raises. Before the parser sees it the input is cut at `MAX_CHARS`, overlong
tags lose their attributes and nesting is cut off: Lexbor takes minutes on a tag with 200,000 attributes and seconds on
50,000 nested elements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from triage.adapters import html_marks as marks
from triage.core.reading.body_marks import header

MAX_CHARS = 262_144
MAX_NODES = 20_000  # of the tree that are written; what a person writes has some hundreds
MAX_DEPTH = 100
LONG_TAG = 1_024  # characters of a tag from which on its attributes are counted
MAX_ATTRIBUTES = 60

_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:]*+)((?:[^"'>]++|"[^"]*+"|'[^']*+')*+)>?""")
_KEPT_ATTRIBUTE = re.compile(r"""\s(?:class|id|style|type)=(?:"[^"<>]{0,200}"|'[^'<>]{0,200}')""")
# Elements that end by themselves, so that their number says nothing of the nesting.
_UNNESTED = marks.listed(
    "area base br col embed hr img input link meta source track wbr p li td th tr tbody thead tfoot dd dt option"
    " colgroup html body head o:p"
)
_PARAGRAPHS = marks.listed("p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote")
_BLOCKS = marks.listed(
    "div section article header footer main aside nav address center form fieldset figure figcaption dd dt tr"
    " caption details summary tbody thead tfoot li legend"
)
_RULE = "_" * 32
_SPACES = re.compile(r"[ \t\n\r\f]+")
_INVISIBLE = str.maketrans("\xa0", " ", "\u200b\u200c\u2060\ufeff\u00ad\u034f\x00")


def to_text(html: str) -> str:
    """The text of an HTML mail; "" when it shows none."""
    found = html[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    body = LexborHTMLParser(_tamed(found)).body
    if body is None:
        return ""
    writer = _Writer()
    _write(body, writer)
    return writer.text()


def _tamed(html: str) -> str:
    """The HTML without tags of very many attributes and without nesting that no mail program makes."""
    depth = skipped = done = 0
    parts: list[str] = []
    for match in _TAG.finditer(html):
        name = match[2].lower()
        drop = False
        if name not in _UNNESTED:
            opens = not match[1]
            drop = depth >= MAX_DEPTH if opens else skipped > 0
            if drop:
                skipped += 1 if opens else -1
            else:
                depth = max(0, depth + (1 if opens else -1))
        rest = match[3]
        if drop or (len(rest) > LONG_TAG and (len(rest) > 16 * LONG_TAG or len(rest.split()) > MAX_ATTRIBUTES)):
            parts.append(html[done : match.start()])
            if not drop:
                parts.append(f"<{name}{''.join(_KEPT_ATTRIBUTE.findall(rest[:LONG_TAG])[:4])}>")
            done = match.end()
    return "".join([*parts, html[done:]]) if parts else html


# ---------------------------------------------------------------- the lines that are written


@dataclass(slots=True)
class _Writer:
    """Lines as they grow: collapses spaces and blank lines, knows how deep in quotes it stands."""

    lines: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    bullet: str = ""  # of a list item, written before its first words
    lists: list[int] = field(default_factory=list)  # the number of the last item; -1 in lists without numbers
    quotes: int = 0
    verbatim: int = 0
    blank: bool = True  # the last line is empty, or there is none

    def words(self, text: str) -> None:
        text = text.translate(_INVISIBLE)
        if self.verbatim:
            for number, line in enumerate(text.split("\n")):
                if number:
                    self.line(empty=True)
                self.current.append(line)
            return
        text = _SPACES.sub(" ", text)
        if not self.current or self.current[-1][-1:] in (" ", "\t"):
            text = text.lstrip(" ")
        if text:
            self.current.append(text)

    def line(self, *, empty: bool = False) -> None:
        """End the line. `empty`: an empty one counts too, as after `<br><br>`."""
        text = "".join(self.current).rstrip()
        self.current.clear()
        if text:
            self._put("  " * max(0, len(self.lists) - 1) + self.bullet + text)
            self.bullet = ""
            self.blank = False
        elif empty and not self.blank:
            self._put("")
            self.blank = True

    def paragraph(self) -> None:
        self.line()
        self.line(empty=True)

    def next_bullet(self) -> str:
        """ "- ", or the number of the next item of the list."""
        if not self.lists or self.lists[-1] < 0:
            return "- "
        self.lists[-1] += 1
        return f"{self.lists[-1]}. "

    def _put(self, text: str) -> None:
        self.lines.append((">" * self.quotes + " " + text).rstrip() if self.quotes else text)

    def text(self) -> str:
        self.line()
        while self.lines and not self.lines[-1].strip("> "):
            self.lines.pop()
        return "\n".join(self.lines).lstrip("\n")


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class _Open:
    """An element that is being written, and what its end must undo."""

    node: LexborNode
    tag: str
    tight: bool  # no blank line around it
    quote: bool
    signature_at: int | None  # the line at which a signature container began
    href: str
    written: tuple[int, int]  # lines and pieces that there were at its beginning


def _write(root: LexborNode, writer: _Writer) -> None:
    """Write all below `root`, without recursion: the stack holds the elements that are open."""
    stack: list[_Open] = []
    node = root.child
    budget = MAX_NODES
    quoted_to_end = False
    while node is not None or stack:
        if node is None or budget <= 0:
            if not stack:
                break
            ended = stack.pop()
            _close(ended, writer)
            node = ended.node.next
            continue
        budget -= 1
        tag = node.tag or ""
        if tag == "-text":
            writer.words(node.text_content or "")
        elif tag[:1] not in ("-", "!") and tag not in marks.DROPPED:
            attributes = node.attributes
            names, style = marks.names_of(attributes), marks.style_of(attributes)
            if not marks.is_hidden(attributes, style):
                if not quoted_to_end and (marks.begins_quote(names) or _is_outlook_header(node, style)):
                    quoted_to_end = True
                    writer.line()
                    writer.quotes = max(1, writer.quotes)
                opened = _open(node, tag, attributes, names, style, writer, quoted_to_end)
                if node.child is not None:
                    stack.append(opened)
                    node = node.child
                    continue
                _close(opened, writer)
        node = node.next


def _open(
    node: LexborNode,
    tag: str,
    attributes: dict[str, str | None],
    names: frozenset[str],
    style: str,
    writer: _Writer,
    quoted_to_end: bool,
) -> _Open:
    """Write what stands before an element's content."""
    tight = tag == "p" and ("msonormal" in names or "margin:0" in style or "margin-top:0" in style)
    if tag == "br":
        writer.line(empty=True)
    elif tag in _PARAGRAPHS:
        _gap(tag, tight, writer)
    elif tag in _BLOCKS:
        writer.line()
    elif tag in ("td", "th") and writer.current and _follows_cell(node):
        writer.current[:] = ["".join(writer.current).rstrip(" "), "\t"]
    elif tag == "hr":
        writer.line()
        writer.words(_RULE)
        writer.line()
    elif tag == "img":
        writer.words(_picture(attributes))
    if tag in ("ul", "ol"):
        writer.lists.append(0 if tag == "ol" else -1)
    elif tag == "li":
        writer.bullet = writer.next_bullet()
    elif tag in ("pre", "textarea"):
        writer.verbatim += 1
    quote = not quoted_to_end and marks.is_quote(tag, names, style, (attributes.get("type") or "").lower())
    signature = not quote and not writer.quotes and bool(names) and marks.is_signature(names)
    if quote or signature:
        writer.line()
        writer.quotes += quote
    href = (attributes.get("href") or "") if tag == "a" else ""
    at = len(writer.lines) if signature and writer.lines else None
    return _Open(node, tag, tight, quote, at, href, (len(writer.lines), len(writer.current)))


def _close(opened: _Open, writer: _Writer) -> None:
    """Write what stands behind an element's content, and undo what its beginning did."""
    tag = opened.tag
    if opened.href and opened.written[0] == len(writer.lines):
        text = "".join(writer.current[opened.written[1] :])
        if target := marks.link_to_write(text, opened.href):
            trailing = " " if text.endswith(" ") else ""
            writer.words(f"{'' if trailing else ' '}<{target}>{trailing}")
    if tag in ("pre", "textarea"):
        writer.line()
        writer.verbatim -= 1
    if tag in _PARAGRAPHS:
        if opened.written == (len(writer.lines), len(writer.current)) or not "".join(writer.current).strip():
            writer.line(empty=tag == "p")  # an empty paragraph is how Outlook writes a blank line
        _gap(tag, opened.tight, writer)
    elif tag in _BLOCKS:
        writer.line()
        writer.bullet = "" if tag == "li" else writer.bullet
    if tag in ("ul", "ol"):
        writer.lists.pop()
    if opened.quote:
        writer.line()
        writer.quotes = max(0, writer.quotes - 1)
    if opened.signature_at is not None:
        writer.line()
        written = [line.strip() for line in writer.lines[opened.signature_at :] if line.strip()]
        if written and not written[0].startswith("--"):
            writer.lines.insert(opened.signature_at, "-- ")


def _gap(tag: str, tight: bool, writer: _Writer) -> None:
    """A blank line around a paragraph, unless it is `tight`: one of those by which Outlook writes lines."""
    if tight or (tag in ("ul", "ol", "table") and (writer.lists or tag == "table")):
        writer.line()
    else:
        writer.paragraph()


def _follows_cell(node: LexborNode) -> bool:
    before = node.prev
    if before is not None and before.tag == "-text":
        before = before.prev
    return before is not None and before.tag in ("td", "th")


def _picture(attributes: dict[str, str | None]) -> str:
    """What stands for a picture: its text, an emoji's sign; nothing for a tracking pixel."""
    alt = _SPACES.sub(" ", (attributes.get("alt") or "")[:200]).strip()
    if not alt or attributes.get("width") in ("0", "1") or attributes.get("height") in ("0", "1"):
        return ""
    return alt if len(alt) <= 2 else f"[image: {alt[:100]}]"


def _is_outlook_header(node: LexborNode, style: str) -> bool:
    """Outlook's box with a line above and "From:" (in whatever language) as its first words."""
    if not style or not marks.has_rule_above(style):
        return False
    text = ""
    for seen, inner in enumerate(node.traverse(include_text=True)):
        if inner.tag == "-text":
            text += inner.text_content or ""
        if seen > 20 or len(text.strip()) > 30:
            break
    return header(" ".join(text.split()))[0] in ("from", "date", "to", "subject")
