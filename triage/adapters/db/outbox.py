"""Outgoing mail: queued in the transaction of its decision, sent afterwards, always the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, or_, select, update

from triage.adapters.db.leases import gone
from triage.adapters.db.pending import Pending
from triage.adapters.db.tables import outbox
from triage.adapters.db.tickets import number
from triage.core.replies import TO_STAFF


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail that waits to be sent."""

    id: int
    message_id: str
    ticket: str | None  # its number
    sender: str
    recipient: str
    raw: bytes
    attempts: int
    queued_at: datetime
    template: str = ""
    claimed_by: str = ""


# Asked for every mail: made once, for to make a statement takes as long as to run it.
_TO_ADDRESS = select(func.count()).where(
    outbox.c.recipient == bindparam("to"), outbox.c.queued_at >= bindparam("since")
)
_REPLIES = select(_TO_ADDRESS.scalar_subquery(), func.count(), func.max(outbox.c.queued_at)).where(
    outbox.c.ticket == bindparam("about"),
    outbox.c.queued_at >= bindparam("since"),
    outbox.c.template.not_in(TO_STAFF),
)


class Outbox:
    """Queries about outgoing mail within one transaction."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._foreseen: Counter[str] | None = None  # replies to an address, as far as asked before
        self._since: datetime | None = None  # from when on those count

    @property
    def _connection(self) -> Connection:
        return self._pending.written(outbox)

    def queue(self, **values: Any) -> None:
        """A mail to be sent. One that has the Message-ID of an earlier one is that mail: it is not sent again."""
        self._pending.add(outbox, values)
        if self._foreseen is not None and values["recipient"] in self._foreseen:
            self._foreseen[values["recipient"]] += 1

    def foresee(self, recipients: Sequence[str], since: datetime) -> None:
        """Ask at once what `replies` will be asked about each of these addresses."""
        query = select(outbox.c.recipient, func.count()).where(
            outbox.c.recipient.in_(list(recipients)), outbox.c.queued_at >= since
        )
        rows = self._connection.execute(query.group_by(outbox.c.recipient))
        self._since = since
        self._foreseen = Counter(dict.fromkeys(recipients, 0))
        for recipient, count in rows:
            self._foreseen[recipient] = count

    def forget_foreseen(self) -> None:
        """What was asked before may not hold any more."""
        self._foreseen = None

    def claim(self, now: datetime, until: datetime, limit: int, who: str = "") -> list[Outgoing]:
        """Mail that is due. Nobody else gets it before `until`: when we die with it in hand, it is due again then.

        Of the mails about one ticket to one address only the first that still waits: they arrive in their order. What
        was never tried is due whatever its time: the system clock may have been set back since.
        """
        earlier = outbox.alias("earlier")
        due = (
            select(outbox.c.id)
            .where(
                outbox.c.next_at.is_not(None),
                or_(outbox.c.next_at <= now, and_(outbox.c.attempts == 0, outbox.c.error.is_(None))),
                ~exists().where(
                    earlier.c.ticket == outbox.c.ticket,
                    earlier.c.recipient == outbox.c.recipient,
                    earlier.c.id < outbox.c.id,
                    earlier.c.next_at.is_not(None),
                ),
            )
            .order_by(outbox.c.next_at, outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=outbox)
        )
        order = {row: place for place, row in enumerate(self._connection.execute(due).scalars())}
        if not order:
            return []
        statement = (
            update(outbox)
            .where(outbox.c.id.in_(list(order)))
            .values(next_at=until, attempts=outbox.c.attempts + 1, claimed_by=who)
            .returning(outbox)
        )
        rows = sorted(self._connection.execute(statement), key=lambda row: order[row.id])
        return [
            Outgoing(
                row.id, row.message_id, number(row.ticket) if row.ticket else None, row.sender, row.recipient, row.raw,
                row.attempts, row.queued_at, row.template, row.claimed_by,
            )
            for row in rows
        ]  # fmt: skip

    def sent(self, *mails: int, at: datetime) -> None:
        """These were taken by the server."""
        if mails:
            statement = update(outbox).where(outbox.c.id.in_(mails))
            self._connection.execute(statement.values(sent_at=at, next_at=None, claimed_by=None, error=None))

    def defer(self, mail: Outgoing, until: datetime, error: str, *, counted: bool = True) -> None:
        """Try again later. `counted=False`: the attempt was none of this mail's fault."""
        attempts = outbox.c.attempts if counted else outbox.c.attempts - 1
        self._connection.execute(
            update(outbox)
            # Else another daemon has it in hand, or has sent it.
            .where(outbox.c.id == mail.id, outbox.c.claimed_by == mail.claimed_by)
            .values(next_at=until, claimed_by=None, error=error[:500], attempts=attempts)
        )

    def release(self, mails: Sequence[Outgoing]) -> None:
        """These were claimed and not tried: they are due as before."""
        for mail in mails:
            self._connection.execute(
                update(outbox)
                .where(outbox.c.id == mail.id, outbox.c.claimed_by == mail.claimed_by)
                .values(next_at=mail.queued_at, claimed_by=None, attempts=outbox.c.attempts - 1)
            )

    def fail(self, mail: Outgoing, at: datetime, error: str) -> None:
        self._connection.execute(
            update(outbox)
            .where(outbox.c.id == mail.id, outbox.c.claimed_by == mail.claimed_by)
            .values(failed_at=at, next_at=None, claimed_by=None, error=error[:500])
        )

    def free(self, now: datetime, *, ending: str = "", alone: str = "") -> None:
        """Mail that a daemon of this machine had in hand when it ended is due now.

        Also that of `ending`; where there can be one daemon only, `alone`, that of every other.
        """
        holders = self._connection.execute(
            select(outbox.c.claimed_by).where(outbox.c.claimed_by.is_not(None)).distinct()
        )
        dead = [who for who in holders.scalars() if who == ending or (alone and who != alone) or gone(who)]
        if dead:
            self._connection.execute(
                update(outbox).where(outbox.c.claimed_by.in_(dead)).values(next_at=now, claimed_by=None)
            )

    def empty_sent(self, before: datetime, limit: int = 1000) -> None:
        """Drop the bytes of mail that was queued and sent before this time; that it was sent stays on record."""
        old = (
            select(outbox.c.id)
            .where(outbox.c.queued_at < before, outbox.c.next_at.is_(None), outbox.c.raw.is_not(None))
            .limit(limit)
        )
        self._connection.execute(update(outbox).where(outbox.c.id.in_(old)).values(raw=None))

    def forget_old(self, before: datetime, limit: int = 1000) -> int:
        """Delete what is on record of mail that was queued before this time and belongs to no ticket (any more)."""
        old = select(outbox.c.id).where(
            outbox.c.ticket.is_(None), outbox.c.queued_at < before, outbox.c.next_at.is_(None)
        )
        return int(self._connection.execute(delete(outbox).where(outbox.c.id.in_(old.limit(limit)))).rowcount)

    def waiting(self) -> int:
        return int(self._connection.execute(select(func.count()).where(outbox.c.next_at.is_not(None))).scalar_one())

    def replies(self, recipient: str, ticket: int | None, since: datetime) -> tuple[int, int, datetime | None]:
        """Since then: replies to an address, replies about a ticket, and when the last of those was queued.

        Those about a ticket count whoever at the partner got them: some robots have a new address each time.
        """
        values: dict[str, Any] = {"to": recipient, "since": since}
        if ticket is not None:
            total, in_ticket, last = self._connection.execute(_REPLIES, values | {"about": ticket}).one()
            return total, in_ticket, last
        if self._foreseen is not None and recipient in self._foreseen and since == self._since:
            return self._foreseen[recipient], 0, None
        return int(self._connection.execute(_TO_ADDRESS, values).scalar_one()), 0, None

    def asked(self, ticket: int, templates: Sequence[str]) -> str | None:
        """To whom the newest of these replies about a ticket went."""
        query = select(outbox.c.recipient).where(outbox.c.ticket == ticket, outbox.c.template.in_(list(templates)))
        return self._connection.execute(query.order_by(outbox.c.id.desc()).limit(1)).scalar()

    def of_ticket(self, ticket: int) -> list[dict[str, Any]]:
        """What was sent about a ticket, without the bytes."""
        columns = [column for column in outbox.c if column.name != "raw"]
        query = select(*columns).where(outbox.c.ticket == ticket).order_by(outbox.c.id)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def by_message_ids(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Our mails with these Message-IDs: what a bounce speaks of."""
        if not ids:
            return []
        query = select(outbox.c.id, outbox.c.ticket, outbox.c.recipient, outbox.c.message_id).where(
            outbox.c.message_id.in_(list(ids))
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]
