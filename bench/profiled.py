"""Where the time of the daemon goes: CPU time by function, as cProfile counts it.

The daemon's own threads are told apart: the one that owns the mailbox (fetch, decide, store, file away) and the event
loop (send). Reading is done in processes of its own; `readers` profiles it here.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import threading
import time
from collections.abc import Callable

from bench import mails
from bench.desk import Desk

SHOWN = 60


def show(count: int, database: str, sort: str) -> None:
    from triage import assembly, config, daemon, events

    _reading(count, sort)
    with Desk(database) as desk:
        desk.fill(mails.generate(count))
        loaded = config.load(desk.config)
        events.set_up(desk.log, "info")
        rules = assembly.rules(loaded)
        readers = [assembly.readers(loaded, box, rules.pack) for box in loaded.config.mailbox]
        mine = daemon.Daemon(loaded, rules, readers)
        of_thread, of_loop = cProfile.Profile(time.thread_time), cProfile.Profile(time.thread_time)
        for runner in mine.runners:
            runner._live = _profiled(runner._live, of_thread)  # type: ignore[method-assign]
        watch = threading.Thread(target=_stop_when, args=(lambda: desk.sink.taken >= count, mine.stop))
        watch.start()
        of_loop.enable()
        asyncio.run(mine.run())
        of_loop.disable()
        mine.close()
        watch.join()
        for name, profile in (("the mailbox's thread", of_thread), ("the event loop", of_loop)):
            print(f"\n---- {name}, {count} mails")
            pstats.Stats(profile).sort_stats(sort).print_stats(SHOWN)


def _stop_when(done: Callable[[], bool], stop: Callable[[], None]) -> None:
    while not done():
        time.sleep(0.05)
    stop()


def _profiled(work: Callable[..., None], profile: cProfile.Profile) -> Callable[..., None]:
    return lambda *args: profile.runcall(work, *args)


def _reading(count: int, sort: str) -> None:
    from pathlib import Path

    from triage.adapters import packs
    from triage.adapters.readers import reader
    from triage.core.model import Desk as Ours

    pack = packs.load(packs.find("navixy", Path.cwd()))
    work = reader(pack, Ours(("support@vendor.example",), key=b"k"))
    letters = list(mails.generate(count))
    for letter in letters[:50]:
        work(letter, None)
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for letter in letters:
        work(letter, None)
    profile.disable()
    print(f"\n---- a reader, {count} mails")
    pstats.Stats(profile).sort_stats(sort).print_stats(SHOWN)
