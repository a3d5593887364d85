"""Running clocks: what is to happen when, and what was promised to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from triage.adapters.db.pending import Pending
from triage.adapters.db.tables import alarms, promises, tickets
from triage.adapters.db.tickets import state_of
from triage.core.model import TicketState


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is due."""

    id: int
    ticket: int
    kind: str  # warning breach remind close
    at: datetime
    share: float | None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a partner was told."""

    id: int
    ticket: int
    to: str
    promised_at: datetime
    due: datetime
    guaranteed: bool
    pack: str
    ended_at: datetime | None
    end: str | None
    breached_at: datetime | None


class Clocks:
    """Queries about alarms and promises within one transaction."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    @property
    def _connection(self) -> Connection:
        return self._pending.written(alarms, promises)

    # ---------------------------------------------------------------- alarms

    def add(self, ticket: int, entries: Sequence[tuple[str, datetime, float | None]]) -> None:
        """Alarms (kind, at, share) beside those that are set."""
        for kind, at, share in entries:
            self._pending.add(alarms, {"ticket": ticket, "kind": kind, "at": at, "share": share})

    def clear(self, ticket: int) -> list[Alarm]:
        """Nothing is to happen any more. Returns what was still to come."""
        statement = delete(alarms).where(alarms.c.ticket == ticket).returning(alarms)
        return [_alarm(row) for row in self._connection.execute(statement)]

    def set_for(self, ticket: int) -> list[Alarm]:
        """What is to happen to a ticket, in order of time."""
        query = select(alarms).where(alarms.c.ticket == ticket).order_by(alarms.c.at, alarms.c.id)
        return [_alarm(row) for row in self._connection.execute(query)]

    def due(self, now: datetime, limit: int = 1000) -> list[tuple[Alarm, TicketState]]:
        """Alarms whose time has come, oldest first, with their tickets.

        On PostgreSQL only those of which nobody has alarm or ticket in hand: they are met in the next round.
        """
        query = (
            select(tickets, alarms.c.id.label("alarm"), alarms.c.kind, alarms.c.at, alarms.c.share)
            .join(alarms, tickets.c.id == alarms.c.ticket)
            .where(alarms.c.at <= now)
            .order_by(alarms.c.at, alarms.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=(alarms, tickets), key_share=True)
        )
        rows = self._connection.execute(query)
        return [(Alarm(row.alarm, row.id, row.kind, row.at, row.share), state_of(row)) for row in rows]

    def next_at(self) -> datetime | None:
        """When the next alarm is due."""
        return self._connection.execute(select(alarms.c.at).order_by(alarms.c.at).limit(1)).scalar()

    def drop(self, ids: Sequence[int]) -> None:
        """These alarms have happened."""
        if ids:
            self._connection.execute(delete(alarms).where(alarms.c.id.in_(list(ids))))

    def late(self, ids: Sequence[int], now: datetime) -> list[Alarm]:
        """All alarms of these tickets whose time has come."""
        query = select(alarms).where(alarms.c.ticket.in_(list(ids)), alarms.c.at <= now)
        return [_alarm(row) for row in self._connection.execute(query)]

    # ---------------------------------------------------------------- promises

    def promise(
        self, ticket: int, to: str, promised_at: datetime, due: datetime, *, guaranteed: bool, pack: str
    ) -> None:
        """A time that a partner is told."""
        self._pending.add(
            promises,
            {
                "ticket": ticket, "to_address": to, "promised_at": promised_at, "due_at": due, "guaranteed": guaranteed,
                "pack": pack,
            },
        )  # fmt: skip

    def running(self, ticket: int) -> Promise | None:
        """The promise that holds."""
        return self.running_of([ticket]).get(ticket)

    def running_of(self, ids: Sequence[int]) -> dict[int, Promise]:
        """The promises that hold, by ticket."""
        query = select(promises).where(promises.c.ticket.in_(list(ids)), promises.c.ended_at.is_(None))
        return {row.ticket: _promise(row) for row in self._connection.execute(query.order_by(promises.c.id))}

    def end(self, ticket: int, how: str, at: datetime) -> None:
        """The running promise is kept, broken, replaced or withdrawn."""
        values: dict[str, Any] = {"end": how, "ended_at": at}
        if how == "kept":  # an answer that was seen late, after the breach had been told
            values["breached_at"] = None
        self._connection.execute(
            update(promises).where(promises.c.ticket == ticket, promises.c.ended_at.is_(None)).values(**values)
        )

    def breach(self, ids: Sequence[int], at: datetime) -> None:
        """These promises were not kept."""
        if ids:
            self._connection.execute(update(promises).where(promises.c.id.in_(list(ids))).values(breached_at=at))

    def promises_of(self, ticket: int) -> list[Promise]:
        query = select(promises).where(promises.c.ticket == ticket).order_by(promises.c.id)
        return [_promise(row) for row in self._connection.execute(query)]


def _alarm(row: Any) -> Alarm:
    return Alarm(row.id, row.ticket, row.kind, row.at, row.share)


def _promise(row: Any) -> Promise:
    return Promise(
        row.id, row.ticket, row.to_address, row.promised_at, row.due_at, row.guaranteed, row.pack, row.ended_at,
        row.end, row.breached_at,
    )  # fmt: skip
