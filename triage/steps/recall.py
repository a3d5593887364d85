"""A round over refused mail that staff has taken up: once it is known whose it is, it is handled like any mail.

A specialist says to whom an address belongs (`#partner NAME`, `triage partners adopt`). What that address wrote before
was refused and opened no ticket, so it is marked here, and read again by the thread that owns its mailbox: a ticket
with the clock from the time at which the mail was received, and one reply.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store
from triage.adapters.imap import FolderStatus
from triage.adapters.readers import Done, Job
from triage.core.errors import Conflict, LeaseLost, MailError, Permanent, Temporary
from triage.steps.again import again
from triage.steps.intake import Inbox
from triage.steps.office import Office
from triage.steps.staff import RECALL
from triage.steps.telling import Telling

_MOST_ALIKE = 20  # mails with one Message-ID that are looked at


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
                handled += self._tried(key, mail)
        if handled:
            self._queued()
        return handled

    def _tried(self, key: str, known: KnownMail) -> int:
        """A surprise is one mail's: it stays refused, and the next one goes on."""
        try:
            return self._one(key, known)
        except (Temporary, Permanent, LeaseLost):
            raise
        except Conflict:
            return 0  # `triage requeue` was faster: the next round sees what became of it
        except Exception as error:
            events.surprise("message.surprise", error, message_id=known.message_id)
            self._unmark(key, known, f"surprise: {type(error).__name__}")
            return 0

    def _one(self, key: str, known: KnownMail) -> int:
        kept = self._raws.get(known.fingerprint)
        raws = [kept] if kept is not None else self._fetched(known)
        jobs = (Job(number, raw, known.received_at) for number, raw in enumerate(raws))
        # Others may have written its Message-ID, too.
        found = (one for one in self._readers.read(jobs) if one.email and one.email.fingerprint == known.fingerprint)
        done = next(found, None)
        if done is None or done.email is None or done.reading is None or done.email.error:
            self._unmark(key, known, "it cannot be read" if raws else "its bytes are no longer kept")
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

    def _fetched(self, known: KnownMail) -> list[bytes]:
        """The mail from the folder in which it lies, and others that bear its Message-ID."""
        if not known.message_id:
            return []
        self._mailbox.select(self._inbox.folders["refused"])
        uids = self._mailbox.search_message(known.message_id)[:_MOST_ALIKE]
        found = []
        with suppress(MailError):  # there are some that the server does not hand out
            for _, raw in self._mailbox.fetch(uids, self._inbox.max_message_bytes):
                found.append(raw)
        return found

    def _unmark(self, key: str, known: KnownMail | None = None, why: str = "") -> None:
        """Leave it as it is; staff, who wanted it handled, is told when that could not be done."""
        with self._store.begin(self._lease()) as tx:
            tx.meta.drop(key)
            if known:
                keys = {"mail": known.id, "to": known.sender, "subject": known.subject, "reason": why}
                tx.notices.add(self._now(), "unread", None, keys)
