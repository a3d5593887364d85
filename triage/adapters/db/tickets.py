"""Tickets, the Message-IDs that lead to them, and their story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from triage.adapters.db.tables import message_ids, story, tickets
from triage.core.model import TicketState

FIRST_NUMBER = 1000  # the number of a ticket is its id above this: no partner is told that he is the first


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
    """Queries about tickets within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, ticket: int) -> TicketState | None:
        row = self._connection.execute(select(tickets).where(tickets.c.id == ticket)).first()
        return _state(row) if row else None

    def row(self, ticket: int) -> dict[str, Any] | None:
        """Everything that is stored of a ticket, for `show`."""
        row = self._connection.execute(select(tickets).where(tickets.c.id == ticket)).first()
        return {**row._mapping, "number": number(row.id)} if row else None

    def by_numbers(self, numbers: Sequence[str]) -> list[TicketState]:
        """Tickets with these numbers, in their order."""
        ids = [one for one in (id_of(number) for number in numbers) if one is not None]
        if not ids:
            return []
        rows = self._connection.execute(select(tickets).where(tickets.c.id.in_(ids)))
        found = {row.id: _state(row) for row in rows}
        return [found[one] for one in ids if one in found]

    def by_message_ids(self, ids: Sequence[str]) -> list[TicketState]:
        """Tickets to which one of these Message-IDs belongs, newest ticket first."""
        if not ids:
            return []
        query = (
            select(tickets)
            .join(message_ids, message_ids.c.ticket == tickets.c.id)
            .where(message_ids.c.message_id.in_(list(ids)))
            .order_by(tickets.c.id.desc())
        )
        return list({row.id: _state(row) for row in self._connection.execute(query)}.values())

    def of_requester(self, address: str, states: Sequence[str]) -> list[TicketState]:
        """Tickets that this address opened, newest first."""
        query = select(tickets).where(tickets.c.requester == address, tickets.c.state.in_(list(states)))
        return [_state(row) for row in self._connection.execute(query.order_by(tickets.c.id.desc()).limit(50))]

    def open(self, **values: Any) -> int:
        """A new ticket. Returns its id."""
        return int(self._connection.execute(tickets.insert().returning(tickets.c.id), values).scalar_one())

    def change(self, ticket: int, **values: Any) -> None:
        self._connection.execute(update(tickets).where(tickets.c.id == ticket).values(**values))

    def remember(self, message_id: str, ticket: int) -> None:
        """A mail with this id belongs to the ticket."""
        if not message_id:
            return
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(message_ids).values(message_id=message_id[:300], ticket=ticket)
        self._connection.execute(statement.on_conflict_do_nothing())

    def select(
        self,
        *,
        states: Sequence[str] = (),
        partner: str | None = None,
        due_before: datetime | None = None,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """Tickets for the `tickets` command: those with a running clock first, by due time, then the newest."""
        query: Select[Any] = select(tickets)
        if states:
            query = query.where(tickets.c.state.in_(list(states)))
        if partner is not None:
            query = query.where(tickets.c.partner == partner)
        if due_before is not None:
            query = query.where(tickets.c.due_at < due_before)
        query = query.order_by(tickets.c.due_at.is_(None), tickets.c.due_at, tickets.c.id.desc()).limit(limit)
        return [{**row._mapping, "number": number(row.id)} for row in self._connection.execute(query)]

    def tell(self, ticket: int, at: datetime, event: str, keys: dict[str, Any]) -> None:
        """A line of the ticket's story."""
        self._connection.execute(story.insert(), {"ticket": ticket, "at": at, "event": event, "keys": keys})

    def story(self, ticket: int) -> list[Line]:
        query = select(story).where(story.c.ticket == ticket).order_by(story.c.id)
        return [Line(row.at, row.event, row.keys) for row in self._connection.execute(query)]

    def forget_closed(self, before: datetime, limit: int = 500) -> int:
        """Delete tickets that were closed before this time, with their story. Returns how many."""
        old = select(tickets.c.id).where(tickets.c.closed_at < before).limit(limit)
        return int(self._connection.execute(delete(tickets).where(tickets.c.id.in_(old))).rowcount)


def _state(row: Row[Any]) -> TicketState:
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
    )
