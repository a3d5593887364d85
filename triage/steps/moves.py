"""A round over what people moved: a mail that somebody took from waiting or refused to ready is accepted.

A mail is known again by its Message-ID. One that has none, one of no use or another mail's, is known by its receive
time, which the server keeps when a mail is moved, and then by what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store, Transaction
from triage.adapters.imap import Arrived, FolderStatus
from triage.adapters.readers import Job
from triage.core import lifecycle
from triage.core.errors import MailError
from triage.steps import staff
from triage.steps.intake import Inbox, ReadersPort
from triage.steps.office import Office
from triage.steps.telling import Telling

_AT_ONCE = 500
_ELSEWHERE = ("waiting", "refused")  # whence a mail can be accepted


class FolderPort(Protocol):
    """What a round needs of a mailbox."""

    def select(self, folder: str) -> FolderStatus: ...
    def uids(self, after: int = 0) -> list[int]: ...
    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]: ...
    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]: ...
    def message_ids(self, uids: Sequence[int]) -> dict[int, str]: ...
    def search_message(self, message_id: str) -> list[int]: ...
    def move(self, uids: Sequence[int], folder: str) -> None: ...


class Moves:
    """Watches the ready folder."""

    def __init__(
        self,
        mailbox: FolderPort,
        inbox: Inbox,
        store: Store,
        readers: ReadersPort,
        office: Office,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`fault` is called with the name of every step: tests end the process there."""
        self._fault = fault
        self._mailbox, self._inbox, self._store, self._office = mailbox, inbox, store, office
        self._readers, self._now, self._lease = readers, now, lease

    def round(self) -> int:
        """Look at what is new in the ready folder. Returns how many tickets were accepted."""
        folder = self._inbox.folders["ready"]
        status = self._mailbox.select(folder)
        key = f"ready:{self._inbox.name}:{status.uidvalidity}"
        with self._store.look() as tx:
            last = int(tx.meta.get(key) or 0)
        uids = sorted(self._mailbox.uids(after=last))
        accepted = 0
        for start in range(0, len(uids), _AT_ONCE):
            batch = uids[start : start + _AT_ONCE]
            moved = self._put_elsewhere(batch)
            telling = Telling(self._now())
            with self._store.begin(self._lease()) as tx:
                for mail in (tx.mails.by_id(one) for one in moved):
                    accepted += self._look(tx, mail, telling) if mail else 0
                tx.meta.put(key, str(batch[-1]))
                self._fault("accepting")
            self._fault("accepted")
            telling.say()
        return accepted

    def release(self) -> int:
        """Move what was handled again out of the folder where it still lies. Returns how many."""
        with self._store.look() as tx:
            released = tx.mails.released(self._inbox.name)
        for mail, folder in released:
            if mail.folder != folder:
                self._mailbox.select(self._inbox.folders[folder])
                uids = self._mailbox.search_message(mail.message_id) if mail.message_id else []
                if len(uids) != 1:  # a forger may have written its Message-ID, too
                    uids = list(self._alike(uids or self._mailbox.uids(), [mail]))
                if uids:
                    self._lease()  # who was frozen and has lost it must not touch the mailbox either
                    self._mailbox.move(uids, self._inbox.folders[mail.folder])
            with self._store.begin(self._lease()) as tx:
                tx.mails.change(mail.id, released_from=None)
        return len(released)

    def _look(self, tx: Transaction, mail: KnownMail, telling: Telling) -> int:
        """Accept the ticket of a mail that we had put elsewhere."""
        if mail.mailbox != self._inbox.name or mail.folder not in _ELSEWHERE or not mail.filed:
            return 0
        tx.mails.change(mail.id, folder="ready")
        ticket = tx.tickets.get(mail.ticket) if mail.ticket else None
        if ticket is None or ticket.state not in (lifecycle.AWAITING, lifecycle.REFUSED):
            return 0  # tidying up: the ticket has gone its way since
        staff.accept(tx, ticket, lifecycle.ACCEPTED, self._office, telling, "moved to ready")
        return 1

    # ---------------------------------------------------------------- which mail is which

    def _put_elsewhere(self, uids: Sequence[int]) -> list[int]:
        """The rows of those of these mails in the ready folder that we had put elsewhere.

        Where a Message-ID is also that of a mail which we put here ourselves, it tells nothing: anybody can write the
        one of a mail that he knows, and would have another partner's ticket accepted.
        """
        ids = self._mailbox.message_ids(uids)
        with self._store.look() as tx:
            known = tx.mails.by_message_ids([one for one in dict.fromkeys(ids.values()) if one])
            nameless = tx.mails.nameless(self._inbox.name, _ELSEWHERE) if "" in ids.values() else []
        elsewhere = [one for one in known if one.folder in _ELSEWHERE]
        shared = {one.message_id for one in known if one.folder not in _ELSEWHERE}
        doubtful = [uid for uid, one in ids.items() if not one or one in shared]
        candidates = [*nameless, *(one for one in elsewhere if one.message_id in shared)]
        alike = self._alike(doubtful, candidates).values() if candidates else ()
        return [*(one.id for one in elsewhere if one.message_id not in shared), *(one.id for one in alike)]

    def _alike(self, uids: Sequence[int], mails: Iterable[KnownMail]) -> dict[int, KnownMail]:
        """Which of these messages are one of these mails. Only those that came at the same second are read."""
        known = {mail.fingerprint: mail for mail in mails}
        times = {mail.received_at.replace(microsecond=0) for mail in known.values()}
        found: dict[int, KnownMail] = {}
        if not times:
            return found
        for start in range(0, len(uids), _AT_ONCE):
            arrived = self._mailbox.sizes_and_dates(uids[start : start + _AT_ONCE])
            for done in self._readers.read(self._jobs(one for one in arrived.values() if one.received in times)):
                if done.email and done.email.fingerprint in known:
                    found[done.key] = known[done.email.fingerprint]
        return found

    def _jobs(self, arrived: Iterable[Arrived]) -> Iterator[Job]:
        by_uid = {one.uid: one for one in arrived}
        with suppress(MailError):  # there are some that the server does not hand out
            for uid, raw in self._mailbox.fetch(list(by_uid), self._inbox.max_message_bytes):
                yield Job(uid, raw, by_uid[uid].received)
