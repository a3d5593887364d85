"""The daemon's parts that need no server: what happens when the system clock is set."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from triage import daemon
from triage.daemon import Daemon


class Job:
    """A job of the scheduler, that sleeps until a time of the old clock."""

    woken: datetime | None = None

    def modify(self, *, next_run_time: datetime) -> None:
        self.woken = next_run_time


@pytest.mark.parametrize(("seconds", "wakes"), [(7200, True), (-7200, True), (5, False), (-5, False)])
def test_system_clock_that_is_set_wakes_every_job_once(
    seconds: int, wakes: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, naps = [Job(), Job()], 0

    async def nap(_: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 4:
            raise asyncio.CancelledError

    clock = SimpleNamespace(
        time=lambda: time.time() + (seconds if naps >= 2 else 0),
        monotonic=time.monotonic,
    )
    monkeypatch.setattr(daemon, "time", clock)
    monkeypatch.setattr(asyncio, "sleep", nap)
    scheduler: Any = SimpleNamespace(get_jobs=lambda: jobs)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Daemon._watch_time(object.__new__(Daemon), scheduler))
    now = datetime.now(UTC)
    assert [job.woken is not None and abs((job.woken - now).total_seconds()) < 60 for job in jobs] == [wakes] * 2
    told = [record.__dict__["event"] for record in caplog.records if "event" in record.__dict__]
    assert told.count("time.jumped") == wakes
