"""One alarm when the mailbox or the mailer has not worked for a while, and one word when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from triage import events
from triage.adapters.db.store import Store
from triage.core.errors import Permanent, Temporary
from triage.core.replies import Facts, write
from triage.steps.office import Office


class Silence:
    """Remembers what fails since when. Used by several threads."""

    def __init__(
        self, store: Store, office: Office, minutes: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._office, self._limit, self._now = store, office, timedelta(minutes=minutes), now
        self._lock = threading.Lock()
        self._failing: dict[str, tuple[datetime, str]] = {}  # name -> since when, why
        self._alarmed: set[str] = set()

    def fails(self, name: str, reason: str) -> None:
        """It does not work. The first failure and every new reason are logged."""
        with self._lock:
            since, before = self._failing.get(name, (self._now(), ""))
            self._failing[name] = (since, reason)
        if reason != before:
            events.trouble("connection.failed", name=name, reason=reason)

    def works(self, name: str) -> None:
        """It works (again)."""
        with self._lock:
            failed = self._failing.pop(name, None)
            alarmed = name in self._alarmed
            self._alarmed.discard(name)
        if failed:
            events.mended("connection.restored", name=name, since=failed[0])
        if alarmed and failed:
            self._tell("alarm.over", name, failed[0], "")

    def look(self) -> None:
        """Raise the alarm for what has failed for too long."""
        now = self._now()
        with self._lock:
            late = [
                (name, since, reason)
                for name, (since, reason) in self._failing.items()
                if name not in self._alarmed and now - since >= self._limit
            ]
            self._alarmed.update(name for name, _, _ in late)
        for name, since, reason in late:
            self._tell("alarm.raised", name, since, reason)

    def _tell(self, event: str, name: str, since: datetime, reason: str) -> None:
        events.trouble(event, name=name, since=since, reason=reason or "it works again")
        office, now = self._office, self._now()
        language = office.rules.pack.manifest.languages[:1]
        facts = Facts(extra={"name": name, "since": since, "reason": reason, "over": event == "alarm.over"})
        try:
            with self._store.begin() as tx:
                for address in office.notify:
                    reply = write(office.rules, "staff_alarm", language, address, facts)
                    office.queue(tx, reply, now, seed=f"{event} {name} {address} {since.isoformat()}")
        except (Temporary, Permanent) as error:
            events.trouble("alarm.untold", reason=str(error))
