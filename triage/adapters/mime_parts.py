"""What the parts of a mail are: the text to read, and what is attached to it.

Walks the skeleton that the parser made and takes each body from its slice. Text of an attached mail is never the
text of this one (`forwarded`), and a file is never text of the writer, but the beginning of a readable file is kept.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.generator import BytesGenerator
from email.message import Message
from email.policy import compat32
from functools import partial
from io import BytesIO

from triage.adapters import charsets, mime_bodies, mime_cms, mime_texts, tnef
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
_BODIES = {"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "application/xhtml+xml"}
_DUPLICATES = {"text/x-amp-html", "text/watch-html"}  # the same text again, for one kind of device
_STUB = re.compile(r"\b(?:x?html|mime|browser|navegador|rich text)\b", re.I)
FILE_WORDS = 65_536  # octets of one readable file
FILES_INSIDE = 50  # files that stand uuencoded in a text, or in a winmail.dat
ENCODED_MAIL = 4_194_304  # octets of an attached mail that has to be decoded first
_TYPES = mimetypes.MimeTypes()  # the built-in table, not the machine's


class Piece:
    """A text that may be (part of) what the sender wrote. HTML is turned into text only when somebody asks."""

    __slots__ = ("_source", "_text", "html")

    def __init__(self, source: str, *, html: bool = False) -> None:
        self.html = html
        self._source = source
        self._text = None if html else source

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = mime_texts.from_html(self._source)
        return self._text


@dataclass(slots=True)
class Content:
    """What was found in the parts of one mail."""

    pieces: list[Piece] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    report: dict[str, str] = field(default_factory=dict)
    defects: set[str] = field(default_factory=set)
    charset: str = ""  # of the first text, for headers that name none
    returned_id: str = ""  # Message-ID of the first attached mail


@dataclass(slots=True)
class Budget:
    """How much is still looked at, of one mail or of all that are attached to it together."""

    text: int  # octets of text
    html: int  # octets of HTML, which costs more
    words: int  # octets of readable files
    mails: int  # attached mails


class Walk:
    """One pass over the parts of one mail."""

    def __init__(
        self,
        raw: bytes,
        skeleton: Skeleton,
        budget: Budget,
        attached_mail: Callable[[Body], str],
        sealed_mail: Callable[[Body], Content],
    ) -> None:
        self.raw = raw
        self.skeleton = skeleton
        self.budget = budget
        self.attached_mail = attached_mail  # a mail -> its text, "" when there are too many
        self.sealed_mail = sealed_mail  # the parts that a signature wraps -> what they are
        self.content = Content()
        self.inside: list[Piece] = []  # texts that a signature wraps
        # Texts with a file name: the text of the mail only where there is no other, so they are not read before.
        self.named: list[Callable[[], Piece]] = []
        self.calendar = ""

    def run(self, message: Message) -> Content:
        content = self.content
        content.pieces = [piece for piece in [*self.part(message), *self.inside] if piece.text.strip()]
        if not content.pieces and self.named:
            content.pieces = [piece for piece in [self.named[0]()] if piece.text.strip()]
        if not content.pieces and self.calendar:
            content.pieces = [Piece(self.calendar)]
        return content

    def part(self, part: Message) -> list[Piece]:
        kind, params = parameters(_raw(part, "content-type"))
        if "/" not in kind or kind.startswith("/") or kind.endswith("/"):
            kind = part.get_default_type()
        payload = _payload(part)
        if kind.startswith("multipart/") and isinstance(payload, list):
            return self.container(kind, [child for child in payload if isinstance(child, Message)])
        disposition, place = parameters(_raw(part, "content-disposition"))
        name = filename(place, params)
        if kind in _REPORTS:
            self.report(self.body(part).head(65_536))
            if not name and disposition != "attachment":
                return []
        elif kind in ("message/rfc822", "message/global", "message/rfc822-headers", "text/rfc822-headers"):
            self.mail(part, kind, name, disposition)
            return []
        elif kind.startswith("multipart/"):
            # No boundary was found: what is there is text, if anything is.
            kind = "text/plain"
        if kind in _DUPLICATES and not name:
            return []
        if kind in _BODIES and disposition != "attachment":
            if not name:
                return [self.piece(part, kind, params)]
            self.named.append(partial(self.piece, part, kind, params))
        self.attach(part, kind, params, disposition, name)
        return []

    def container(self, kind: str, children: list[Message]) -> list[Piece]:
        if kind == "multipart/alternative":
            return self.best([self.part(child) for child in children])
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
        plain = next((option for option in options if not any(piece.html for piece in option) and _says(option)), [])
        html = [option for option in reversed(options) if any(piece.html for piece in option)]
        if plain and not (html and _may_be_stub(plain)):
            return plain
        other = next((option for option in html if _says(option)), [])
        return other if other and not (plain and _squeezed(_joined(plain)) in _squeezed(_joined(other))) else plain

    # ---------------------------------------------------------------- bodies

    def body(self, part: Message) -> Body:
        payload = _payload(part)
        inner = payload
        while isinstance(inner, list) and inner and isinstance(inner[0], Message):
            inner = _payload(inner[0])
        mark = self.skeleton.mark
        if mark and isinstance(inner, str) and inner.startswith(mark) and inner[len(mark) :].isdigit():
            start, end = self.skeleton.slices[int(inner[len(mark) :])]
            return Body(self.raw, start, end)
        if isinstance(payload, list):
            data = b"\n".join(_flat(child, self.raw) for child in payload if isinstance(child, Message))
        else:
            data = payload.encode("ascii", "surrogateescape") if isinstance(payload, str) else b""
        return Body(data, 0, len(data))

    def piece(self, part: Message, kind: str, params: dict[str, str]) -> Piece:
        content = self.content
        label = params.get("charset", "")
        html = "html" in kind
        limit = self.budget.html if html else self.budget.text
        data, sound = mime_bodies.octets(self.body(part), _encoding(part), limit)
        if not sound:
            content.defects.add("bad-encoding")
        if len(data) >= limit:
            content.defects.add("truncated")
        if html:
            self.budget.html -= len(data)
            label = label or charsets.html_label(data)
        else:
            self.budget.text -= len(data)
        found, right = charsets.decode(data, label, content.charset)
        if not right:
            content.defects.add("charset")
        if label and not content.charset:
            content.charset = label
        found = mime_texts.clean(found)
        if html:
            return Piece(found, html=True)
        if kind in ("text/enriched", "text/richtext"):
            return Piece(re.sub(r"<[^<>]{0,80}>", "", found))
        if params.get("format", "").lower() == "flowed":
            found = mime_texts.flowed(found, params.get("delsp", "").lower() == "yes")
        found, files = mime_bodies.uu_files(found, FILES_INSIDE)
        for name, octets in files:
            self.file(name, octets)
        if found.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
            content.defects.add("encrypted")
        return Piece(mime_texts.unsigned(found))

    # ---------------------------------------------------------------- what is not text

    def attach(self, part: Message, kind: str, params: dict[str, str], disposition: str, name: str) -> None:
        body = self.body(part)
        encoding = _encoding(part)
        ending = name.rpartition(".")[2].lower()
        inline = disposition != "attachment" and bool(_raw(part, "content-id").strip())
        words = ""
        if _readable(kind, ending):
            data = mime_bodies.octets(body, encoding, min(self.budget.words, FILE_WORDS))[0]
            words = self.words(data, params.get("charset", ""), kind, ending)
        if kind == "text/calendar" and words and not self.calendar:
            self.calendar = mime_texts.calendar(words)
        self.content.attachments.append(Attachment(name, kind, mime_bodies.size(body, encoding), inline, words))
        if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
            if tnef.is_tnef(mime_bodies.octets(body, encoding, 8)[0]):
                self.outlook(mime_bodies.octets(body, encoding, tnef.MOST)[0])
            else:
                self.content.defects.add("bad-tnef")
        elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            self.sealed(mime_bodies.octets(body, encoding, ENCODED_MAIL)[0])
        elif ending == "eml":
            self.forward(_decoded_body(body, encoding))

    def sealed(self, data: bytes) -> None:
        """S/MIME in one piece: signed, and then the mail inside is read, or encrypted."""
        signed = mime_cms.inside(data)
        if not signed:
            self.content.defects.add("encrypted")
            return
        inner = self.sealed_mail(Body(signed, 0, len(signed)))
        self.content.attachments += inner.attachments
        self.content.defects |= inner.defects | {"signed-opaque"}
        self.inside += inner.pieces

    def words(self, data: bytes, label: str, kind: str, ending: str) -> str:
        """The beginning of a readable file."""
        self.budget.words -= len(data)
        if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\x00" in data:
            return ""
        found = mime_texts.clean(charsets.decode(data, label, self.content.charset)[0])
        return mime_texts.from_html(found) if kind == "text/html" or ending in ("html", "htm") else found

    def file(self, name: str, octets: bytes) -> None:
        """A file that stands inside of another part."""
        name = safe_name(name)
        kind = _TYPES.guess_type(name.lower())[0] or "application/octet-stream"
        ending = name.rpartition(".")[2].lower()
        words = ""
        if _readable(kind, ending):
            words = self.words(octets[: min(self.budget.words, FILE_WORDS)], "", kind, ending)
        self.content.attachments.append(Attachment(name, kind, len(octets), False, words))

    def outlook(self, data: bytes) -> None:
        found = tnef.read(data)
        for name, octets in found.files[:FILES_INSIDE]:
            self.file(name, octets)
        if found.text.strip():
            self.named.append(partial(Piece, mime_texts.clean(found.text[: self.budget.text])))
        elif found.html.strip():
            self.named.append(partial(Piece, mime_texts.clean(found.html[: self.budget.html]), html=True))

    def mail(self, part: Message, kind: str, name: str, disposition: str) -> None:
        body = self.body(part)
        encoding = _encoding(part)
        if kind in ("message/rfc822", "message/global") or name or disposition == "attachment":
            self.content.attachments.append(Attachment(name, kind, mime_bodies.size(body, encoding)))
        body = _decoded_body(body, encoding)
        head = block(body.raw, body.start, body.end, 65_536, 200, top=True)
        self.content.returned_id = self.content.returned_id or decoded(head.get("message-id"))
        self.forward(body)

    def forward(self, body: Body) -> None:
        if self.budget.mails <= 0:
            self.content.defects.add("too-many-mails")
            return
        self.budget.mails -= 1
        if words := self.attached_mail(body):
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
    with suppress(UnicodeError, LookupError, TypeError, AttributeError):  # what was written so far counts
        BytesGenerator(out, mangle_from_=False, maxheaderlen=0, policy=lines).flatten(message)
    return out.getvalue()


def _payload(part: Message) -> object:
    """The parser's own string, with every octet; get_payload() decodes it by the charset, loses some and raises."""
    return getattr(part, "_payload", None)


def _encoding(part: Message) -> str:
    return mime_bodies.encoding(text(_raw(part, "content-transfer-encoding")))


def _untyped(value: str) -> str:
    """`rfc822; ana@x.example` -> `ana@x.example`."""
    kind, mark, rest = value.partition(";")
    return rest.strip() if mark and kind.strip().lower() in ("rfc822", "utf-8", "dns", "x400", "unknown") else value


def _readable(kind: str, ending: str) -> bool:
    if kind.startswith("image/") or _ARCHIVE_TYPES.match(kind):
        return False
    return ending in _TEXT_ENDINGS or _TEXT_TYPES.match(kind) is not None


def _decoded_body(body: Body, encoding: str) -> Body:
    """An attached mail as it was, should it be encoded."""
    if not encoding:
        return body
    data = mime_bodies.octets(body, encoding, ENCODED_MAIL)[0]
    return Body(data, 0, len(data))


def _squeezed(found: str) -> str:
    return "".join(found.split())


def _joined(pieces: list[Piece]) -> str:
    return " ".join(piece.text for piece in pieces)


def _says(pieces: list[Piece]) -> bool:
    return any(piece.text.strip() for piece in pieces)


def _may_be_stub(plain: list[Piece]) -> bool:
    """Whether it may only speak of the other text. What it says must then be missing in the other one."""
    words = _joined(plain)
    return len(words) <= 600 and _STUB.search(words) is not None
