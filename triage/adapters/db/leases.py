"""Leases: a job that only one daemon may do at a time, such as reading a mailbox.

Whoever holds the lease renews it; when he dies, another takes it once it has run out, or at once when both are on one
machine and the process is gone. Each holder has an epoch of his own: a frozen daemon that wakes up finds it used up
and commits nothing more (`hold`).

On PostgreSQL a frozen daemon may hold locks for as long as it is frozen: the server ends a session that is idle within
a transaction, but not one that waits for the rest of a group of statements. Whoever takes a lease over therefore ends
the sessions of the one that held it, which bear his name (`sign`).
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, event, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from triage.adapters.db.tables import leases
from triage.core.errors import LeaseLost

LENGTH = timedelta(seconds=20)  # without renewal; renewed every few seconds
_STANDBY = "standby: "  # and the name of a lease: who waits for it


_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name AND usename = current_user"
    " AND datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that we hold."""

    name: str
    holder: str
    epoch: int


def holder() -> str:
    """Who we are: host, process, when it began, the machine, and a mark of our own."""
    process = os.getpid()
    return f"{socket.gethostname()}:{process}:{_started(process)}:{_machine()}:{uuid.uuid4().hex[:8]}"


def sign(engine: Engine, who: str) -> None:
    """From now on the database knows our sessions by our name."""
    if engine.dialect.name != "postgresql":
        return
    engine.dispose()  # those that have none

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.execute(f"SET application_name = '{_session(who)}'")
        connection.commit()


def _session(who: str) -> str:
    mark = who.rpartition(":")[2]
    return f"triage {mark}" if mark.isalnum() else ""


class Leases:
    """Queries about leases within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, name: str, who: str, now: datetime) -> Lease | str:
        """The lease, or who holds it."""
        now = self._clock(now)
        query = select(leases).where(leases.c.name == name)
        values = {"holder": who, "expires_at": now + LENGTH}
        row = self._connection.execute(query).first()  # without a lock: who stands by holds nobody up
        if row is not None and row.holder != who:
            if not _free(row, now):
                return str(row.holder)
            self._end_sessions(row.holder)
        row = self._connection.execute(query.with_for_update()).first()
        if row is None:
            try:
                with self._connection.begin_nested():
                    self._connection.execute(leases.insert(), {"name": name, "epoch": 1, **values})
            except IntegrityError:
                return "another daemon that starts right now"
            return Lease(name, who, 1)
        if row.holder != who and not _free(row, now):
            return str(row.holder)
        epoch = row.epoch if row.holder == who else row.epoch + 1
        self._connection.execute(update(leases).where(leases.c.name == name).values(epoch=epoch, **values))
        return Lease(name, who, epoch)

    def stand_by(self, name: str, who: str, now: datetime) -> None:
        """Let the holder know that somebody would do his work. Of several the last one is known."""
        row = {"holder": who, "epoch": 0, "expires_at": self._clock(now) + LENGTH / 2}
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(leases).values(name=_STANDBY + name, **row)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))

    def standing_by(self, name: str, now: datetime) -> str:
        """Who waits for this lease; "" when nobody does."""
        query = select(leases.c.holder).where(leases.c.name == _STANDBY + name, leases.c.expires_at > self._clock(now))
        who = self._connection.execute(query).scalar()
        return "" if who is None or gone(who) else str(who)

    def held_by(self, who: str, kind: str) -> int:
        """How many leases of this kind somebody has."""
        query = select(func.count()).where(
            leases.c.holder == who, leases.c.name.startswith(kind + " ", autoescape=True)
        )
        return int(self._connection.execute(query).scalar_one())

    def hold(self, lease: Lease) -> None:
        """Make sure that the lease is still ours until this transaction ends. Raises LeaseLost."""
        query = select(leases.c.epoch, leases.c.holder).where(leases.c.name == lease.name).with_for_update(read=True)
        row = self._connection.execute(query).first()
        if row is None or row.epoch != lease.epoch or row.holder != lease.holder:
            raise LeaseLost(f"{lease.name} is held by another daemon now; this one stops")

    def renew(self, lease: Lease, now: datetime) -> None:
        """Raises LeaseLost."""
        changed = self._connection.execute(
            update(leases)
            .where(leases.c.name == lease.name, leases.c.epoch == lease.epoch, leases.c.holder == lease.holder)
            .values(expires_at=self._clock(now) + LENGTH)
        )
        if not changed.rowcount:
            raise LeaseLost(f"{lease.name} is held by another daemon now; this one stops")

    def _end_sessions(self, who: str) -> None:
        """What he had in hand is undone, and its locks are free."""
        if self._connection.dialect.name == "postgresql" and (name := _session(who)):
            self._connection.execute(_END, {"name": name})

    def _clock(self, now: datetime) -> datetime:
        """The database's time where several machines share it: theirs differ."""
        if self._connection.dialect.name != "postgresql":
            return now
        value: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
        return value

    def release(self, lease: Lease) -> None:
        self._connection.execute(
            delete(leases).where(
                leases.c.name == lease.name, leases.c.epoch == lease.epoch, leases.c.holder == lease.holder
            )
        )


def _free(row: Row[Any], now: datetime) -> bool:
    """Whether a lease can be taken from its holder."""
    return bool(row.expires_at <= now or gone(row.holder))


def here(who: str) -> bool:
    """Whether the holder is, or was, a process that we could see."""
    return who.count(":") == 4 and who.split(":")[3] == _machine()


def gone(who: str) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    if not here(who):
        return False
    _, process, started, *_ = who.split(":")
    return process.isdigit() and _started(int(process)) != started


@cache
def _machine() -> str:
    """The same for all whose process numbers mean the same: containers may share a host's name, and number anew."""
    try:
        seen = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    except OSError:
        seen = socket.gethostname()
    return hashlib.sha256(seen.encode()).hexdigest()[:8]


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; "" when there is none (or the system does not tell)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
