"""A round over waiting mail: send it, or say when to try again.

A mail keeps its Message-ID and its bytes however often it is tried, so that a second delivery after a crash is the
same mail. It is claimed for a while before it is sent: if we die with it in hand, it is due again afterwards.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from triage import events
from triage.adapters.db.outbox import Outgoing
from triage.adapters.db.store import Store
from triage.adapters.db.tickets import id_of
from triage.adapters.smtp import MailerUnusable, Sent
from triage.core.errors import Permanent, Temporary

_CLAIM = timedelta(seconds=90)  # longer than one mail may take to be sent
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=4)
_BATCH = 50


class MailerPort(Protocol):
    """What sends one mail."""

    async def send(self, sender: str, recipient: str, raw: bytes) -> Sent: ...


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

    async def round(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Send until nothing is due. Returns how many mails were sent. Raises MailerUnusable when the server won't."""
        sent = 0
        while not stopping():
            now = self._now()
            mails = await asyncio.to_thread(self._claim, now)
            if not mails:
                return sent
            outcomes = await self._send_all(mails)
            sent += sum(outcome is None for outcome in outcomes)
            unusable = next((one for one in outcomes if isinstance(one, MailerUnusable)), None)
            if unusable:
                raise unusable
        return sent

    def _claim(self, now: datetime) -> list[Outgoing]:
        with self._store.begin() as tx:
            return tx.outbox.claim(now, now + _CLAIM, _BATCH, self._who)

    async def _send_all(self, mails: list[Outgoing]) -> list[BaseException | None]:
        """Each mail's outcome, in order; None when it was sent. All that are claimed are accounted for."""
        gate = asyncio.Semaphore(self._side_by_side)

        async def one(mail: Outgoing) -> BaseException | None:
            async with gate:
                return await self._send(mail)

        outcomes = await asyncio.gather(*(one(mail) for mail in mails))
        await asyncio.to_thread(self._account, mails, outcomes)
        return outcomes

    async def _send(self, mail: Outgoing) -> BaseException | None:
        self._fault("sending")
        try:
            await self._mailer.send(mail.sender, mail.recipient, mail.raw)
        except (Temporary, Permanent) as error:
            return error
        self._fault("sent")
        return None

    def _account(self, mails: list[Outgoing], outcomes: list[BaseException | None]) -> None:
        """Write down what became of each mail, then tell it."""
        now = self._now()
        tell: list[Callable[[], None]] = []
        with self._store.begin() as tx:
            for mail, outcome in zip(mails, outcomes, strict=True):
                ticket = id_of(mail.ticket) if mail.ticket else None
                keys = {"ticket": mail.ticket, "to": mail.recipient, "reply": mail.message_id}
                if outcome is None:
                    tx.outbox.sent(mail.id, now)
                    if ticket is not None:
                        tx.tickets.tell(ticket, now, "mail.sent", {"to": mail.recipient, "reply": mail.message_id})
                    tell.append(lambda keys=keys: events.mail_sent(**keys))  # type: ignore[misc]
                    continue
                reason = str(outcome)
                given_up = isinstance(outcome, Permanent) or mail.attempts >= self._attempts
                if given_up and not isinstance(outcome, MailerUnusable):
                    tx.outbox.fail(mail.id, now, reason)
                    tx.notices.add(now, "failed", ticket, {"to": mail.recipient, "reason": reason[:200]})
                    if ticket is not None:
                        tx.tickets.tell(ticket, now, "mail.failed", {"to": mail.recipient, "reason": reason[:300]})
                    tell.append(lambda keys=keys, reason=reason: events.mail_failed(**keys, reason=reason))  # type: ignore[misc]
                    continue
                until = now + pause(mail.attempts)
                tx.outbox.defer(mail.id, until, reason, counted=not isinstance(outcome, MailerUnusable))
                tell.append(
                    lambda keys=keys, reason=reason, until=until: events.mail_deferred(  # type: ignore[misc]
                        **keys, reason=reason, next_try=until
                    )
                )
        self._fault("accounted")
        for say in tell:
            say()


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time, with jitter, up to some hours."""
    doubled: int = 1 << min(max(attempts - 1, 0), 12)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE) * random.uniform(0.75, 1.25)
