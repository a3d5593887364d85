"""The daemon: builds the parts, repeats the rounds, stops on a signal.

    a thread per mailbox     owns its connection (runner.py): intake, specialists' answers, what people moved, the
                             count; then waits for mail
    the event loop           sends mail; a scheduler wakes the rounds over clocks, leases, reloading, housekeeping

Every wait is "work, or the interval, or stop". Expected trouble is handled inside its loop with growing pauses; a
loop that dies takes the process down with its name in the log. What is due is asked of the database: the scheduler
only wakes.

Where several daemons share a PostgreSQL, each sends mail; a mailbox and the clocks belong to one at a time, by a
lease. The others stand by. On SQLite there is one daemon: a second one ends with a word.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from triage import assembly, events, permissions
from triage.adapters.db.leases import holder, sign
from triage.adapters.db.store import Store
from triage.adapters.imap import pauses
from triage.adapters.readers import YOUNG, Readers
from triage.adapters.smtp import Mailer
from triage.config import Loaded
from triage.core.clock import Rules
from triage.core.errors import ConfigError, LeaseLost, Permanent, Temporary, TriageError
from triage.duty import Duty
from triage.reload import Reload
from triage.runner import MailboxRunner
from triage.steps.clockwatch import Clockwatch
from triage.steps.housekeeping import Housekeeping
from triage.steps.office import Office
from triage.steps.outbox import OutboxRound
from triage.steps.silence import Silence

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

SWEEP_SECONDS = 2
CATCH_UP_SECONDS = 300.0  # that clocks wait at the start for the mail of the time before
LEASE_SECONDS = 5
RELOAD_SECONDS = 3
HOUSEKEEPING_SECONDS = 300
GRACE_SECONDS = 5.0  # for what is in hand when we are told to stop; then it is aborted: nothing is lost by it
END_SECONDS = 9.0  # then the process ends, whatever still hangs
JUMP_SECONDS = 30.0  # by which the system clock may be set before the rounds are woken


def faults() -> Callable[[str], None]:
    """For tests: end the process at a named step, or freeze it there.

    TRIAGE_FAULT says at which: "committed:3" ends it at the third time, "freeze committed" freezes it at the first.
    """
    how, _, at = os.environ.get("TRIAGE_FAULT", "").rpartition(" ")
    named, _, count = at.partition(":")
    left = [int(count or 1)]

    def fault(step: str) -> None:
        if step != named or left[0] <= 0:
            return
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGSTOP if how == "freeze" else signal.SIGKILL)

    return fault if named else lambda step: None


class Daemon:
    """All parts, alive."""

    def __init__(self, loaded: Loaded, rules: Rules, readers: Sequence[Readers]) -> None:
        """Builds everything that needs no server but the database. `readers`: for each mailbox, in their order.

        Raises TriageError.
        """
        self.loaded = loaded
        self.settings = loaded.config
        self.reload = Reload(loaded)
        self.office: Office = assembly.office(loaded, rules)
        self.store: Store = assembly.store(loaded)
        self.who = holder()
        sign(self.store.engine, self.who)
        self.duty = Duty(self.store, self.who)
        self.fault = faults()
        self.stopping = threading.Event()
        self._began = time.monotonic()
        self.silence = Silence(self.store, self.office, self.settings.limits.silence_minutes)
        self.clockwatch = Clockwatch(self.store, self.office, lease=lambda: self.duty.lease("clocks"), fault=self.fault)
        self.housekeeping = Housekeeping(self.store, assembly.raws(loaded), self.settings.keep)
        boxes = zip(self.settings.mailbox, readers, strict=True)
        self.runners = [MailboxRunner(self, box, its_readers) for box, its_readers in boxes]
        self.wake_outbox: Callable[[], None] = lambda: None
        self._ended: Callable[[BaseException | None], None] = lambda error: None
        self._timers: list[threading.Timer] = []

    def close(self) -> None:
        """Give back what others may wait for. Raises nothing."""
        for runner in self.runners:
            if runner.join(0):
                runner.close()
        with suppress(TriageError), self.store.begin() as tx:
            tx.outbox.free(datetime.now(UTC), ending=self.who)
        self.duty.release()
        self.store.close()
        for timer in self._timers:
            timer.cancel()

    def stop(self) -> None:
        """Finish what is in hand, then end: within END_SECONDS, come what may."""
        self.stopping.set()
        for runner in self.runners:
            runner.interrupt()
        self.wake_outbox()
        self._ended(None)
        for seconds, act in ((GRACE_SECONDS, self._abort), (END_SECONDS, _end_now)):
            timer = threading.Timer(seconds, act)
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def _abort(self) -> None:
        for runner in self.runners:
            runner.abort()

    # ---------------------------------------------------------------- once

    def once(self) -> None:
        """Handle all that waits: mail in, mail out, clocks due. Raises the first trouble when all was tried."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        troubles: list[TriageError] = []
        self._log_start()
        for runner in self.runners:
            try:
                runner.once()
            except (Temporary, Permanent, ConfigError, LeaseLost) as error:
                troubles.append(error)
        with self.store.begin() as tx:
            tx.outbox.free(datetime.now(UTC))
        try:
            if self.duty.take("clocks"):
                self.clockwatch.round()
            asyncio.run(self._send_all())
        except (Temporary, Permanent, ConfigError, LeaseLost) as error:
            troubles.append(error)
        events.stopped(reason=str(troubles[0]) if troubles else "once")
        if troubles and not self.stopping.is_set():
            raise troubles[0]

    async def _send_all(self) -> None:
        if not self._anything_to_send():
            return
        async with Mailer(assembly.smtp(self.loaded)) as mailer:
            done = await self._outbox(mailer).round(self.stopping.is_set)
        if done.away:
            raise done.away

    def _anything_to_send(self) -> bool:
        with self.store.look() as tx:
            return tx.outbox.waiting() > 0

    def _outbox(self, mailer: Mailer) -> OutboxRound:
        return OutboxRound(
            mailer,
            self.store,
            side_by_side=self.settings.smtp.connections,
            attempts=self.settings.limits.send_attempts,
            who=self.who,
            fault=self.fault,
        )

    # ---------------------------------------------------------------- for good

    async def run(self) -> None:
        """Until a signal. Raises whatever ended a loop."""
        loop = asyncio.get_running_loop()
        woken, stopped = asyncio.Event(), asyncio.Event()
        ends: list[BaseException] = []

        def from_any_thread(act: Callable[[], None]) -> None:
            with suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(act)

        def ended(error: BaseException | None) -> None:
            if error:
                ends.append(error)
            from_any_thread(stopped.set)

        self._ended = ended
        self.wake_outbox = lambda: from_any_thread(woken.set)
        if not self.store.shared:
            for runner in self.runners:
                runner.take()
            with self.store.begin() as tx:
                tx.outbox.free(datetime.now(UTC), alone=self.who)
        mailer = Mailer(assembly.smtp(self.loaded))
        scheduler: AsyncIOScheduler
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: scheduler.add_job(self._guarded, args=("reload", self._reread)))
        for runner in self.runners:
            runner.start(ended)
        scheduler = self._scheduler()
        sending = asyncio.create_task(self._keep_sending(mailer, woken), name="outbox")
        sending.add_done_callback(lambda task: ended(None if task.cancelled() else task.exception()))
        watching = asyncio.create_task(self._watch_time(scheduler), name="time")
        scheduler.start()
        self._log_start()
        await stopped.wait()
        if not self.stopping.is_set():
            self.stop()
        scheduler.shutdown(wait=False)
        watching.cancel()
        await self._finish(sending, mailer)
        events.stopped(reason=str(ends[0]) if ends else "signal")
        if ends:
            raise ends[0]

    async def _finish(self, sending: asyncio.Task[None], mailer: Mailer) -> None:
        """Wait for what is in hand; what hangs is broken off by the timers that `stop` has set."""
        await asyncio.wait([sending], timeout=GRACE_SECONDS)
        sending.cancel()
        for runner in self.runners:
            while not await asyncio.to_thread(runner.join, 0.5):
                pass
        with suppress(asyncio.CancelledError, TriageError):
            await sending
        await mailer.close()

    def _scheduler(self) -> AsyncIOScheduler:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # this takes a while: mail is fetched meanwhile

        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        for name, job, seconds in (
            ("clocks", self._sweep, SWEEP_SECONDS),
            ("leases", self._renew, LEASE_SECONDS),
            ("reload", self._reload, RELOAD_SECONDS),
            ("housekeeping", self._keep_house, HOUSEKEEPING_SECONDS),
        ):
            scheduler.add_job(
                self._guarded, "interval", seconds=seconds, args=(name, job), id=name, next_run_time=datetime.now(UTC)
            )
        return scheduler

    async def _guarded(self, name: str, job: Callable[[], None]) -> None:
        """One turn of a job. Trouble with the database passes; a fault of ours ends the daemon."""
        try:
            await asyncio.to_thread(job)
        except (Temporary, Permanent) as error:
            self.silence.fails(name, str(error))
        except LeaseLost:
            pass  # another daemon does it now
        except Exception as error:
            events.surprise("job.surprise", error, name=name)
            self._ended(error)
        else:
            self.silence.works(name)

    def _sweep(self) -> None:
        self.silence.look()
        if self._caught_up() and self.duty.take("clocks"):
            self.clockwatch.round()
        self.wake_outbox()

    def _caught_up(self) -> bool:
        """Whether clocks may ring: an answer that was given while we were down stops them first, if it can be read."""
        waited = time.monotonic() - self._began
        return waited > CATCH_UP_SECONDS or all(runner.caught_up for runner in self.runners)

    def _renew(self) -> None:
        lost = [name for name in self.duty.renew() if name != "clocks"]
        if lost and not self.store.shared:
            self._ended(LeaseLost(f"{lost[0]} is read by another daemon now; this one stops"))
        with self.store.begin() as tx:
            tx.outbox.free(datetime.now(UTC))

    def _reload(self) -> None:
        self.reload.look(self.office)

    def _reread(self) -> None:
        self.reload.look(self.office, forced=True)

    def _keep_house(self) -> None:
        self.housekeeping.round()

    async def _keep_sending(self, mailer: Mailer, woken: asyncio.Event) -> None:
        """Send what is due, whenever something was queued, and every few seconds for what was put off."""
        waits = pauses(1.0, 300.0)
        outbox = self._outbox(mailer)
        while not self.stopping.is_set():
            woken.clear()
            seconds = float(SWEEP_SECONDS)
            try:
                done = await outbox.round(self.stopping.is_set)
            except (Temporary, Permanent) as error:
                self.silence.fails("outbox", str(error))
                await self._pause(next(waits))
                continue
            self.silence.works("outbox")
            if done.sent:
                waits = pauses(1.0, 300.0)
                self.silence.works("mailer")
            if done.away:
                self.silence.fails("mailer", str(done.away))
                await self._pause(next(waits))
                continue
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(woken.wait(), seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait, whatever is queued meanwhile, but not beyond a stop."""
        for _ in range(max(1, int(seconds / 0.25))):
            if self.stopping.is_set():
                return
            await asyncio.sleep(0.25)

    async def _watch_time(self, scheduler: AsyncIOScheduler) -> None:
        """When the system clock is set, the scheduler would sleep until its old times: every job runs anew."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(1)
            jumped = time.time() - time.monotonic() - offset
            if abs(jumped) < JUMP_SECONDS:
                continue
            offset += jumped
            events.trouble("time.jumped", reason=f"the system clock was set by {jumped:.0f} seconds")
            for job in scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))

    def _log_start(self) -> None:
        events.started(
            version=assembly.version(),
            pack=self.office.pack_version,
            partners=len(self.office.directory),
            database=assembly.shown(self.loaded.database_url),
            mailboxes=[box.name for box in self.settings.mailbox],
        )
        for said in permissions.exposed(self.loaded):
            events.trouble("files.exposed", reason=said)
        for box in self.settings.mailbox:
            if not box.trusted_authserv_id:
                events.trouble(
                    "senders.unverified",
                    mailbox=box.name,
                    reason="mailbox.trusted_authserv_id is not set: anyone can write in a partner's name, "
                    "and commands by mail are off",
                )


def run(loaded: Loaded, rules: Rules, readers: Sequence[Readers], *, once: bool = False) -> None:
    """`triage run`. Raises TriageError."""
    sys.setswitchinterval(0.02)
    daemon = Daemon(loaded, rules, readers)
    # Rules and program stay: the garbage collector need not go through them again and again, nor at every turn.
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    try:
        if once:
            daemon.once()
        else:
            asyncio.run(daemon.run())
    finally:
        daemon.close()


def _end_now() -> None:
    """Something hangs beyond its time. What was not committed is done again at the next start."""
    events.stopped(reason="signal; what was in hand did not end in time")
    logging.shutdown()
    os._exit(0)
