"""What deciding about a mail needs to know of the world: its sender, its ticket, and what went before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from triage.adapters.db.store import Transaction
from triage.core import authenticity, directory, lifecycle, threads
from triage.core.model import Email, History, Reading, Sender, TicketState, Trust
from triage.steps.office import Office


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
    )
    if found.status != directory.UNKNOWN:
        return found
    partner = tx.people.get(found.address).get("partner")
    contacts = office.directory.of_partner(partner) if partner else ()
    if not contacts:
        return found
    adopted = replace(contacts[0], address=found.address, role="technician")
    known = directory.Directory([adopted])
    return directory.identify(
        email,
        known,
        email.received or now,
        deployments_with_subscription=office.subscriptions,
        verified=found.verified,
    )


def gather(tx: Transaction, email: Email, reading: Reading, office: Office, trust: Trust, now: datetime) -> Gathered:
    """All of it. Nothing that a stranger or a forger names leads to a ticket."""
    who = sender(tx, email, office, trust, now)
    policy = office.rules.pack.policy
    since = now - timedelta(minutes=policy.reply_window_minutes)
    ticket: TicketState | None = None
    foreign = False
    if who.status != directory.UNAUTHENTICATED and who.partner:
        candidates = tickets(tx, email, office)
        partners = {contact.partner for contact in who.contacts}
        own = [one for one in candidates if one.partner in partners]
        ticket = own[0] if own else None
        foreign = bool(candidates) and not own
    follows = ticket if ticket and ticket.state == lifecycle.CLOSED else None
    if ticket and not follows:
        who = _of_partner(who, ticket.partner)
    about = ticket.id if ticket and not follows else None
    total, in_ticket, last = tx.outbox.replies(who.address, about, since)
    history = History(
        ticket=None if follows else ticket,
        closed_ticket=follows.number if follows else "",
        foreign_ticket=foreign,
        stranger_told_at=tx.people.stranger_told_at(who.address) if who.status == directory.UNKNOWN else None,
        replies_to_address=total,
        replies_in_ticket=in_ticket,
        same_text=tx.mails.same_text(who.address, text_hash(email, reading), since),
        seconds_since_reply=((email.received or now) - last).total_seconds() if last else None,
    )
    return Gathered(who, history, follows)


def tickets(tx: Transaction, email: Email, office: Office) -> list[TicketState]:
    """The tickets that a mail points to: by our token, by a Message-ID that we know, by the number in its subject."""
    ids = threads.references(email)
    found = tx.tickets.by_numbers(threads.own_tickets(ids, office.desk))
    found += tx.tickets.by_message_ids(ids)
    named = threads.in_subject(email.subject)
    if named:
        found += tx.tickets.by_numbers([named])
    return list({one.id: one for one in found}.values())


def text_hash(email: Email, reading: Reading) -> str:
    """The same for the same words again, apart from spacing and case."""
    words = " ".join((threads.bare_subject(email.subject) + " " + reading.body.text).lower().split())
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32]


def _of_partner(who: Sender, partner: str) -> Sender:
    """The sender as one of this partner's: one person may work for two."""
    contacts = tuple(one for one in who.contacts if one.partner == partner)
    return replace(who, partner=partner, contacts=contacts) if contacts else who
