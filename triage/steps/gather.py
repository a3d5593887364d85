"""What deciding about a mail needs to know of the world: its sender, its ticket, and what went before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from triage.adapters.db.store import Transaction
from triage.core import authenticity, directory, lifecycle, threads
from triage.core.model import Email, History, Reading, Sender, TicketState, Trust
from triage.steps.office import Office

_PERSON_SURELY = 0.9  # confidence in the sort of a mail; below it some sign spoke for a machine


@dataclass(frozen=True, slots=True)
class Gathered:
    sender: Sender
    history: History
    follows: TicketState | None  # a closed ticket that this mail would have belonged to


def sender(tx: Transaction, email: Email, office: Office, trust: Trust, now: datetime) -> Sender:
    """Who wrote this mail. An address that staff gave to a partner counts as his."""
    found = directory.identify(
        email,
        office.directory,
        email.received or now,
        deployments_with_subscription=office.subscriptions,
        staff=office.staff,
        verified=authenticity.verify(email, trust),
        own=office.desk.addresses,
    )
    if found.status != directory.UNKNOWN:
        return found
    partner = tx.people.get(directory.untagged(found.address)).get("partner")
    contacts = office.directory.of_partner(partner) if partner else ()
    if not contacts:
        return found
    # He may be of any of the partner's installations: his words say which, or he is asked.
    known = directory.Directory(replace(one, address=found.address, role="technician") for one in contacts)
    return directory.identify(
        email,
        known,
        email.received or now,
        deployments_with_subscription=office.subscriptions,
        verified=found.verified,
    )


def foresee(tx: Transaction, mails: Sequence[tuple[Email, Reading]], office: Office, now: datetime) -> None:
    """Ask the database at once what `gather` and its caller will ask about each of these mails."""
    since = _window(office, now)
    senders = [email.from_[0].address if email.from_ else "" for email, _ in mails]
    texts = [(sender, text_hash(*mail)) for sender, mail in zip(senders, mails, strict=True)]
    tx.mails.foresee([email.fingerprint for email, _ in mails], texts, since)
    tx.outbox.foresee(senders, since)


def _window(office: Office, now: datetime) -> datetime:
    """From when on replies and equal texts are counted."""
    return now - timedelta(minutes=office.rules.pack.policy.reply_window_minutes)


def gather(tx: Transaction, email: Email, reading: Reading, office: Office, trust: Trust, now: datetime) -> Gathered:
    """All of it. Nothing that a stranger or a forger names leads to a ticket."""
    who = sender(tx, email, office, trust, now)
    since = _window(office, now)
    ticket: TicketState | None = None
    foreign = False
    if who.status != directory.UNAUTHENTICATED and who.partner:
        partners = {contact.partner for contact in who.contacts}
        for candidate in tickets(tx, email, office, quoted=reading.body.quoted):
            foreign = candidate.partner not in partners
            if not foreign:
                ticket = _newest(tx, named(tx, email, candidate, partners))
                break
        if len(partners) > 1:
            who = _for_one_partner(tx, who, ticket)
    follows = ticket if ticket and ticket.state == lifecycle.CLOSED else None
    about = ticket.id if ticket and not follows else None
    total, in_ticket, last = tx.outbox.replies(who.address, about, since)
    told, told_at_domain = _strangers_told(tx, who, email, office, since, now)
    history = History(
        ticket=None if follows else ticket,
        closed_ticket=follows.number if follows else "",
        foreign_ticket=foreign,
        foreign_desk=threads.acknowledged_by_a_desk(
            email, reading.body.text, reading.kind.confidence < _PERSON_SURELY, office.desk
        ),
        stranger_told_at=told,
        strangers_told=told_at_domain,
        replies_to_address=total,
        replies_in_ticket=in_ticket,
        same_text=tx.mails.same_text(who.address, text_hash(email, reading), since),
        seconds_since_reply=((email.received or now) - last).total_seconds() if last else None,
    )
    return Gathered(who, history, follows)


def tickets(tx: Transaction, email: Email, office: Office, *, quoted: str = "") -> Iterator[TicketState]:
    """The tickets that a mail points to: by our token, by a Message-ID that we know, by the number in its subject or in
    that of the mail that it quotes: some relays take all the rest away."""
    ids = threads.references(email)
    yield from tx.tickets.by_numbers(threads.own_tickets(ids, office.desk))
    yield from tx.tickets.by_message_ids(ids)
    number = threads.in_subject(email.subject)
    if number:
        yield from tx.tickets.by_numbers([number])
    elif in_quote := threads.in_subject(quoted):
        yield from tx.tickets.by_numbers([in_quote])


def named(tx: Transaction, email: Email, found: TicketState, partners: Collection[str]) -> TicketState:
    """The ticket that somebody wrote into the subject in place of the one to which the thread leads, if these partners
    have it: tickets that were split from one mail share its thread, and their number alone tells them apart."""
    number = threads.in_subject(email.subject)
    if number is None or number == found.number or f"[#{found.number}]" in email.subject:
        return found
    meant = (one for one in tx.tickets.by_numbers([number]) if one.partner in partners)
    return next((one for one in meant if one.state != lifecycle.CLOSED), found)


def _newest(tx: Transaction, ticket: TicketState) -> TicketState:
    """The ticket, or the one that was opened in the place of a closed one: the old thread leads there."""
    while ticket.state == lifecycle.CLOSED:
        following = tx.tickets.following(ticket.id)
        if following is None or following.partner != ticket.partner:
            break
        ticket = following
    return ticket


def _strangers_told(
    tx: Transaction, who: Sender, email: Email, office: Office, since: datetime, now: datetime
) -> tuple[datetime | None, int]:
    """When this stranger was told to ask his partner, and how many at his domain were within the window.

    Who answers such a mail of ours was told, whatever address he has today: robots take a new one each time.
    """
    if who.status != directory.UNKNOWN:
        return None, 0
    told = tx.people.stranger_told_at(directory.untagged(who.address))
    if told is None and threads.answers_a_refusal(threads.references(email), office.desk):
        told = now
    return told, 0 if told else tx.people.strangers_told(who.address.rpartition("@")[2], since)


def text_hash(email: Email, reading: Reading) -> str:
    """The same for the same words again, apart from spacing and case."""
    words = " ".join((threads.bare_subject(email.subject) + " " + reading.body.text).lower().split())
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32]


def _for_one_partner(tx: Transaction, who: Sender, ticket: TicketState | None) -> Sender:
    """One person may work for two partners: the ticket says for which, or staff did.

    A ticket of which nobody knows the deployment yet may turn out to be the other partner's.
    """
    settled = ticket and (ticket.deployment or "partner" in ticket.settled)
    partner = ticket.partner if ticket and settled else tx.people.get(directory.untagged(who.address)).get("partner")
    contacts = tuple(one for one in who.contacts if one.partner == partner)
    return replace(who, partner=partner, contacts=contacts) if contacts else who
