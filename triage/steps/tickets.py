"""What happens to tickets: opened, changed, their clocks started and stopped. All within one transaction.

A promise is what a partner was told; the due time is what the rules give now. Mostly they are the same. When staff
corrects a ticket they part: the due time is reckoned anew, the promise stays, and a breach is measured against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from triage.adapters.db.clocks import Alarm
from triage.adapters.db.store import Transaction
from triage.adapters.db.tickets import number
from triage.core import clock, lifecycle
from triage.core.model import Clock, TicketState
from triage.steps.office import Office
from triage.steps.telling import Telling

WARNING, BREACH, REMIND, CLOSE = "warning", "breach", "remind", "close"  # kinds of alarms
Entry = tuple[str, datetime, float | None]  # an alarm to be set: kind, time, share of the response time


def move(
    tx: Transaction,
    ticket: TicketState,
    event: str,
    telling: Telling,
    office: Office,
    *,
    running: Clock | None = None,
    promised_to: str | None = None,
    **changes: Any,
) -> str:
    """An event of the ticket's life: the new state, its clock and alarms, the story. Returns the state.

    `running` is the clock that an open ticket has from now on, in the place of the one before; with `promised_to`,
    that address is told the due time, which is a promise. Raises lifecycle.NotPossible.
    """
    state = lifecycle.after(ticket.state, event)
    if state == ticket.state == lifecycle.OPEN and running is None:
        tx.tickets.change(ticket.id, **changes)
        return state
    until = running.started if running else telling.now
    pending = tx.clocks.clear(ticket.id)
    if ticket.due is not None:
        _late(tx, ticket, pending, until, telling)
        if state != lifecycle.OPEN:
            _stop(tx, ticket, event, telling)
    if state == lifecycle.CLOSED:
        changes.setdefault("closed_at", telling.now)
    elif ticket.state == lifecycle.CLOSED:
        changes["closed_at"] = None
    if running and state == lifecycle.OPEN:
        changes |= clock_columns(running)
    elif state != lifecycle.OPEN:
        changes |= {"due_at": None, "guaranteed": None}
    tx.tickets.change(ticket.id, state=state, **changes)
    if running and state == lifecycle.OPEN:
        if ticket.due is not None:
            tx.clocks.end(ticket.id, "replaced", telling.now)
        start_clock(tx, ticket.id, ticket.partner, running, telling, office, promised_to=promised_to)
    else:
        tx.clocks.add(ticket.id, waits(office, state, telling.now))
    return state


def waits(office: Office, state: str, now: datetime) -> list[Entry]:
    """What is to happen to a ticket that stays in this state: reminder and close, in working days."""
    policy = office.rules.pack.policy
    days = office.rules.calendar(policy.calendar)
    if state == lifecycle.AWAITING:
        return [
            (REMIND, days.add_days(now, policy.remind_after_days), None),
            (CLOSE, days.add_days(now, policy.close_waiting_after_days), None),
        ]
    if state == lifecycle.ANSWERED:
        return [(CLOSE, days.add_days(now, policy.close_answered_after_days), None)]
    if state == lifecycle.REFUSED:
        return [(CLOSE, days.add_days(now, policy.close_refused_after_days), None)]
    return []


def clock_columns(running: Clock) -> dict[str, Any]:
    """What a ticket's row says of its clock."""
    return {
        "clock_started_at": running.started,
        "due_at": running.due,
        "hours": running.hours,
        "guaranteed": running.guaranteed,
        "clock_reason": running.reason,
        "calendar": running.calendar,
    }


def start_clock(
    tx: Transaction,
    ticket: int,
    partner: str,
    running: Clock,
    telling: Telling,
    office: Office,
    *,
    promised_to: str | None,
) -> None:
    """The response clock runs, for a ticket that has no alarm and no promise. Its row has the clock already."""
    if promised_to:
        tx.clocks.promise(
            ticket, promised_to, telling.now, running.due, guaranteed=running.guaranteed, pack=office.pack_version
        )
    shares = [share for share, _ in clock.warnings(office.rules, running, running.due)]
    tx.clocks.add(ticket, _alarms(office, running, running.due, shares, telling.now))
    _tell_start(tx, ticket, partner, running, telling, office)


def reckoned(ticket: TicketState, office: Office, started: datetime) -> Clock:
    """The clock that a ticket has by its labels, when it starts at this time."""
    return clock.start(
        office.rules,
        started,
        ticket.deployment,
        ticket.severity,
        request_type=ticket.request_type,
        service=ticket.service,
        out_of_scope=ticket.out_of_scope,
    )


def recompute(tx: Transaction, ticket: TicketState, office: Office, telling: Telling) -> Clock:
    """Reckon an open ticket's due time anew. What was promised stays, and a breach is measured against it.

    Staff is not warned again of what it was warned of, and no breach is told twice.
    """
    started = ticket.clock_started or ticket.last_mail_at or telling.now
    running = reckoned(ticket, office, started)
    pending = tx.clocks.clear(ticket.id)
    promise = tx.clocks.running(ticket.id)
    breach = promise.due if promise else running.due
    if ticket.due is None:
        shares = list(office.rules.pack.policy.warn_at)
    else:
        shares = [alarm.share for alarm in pending if alarm.kind == WARNING and alarm.share is not None]
    entries = _alarms(office, running, breach, shares, telling.now)
    if ticket.due is not None and not any(alarm.kind == BREACH for alarm in pending):
        entries = []  # told already
    tx.clocks.add(ticket.id, entries)
    tx.tickets.change(ticket.id, **clock_columns(running))
    _tell_start(tx, ticket.id, ticket.partner, running, telling, office, promised=promise.due if promise else None)
    return running


def record_breach(tx: Transaction, late: Sequence[TicketState], telling: Telling) -> None:
    """Nobody answered in the time that was promised."""
    promised = tx.clocks.running_of([ticket.id for ticket in late])
    tx.clocks.breach([one.id for one in promised.values()], telling.now)
    for ticket in late:
        promise = promised.get(ticket.id)
        due = promise.due if promise else ticket.due
        guaranteed = promise.guaranteed if promise else ticket.guaranteed
        telling.about(tx, ticket.id, "clock.breached", partner=ticket.partner, due=due, guaranteed=guaranteed)
        tx.notices.add(telling.now, BREACH, ticket.id, {"due": due.isoformat() if due else ""})


def fresh(tx: Transaction, ticket: int) -> TicketState:
    """The ticket as it is now."""
    state = tx.tickets.get(ticket)
    if state is None:
        raise lifecycle.NotPossible(f"there is no ticket {number(ticket)}")
    return state


# ---------------------------------------------------------------- parts


def _late(tx: Transaction, ticket: TicketState, pending: Sequence[Alarm], until: datetime, telling: Telling) -> None:
    """A breach that nobody saw happen, as while the daemon was down."""
    if any(alarm.kind == BREACH and alarm.at < until for alarm in pending):
        record_breach(tx, [ticket], telling)


def _stop(tx: Transaction, ticket: TicketState, event: str, telling: Telling) -> None:
    """No clock runs any more; the promise is kept, broken, or withdrawn because nobody is to answer now."""
    promise = tx.clocks.running(ticket.id)
    due = promise.due if promise else ticket.due
    in_time = due is not None and telling.now <= due
    if event == lifecycle.SPECIALIST_ANSWER:
        how = "kept" if in_time else "broken"
        if in_time:
            tx.notices.drop(ticket.id, BREACH)  # told by the clock while the answer was under way to us
    else:
        how = "withdrawn"
    if promise:
        tx.clocks.end(ticket.id, how, telling.now)
    telling.about(tx, ticket.id, "clock.stopped", partner=ticket.partner, due=due, reason=event,
                  promise=how if promise else None)  # fmt: skip


def _alarms(office: Office, running: Clock, breach: datetime, shares: Sequence[float], now: datetime) -> list[Entry]:
    """Warnings at these shares of the time until the nearer of due time and promise, and the breach.

    Of several warnings whose time is over only the last is told; none when the breach says it all.
    """
    warnings = [
        (WARNING, at, share)
        for share, at in clock.warnings(office.rules, running, min(breach, running.due))
        if share in shares
    ]
    past = [entry for entry in warnings if entry[1] <= now]
    if breach <= now:
        warnings = []
    elif past:
        warnings = [past[-1], *warnings[len(past) :]]
    return [*warnings, (BREACH, breach, None)]


def _tell_start(
    tx: Transaction,
    ticket: int,
    partner: str,
    running: Clock,
    telling: Telling,
    office: Office,
    promised: datetime | None = None,
) -> None:
    telling.about(
        tx,
        ticket,
        "clock.started",
        partner=partner,
        due=running.due,
        counted_from=running.counted_from,
        hours=running.hours,
        guaranteed=running.guaranteed,
        reason=running.reason or None,
        promised=promised if promised != running.due else None,
        rule=running.rule,
        pack=office.pack_version,
    )
