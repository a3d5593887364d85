"""One alarm when the mailbox or the mailer has not worked for a while, and one word when it is over.

A database that is away makes everything fail at once: that is one cause, and one alarm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from triage import events
from triage.adapters.db.store import Store
from triage.core.errors import Permanent, Temporary
from triage.core.replies import Facts, write
from triage.steps.office import Office

_DATABASE = "database"  # with which every message of its trouble begins


@dataclass(slots=True)
class _Failing:
    since: datetime
    reason: str

    def cause(self, name: str) -> str:
        return _DATABASE if self.reason.startswith(f"{_DATABASE}:") else name


@dataclass(frozen=True, slots=True)
class _Word:
    """What staff is to be told."""

    event: str
    name: str
    since: datetime
    reason: str


class Silence:
    """Remembers what fails since when. Used by several threads."""

    def __init__(
        self, store: Store, office: Office, minutes: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._office, self._limit, self._now = store, office, timedelta(minutes=minutes), now
        self._lock = threading.Lock()
        self._failing: dict[str, _Failing] = {}
        self._alarmed: dict[str, set[str]] = {}  # cause -> what fails for it
        self._untold: list[_Word] = []

    def fails(self, name: str, reason: str) -> None:
        """It does not work. The first failure and every new reason are logged."""
        with self._lock:
            failing = self._failing.setdefault(name, _Failing(self._now(), ""))
            before, failing.reason = failing.reason, reason
        if reason != before:
            events.trouble("connection.failed", name=name, reason=reason)

    def works(self, name: str) -> None:
        """It works (again)."""
        with self._lock:
            failed = self._failing.pop(name, None)
            over = []
            for cause, names in list(self._alarmed.items()):
                if name in names:
                    names.discard(name)
                    if not names:
                        del self._alarmed[cause]
                        over.append(cause)
        if failed is None:
            return
        events.mended("connection.restored", name=name, since=failed.since)
        for cause in over:
            events.mended("alarm.over", name=cause, since=failed.since)
            self._tell(_Word("alarm.over", cause, failed.since, ""))

    def look(self) -> None:
        """Raise the alarm for what has failed for too long."""
        now = self._now()
        raised = []
        with self._lock:
            told = {name for names in self._alarmed.values() for name in names}
            for name, failing in self._failing.items():
                if name in told or now - failing.since < self._limit:
                    continue
                cause = failing.cause(name)
                if cause not in self._alarmed:
                    raised.append(_Word("alarm.raised", cause, failing.since, failing.reason))
                self._alarmed.setdefault(cause, set()).add(name)
            untold, self._untold = self._untold, []
        for word in raised:
            events.trouble(word.event, name=word.name, since=word.since, reason=word.reason)
        for word in (*untold, *raised):
            self._tell(word)

    def _tell(self, word: _Word) -> None:
        """By mail; later when the database does not take it now."""
        office, now = self._office, self._now()
        language = office.rules.pack.manifest.languages[:1]
        over = word.event == "alarm.over"
        facts = Facts(extra={"name": word.name, "since": word.since, "reason": word.reason, "over": over})
        try:
            with self._store.begin() as tx:
                for address in office.notify:
                    reply = write(office.rules, "staff_alarm", language, address, facts)
                    office.queue(tx, reply, now, seed=f"{word.event} {word.name} {address} {word.since.isoformat()}")
        except (Temporary, Permanent):
            with self._lock:
                self._untold.append(word)
