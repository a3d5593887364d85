"""Transactions: what is done within one stands or falls together.

    with store.begin() as tx:          # writes; committed at the end, rolled back on any error
        tx.tickets.open(...)
    with store.look() as tx:           # reads only

Within a batch, `tx.savepoint()` keeps one mail's failure from the others.

New rows that nothing in the transaction needs to read at once wait in `Pending` and are written together; what will be
asked about each mail of a batch is asked about all of them at once (`foresee`). A statement costs as much for twenty
as for one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from triage.adapters.db.clocks import Clocks
from triage.adapters.db.engine import BUSY_SECONDS, translated
from triage.adapters.db.leases import Lease, Leases
from triage.adapters.db.mails import Mails
from triage.adapters.db.outbox import Outbox
from triage.adapters.db.pending import Pending
from triage.adapters.db.people import Meta, Notices, People
from triage.adapters.db.tickets import Tickets
from triage.core.errors import Temporary


class Transaction:
    """All queries, on one connection."""

    def __init__(self, connection: Connection, *, writes: bool = True) -> None:
        self._connection = connection
        self._pending = pending = Pending(connection)
        self.mails = Mails(connection)
        self.tickets = Tickets(connection, pending, lock=writes)
        self.clocks = Clocks(pending)
        self.outbox = Outbox(pending)
        self.people = People(connection)
        self.notices = Notices(connection, pending)
        self.meta = Meta(connection)
        self.leases = Leases(connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail by itself."""
        self._pending.write()
        try:
            with self._connection.begin_nested():
                yield
        except BaseException:
            self._pending.drop()
            self.mails.forget_foreseen()
            self.outbox.forget_foreseen()
            raise

    def finish(self) -> None:
        """Write what waits. `Store.begin` does it before the commit."""
        self._pending.write()


class Store:
    """The database, as transactions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite has one writer. Our own threads wait for each other here, in turn: in SQLite they would look again
        # and again whether it is free, and sleep longer each time.
        self._turn = threading.Lock()
        self._reader = engine.execution_options(readonly=True)

    @property
    def shared(self) -> bool:
        """Whether daemons on several machines can work on it together."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def begin(self, lease: Lease | None = None) -> Iterator[Transaction]:
        """A writing transaction. With a lease: it commits only while the lease is still ours (raises LeaseLost)."""
        with self._our_turn(), translated(), self.engine.begin() as connection:
            tx = Transaction(connection)
            if lease:
                tx.leases.hold(lease)
            yield tx
            tx.finish()

    @contextmanager
    def _our_turn(self) -> Iterator[None]:
        if self.shared:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise Temporary("database: locked by another transaction of ours")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def look(self) -> Iterator[Transaction]:
        """A reading transaction, on one state of the database."""
        with translated(), self._reader.connect() as connection:
            yield Transaction(connection, writes=False)

    def settle(self) -> None:
        """Bring SQLite's journal into its file: what was deleted is left in neither."""
        if not self.shared:
            with translated():
                connection = self.engine.raw_connection()
                try:
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    connection.close()

    def close(self) -> None:
        self.engine.dispose()
