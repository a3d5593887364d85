"""What specialists do: answer partners, and correct what the program decided.

An answer is recognised by its thread; where a mail program made a new thread, by its recipient and subject. It counts
when a person wrote it and the partner is among its recipients. Commands are carried out only for staff whose address
is proven, or from the machine itself (`triage ticket`). What staff settles, no later reading of a mail changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from triage.adapters.db.store import Transaction
from triage.core import authenticity, commands, directory, lifecycle, threads
from triage.core.commands import Command
from triage.core.errors import TriageError
from triage.core.model import Email, Reading, Sender, TicketState
from triage.core.reading.machine import keyword
from triage.core.replies import Facts, write
from triage.steps import gather, tickets
from triage.steps.apply import Place, record
from triage.steps.office import Office
from triage.steps.telling import Telling

SEVERITY, DEPLOYMENT, PARTNER, ACCEPT = "severity", "deployment", "partner", "accept"  # what can be settled
RECALL = "recall:"  # the key of a refused mail that is to be handled again (steps/recall.py) is this and its number
_MOST_RECALLED = 20  # mails of one address, the newest
_UNFINISHED = (lifecycle.OPEN, lifecycle.AWAITING, lifecycle.ANSWERED, lifecycle.REFUSED)
_MACHINE = ("auto_reply", "bounce", "list")
_LEARNED = "learned."  # how evidence begins that is no rule's
_FROM_US = "header.own-address"  # the rule that sees nothing but our address
_ADDRESS = re.compile(r"[A-Za-z0-9._+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_LONGEST = 20_000  # characters of a forwarded mail that are searched for its sender


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
    copy_of: int | None = None,
) -> tuple[int, str]:
    """A mail of a specialist. Returns its row and its folder. `filed`: it stays where it lies (the Sent folder).

    `copy_of`: the row of the same mail in the mailbox, of which nothing was made.
    """
    kind, at = reading.kind, telling.now if filed else None
    orders = () if filed else commands.read(reading.body.text, office.rules.pack)
    if _automatic(email, reading, office, commanded=bool(orders)):
        mail = record(
            tx, email, telling.now, place, folder="ignored", kind=kind.value, filed_at=at, duplicate_of=copy_of
        )
        telling.event("message.ignored", reason=f"machine:{kind.value}", sender=sender.address)
        return mail, "ignored"
    ticket = _ticket(tx, email, office)
    mail = record(
        tx, email, telling.now, place, folder="ready", kind="staff", filed_at=at, duplicate_of=copy_of,
        ticket=ticket.id if ticket else None,
    )  # fmt: skip
    words = commands.rest(reading.body.text) if orders else "it was written to be read"
    answers = ticket is not None and bool(words) and _reaches_partner(email, ticket, office)
    if orders:
        _obey(tx, email, orders, sender, ticket, office, telling, answers=answers)
    elif ticket is None:
        telling.event("message.ignored", reason="staff-without-ticket", sender=sender.address)
    elif answers:
        answer(tx, ticket, email, sender, office, telling)
    else:
        telling.about(tx, ticket.id, "message.ignored", reason="internal", sender=sender.address)
    if ticket is not None:
        tx.tickets.remember(email.message_id, ticket.id)
    return mail, "ready"


def _automatic(email: Email, reading: Reading, office: Office, *, commanded: bool) -> bool:
    """Whether no specialist wrote it: our own replies, and what machines send in the name of one.

    A mail from the support address reads as our own that comes back. In the Sent folder, or where that address is one
    of the specialists', a person wrote it, unless its headers say otherwise; and machines write no commands.
    """
    kind = reading.kind
    marked = any(keyword(value) not in ("", "no") for value in email.headers.get("auto-submitted", ()))
    if threads.own(email.message_id, office.desk):
        return True
    if kind.value == "loop":
        return marked or any(one.rule != _FROM_US for one in kind.evidence)
    if commanded and not marked:
        return False
    # What was learned from partners' mail is no judge of specialists', who write "It is mended." and no more.
    heard = all(one.rule.startswith(_LEARNED) for one in kind.evidence) and bool(kind.evidence)
    return kind.value in _MACHINE and kind.confidence >= office.rules.pack.unsure.kind and not heard


def answer(
    tx: Transaction, ticket: TicketState, email: Email, sender: Sender, office: Office, telling: Telling
) -> None:
    """A specialist answered: the clock stops, the ticket is closed preliminarily."""
    if not lifecycle.possible(ticket.state, lifecycle.SPECIALIST_ANSWER):
        telling.about(tx, ticket.id, "message.ignored", reason=f"ticket-{ticket.state}", sender=sender.address)
        return
    answered_at = min(email.received or telling.now, telling.now)
    if ticket.last_mail_at and answered_at < ticket.last_mail_at:
        # The partner wrote again after this answer, as after a downtime: it does not answer his newest mail.
        telling.about(tx, ticket.id, "message.ignored", reason="answer-before-last-mail", sender=sender.address)
        return
    with _as_of(telling, answered_at):
        telling.about(tx, ticket.id, "ticket.answered", partner=ticket.partner, sender=sender.address)
        tickets.move(tx, ticket, lifecycle.SPECIALIST_ANSWER, telling, office, answered_at=answered_at)


# ---------------------------------------------------------------- commands


def obey(
    tx: Transaction, command: Command, ticket: TicketState | None, about: str, office: Office, telling: Telling, by: str
) -> str:
    """Carry out one command. Returns what was done, in a sentence. Raises TriageError with why not.

    `about` is the address of which `#partner` speaks.
    """
    if command.fault:
        raise TriageError(f"#{command.word}: {command.fault}")
    if ticket is not None:
        ticket = tickets.fresh(tx, ticket.id)
    if command.word == "partner":
        return _adopt(tx, command.value, about, ticket, office, telling, by)
    if ticket is None and command.word == "accept" and about:
        return _take_up(tx, about, office, telling, by)
    if ticket is None:
        raise TriageError(f"#{command.word}: this mail belongs to no ticket; answer in the ticket's thread")
    if command.word == "severity":
        return _correct(tx, ticket, office, telling, by, SEVERITY, command.value)
    if command.word == "deployment":
        return _correct(tx, ticket, office, telling, by, DEPLOYMENT, command.value)
    if command.word == "close":
        return _close(tx, ticket, office, telling, by)
    if command.word == "split":
        return _split(tx, ticket, office, telling, by)
    event = lifecycle.ACCEPTED if command.word == "accept" else lifecycle.STAFF_REOPENED
    return accept(tx, ticket, event, office, telling, by)


def accept(tx: Transaction, ticket: TicketState, event: str, office: Office, telling: Telling, by: str) -> str:
    """Staff overrides a refusal or an incomplete ticket, or opens it again: a person answers, the clock runs.

    It counts from the partner's last mail, as if nothing had been asked of him. Only what was answered before counts
    from now: that answer was given in its time.
    """
    lifecycle.after(ticket.state, event)
    overridden = ticket.state in (lifecycle.AWAITING, lifecycle.REFUSED, lifecycle.OPEN)
    settled = sorted(ticket.settled | {ACCEPT}) if overridden else sorted(ticket.settled)
    named = "ticket.reopened" if event == lifecycle.STAFF_REOPENED else "ticket.updated"
    telling.about(tx, ticket.id, named, partner=ticket.partner, reason=event, by=by)
    if ticket.state == lifecycle.OPEN:
        tx.tickets.change(ticket.id, settled=settled)
        return f"Ticket #{ticket.number} is open already; nothing more will be asked of the partner."
    started = ticket.last_mail_at if overridden and ticket.last_mail_at else telling.now
    running = tickets.reckoned(ticket, office, started)
    tickets.move(tx, ticket, event, telling, office, running=running, settled=settled)
    return f"Ticket #{ticket.number} is open; {_due(running.due)}"


def _correct(
    tx: Transaction, ticket: TicketState, office: Office, telling: Telling, by: str, label: str, value: str
) -> str:
    """A label was wrong: reckon anew, keep the promise on record."""
    changes: dict[str, Any] = {label: value, "settled": sorted(ticket.settled | {label})}
    types = office.rules.pack.request_type_by_id
    kind = types.get(ticket.request_type or "")
    if label == SEVERITY and not (kind and kind.severity):
        # Only incidents have a severity: the mail was taken for something else.
        changes["request_type"] = next((one.id for one in types.values() if one.severity), ticket.request_type)
    told = {key: changed for key, changed in changes.items() if key != "settled"}
    telling.about(tx, ticket.id, "ticket.updated", partner=ticket.partner, by=by, reason="corrected", **told)
    tx.tickets.change(ticket.id, **changes)
    if ticket.state != lifecycle.OPEN:
        return f"Ticket #{ticket.number}: {label} {value}. No clock runs, for it is {ticket.state}."
    running = tickets.recompute(tx, tickets.fresh(tx, ticket.id), office, telling)
    return f"Ticket #{ticket.number}: {label} {value}; {_due(running.due)}"


def _close(tx: Transaction, ticket: TicketState, office: Office, telling: Telling, by: str) -> str:
    lifecycle.after(ticket.state, lifecycle.STAFF_CLOSED)
    telling.about(tx, ticket.id, "ticket.closed", partner=ticket.partner, reason=lifecycle.STAFF_CLOSED, by=by)
    tickets.move(tx, ticket, lifecycle.STAFF_CLOSED, telling, office)
    return f"Ticket #{ticket.number} is closed."


def _split(tx: Transaction, ticket: TicketState, office: Office, telling: Telling, by: str) -> str:
    """A second ticket with the same mail, clock and promise, for another question in it."""
    if ticket.state == lifecycle.CLOSED:
        raise lifecycle.NotPossible(f"ticket {ticket.number} is closed; #reopen it first")
    row = tx.tickets.row(ticket.id) or {}
    second = tx.tickets.open(**{key: value for key, value in row.items() if key not in ("id", "number", "asked")})
    telling.about(
        tx, second.id, "ticket.opened", partner=ticket.partner, subject=ticket.subject, split_from=ticket.number,
        due=second.due, by=by, pack=office.pack_version,
    )  # fmt: skip
    telling.about(tx, ticket.id, "ticket.updated", partner=ticket.partner, reason="split", into=second.number, by=by)
    tx.clocks.add(second.id, [(alarm.kind, alarm.at, alarm.share) for alarm in tx.clocks.set_for(ticket.id)])
    promise = tx.clocks.running(ticket.id)
    if promise:
        tx.clocks.promise(
            second.id, promise.to, promise.promised_at, promise.due, guaranteed=promise.guaranteed, pack=promise.pack
        )
    return f"Ticket #{ticket.number} is split: the other question is ticket #{second.number}."


def _adopt(
    tx: Transaction, partner: str, about: str, ticket: TicketState | None, office: Office, telling: Telling, by: str
) -> str:
    """Staff says that an address belongs to a partner: its ticket becomes that partner's, what it wrote and was
    refused is handled again."""
    names = {name.lower(): name for name in office.directory.partners()}
    exact = names.get(partner.lower())
    if exact is None:
        raise TriageError(f"#partner: {partner!r} is not in the partner file")
    if not about:
        raise TriageError("#partner: no sender to be seen; forward his mail, or answer in its thread")
    tx.people.note(directory.untagged(about), partner=exact)
    telling.event("sender.adopted", sender=about, partner=exact, by=by)
    said = f"{about} belongs to {exact} from now on.{_taken_up(_recall(tx, about, office, telling.now))}"
    if ticket is None or ticket.requester != about or ticket.partner == exact:
        return said
    contacts = office.directory.of_partner(exact)
    plans = [one.deployment for one in contacts if one.address == about] or [one.deployment for one in contacts]
    deployment = ticket.deployment if ticket.deployment in plans else plans[0]
    telling.about(
        tx, ticket.id, "ticket.updated", partner=exact, reason="corrected", was=ticket.partner, deployment=deployment,
        by=by,
    )  # fmt: skip
    tx.tickets.change(ticket.id, partner=exact, deployment=deployment, settled=sorted(ticket.settled | {PARTNER}))
    if ticket.state == lifecycle.OPEN:
        running = tickets.recompute(tx, tickets.fresh(tx, ticket.id), office, telling)
        return f"{said} Ticket #{ticket.number} is {exact}'s; {_due(running.due)}"
    return f"{said} Ticket #{ticket.number} is {exact}'s."


def _take_up(tx: Transaction, about: str, office: Office, telling: Telling, by: str) -> str:
    """Staff accepts what somebody wrote who is known by now, but was a stranger then."""
    known = office.directory.contacts(about) or tx.people.get(directory.untagged(about)).get("partner")
    if not known:
        raise TriageError(f"#accept: {about} belongs to no partner; write #partner NAME")
    number = _recall(tx, about, office, telling.now)
    if not number:
        raise TriageError(f"#accept: nothing that {about} wrote was refused of late")
    telling.event("sender.recalled", sender=about, mails=number, by=by)
    return f"{about} is known.{_taken_up(number)}"


def _recall(tx: Transaction, address: str, office: Office, now: datetime) -> int:
    """What this address wrote and was refused is to be handled again. Returns how many mails.

    As far back as a stranger is not told again to ask his partner: what is older was settled otherwise.
    """
    since = now - timedelta(days=office.rules.pack.policy.stranger_pause_days)
    senders = sorted({address, directory.untagged(address)})
    refused = tx.mails.without_ticket(senders, "refused", since, _MOST_RECALLED)
    for mail in refused:
        tx.meta.put(f"{RECALL}{mail.id}", mail.mailbox)
    return len(refused)


def _taken_up(number: int) -> str:
    """What is told of refused mail that was marked."""
    if not number:
        return ""
    what = "The mail that was refused is" if number == 1 else f"The {number} mails that were refused are"
    return f" {what} handled now, with the time at which it came in."


def _due(at: datetime) -> str:
    return f"an answer is due {at:%Y-%m-%d %H:%M} UTC."


def _obey(
    tx: Transaction,
    email: Email,
    orders: tuple[Command, ...],
    sender: Sender,
    ticket: TicketState | None,
    office: Office,
    telling: Telling,
    *,
    answers: bool,
) -> None:
    """Carry out the commands of a mail and answer what was done. `answers`: below them the partner is answered, which
    comes after what is corrected, and before the ticket is closed."""
    if sender.verified != authenticity.PROVEN:
        telling.event("command.refused", sender=sender.address, reason="sender-not-verified")
        orders = ()
    about = _of_whom(tx, email, ticket, office)
    done = []
    for order in (*orders, None):
        if answers and ticket is not None and (order is None or order.word == "close"):
            answers = False
            answer(tx, tickets.fresh(tx, ticket.id), email, sender, office, telling)
        if order is None:
            break
        part = telling.part()
        try:
            with tx.savepoint():
                done.append(obey(tx, order, ticket, about, office, part, sender.address))
        except TriageError as error:
            done.append(str(error))
        else:
            telling.add(part)
    if not orders:
        return
    facts = Facts(subject=threads.bare_subject(email.subject), extra={"done": done})
    reply = write(office.rules, "staff_command", office.rules.pack.manifest.languages[:1], sender.address, facts)
    office.queue(
        tx, reply, telling.now, seed=email.fingerprint, answers=email,
        ticket=ticket.id if ticket else None, numbers=(ticket.number,) if ticket else (),
    )  # fmt: skip


# ---------------------------------------------------------------- what a mail is about


def _ticket(tx: Transaction, email: Email, office: Office) -> TicketState | None:
    """The ticket of a specialist's mail: by its thread, of several the one whose partner it reaches.

    In a new thread: the only unfinished one that a recipient opened under this subject. Any other mail to a partner
    is about something else, and must not stop a clock.
    """
    found = list(gather.tickets(tx, email, office))
    if found:
        reached = [one for one in found if one.state != lifecycle.CLOSED and _reaches_partner(email, one, office)]
        first = (reached or found)[0]
        return gather.named(tx, email, first, [first.partner])
    subject = threads.bare_subject(email.subject).lower()
    for address in (*email.to, *email.cc):
        if not subject or directory.listed(address.address, (*office.staff, *office.desk.addresses)):
            continue
        opened = tx.tickets.of_requester(address.address, _UNFINISHED)
        same = [one for one in opened if one.subject.lower() == subject]
        if len(same) == 1:
            return same[0]
    return None


def _reaches_partner(email: Email, ticket: TicketState, office: Office) -> bool:
    """Whether the partner is among the recipients; mail between specialists answers nobody."""
    recipients = [one.address for one in (*email.to, *email.cc)]
    if ticket.requester in recipients or directory.untagged(ticket.requester) in recipients:
        return True
    return any(
        contact.partner == ticket.partner for address in recipients for contact in office.directory.contacts(address)
    )


def _of_whom(tx: Transaction, email: Email, ticket: TicketState | None, office: Office) -> str:
    """Of whom a command speaks: who wrote a mail in this thread, opened its ticket, or wrote what is forwarded."""
    ours = (*office.staff, *office.desk.addresses)
    for known in tx.mails.by_message_ids(threads.references(email)):
        if known.sender and not directory.listed(known.sender, ours):
            return known.sender
    if ticket:
        return ticket.requester
    for text in (email.text, *email.forwarded):
        for found in _ADDRESS.findall(text[:_LONGEST]):
            address = str(found).lower()
            if not directory.listed(address, ours):
                return address
    return ""


@contextmanager
def _as_of(telling: Telling, at: datetime) -> Iterator[None]:
    """Tell events as of another time, such as that of an answer which is read late."""
    now, telling.now = telling.now, at
    try:
        yield
    finally:
        telling.now = now
