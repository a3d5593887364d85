"""Running clocks: what is to happen when, and what was promised to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from triage.adapters.db.tables import alarms, promises


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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set(self, ticket: int, entries: Sequence[tuple[str, datetime, float | None]]) -> None:
        """These alarms (kind, at, share), in the place of all that were set for the ticket."""
        self.clear(ticket)
        rows = [{"ticket": ticket, "kind": kind, "at": at, "share": share} for kind, at, share in entries]
        if rows:
            self._connection.execute(alarms.insert(), rows)

    def clear(self, ticket: int) -> None:
        self._connection.execute(delete(alarms).where(alarms.c.ticket == ticket))

    def due(self, now: datetime, limit: int = 1000) -> list[Alarm]:
        """Alarms whose time has come, oldest first; on PostgreSQL those that nobody else has in hand."""
        query = (
            select(alarms)
            .where(alarms.c.at <= now)
            .order_by(alarms.c.at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [Alarm(row.id, row.ticket, row.kind, row.at, row.share) for row in self._connection.execute(query)]

    def next_at(self) -> datetime | None:
        """When the next alarm is due."""
        return self._connection.execute(select(alarms.c.at).order_by(alarms.c.at).limit(1)).scalar()

    def drop(self, ids: Sequence[int]) -> None:
        """These alarms have happened."""
        if ids:
            self._connection.execute(delete(alarms).where(alarms.c.id.in_(list(ids))))

    def postpone(self, ids: Sequence[int], until: datetime) -> None:
        if ids:
            self._connection.execute(update(alarms).where(alarms.c.id.in_(list(ids))).values(at=until))

    def promise(self, **values: Any) -> int:
        """A time that a partner is told. What was promised before on this ticket is replaced by it."""
        self.end(values["ticket"], "replaced", values["promised_at"])
        return int(self._connection.execute(promises.insert().returning(promises.c.id), values).scalar_one())

    def running(self, ticket: int) -> Promise | None:
        """The promise that holds."""
        query = select(promises).where(promises.c.ticket == ticket, promises.c.ended_at.is_(None))
        row = self._connection.execute(query.order_by(promises.c.id.desc())).first()
        return _promise(row) if row else None

    def end(self, ticket: int, how: str, at: datetime) -> None:
        """The running promise is kept, broken, replaced or withdrawn."""
        self._connection.execute(
            update(promises)
            .where(promises.c.ticket == ticket, promises.c.ended_at.is_(None))
            .values(end=how, ended_at=at)
        )

    def breach(self, promise: int, at: datetime) -> None:
        self._connection.execute(update(promises).where(promises.c.id == promise).values(breached_at=at))

    def promises_of(self, ticket: int) -> list[Promise]:
        query = select(promises).where(promises.c.ticket == ticket).order_by(promises.c.id)
        return [_promise(row) for row in self._connection.execute(query)]


def _promise(row: Any) -> Promise:
    return Promise(
        row.id, row.ticket, row.to_address, row.promised_at, row.due_at, row.guaranteed, row.pack, row.ended_at,
        row.end, row.breached_at,
    )  # fmt: skip
