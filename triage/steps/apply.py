"""Carries out a decision: ticket, clock, outgoing mail and the mail's key, in the transaction of the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triage.adapters.db.store import Transaction
from triage.adapters.db.tickets import number
from triage.core import lifecycle, threads
from triage.core.model import Decision, Email, Reading, TicketState
from triage.steps import tickets
from triage.steps.gather import Gathered, text_hash
from triage.steps.office import Office
from triage.steps.telling import Telling

_EVENT_OF_STATE = {
    lifecycle.AWAITING: "ticket.awaiting_partner",
    lifecycle.REFUSED: "ticket.refused",
}


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
    mail = record(tx, email, telling.now, place, folder=decision.folder, reading=reading, decision=decision)
    if decision.event not in (lifecycle.REQUEST, lifecycle.INCOMPLETE, lifecycle.REFUSAL):
        _no_change(tx, email, gathered, decision, office, telling, mail)
        return mail
    ticket, opened = _ticket(tx, email, gathered, decision, office, telling)
    tx.mails.change(mail, ticket=ticket.id)
    tx.tickets.remember(email.message_id, ticket.id)
    numbers = [ticket.number]
    state = _change(tx, ticket, opened, email, decision, office, telling)
    if decision.clock and state == lifecycle.OPEN:
        promised = gathered.sender.address if decision.reply else None
        for one in [ticket.id, *_split(tx, ticket.id, decision, office, telling, numbers)]:
            tickets.start_clock(tx, one, decision.clock, telling, office, partner=ticket.partner, promised_to=promised)
    _reply(tx, email, gathered, decision, office, telling, mail, ticket.id, tuple(numbers))
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
    tx: Transaction, email: Email, gathered: Gathered, decision: Decision, office: Office, telling: Telling, mail: int
) -> None:
    """Mail that changes no ticket: machines, thanks, strangers, forgeries."""
    sender, reason = gathered.sender, ",".join(decision.reasons)
    if decision.state == "refused":
        telling.event("sender.refused", sender=sender.address, partner=sender.partner, reason=reason)
        if decision.stranger_told:
            tx.people.note(sender.address, stranger_told_at=telling.now)
        _reply(tx, email, gathered, decision, office, telling, mail, None, ())
        return
    if decision.folder == "quarantine":
        tx.notices.add(telling.now, "quarantined", None, {"mail": mail, "reason": reason, "subject": email.subject})
        telling.event("message.quarantined", reason=reason, mail=mail)
        return
    ticket = gathered.history.ticket
    if ticket:
        tx.mails.change(mail, ticket=ticket.id)
        tx.tickets.remember(email.message_id, ticket.id)
        telling.about(tx, ticket.id, "message.ignored", reason=reason, sender=sender.address)
    else:
        telling.event("message.ignored", reason=reason, sender=sender.address)


def _ticket(
    tx: Transaction, email: Email, gathered: Gathered, decision: Decision, office: Office, telling: Telling
) -> tuple[TicketState, bool]:
    """The mail's ticket, opened when there is none. The second value: whether it was opened now."""
    if gathered.history.ticket:
        return gathered.history.ticket, False
    sender, contact = gathered.sender, gathered.sender.contact
    ticket = tx.tickets.open(
        partner=sender.partner or "",
        requester=sender.address,
        subject=threads.bare_subject(email.subject)[:1000],
        state=lifecycle.after(lifecycle.NEW, decision.event),
        language=decision.language,
        timezone=contact.timezone if contact else "",
        fields=sorted(decision.fields),
        flags=sorted(decision.flags),
        pack=office.pack_version,
        opened_at=telling.now,
        follows=gathered.follows.id if gathered.follows else None,
        **_labels(decision),
    )
    telling.about(
        tx,
        ticket,
        "ticket.opened",
        partner=sender.partner,
        sender=sender.address,
        subject=email.subject,
        pack=office.pack_version,
        follows=gathered.follows.number if gathered.follows else None,
        flags=list(decision.flags) or None,
        **_labels(decision),
    )
    return tickets.fresh(tx, ticket), True


def _change(
    tx: Transaction,
    ticket: TicketState,
    opened: bool,
    email: Email,
    decision: Decision,
    office: Office,
    telling: Telling,
) -> str:
    """Bring the ticket to where the decision leads."""
    event, was = decision.event, ticket.state
    changes: dict[str, Any] = {"last_mail_at": email.received or telling.now}
    if not opened:
        changes |= {
            "fields": sorted(decision.fields | ticket.fields),
            "flags": sorted(decision.flags),
            **_labels(decision),
        }
    if event == lifecycle.INCOMPLETE:
        changes["asked"] = ticket.asked + 1
    if opened:
        tx.tickets.change(ticket.id, **changes)
        tx.clocks.set(ticket.id, tickets.alarms(office, ticket.state, telling.now))
        state = ticket.state
    else:
        state = tickets.move(tx, ticket, event, telling, office, **changes)
    reason = ",".join(decision.reasons)
    named = _EVENT_OF_STATE.get(state)
    if named:
        telling.about(
            tx, ticket.id, named, partner=ticket.partner, reason=reason, missing=list(decision.missing) or None
        )
    elif not opened:
        reopened = was in (lifecycle.ANSWERED, lifecycle.REFUSED)
        telling.about(
            tx, ticket.id, "ticket.reopened" if reopened else "ticket.updated", partner=ticket.partner, reason=reason
        )
    return state


def _split(
    tx: Transaction, first: int, decision: Decision, office: Office, telling: Telling, numbers: list[str]
) -> list[int]:
    """A ticket for each further question of a mail, where the pack splits."""
    made = []
    for question in decision.split[1:]:
        row = tx.tickets.row(first) or {}
        copied = {key: row[key] for key in row if key not in ("id", "number", "asked", "subject")}
        ticket = tx.tickets.open(**copied, subject=" ".join(question.split())[:200])
        numbers.append(number(ticket))
        telling.about(
            tx, ticket, "ticket.opened", partner=row.get("partner"), split_from=number(first), pack=office.pack_version
        )
        made.append(ticket)
    return made


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


def _tell_staff(tx: Transaction, decision: Decision, ticket: TicketState, telling: Telling) -> None:
    """What a person should look at, apart from the clock."""
    for flag in ("rude", "lapsed", "incomplete", "robot"):
        if flag in decision.flags:
            tx.notices.add(telling.now, flag, ticket.id, {})


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
