"""A round over what is due: warnings, breaches, reminders, tickets to be closed; and the mails that tell staff.

The truth is the database: what is due is a query with `now`, so that a stop of days or a jump of the system clock
changes nothing but when we look. Staff hears only in working time, in one mail instead of many.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.adapters.db.clocks import Alarm
from triage.adapters.db.leases import Lease
from triage.adapters.db.store import Store, Transaction
from triage.adapters.db.tickets import number
from triage.core import lifecycle
from triage.core.hours import WorkingTime
from triage.core.model import TicketState
from triage.core.replies import Facts, write
from triage.steps import tickets
from triage.steps.office import Office
from triage.steps.telling import Telling

_AT_ONCE = 200  # alarms of one transaction
_BETWEEN_DIGESTS = timedelta(minutes=15)
_LAST_NOTICE, _LAST_MORNING = "notices:last", "morning:last"


class Clockwatch:
    """Looks what is due."""

    def __init__(
        self,
        store: Store,
        office: Office,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        self._store, self._office, self._now, self._lease, self._fault = store, office, now, lease, fault

    def round(self) -> int:
        """Do all that is due. Returns how many alarms went off."""
        done = 0
        while True:
            now = self._now()
            with self._store.look() as tx:
                first = tx.clocks.next_at()
            if first is None or first > now:
                break
            telling = Telling(now)
            with self._store.begin(self._lease()) as tx:
                due = tx.clocks.due(now, _AT_ONCE)
                for alarm in due:
                    self._ring(tx, alarm, telling)
                self._fault("rung")
            telling.say()
            done += len(due)
            if not due:
                break  # others have them in hand
        self._tell_staff()
        return done

    def _ring(self, tx: Transaction, alarm: Alarm, telling: Telling) -> None:
        tx.clocks.drop([alarm.id])
        ticket = tx.tickets.get(alarm.ticket)
        if ticket is None:
            return
        if alarm.kind == tickets.WARNING and ticket.state == lifecycle.OPEN:
            if ticket.due and ticket.due <= telling.now:
                return  # after a standstill: the breach says it all
            telling.about(tx, ticket.id, "clock.warning", partner=ticket.partner, due=ticket.due, share=alarm.share)
            tx.notices.add(telling.now, "warning", ticket.id, {"share": alarm.share})
        elif alarm.kind == tickets.BREACH and ticket.state == lifecycle.OPEN:
            self._breach(tx, ticket, telling)
        elif alarm.kind == tickets.REMIND and ticket.state == lifecycle.AWAITING:
            self._write_to_partner(tx, ticket, "reminder", telling)
            telling.about(tx, ticket.id, "ticket.reminded", partner=ticket.partner)
        elif alarm.kind == tickets.CLOSE and ticket.state in (lifecycle.AWAITING, lifecycle.ANSWERED):
            self._close(tx, ticket, telling)

    def _breach(self, tx: Transaction, ticket: TicketState, telling: Telling) -> None:
        promise = tx.clocks.running(ticket.id)
        if promise:
            tx.clocks.breach(promise.id, telling.now)
        due = promise.due if promise else ticket.due
        telling.about(tx, ticket.id, "clock.breached", partner=ticket.partner, due=due)
        tx.notices.add(telling.now, "breach", ticket.id, {})

    def _close(self, tx: Transaction, ticket: TicketState, telling: Telling) -> None:
        waiting = ticket.state == lifecycle.AWAITING
        event = lifecycle.GAVE_UP if waiting else lifecycle.EXPIRED
        tickets.move(tx, ticket, event, telling, self._office)
        telling.about(tx, ticket.id, "ticket.closed", partner=ticket.partner, reason=event)
        if waiting:
            self._write_to_partner(tx, ticket, "closed_waiting", telling)

    def _write_to_partner(self, tx: Transaction, ticket: TicketState, template: str, telling: Telling) -> None:
        """A mail about a ticket that answers none."""
        office = self._office
        if not office.desk.addresses:
            return
        row = tx.tickets.row(ticket.id) or {}
        languages = [ticket.language] if ticket.language else office.rules.pack.manifest.languages
        facts = Facts(subject=ticket.subject, zone=row.get("timezone", ""), service=ticket.service,
                      request_type=ticket.request_type, deployment=ticket.deployment)  # fmt: skip
        reply = write(office.rules, template, languages, row["requester"], facts)
        seed = f"{template} {telling.now.isoformat()}"
        message_id = office.queue(tx, reply, telling.now, seed=seed, ticket=ticket.id, numbers=(ticket.number,))
        telling.about(
            tx, ticket.id, "reply.queued", partner=ticket.partner, to=reply.to, reply=message_id, template=template
        )

    # ---------------------------------------------------------------- staff

    def _tell_staff(self) -> None:
        """One mail with all that waits to be told, in working time, not too often; and the morning's overview."""
        office, now = self._office, self._now()
        if not office.notify or not office.desk.addresses:
            return
        policy = office.rules.pack.policy
        working = office.rules.calendar(policy.calendar)
        with self._store.look() as tx:
            waits, last, morning = tx.notices.any(), tx.meta.get(_LAST_NOTICE), tx.meta.get(_LAST_MORNING)
        overview = self._morning(working, now, morning)
        notices = (
            waits
            and working.is_open(now)
            and (last is None or abs(now - datetime.fromisoformat(last)) >= _BETWEEN_DIGESTS)
        )
        if not overview and not notices:
            return
        with self._store.begin(self._lease()) as tx:
            if overview:
                self._write_to_staff(tx, "staff_morning", _overview(tx, now), now)
                tx.meta.put(_LAST_MORNING, overview)
            if notices:
                self._write_to_staff(tx, "staff_notices", {"notices": _rows(tx)}, now)
                tx.meta.put(_LAST_NOTICE, now.isoformat())

    def _morning(self, working: WorkingTime, now: datetime, last: str | None) -> str:
        """Today's local date when the overview is due and was not sent, "" otherwise."""
        local = now.astimezone(working.zone)
        today = local.date().isoformat()
        due = local.strftime("%H:%M") >= self._office.rules.pack.policy.digest_at
        return today if due and last != today and working.is_working_day(local.date()) else ""

    def _write_to_staff(self, tx: Transaction, template: str, extra: dict[str, Any], now: datetime) -> None:
        office = self._office
        languages = office.rules.pack.manifest.languages[:1]
        for address in office.notify:
            reply = write(office.rules, template, languages, address, Facts(extra=extra))
            office.queue(tx, reply, now, seed=f"{template} {address} {now.isoformat()}")


def _rows(tx: Transaction) -> list[dict[str, Any]]:
    """What waits to be told, with the tickets it is about."""
    rows = []
    for notice in tx.notices.take():
        row = (tx.tickets.row(notice.ticket) if notice.ticket else None) or {}
        rows.append(
            {
                "kind": notice.kind,
                "at": notice.at,
                "number": number(notice.ticket) if notice.ticket else "",
                "partner": row.get("partner", ""),
                "subject": row.get("subject", "") or notice.keys.get("subject", ""),
                "severity": row.get("severity"),
                "due": row.get("due_at"),
                "to": "",
                "reason": "",
                **{key: value for key, value in notice.keys.items() if key not in ("subject",)},
            }
        )
    return rows


def _overview(tx: Transaction, now: datetime) -> dict[str, Any]:
    """What is open, due today, overdue, waiting: the morning's numbers and lists."""
    running = tx.tickets.select(states=[lifecycle.OPEN], limit=500)
    waiting = tx.tickets.select(states=[lifecycle.AWAITING], limit=500)
    today = [row for row in running if row["due_at"] and now <= row["due_at"] < now + timedelta(hours=24)]
    overdue = [row for row in running if row["due_at"] and row["due_at"] < now]
    return {"open": running, "today": today, "overdue": overdue, "waiting": waiting}
