"""The HTML alternative of a reply, made from its plain text: simple enough to look right in every mail program.

Paragraphs, lists (lines that begin with "- " or "1. "), a table where each line of a block is "Label: value", a rule
where the text has one. Everything is escaped: the words of a mail stay words.
"""

from __future__ import annotations

import re
from html import escape

_STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:1.5;color:#1f2933;max-width:640px"
_LABEL_STYLE = "padding:4px 16px 4px 0;color:#52606d;vertical-align:top;white-space:nowrap"
_BULLET = re.compile(r"- (.+)")
_NUMBER = re.compile(r"\d{1,3}\. (.+)")
# A label and a value; "We are late: sorry." is a sentence.
_ROW = re.compile(r"(?!- |\d{1,3}\. )([^:.\n]{2,24}): ([^\n]{0,119}[^\n.!?;,])")
_RULE = re.compile(r"-{5,}")
_LINK = re.compile(r"https?://[^\s<>\"')]{4,300}[^\s<>\"').,;:!?]")


def to_html(text: str) -> str:
    """A whole HTML document."""
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    body = "\n".join(_block(block.split("\n")) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n<body style="{_STYLE}">\n{body}\n</body></html>\n'
    )


def _block(lines: list[str]) -> str:
    if len(lines) == 1 and _RULE.fullmatch(lines[0].strip()):
        return '<hr style="border:none;border-top:1px solid #cbd2d9;margin:24px 0">'
    if all(_ROW.fullmatch(line) for line in lines):
        return _table(lines)
    parts: list[str] = []
    plain: list[str] = []
    for index, line in enumerate(lines):
        for tag, form in (("ul", _BULLET), ("ol", _NUMBER)):
            match = form.fullmatch(line.strip())
            if match:
                parts += _paragraph(plain)
                plain = []
                item = f'<li style="margin:4px 0">{_words(match.group(1))}</li>'
                opened = index > 0 and bool(form.fullmatch(lines[index - 1].strip()))
                if opened:
                    parts[-1] = parts[-1].removesuffix(f"</{tag}>") + item + f"</{tag}>"
                else:
                    parts.append(f'<{tag} style="margin:0 0 14px;padding-left:24px">{item}</{tag}>')
                break
        else:
            plain.append(line)
    return "\n".join(parts + _paragraph(plain))


def _paragraph(lines: list[str]) -> list[str]:
    if not lines:
        return []
    return ['<p style="margin:0 0 14px">' + "<br>\n".join(_words(line) for line in lines) + "</p>"]


def _table(lines: list[str]) -> str:
    rows = []
    for line in lines:
        label, value = line.split(": ", 1)
        rows.append(
            f'<tr><td style="{_LABEL_STYLE}">{_words(label)}</td>'
            f'<td style="padding:4px 0"><strong>{_words(value)}</strong></td></tr>'
        )
    table = f'<table role="presentation" style="border-collapse:collapse">{"".join(rows)}</table>'
    return f'<div style="border-left:3px solid #3e7cb1;padding-left:12px;margin:0 0 14px">{table}</div>'


def _words(text: str) -> str:
    """Escaped, with the addresses of pages made links."""
    out, at = [], 0
    for match in _LINK.finditer(text):
        url = escape(match.group())
        out += [escape(text[at : match.start()]), f'<a href="{url}" style="color:#1f5f99">{url}</a>']
        at = match.end()
    return "".join([*out, escape(text[at:])])
