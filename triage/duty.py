"""Which of several daemons does what only one may do: leases that we hold, taken and renewed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from triage.adapters.db.leases import LENGTH, Lease
from triage.adapters.db.store import Store
from triage.core.errors import LeaseLost, TriageError


class Duty:
    """The leases of one daemon. Used by several threads."""

    def __init__(self, store: Store, who: str) -> None:
        self._store, self._who = store, who
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Lease, datetime]] = {}  # with the time until which it surely is ours
        self._others: dict[str, str] = {}

    def take(self, name: str) -> bool:
        """Whether the duty is ours now."""
        now = datetime.now(UTC)
        with self._lock:
            held = self._held.get(name)
            if held and now < held[1]:
                return True
            with self._store.begin() as tx:
                got = tx.leases.take(name, self._who, now)
            if isinstance(got, Lease):
                self._held[name] = (got, now + LENGTH / 2)
                return True
            self._held.pop(name, None)
            self._others[name] = got
            return False

    def lease(self, name: str) -> Lease | None:
        """The lease that a transaction has to hold. Raises LeaseLost when we have none."""
        with self._lock:
            held = self._held.get(name)
        if held is None:
            raise LeaseLost(f"{name} is another daemon's")
        return held[0]

    def holder(self, name: str) -> str:
        """Who has it instead of us."""
        return self._others.get(name, "")

    def renew(self) -> None:
        """Keep what we hold. Raises LeaseLost."""
        now = datetime.now(UTC)
        with self._lock, self._store.begin() as tx:
            for name, (lease, _) in list(self._held.items()):
                tx.leases.renew(lease, now)
                self._held[name] = (lease, now + LENGTH / 2)

    def release(self) -> None:
        """Give everything back, so that another need not wait."""
        with self._lock:
            try:
                with self._store.begin() as tx:
                    for lease, _ in self._held.values():
                        tx.leases.release(lease)
            except TriageError:
                pass  # it runs out by itself
            self._held.clear()
