"""What is remembered of an address, what staff is to be told, and small facts of the program itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from triage.adapters.db.tables import mails, meta, notices, outbox, people, promises, tickets


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted of a person."""

    tickets: int
    replies: int
    fingerprints: list[str]


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
        """Delete all that is stored of an address: what it opened, what it sent, what was sent to it."""
        execute = self._connection.execute
        prints = list(execute(select(mails.c.fingerprint).where(mails.c.sender == address)).scalars())
        opened = select(tickets.c.id).where(tickets.c.requester == address)
        execute(delete(outbox).where(outbox.c.ticket.in_(opened)))
        replies = execute(delete(outbox).where(outbox.c.recipient == address)).rowcount
        execute(delete(mails).where(mails.c.sender == address))
        execute(delete(promises).where(promises.c.to_address == address))
        gone = execute(delete(tickets).where(tickets.c.requester == address)).rowcount
        execute(delete(people).where(people.c.address == address))
        return Forgotten(gone, replies, prints)

    def stranger_told_at(self, address: str) -> datetime | None:
        value: datetime | None = self.get(address).get("stranger_told_at")
        return value


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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, at: datetime, kind: str, ticket: int | None, keys: dict[str, Any]) -> None:
        self._connection.execute(notices.insert(), {"at": at, "kind": kind, "ticket": ticket, "keys": keys})

    def take(self, limit: int = 500) -> list[Notice]:
        """The oldest ones, which are gone with this transaction."""
        query = select(notices).order_by(notices.c.id).limit(limit).with_for_update(skip_locked=True)
        found = [Notice(row.id, row.at, row.kind, row.ticket, row.keys) for row in self._connection.execute(query)]
        if found:
            self._connection.execute(delete(notices).where(notices.c.id.in_([one.id for one in found])))
        return found

    def any(self) -> bool:
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


def _put(connection: Connection, table: Any, key: dict[str, Any], values: dict[str, Any]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**key, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
