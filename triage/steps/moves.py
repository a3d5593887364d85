"""A round over what people moved: a mail that somebody took from waiting or refused to ready is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store, Transaction
from triage.adapters.imap import FolderStatus
from triage.core import lifecycle
from triage.steps import staff
from triage.steps.intake import Inbox
from triage.steps.office import Office
from triage.steps.telling import Telling

_AT_ONCE = 500


class FolderPort(Protocol):
    """What a round needs of a mailbox."""

    def select(self, folder: str) -> FolderStatus: ...
    def uids(self, after: int = 0) -> list[int]: ...
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
        office: Office,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`fault` is called with the name of every step: tests end the process there."""
        self._fault = fault
        self._mailbox, self._inbox, self._store, self._office = mailbox, inbox, store, office
        self._now, self._lease = now, lease

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
            ids = list(dict.fromkeys(self._mailbox.message_ids(batch).values()))
            telling = Telling(self._now())
            with self._store.begin(self._lease()) as tx:
                for mail in tx.mails.by_message_ids([one for one in ids if one]):
                    accepted += self._look(tx, mail, telling)
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
            if mail.message_id and mail.folder != folder:
                self._mailbox.select(self._inbox.folders[folder])
                uids = self._mailbox.search_message(mail.message_id)
                if uids:
                    self._lease()  # who was frozen and has lost it must not touch the mailbox either
                    self._mailbox.move(uids, self._inbox.folders[mail.folder])
            with self._store.begin(self._lease()) as tx:
                tx.mails.change(mail.id, released_from=None)
        return len(released)

    def _look(self, tx: Transaction, mail: KnownMail, telling: Telling) -> int:
        """Accept the ticket of a mail that we had put elsewhere."""
        if mail.mailbox != self._inbox.name or mail.folder not in ("waiting", "refused") or not mail.filed:
            return 0
        tx.mails.change(mail.id, folder="ready")
        ticket = tx.tickets.get(mail.ticket) if mail.ticket else None
        if ticket is None or ticket.state not in (lifecycle.AWAITING, lifecycle.REFUSED):
            return 0  # tidying up: the ticket has gone its way since
        staff.accept(tx, ticket, lifecycle.ACCEPTED, self._office, telling, "moved to ready")
        return 1
