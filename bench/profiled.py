"""Where the time of the daemon goes: the same work as `triage run --once`, in one process, under cProfile."""

from __future__ import annotations

import cProfile
import pstats

from bench import mails
from bench.desk import Desk


def show(count: int, database: str, sort: str) -> None:
    with Desk(database, more="[limits]\nreaders = 0") as desk:
        desk.fill(mails.generate(count))
        profile = cProfile.Profile()
        _run(desk, profile)
        pstats.Stats(profile).sort_stats(sort).print_stats(60)


def _run(desk: Desk, profile: cProfile.Profile) -> None:
    from triage import config, daemon, events

    loaded = config.load(desk.config)
    events.set_up(desk.log, "info")
    profile.enable()
    daemon.run(loaded, once=True)
    profile.disable()
