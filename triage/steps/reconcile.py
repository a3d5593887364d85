"""A round that counts what lies on the server against what was handled; a difference is an alarm with message ids.

    left behind    mail in the inbox for longer than it should be: never handled, or handled and not filed away
    missing        mail that was handled and filed since the last count, and now lies in no folder of the account:
                   not where we put it, nor where a person may have moved it

Each mail is counted once, soon after it was filed: what a person deletes months later is no difference. What the
folders got since the last count is read, not the folders: the cost is that of the new mail.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store
from triage.adapters.imap import Arrived, FolderStatus
from triage.steps.intake import Inbox

_PATIENCE = timedelta(minutes=10)  # for mail that lies in the inbox
_SHOWN = 100  # message ids in one alarm
_LOOK = 500


class FoldersPort(Protocol):
    """What a count needs of a mailbox."""

    def select(self, folder: str) -> FolderStatus: ...
    def examine(self, name: str) -> FolderStatus: ...
    def every_folder(self) -> dict[str, FolderStatus]: ...
    def received_since(self, time: datetime) -> list[int]: ...
    def uids(self, after: int = 0) -> list[int]: ...
    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]: ...
    def message_ids(self, uids: Sequence[int]) -> dict[int, str]: ...
    def search_message(self, message_id: str) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class _Memory:
    """Of the last count."""

    at: datetime
    last: int  # the mail up to which all were counted
    marks: dict[str, list[int]]  # folder -> UIDVALIDITY, and the UID that its next mail was to get
    told: list[str]  # what was left behind then


class Reconcile:
    """Counts, every so many minutes. Runs in the thread that owns the connection, between two rounds of intake."""

    def __init__(
        self,
        mailbox: FoldersPort,
        inbox: Inbox,
        store: Store,
        minutes: int,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
    ) -> None:
        self._mailbox, self._inbox, self._store, self._every = mailbox, inbox, store, timedelta(minutes=minutes)
        self._now, self._lease = now, lease
        self._key = f"reconcile:{inbox.name}"
        self._last: datetime | None = None

    def round(self) -> list[str]:
        """Count when it is time. Returns the message ids of the differences."""
        now = self._now()
        if self._last and abs(now - self._last) < self._every:
            return []
        memory = self._recall()
        if memory and abs(now - memory.at) < self._every:
            self._last = memory.at
            return []
        behind = self._left_behind(now)
        folders = self._mailbox.every_folder()
        with self._store.look() as tx:
            filed = tx.mails.filed_after(self._inbox.name, memory.last) if memory else []
            last = filed[-1].id if filed else memory.last if memory else tx.mails.newest()
        missing = self._missing(filed, folders, memory.marks) if memory else []
        fresh = [one for one in behind if memory is None or one not in memory.told]
        marks = {name: [one.uidvalidity, one.uidnext] for name, one in folders.items()}
        self._remember(_Memory(now, last, marks, behind), fresh, [_name(one) for one in missing])
        self._last = now
        return fresh + [_name(one) for one in missing]

    # ---------------------------------------------------------------- the inbox

    def _left_behind(self, now: datetime) -> list[str]:
        status = self._mailbox.select(self._inbox.folder)
        late: list[int] = []
        uids = self._mailbox.received_since(self._inbox.since)
        for start in range(0, len(uids), _LOOK):
            arrived = self._mailbox.sizes_and_dates(uids[start : start + _LOOK])
            late += [one.uid for one in arrived.values() if self._inbox.since <= one.received <= now - _PATIENCE]
        ids = self._mailbox.message_ids(late) if late else {}
        return [one or f"<no-id.{status.uidvalidity}.{uid}>" for uid, one in sorted(ids.items())]

    # ---------------------------------------------------------------- the folders

    def _missing(
        self, filed: Sequence[KnownMail], folders: dict[str, FolderStatus], marks: dict[str, list[int]]
    ) -> list[KnownMail]:
        """Those of the filed mails that no folder got since the last count, nor has at all."""
        if not filed:
            return []
        found = self._arrivals(folders, marks)
        missing = []
        for mail in filed:
            if mail.message_id and found[mail.message_id] > 0:
                found[mail.message_id] -= 1
            else:
                missing.append(mail)
        # Mail without an id of use is only counted: as many others must have come.
        if sum(found.values()) >= sum(not one.message_id for one in missing):
            missing = [one for one in missing if one.message_id]
        return [one for one in missing if not self._lies_somewhere(one)]

    def _arrivals(self, folders: dict[str, FolderStatus], marks: dict[str, list[int]]) -> Counter[str]:
        """How often each Message-ID has come into any folder since the last count."""
        found: Counter[str] = Counter()
        for name, status in folders.items():
            uidvalidity, uidnext = marks.get(name, [0, 1])
            after = max(0, uidnext - 1) if uidvalidity == status.uidvalidity else 0
            if status.uidnext and status.uidnext <= after + 1:
                continue
            self._mailbox.examine(name)
            found.update(self._mailbox.message_ids(self._mailbox.uids(after=after)).values())
        return found

    def _lies_somewhere(self, mail: KnownMail) -> bool:
        """A last look into our own folders, for mail that came there before the last count."""
        if not mail.message_id:
            return False
        for folder in dict.fromkeys([self._inbox.folders[mail.folder], *self._inbox.folders.values()]):
            self._mailbox.select(folder)
            if self._mailbox.search_message(mail.message_id):
                return True
        return False

    # ---------------------------------------------------------------- what is remembered, what is told

    def _recall(self) -> _Memory | None:
        with self._store.look() as tx:
            value = tx.meta.get(self._key)
        if value is None:
            return None
        known: dict[str, Any] = json.loads(value)
        return _Memory(datetime.fromisoformat(known["at"]), known["last"], known["marks"], known["told"])

    def _remember(self, memory: _Memory, behind: list[str], missing: list[str]) -> None:
        value = {"at": memory.at.isoformat(), "last": memory.last, "marks": memory.marks, "told": memory.told[:1000]}
        told = [
            (len(ids), ids[:_SHOWN], reason)
            for ids, reason in (
                (behind, f"mail in {self._inbox.folder} that was not handled or not filed away"),
                (missing, "mail that was filed and lies in no folder: deleted by a person, or lost by the server"),
            )
            if ids
        ]
        with self._store.begin(self._lease()) as tx:
            tx.meta.put(self._key, json.dumps(value))
            for count, ids, reason in told:
                text = f"{count} {reason}: {', '.join(ids[:10])}"
                tx.notices.add(memory.at, "difference", None, {"reason": text[:1000]})
        for count, ids, reason in told:
            events.trouble("reconcile.difference", reason=reason, mailbox=self._inbox.name, count=count, messages=ids)
        if not told:
            events.mended("reconcile.agreed", mailbox=self._inbox.name)


def _name(mail: KnownMail) -> str:
    return mail.message_id or f"<no-id.{mail.fingerprint[:16]}>"
