"""Tickets, the Message-IDs that lead to them, and their story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, select, update

from triage.adapters.db.pending import Pending
from triage.adapters.db.tables import alarms, message_ids, story, tickets
from triage.core.model import TicketState

FIRST_NUMBER = 1000  # the number of a ticket is its id above this: no partner is told that he is the first
_AT_ONCE = 500  # ids in one question


def number(ticket: int) -> str:
    """A ticket's number as partners see it."""
    return str(FIRST_NUMBER + ticket)


def id_of(ticket_number: str) -> int | None:
    """The id behind a number; None when it is none."""
    digits = ticket_number.strip().lstrip("#")
    return int(digits) - FIRST_NUMBER if digits.isascii() and digits.isdigit() and len(digits) < 13 else None


@dataclass(frozen=True, slots=True)
class Line:
    """One event in a ticket's story."""

    at: datetime
    event: str
    keys: dict[str, Any]


class Tickets:
    """Queries about tickets within one transaction.

    In a writing transaction every ticket that is read is locked, so that nobody decides by a state that somebody else
    is about to change (SQLite has one writer anyway).
    """

    def __init__(self, connection: Connection, pending: Pending, *, lock: bool) -> None:
        self._connection, self._pending, self._lock = connection, pending, lock

    def get(self, ticket: int) -> TicketState | None:
        row = self._connection.execute(self._locked(select(tickets).where(tickets.c.id == ticket))).first()
        return state_of(row) if row else None

    def known(self, ids: Iterable[int]) -> set[int]:
        """Those of these tickets that there are (still). Locks nothing."""
        wanted = sorted(set(ids))
        return set(self._connection.execute(select(tickets.c.id).where(tickets.c.id.in_(wanted))).scalars())

    def row(self, ticket: int) -> dict[str, Any] | None:
        """Everything that is stored of a ticket, for `show`."""
        return self.rows([ticket]).get(ticket)

    def rows(self, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Everything that is stored of these tickets."""
        found: dict[int, dict[str, Any]] = {}
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), _AT_ONCE):
            query = select(tickets).where(tickets.c.id.in_(wanted[start : start + _AT_ONCE]))
            found |= {row.id: _whole(row) for row in self._connection.execute(query)}
        return found

    def by_numbers(self, numbers: Sequence[str]) -> list[TicketState]:
        """Tickets with these numbers, in their order."""
        ids = [one for one in (id_of(number) for number in numbers) if one is not None]
        if not ids:
            return []
        rows = self._connection.execute(self._locked(select(tickets).where(tickets.c.id.in_(ids))))
        found = {row.id: state_of(row) for row in rows}
        return [found[one] for one in ids if one in found]

    def by_message_ids(self, ids: Sequence[str]) -> list[TicketState]:
        """Tickets to which one of these Message-IDs belongs, newest ticket first."""
        if not ids:
            return []
        self._pending.write(message_ids)
        query = (
            select(tickets)
            .join(message_ids, message_ids.c.ticket == tickets.c.id)
            .where(message_ids.c.message_id.in_(list(ids)))
            .order_by(tickets.c.id.desc())
        )
        return list({row.id: state_of(row) for row in self._connection.execute(self._locked(query))}.values())

    def of_requester(self, address: str, states: Sequence[str]) -> list[TicketState]:
        """Tickets that this address opened, newest first."""
        query = select(tickets).where(tickets.c.requester == address, tickets.c.state.in_(list(states)))
        query = query.order_by(tickets.c.id.desc()).limit(50)
        return [state_of(row) for row in self._connection.execute(self._locked(query))]

    def following(self, ticket: int) -> TicketState | None:
        """The newest ticket that was opened because this one is closed."""
        query = select(tickets).where(tickets.c.follows == ticket).order_by(tickets.c.id.desc()).limit(1)
        row = self._connection.execute(self._locked(query)).first()
        return state_of(row) if row else None

    def open(self, **values: Any) -> TicketState:
        """A new ticket."""
        made = self._connection.execute(tickets.insert().returning(tickets.c.id), values).scalar_one()
        return state_of(SimpleNamespace(**{**_UNSAID, **values, "id": made}))

    def change(self, ticket: int, **values: Any) -> None:
        self._connection.execute(update(tickets).where(tickets.c.id == ticket).values(**values))

    def remember(self, message_id: str, ticket: int) -> None:
        """A mail with this id belongs to the ticket."""
        if message_id:
            self._pending.add(message_ids, {"message_id": message_id[:300], "ticket": ticket})

    def select(
        self,
        *,
        states: Sequence[str] = (),
        partner: str | None = None,
        due_from: datetime | None = None,
        due_before: datetime | None = None,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """Tickets for the `tickets` command: those with a running clock first, by due time, then the newest."""
        query: Select[Any] = _chosen(select(tickets), states, partner, due_from, due_before)
        query = query.order_by(tickets.c.due_at.is_(None), tickets.c.due_at, tickets.c.id.desc()).limit(limit)
        return [_whole(row) for row in self._connection.execute(query)]

    def count(
        self, *, states: Sequence[str], due_from: datetime | None = None, due_before: datetime | None = None
    ) -> int:
        """How many `select` would find without a limit."""
        query = _chosen(select(func.count()).select_from(tickets), states, None, due_from, due_before)
        return int(self._connection.execute(query).scalar_one())

    def waiting_long(self, state: str, reminder: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Tickets in this state whose reminder is no longer to come: how many, and the longest waiting."""
        self._pending.write(alarms)
        pending = exists().where(alarms.c.ticket == tickets.c.id, alarms.c.kind == reminder)
        query = select(tickets).where(tickets.c.state == state, ~pending)
        total = self._connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        rows = self._connection.execute(query.order_by(tickets.c.last_mail_at).limit(limit))
        return int(total), [_whole(row) for row in rows]

    def tell(self, ticket: int, at: datetime, event: str, keys: dict[str, Any]) -> None:
        """A line of the ticket's story."""
        self._pending.add(story, {"ticket": ticket, "at": at, "event": event, "keys": keys})

    def story(self, ticket: int) -> list[Line]:
        self._pending.write(story)
        query = select(story).where(story.c.ticket == ticket).order_by(story.c.id)
        return [Line(row.at, row.event, row.keys) for row in self._connection.execute(query)]

    def forget_closed(self, before: datetime, limit: int = 500) -> int:
        """Delete tickets that were closed before this time, with their story. Returns how many.

        The newest ticket stays, whatever its age: SQLite would give its number to the next one.
        """
        newest = select(func.max(tickets.c.id)).scalar_subquery()
        old = select(tickets.c.id).where(tickets.c.closed_at < before, tickets.c.id < newest).limit(limit)
        return int(self._connection.execute(delete(tickets).where(tickets.c.id.in_(old))).rowcount)

    def _locked(self, query: Select[Any]) -> Select[Any]:
        return query.with_for_update(of=tickets, key_share=True) if self._lock else query


def _chosen(
    query: Select[Any],
    states: Sequence[str],
    partner: str | None,
    due_from: datetime | None,
    due_before: datetime | None,
) -> Select[Any]:
    if states:
        query = query.where(tickets.c.state.in_(list(states)))
    if partner is not None:
        query = query.where(tickets.c.partner == partner)
    if due_from is not None:
        query = query.where(tickets.c.due_at >= due_from)
    if due_before is not None:
        query = query.where(tickets.c.due_at < due_before)
    return query


def _whole(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "number": number(row.id)}


# What a new row holds where nothing is said.
_UNSAID = {column.name: None for column in tickets.c} | {"language": "", "timezone": "", "settled": (), "asked": 0}


def state_of(row: Row[Any] | SimpleNamespace) -> TicketState:
    """A row of `tickets`, as far as deciding needs it."""
    return TicketState(
        id=row.id,
        number=number(row.id),
        partner=row.partner,
        state=row.state,
        deployment=row.deployment,
        severity=row.severity,
        service=row.service,
        request_type=row.request_type,
        language=row.language,
        fields=frozenset(row.fields),
        asked=row.asked,
        pack=row.pack,
        due=row.due_at,
        guaranteed=row.guaranteed,
        subject=row.subject,
        last_mail_at=row.last_mail_at,
        closed_at=row.closed_at,
        requester=row.requester,
        timezone=row.timezone,
        out_of_scope=row.out_of_scope,
        clock_started=row.clock_started_at,
        settled=frozenset(row.settled),
    )
