"""The nouns of the program: what flows from a mail to a decision.

A type per stage, so that none can be mistaken for another: bytes -> `Email` -> `Reading` -> `Decision` (with its
`Reply`). All are frozen values. Times are aware and UTC, durations say their unit, `None` means "not known".
The words are those of the triage guide and the regulations; labels, plans, severities and languages are plain
strings whose permitted values are data of the rule pack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# ---------------------------------------------------------------- a mail, as it came


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of a header. `address` is lower case, without brackets; IDN domains are in their ASCII form."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part of a mail that is not its text."""

    filename: str  # never a path, no control or bidi characters; "" when it has none
    content_type: str  # lower case, "application/octet-stream" when not told
    size: int  # decoded bytes, as well as it can be known without decoding
    inline: bool = False  # shown in the text (Content-ID with Content-Disposition other than attachment)
    text: str = ""  # the beginning of a text-like part (txt, log, csv, json, xml), bounded; "" for others


@dataclass(frozen=True, slots=True)
class Email:
    """A mail as its bytes say, read tolerantly: what is broken is named in `defects`, never raised.

    Header values are decoded, on one line, free of control and bidi characters. Nothing here is trusted.
    """

    message_id: str = ""  # with its angle brackets; "" when the header is absent or unusable
    fingerprint: str = ""  # hex digest that is the same for two deliveries of one mail (see adapters/mime.py)
    subject: str = ""
    from_: tuple[Address, ...] = ()  # more than one is a defect that the sender check refuses
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    date: datetime | None = None  # the sender's clock: information only
    received: datetime | None = None  # the server's INTERNALDATE: the time that counts
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by lower-case name, topmost first
    content_type: str = "text/plain"  # of the whole mail
    report_type: str = ""  # Content-Type's report-type of a multipart/report, lower case
    # Of a DSN or MDN (RFC 3464, 8098): action, status, final-recipient, original-message-id, disposition ...
    report_fields: Mapping[str, str] = field(default_factory=dict)
    text: str = (
        ""  # the readable body, \n line ends; HTML is turned into the text that a plain client would have written
    )
    text_from_html: bool = False
    forwarded: tuple[str, ...] = ()  # texts ("Subject: ...\n\nbody") of attached message/rfc822 parts, bounded
    attachments: tuple[Attachment, ...] = ()
    size: int = 0  # bytes on the wire
    defects: tuple[str, ...] = ()  # short codes, e.g. "several-from", "header-injection", "truncated"
    error: str | None = None  # set when the mail cannot be understood at all: it goes to quarantine

    def header(self, name: str) -> str:
        """The topmost value of a header, "" when absent."""
        values = self.headers.get(name.lower(), ())
        return values[0] if values else ""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word on a sender counts, by mailbox."""

    authserv_id: str = ""  # of the server that checks senders for us; "": nobody does
    forwarders: tuple[str, ...] = ()  # domains whose ARC seal counts
    own_lists: tuple[str, ...] = ()  # List-Ids of the vendor's own mailing group (decision 25)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the program must know of itself to read a mail: its own addresses, lists and key."""

    addresses: tuple[str, ...] = ()  # the support addresses, lower case; the first sends the replies
    own_lists: tuple[str, ...] = ()  # List-Ids of the vendor's own mailing group (decision 25)
    key: bytes = b""  # signs ticket tokens in our Message-IDs
    old_keys: tuple[bytes, ...] = ()  # still accepted after a rotation
    made: frozenset[str] = frozenset()  # Message-IDs that are ours, for who has no key to see it himself
    trust: Trust = Trust()

    @property
    def domain(self) -> str:
        """The right side of our Message-IDs."""
        return self.addresses[0].rpartition("@")[2] if self.addresses else "triage.invalid"


# ---------------------------------------------------------------- what it says


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a label has its value: the rule of the pack, the clause behind it, the words it saw."""

    rule: str
    clause: str
    matched: str


@dataclass(frozen=True, slots=True)
class Label:
    """A value that was read, how sure that is (0 to 1), and why."""

    value: str | None
    confidence: float = 1.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a mail, taken apart (guide: *text*)."""

    text: str  # what the sender wrote in this message
    closing: str = ""  # closing formula, name, signature, disclaimer that were cut away
    quoted: str = ""  # earlier mail of the same conversation, without quote marks
    forwarded: str = ""  # what the sender passes on: not his text, but read for questions, service and fields
    has_quote: bool = False  # a mark of an earlier conversation was seen
    own: bool = True  # False: nothing of the sender's own was found, `text` is the whole mail with quoted and forwarded

    @property
    def readable(self) -> str:
        """What is read for questions, service and fields: his own words, then what he passes on."""
        return f"{self.text}\n\n{self.forwarded}" if self.forwarded and self.own else self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that the words of one mail say, by the triage guide. Nothing here depends on who sent it."""

    kind: Label
    language: Label  # a language id of the pack, or "other"
    language_code: str | None  # ISO 639-1 where known
    body: Body
    questions: tuple[str, ...]  # the text of each
    questions_confidence: float
    request_type: Label
    service: Label
    out_of_scope: Label
    severity: Label
    courtesy: Label
    deployment: Label  # a deployment of the pack when the words name one, else None
    fields: Mapping[str, Label]  # field id -> Label with value "true" or "false"
    evidence: tuple[Evidence, ...] = ()  # all of the above, in the order of the guide

    def has(self, field_id: str) -> bool:
        found = self.fields.get(field_id)
        return found is not None and found.value == "true"


# ---------------------------------------------------------------- who wrote it, and what went before


@dataclass(frozen=True, slots=True)
class Contact:
    """One line of the partner file."""

    partner: str
    deployment: str
    address: str  # a mailbox, or "@domain"
    role: str = "partner"  # partner, technician
    subscription_until: datetime | None = None  # end of that day, UTC
    language: str = ""
    timezone: str = ""
    status: str = "active"  # active, suspended


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the mail is from, and whether he may ask."""

    address: str
    name: str = ""
    status: str = "unknown"  # authorized unknown unauthenticated suspended unsubscribed
    partner: str | None = None
    contacts: tuple[Contact, ...] = ()  # every entry that matches; several: one person at two partners or deployments
    staff: bool = False  # a specialist of the vendor, proven as far as the configuration asks
    verified: str = "unchecked"  # proven, forged, unproven, no-verdict, unchecked (core/authenticity.py)
    reason: str = ""  # a word for the log: no-from, several-from, forged, not-a-partner ...

    @property
    def contact(self) -> Contact | None:
        return self.contacts[0] if self.contacts else None


@dataclass(frozen=True, slots=True)
class TicketState:
    """What the store knows of a ticket, as far as deciding needs it."""

    id: int
    number: str
    partner: str
    state: str  # open awaiting_partner answered closed refused
    deployment: str | None = None
    severity: str | None = None
    service: str | None = None
    request_type: str | None = None
    language: str = ""
    fields: frozenset[str] = frozenset()  # required information that earlier mails gave
    asked: int = 0  # how often we asked for what is missing
    pack: str = ""  # version of the pack it was opened under
    due: datetime | None = None
    guaranteed: bool | None = None
    subject: str = ""
    last_mail_at: datetime | None = None
    closed_at: datetime | None = None
    requester: str = ""  # who opened it
    timezone: str = ""
    out_of_scope: str | None = None
    clock_started: datetime | None = None  # from when the running clock counts, or the last one did
    settled: frozenset[str] = frozenset()  # what staff decided: severity, deployment, partner, accept


@dataclass(frozen=True, slots=True)
class History:
    """What went before this mail: gathered by the step, handed in as a value."""

    ticket: TicketState | None = None  # the ticket the mail belongs to, None for a new matter
    closed_ticket: str = ""  # the number of the closed ticket that this mail continues
    foreign_ticket: bool = False  # it points to a ticket that is not its sender's
    foreign_desk: bool = False  # another desk's program acknowledges a mail of ours
    stranger_told_at: datetime | None = None  # when this address was last told to ask its partner
    strangers_told: int = 0  # how many at its domain were told so within the pack's window
    replies_to_address: int = 0  # automatic replies to this address within the pack's window
    replies_in_ticket: int = 0  # and about this ticket, to whomever at the partner
    same_text: int = 0  # how often this address sent this very subject and text before, within the window
    seconds_since_reply: float | None = None  # from our last automatic reply about this ticket to this mail


NO_HISTORY = History()


# ---------------------------------------------------------------- what is done


@dataclass(frozen=True, slots=True)
class Reply:
    """One mail of ours to one person: words only, headers are made when it is queued."""

    to: str
    subject: str
    text: str
    html: str
    language: str  # a language id, or several joined by "+"
    template: str  # which text of the pack it is


@dataclass(frozen=True, slots=True)
class Clock:
    """A response clock that runs: from when, to when, and what may be promised."""

    started: datetime  # the receive time of the mail it counts from
    counted_from: datetime  # the first working instant at or after it
    due: datetime
    hours: float  # working hours that were added
    guaranteed: bool
    reason: str = ""  # why it is not guaranteed: out-of-hours, not-an-incident, third-party ...
    calendar: str = ""
    rule: str = ""  # of the pack, by which the hours are given


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about one mail. `state` is the state of its ticket afterwards, or "ignored"."""

    state: str  # open awaiting_partner answered closed refused ignored
    folder: str  # ready waiting refused ignored quarantine
    reasons: tuple[str, ...]  # short codes, the first is the main one
    event: str = ""  # the event of the ticket's life that this mail is (core/lifecycle.py)
    missing: tuple[str, ...] = ()
    clock: Clock | None = None  # a clock that starts now, instead of the one before
    reply: Reply | None = None
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()  # for staff: rude, incomplete, unsure, lapsed ...
    severity: str | None = None
    service: str | None = None
    request_type: str | None = None
    out_of_scope: str | None = None
    deployment: str | None = None
    language: str = ""  # in which we answer, kept for the ticket's later mails
    fields: frozenset[str] = frozenset()  # required information known after this mail
    split: tuple[str, ...] = ()  # questions that become tickets of their own, the first is this ticket's
    stranger_told: bool = False  # the reply tells a stranger to ask his partner
