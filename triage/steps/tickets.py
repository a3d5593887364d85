"""What happens to tickets: opened, changed, their clocks started and stopped. All within one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from triage.adapters.db.store import Transaction
from triage.adapters.db.tickets import number
from triage.core import clock, lifecycle
from triage.core.model import Clock, TicketState
from triage.steps.office import Office
from triage.steps.telling import Telling

WARNING, BREACH, REMIND, CLOSE = "warning", "breach", "remind", "close"  # kinds of alarms


def move(tx: Transaction, ticket: TicketState, event: str, telling: Telling, office: Office, **changes: Any) -> str:
    """An event of the ticket's life: the new state, the alarms that it brings, the story. Returns the state.

    Raises lifecycle.NotPossible. A clock that the event starts is set by `start_clock` afterwards.
    """
    state = lifecycle.after(ticket.state, event)
    if state != lifecycle.OPEN:
        stop_clock(tx, ticket, telling, reason=event)
        changes.update(due_at=None, guaranteed=None)
    if state == lifecycle.CLOSED:
        changes.setdefault("closed_at", telling.now)
    elif ticket.state == lifecycle.CLOSED:
        changes.update(closed_at=None)
    tx.tickets.change(ticket.id, state=state, **changes)
    tx.clocks.set(ticket.id, alarms(office, state, telling.now))
    return state


def alarms(office: Office, state: str, now: datetime) -> list[tuple[str, datetime, float | None]]:
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
    return []


def start_clock(
    tx: Transaction,
    ticket: int,
    running: Clock,
    telling: Telling,
    office: Office,
    *,
    partner: str,
    promised_to: str | None,
) -> None:
    """The response clock runs. With `promised_to`, that address is told the due time, which is a promise."""
    tx.tickets.change(
        ticket,
        clock_started_at=running.started,
        due_at=running.due,
        hours=running.hours,
        guaranteed=running.guaranteed,
        clock_reason=running.reason,
        calendar=running.calendar,
    )
    if promised_to:
        tx.clocks.promise(
            ticket=ticket,
            to_address=promised_to,
            promised_at=telling.now,
            due_at=running.due,
            guaranteed=running.guaranteed,
            pack=office.pack_version,
        )
    promise = tx.clocks.running(ticket)
    breach = promise.due if promise else running.due
    warnings = [(WARNING, at, share) for share, at in clock.warnings(office.rules, running) if at < breach]
    tx.clocks.set(ticket, [*warnings, (BREACH, breach, None)])
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
        pack=office.pack_version,
    )


def stop_clock(tx: Transaction, ticket: TicketState, telling: Telling, *, reason: str) -> None:
    """No clock runs any more; the promise is kept, broken, or withdrawn because the partner is asked for more."""
    tx.clocks.clear(ticket.id)
    if ticket.due is None:
        return
    promise = tx.clocks.running(ticket.id)
    if promise:
        answered = reason == lifecycle.SPECIALIST_ANSWER
        at = telling.now
        tx.clocks.end(ticket.id, ("kept" if at <= promise.due else "broken") if answered else "withdrawn", at)
    telling.about(tx, ticket.id, "clock.stopped", partner=ticket.partner, due=ticket.due, reason=reason)


def recompute(
    tx: Transaction, ticket: TicketState, office: Office, telling: Telling, *, started: datetime, scope: str | None
) -> Clock:
    """Severity or deployment was corrected: the due time is reckoned anew, the old promise stays on record."""
    running = clock.start(
        office.rules,
        started,
        ticket.deployment,
        ticket.severity,
        request_type=ticket.request_type,
        service=ticket.service,
        out_of_scope=scope,
    )
    start_clock(tx, ticket.id, running, telling, office, partner=ticket.partner, promised_to=None)
    return running


def fresh(tx: Transaction, ticket: int) -> TicketState:
    """The ticket as it is now."""
    state = tx.tickets.get(ticket)
    if state is None:
        raise lifecycle.NotPossible(f"there is no ticket {number(ticket)}")
    return state
