"""bytes -> Email. Broken mail becomes an Email with defects, never an exception.

The way of a mail: its header block is bounded and split (`mime_headers`); the bodies are cut out (`mime_cut`), so that
the parser sees headers and boundaries only; the parts are read (`mime_parts`). Who it is from and when it was written
is read by mail-parser, whose reading of From is the safest there is: one header, one mailbox, nothing guessed. The
stdlib is the net where it raises. Whatever is hit of the `Limits` is named in `defects`, and the mail goes on.

Defects that matter to others: `no-from`, `several-from`, `bad-from` (the address is not beyond doubt: nobody is
authorized by it), `header-injection`, `encrypted`, `truncated`, `too-many-parts`, `too-deep`.

`fingerprint` is the SHA-256 of Message-ID, From, Date, Subject, text, and the names and sizes of the attachments. Two
deliveries of one mail have the same (trace headers and the recipient's alias are not in it); two mails that share a
Message-ID by mistake differ.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.feedparser import BytesFeedParser
from email.utils import parsedate_to_datetime

from mailparser.dates import parse_mail_date
from mailparser.utils import get_addresses

from triage.adapters import mime_cut
from triage.adapters.mime_bodies import Body
from triage.adapters.mime_headers import Block, block, decoded, ids, one_line, parameters, text, words
from triage.adapters.mime_parts import Budget, Content, Walk
from triage.core.model import Address, Attachment, Email


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one mail is looked at. What goes beyond is left out and named in the defects."""

    header_bytes: int = 65_536  # the header block of the mail
    header_fields: int = 1_000
    header_value: int = 16_384  # octets of one value
    subject: int = 1_000  # characters
    parts: int = 200
    depth: int = 30  # multiparts within each other
    text: int = 262_144  # octets of its texts
    html: int = 262_144  # octets of its HTML texts
    words: int = 262_144  # octets of its readable files (of each the first 64 kB)
    addresses: int = 100  # of one header
    references: int = 31  # the first and the last 30
    mails: int = 10  # attached mails that are read
    mails_deep: int = 3  # mails attached to attached mails
    whole: int = 2_097_152  # octets of a mail that cannot be cut


LIMITS = Limits()
_PEOPLE = ("from", "sender", "reply-to", "to", "cc")
_BINARY = bytes({*range(32), 127} - {9, 10, 12, 13, 27})
_USABLE = ("from", "to", "cc", "subject", "date", "message-id", "received")
_ADDRESS = re.compile(r"[A-Za-z0-9_.+%&'=/!#$*^`{|}~?-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}")
_QUOTED_ATOM = re.compile(r'"[A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64}){0,10}"')
_DOT = re.compile(r"\.[ \t]{0,8}(?=>)")  # ana@fleet.example.> is the same address, but against the grammar
_CODED_AT = re.compile(r"=\?[^ ]{1,200}@[^ ]{0,200}\?=")  # no address for those who do not decode it
# mail-parser's remarks that leave no doubt about the mailbox.
_HARMLESS = {"overlong-encoded-word", "structural-recovery", "invalid-encoded-word"}


def parse(raw: bytes, received: datetime | None = None, limits: Limits = LIMITS) -> Email:
    """The mail as its bytes say."""
    try:
        return _email(raw, received, limits)
    except Exception as fault:  # around one mail: it goes to quarantine, the next one goes on
        return Email(
            fingerprint=hashlib.sha256(raw).hexdigest(),
            received=received,
            size=len(raw),
            defects=("unreadable",),
            error=f"the mail cannot be read: {type(fault).__name__}",
        )


def _email(raw: bytes, received: datetime | None, limits: Limits) -> Email:
    lines = raw
    defects: set[str] = set()
    if b"\n" not in raw[: limits.header_bytes] and b"\r" in raw:
        lines = raw.replace(b"\r", b"\n")
        defects.add("bare-cr")
    budget = Budget(limits.text, limits.html, limits.words, limits.mails)
    attached = Budget(limits.text, limits.html, 0, limits.mails)
    head, content = _read(Body(lines, 0, len(lines)), limits, budget, attached, 0)
    hint = content.charset
    defects |= head.defects | content.defects
    headers = _headers(head, hint, limits, defects)
    people, date = _people(head, hint, limits, defects)
    body = _text(content)
    if len(body) > limits.text:
        body = body[: limits.text]
        defects.add("truncated")
    kind, params = parameters(head.get("content-type"))
    message_id = next(iter(ids(_top(headers, "message-id"), 1)), "")
    if _top(headers, "message-id") and not message_id:
        defects.add("bad-message-id")
    if date is None:
        defects.add("bad-date" if head.get("date").strip() else "no-date")
    elif received is not None and date > received + timedelta(days=1):
        defects.add("future-date")
    email = Email(
        message_id=message_id,
        subject=_top(headers, "subject")[: limits.subject],
        from_=people["from"],
        sender=people["sender"],
        reply_to=people["reply-to"],
        to=people["to"],
        cc=people["cc"],
        date=date,
        received=received,
        in_reply_to=ids(_top(headers, "in-reply-to"), limits.references - 1),
        references=ids(" ".join(headers.get("references", ())), limits.references - 1),
        headers=headers,
        content_type=kind if "/" in kind else "text/plain",
        report_type=params.get("report-type", "").lower() if kind == "multipart/report" else "",
        report_fields=_report(content),
        text=body,
        text_from_html=any(piece.html for piece in content.pieces),
        forwarded=tuple(content.forwarded),
        attachments=tuple(content.attachments),
        size=len(raw),
        defects=tuple(sorted(defects)),
        error=_error(raw, head, body, content.attachments),
    )
    return replace(email, fingerprint=_fingerprint(email))


def _read(mail: Body, limits: Limits, budget: Budget, attached: Budget, level: int) -> tuple[Block, Content]:
    """Header and parts of a mail, or of one that is attached to it (`level` deep)."""
    raw = mail.raw
    head = block(raw, mail.start, mail.end, limits.header_bytes, limits.header_fields, top=True)
    skeleton = mime_cut.cut(raw, head, mail.end, limits.parts, limits.depth)
    if skeleton is None:
        skeleton = mime_cut.whole(raw, head, mail.end, limits.whole)
    parser = BytesFeedParser()
    for pos in range(0, len(skeleton.stream), 8192):  # in pieces: a fraction of the memory
        parser.feed(skeleton.stream[pos : pos + 8192])
    message = parser.close()

    def attached_mail(inner_mail: Body) -> str:
        if level >= limits.mails_deep:
            return ""
        inner_head, inner = _read(inner_mail, limits, attached, attached, level + 1)
        subject = decoded(inner_head.get("subject"), inner.charset)
        return "\n\n".join([f"Subject: {subject}\n\n{_text(inner)}", *inner.forwarded])[: limits.text].strip()

    def sealed_mail(inner_mail: Body) -> Content:
        return _read(inner_mail, limits, budget, attached, level + 1)[1] if level < limits.mails_deep else Content()

    content = Walk(raw, skeleton, budget, attached_mail, sealed_mail).run(message)
    content.defects |= skeleton.defects
    return head, content


def _report(content: Content) -> dict[str, str]:
    """The fields of the report; the returned mail names itself where they do not."""
    if content.report and content.returned_id:
        return {"original-message-id": content.returned_id} | content.report
    return content.report


def _text(content: Content) -> str:
    return "\n".join(piece.text.strip("\n") for piece in content.pieces).strip()


def _error(raw: bytes, head: Block, body: str, attachments: list[Attachment]) -> str | None:
    """Why the mail cannot be understood at all, None when it can."""
    if any(name in _USABLE and value.strip() for name, value in head.fields):
        return None
    if not raw.strip():
        return "the mail is empty"
    if not body and not attachments:
        return "the mail has no usable header and no text"
    sample = raw[:2000]
    if len(sample.translate(None, _BINARY)) * 20 < len(sample) * 19:
        return "the mail has no usable header, and what follows is no text"
    return None


# ---------------------------------------------------------------- headers


# Servers write these, and copy addresses of the sender into them: an encoded word there is his, and decoding it would
# let him write a server's findings (RFC 2047 section 5 permits none in them).
_WRITTEN_BY_SERVERS = frozenset(
    {
        "authentication-results",
        "arc-authentication-results",
        "arc-seal",
        "arc-message-signature",
        "x-original-authentication-results",
        "received",
        "received-spf",
        "return-path",
    }
)


def _headers(head: Block, hint: str, limits: Limits, defects: set[str]) -> dict[str, tuple[str, ...]]:
    headers: dict[str, list[str]] = {}
    for name, value in head.fields:
        if len(value) > limits.header_value:
            value = value[: limits.header_value]
            defects.add("header-too-long")
        if value.isascii() and b"=?" not in value and b"\n" not in value:
            headers.setdefault(name, []).append(one_line(value.decode("ascii")))
            continue
        unfolded = re.sub(r"[ \t]*\n[ \t]+", " ", text(value, hint))
        said = words(unfolded) if "=?" in unfolded and name not in _WRITTEN_BY_SERVERS else unfolded
        if said is not unfolded and any(mark in said for mark in "\r\n\x00"):
            defects.add("header-injection")
        headers.setdefault(name, []).append(one_line(said))
    for name in ("subject", "date", "message-id"):
        if len(headers.get(name, ())) > 1:
            defects.add(f"several-{name}")
    return {name: tuple(values) for name, values in headers.items()}


def _top(headers: dict[str, tuple[str, ...]], name: str) -> str:
    values = headers.get(name)
    return values[0] if values else ""


def _people(
    head: Block, hint: str, limits: Limits, defects: set[str]
) -> tuple[dict[str, tuple[Address, ...]], datetime | None]:
    """The address headers and the date, as mail-parser reads them: one header a time, and nothing else of the mail."""
    lines: dict[str, str] = {}
    doubts: set[str] = set()
    count = 0
    for name, value in head.fields:
        if name in _PEOPLE:
            count += name == "from"
            if len(value) > limits.header_value:
                value = value[: limits.header_value].rpartition(b",")[0]
                defects.add("too-many-addresses")
            unfolded = re.sub(r"[ \t]*\n[ \t]+", " ", text(value, hint))
            line = one_line(unfolded)
            if name == "from" and len(line) != len(unfolded.strip()):
                doubts.add("control")
            lines[name] = f"{lines[name]}, {line}" if name in lines else line
        elif name == "date" and "date" not in lines:
            lines["date"] = one_line(text(value[:200]))
    people: dict[str, tuple[Address, ...]] = {}
    for name in _PEOPLE:
        mailboxes, remarks = _mailboxes(_DOT.sub("", lines.get(name, "")))
        people[name] = _addresses(mailboxes, limits, defects)
        if name == "from":
            doubts |= remarks
    people["from"] = _from(people["from"], lines.get("from", ""), count, doubts, defects)
    return people, _date(lines.get("date", ""))


def _mailboxes(line: str) -> tuple[list[tuple[str, str]], set[str]]:
    """Names and addresses of a header, and why they are in doubt."""
    if not line:
        return [], set()
    remarks: list[dict[str, str]] = []
    try:
        found = get_addresses(line, defects=remarks, decode_names=True)
        return list(found), {reason for remark in remarks for reason in remark["reason"].split(",")}
    except Exception:  # on junk it raises HeaderParseError, ValueError and others, against its word
        return [("", address) for address in _ADDRESS.findall(line[:4000])], {"unreadable"}


def _from(
    found: tuple[Address, ...], line: str, count: int, doubts: set[str], defects: set[str]
) -> tuple[Address, ...]:
    """Exactly one header and one mailbox; everything else has a defect, by which nobody is authorized.

    What breaks the grammar is in doubt, for another program may read another mailbox in it: unless there is one "@" in
    the whole line, so that no second one can be read in it.
    """
    if not line:
        defects.add("no-from")
        return ()
    if count > 1 or len(found) > 1:
        defects.add("several-from")
        return found
    doubts = doubts - _HARMLESS
    if found and (
        not doubts or (doubts == {"invalid-display-name"} and found[0].name.lower() in ("", found[0].address))
    ):
        return found  # the second is ana@x.example <ana@x.example>
    if not found:
        shown = words(line)[:2000]
        guessed = sorted({address.lower().lstrip("'") for address in _ADDRESS.findall(shown)})
        if len(guessed) == 1:
            name = re.sub(re.escape(guessed[0]) + r"|mailto:|[<>\[\]\"]", "", shown, flags=re.I)
            found = (Address(_plain_address(guessed[0]), one_line(name)[:250]),)
    if not found or line.count("@") != 1 or "control" in doubts or _CODED_AT.search(line) or _blank_inside(line):
        defects.add("bad-from")
    elif found[0].name and "<" in line:
        # A comma without quotes has torn the name.
        found = (Address(found[0].address, one_line(words(line.partition("<")[0])).strip(' "')[:250]),)
    return found


def _blank_inside(line: str) -> bool:
    """<power system@x.example>: where the address begins is a matter of taste."""
    inside = line.rpartition("<")[2].partition(">")[0].strip() if "<" in line else ""
    return any(char in inside for char in ' \t"')


def _addresses(mailboxes: list[tuple[str, str]], limits: Limits, defects: set[str]) -> tuple[Address, ...]:
    if len(mailboxes) > limits.addresses:
        defects.add("too-many-addresses")
    found: list[Address] = []
    for name, address in mailboxes[: limits.addresses]:
        plain = _plain_address(address)
        if plain:
            found.append(Address(plain, "" if name == address else one_line(words(name))[:250]))
    return tuple(found)


def _plain_address(address: str) -> str:
    """Lower case, the domain in ASCII, without a trailing dot; "" when it cannot be an address."""
    address = one_line(address)
    if address.startswith("'") and address.endswith("'"):
        address = address[1:-1]  # as Outlook writes what it was given for a name
    local, _, domain = address.rpartition("@")
    domain = domain.rstrip(".").lower()
    if not local or not domain or len(local) > 128 or len(domain) > 253:
        return ""
    if _QUOTED_ATOM.fullmatch(local):
        local = local[1:-1]  # the same mailbox (RFC 5321 section 4.1.2)
    if not domain.isascii():
        try:
            domain = ".".join(
                label.encode("idna").decode("ascii") if len(label) < 64 else "" for label in domain.split(".")
            )
        except UnicodeError:
            return ""
    return f"{local.lower()}@{domain}"


def _date(line: str) -> datetime | None:
    """By mail-parser, which wants the grammar; by the stdlib where the grammar is broken and the date without doubt."""
    try:
        found = parse_mail_date(line).value or parsedate_to_datetime(line)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError, AttributeError):
        return None
    return found if found.year >= 1970 else None


def _fingerprint(email: Email) -> str:
    said = [
        email.message_id,
        [address.address for address in email.from_],
        email.header("date"),
        email.subject,
        email.text,
        [[attachment.filename, attachment.size] for attachment in email.attachments],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
