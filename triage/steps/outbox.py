"""A round over waiting mail: send it, or say when to try again.

A mail keeps its Message-ID and its bytes however often it is tried, so that a second delivery after a crash is the
same mail. It is claimed for a while before it is sent: if we die with it in hand, it is due again afterwards. What
became of a mail is written down within moments, together with whatever else has become known by then.

    taken               sent
    refused for good    failed: staff is told
    not now             deferred, with growing pauses, and given up after so many attempts
    server away         deferred shortly; the round ends, what was not tried yet waits as before. It counts as an
                        attempt only when the server took other mail meanwhile, or perhaps this one: an outage fails
                        no mail
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from triage import events
from triage.adapters.db.outbox import Outgoing
from triage.adapters.db.store import Store, Transaction
from triage.adapters.db.tickets import id_of
from triage.adapters.smtp import MailerAway, MailerUnusable, PerhapsTaken, Sent
from triage.core.errors import Permanent, Temporary
from triage.core.replies import TO_STAFF

CLAIM = timedelta(seconds=100)
ONE_MAIL = timedelta(seconds=45)  # that one mail may take to be sent; none is begun when the claim ends before that
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=4)
_BATCH = 50
_GATHERING = 0.02  # seconds in which outcomes are gathered, to be written down together
_GATHERED = 8  # then there are enough: what is not written down is sent once more after a kill


class MailerPort(Protocol):
    """What sends one mail."""

    async def send(self, sender: str, recipient: str, raw: bytes) -> Sent: ...


@dataclass(frozen=True, slots=True)
class Round:
    """How a round went."""

    sent: int
    away: MailerAway | None = None  # why the server takes no mail at all


@dataclass(frozen=True, slots=True)
class _Outcome:
    mail: Outgoing
    error: Temporary | Permanent | None  # None: sent
    counts: bool = True  # as an attempt


class OutboxRound:
    """Sends what is due."""

    def __init__(
        self,
        mailer: MailerPort,
        store: Store,
        *,
        side_by_side: int,
        attempts: int,
        who: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        """`side_by_side`: mails sent at once. `attempts`: after so many a mail is given up. `who` has them in hand."""
        self._mailer, self._store, self._now, self._fault = mailer, store, now, fault
        self._side_by_side, self._attempts, self._who = side_by_side, attempts, who
        self._taken = False  # whether the server took a mail since it was last away
        self._unwritten: list[_Outcome] = []  # because the database was away

    async def round(self, stopping: Callable[[], bool] = lambda: False) -> Round:
        """Send until nothing is due, or the server takes nothing. Raises Temporary when the database is away."""
        if self._unwritten:
            await asyncio.to_thread(self._write_down)
        sent = 0
        while not stopping():
            mails = await asyncio.to_thread(self._claim)
            if not mails:
                break
            self._fault("claimed")
            taken, away = await self._send_all(mails, self._now() + CLAIM - ONE_MAIL, stopping)
            sent += taken
            if away:
                return Round(sent, away)
        return Round(sent)

    def _claim(self) -> list[Outgoing]:
        now = self._now()
        with self._store.begin() as tx:
            return tx.outbox.claim(now, now + CLAIM, _BATCH, self._who)

    async def _send_all(
        self, mails: list[Outgoing], latest: datetime, stopping: Callable[[], bool]
    ) -> tuple[int, MailerAway | None]:
        """Send them side by side. All that are claimed are accounted for; what was not tried is released."""
        waiting = list(reversed(mails))
        known: asyncio.Queue[_Outcome | None] = asyncio.Queue()
        troubles: list[Temporary | Permanent] = []

        async def line() -> None:
            while waiting and not troubles and not stopping():
                self._fault("sending")
                if self._now() >= latest:
                    return  # frozen meanwhile, perhaps: another daemon may have them in hand
                outcome = await self._send(waiting.pop())
                if isinstance(outcome.error, MailerAway):
                    troubles.append(outcome.error)
                known.put_nowait(outcome)

        async def lines() -> None:
            try:
                await asyncio.gather(*(line() for _ in range(self._side_by_side)))
            finally:
                known.put_nowait(None)

        sending = asyncio.create_task(lines())
        try:
            sent = await self._account(known, troubles)
            await sending
        finally:
            sending.cancel()
        if waiting:
            await asyncio.to_thread(self._release, waiting)
        away = [one for one in troubles if isinstance(one, MailerAway)]
        if len(away) < len(troubles):
            raise next(one for one in troubles if not isinstance(one, MailerAway))
        return sent, next((one for one in away if isinstance(one, MailerUnusable)), away[0] if away else None)

    async def _send(self, mail: Outgoing) -> _Outcome:
        try:
            await self._mailer.send(mail.sender, mail.recipient, mail.raw)
        except MailerAway as error:
            counts = self._taken and not isinstance(error, MailerUnusable)
            self._taken = False
            return _Outcome(mail, error, counts or isinstance(error, PerhapsTaken))
        except (Temporary, Permanent) as error:
            return _Outcome(mail, error)
        self._fault("sent")
        self._taken = True
        return _Outcome(mail, None)

    def _release(self, mails: Sequence[Outgoing]) -> None:
        with self._store.begin() as tx:
            tx.outbox.release(mails)

    # ---------------------------------------------------------------- what became of them

    async def _account(self, known: asyncio.Queue[_Outcome | None], troubles: list[Temporary | Permanent]) -> int:
        """Write outcomes down as they come, until None comes. Returns how many mails were sent."""
        sent, more = 0, True
        while more:
            batch = [await known.get()]
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHERING):
                    while batch[-1] is not None and len(batch) < _GATHERED:
                        batch.append(await known.get())
            while not known.empty():
                batch.append(known.get_nowait())
            more = None not in batch
            outcomes = [one for one in batch if one is not None]
            sent += sum(one.error is None for one in outcomes)
            self._unwritten += outcomes
            try:
                await asyncio.to_thread(self._write_down)
            except (Temporary, Permanent) as error:
                troubles.append(error)  # no more is begun; what is known is kept for the next round
        return sent

    def _write_down(self) -> None:
        """Commit what is known, then tell it."""
        if not self._unwritten:
            return
        now = self._now()
        with self._store.begin() as tx:
            # Tickets may have been forgotten meanwhile.
            known = tx.tickets.known(one for one in map(_ticket, self._unwritten) if one is not None)
            tx.outbox.sent(*(one.mail.id for one in self._unwritten if one.error is None), at=now)
            tell = [self._outcome(tx, outcome, known, now) for outcome in self._unwritten]
            self._fault("accounting")
        self._unwritten = []
        self._fault("accounted")
        for say in tell:
            say()

    def _outcome(self, tx: Transaction, outcome: _Outcome, known: set[int], now: datetime) -> Callable[[], None]:
        """One mail's. Returns what is to be logged once it is committed."""
        mail, reason = outcome.mail, str(outcome.error)
        ticket = _ticket(outcome)
        if ticket not in known:
            ticket = None
        about = {"to": mail.recipient, "reply": mail.message_id}
        if outcome.error is None:
            if ticket is not None:
                tx.tickets.tell(ticket, now, "mail.sent", about)
            return lambda: events.mail_sent(ticket=mail.ticket, **about)
        if isinstance(outcome.error, Permanent) or (outcome.counts and mail.attempts >= self._attempts):
            tx.outbox.fail(mail, now, reason)
            if mail.template not in TO_STAFF:  # else each notice that fails would make another, for ever
                tx.notices.add(now, "failed", ticket, {"to": mail.recipient, "reason": reason[:200]})
            if ticket is not None:
                tx.tickets.tell(ticket, now, "mail.failed", {"to": mail.recipient, "reason": reason[:300]})
            return lambda: events.mail_failed(ticket=mail.ticket, reason=reason, **about)
        until = now + (pause(mail.attempts) if outcome.counts else pause(1))
        tx.outbox.defer(mail, until, reason, counted=outcome.counts)
        return lambda: events.mail_deferred(ticket=mail.ticket, reason=reason, next_try=until, **about)


def _ticket(outcome: _Outcome) -> int | None:
    return id_of(outcome.mail.ticket) if outcome.mail.ticket else None


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time, with jitter, up to some hours."""
    doubled: int = 1 << min(max(attempts - 1, 0), 12)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE) * random.uniform(0.75, 1.25)
