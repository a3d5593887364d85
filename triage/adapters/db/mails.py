"""Handled mails: which are known, which are still to be filed away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, tuple_, update

from triage.adapters.db.tables import mails


@dataclass(frozen=True, slots=True)
class KnownMail:
    """A mail that was handled before."""

    id: int
    uid: int
    uidvalidity: int
    mailbox: str
    fingerprint: str
    message_id: str
    sender: str
    subject: str
    folder: str
    filed: bool
    ticket: int | None
    received_at: datetime
    kind: str
    reading: dict[str, Any] | None


# Asked for every mail: made once, for to make a statement takes as long as to run it.
_ORIGINAL = select(mails).where(mails.c.fingerprint == bindparam("wanted"), mails.c.duplicate_of.is_(None))
_SAME_TEXT = select(func.count()).where(
    mails.c.sender == bindparam("by"),
    mails.c.text_hash == bindparam("words"),
    mails.c.received_at >= bindparam("since"),
)


class Mails:
    """Queries about mails within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._originals: dict[str, KnownMail | None] = {}  # by fingerprint, as far as asked before
        self._texts: Counter[tuple[str, str]] = Counter()  # how often a sender sent these words
        self._since: datetime | None = None  # from when on those count

    def foresee(self, fingerprints: Sequence[str], texts: Iterable[tuple[str, str]], since: datetime) -> None:
        """Ask at once what `original` and `same_text` will be asked about each of these mails. A text: its sender, and
        the hash of its words."""
        query = select(mails).where(mails.c.fingerprint.in_(list(fingerprints)), mails.c.duplicate_of.is_(None))
        rows = self._connection.execute(query)
        self._originals = dict.fromkeys(fingerprints) | {row.fingerprint: _known(row) for row in rows}
        wanted = sorted(set(texts))
        counted = select(mails.c.sender, mails.c.text_hash, func.count()).where(
            tuple_(mails.c.sender, mails.c.text_hash).in_(wanted), mails.c.received_at >= since
        )
        rows = self._connection.execute(counted.group_by(mails.c.sender, mails.c.text_hash))
        self._texts = Counter(dict.fromkeys(wanted, 0))
        for sender, words, count in rows:
            self._texts[sender, words] = count
        self._since = since

    def forget_foreseen(self) -> None:
        """What was asked before may not hold any more."""
        self._originals.clear()
        self._texts.clear()
        self._since = None

    def at(self, mailbox: str, uidvalidity: int, uids: Sequence[int]) -> dict[int, KnownMail]:
        """Those of these UIDs that were handled already."""
        if not uids:
            return {}
        query = select(mails).where(
            mails.c.mailbox == mailbox, mails.c.uidvalidity == uidvalidity, mails.c.uid.in_(list(uids))
        )
        return {row.uid: _known(row) for row in self._connection.execute(query)}

    def original(self, fingerprint: str) -> KnownMail | None:
        """The first delivery of a mail."""
        if fingerprint in self._originals:
            return self._originals[fingerprint]
        row = self._connection.execute(_ORIGINAL, {"wanted": fingerprint}).first()
        return _known(row) if row else None

    def by_id(self, mail: int) -> KnownMail | None:
        row = self._connection.execute(select(mails).where(mails.c.id == mail)).first()
        return _known(row) if row else None

    def of_ticket(self, ticket: int) -> list[KnownMail]:
        query = select(mails).where(mails.c.ticket == ticket).order_by(mails.c.received_at, mails.c.id)
        return [_known(row) for row in self._connection.execute(query)]

    def by_message_ids(self, message_ids: Sequence[str]) -> list[KnownMail]:
        """Handled mails with one of these Message-IDs, for a look at what a person moved."""
        if not message_ids:
            return []
        ids = [one[:300] for one in message_ids]  # as they are stored
        query = select(mails).where(mails.c.message_id.in_(ids), mails.c.duplicate_of.is_(None))
        return [_known(row) for row in self._connection.execute(query)]

    def nameless(self, mailbox: str, folders: Sequence[str]) -> list[KnownMail]:
        """Mails without a Message-ID that were put into one of these folders."""
        query = select(mails).where(
            mails.c.message_id == "", mails.c.mailbox == mailbox, mails.c.folder.in_(folders),
            mails.c.duplicate_of.is_(None), mails.c.filed_at.is_not(None),
        )  # fmt: skip
        return [_known(row) for row in self._connection.execute(query)]

    def without_ticket(self, senders: Sequence[str], folder: str, since: datetime, limit: int) -> list[KnownMail]:
        """The newest mails of these addresses that lie in a folder and belong to no ticket, the oldest first."""
        query = select(mails).where(
            mails.c.sender.in_(list(senders)), mails.c.folder == folder, mails.c.received_at >= since,
            mails.c.ticket.is_(None), mails.c.duplicate_of.is_(None),
        )  # fmt: skip
        rows = self._connection.execute(query.order_by(mails.c.received_at.desc(), mails.c.id.desc()).limit(limit))
        return [_known(row) for row in rows][::-1]

    def add(self, **values: Any) -> int:
        """A handled mail, still to be filed. Returns its id."""
        self._originals.pop(values["fingerprint"], None)
        text = (values.get("sender", ""), values.get("text_hash", ""))
        if text in self._texts and self._since and values["received_at"] >= self._since:
            self._texts[text] += 1
        return int(self._connection.execute(mails.insert().returning(mails.c.id), values).scalar_one())

    def change(self, mail: int, **values: Any) -> None:
        self.forget_foreseen()
        self._connection.execute(update(mails).where(mails.c.id == mail).values(**values))

    def remove(self, mail: int, *, folder: str = "") -> bool:
        """Forget that a mail was handled, and its further deliveries. Whether it was there (in this folder)."""
        self.forget_foreseen()
        statement = delete(mails).where(mails.c.id == mail)
        return bool(
            self._connection.execute(statement.where(mails.c.folder == folder) if folder else statement).rowcount
        )

    def forget_old(self, before: datetime, limit: int = 1000) -> int:
        """Delete mails that were handled before this time and belong to no ticket (any more). Returns how many."""
        old = select(mails.c.id).where(
            mails.c.handled_at < before, mails.c.ticket.is_(None), mails.c.filed_at.is_not(None)
        )
        statement = delete(mails).where(mails.c.id.in_(old.limit(limit)))
        return int(self._connection.execute(statement).rowcount)

    def released(self, mailbox: str) -> list[tuple[KnownMail, str]]:
        """Mails that were handled again and still lie in another folder, with that folder."""
        query = select(mails).where(mails.c.mailbox == mailbox, mails.c.released_from.is_not(None)).limit(100)
        return [(_known(row), row.released_from) for row in self._connection.execute(query)]

    def unfiled(self, mailbox: str, limit: int) -> list[KnownMail]:
        """Handled mails that were not moved to their folder yet."""
        query = (
            select(mails)
            .where(mails.c.mailbox == mailbox, mails.c.filed_at.is_(None))
            .order_by(mails.c.uid)
            .limit(limit)
        )
        return [_known(row) for row in self._connection.execute(query)]

    def newest(self) -> int:
        """The number of the mail that was handled last."""
        return int(self._connection.execute(select(func.max(mails.c.id))).scalar() or 0)

    def filed_after(self, mailbox: str, last: int) -> list[KnownMail]:
        """A mailbox's mails that were handled after this one, as far as all are filed."""
        unfiled = select(func.min(mails.c.id)).where(mails.c.mailbox == mailbox, mails.c.filed_at.is_(None))
        first = self._connection.execute(unfiled).scalar()
        query = select(mails).where(mails.c.id > last).order_by(mails.c.id)
        if first is not None:
            query = query.where(mails.c.id < first)
        # By number alone: SQLite would rather look through all mails of the mailbox.
        return [_known(row) for row in self._connection.execute(query) if row.mailbox == mailbox]

    def file(self, ids: Sequence[int], at: datetime) -> None:
        """These mails lie in their folders now."""
        if ids:
            statement = update(mails).where(mails.c.id == bindparam("mail")).values(filed_at=at)
            self._connection.execute(statement, [{"mail": one} for one in ids])

    def same_text(self, sender: str, text_hash: str, since: datetime) -> int:
        """How often this address sent these words since then."""
        if since == self._since and (sender, text_hash) in self._texts:
            return self._texts[sender, text_hash]
        values = {"by": sender, "words": text_hash, "since": since}
        return int(self._connection.execute(_SAME_TEXT, values).scalar_one())


def _known(row: Row[Any]) -> KnownMail:
    return KnownMail(
        row.id, row.uid, row.uidvalidity, row.mailbox, row.fingerprint, row.message_id, row.sender, row.subject,
        row.folder, row.filed_at is not None, row.ticket, row.received_at, row.kind, row.reading,
    )  # fmt: skip
