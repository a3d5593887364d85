"""Which conversation a mail belongs to.

Three marks lead to a ticket, in this order: a token of ours in References or In-Reply-To, a Message-ID that we know,
the ticket number in the subject. None of them opens a ticket to a sender who does not belong to its partner: that is
checked by who asks here, for a number or an id may be guessed, copied or forwarded.

Our own Message-IDs carry a keyed token, `<triage.NUMBER.NONCE.MAC@domain>`: the MAC (HMAC-SHA-256 over number and
nonce, RFC 2104) shows that we made it, so that our own mail is recognised when it comes back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from itertools import islice

from triage.core.model import Desk, Email

_MOST_OURS = 100  # ids of our form in one mail that are looked at
_HEAD = 200_000  # bytes of a mail in which they are looked for
_MAC_LENGTH = 20  # hex digits: 80 bits, more than can be tried by mail
_OURS = re.compile(r"<triage\.([0-9]{1,12})\.([0-9a-f]{16})\.([0-9a-f]{20})@[^<>\s]{1,200}>")
_IN_SUBJECT = re.compile(r"\[#([0-9]{1,12})\]")
# [Acme Desk #4711], [ACME-4711], INC0012345, #88123, (88123): how desks write numbers, whatever their language.
_FOREIGN = re.compile(
    r"\[[^\[\]#\n]{1,40}[#:]\s{0,2}[A-Za-z0-9-]{2,24}\]|\[[A-Z][A-Z0-9]{1,9}-\d{2,9}\]|(?<![A-Za-z0-9])[A-Z]{2,6}-?\d{3,12}\b"
    r"|(?<![\w&#])#\s?\d{3,17}\b|[(\[]\d{4,12}[)\]]"
)
_BEGINNING = 600  # characters of a text in which a program says its number
_MOST_IDS = 32  # of one mail that are looked at: the first and the newest


def message_id(desk: Desk, number: str, seed: str) -> str:
    """Our Message-ID for a mail about ticket `number` ("0" when there is none).

    The same seed gives the same id, so that a mail which is made twice is one mail to its reader.
    """
    nonce = hashlib.sha256(f"{number} {seed}".encode()).hexdigest()[:16]
    return f"<triage.{number}.{nonce}.{_mac(desk.key, number, nonce)}@{desk.domain}>"


def own(message_id: str, desk: Desk) -> str | None:
    """The ticket number in a Message-ID that we made ("0": about no ticket); None for anyone else's."""
    match = _OURS.fullmatch(message_id.strip())
    if not match:
        return None
    number, nonce, mac = match.groups()
    if match.group() in desk.made:
        return number
    if not desk.key:
        return None
    keys = (desk.key, *desk.old_keys)
    return number if any(hmac.compare_digest(_mac(key, number, nonce), mac) for key in keys) else None


def made(raw: bytes, desk: Desk) -> frozenset[str]:
    """The Message-IDs in the head of a mail that we made: what a reader, who has no key, is told beforehand."""
    head = raw[:_HEAD]
    if b"<triage." not in head:
        return frozenset()
    found = dict.fromkeys(one.group() for one in islice(_OURS.finditer(head.decode("latin-1")), _MOST_OURS))
    return frozenset(one for one in found if own(one, desk) is not None)


def references(email: Email) -> tuple[str, ...]:
    """The ids of the mails that this one answers, newest first, each once (RFC 5322 section 3.6.4)."""
    ids = dict.fromkeys((*reversed(email.in_reply_to), *reversed(email.references)))
    newest = list(ids)
    return tuple(newest if len(newest) <= _MOST_IDS else [*newest[: _MOST_IDS - 1], newest[-1]])


def own_tickets(ids: Iterable[str], desk: Desk) -> tuple[str, ...]:
    """Ticket numbers that our tokens among these ids carry, in their order."""
    found = (own(one, desk) for one in ids)
    return tuple(dict.fromkeys(number for number in found if number and number != "0"))


def answers_a_refusal(ids: Iterable[str], desk: Desk) -> bool:
    """Whether one of these ids is that of a mail of ours about no ticket: its reader was told already to go away."""
    return any(own(one, desk) == "0" for one in ids)


def foreign_number(email: Email, text: str) -> str:
    """The number of another desk's ticket, by its form, in the subject or the first lines of the text; "" if none."""
    for words in (email.subject[:500], text[:_BEGINNING]):
        found = _FOREIGN.search(_IN_SUBJECT.sub(" ", words))
        if found:
            return found.group().strip("[]() ")
    return ""


def acknowledged_by_a_desk(email: Email, text: str, machine_like: bool, desk: Desk) -> bool:
    """Whether another desk's program acknowledges a mail of ours, without any header that would say so.

    It answers us and brings a number of its own, and something in it sounds like a machine. People who work in a desk
    send such numbers with each mail, too: the number alone says nothing.
    """
    answers = in_subject(email.subject) or any(own(one, desk) for one in references(email))
    return bool(answers) and machine_like and bool(foreign_number(email, text))


def in_subject(subject: str) -> str | None:
    """The ticket number that a subject names, as our replies write it: `[#1001]`."""
    match = _IN_SUBJECT.search(subject[:500])
    return match.group(1).lstrip("0") or None if match else None


_PREFIX = re.compile(
    r"^\s{0,5}(?:(?:re|rv|fw|fwd|aw|wg|vs|sv|tr|ref|res|enc|rif|i|odp|pd|antw|doorst|ynt|ilt)(?:\[\d{1,3}\])?\s{0,3}[:：]\s{0,3})",
    re.IGNORECASE,
)


def bare_subject(subject: str) -> str:
    """The subject without reply prefixes in any of the usual languages and without our ticket number."""
    bare = _IN_SUBJECT.sub(" ", subject[:500]).strip()
    for _ in range(12):
        match = _PREFIX.match(bare)
        if not match:
            break
        bare = bare[match.end() :]
    return " ".join(bare.split())


def marked_as_reply(email: Email) -> bool:
    """Whether the headers or the subject say that an earlier mail is answered (guide: *follow_up*)."""
    return bool(email.in_reply_to or email.references or _PREFIX.match(email.subject) or in_subject(email.subject))


def _mac(key: bytes, number: str, nonce: str) -> str:
    return hmac.new(key, f"{number}.{nonce}".encode(), hashlib.sha256).hexdigest()[:_MAC_LENGTH]
