"""The database connection, SQLite or PostgreSQL, and what its errors mean.

SQLite: WAL, foreign keys, synchronous=FULL (what is promised survives a power cut), and every writing transaction
begins with BEGIN IMMEDIATE: with the driver's defaults two writers lose each other's updates without an error.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError

from triage.core.errors import ConfigError, Conflict, Permanent, Temporary

BUSY_SECONDS = 10
_DAMAGED = ("not a database", "malformed")
_FROZEN_SECONDS = 10  # half the length of a lease


def connect(url: str) -> Engine:
    """An engine for this URL. An SQLite file is made with mode 0600. Raises ConfigError for a URL of no use."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "database.url: not a URL; write sqlite:///var/triage.db or postgresql://user@host/name"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, parsed.database)
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            return _postgres(parsed)
        except ImportError:
            raise ConfigError('database.url: PostgreSQL needs its driver: pip install "triage[postgres]"') from None
    raise ConfigError(f"database.url: {parsed.get_backend_name()!r} is not supported; use sqlite or postgresql")


def _postgres(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # A daemon that is frozen in the midst of a transaction would hold its locks, the lease's too, for ever. Set
        # here and not as a start-up parameter, which connection poolers refuse.
        for name, seconds in (
            ("idle_in_transaction_session_timeout", _FROZEN_SECONDS),
            ("lock_timeout", 2 * _FROZEN_SECONDS),
        ):
            connection.execute(f"SET {name} = '{seconds}s'")
        connection.commit()

    return engine


def _sqlite(url: str, path: str | None) -> Engine:
    if path and path != ":memory:":
        _make_private(Path(path))
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("readonly")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except PermissionError:
        pass  # a read-only database can still be looked at; writing says what is wrong
    except OSError as error:
        raise ConfigError(f"database.url: {path} cannot be made: {error.strerror}") from None


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that can say what becomes of rows that are there already."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the database as Temporary (locked, away, full) or Permanent, without the statement's values."""
    try:
        yield
    except sqlite3.DatabaseError as error:  # as the file is opened, before SQLAlchemy looks after it
        raise _unusable(str(error)) from error
    except DBAPIError as error:
        said = str(error.orig).strip().split("\n")[0][:200]
        if isinstance(error, IntegrityError):
            raise Conflict(f"database: {said}") from error
        if "readonly" in said or "read-only" in said:
            raise Permanent(f"database: it is read-only: {said}; give the daemon's user the right to write") from error
        if any(words in said for words in _DAMAGED):
            raise _unusable(said) from error
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            raise Temporary(f"database: {said}") from error
        raise


def _unusable(said: str) -> Permanent | Temporary:
    """What an SQLite file is that cannot even be opened."""
    if any(words in said for words in _DAMAGED):
        return Permanent(f"database: it is damaged ({said}); stop the daemon and restore the backup")
    return Temporary(f"database: {said}")
