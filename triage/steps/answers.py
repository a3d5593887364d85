"""A round over what specialists sent: their Sent folder is read, never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.store import Store
from triage.adapters.imap import Arrived
from triage.adapters.readers import Done, Job
from triage.core import directory, threads
from triage.core.errors import LeaseLost, MailError, Permanent, Temporary
from triage.core.model import Email, Reading, Sender
from triage.steps import staff
from triage.steps.apply import Place
from triage.steps.intake import Inbox, MailboxPort, ReadersPort
from triage.steps.office import Office
from triage.steps.telling import Telling

_MOST_LEFT = 100  # mails that the server did not hand out, and that are asked for again


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
            last, *left = map(int, (tx.meta.get(key) or "0").split())
        uids = [*left, *sorted(self._mailbox.uids(after=last))]
        looked = 0
        for start in range(0, len(uids), self._inbox.batch):
            if self._stopping():
                break
            batch = uids[start : start + self._inbox.batch]
            arrived = self._mailbox.sizes_and_dates(batch)
            wanted = {
                uid: arrived[uid] for uid in batch if uid in arrived and arrived[uid].received >= self._inbox.since
            }
            withheld = set(wanted)
            with closing(self._readers.read(self._jobs(wanted, withheld))) as results:
                for done in results:
                    self._one(done, Place(self._name, status.uidvalidity, done.key))
                    looked += 1
            last = max(last, batch[-1])
            before, left = left, sorted((set(left) - set(batch)) | withheld)[-_MOST_LEFT:]
            with self._store.begin(self._lease()) as tx:
                tx.meta.put(key, " ".join(map(str, (last, *left))))
            self._fault("looked")
            for uid in set(left) - set(before):
                reason = f"the server does not hand it out of {self._folder}; it is asked again"
                events.trouble("message.withheld", reason=reason, uid=uid)
        return looked

    def _jobs(self, wanted: dict[int, Arrived], withheld: set[int]) -> Iterator[Job]:
        """The bytes, as far as the server hands them out."""
        with suppress(MailError):
            for uid, raw in self._mailbox.fetch(list(wanted), self._inbox.max_message_bytes):
                withheld.discard(uid)
                yield Job(uid, raw, wanted[uid].received)

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
                if (known and known.kind != "loop") or tx.mails.at(place.mailbox, place.uidvalidity, [place.uid]):
                    return  # seen in copy already; there one from our own address is not taken for an answer
                author = email.from_[0] if email.from_ else None
                sender = Sender(
                    author.address if author else "", author.name if author else "", directory.AUTHORIZED, staff=True
                )
                copy = known.id if known else None
                staff.handle(tx, email, reading, sender, self._office, telling, place, filed=True, copy_of=copy)
            self._fault("answered")
            telling.say()
