"""What specialists do: answer partners, and correct what the program decided.

An answer is recognised by its thread, or by its recipient when the mail program made a new one; it counts when a
person wrote it and the partner is among its recipients. Commands are carried out only for staff whose address is
proven, or from the machine itself (`triage ticket`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from triage.adapters.db.store import Transaction
from triage.adapters.db.tickets import number
from triage.core import authenticity, commands, directory, lifecycle, threads
from triage.core.commands import Command
from triage.core.errors import TriageError
from triage.core.model import Email, Reading, Sender, TicketState
from triage.core.replies import Facts, write
from triage.steps import gather, tickets
from triage.steps.apply import Place, record
from triage.steps.office import Office
from triage.steps.telling import Telling

_UNFINISHED = (lifecycle.OPEN, lifecycle.AWAITING, lifecycle.ANSWERED, lifecycle.REFUSED)
_MACHINE = ("auto_reply", "bounce", "list", "loop")


def handle(
    tx: Transaction,
    email: Email,
    reading: Reading,
    sender: Sender,
    office: Office,
    telling: Telling,
    place: Place,
    *,
    filed: bool = False,
) -> int:
    """A mail of a specialist. Returns the id of its row. `filed`: it stays where it lies (the Sent folder)."""
    mail = record(tx, email, telling.now, place, folder="ready", kind="staff", filed_at=telling.now if filed else None)
    if reading.kind.value in _MACHINE or threads.own(email.message_id, office.desk):
        telling.event("message.ignored", reason=f"machine:{reading.kind.value}", sender=sender.address)
        return mail
    ticket = _ticket(tx, email, office)
    orders = () if filed else commands.read(reading.body.text, office.rules.pack)
    if orders:
        _obey(tx, email, orders, sender, ticket, office, telling)
    elif ticket is None:
        telling.event("message.ignored", reason="staff-without-ticket", sender=sender.address)
    elif not _reaches_partner(email, ticket, tx, office):
        tx.tickets.remember(email.message_id, ticket.id)
        telling.about(tx, ticket.id, "message.ignored", reason="internal", sender=sender.address)
    else:
        answer(tx, ticket, email, sender, office, telling)
    if ticket:
        tx.mails.change(mail, ticket=ticket.id)
    return mail


def answer(
    tx: Transaction, ticket: TicketState, email: Email, sender: Sender, office: Office, telling: Telling
) -> None:
    """A specialist answered: the clock stops, the ticket is closed preliminarily."""
    tx.tickets.remember(email.message_id, ticket.id)
    if not lifecycle.possible(ticket.state, lifecycle.SPECIALIST_ANSWER):
        telling.about(tx, ticket.id, "message.ignored", reason=f"ticket-{ticket.state}", sender=sender.address)
        return
    answered_at = min(email.received or telling.now, telling.now)
    if ticket.last_mail_at and answered_at < ticket.last_mail_at:
        # The partner wrote again after this answer, as after a downtime: it does not answer his newest mail.
        telling.about(tx, ticket.id, "message.ignored", reason="answer-before-last-mail", sender=sender.address)
        return
    with _at(telling, answered_at):
        tickets.move(tx, ticket, lifecycle.SPECIALIST_ANSWER, telling, office, answered_at=answered_at)
        telling.about(tx, ticket.id, "ticket.answered", partner=ticket.partner, sender=sender.address)


def obey(
    tx: Transaction, command: Command, ticket: TicketState | None, about: str, office: Office, telling: Telling, by: str
) -> str:
    """Carry out one command. Returns what was done, in a sentence. Raises TriageError with why not."""
    if command.fault:
        raise TriageError(f"#{command.word}: {command.fault}")
    if command.word == "partner":
        return _adopt(tx, command.value, about, office, telling, by)
    if ticket is None:
        raise TriageError(f"#{command.word}: this mail belongs to no ticket; answer in the ticket's thread")
    ticket = tickets.fresh(tx, ticket.id)
    if command.word == "severity":
        return _correct(tx, replace(ticket, severity=command.value), office, telling, by, severity=command.value)
    if command.word == "deployment":
        return _correct(tx, replace(ticket, deployment=command.value), office, telling, by, deployment=command.value)
    if command.word == "close":
        tickets.move(tx, ticket, lifecycle.STAFF_CLOSED, telling, office)
        telling.about(tx, ticket.id, "ticket.closed", partner=ticket.partner, by=by)
        return f"Ticket #{ticket.number} is closed."
    if command.word == "split":
        return _split(tx, ticket, office, telling, by)
    event = lifecycle.ACCEPTED if command.word == "accept" else lifecycle.STAFF_REOPENED
    return accept(tx, ticket, event, office, telling, by)


def accept(tx: Transaction, ticket: TicketState, event: str, office: Office, telling: Telling, by: str) -> str:
    """Staff overrides a refusal or an incomplete ticket, or opens it again: a person answers, the clock runs."""
    tickets.move(tx, ticket, event, telling, office)
    telling.about(
        tx,
        ticket.id,
        "ticket.reopened" if event == lifecycle.STAFF_REOPENED else "ticket.updated",
        partner=ticket.partner,
        reason=event,
        by=by,
    )
    started = ticket.last_mail_at or telling.now
    running = tickets.recompute(tx, ticket, office, telling, started=started, scope=None)
    return f"Ticket #{ticket.number} is open; an answer is due {running.due:%Y-%m-%d %H:%M} UTC."


def _correct(tx: Transaction, ticket: TicketState, office: Office, telling: Telling, by: str, **change: str) -> str:
    """A label was wrong: reckon anew, keep the promise on record."""
    tx.tickets.change(ticket.id, **change)
    telling.about(tx, ticket.id, "ticket.updated", partner=ticket.partner, by=by, reason="corrected", **change)
    said = ", ".join(f"{key} {value}" for key, value in change.items())
    row = tx.tickets.row(ticket.id) or {}
    started: datetime | None = row.get("clock_started_at")
    if ticket.state != lifecycle.OPEN or started is None:
        return f"Ticket #{ticket.number}: {said}. No clock runs."
    running = tickets.recompute(tx, ticket, office, telling, started=started, scope=row.get("out_of_scope"))
    return f"Ticket #{ticket.number}: {said}. An answer is due {running.due:%Y-%m-%d %H:%M} UTC."


def _split(tx: Transaction, ticket: TicketState, office: Office, telling: Telling, by: str) -> str:
    """A second ticket with the same mail and clock, for another question in it."""
    row = tx.tickets.row(ticket.id) or {}
    second = tx.tickets.open(**{key: row[key] for key in row if key not in ("id", "number", "asked")})
    telling.about(
        tx, second, "ticket.opened", partner=ticket.partner, split_from=ticket.number, by=by, pack=office.pack_version
    )
    telling.about(tx, ticket.id, "ticket.updated", partner=ticket.partner, reason="split", into=number(second), by=by)
    made = tickets.fresh(tx, second)
    if made.state == lifecycle.OPEN and row.get("clock_started_at"):
        tickets.recompute(tx, made, office, telling, started=row["clock_started_at"], scope=row.get("out_of_scope"))
    else:
        tx.clocks.set(second, tickets.alarms(office, made.state, telling.now))
    return f"Ticket #{ticket.number} is split: the other question is ticket #{made.number}."


def _adopt(tx: Transaction, partner: str, about: str, office: Office, telling: Telling, by: str) -> str:
    """Staff says that an address belongs to a partner."""
    names = {name.lower(): name for name in office.directory.partners()}
    exact = names.get(partner.lower())
    if exact is None:
        raise TriageError(f"#partner: {partner!r} is not in the partner file")
    if not about:
        raise TriageError("#partner: no sender to be seen; forward his mail, or answer in its thread")
    tx.people.note(about, partner=exact)
    telling.event("sender.adopted", sender=about, partner=exact, by=by)
    return f"{about} belongs to {exact} from now on."


def _obey(
    tx: Transaction,
    email: Email,
    orders: tuple[Command, ...],
    sender: Sender,
    ticket: TicketState | None,
    office: Office,
    telling: Telling,
) -> None:
    """Carry out the commands of a mail and answer what was done."""
    if sender.verified != authenticity.PROVEN:
        telling.event("command.refused", sender=sender.address, reason="sender-not-verified")
        return
    done = []
    for order in orders:
        try:
            with tx.savepoint():
                done.append(obey(tx, order, ticket, _stranger(tx, email, office), office, telling, sender.address))
        except TriageError as error:
            done.append(str(error))
    facts = Facts(subject=threads.bare_subject(email.subject), extra={"done": done})
    language = office.rules.pack.manifest.languages[:1]
    reply = write(office.rules, "staff_command", language, sender.address, facts)
    office.queue(
        tx, reply, telling.now, seed=email.fingerprint, answers=email,
        ticket=ticket.id if ticket else None, numbers=(ticket.number,) if ticket else (),
    )  # fmt: skip


def _ticket(tx: Transaction, email: Email, office: Office) -> TicketState | None:
    """The ticket of a specialist's mail: by its thread, else the only unfinished one of its recipient."""
    found = gather.tickets(tx, email, office)
    if found:
        return found[0]
    for address in (*email.to, *email.cc):
        if directory.listed(address.address, (*office.staff, *office.desk.addresses)):
            continue
        unfinished = tx.tickets.of_requester(address.address, _UNFINISHED)
        if len(unfinished) == 1:
            return unfinished[0]
    return None


def _reaches_partner(email: Email, ticket: TicketState, tx: Transaction, office: Office) -> bool:
    """Whether the partner is among the recipients; mail between specialists answers nobody."""
    row = tx.tickets.row(ticket.id) or {}
    recipients = [one.address for one in (*email.to, *email.cc)]
    if row.get("requester") in recipients:
        return True
    return any(
        contact.partner == ticket.partner for address in recipients for contact in office.directory.contacts(address)
    )


def _stranger(tx: Transaction, email: Email, office: Office) -> str:
    """Whose mail a command speaks of: the sender of a mail in this thread that is not staff."""
    for known in tx.mails.by_message_ids(threads.references(email)):
        if known.sender and not directory.listed(known.sender, office.staff):
            return known.sender
    return ""


class _at:
    """Tell events as of another time, such as that of an answer which is read late."""

    def __init__(self, telling: Telling, at: datetime) -> None:
        self._telling, self._at, self._now = telling, at, telling.now

    def __enter__(self) -> None:
        self._telling.now = self._at

    def __exit__(self, *_: object) -> None:
        self._telling.now = self._now
