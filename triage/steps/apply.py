"""Carries out a decision: ticket, clock, outgoing mail and the mail's key, in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.adapters.db.store import Transaction
from triage.core import authenticity, directory, lifecycle, threads
from triage.core.model import Clock, Decision, Email, Evidence, Reading, Sender, TicketState
from triage.steps import tickets
from triage.steps.gather import Gathered, text_hash
from triage.steps.office import Office
from triage.steps.telling import Telling

_EVENT_OF_STATE = {
    lifecycle.AWAITING: "ticket.awaiting_partner",
    lifecycle.REFUSED: "ticket.refused",
}
_TELLS_THE_TIME = ("accepted", "split")  # replies that say when an answer is due


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the server a mail lies."""

    mailbox: str
    uidvalidity: int
    uid: int


def apply(
    tx: Transaction,
    email: Email,
    reading: Reading,
    gathered: Gathered,
    decision: Decision,
    office: Office,
    telling: Telling,
    place: Place,
) -> int:
    """Returns the id of the mail's row."""
    if decision.event not in (lifecycle.REQUEST, lifecycle.INCOMPLETE, lifecycle.REFUSAL):
        return _no_change(tx, email, reading, gathered, decision, office, telling, place)
    known = gathered.history.ticket
    if known:
        _change(tx, known, email, gathered.sender, decision, office, telling)
        made = [known]
    else:
        made = _open(tx, email, gathered, decision, office, telling)
    ticket = made[0]
    mail = record(
        tx, email, telling.now, place, folder=decision.folder, reading=reading, decision=decision, ticket=ticket.id
    )
    tx.tickets.remember(email.message_id, ticket.id)
    numbers = tuple(one.number for one in made)
    _reply(tx, email, gathered, decision, office, telling, mail, ticket.id, numbers)
    _tell_staff(tx, decision, ticket, telling)
    return mail


def record(
    tx: Transaction,
    email: Email,
    now: datetime,
    place: Place,
    *,
    folder: str,
    reading: Reading | None = None,
    decision: Decision | None = None,
    **values: Any,
) -> int:
    """The mail's key: from now on it is known. Returns the id of its row."""
    row: dict[str, Any] = {
        "mailbox": place.mailbox,
        "uidvalidity": place.uidvalidity,
        "uid": place.uid,
        "fingerprint": email.fingerprint,
        "message_id": email.message_id[:300],
        "sender": (email.from_[0].address if email.from_ else "")[:320],
        "subject": email.subject[:1000],
        "received_at": email.received or now,
        "handled_at": now,
        "folder": folder,
        **values,
    }
    if reading and decision:
        row["kind"] = reading.kind.value or ""
        row["text_hash"] = text_hash(email, reading)
        row["reading"] = _summary(reading, decision)
    return tx.mails.add(**row)


def _no_change(
    tx: Transaction,
    email: Email,
    reading: Reading,
    gathered: Gathered,
    decision: Decision,
    office: Office,
    telling: Telling,
    place: Place,
) -> int:
    """Mail that changes no ticket: machines, thanks, strangers, forgeries."""
    sender, reason = gathered.sender, ",".join(decision.reasons)
    refused = decision.folder == "refused"
    rule = _rule(decision.evidence if refused else decision.evidence or reading.kind.evidence)
    ticket = None if refused else gathered.history.ticket
    mail = record(
        tx, email, telling.now, place, folder=decision.folder, reading=reading, decision=decision,
        ticket=ticket.id if ticket else None,
    )  # fmt: skip
    if refused:
        telling.event(
            "sender.refused", sender=sender.address, partner=sender.partner, reason=reason, rule=rule, mail=mail
        )
        if sender.verified == authenticity.UNPROVEN:
            _tell_unproven(tx, sender, office, telling, mail)
        if decision.stranger_told:
            tx.people.note(directory.untagged(sender.address), stranger_told_at=telling.now)
        _reply(tx, email, gathered, decision, office, telling, mail, None, ())
    elif decision.folder == "quarantine":
        # Held: it may be genuine, and only a person can say so.
        tx.notices.add(telling.now, "quarantined", None, {"mail": mail, "reason": reason, "subject": email.subject})
        telling.event("message.quarantined", reason=reason, mail=mail, sender=sender.address)
    elif ticket:
        tx.tickets.remember(email.message_id, ticket.id)
        telling.about(tx, ticket.id, "message.ignored", reason=reason, rule=rule, sender=sender.address)
    else:
        telling.event("message.ignored", reason=reason, rule=rule, partner=sender.partner, sender=sender.address)
    return mail


def _open(
    tx: Transaction, email: Email, gathered: Gathered, decision: Decision, office: Office, telling: Telling
) -> list[TicketState]:
    """A new ticket; where the pack splits a mail, one for each of its questions."""
    sender, follows = gathered.sender, gathered.follows
    contact = sender.contact
    state = lifecycle.after(lifecycle.NEW, decision.event)
    running = decision.clock if state == lifecycle.OPEN else None
    subjects = [threads.bare_subject(email.subject)[:1000]]
    subjects += [" ".join(question.split())[:200] for question in decision.split[1:]]
    partner = _partner(sender, decision.deployment)
    made: list[TicketState] = []
    for subject in subjects:
        ticket = tx.tickets.open(
            partner=partner,
            requester=sender.address,
            subject=subject,
            state=state,
            language=decision.language,
            timezone=contact.timezone if contact else "",
            fields=sorted(decision.fields),
            flags=sorted(decision.flags),
            settled=[],
            asked=_asked(decision),
            pack=office.pack_version,
            opened_at=telling.now,
            last_mail_at=email.received or telling.now,
            follows=follows.id if follows else None,
            **_labels(decision),
            **(tickets.clock_columns(running) if running else {}),
        )
        made.append(ticket)
        telling.about(
            tx,
            ticket.id,
            "ticket.opened",
            partner=partner,
            sender=sender.address,
            subject=subject,
            pack=office.pack_version,
            follows=follows.number if follows else None,
            split_from=made[0].number if len(made) > 1 else None,
            flags=list(decision.flags) or None,
            **_labels(decision),
        )
        _tell_state(tx, ticket, state, decision, telling)
        if running:
            tickets.start_clock(
                tx,
                ticket.id,
                partner,
                running,
                telling,
                office,
                promised_to=_promised_to(sender, decision, office, telling.now),
            )
        else:
            tx.clocks.add(ticket.id, tickets.waits(office, state, telling.now))
    return made


def _change(
    tx: Transaction,
    ticket: TicketState,
    email: Email,
    sender: Sender,
    decision: Decision,
    office: Office,
    telling: Telling,
) -> None:
    """Bring the ticket to where the decision leads."""
    received = email.received or telling.now
    state = lifecycle.after(ticket.state, decision.event)
    running: Clock | None = decision.clock
    if ticket.state == lifecycle.OPEN and ticket.last_mail_at and received < ticket.last_mail_at:
        running = None  # handled late: the clock counts from a newer mail already
    changes: dict[str, Any] = {
        "last_mail_at": max(received, ticket.last_mail_at or received),
        "fields": sorted(decision.fields | ticket.fields),
        "flags": sorted(decision.flags),
        **_labels(decision),
    }
    if ticket.deployment is None and decision.deployment and "partner" not in ticket.settled:
        changes["partner"] = _partner(sender, decision.deployment)  # one person at two partners
    if _asked(decision):
        changes["asked"] = ticket.asked + 1
    if state == lifecycle.OPEN:
        reopened = ticket.state in (lifecycle.ANSWERED, lifecycle.REFUSED)
        telling.about(
            tx,
            ticket.id,
            "ticket.reopened" if reopened else "ticket.updated",
            partner=ticket.partner,
            sender=sender.address,
            reason=",".join(decision.reasons),
        )
    else:
        _tell_state(tx, ticket, state, decision, telling)
    tickets.move(
        tx,
        ticket,
        decision.event,
        telling,
        office,
        running=running,
        promised_to=_promised_to(sender, decision, office, telling.now),
        **changes,
    )


def _tell_state(tx: Transaction, ticket: TicketState, state: str, decision: Decision, telling: Telling) -> None:
    named = _EVENT_OF_STATE.get(state)
    if named:
        missing = list(decision.missing) or None
        reason = ",".join(decision.reasons)
        rule = _rule(decision.evidence)
        telling.about(tx, ticket.id, named, partner=ticket.partner, reason=reason, rule=rule, missing=missing)


def _rule(evidence: Sequence[Evidence]) -> str | None:
    """The rule that counted most."""
    return evidence[0].rule if evidence else None


def _promised_to(sender: Sender, decision: Decision, office: Office, now: datetime) -> str | None:
    """Who is promised the due time by the reply. One that is over is no promise: the reply says so."""
    if decision.reply is None or decision.reply.template not in _TELLS_THE_TIME or not office.desk.addresses:
        return None
    return sender.address if decision.clock and decision.clock.due > now else None


def _partner(sender: Sender, deployment: str | None) -> str:
    """The partner for whom the sender writes: of several, the one that has this deployment."""
    fitting = (contact.partner for contact in sender.contacts if contact.deployment == deployment)
    return next(fitting, sender.partner or "")


def _reply(
    tx: Transaction,
    email: Email,
    gathered: Gathered,
    decision: Decision,
    office: Office,
    telling: Telling,
    mail: int,
    ticket: int | None,
    numbers: tuple[str, ...],
) -> None:
    reply = decision.reply
    if reply is None or not office.desk.addresses:
        return
    message_id = office.queue(
        tx, reply, telling.now, seed=email.fingerprint, ticket=ticket, numbers=numbers, answers=email, mail=mail
    )
    keys = {"to": reply.to, "reply": message_id, "template": reply.template, "language": reply.language}
    if ticket is None:
        telling.event("reply.queued", **keys)
    else:
        telling.about(tx, ticket, "reply.queued", partner=gathered.sender.partner, **keys)


def _tell_unproven(tx: Transaction, sender: Sender, office: Office, telling: Telling, mail: int) -> None:
    """A partner's domain (or our own) that proves nothing: staff hears of it, once a day.

    The sender never does, for he may be somebody else; and of all other domains nobody needs to hear.
    """
    contacts = office.directory.contacts(sender.address)
    if not contacts and not directory.listed(sender.address, office.staff):
        return
    domain, today = sender.address.rpartition("@")[2], telling.now.date().isoformat()
    key = f"unproven:{domain}"
    if tx.meta.get(key) == today:
        return
    tx.meta.put(key, today)
    partner = contacts[0].partner if contacts else ""
    tx.notices.add(telling.now, "unproven", None, {"domain": domain, "partner": partner, "mail": mail})


def _tell_staff(tx: Transaction, decision: Decision, ticket: TicketState, telling: Telling) -> None:
    """What a person should look at, apart from the clock."""
    for flag in ("rude", "lapsed", "incomplete", "robot", "unreachable"):
        if flag in decision.flags:
            tx.notices.add(telling.now, flag, ticket.id, {})


def _asked(decision: Decision) -> int:
    """How often the partner is asked by this decision: once or not at all."""
    return int(decision.event == lifecycle.INCOMPLETE and decision.reply is not None)


def _labels(decision: Decision) -> dict[str, Any]:
    return {
        "deployment": decision.deployment,
        "request_type": decision.request_type,
        "service": decision.service,
        "severity": decision.severity,
        "out_of_scope": decision.out_of_scope,
    }


def _summary(reading: Reading, decision: Decision) -> dict[str, Any]:
    """What is kept of a reading for the ticket's story: values and the words that led to them, never the text."""
    return {
        "kind": reading.kind.value,
        "language": reading.language.value,
        "request_type": reading.request_type.value,
        "service": reading.service.value,
        "severity": reading.severity.value,
        "out_of_scope": reading.out_of_scope.value,
        "courtesy": reading.courtesy.value,
        "questions": len(reading.questions),
        "fields": sorted(name for name in reading.fields if reading.has(name)),
        "missing": list(decision.missing),
        "state": decision.state,
        "reasons": list(decision.reasons),
        "evidence": [[one.rule, one.clause, one.matched[:80]] for one in decision.evidence[:60]],
    }
