"""The thread that owns one mailbox's connection, and the rounds over it in their order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from triage import assembly, events
from triage.adapters.db.leases import LENGTH, Lease, here
from triage.adapters.imap import Mailbox, pauses
from triage.adapters.readers import Readers
from triage.config import Mailbox as MailboxConfig
from triage.core.errors import LeaseLost, Permanent, Temporary
from triage.steps.answers import Answers
from triage.steps.intake import Intake, first_start
from triage.steps.moves import Moves
from triage.steps.recall import Recall
from triage.steps.reconcile import Reconcile

if TYPE_CHECKING:
    from triage.daemon import Daemon

_STANDBY_SECONDS = 3.0  # between looks whether the mailbox has become free
_GIVEN_SECONDS = 12.0  # in which whoever waited for a mailbox can take it before we take it back


class MailboxRunner:
    """One mailbox: who may read it, its connection, its rounds."""

    def __init__(self, daemon: Daemon, box: MailboxConfig, readers: Readers) -> None:
        self._daemon, self._box, self._readers = daemon, box, readers
        self.name = f"mailbox {box.name}"
        self._mailbox: Mailbox = assembly.imap(daemon.loaded, box)
        self._thread: threading.Thread | None = None
        self._standing_by = False
        self._given = -_GIVEN_SECONDS  # when we gave the mailbox away, of time.monotonic()
        self._rounds: _Rounds | None = None
        self.caught_up = False  # whether what came while we were down has been handled, here or by another daemon

    # ---------------------------------------------------------------- whose it is

    def take(self) -> None:
        """Become the only reader of this mailbox. Raises Permanent when another daemon is.

        One that died on another machine (another container) can only be known by its silence.
        """
        duty, deadline = self._daemon.duty, LENGTH.total_seconds() + _STANDBY_SECONDS
        while not duty.take(self.name):
            holder = duty.holder(self.name)
            host, process, *_ = (*holder.split(":"), "", "")
            if here(holder) or deadline <= 0 or self._daemon.stopping.wait(_STANDBY_SECONDS):
                raise Permanent(
                    f"mailbox {self._box.name} is read by another daemon (process {process} on {host}); "
                    "stop that one first"
                )
            deadline -= _STANDBY_SECONDS

    def _may_read(self) -> bool:
        """Whether the mailbox is ours; while it is another's, wait a little."""
        duty = self._daemon.duty
        if time.monotonic() - self._given >= _GIVEN_SECONDS:
            if duty.take(self.name):
                self._standing_by = False
                return True
            self._stand_by()
            duty.stand_by(self.name)
        self._daemon.stopping.wait(_STANDBY_SECONDS)
        return False

    def _give_away(self) -> bool:
        """Let another daemon read this mailbox, which has less to do. Whether we did: between two rounds only."""
        if not self._daemon.store.shared or not self._daemon.duty.give_away(self.name):
            return False
        self._given = time.monotonic()
        self._stand_by()
        return True

    def _stand_by(self) -> None:
        """Another has it: let go of everything, and say so once."""
        self._mailbox.close()
        self._rounds = None
        self.caught_up = True
        if not self._standing_by:
            self._standing_by = True
            holder = self._daemon.duty.holder(self.name)
            events.trouble("mailbox.standby", name=self.name, reason=f"read by {holder or 'another daemon'}")

    # ---------------------------------------------------------------- rounds

    def once(self) -> None:
        """All that waits now."""
        self.take()
        self._connect()
        rounds = self._made()
        while rounds.once() and not self._daemon.stopping.is_set():
            pass

    def start(self, ended: Callable[[BaseException | None], None]) -> None:
        self._thread = threading.Thread(target=self._live, args=(ended,), name=self.name, daemon=True)
        self._thread.start()

    def _live(self, ended: Callable[[BaseException | None], None]) -> None:
        """Until stopped. Whatever ends this loop ends the daemon."""
        daemon, stopping = self._daemon, self._daemon.stopping
        waits = pauses()
        try:
            self._readers.start()
            while not stopping.is_set():
                try:
                    if not self._may_read():
                        continue
                    if not self._mailbox.connected:
                        self._connect()
                    self._made().once()
                    self.caught_up = True
                    daemon.silence.works(self.name)
                    waits = pauses()
                    if self._give_away():
                        continue
                    self._mailbox.select(self._box.folder)
                    self._mailbox.wait(self._box.poll_seconds, stopping)
                except LeaseLost:
                    if not daemon.store.shared:
                        raise
                    self._stand_by()
                except (Temporary, Permanent) as error:
                    if not stopping.is_set():
                        daemon.silence.fails(self.name, str(error))
                    self._mailbox.close()
                    stopping.wait(next(waits))
        except LeaseLost as error:
            ended(error)
        except BaseException as error:
            if not stopping.is_set():
                events.surprise("mailbox.ended", error, name=self.name)
            ended(error)

    def _connect(self) -> None:
        self._mailbox.connect()
        self._made().intake.prepare()

    def _made(self) -> _Rounds:
        """The rounds, made at the first connection: when that was, mail is answered from."""
        if self._rounds is None:
            self._rounds = _Rounds(self._daemon, self._box, self.name, self._mailbox, self._readers)
        return self._rounds

    # ---------------------------------------------------------------- the end

    def interrupt(self) -> None:
        """End a wait."""
        self._mailbox.interrupt()

    def abort(self) -> None:
        """Break the connection: a call that hangs ends."""
        self._mailbox.abort()

    def join(self, seconds: float) -> bool:
        """Whether the thread has ended within this time."""
        if self._thread is None:
            return True
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def close(self) -> None:
        self._readers.close()
        self._mailbox.close()


class _Rounds:
    """Everything that concerns one mailbox, in order."""

    def __init__(self, daemon: Daemon, box: MailboxConfig, name: str, mailbox: Mailbox, readers: Readers) -> None:
        inbox = assembly.inbox(daemon.loaded, box, lambda: first_start(daemon.store, box.name, datetime.now(UTC)))
        store, office, fault, stopping = daemon.store, daemon.office, daemon.fault, daemon.stopping.is_set

        def lease() -> Lease:
            return daemon.duty.lease(name)

        def queued() -> None:
            daemon.wake_outbox()

        raws = assembly.raws(daemon.loaded)
        self._daemon, self._name, self._readers = daemon, name, readers
        self.intake = Intake(
            mailbox,
            inbox,
            store,
            readers,
            office,
            raws,
            lease=lease,
            stopping=stopping,
            queued=queued,
            fault=fault,
        )
        self._answers = (
            Answers(
                mailbox, inbox, box.sent_folder, store, readers, office, lease=lease, stopping=stopping, fault=fault
            )
            if box.sent_folder
            else None
        )
        self._recall = Recall(
            mailbox,
            inbox,
            store,
            readers,
            office,
            raws,
            lease=lease,
            queued=queued,
            fault=fault,
        )
        self._moves = Moves(mailbox, inbox, store, readers, office, lease=lease, fault=fault)
        self._reconcile = Reconcile(mailbox, inbox, store, daemon.settings.limits.reconcile_minutes, lease=lease)

    def once(self) -> int:
        """One round of each. Returns how many mails were handled."""
        self._readers.use(self._daemon.office.rules.pack)
        handled = self.intake.round()
        if self._answers:
            handled += self._read_answers(self._answers)
        if not self._daemon.stopping.is_set():
            handled += self._recall.round()
            self._moves.round()
            self._moves.release()
            self._reconcile.round()
        return handled

    def _read_answers(self, answers: Answers) -> int:
        """Without the Sent folder partners' mail is handled all the same."""
        name = f"sent folder of {self._name}"
        try:
            looked = answers.round()
        except Permanent as error:
            self._daemon.silence.fails(name, str(error))
            return 0
        self._daemon.silence.works(name)
        return looked
