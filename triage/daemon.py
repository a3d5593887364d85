"""The daemon: builds the parts, repeats the rounds, stops on a signal.

    a thread per mailbox     owns its connection: intake, specialists' answers, what people moved; then waits for mail
    the event loop           sends mail; a scheduler wakes the rounds over clocks, leases, reloading, housekeeping

Every wait is "work, or the interval, or stop". Expected trouble is handled inside its loop with growing pauses; a
loop that dies takes the process down with its name in the log. What is due is asked of the database: the scheduler
only wakes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from triage import assembly, events, reload
from triage.adapters.db.leases import holder
from triage.adapters.db.store import Store
from triage.adapters.imap import Mailbox, pauses
from triage.adapters.readers import Readers
from triage.adapters.smtp import Mailer, MailerUnusable
from triage.config import Loaded
from triage.config import Mailbox as MailboxConfig
from triage.core.errors import ConfigError, LeaseLost, Permanent, Temporary, TriageError
from triage.duty import Duty
from triage.steps.answers import Answers
from triage.steps.clockwatch import Clockwatch
from triage.steps.housekeeping import Housekeeping
from triage.steps.intake import Inbox, Intake, first_start
from triage.steps.moves import Moves
from triage.steps.office import Office
from triage.steps.outbox import OutboxRound
from triage.steps.silence import Silence

SWEEP_SECONDS = 2
LEASE_SECONDS = 5
RELOAD_SECONDS = 10
HOUSEKEEPING_SECONDS = 300
STOP_SECONDS = 8.0  # then what is left is aborted: nothing is lost by it


def faults() -> Callable[[str], None]:
    """For tests: end the process at a named step, the TRIAGE_FAULT variable says at which ("committed:3": the third)."""
    named, _, count = os.environ.get("TRIAGE_FAULT", "").partition(":")
    left = [int(count or 1)]

    def fault(step: str) -> None:
        if step == named:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return fault if named else lambda step: None


class Daemon:
    """All parts, alive."""

    def __init__(self, loaded: Loaded) -> None:
        """Builds everything that needs no server but the database. Raises TriageError."""
        self.loaded = loaded
        self.settings = loaded.config
        rules = assembly.rules(loaded)
        self.office: Office = assembly.office(loaded, rules)
        self.store: Store = assembly.store(loaded)
        self.who = holder()
        self.duty = Duty(self.store, self.who)
        self.fault = faults()
        self.stopping = threading.Event()
        self.silence = Silence(self.store, self.office, self.settings.limits.silence_minutes)
        self.clockwatch = Clockwatch(self.store, self.office, lease=lambda: self.duty.lease("clocks"), fault=self.fault)
        self.housekeeping = Housekeeping(self.store, assembly.raws(loaded), self.settings.keep)
        self.mailboxes = [MailboxRunner(self, box) for box in self.settings.mailbox]
        self.wake_outbox: Callable[[], None] = lambda: None

    def close(self) -> None:
        for runner in self.mailboxes:
            runner.close()
        self.duty.release()
        self.store.close()

    # ---------------------------------------------------------------- once

    def once(self) -> None:
        """Handle all that waits: mail in, mail out, clocks due. Raises the first trouble when all was tried."""
        troubles: list[TriageError] = []
        for runner in self.mailboxes:
            try:
                runner.take()
                runner.connect()
                runner.rounds()
            except (Temporary, Permanent, ConfigError, LeaseLost) as error:
                troubles.append(error)
        with self.store.begin() as tx:
            tx.outbox.free(datetime.now(UTC))
        try:
            if self.duty.take("clocks"):
                self.clockwatch.round()
            asyncio.run(self._send_all())
        except (Temporary, Permanent, ConfigError) as error:
            troubles.append(error)
        if troubles:
            raise troubles[0]

    async def _send_all(self) -> None:
        if not self._anything_to_send():
            return
        async with Mailer(assembly.smtp(self.loaded)) as mailer:
            await self._outbox(mailer).round()

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
        """Until a signal. Raises LeaseLost, or whatever ended a loop."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        self.wake_outbox = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: reload.rules(self.loaded, self.office, forced=True))
        for runner in self.mailboxes:
            runner.take(stand_by=self.store.shared)
        scheduler = self._scheduler()
        stopped = asyncio.Event()
        ends: list[BaseException] = []

        def ended(error: BaseException | None) -> None:
            if error:
                ends.append(error)
            loop.call_soon_threadsafe(stopped.set)

        self._ended = ended
        for runner in self.mailboxes:
            runner.start(ended)
        sending = asyncio.create_task(self._keep_sending(woken), name="outbox")
        sending.add_done_callback(lambda task: ended(None if task.cancelled() else task.exception()))
        scheduler.start()
        self._log_start()
        await stopped.wait()
        scheduler.shutdown(wait=False)
        await self._finish(sending)
        events.stopped(reason=str(ends[0]) if ends else "signal")
        if ends:
            raise ends[0]

    def stop(self) -> None:
        """Finish what is in hand, then end."""
        self.stopping.set()
        for runner in self.mailboxes:
            runner.interrupt()
        self.wake_outbox()
        self._ended(None)

    async def _finish(self, sending: asyncio.Task[None]) -> None:
        self.stopping.set()
        self.wake_outbox()
        for runner in self.mailboxes:
            runner.interrupt()
        with suppress(asyncio.TimeoutError, TriageError):
            await asyncio.wait_for(asyncio.shield(sending), STOP_SECONDS / 2)
        sending.cancel()
        for runner in self.mailboxes:
            await asyncio.to_thread(runner.join, STOP_SECONDS / 2)

    def _scheduler(self) -> AsyncIOScheduler:
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
        """One turn of a job. Trouble with the database passes; losing the lease or a fault of ours ends the daemon."""
        try:
            await asyncio.to_thread(job)
        except (Temporary, Permanent) as error:
            events.trouble(f"{name}.trouble", reason=str(error))
        except LeaseLost as error:
            self._ended(error)
        except Exception as error:
            events.surprise(f"{name}.surprise", error)
            self._ended(error)

    def _sweep(self) -> None:
        if self.duty.take("clocks") and self.clockwatch.round():
            self.wake_outbox()
        self.silence.look()
        self.wake_outbox()

    def _renew(self) -> None:
        self.duty.renew()
        with self.store.begin() as tx:
            tx.outbox.free(datetime.now(UTC))

    def _reload(self) -> None:
        reload.rules(self.loaded, self.office)
        reload.partners(self.loaded, self.office)

    def _keep_house(self) -> None:
        self.housekeeping.round()

    async def _keep_sending(self, woken: asyncio.Event) -> None:
        """Send what is due, whenever something was queued, and every few seconds for what was put off."""
        waits = pauses(1.0, 300.0)
        async with Mailer(assembly.smtp(self.loaded)) as mailer:
            outbox = self._outbox(mailer)
            while not self.stopping.is_set():
                woken.clear()
                try:
                    if await outbox.round(self.stopping.is_set):
                        self.silence.works("mailer")
                    waits, seconds = pauses(1.0, 300.0), 2.0
                except MailerUnusable as error:
                    self.silence.fails("mailer", str(error))
                    seconds = next(waits)
                    await self._pause(seconds)
                    continue
                except (Temporary, Permanent) as error:
                    events.trouble("outbox.trouble", reason=str(error))
                    seconds = next(waits)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(woken.wait(), seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait, whatever is queued meanwhile, but not beyond a stop."""
        for _ in range(max(1, int(seconds / 0.25))):
            if self.stopping.is_set():
                return
            await asyncio.sleep(0.25)

    def _log_start(self) -> None:
        events.started(
            version=assembly.version(),
            pack=self.office.pack_version,
            partners=len(self.office.directory),
            database=assembly.shown(self.loaded.database_url),
            mailboxes=[box.name for box in self.settings.mailbox],
        )
        for box in self.settings.mailbox:
            if not box.trusted_authserv_id:
                events.trouble(
                    "senders.unverified",
                    mailbox=box.name,
                    reason="mailbox.trusted_authserv_id is not set: anyone can write in a partner's name, "
                    "and commands by mail are off",
                )


class MailboxRunner:
    """The thread that owns one mailbox's connection."""

    def __init__(self, daemon: Daemon, box: MailboxConfig) -> None:
        self._daemon, self._box = daemon, box
        limits = daemon.settings.limits
        self._mailbox: Mailbox = assembly.imap(daemon.loaded, box)
        self._readers = Readers(
            daemon.office.rules.pack,
            replace(daemon.office.desk, trust=assembly.trust(box)),
            limits.readers,
            limits.seconds_per_mail,
        )
        self._thread: threading.Thread | None = None
        self._name = f"mailbox {box.name}"
        self._standing_by = False

    def take(self, *, stand_by: bool = False) -> bool:
        """Become the only reader of this mailbox. Raises Permanent when another is, unless we may stand by."""
        lease = self._daemon.duty.take(self._name)
        if lease or stand_by:
            return lease
        who = self._daemon.duty.holder(self._name).split(":")
        raise Permanent(
            f"mailbox {self._box.name} is read by another daemon (process {who[1]} on {who[0]}); stop that one first"
        )

    def connect(self) -> None:
        self._mailbox.connect()
        self._intake().prepare()

    def rounds(self) -> int:
        """One round of everything that concerns the mailbox. Returns how many mails were handled."""
        self._readers.use(self._daemon.office.rules.pack)
        handled = self._intake().round()
        if self._answers:
            self._read_answers(self._answers)
        if not handled:
            self._moves.round()
            self._moves.release()
        return handled

    def _read_answers(self, answers: Answers) -> None:
        """Without the Sent folder partners' mail is handled all the same."""
        try:
            answers.round()
            self._daemon.silence.works(f"sent folder of {self._name}")
        except Permanent as error:
            self._daemon.silence.fails(f"sent folder of {self._name}", str(error))

    def start(self, ended: Callable[[BaseException | None], None]) -> None:
        self._thread = threading.Thread(target=self._live, args=(ended,), name=self._name, daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        self._mailbox.interrupt()

    def join(self, seconds: float) -> None:
        if self._thread:
            self._thread.join(seconds)
            if self._thread.is_alive():
                self._mailbox.abort()
                self._thread.join(1)

    def close(self) -> None:
        self._readers.close()
        self._mailbox.close()

    # ---------------------------------------------------------------- inside

    def _intake(self) -> Intake:
        """The rounds, made with the first connection."""
        if not hasattr(self, "_made"):
            daemon, box = self._daemon, self._box
            inbox: Inbox = assembly.inbox(
                daemon.loaded, box, lambda: first_start(daemon.store, box.name, datetime.now(UTC))
            )
            lease = lambda: daemon.duty.lease(self._name)  # noqa: E731
            self._made = Intake(
                self._mailbox,
                inbox,
                daemon.store,
                self._readers,
                daemon.office,
                assembly.raws(daemon.loaded),
                lease=lease,
                stopping=daemon.stopping.is_set,
                queued=lambda: daemon.wake_outbox(),
                fault=daemon.fault,
            )
            self._answers = (
                Answers(self._mailbox, inbox, box.sent_folder, daemon.store, self._readers, daemon.office, lease=lease)
                if box.sent_folder
                else None
            )
            self._moves = Moves(self._mailbox, inbox, daemon.store, daemon.office, lease=lease)
        return self._made

    def _live(self, ended: Callable[[BaseException | None], None]) -> None:
        daemon, stopping = self._daemon, self._daemon.stopping
        waits = pauses()
        try:
            while not stopping.is_set():
                try:
                    if not self._may_read():
                        continue
                    if not self._mailbox.connected:
                        self.connect()
                    self.rounds()
                    daemon.silence.works(self._name)
                    waits = pauses()
                    self._mailbox.select(self._box.folder)
                    self._mailbox.wait(self._box.poll_seconds, stopping)
                except (Temporary, Permanent) as error:
                    daemon.silence.fails(self._name, str(error))
                    self._mailbox.close()
                    stopping.wait(next(waits))
        except BaseException as error:
            events.surprise(f"{self._name}.ended", error) if not isinstance(error, LeaseLost) else None
            ended(error)

    def _may_read(self) -> bool:
        """Whether the mailbox is ours; while it is another's, wait a little."""
        if self._daemon.duty.take(self._name):
            self._standing_by = False
            return True
        if not self._standing_by:
            events.trouble("mailbox.standby", reason=f"read by {self._daemon.duty.holder(self._name)}")
            self._standing_by = True
        self._daemon.stopping.wait(3)
        return False


def run(loaded: Loaded, *, once: bool = False) -> None:
    """`triage run`. Raises TriageError."""
    sys.setswitchinterval(0.02)
    daemon = Daemon(loaded)
    try:
        if once:
            daemon.once()
        else:
            asyncio.run(daemon.run())
    finally:
        daemon.close()
