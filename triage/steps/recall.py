"""A round over refused mail that staff has taken up: once it is known whose it is, it is handled like any mail.

A specialist says to whom an address belongs (`#partner NAME`, `triage partners adopt`). What that address wrote before
was refused and opened no ticket, so it is marked here, and read again by the thread that owns its mailbox: a ticket
with the clock from the time at which the mail was received, and one reply.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store
from triage.adapters.imap import FolderStatus
from triage.adapters.readers import Done, Job
from triage.core.errors import MailError
from triage.steps.again import again
from triage.steps.intake import Inbox
from triage.steps.office import Office
from triage.steps.staff import RECALL
from triage.steps.telling import Telling


class FolderPort(Protocol):
    """What a round needs of a mailbox."""

    def select(self, folder: str) -> FolderStatus: ...
    def search_message(self, message_id: str) -> list[int]: ...
    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]: ...


class RawPort(Protocol):
    """Where the bytes of recent mail are kept."""

    def get(self, fingerprint: str) -> bytes | None: ...


class ReadersPort(Protocol):
    """What reads mail."""

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]: ...


class Recall:
    """Looks what was marked for this mailbox."""

    def __init__(
        self,
        mailbox: FolderPort,
        inbox: Inbox,
        store: Store,
        readers: ReadersPort,
        office: Office,
        raws: RawPort,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        queued: Callable[[], None] = lambda: None,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`queued` is called when there may be a reply to send; `fault` with the name of every step."""
        self._mailbox, self._inbox, self._store, self._readers = mailbox, inbox, store, readers
        self._office, self._raws, self._now, self._lease = office, raws, now, lease
        self._queued, self._fault = queued, fault

    def round(self) -> int:
        """Handle them. Returns how many were."""
        with self._store.look() as tx:
            marked = [key for key, mailbox in tx.meta.under(RECALL).items() if mailbox == self._inbox.name]
            mails = {key: tx.mails.by_id(int(key.removeprefix(RECALL))) for key in marked}
        handled = 0
        for key, mail in sorted(mails.items(), key=lambda one: int(one[0].removeprefix(RECALL))):
            if mail is None or mail.folder != "refused" or mail.ticket is not None:
                self._unmark(key)  # it has gone its way since
            elif mail.filed:  # else with the next round: it is on its way to its folder
                handled += self._one(key, mail)
        if handled:
            self._queued()
        return handled

    def _one(self, key: str, known: KnownMail) -> int:
        raw = self._raws.get(known.fingerprint) or self._fetched(known)
        done = next(iter(self._readers.read([Job(known.id, raw, known.received_at)])), None) if raw else None
        if done is None or done.email is None or done.reading is None or done.email.error:
            self._unmark(key, known, "its bytes are no longer kept" if raw is None else "it cannot be read")
            return 0
        with events.bind(message_id=known.message_id):
            telling = Telling(self._now(), {"recalled": True})
            with self._store.begin(self._lease()) as tx:
                again(tx, known, done.email, done.reading, self._office, telling, self._inbox.trust)
                tx.meta.drop(key)
                self._fault("recalling")
            self._fault("recalled")
            telling.say()
        return 1

    def _fetched(self, known: KnownMail) -> bytes | None:
        """The mail from the folder in which it lies."""
        if not known.message_id:
            return None
        self._mailbox.select(self._inbox.folders["refused"])
        uids = self._mailbox.search_message(known.message_id)
        try:
            return next((raw for _, raw in self._mailbox.fetch(uids[:1], self._inbox.max_message_bytes)), None)
        except MailError:
            return None

    def _unmark(self, key: str, known: KnownMail | None = None, why: str = "") -> None:
        """Leave it as it is; staff, who wanted it handled, is told when that could not be done."""
        with self._store.begin(self._lease()) as tx:
            tx.meta.drop(key)
            if known:
                keys = {"mail": known.id, "to": known.sender, "subject": known.subject, "reason": why}
                tx.notices.add(self._now(), "unread", None, keys)
