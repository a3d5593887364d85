"""A round over what is due: warnings, breaches, reminders, tickets to be closed; and the mails that tell staff.

The truth is the database: what is due is a query with `now`, so that a stop of days or a jump of the system clock
changes nothing but when we look. Staff hears only in working time, in one mail instead of many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from triage.adapters.db.clocks import Alarm
from triage.adapters.db.leases import Lease
from triage.adapters.db.people import Notice
from triage.adapters.db.store import Store, Transaction
from triage.adapters.db.tickets import number
from triage.core import directory, lifecycle
from triage.core.hours import WorkingTime
from triage.core.model import TicketState
from triage.core.replies import Facts, write
from triage.steps import tickets
from triage.steps.office import Office
from triage.steps.telling import Telling

_AT_ONCE = 250  # alarms of one transaction
_BETWEEN_DIGESTS = timedelta(minutes=15)
_LAST_NOTICE, _LAST_MORNING = "notices:last", "morning:last"
_URGENT = (tickets.WARNING, tickets.BREACH)  # what is told at night as well, where the clock runs then
_LONGEST_LIST = 200  # lines of one list in a mail to staff
_AGE = (lifecycle.AWAITING, lifecycle.ANSWERED, lifecycle.REFUSED)  # tickets that are closed when nobody writes
_ASKS = ("incomplete", "several")  # replies after which a ticket waits for its partner


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
                self._ring(tx, due, telling)
                self._fault("rung")
            telling.say()
            done += len(due)
            if len(due) < _AT_ONCE:
                break  # others have the rest in hand: it is met in the next round
        self._tell_staff()
        return done

    # ---------------------------------------------------------------- alarms

    def _ring(self, tx: Transaction, due: Sequence[tuple[Alarm, TicketState]], telling: Telling) -> None:
        """Alarms go off, each once. Of several of one ticket, as after a standstill, only the gravest is heard."""
        last = _last(tx.clocks.late([alarm.ticket for alarm, _ in due], telling.now))
        tx.clocks.drop([alarm.id for alarm, _ in due])
        breached: list[TicketState] = []
        for alarm, ticket in due:
            heard = last[alarm.ticket] == alarm.id
            if alarm.kind == tickets.BREACH and ticket.state == lifecycle.OPEN:
                breached.append(ticket)
            elif alarm.kind == tickets.WARNING and ticket.state == lifecycle.OPEN and heard:
                self._warn(tx, ticket, alarm, telling)
            elif alarm.kind == tickets.REMIND and ticket.state == lifecycle.AWAITING and heard:
                self._write_to_partner(tx, ticket, "reminder", telling)
                telling.about(tx, ticket.id, "ticket.reminded", partner=ticket.partner)
            elif alarm.kind == tickets.CLOSE and ticket.state in _AGE:
                self._close(tx, ticket, telling)
        if breached:
            tickets.record_breach(tx, breached, telling)

    def _warn(self, tx: Transaction, ticket: TicketState, alarm: Alarm, telling: Telling) -> None:
        telling.about(tx, ticket.id, "clock.warning", partner=ticket.partner, due=ticket.due, share=alarm.share)
        tx.notices.add(telling.now, tickets.WARNING, ticket.id, {"share": alarm.share})

    def _close(self, tx: Transaction, ticket: TicketState, telling: Telling) -> None:
        waiting = ticket.state == lifecycle.AWAITING
        event = lifecycle.GAVE_UP if waiting else lifecycle.EXPIRED
        telling.about(tx, ticket.id, "ticket.closed", partner=ticket.partner, reason=event)
        tickets.move(tx, ticket, event, telling, self._office)
        if waiting:
            self._write_to_partner(tx, ticket, "closed_waiting", telling)

    def _write_to_partner(self, tx: Transaction, ticket: TicketState, template: str, telling: Telling) -> None:
        """A mail about a ticket that answers none, to whom we asked: of several technicians the one who wrote last."""
        office = self._office
        if not office.desk.addresses:
            return
        to = tx.outbox.asked(ticket.id, _ASKS) or ticket.requester
        if not directory.writable(to):
            return
        languages = [ticket.language] if ticket.language else office.rules.pack.manifest.languages
        facts = Facts(subject=ticket.subject, zone=ticket.timezone, service=ticket.service,
                      request_type=ticket.request_type, deployment=ticket.deployment)  # fmt: skip
        reply = write(office.rules, template, languages, to, facts)
        # One reminder and one closing for each mail of the partner's, however often this is tried.
        seed = f"{template} {ticket.number} {ticket.last_mail_at}"
        message_id = office.queue(tx, reply, telling.now, seed=seed, ticket=ticket.id, numbers=(ticket.number,))
        telling.about(
            tx, ticket.id, "reply.queued", partner=ticket.partner, to=reply.to, reply=message_id, template=template
        )

    # ---------------------------------------------------------------- staff

    def _tell_staff(self) -> None:
        """One mail with all that waits to be told, in working time, not too often; and the morning's overview.

        Outside it, where somebody answers round the clock, only of clocks that run then.
        """
        office, now = self._office, self._now()
        policy = office.rules.pack.policy
        working = office.rules.calendar(policy.calendar)
        if not office.notify or not office.desk.addresses:
            return
        day = working.is_open(now)
        with self._store.look() as tx:
            waits, last, morning = tx.notices.any(), tx.meta.get(_LAST_NOTICE), tx.meta.get(_LAST_MORNING)
            awake = self._awake(tx, now) if waits and not day else None
        overview = self._morning(working, now, morning) if day else ""
        waits = waits if day else bool(awake)
        # A difference both ways: the system clock may have been set back.
        notices = waits and (last is None or abs(now - datetime.fromisoformat(last)) >= _BETWEEN_DIGESTS)
        if not overview and not notices:
            return
        with self._store.begin(self._lease()) as tx:
            if overview:
                self._write_to_staff(tx, "staff_morning", _overview(tx, working, now), now)
                tx.meta.put(_LAST_MORNING, overview)
            if notices:
                rows = _rows(tx, awake)
                if rows:
                    self._write_to_staff(tx, "staff_notices", {"notices": rows}, now)
                tx.meta.put(_LAST_NOTICE, now.isoformat())

    def _awake(self, tx: Transaction, now: datetime) -> list[str]:
        """Calendars that are open now, of clocks that staff is to be warned of."""
        known = self._office.rules.working
        return [one for one in tx.notices.calendars(_URGENT) if one in known and known[one].is_open(now)]

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


def _last(late: Sequence[Alarm]) -> dict[int, int]:
    """By ticket the alarm that says it all: the last in time."""
    return {alarm.ticket: alarm.id for alarm in sorted(late, key=lambda alarm: (alarm.at, alarm.id))}


def _rows(tx: Transaction, awake: list[str] | None = None) -> list[dict[str, Any]]:
    """What waits to be told and still holds, a line for each matter, with the tickets it is about.

    With calendars that are `awake`: only of the clocks that they count.
    """
    notices = tx.notices.take(_URGENT, awake)
    about = tx.tickets.rows(one.ticket for one in notices if one.ticket)
    breached = {one.ticket for one in notices if one.kind == tickets.BREACH}
    told: dict[tuple[str, int | None, str], Notice] = {}
    for notice in notices:
        row = about.get(notice.ticket or 0, {})
        over = notice.ticket in breached or row.get("state") != lifecycle.OPEN
        if notice.kind != tickets.WARNING or not over:
            alike = "" if notice.ticket else str(notice.id)
            told[(notice.kind, notice.ticket, alike)] = notice
    lines = [_row(notice, about.get(notice.ticket or 0, {})) for notice in told.values()]
    if len(lines) > _LONGEST_LIST:
        kept = lines[:_LONGEST_LIST]
        kept.append({**_EMPTY_ROW, "kind": f"and {len(lines) - len(kept)} more: see `triage tickets`"})
        return kept
    return lines


_EMPTY_ROW: dict[str, Any] = {
    "kind": "", "at": None, "number": "", "partner": "", "subject": "", "severity": None, "due": None, "to": "",
    "reason": "", "domain": "", "mail": None,
}  # fmt: skip


def _row(notice: Notice, ticket: dict[str, Any]) -> dict[str, Any]:
    keys = dict(notice.keys)
    due = keys.pop("due", None)
    return {
        **_EMPTY_ROW,
        "kind": notice.kind,
        "at": notice.at,
        "number": number(notice.ticket) if notice.ticket else "",
        "partner": ticket.get("partner", ""),
        "subject": ticket.get("subject", ""),
        "severity": ticket.get("severity"),
        "due": datetime.fromisoformat(due) if due else ticket.get("due_at"),
        **keys,
    }


def _overview(tx: Transaction, working: WorkingTime, now: datetime) -> dict[str, Any]:
    """What is open, due today, overdue, waiting too long: the morning's numbers, and the first of each list."""
    open_ = [lifecycle.OPEN]
    midnight = datetime.combine(now.astimezone(working.zone).date() + timedelta(days=1), time(), working.zone)
    waiting, longest = tx.tickets.waiting_long(lifecycle.AWAITING, tickets.REMIND, _LONGEST_LIST)
    return {
        "open": tx.tickets.select(states=open_, limit=_LONGEST_LIST),
        "today": tx.tickets.select(states=open_, due_from=now, due_before=midnight, limit=_LONGEST_LIST),
        "overdue": tx.tickets.select(states=open_, due_before=now, limit=_LONGEST_LIST),
        "waiting": longest,
        "counts": {
            "open": tx.tickets.count(states=open_),
            "today": tx.tickets.count(states=open_, due_from=now, due_before=midnight),
            "overdue": tx.tickets.count(states=open_, due_before=now),
            "awaiting": tx.tickets.count(states=[lifecycle.AWAITING]),
            "waiting": waiting,
        },
    }
