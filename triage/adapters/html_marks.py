"""What the containers of HTML mail mean: hidden, quoted, signature; and which links are worth writing out.

Mail programs mark these by class, id and style. Names are compared in lower case and without the prefixes that web
mailers put before the classes of a mail they quote (`x_`, `m_-123`, `ydp1a2b3c`, `yiv123`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit


def listed(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Elements whose content a plain mail would not show.
DROPPED = listed(
    "script style head title template object embed applet iframe frameset svg math meta link base audio video"
    " canvas noscript select datalist map area button"
)
# Containers of quoted mail: all of their text is quoted.
_QUOTES = listed(
    "yahoo_quoted zmail_extra protonmail_quote tutanota_quote mail_quote isreplycontent olk_src_body_section"
    " mail-editor-reference-message-container"
)
# From these on to the end of the mail everything is quoted.
_QUOTE_TO_END = listed("divrplyfwdmsg appendonsend stopspelling zwchr replysplit")
_SIGNATURES = listed(
    "gmail_signature moz-signature signature ms-outlook-mobile-signature applemailsignature zmail_signature"
    " protonmail_signature_block mobile-signature yahoo-signature tutanota_signature mail-signature"
)
_PREFIX = re.compile(r"^(?:(?:x_){1,8}|m_-?\d{1,30}|(?:ydp|yiv)[0-9a-f]{6,12})")

_HIDDEN = re.compile(r"display:none|visibility:hidden|mso-hide:all|max-height:0(?![.\d])")
_BORDER_TOP = re.compile(r"border-top(?:-style)?:[^;]{0,40}solid")
_BORDER_LEFT = re.compile(r"border-left(?:-style|-width)?:(?!none|0)")
_BLANKS = re.compile(r"[ \t\n\r\f]+")

_REDIRECTS = ("safelinks.protection.outlook.com", "urldefense.com", "google.com")
_MAX_LINK = 300  # characters: longer ones are a tracker's, and nobody would type them


def names_of(attributes: Mapping[str, str | None]) -> frozenset[str]:
    """Classes and id of an element."""
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"[:400].lower().split()
    return frozenset(_PREFIX.sub("", name) for name in names)


def style_of(attributes: Mapping[str, str | None]) -> str:
    """The style of an element, without spaces and in lower case."""
    style = attributes.get("style")
    return _BLANKS.sub("", style[:2_000]).lower() if style else ""


def is_hidden(attributes: Mapping[str, str | None], style: str) -> bool:
    return "hidden" in attributes or (bool(style) and _HIDDEN.search(style) is not None)


def is_quote(tag: str, names: frozenset[str], style: str, kind: str) -> bool:
    """Is all of this element's text quoted mail? (Many programs indent by a blockquote that quotes nothing.)"""
    if tag == "blockquote" and (kind == "cite" or "gmail_quote" in names or _BORDER_LEFT.search(style)):
        return True
    return not names.isdisjoint(_QUOTES)


def begins_quote(names: frozenset[str]) -> bool:
    """Is everything from this element to the end of the mail quoted?"""
    return not names.isdisjoint(_QUOTE_TO_END)


def has_rule_above(style: str) -> bool:
    """The line that Outlook draws above the headers of what it quotes."""
    return _BORDER_TOP.search(style) is not None


def is_signature(names: frozenset[str]) -> bool:
    return not names.isdisjoint(_SIGNATURES)


def link_to_write(text: str, href: str) -> str:
    """The address of a link where it says more than its text; "" otherwise."""
    href = href.strip()
    shown = text.strip()
    if not shown or "\n" in href:
        return ""
    folded = href[: 2 * _MAX_LINK].lower()
    if folded.startswith("mailto:"):
        address = href[7:].partition("?")[0]
        return "" if not address or address.lower() in shown.lower() else address[:_MAX_LINK]
    if not folded.startswith(("http://", "https://", "ftp://")):
        return ""
    target = _target(href)
    if len(target) > _MAX_LINK or _bare(target) in (_bare(shown), "") or _bare(shown).startswith(_bare(target)):
        return ""
    return target


def _bare(link: str) -> str:
    return link.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


def _target(href: str) -> str:
    """Where a link leads, past the services that rewrite it."""
    if not any(service in href for service in _REDIRECTS) or len(href) > 4_000:
        return href
    try:
        parts = urlsplit(href)
        found = parse_qs(parts.query, max_num_fields=30)
    except ValueError:  # what a mail calls an address may be anything
        return href
    if parts.path.rstrip("/") not in ("", "/url"):
        return href
    return next((found[key][0] for key in ("url", "u", "q") if found.get(key, [""])[0].startswith("http")), href)
