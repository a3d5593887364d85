"""Signs in headers and structure that a machine made a mail, or that it is our own.

No header decides by itself unless it can only come from a machine (a delivery report, our own Message-ID): forwarding
rules, customer databases and mailing services put marks on people's mail, too. So each sign has a weight, and
kind.py adds them to what the words say; a sum of two is a verdict.

The names are those of RFC 3834 (automatic replies), 3464 (delivery reports), 8098 (read receipts), 2369 and 2919
(lists), and of the programs in use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.core import threads
from triage.core.model import Desk, Email, Evidence

CERTAIN = 3.0  # weight of what people's mail never has

BOUNCE, AUTO_REPLY, LIST, LOOP = "bounce", "auto_reply", "list", "loop"
OPENING = 900  # characters at the beginning of a text in which a machine says what it is
SOME_MACHINE = "machine"  # a machine, but the sign does not say which
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing in a mail that says what sort it is."""

    kind: str
    weight: float
    rule: str  # a rule of the pack, or the name of the header sign
    seen: str
    clause: str = ""  # of the rule; a header sign has none
    titled: bool = False  # seen in the subject

    @property
    def evidence(self) -> Evidence:
        if self.clause:
            return Evidence(self.rule, self.clause, self.seen)
        return Evidence(f"header.{self.rule}", "reading", self.seen[:200])


def learned_from(text: str) -> str:
    """What of a text is learned from, and held against what was learned, to tell automatic replies."""
    return text[:OPENING]


def own_mail(email: Email, desk: Desk) -> Sign | None:
    """Whether this is our own mail that comes back: our Message-ID, our mark, or our address as its sender."""
    for name in _MESSAGE_IDS:
        for value in (email.message_id,) if name == "message-id" else email.headers.get(name, ()):
            if threads.own(value, desk) is not None:
                return Sign(LOOP, CERTAIN, "own-message-id", f"{name}: {value}")
    if email.header("x-triage").strip().lower() == "reply":  # others use such a name, too, with other words
        return Sign(LOOP, CERTAIN, "own-reply", "X-Triage: reply")
    if _rewritten_by_own_list(email, desk):
        return None
    ours = {_plain(address) for address in desk.addresses}
    for sender in email.from_:
        if _plain(sender.address) in ours:
            return Sign(LOOP, CERTAIN, "own-address", f"From: {sender.address}")
    return None


# Relays that give a mail a new Message-ID keep ours here.
_MESSAGE_IDS = (
    "message-id",
    "x-google-original-message-id",
    "x-microsoft-original-message-id",
    "x-original-message-id",
    "original-message-id",
    "resent-message-id",
)
_ORIGINAL_SENDERS = ("x-original-from", "x-original-sender", "x-google-original-from", "reply-to")


def _plain(address: str) -> str:
    """A mailbox without its plus tag, in lower case."""
    local, at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain.rstrip('.')}"


def _rewritten_by_own_list(email: Email, desk: Desk) -> bool:
    """A group of the vendor that puts its own address into From, and keeps the writer's elsewhere (decision 25)."""
    return on_own_list(email, desk) and any(email.header(name) for name in _ORIGINAL_SENDERS)


def on_own_list(email: Email, desk: Desk) -> bool:
    own = {_list_id(one) for one in desk.own_lists}
    return any(_list_id(value) in own for value in email.headers.get("list-id", ()))


def _list_id(value: str) -> str:
    """The identifier of `Some words <support.example.com>` (RFC 2919)."""
    inner = value.rpartition("<")[2] if "<" in value else value
    return inner.strip(" <>\t").lower()


def signs(email: Email, desk: Desk) -> list[Sign]:
    """Everything in headers and structure that speaks for a machine, or for a person."""
    found = [*_reports(email), *_automatic(email), *_senders(email), *_calendar(email)]
    if not on_own_list(email, desk):
        found += _lists(email, desk)
    if found and redirected(email):
        found.append(Sign(PERSON, 1.0, "redirected", "passed on by a forwarding rule"))
    return found


def redirected(email: Email) -> bool:
    """Whether a rule of a mailbox passed the mail on: that blanks Return-Path and marks people's mail as automatic."""
    return any(email.header(name) for name in _REDIRECTS)


_REDIRECTS = (
    "resent-from",
    "resent-to",
    "x-forwarded-for",
    "x-forwarded-to",
    "x-forwarded-encrypted",
    "x-forwarded-by",
    "x-ms-exchange-inbox-rules-loop",
    "x-ms-exchange-forwardingloop",
)


def _reports(email: Email) -> list[Sign]:
    """Delivery reports and read receipts, by their structure."""
    types = {attachment.content_type for attachment in email.attachments}
    found: list[Sign] = []
    action = email.report_fields.get("action", "").strip().lower()
    if email.report_type == "delivery-status" or (types & _DSN and email.content_type == "multipart/report"):
        if action.startswith(("delivered", "relayed", "expanded")):
            found.append(Sign(AUTO_REPLY, CERTAIN, "delivery-receipt", f"Action: {action}"))
        else:
            found.append(Sign(BOUNCE, CERTAIN, "delivery-report", f"report-type=delivery-status {action}".strip()))
    elif types & _DSN:
        found.append(Sign(BOUNCE, 1.5, "delivery-status-part", "message/delivery-status"))
    if email.report_type == "disposition-notification" or "message/disposition-notification" in types:
        weight = CERTAIN if email.content_type == "multipart/report" else 1.5
        found.append(Sign(AUTO_REPLY, weight, "read-receipt", email.report_fields.get("disposition", "MDN")))
    if email.report_type == "feedback-report":
        found.append(Sign(AUTO_REPLY, CERTAIN, "feedback-report", "report-type=feedback-report"))
    if email.header("x-failed-recipients"):
        found.append(Sign(BOUNCE, CERTAIN, "failed-recipients", email.header("x-failed-recipients")))
    return found


_DSN = frozenset({"message/delivery-status", "message/global-delivery-status"})
_COMMENT = re.compile(r"\([^()]{0,200}\)")


def keyword(value: str) -> str:
    """The first word of a header, without comments and parameters, in lower case (RFC 3834 section 5)."""
    bare = _COMMENT.sub(" ", value).partition(";")[0].split()
    return bare[0].strip("\"'").lower() if bare else ""


def _automatic(email: Email) -> list[Sign]:
    found: list[Sign] = []
    for value in email.headers.get("auto-submitted", ()):
        word = keyword(value)
        if word == "no":
            found.append(Sign(PERSON, 0.5, "auto-submitted-no", "Auto-Submitted: no"))
        elif word == "auto-replied":
            found.append(Sign(AUTO_REPLY, 2.5, "auto-submitted", f"Auto-Submitted: {value}"))
        elif word:
            found.append(Sign(SOME_MACHINE, 1.2, "auto-submitted", f"Auto-Submitted: {value}"))
    for name, denials in _AUTO_REPLY_HEADERS.items():
        value = email.header(name).strip()
        if value and value.lower() not in denials:
            found.append(Sign(AUTO_REPLY, 2.5, name, f"{name}: {value}"))
    if "autoresponder" in (email.header("x-post-messageclass") + email.header("delivered-to")).lower():
        found.append(Sign(AUTO_REPLY, 2.5, "autoresponder", "Autoresponder"))
    for name in ("precedence", "x-precedence"):
        word = keyword(email.header(name))
        if word in ("auto_reply", "auto-reply", "autoreply"):
            found.append(Sign(AUTO_REPLY, 2.5, "precedence", f"{name}: {word}"))
        elif word in ("bulk", "junk"):
            found.append(Sign(SOME_MACHINE, 0.6, "precedence", f"{name}: {word}"))
    if "return-path" in email.headers and not email.header("return-path").strip(" <>\t"):
        found.append(Sign(SOME_MACHINE, 1.0, "null-return-path", "Return-Path: <>"))
    if "mailbox rules agent" in email.header("x-ms-exchange-generated-message-source").lower():
        found.append(Sign(SOME_MACHINE, 0.5, "exchange-rules-agent", "Mailbox Rules Agent"))
    return found


_NO = frozenset({"no", "false", "0", "none"})
_AUTO_REPLY_HEADERS = {
    "x-autoreply": _NO,
    "x-auto-reply": _NO,
    "x-autoreply-from": _NO,
    "x-auto-reply-from": _NO,
    "x-autorespond": _NO,
    "x-auto-respond": _NO,
    "x-autoresponder": _NO,
    "x-auto-responder": _NO,
    "x-mail-autoreply": _NO,
    "x-vacation": _NO,
    "x-fc-machinegenerated": _NO,
    "x-autogenerated": _NO | {"forward", "group"},
    "x-freescout-mail-type": {"customer.message", "user.message"},
}

_DAEMONS = re.compile(
    r"(?:mailer-?daemon|mdaemon|mail-?daemon|mailerdaemon|microsoftexchange[0-9a-f]{16,40}|bounce-?daemon)"
)
_DAEMON_NAMES = re.compile(
    r"mail(?:er)? (?:delivery|system|administrator|daemon)|delivery (?:sub)?system|mailer-daemon|mdaemon"
    r"|system administrator|microsoft outlook$|administrador (?:del sistema|de correo)|sistema de (?:correo|entrega)"
    r"|postmaster"
)
_ROBOTS = re.compile(
    r"(?:no-?_?\.?reply|do-?_?\.?not-?_?\.?reply|donot-?reply|noresponder|no-?_?\.?responder|no-?contestar|notifications?"
    r"|notificaciones|notifier|alerts?|alertas|mailer|auto-?(?:reply|responder|mail|respuesta)|automat\w{0,10}|robot|system|nagios|zabbix|cron"
    r"|newsletters?|boletin(?:es)?|bounces?|bulk|marketing|mailing|calendar-notification)(?:[+=._-].{0,100})?"
)
_NEWSLETTERS = re.compile(
    r"(?:newsletters?|boletin(?:es)?|bulk|marketing|mailing|news|promo(?:ciones|tions)?)(?:[+=._-].{0,100})?"
)


def _senders(email: Email) -> list[Sign]:
    """What the sender's address says. A postmaster may be a person who writes to us."""
    found: list[Sign] = []
    for sender in (*email.from_[:1], *email.sender[:1]):
        local = sender.address.partition("@")[0].lower()
        if _DAEMONS.fullmatch(local):
            return [Sign(BOUNCE, 2.0, "mailer-daemon", sender.address)]
        if local == "postmaster" or _DAEMON_NAMES.search(sender.name.lower()):
            return [Sign(BOUNCE, 1.2, "postmaster", f"{sender.name} <{sender.address}>")]
        if _NEWSLETTERS.fullmatch(local):
            return [Sign(LIST, 1.0, "newsletter-address", sender.address)]
        if _ROBOTS.fullmatch(local):
            return [Sign(SOME_MACHINE, 1.0, "robot-address", sender.address)]
    return found


def _calendar(email: Email) -> list[Sign]:
    """An answer to an invitation (RFC 5546: METHOD:REPLY); the invitation itself is a person's."""
    for attachment in email.attachments:
        if attachment.content_type == "text/calendar" and _CALENDAR_REPLY.search(attachment.text[:4000]):
            return [Sign(AUTO_REPLY, CERTAIN, "calendar-reply", "METHOD:REPLY")]
    if _CALENDAR_REPLY.search(email.header("content-type")[:400]):
        return [Sign(AUTO_REPLY, CERTAIN, "calendar-reply", "method=REPLY")]
    return []


_CALENDAR_REPLY = re.compile(r"\bmethod\s{0,3}[:=]\s{0,3}\"?(?:reply|declinecounter|counter)\b", re.IGNORECASE)

# What mailing lists and mailing services write, and how much it says: services send people's mail, too.
_LIST_HEADERS = {
    "list-id": 1.4,
    "list-unsubscribe": 1.2,
    "list-unsubscribe-post": 0.4,
    "list-post": 0.6,
    "list-help": 0.3,
    "list-archive": 0.4,
    "mailing-list": 0.6,
    "feedback-id": 0.3,
    "x-mailchimp-id": 1.2,
    "x-mc-user": 1.2,
    "x-campaign": 1.2,
    "x-campaignid": 1.2,
    "x-campaign-id": 1.2,
    "x-mailer-campaign": 1.2,
    "x-newsletter": 1.5,
    "x-mailgun-tag": 0.3,
    "x-csa-complaints": 0.5,
    "x-mailing-id": 0.8,
    "x-bulkmail": 1.2,
    "x-mailman-version": 1.2,
    "x-listserver": 1.2,
}


def _lists(email: Email, desk: Desk) -> list[Sign]:
    found = [
        Sign(LIST, weight, name, f"{name}: {email.header(name)}")
        for name, weight in _LIST_HEADERS.items()
        if email.header(name)
    ]
    if keyword(email.header("precedence")) in ("list", "bulk", "junk"):
        found.append(Sign(LIST, 0.6, "precedence", f"Precedence: {email.header('precedence')}"))
    if {"list-id", "list-post"} & email.headers.keys() and desk.addresses and not _addressed(email, desk):
        found.append(Sign(LIST, 1.6, "sent-to-a-list", "List-Id, and not addressed to us"))
    return found


def _addressed(email: Email, desk: Desk) -> bool:
    ours = {_plain(address) for address in desk.addresses}
    return any(_plain(address.address) in ours for address in (*email.to, *email.cc))
