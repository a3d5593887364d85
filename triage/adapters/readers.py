"""Reads mail in processes of their own: several at once, and one that takes too long can be ended.

A reader process holds the pack and turns bytes into an Email and its Reading; it touches neither mailbox nor
database. Whatever happens to it (a hang, a crash, no memory) is the failure of the one mail it had in hand.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection, wait
from typing import Any

from triage.core.model import Desk, Email, Reading
from triage.core.pack import Pack

_AHEAD = 4  # mails per reader that may wait for an earlier one to be done
Read = Callable[[bytes, datetime | None], tuple[Email, Reading]]


@dataclass(frozen=True, slots=True)
class Job:
    """One mail to read."""

    key: int
    raw: bytes
    received: datetime | None


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

    def work(raw: bytes, received: datetime | None) -> tuple[Email, Reading]:
        email = authenticity.author(parse(raw, received), desk.trust)
        return email, read(email, pack, desk)

    return work


class Readers:
    """A few reader processes. With `count` 0 the work is done here, without a limit of time."""

    def __init__(self, pack: Pack, desk: Desk, count: int, seconds: float) -> None:
        self._pack, self._desk, self._count, self._seconds = pack, desk, count, seconds
        self._children: list[_Child] = []
        self._here: Read | None = None

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        """Read all of them; results come in the order of the jobs, and jobs are taken only as fast as they are read."""
        if not self._count:
            yield from (self._alone(job) for job in jobs)
            return
        self.start()
        try:
            yield from self._side_by_side(jobs)
        finally:
            for child in self._children:  # left in the middle: what it reads now must not answer a later job
                if child.job:
                    child.give_up("nobody waits for it")

    def start(self) -> None:
        """Begin the reader processes, so that the first mail need not wait for them."""
        if not self._children:
            self._children = [_Child(self._pack, self._desk) for _ in range(self._count)]

    def _side_by_side(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        waiting = iter(jobs)
        order: deque[int] = deque()  # keys of the jobs that were given out, first in first out
        results: dict[int, Done] = {}
        more = True
        while more or order:
            for child in self._children:
                if child.job or not more or len(order) >= _AHEAD * self._count:
                    continue
                job = next(waiting, None)
                if job is None:
                    more = False
                else:
                    order.append(job.key)
                    child.give(job)
            if any(child.job for child in self._children):
                self._collect(results)
            while order and order[0] in results:
                yield results.pop(order.popleft())

    def use(self, pack: Pack) -> None:
        """Read by this pack from now on."""
        if pack is not self._pack:
            self.close()
            self._pack, self._here = pack, None

    def close(self) -> None:
        for child in self._children:
            child.end()
        self._children = []

    def _alone(self, job: Job) -> Done:
        self._here = self._here or reader(self._pack, self._desk)
        return _done(self._here, job)

    def _collect(self, results: dict[int, Done]) -> None:
        """Wait until a reader has an answer, or has taken too long."""
        busy = [child for child in self._children if child.job]
        now = time.monotonic()
        first_limit = min(child.since for child in busy) + self._seconds
        ready = wait([child.pipe for child in busy], max(0.0, first_limit - now))
        for child in busy:
            if child.pipe in ready:
                done = child.take()
            elif time.monotonic() - child.since >= self._seconds:
                done = child.give_up(f"took longer than {self._seconds:g} seconds to read")
            else:
                continue
            results[done.key] = done


class _Child:
    """One reader process."""

    def __init__(self, pack: Pack, desk: Desk) -> None:
        self._pack, self._desk = pack, desk
        self.job: Job | None = None
        self.since = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["triage.adapters.readers", "triage.adapters.mime", "triage.core.reading.read"])
        self.pipe, theirs = context.Pipe()
        args = (theirs, self._pack, self._desk)
        self._process = context.Process(target=_serve, args=args, daemon=True, name="reader")
        self._process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        self.job, self.since = job, time.monotonic()
        with contextlib.suppress(OSError):  # it is gone: taking its answer says so
            self.pipe.send((job.raw, job.received))

    def take(self) -> Done:
        """The answer to the job in hand."""
        assert self.job is not None
        try:
            email, reading, failure = self.pipe.recv()
        except (EOFError, OSError):
            return self.give_up("ended the process that read it")
        done = Done(self.job.key, email, reading, failure)
        self.job = None
        return done

    def give_up(self, why: str) -> Done:
        """End the process, start another."""
        assert self.job is not None
        done = Done(self.job.key, None, None, why)
        self.job = None
        self.end()
        self._start()
        return done

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join(5)


def _serve(pipe: Connection, pack: Pack, desk: Desk) -> None:
    """The life of a reader process: a mail in, its reading out, until the pipe is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon decides when we end
    work = reader(pack, desk)
    while True:
        try:
            raw, received = pipe.recv()
        except (EOFError, OSError):
            return
        done = _done(work, Job(0, raw, received))
        answer: tuple[Any, ...] = (done.email, done.reading, done.failure)
        pipe.send(answer)


def _done(work: Read, job: Job) -> Done:
    try:
        email, reading = work(job.raw, job.received)
    except Exception as error:  # one mail: whatever it does to the readers is its own failure
        return Done(job.key, None, None, f"reading failed: {type(error).__name__}")
    return Done(job.key, email, reading)
