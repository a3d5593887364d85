"""Which of several daemons does what only one may do: leases that we hold, taken and renewed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from triage.adapters.db.leases import LENGTH, Lease
from triage.adapters.db.store import Store
from triage.core.errors import LeaseLost, TriageError

# For so long after a renewal nobody can have taken a lease from us. Measured on a clock that nobody sets: after having
# been frozen (SIGSTOP) we ask before we touch anything.
_SURE_SECONDS = LENGTH.total_seconds() / 2


@dataclass(slots=True)
class _Held:
    lease: Lease
    until: float  # of time.monotonic(): until then it surely is ours


class Duty:
    """The leases of one daemon. Used by several threads."""

    def __init__(self, store: Store, who: str) -> None:
        self._store, self._who = store, who
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._others: dict[str, str] = {}

    def take(self, name: str) -> bool:
        """Whether the duty is ours now."""
        with self._lock:
            held = self._held.get(name)
            if held and time.monotonic() < held.until:
                return True
            asked = time.monotonic()
            with self._store.begin() as tx:
                got = tx.leases.take(name, self._who, datetime.now(UTC))
            if isinstance(got, Lease) and (held is None or got == held.lease):
                self._held[name] = _Held(got, asked + _SURE_SECONDS)
                return True
            self._held.pop(name, None)
            if isinstance(got, Lease):
                # Ours again after it was another's: whatever is in hand began under the old lease and must end.
                raise LeaseLost(f"{name} was held by another daemon meanwhile")
            self._others[name] = got
            return False

    def lease(self, name: str) -> Lease:
        """The lease that a transaction has to hold. Raises LeaseLost when we have none."""
        with self._lock:
            held = self._held.get(name)
        if held is None or (time.monotonic() >= held.until and not self.take(name)):
            raise LeaseLost(f"{name} is held by another daemon now")
        return held.lease

    def holder(self, name: str) -> str:
        """Who has it instead of us."""
        return self._others.get(name, "")

    def stand_by(self, name: str) -> None:
        """Let its holder know that we would do it."""
        with self._store.begin() as tx:
            tx.leases.stand_by(name, self._who, datetime.now(UTC))

    def give_away(self, name: str) -> bool:
        """Give a duty back when somebody waits for it who has two less of its kind. Whether we did."""
        kind = name.partition(" ")[0]
        with self._lock:
            held = self._held.get(name)
            ours = sum(one.startswith(kind + " ") for one in self._held)
            if held is None or ours < 2:
                return False
            with self._store.begin() as tx:
                who = tx.leases.standing_by(name, datetime.now(UTC))
                if not who or who == self._who or ours < tx.leases.held_by(who, kind) + 2:
                    return False
                tx.leases.release(held.lease)
            del self._held[name]
            return True

    def renew(self) -> list[str]:
        """Keep what we hold. Returns what we lost."""
        lost = []
        with self._lock:
            asked = time.monotonic()
            for name, held in list(self._held.items()):
                try:
                    with self._store.begin() as tx:
                        tx.leases.renew(held.lease, datetime.now(UTC))
                    held.until = asked + _SURE_SECONDS
                except LeaseLost:
                    del self._held[name]
                    lost.append(name)
        return lost

    def release(self) -> None:
        """Give everything back, so that another need not wait."""
        with self._lock:
            try:
                with self._store.begin() as tx:
                    for held in self._held.values():
                        tx.leases.release(held.lease)
            except TriageError:
                pass  # it runs out by itself
            self._held.clear()
