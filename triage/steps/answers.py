"""A round over what specialists sent: their Sent folder is read, never changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.store import Store
from triage.adapters.readers import Done, Job
from triage.core import directory, threads
from triage.core.errors import LeaseLost, Permanent, Temporary
from triage.core.model import Email, Reading, Sender
from triage.steps import staff
from triage.steps.apply import Place
from triage.steps.intake import Inbox, MailboxPort, ReadersPort
from triage.steps.office import Office
from triage.steps.telling import Telling


class Answers:
    """Repeats rounds over the Sent folder."""

    def __init__(
        self,
        mailbox: MailboxPort,
        inbox: Inbox,
        folder: str,
        store: Store,
        readers: ReadersPort,
        office: Office,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`fault` is called with the name of every step: tests end the process there."""
        self._stopping, self._fault = stopping, fault
        self._mailbox, self._inbox, self._folder, self._store = mailbox, inbox, folder, store
        self._readers, self._office, self._now, self._lease = readers, office, now, lease
        self._name = f"{inbox.name} {folder}"

    def round(self) -> int:
        """Read what is new. Returns how many mails were looked at."""
        status = self._mailbox.select(self._folder)
        key = f"sent:{self._name}:{status.uidvalidity}"
        with self._store.look() as tx:
            last = int(tx.meta.get(key) or 0)
        uids = sorted(self._mailbox.uids(after=last))
        looked = 0
        for start in range(0, len(uids), self._inbox.batch):
            if self._stopping():
                break
            batch = uids[start : start + self._inbox.batch]
            arrived = self._mailbox.sizes_and_dates(batch)
            wanted = [uid for uid in batch if uid in arrived and arrived[uid].received >= self._inbox.since]
            raws = self._mailbox.fetch(wanted, self._inbox.max_message_bytes)
            jobs = (Job(uid, raw, arrived[uid].received) for uid, raw in raws)
            for done in self._readers.read(jobs):
                self._one(done, Place(self._name, status.uidvalidity, done.key))
                looked += 1
            with self._store.begin(self._lease()) as tx:
                tx.meta.put(key, str(batch[-1]))
            self._fault("looked")
        return looked

    def _one(self, done: Done, place: Place) -> None:
        if done.email is None or done.reading is None or done.email.error:
            return  # it lies in a folder of ours, unharmed: a person wrote it and knows
        email, reading = done.email, done.reading
        try:
            self._handle(email, reading, place)
        except (Temporary, Permanent, LeaseLost):
            raise
        except Exception as error:
            events.surprise("answer.surprise", error, message_id=email.message_id)

    def _handle(self, email: Email, reading: Reading, place: Place) -> None:
        if threads.own(email.message_id, self._office.desk):
            return  # a server that files what we send: an automatic reply stops no clock
        with events.bind(message_id=email.message_id):
            telling = Telling(self._now())
            with self._store.begin(self._lease()) as tx:
                known = tx.mails.original(email.fingerprint)
                if known or tx.mails.at(place.mailbox, place.uidvalidity, [place.uid]):
                    return  # seen in copy already
                author = email.from_[0] if email.from_ else None
                sender = Sender(
                    author.address if author else "", author.name if author else "", directory.AUTHORIZED, staff=True
                )
                staff.handle(tx, email, reading, sender, self._office, telling, place, filed=True)
            self._fault("answered")
            telling.say()
