"""What is remembered of an address, what staff is to be told, and small facts of the program itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from triage.adapters.db.engine import insert
from triage.adapters.db.forgetting import Forgotten, forget
from triage.adapters.db.pending import Pending
from triage.adapters.db.tables import meta, notices, people, tickets


class People:
    """Queries about addresses within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, address: str) -> dict[str, Any]:
        """All that is remembered; empty for an address never noted."""
        row = self._connection.execute(select(people).where(people.c.address == address)).first()
        return dict(row._mapping) if row else {}

    def note(self, address: str, **values: Any) -> None:
        """stranger_told_at, bounced_at and bounce, partner."""
        _put(self._connection, people, {"address": address[:320]}, values)

    def forget(self, address: str) -> Forgotten:
        """Delete all that is stored of a mailbox, with and without a plus tag."""
        return forget(self._connection, address)

    def forget_old(self, before: datetime) -> int:
        """Delete strangers who were told to ask their partner before this time, and of whom nothing else is known."""
        old = delete(people).where(
            people.c.stranger_told_at < before, people.c.partner.is_(None), people.c.bounced_at.is_(None)
        )
        return int(self._connection.execute(old).rowcount)

    def stranger_told_at(self, address: str) -> datetime | None:
        value: datetime | None = self.get(address).get("stranger_told_at")
        return value

    def strangers_told(self, domain: str, since: datetime) -> int:
        """How many at a domain were told to ask their partner since then."""
        query = select(func.count()).where(
            people.c.stranger_told_at >= since, people.c.address.endswith("@" + domain, autoescape=True)
        )
        return int(self._connection.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that staff is to be told."""

    id: int
    at: datetime
    kind: str
    ticket: int | None
    keys: dict[str, Any]


class Notices:
    """What waits for the next mail to staff."""

    def __init__(self, connection: Connection, pending: Pending) -> None:
        self._connection, self._pending = connection, pending

    def add(self, at: datetime, kind: str, ticket: int | None, keys: dict[str, Any]) -> None:
        self._pending.add(notices, {"at": at, "kind": kind, "ticket": ticket, "keys": keys})

    def take(
        self, kinds: Sequence[str] = (), calendars: Sequence[str] | None = None, limit: int = 10_000
    ) -> list[Notice]:
        """The oldest ones, which are gone with this transaction.

        With calendars: those of these kinds about tickets whose time is reckoned by one of them.
        """
        self._pending.write(notices)
        query = select(notices).order_by(notices.c.id).limit(limit).with_for_update(skip_locked=True)
        if calendars is not None:
            about = select(tickets.c.id).where(tickets.c.calendar.in_(list(calendars)))
            query = query.where(notices.c.kind.in_(list(kinds)), notices.c.ticket.in_(about))
        found = [Notice(row.id, row.at, row.kind, row.ticket, row.keys) for row in self._connection.execute(query)]
        if found:
            self._connection.execute(delete(notices).where(notices.c.id.in_([one.id for one in found])))
        return found

    def calendars(self, kinds: Sequence[str]) -> list[str]:
        """By which the time of the tickets is reckoned that such notices are about."""
        self._pending.write(notices)
        query = select(tickets.c.calendar).distinct().join(notices, notices.c.ticket == tickets.c.id)
        found = self._connection.execute(query.where(notices.c.kind.in_(list(kinds)), tickets.c.calendar.is_not(None)))
        return [str(row.calendar) for row in found]

    def drop(self, ticket: int, kind: str) -> None:
        """What turned out not to be so, before anybody was told."""
        self._pending.write(notices)
        self._connection.execute(delete(notices).where(notices.c.ticket == ticket, notices.c.kind == kind))

    def forget(self, before: datetime) -> None:
        """Where nobody is to be told, nothing piles up."""
        self._connection.execute(delete(notices).where(notices.c.at < before))

    def any(self) -> bool:
        self._pending.write(notices)
        return self._connection.execute(select(notices.c.id).limit(1)).scalar() is not None


class Meta:
    """Small facts: the first start, the UIDVALIDITY of a mailbox ..."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> str | None:
        value: str | None = self._connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
        return value

    def put(self, key: str, value: str) -> None:
        _put(self._connection, meta, {"key": key}, {"value": value})

    def under(self, prefix: str) -> dict[str, str]:
        """All facts whose key begins so (the prefix ends with a colon)."""
        query = select(meta).where(meta.c.key >= prefix, meta.c.key < prefix[:-1] + ";").order_by(meta.c.key)
        return {row.key: row.value for row in self._connection.execute(query)}

    def drop(self, key: str) -> None:
        self._connection.execute(delete(meta).where(meta.c.key == key))


def _put(connection: Connection, table: Any, key: dict[str, Any], values: dict[str, Any]) -> None:
    statement = insert(connection, table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
