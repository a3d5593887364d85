"""What the parts of a mail are: the text to read, and what is attached to it.

Walks the skeleton that the parser made and takes each body from its slice. Text of an attached mail is never the
text of this one (`forwarded`), and a file is never text of the writer, but the beginning of a readable file is kept.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.generator import BytesGenerator
from email.message import Message
from email.policy import compat32
from io import BytesIO

from triage.adapters import charsets, mime_bodies, tnef
from triage.adapters.mime_bodies import Body
from triage.adapters.mime_cut import Skeleton
from triage.adapters.mime_headers import block, decoded, filename, parameters, safe_name, text
from triage.core.model import Attachment

_TEXT_ENDINGS = {
    "txt", "log", "csv", "tsv", "json", "xml", "yaml", "yml", "ini", "conf", "cfg", "md", "sql", "gpx", "kml",
    "geojson", "nmea", "ics", "vcf", "html", "htm", "properties", "err", "out", "trace",
}  # fmt: skip
_TEXT_TYPES = re.compile(
    r"text/|application/(?:json|xml|x-yaml|yaml|x-ndjson|csv|sql|javascript|x-sh|toml|gpx)|.{1,60}\+(?:json|xml)$"
)
_ARCHIVE_TYPES = re.compile(r"application/(?:zip|gzip|x-(?:zip|gzip|tar|7z|rar|bzip2|xz))")
_REPORTS = {
    "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
    "message/feedback-report", "message/global-disposition-notification",
}  # fmt: skip
_TYPES = mimetypes.MimeTypes()  # the built-in table, not the machine's
_PGP = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\n(?:[A-Za-z-]{1,30}: [^\n]{0,200}\n){0,10}\n?")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that may be (part of) what the sender wrote."""

    text: str
    html: bool = False


@dataclass(slots=True)
class Content:
    """What was found in the parts of one mail."""

    pieces: list[Piece] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    report: dict[str, str] = field(default_factory=dict)
    defects: set[str] = field(default_factory=set)
    charset: str = ""  # of the first text, for headers that name none


@dataclass(slots=True)
class Bounds:
    """How much of the content is looked at."""

    text: int
    html: int
    attachment_text: int
    forwarded: int


class Walk:
    """One pass over the parts of one mail."""

    def __init__(self, raw: bytes, skeleton: Skeleton, bounds: Bounds, attached_mail: Callable[[bytes], str]) -> None:
        self.raw = raw
        self.skeleton = skeleton
        self.bounds = bounds
        self.attached_mail = attached_mail  # bytes -> its text, "" when too deep
        self.content = Content()
        self.named: list[Piece] = []  # text with a file name, the text of the mail only where there is no other
        self.calendar = ""

    def run(self, message: Message) -> Content:
        content = self.content
        content.pieces = [piece for piece in self.part(message) if piece.text.strip()]
        if not content.pieces:
            content.pieces = [piece for piece in self.named if piece.text.strip()][:1]
        if not content.pieces and self.calendar:
            content.pieces = [Piece(self.calendar)]
        return content

    def part(self, part: Message, *, alternative: bool = False) -> list[Piece]:
        kind, params = parameters(_raw(part, "content-type"))
        if "/" not in kind or kind.startswith("/") or kind.endswith("/"):
            kind = part.get_default_type()
        payload: object = part.get_payload()
        if kind.startswith("multipart/") and isinstance(payload, list):
            return self.container(kind, [child for child in payload if isinstance(child, Message)])
        disposition, place = parameters(_raw(part, "content-disposition"))
        name = filename(place, params)
        if kind in _REPORTS:
            self.report(self.body(part).head(65_536))
            if not name and disposition != "attachment":
                return []
        elif kind in ("message/rfc822", "message/global", "message/rfc822-headers", "text/rfc822-headers"):
            return self.mail(part, kind, name, disposition)
        elif kind.startswith("multipart/"):
            # No boundary was found: what is there is text, if anything is.
            kind = "text/plain"
        is_text = kind.startswith("text/") and kind not in (
            "text/calendar",
            "text/csv",
            "text/vcard",
            "text/x-vcard",
            "text/xml",
            "text/rtf",
        )
        if is_text and disposition != "attachment" and not (name and kind not in ("text/plain", "text/html")):
            piece = self.piece(part, kind, params)
            if not name:
                return [piece]
            self.named.append(piece)
        self.attach(part, kind, params, disposition, name, alternative=alternative)
        return []

    def container(self, kind: str, children: list[Message]) -> list[Piece]:
        if kind == "multipart/alternative":
            return self.best([self.part(child, alternative=True) for child in children])
        if kind == "multipart/encrypted":
            self.content.defects.add("encrypted")
        found = [piece for child in children for piece in self.part(child)]
        if len(found) > 1 and any(piece.html for piece in found):
            # The same text twice, as some programs send it without saying "alternative".
            plain = [_squeezed(piece.text) for piece in found if not piece.html]
            found = [piece for piece in found if not (piece.html and _squeezed(piece.text) in plain)]
        return found

    def best(self, options: list[list[Piece]]) -> list[Piece]:
        """The plain text, unless it is empty or only says that one should read the other."""
        filled = [[piece for piece in option if piece.text.strip()] for option in options]
        plain = next((option for option in filled if option and not any(piece.html for piece in option)), [])
        html = next((option for option in reversed(filled) if any(piece.html for piece in option)), [])
        return html if html and (not plain or _stub(plain, html)) else plain

    # ---------------------------------------------------------------- bodies

    def body(self, part: Message) -> Body:
        payload: object = part.get_payload()
        inner = payload
        while isinstance(inner, list) and inner and isinstance(inner[0], Message):
            inner = inner[0].get_payload()
        mark = self.skeleton.mark
        if mark and isinstance(inner, str) and inner.startswith(mark) and inner[len(mark) :].isdigit():
            start, end = self.skeleton.slices[int(inner[len(mark) :])]
            return Body(self.raw, start, end)
        if isinstance(payload, list):
            data = b"\n".join(_flat(child, self.raw) for child in payload if isinstance(child, Message))
        else:
            # get_payload() decodes by the charset, and loses octets; the parser's own string has them all.
            kept = getattr(part, "_payload", "")
            data = kept.encode("ascii", "surrogateescape") if isinstance(kept, str) else b""
        return Body(data, 0, len(data))

    def piece(self, part: Message, kind: str, params: dict[str, str]) -> Piece:
        content = self.content
        label = params.get("charset", "")
        limit = self.bounds.html if kind == "text/html" else self.bounds.text
        data, sound = mime_bodies.octets(self.body(part), _encoding(part), limit)
        if not sound:
            content.defects.add("bad-encoding")
        if len(data) >= limit:
            content.defects.add("truncated")
        if kind == "text/html" and not label:
            label = charsets.html_label(data)
        found, right = charsets.decode(data, label, content.charset)
        if not right:
            content.defects.add("charset")
        if label and not content.charset:
            content.charset = label
        found = clean(found)
        if kind == "text/html":
            return Piece(html_text(found), html=True)
        if kind in ("text/enriched", "text/richtext"):
            return Piece(re.sub(r"<[^<>]{0,80}>", "", found))
        if params.get("format", "").lower() == "flowed":
            found = flowed(found, params.get("delsp", "").lower() == "yes")
        found, files = mime_bodies.uu_files(found, 50)
        for name, octets in files:
            self.file(safe_name(name), _type_of(name), octets)
        return Piece(self.armour(found))

    def armour(self, found: str) -> str:
        if found.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
            self.content.defects.add("encrypted")
        signed = _PGP.search(found)
        end = found.find("-----BEGIN PGP SIGNATURE-----", signed.end()) if signed else -1
        if signed is None or end < 0:
            return found
        after = found.find("-----END PGP SIGNATURE-----", end)
        inside = found[signed.end() : end].replace("\n- -", "\n-")
        return found[: signed.start()] + inside + (found[after + 27 :] if after >= 0 else "")

    # ---------------------------------------------------------------- what is not text

    def attach(
        self, part: Message, kind: str, params: dict[str, str], disposition: str, name: str, *, alternative: bool
    ) -> None:
        body = self.body(part)
        encoding = _encoding(part)
        ending = name.rpartition(".")[2].lower()
        inline = disposition != "attachment" and bool(_raw(part, "content-id").strip())
        words = ""
        if (
            _TEXT_TYPES.match(kind) or (ending in _TEXT_ENDINGS and not _ARCHIVE_TYPES.match(kind))
        ) and not kind.startswith("image/"):
            words = self.words(
                mime_bodies.octets(body, encoding, self.bounds.attachment_text)[0],
                params.get("charset", ""),
                kind,
                ending,
            )
        if kind == "text/calendar" and words and not self.calendar:
            self.calendar = calendar_text(words)
        self.content.attachments.append(Attachment(name, kind, mime_bodies.size(body, encoding), inline, words))
        if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
            self.outlook(mime_bodies.octets(body, encoding, tnef.MOST)[0])
        elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            self.content.defects.add(
                "signed-opaque" if params.get("smime-type", "").lower() == "signed-data" else "encrypted"
            )
        elif ending == "eml":
            self.forward(mime_bodies.octets(body, encoding, 1 << 20)[0])

    def words(self, data: bytes, label: str, kind: str, ending: str) -> str:
        if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\x00" in data:
            return ""
        found = clean(charsets.decode(data, label, self.content.charset)[0])
        return html_text(found) if kind == "text/html" or ending in ("html", "htm") else found

    def file(self, name: str, kind: str, octets: bytes) -> None:
        """A file that stands inside of another part."""
        ending = name.rpartition(".")[2].lower()
        words = self.words(octets[: self.bounds.attachment_text], "", kind, ending) if ending in _TEXT_ENDINGS else ""
        self.content.attachments.append(Attachment(name, kind, len(octets), False, words))

    def outlook(self, data: bytes) -> None:
        found = tnef.read(data)
        if found is None:
            self.content.defects.add("bad-tnef")
            return
        for name, octets in found.files[:50]:
            self.file(safe_name(name), _type_of(name), octets)
        if found.text.strip():
            self.named.append(Piece(clean(found.text)))
        elif found.html.strip():
            self.named.append(Piece(html_text(clean(found.html)), html=True))

    def mail(self, part: Message, kind: str, name: str, disposition: str) -> list[Piece]:
        body = self.body(part)
        encoding = _encoding(part)
        if kind in ("message/rfc822", "message/global") or name or disposition == "attachment":
            self.content.attachments.append(Attachment(name, kind, mime_bodies.size(body, encoding)))
        data = mime_bodies.octets(body, encoding, len(body))[0]
        head = block(data, 0, len(data), 65_536, 200, top=True)
        if original := decoded(head.get("message-id")):
            self.content.report.setdefault("original-message-id", original)
        self.forward(data)
        return []

    def forward(self, data: bytes) -> None:
        if len(self.content.forwarded) >= self.bounds.forwarded:
            self.content.defects.add("too-many-parts")
            return
        if words := self.attached_mail(data):
            self.content.forwarded.append(words)

    def report(self, body: bytes) -> None:
        """The fields of a delivery or disposition report; of several recipients the first that failed counts."""
        groups: list[dict[str, str]] = []
        pos = 0
        while pos < len(body) and len(groups) < 100:
            head = block(body, pos, len(body), 65_536, 200)
            if head.fields:
                groups.append({name: _untyped(decoded(value)) for name, value in reversed(head.fields)})
            if head.body <= pos or "no-separator" in head.defects:
                break
            pos = head.body
        failed = [group for group in groups if group.get("action", "").lower() == "failed"]
        for group in [*failed, *groups]:
            for name, value in group.items():
                self.content.report.setdefault(name, value)


def _raw(part: Message, name: str) -> bytes:
    """The topmost value of a header as it came."""
    for key, value in part.raw_items():
        if key.lower() == name:
            return str(value).encode("utf-8", "surrogateescape")
    return b""


def _flat(message: Message, raw: bytes) -> bytes:
    """An attached mail that was parsed with the whole, as near to its octets as can be."""
    out = BytesIO()
    lines = compat32.clone(linesep="\r\n" if b"\r\n" in raw else "\n")
    BytesGenerator(out, mangle_from_=False, maxheaderlen=0, policy=lines).flatten(message)
    return out.getvalue()


def _encoding(part: Message) -> str:
    return mime_bodies.encoding(text(_raw(part, "content-transfer-encoding")))


def _untyped(value: str) -> str:
    """`rfc822; ana@x.example` -> `ana@x.example`."""
    kind, mark, rest = value.partition(";")
    return rest.strip() if mark and kind.strip().lower() in ("rfc822", "utf-8", "dns", "x400", "unknown") else value


def _type_of(name: str) -> str:
    return _TYPES.guess_type(name.lower())[0] or "application/octet-stream"


def _squeezed(found: str) -> str:
    return "".join(found.split())


def _stub(plain: list[Piece], html: list[Piece]) -> bool:
    """A plain text that only speaks of the other one: it says HTML, and the other one does not say the same."""
    words = " ".join(piece.text for piece in plain)
    if len(words) > 600 or "html" not in words.lower():
        return False
    return _squeezed(words)[:200].lower() not in _squeezed(" ".join(piece.text for piece in html)).lower()


# ---------------------------------------------------------------- texts

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


def html_text(found: str) -> str:
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


def calendar_text(found: str) -> str:
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
