"""A round over what has grown old: kept bytes of mail, the bytes of sent mail, closed tickets with all about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from triage.adapters.db.store import Store

_UNTOLD = timedelta(days=30)  # notices that nobody was told, for nobody is to be


class RawPort(Protocol):
    def sweep(self, now: datetime) -> int: ...


class KeepPort(Protocol):
    @property
    def closed_days(self) -> int: ...

    @property
    def raw_days(self) -> int: ...


class Housekeeping:
    """Deletes what is not kept any longer."""

    def __init__(
        self,
        store: Store,
        raws: RawPort,
        keep: KeepPort,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._raws, self._keep, self._now = store, raws, keep, now

    def round(self) -> None:
        """One turn; each transaction is short."""
        now = self._now()
        self._raws.sweep(now)
        with self._store.begin() as tx:
            tx.outbox.empty_sent(now - timedelta(days=max(1, self._keep.raw_days)))
            tx.notices.forget(now - _UNTOLD)
        if not self._keep.closed_days:
            return
        before = now - timedelta(days=self._keep.closed_days)
        more = True
        while more:
            with self._store.begin() as tx:
                more = bool(
                    tx.tickets.forget_closed(before) or tx.mails.forget_old(before) or tx.outbox.forget_old(before)
                )
        with self._store.begin() as tx:
            tx.people.forget_old(before)
