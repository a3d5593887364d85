"""Reads mail in processes of their own: several at once, and one that takes too long can be ended.

A reader process holds the pack and turns bytes into an Email and its Reading; it touches neither mailbox nor
database. Whatever happens to it (a hang, a crash, no memory) is the failure of the one mail it had in hand.

It is treated as if a mail could take it over: it is started without the passwords of the environment, without our
connections and without our key (it is told which of the Message-IDs in a mail are ours), may write no file and take no
more than its share of memory, and what it sends back may be made of our nouns only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import io
import multiprocessing
import os
import pickle
import queue
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from datetime import datetime
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from operator import attrgetter
from typing import Any, Protocol

from triage.core import model, threads
from triage.core.errors import Temporary
from triage.core.model import Desk, Email, Reading
from triage.core.pack import Pack

_AHEAD = 16  # mails per reader that are under way: it reads on while what it has read is decided about
_AHEAD_BYTES = 4_000_000  # of them together, if they are more than one
_MUCH = 100_000  # bytes: as much as some mails more
_START_SECONDS = 120.0  # until a reader must be ready: machines can be slow, and it loads much
_ALONE_SECONDS = 30  # beyond the limit for a mail: then a reader that nobody ends any more ends itself
_MEMORY = 3_000_000_000  # bytes of addresses that a reader may use
YOUNG = 20_000  # objects between two rounds of the garbage collector: a mail makes thousands that need none
_SECRET_NAMES = ("PASSWORD", "PASSFILE", "SECRET", "TOKEN", "CREDENTIAL", "TRIAGE_")
_PRELOADED = ["triage.adapters.readers", "triage.adapters.mime", "triage.core.reading.read"]
_Sent = tuple[bytes, datetime | None, frozenset[str]]
_LONGEST_ANSWER = 200_000_000  # bytes
_PLAIN = {("datetime", "datetime"), ("datetime", "timezone"), ("datetime", "timedelta"), ("builtins", "frozenset")}


class Read(Protocol):
    """The work: a mail, when it came, and which of the Message-IDs in it are ours."""

    def __call__(
        self, raw: bytes, received: datetime | None, made: frozenset[str] = ..., /
    ) -> tuple[Email, Reading]: ...


Make = Callable[[Pack, Desk], Read]


@dataclass(frozen=True, slots=True)
class Job:
    """One mail to read."""

    key: int
    raw: bytes
    received: datetime | None
    made: frozenset[str] = frozenset()  # Message-IDs in it that are ours


@dataclass(frozen=True, slots=True)
class Done:
    """A mail that was read, or why it could not be."""

    key: int
    email: Email | None
    reading: Reading | None
    failure: str = ""


def reader(pack: Pack, desk: Desk) -> Read:
    """The work itself: parse, then read."""
    from triage.adapters.mime import parse
    from triage.core import authenticity
    from triage.core.reading.read import read

    def work(raw: bytes, received: datetime | None, made: frozenset[str] = frozenset(), /) -> tuple[Email, Reading]:
        email = authenticity.author(parse(raw, received), desk.trust)
        return email, read(email, pack, replace(desk, made=made) if made else desk)

    return work


class Readers:
    """A few reader processes. With `count` 0 the work is done here, without a limit of time."""

    def __init__(self, pack: Pack, desk: Desk, count: int, seconds: float, make: Make = reader) -> None:
        """`seconds` for each mail. `make` makes the work, in the reader's process; tests hand in worse ones."""
        self._pack, self._count, self._seconds, self._make = pack, count, seconds, make
        self._ours, self._desk = desk, replace(desk, key=b"", old_keys=())
        self._children: list[_Child] = []
        self._here: Read | None = None
        if count:
            _prepare()

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Read all of them; results come in the order of the jobs, and jobs are taken only as fast as they are read.

        Raises Temporary when no reader can be started.
        """
        told = (replace(job, made=threads.made(job.raw, self._ours)) for job in jobs)
        if not self._count:
            yield from (self._alone(job) for job in told)
            return
        self.start()
        try:
            yield from self._in_order(told)
        finally:
            if any(child.jobs for child in self._children):
                self.close()  # nobody waits for these answers: they must not be taken for those to later jobs

    def start(self) -> None:
        """Begin the reader processes, so that the first mail need not wait for them."""
        if not self._children:
            self._children = [_Child(self._pack, self._desk, self._seconds, self._make) for _ in range(self._count)]

    def use(self, pack: Pack) -> None:
        """Read by this pack from now on."""
        if pack is not self._pack:
            self.close()
            self._pack, self._here = pack, None

    def close(self) -> None:
        for child in self._children:
            child.end()
        self._children = []

    def _in_order(self, waiting: Iterator[Job]) -> Iterator[Done]:
        order: deque[tuple[int, int]] = deque()  # number and size of the jobs that were given out, first in first out
        results: dict[int, Done] = {}
        number = under_way = 0
        more = True
        while more or order:
            while more and len(order) < _AHEAD * self._count and (not order or under_way < _AHEAD_BYTES):
                job = next(waiting, None)
                if job is None:
                    more = False
                else:
                    number += 1
                    order.append((number, len(job.raw)))
                    under_way += len(job.raw)
                    min(self._children, key=lambda child: child.load).give(number, job)
            if order and order[0][0] not in results:
                self._collect(results)
            while order and order[0][0] in results:
                number_done, size = order.popleft()
                under_way -= size
                yield results.pop(number_done)

    def _alone(self, job: Job) -> Done:
        self._here = self._here or self._make(self._pack, self._desk)
        return _done(self._here, job)

    def _collect(self, results: dict[int, Done]) -> None:
        """Wait until a reader has an answer, or has taken too long."""
        busy = [child for child in self._children if child.jobs]
        first_limit = min(child.limit for child in busy)
        ready = wait([child.pipe for child in busy], max(0.0, first_limit - time.monotonic()))
        for child in busy:
            number, _ = child.jobs[0]
            if child.pipe in ready:
                done = child.take()
            elif time.monotonic() >= child.limit:
                done = child.give_up(f"took longer than {self._seconds:g} seconds to read")
            else:
                continue
            if done:
                results[number] = done


class _Child:
    """One reader process, and the jobs that it was given: it reads them in their order.

    It says `ready` once; the time of a mail counts from then on, or from the answer to the one before.
    """

    def __init__(self, pack: Pack, desk: Desk, seconds: float, make: Make) -> None:
        self._arguments, self._seconds = (pack, desk, seconds, make), seconds
        self.jobs: deque[tuple[int, Job]] = deque()
        self._start()

    @property
    def load(self) -> tuple[int, int]:
        """How much it has to do."""
        return sum(len(job.raw) for _, job in self.jobs) // _MUCH, len(self.jobs)

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        try:
            self.pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, *self._arguments), daemon=True, name="reader")
            self._process.start()
        except (OSError, EOFError) as error:
            raise Temporary(f"no reader process can be started: {error}") from error
        theirs.close()
        self._ready = False
        self.limit = time.monotonic() + _START_SECONDS

    def give(self, number: int, job: Job) -> None:
        self.jobs.append((number, job))
        if self._ready:
            if len(self.jobs) == 1:
                self.limit = time.monotonic() + self._seconds
            self._send(job)

    def take(self) -> Done | None:
        """The answer to the first job; None when it only said that it is ready."""
        try:
            said = _Answer(io.BytesIO(self.pipe.recv_bytes(_LONGEST_ANSWER))).load()
        except (EOFError, OSError):
            return self.give_up("ended the process that read it")
        except Exception as error:  # whatever it sent: no answer
            return self.give_up(f"was answered with what is no reading: {type(error).__name__}")
        self.limit = time.monotonic() + self._seconds
        if not self._ready:
            self._ready = True
            for _, job in self.jobs:
                self._send(job)
            return None
        email, reading, failure = said
        _, job = self.jobs.popleft()
        return Done(job.key, email, reading, failure)

    def give_up(self, why: str) -> Done:
        """End the process; another begins with what this one was not at fault for."""
        if not self._ready:
            self.end()
            raise Temporary(f"a reader process did not come up within {_START_SECONDS:g} seconds, or ended before")
        _, job = self.jobs.popleft()
        self.end()
        self._start()
        return Done(job.key, None, None, why)

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join(5)

    def _send(self, job: Job) -> None:
        with contextlib.suppress(OSError):  # it is gone: taking its answer says so
            self.pipe.send((job.raw, job.received, job.made))


class _Answer(pickle.Unpickler):
    """What a reader sends: our nouns, times and plain values. Anything else would be code of the reader's choice."""

    def find_class(self, module: str, name: str) -> Any:
        noun = getattr(model, name, None) if module == model.__name__ else None
        if isinstance(noun, type) and noun.__module__ == module:
            return noun
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a reading")


def _packed(answer: tuple[Email | None, Reading | None, str]) -> bytes:
    """The answer as bytes, each noun as the call that makes it: half the work of what a dataclass does by itself."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _CALLS
    pickler.dump(answer)
    return out.getvalue()


def _call(noun: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    names = [field.name for field in dataclasses.fields(noun)]
    values = attrgetter(*names) if len(names) > 1 else lambda one: (getattr(one, names[0]),)
    return lambda one: (noun, values(one))


_CALLS = {noun: _call(noun) for noun in vars(model).values() if isinstance(noun, type) and is_dataclass(noun)}


def _prepare() -> None:
    """Start the server that forks readers, once, without the secrets that the environment may hold."""
    multiprocessing.set_forkserver_preload(_PRELOADED)
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if _secret(name)}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(hidden)


def _secret(name: str) -> bool:
    return any(part in name.upper() for part in _SECRET_NAMES)


def _serve(pipe: Connection, pack: Pack, desk: Desk, seconds: float, make: Make) -> None:
    """The life of a reader process: a mail in, its reading out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon decides when we end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for name in [name for name in os.environ if _secret(name)]:
        del os.environ[name]
    work = make(pack, desk)
    with contextlib.suppress(Exception):  # what is made for the first mail only is made before any waits
        work(_FIRST_MAIL, None)
    waiting: queue.SimpleQueue[_Sent | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, waiting), daemon=True).start()
    _confine()
    gc.freeze()  # what is there now stays: the pack need not be gone through again and again
    gc.set_threshold(YOUNG, 10, 10)
    pipe.send_bytes(pickle.dumps("ready"))
    while (job := waiting.get()) is not None:
        signal.alarm(int(seconds) + _ALONE_SECONDS)  # a daemon that was killed ends nobody
        done = _done(work, Job(0, *job))
        signal.alarm(0)
        pipe.send_bytes(_packed((done.email, done.reading, done.failure)))


def _listen(pipe: Connection, waiting: queue.SimpleQueue[_Sent | None]) -> None:
    """Take every job at once, whatever is being read: who sends it never waits, so neither side waits for the other."""
    while True:
        try:
            waiting.put(pipe.recv())
        except (EOFError, OSError):
            waiting.put(None)
            return


_FIRST_MAIL = b"From: a@b.example\nSubject: Hello\n\nThe report does not open since this morning, why?\n"


def _confine() -> None:
    """No file that it writes, no core file, no more memory than its share."""
    for what, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, _MEMORY)):
        with contextlib.suppress(ValueError, OSError):  # a tighter limit holds already
            resource.setrlimit(what, (most, most))


def _done(work: Read, job: Job) -> Done:
    try:
        email, reading = work(job.raw, job.received, job.made)
    except Exception as error:  # one mail: whatever it does to the readers is its own failure
        return Done(job.key, None, None, f"reading failed: {type(error).__name__}")
    return Done(job.key, email, reading)
