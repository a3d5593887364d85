"""A round over the mailbox: fetch, read, decide, store, file away.

    what lies there and is known already        only filed away
    what came before `since`                    left alone
    everything else                             read (in processes of their own), then in order:
                                                gather, decide, apply in one transaction; told; moved to its folder

A commit costs as much for twenty mails as for one, so a backlog is committed a few mails at a time: they stand together
or not at all. When anything goes wrong with one of them, nothing of them was done, and each is handled by itself.

A kill at any line loses nothing: a mail stays in the mailbox until its key is committed, and what is committed is
known by its key when it is seen again. A surprise quarantines this one mail, loudly, and the next one goes on. What
the server does not hand out (a scanner holds it back) is asked for again with every round.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from triage import events
from triage.adapters.db.leases import Lease
from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Store, Transaction
from triage.adapters.imap import Arrived, FolderStatus
from triage.adapters.readers import Done, Job
from triage.core import authenticity, directory
from triage.core.decide import decide
from triage.core.errors import Conflict, LeaseLost, MailError, Permanent, Temporary, TriageError
from triage.core.model import Email, Reading, Trust
from triage.steps import bounces, staff
from triage.steps.apply import Place, apply, record
from triage.steps.gather import Gathered, foresee, gather, sender
from triage.steps.office import Office
from triage.steps.telling import Telling

_LOOK = 500  # mails whose size and date are asked for at once
_TOGETHER = 20  # mails that are committed at once
_DOUBTED = (authenticity.FORGED, authenticity.UNPROVEN)  # a sender who is not proven, though our server looked
_TRIES = 3  # of a mail at which the database fails; then it is quarantined, if the database takes that


class MailboxPort(Protocol):
    """What a round needs of a mailbox."""

    def select(self, folder: str) -> FolderStatus: ...
    def ensure_folder(self, folder: str) -> str: ...
    def uids(self, after: int = 0) -> list[int]: ...
    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]: ...
    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]: ...
    def move(self, uids: Sequence[int], folder: str, *, again: bool = False) -> None: ...


class ReadersPort(Protocol):
    """What reads mail."""

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]: ...


class RawPort(Protocol):
    """Where the bytes of recent mail are kept."""

    def keep(self, fingerprint: str, raw: bytes, *, replace: bool = True) -> None: ...


@dataclass(frozen=True, slots=True)
class Inbox:
    """A mailbox as it is configured."""

    name: str
    folder: str
    folders: dict[str, str]  # ready, waiting ... -> the folder on the server
    since: datetime
    max_message_bytes: int
    batch: int
    trust: Trust


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail that was read, and where it lies."""

    arrived: Arrived
    place: Place
    email: Email
    reading: Reading | None  # None: it could not be understood
    failure: str = ""


class Intake:
    """Repeats rounds over one mailbox. Runs in the thread that owns the connection."""

    def __init__(
        self,
        mailbox: MailboxPort,
        inbox: Inbox,
        store: Store,
        readers: ReadersPort,
        office: Office,
        raw: RawPort,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease: Callable[[], Lease | None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
        queued: Callable[[], None] = lambda: None,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`queued` is called when there may be a reply to send.

        `fault` is called with the name of every step of a mail's way: tests end the process there.
        """
        self._mailbox, self._inbox, self._store, self._readers = mailbox, inbox, store, readers
        self._office, self._raw, self._now, self._lease = office, raw, now, lease
        self._stopping, self._queued, self._fault = stopping, queued, fault
        self._seen: tuple[int, int] = (0, 0)  # UIDVALIDITY, and the UID up to which nothing is left to do
        self._left: Counter[int] = Counter()  # UIDs that the server listed and did not hand out: for how many rounds
        self._tries: Counter[int] = Counter()

    def prepare(self) -> None:
        """Make the folders. Called once for each connection."""
        for folder in dict.fromkeys(self._inbox.folders.values()):
            self._mailbox.ensure_folder(folder)

    def round(self) -> int:
        """Handle all that waits. Returns how many mails were handled."""
        status = self._mailbox.select(self._inbox.folder)
        self._file_leftovers(status.uidvalidity)
        if self._seen[0] != status.uidvalidity:
            self._seen = (status.uidvalidity, 0)
            self._tries.clear()
            self._left.clear()
        before, self._left = self._left, Counter()
        handled = 0
        uids = self._mailbox.uids(after=self._seen[1])
        for start in range(0, len(uids), _LOOK):
            listed = uids[start : start + _LOOK]
            arrived = self._mailbox.sizes_and_dates(listed)
            self._left.update(set(listed) - arrived.keys())
            fresh = [arrived[uid] for uid in sorted(arrived) if arrived[uid].received >= self._inbox.since]
            for batch in _batches(fresh, self._inbox.batch):
                if self._stopping():
                    return handled
                handled += self._batch(status.uidvalidity, batch)
            # What was taken away meanwhile is not listed the next time; what is, is asked for again.
            self._seen = (status.uidvalidity, max(min(self._left, default=listed[-1] + 1) - 1, self._seen[1]))
        for uid in sorted(self._left):
            self._left[uid] += before[uid]
            if self._left[uid] == 2:
                events.trouble("message.withheld", reason="the server does not hand it out; it is asked again", uid=uid)
        return handled

    # ---------------------------------------------------------------- a batch

    def _batch(self, uidvalidity: int, batch: list[Arrived]) -> int:
        with self._store.look() as tx:
            known = tx.mails.at(self._inbox.name, uidvalidity, [one.uid for one in batch])
        self._file(list(known.values()))
        jobs = self._fetch([one for one in batch if one.uid not in known])
        done: list[tuple[int, int, str]] = []  # uid, mail, folder
        try:
            with closing(self._readers.read(jobs)) as results:
                for group in self._groups(results, uidvalidity):
                    for one, (mail, folder) in self._together(group):
                        done.append((one.place.uid, mail, folder))
        finally:
            self._move(done)
        return len(done)

    def _groups(self, results: Iterator[Done], uidvalidity: int) -> Iterator[list[_Read]]:
        """What was read, as many mails as are committed at once; an unreadable one by itself."""
        group: list[_Read] = []
        for result in results:
            read = self._kept(result, *self._pending.pop(result.key), uidvalidity)
            stopping = self._stopping()
            if read.reading is None or len(group) == _TOGETHER - 1 or stopping:
                yield [*group, read] if read.reading else group
                group = []
            else:
                group.append(read)
            if read.reading is None:
                yield [read]
            if stopping:
                return
        yield group

    def _kept(self, result: Done, arrived: Arrived, raw: bytes, uidvalidity: int) -> _Read:
        """A mail that was read, its bytes kept as far as they are wanted later."""
        email = result.email or _unreadable(arrived, raw, result.failure or "could not be read")
        with events.bind(message_id=_bound(email)):
            # A forged copy does not take the place of what was kept of the genuine mail.
            doubted = authenticity.verify(email, self._inbox.trust) in _DOUBTED
            self._raw.keep(email.fingerprint, raw, replace=not doubted)
        readable = result.reading is not None and not email.error
        place = Place(self._inbox.name, uidvalidity, result.key)
        return _Read(arrived, place, email, result.reading if readable else None, result.failure)

    def _fetch(self, batch: list[Arrived]) -> Iterator[Job]:
        """The bytes, a few mails at a time; of a mail that is too large only its head and its first text."""
        self._pending: dict[int, tuple[Arrived, bytes]] = {}
        by_uid = {one.uid: one for one in batch}
        missing = set(by_uid)
        try:
            for uid, raw in self._mailbox.fetch(list(by_uid), self._inbox.max_message_bytes):
                self._fault("fetched")
                missing.discard(uid)
                self._pending[uid] = (by_uid[uid], raw)
                yield Job(uid, raw, by_uid[uid].received)
        except MailError:
            pass  # there are some that it does not hand out
        self._left.update(missing)

    # ---------------------------------------------------------------- mails

    def _together(self, group: list[_Read]) -> Iterator[tuple[_Read, tuple[int, str]]]:
        """Each mail with its row and its folder, as soon as that is committed."""
        failure: Exception | None = None
        if len(group) > 1:
            try:
                filed = self._decide(group)
            except (Permanent, LeaseLost):
                raise
            except Exception as error:  # nothing was committed: by itself each mail shows whether it was at fault
                failure = error
            else:
                yield from zip(group, filed, strict=True)
                return
        folders: set[str] = set()
        for read in group:
            mail, folder = self._one(read)
            folders.add(folder)
            yield read, (mail, folder)
        if failure and not isinstance(failure, TriageError) and "quarantine" not in folders:
            events.surprise("message.surprise", failure)  # it passed, and nobody else has told of it

    def _one(self, read: _Read) -> tuple[int, str]:
        """One mail by itself, whatever it is. Returns its row and its folder."""
        email, place = read.email, read.place
        with events.bind(message_id=_bound(email)):
            if read.reading is None:
                return self._quarantine(email, place, email.error or read.failure)
            try:
                return self._decided(read)
            except (Permanent, LeaseLost):
                raise  # the world's fault, not this mail's: it stays where it lies
            except Temporary as error:
                self._tries[place.uid] += 1
                if self._tries[place.uid] < _TRIES:
                    raise
                return self._quarantine(email, place, str(error))
            except MailError as error:
                return self._quarantine(email, place, str(error))
            except Exception as error:
                events.surprise("message.surprise", error)
                return self._quarantine(email, place, f"surprise: {type(error).__name__}")

    def _decided(self, read: _Read) -> tuple[int, str]:
        try:
            return self._decide([read])[0]
        except Conflict:  # the same mail came to another mailbox at this moment: now it is seen
            return self._decide([read])[0]

    def _decide(self, group: Sequence[_Read]) -> list[tuple[int, str]]:
        """Decide about these mails in one transaction, then tell it. Returns the row and folder of each."""
        filed: list[tuple[int, str]] = []
        told: list[Telling] = []
        now = self._now()
        with self._store.begin(self._lease()) as tx:
            if len(group) > 1:
                foresee(tx, [(read.email, read.reading) for read in group if read.reading], self._office, now)
            for read in group:
                with events.bind(message_id=_bound(read.email)):
                    self._fault("begun")
                    told.append(Telling(now))
                    filed.append(self._applied(tx, read, told[-1]))
                    self._fault("applied")
        for read, telling in zip(group, told, strict=True):
            self._fault("committed")
            email = read.email
            with events.bind(message_id=_bound(email)):
                sender = email.from_[0].address if email.from_ else ""
                events.received(sender=sender, subject=email.subject, size=read.arrived.size, received=email.received)
                telling.say()
        self._queued()
        return filed

    def _applied(self, tx: Transaction, read: _Read, telling: Telling) -> tuple[int, str]:
        assert read.reading is not None
        email, size = read.email, read.arrived.size
        filed = handle(tx, email, read.reading, self._office, telling, read.place, self._inbox.trust)
        if size > self._inbox.max_message_bytes:
            telling.event("message.truncated", reason="larger than limits.max_message_bytes", size=size)
            tx.notices.add(telling.now, "truncated", None, {"subject": email.subject, "size": size})
        return filed

    def _quarantine(self, email: Email, place: Place, reason: str) -> tuple[int, str]:
        now = self._now()
        with self._store.begin(self._lease()) as tx:
            original = tx.mails.original(email.fingerprint)
            mail = record(
                tx, email, now, place, folder="quarantine", kind="unreadable",
                duplicate_of=original.id if original else None,
            )  # fmt: skip
            tx.notices.add(now, "quarantined", None, {"mail": mail, "reason": reason, "subject": email.subject})
        self._fault("quarantined")
        events.quarantined(reason=reason, mail=mail)
        return mail, "quarantine"

    # ---------------------------------------------------------------- filing

    def _file_leftovers(self, uidvalidity: int) -> None:
        """What was committed but not moved before the daemon ended."""
        with self._store.look() as tx:
            left = tx.mails.unfiled(self._inbox.name, 1000)
        if not left:
            return
        self._file([one for one in left if one.uidvalidity == uidvalidity])
        # Under another UIDVALIDITY the place is no more; the mail is met again under its new one.
        gone = [one.id for one in left if one.uidvalidity != uidvalidity]
        if gone:
            with self._store.begin(self._lease()) as tx:
                tx.mails.file(gone, self._now())

    def _file(self, mails: Sequence[KnownMail]) -> None:
        """Mails that were handled before, and may have been moved half way."""
        self._move([(one.uid, one.id, one.folder) for one in mails], again=True)

    def _move(self, done: Sequence[tuple[int, int, str]], *, again: bool = False) -> None:
        by_folder: dict[str, list[tuple[int, int]]] = {}
        for uid, mail, folder in done:
            by_folder.setdefault(folder, []).append((uid, mail))
        for folder, entries in by_folder.items():
            lease = self._lease()  # who was frozen and has lost it must not touch the mailbox either
            self._fault("moving")
            self._mailbox.move([uid for uid, _ in entries], self._inbox.folders[folder], again=again)
            self._fault("moved")
            with self._store.begin(lease) as tx:
                tx.mails.file([mail for _, mail in entries], self._now())
            self._fault("filed")


def handle(
    tx: Transaction, email: Email, reading: Reading, office: Office, telling: Telling, place: Place, trust: Trust
) -> tuple[int, str]:
    """Everything that one mail brings about. Returns its row and its folder."""
    original = tx.mails.original(email.fingerprint)
    if original and not _counts_anew(tx, original, email, office, telling.now, trust):
        return _second_delivery(tx, email, original, telling, place)
    if original:
        # It is handled like any mail, and that handling counts.
        tx.mails.change(original.id, duplicate_of=original.id)
    mail, folder = _anew(tx, email, reading, office, telling, place, trust)
    if original:
        tx.mails.change(original.id, duplicate_of=mail)
    return mail, folder


def _anew(
    tx: Transaction, email: Email, reading: Reading, office: Office, telling: Telling, place: Place, trust: Trust
) -> tuple[int, str]:
    """A mail that was not decided about before."""
    gathered: Gathered = gather(tx, email, reading, office, trust, telling.now)
    if gathered.sender.staff and reading.kind.value != "bounce":  # the vendor's own server returns mail, too
        return staff.handle(tx, email, reading, gathered.sender, office, telling, place)
    decision = decide(email, reading, gathered.sender, office.rules, telling.now, gathered.history)
    mail = apply(tx, email, reading, gathered, decision, office, telling, place)
    if reading.kind.value == "bounce":
        bounces.note(tx, email, office, telling)
    return mail, decision.folder


def _counts_anew(
    tx: Transaction, original: KnownMail, email: Email, office: Office, now: datetime, trust: Trust
) -> bool:
    """Whether a mail is handled again although the same one was: a person put it back out of quarantine; or what came
    first was refused for its sender, as a forged copy, or one that took another way, and this one was not; or as a
    stranger's, who belongs to a partner by now."""
    if original.folder == "quarantine":
        return True
    reasons = (original.reading or {}).get("reasons", ())
    if original.folder != "refused":
        return False
    if directory.STRANGER in reasons:
        return sender(tx, email, office, trust, now).status not in (directory.UNKNOWN, directory.UNAUTHENTICATED)
    doubted = any(one in _DOUBTED for one in reasons)
    return doubted and authenticity.verify(email, trust) not in _DOUBTED


def _second_delivery(
    tx: Transaction, email: Email, original: KnownMail, telling: Telling, place: Place
) -> tuple[int, str]:
    """The same mail again: by a second alias, after a change of UIDVALIDITY, or put back by a person."""
    same = (original.mailbox, original.uidvalidity) == (place.mailbox, place.uidvalidity)
    # In a folder that was made anew this may be the only copy; each mailbox has its own.
    folder = "ignored" if same else original.folder
    telling.event("message.ignored", reason="delivered-before", sender=original.sender)
    mail = record(tx, email, telling.now, place, folder=folder, duplicate_of=original.id, kind=original.kind)
    return mail, folder


def _unreadable(arrived: Arrived, raw: bytes, why: str) -> Email:
    """A stand-in for a mail that no parser could read: known by its bytes."""
    return Email(fingerprint=hashlib.sha256(raw).hexdigest(), received=arrived.received, size=arrived.size, error=why)


def _bound(email: Email) -> str:
    """The message id on every line of a mail."""
    return email.message_id or f"<no-id.{email.fingerprint[:16]}>"


def _batches(arrived: Sequence[Arrived], size: int) -> Iterator[list[Arrived]]:
    for start in range(0, len(arrived), size):
        yield list(arrived[start : start + size])


def first_start(store: Store, mailbox: str, now: datetime) -> datetime:
    """When this mailbox was read for the first time: mail from before that is left alone."""
    key = f"since:{mailbox}"
    with store.begin() as tx:
        known = tx.meta.get(key)
        if known:
            return datetime.fromisoformat(known)
        since = now.replace(microsecond=0)  # the server's receive times are whole seconds
        tx.meta.put(key, since.isoformat())
        return since
