"""Texts made readable: line ends, wrapped lines, invitations, HTML."""

from __future__ import annotations

import re

_C0 = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")


def clean(found: str) -> str:
    """Line ends as \\n, without control characters that are no layout."""
    if "\r" in found:
        found = found.replace("\r\n", "\n").replace("\r", "\n")
    if not found.isprintable():
        found = _C0.sub(
            "", found.replace("\x0c", "\n").replace("\x85", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
        )
    return found


def from_html(found: str) -> str:
    from triage.adapters.html import to_text  # its library takes a while to load, and most mails need none

    return to_text(found)


def flowed(found: str, delsp: bool) -> str:
    """Lines joined that the writer's program had wrapped (RFC 3676)."""
    out: list[str] = []
    paragraph: list[str] = []
    depth = -1
    for line in found.split("\n"):
        bare = line.lstrip(">")
        level = len(line) - len(bare)
        content = bare.removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        if paragraph and (level != depth or content == "-- "):
            out.append("".join(paragraph).rstrip(" "))
            paragraph = []
        if not paragraph:
            depth = level
            paragraph.append(">" * level + (" " if level and content else ""))
        paragraph.append(content[:-1] if soft and delsp else content)
        if not soft:
            out.append("".join(paragraph))
            paragraph = []
    if paragraph:
        out.append("".join(paragraph))
    return "\n".join(out)


_ICS = re.compile(r"(?mi)^(summary|description|location)(?:;[^:\n]{0,200})?:([^\n]{0,8000})$")


def calendar(found: str) -> str:
    """What an invitation says, for a mail that consists of nothing else."""
    unfolded = re.sub(r"\n[ \t]", "", found)
    event = unfolded[max(unfolded.find("BEGIN:VEVENT"), 0) :]
    said = {match[1].lower(): match[2] for match in reversed(list(_ICS.finditer(event)))}
    lines = [said[name] for name in ("summary", "location", "description") if said.get(name, "").strip()]
    return (
        "\n".join(lines)
        .replace("\\n", "\n")
        .replace("\\N", "\n")
        .replace("\\,", ",")
        .replace("\\;", ";")
        .replace("\\\\", "\\")
    )


_PGP = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----[ \t]{0,20}\n(?:[A-Za-z-]{1,30}: [^\n]{0,200}\n){0,10}\n?")


def unsigned(found: str) -> str:
    """Without the armour of a text that is signed in clear."""
    signed = _PGP.search(found)
    end = found.find("-----BEGIN PGP SIGNATURE-----", signed.end()) if signed else -1
    if signed is None or end < 0:
        return found
    after = found.find("-----END PGP SIGNATURE-----", end)
    inside = found[signed.end() : end].replace("\n- -", "\n-")
    return found[: signed.start()] + inside + (found[after + 27 :] if after >= 0 else "")
