"""The whole, measured: mails in a Dovecot mailbox until their tickets stand and their replies were accepted.

    python -m bench.whole                       100, 1,000 and 10,000 mails, SQLite and PostgreSQL; latency; growth
    python -m bench.whole --mails 1000 --database sqlite
    python -m bench.whole --latency             from the delivery to the accepted reply, on an idle mailbox
    python -m bench.whole --growth              the cost of a mail with 100 and with 100,000 tickets stored
    python -m bench.whole --profile 1000        where the time of the daemon goes

The floor is measured in the same run on the same mails and servers (bench/floor.py). What the columns mean stands in
bench/README.md.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import floor, growth, mails, profiled
from bench.desk import USER, Desk
from bench.processes import Used, used
from tests.servers.dovecot import PASSWORD

COUNTS = (100, 1_000, 10_000)
LATENCIES = 100
WATCHER = "watcher"  # a user
HEADER = (
    f"{'database':<11}{'mails':>7}{'mails/s':>9}{'floor/s':>9}{'ratio':>7}{'CPU ms/mail':>13}{'daemon MB':>11}"
    f"{'readers MB':>12}{'start s':>9}   tickets, replies"
)


def main() -> None:
    options = _options()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {_machine()}")
    databases = [options.database] if options.database else ["sqlite", "postgresql"]
    if options.profile:
        profiled.show(options.profile, databases[0], options.sort)
        return
    everything = not (options.mails or options.latency or options.growth)
    for database in databases:
        if options.mails or everything:
            print(HEADER)
            with Desk(database) as desk:
                for count in options.mails or COUNTS:
                    print(_throughput(desk, database, count, with_floor=not options.no_floor), flush=True)
        if options.latency or everything:
            _latency(database)
        if options.growth or everything:
            growth.show(database)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the whole daemon on real servers.")
    parser.add_argument("--mails", type=int, nargs="+", help="how many; 100000 takes its time")
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--profile", type=int, metavar="MAILS")
    parser.add_argument("--sort", default="tottime", help="of the profile: tottime or cumtime")
    parser.add_argument("--no-floor", action="store_true")
    return parser.parse_args()


def _machine() -> str:
    processors = [line for line in Path("/proc/cpuinfo").read_text().split("\n") if line.startswith("model name")]
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{len(processors)} cores of {processors[0].split(':')[1].strip()}, load {load}"


# ---------------------------------------------------------------- throughput


def _throughput(desk: Desk, database: str, count: int, *, with_floor: bool) -> str:
    desk.anew()
    desk.fill(mails.generate(count))
    under = _floor(desk) if with_floor else None
    before = desk.sink.taken
    began = desk.start()
    desk.wait(lambda: desk.opened, 60)
    start = time.time() - began
    desk.wait(lambda: desk.sink.taken - before >= count, 60 + count / 10)
    assert desk.daemon
    spent = used(desk.daemon.pid)
    first = desk.first("message.received") or began
    desk.stop()
    row = _row(database, count, count / (desk.sink.last - first), start, under, spent)
    return f"{row}   {growth.stored(desk.database)}"


def _floor(desk: Desk) -> floor.Floor:
    return floor.measure(
        desk.dovecot.host, desk.dovecot.imap, USER, PASSWORD, "INBOX", desk.database, desk.dir, desk.sink.port
    )


def _row(database: str, count: int, rate: float, start: float, under: floor.Floor | None, spent: Used) -> str:
    possible = count / under.seconds if under else 0.0
    return (
        f"{database:<11}{count:>7}{rate:>9.0f}{possible:>9.0f}{rate / possible if possible else 0:>7.2f}"
        f"{spent.seconds / count * 1000:>13.2f}{spent.daemon_megabytes:>11.0f}{spent.children_megabytes:>12.0f}"
        f"{start:>9.2f}"
    )


# ---------------------------------------------------------------- latency


def _latency(database: str) -> None:
    """One mail at a time on an idle mailbox; a client that does nothing but IDLE tells what the server needs. It has a
    mailbox of its own, which the same mail is delivered to: from the other one it would be moved away."""
    taken: list[float] = []
    told: list[float] = []
    with Desk(database) as desk:
        desk.start()
        desk.wait(lambda: desk.first("daemon.started") is not None, 30)
        time.sleep(2)
        with _Watcher(desk) as watcher:
            pauses = random.Random(1)
            for letter in mails.generate(LATENCIES):
                before = desk.sink.taken
                watcher.told = 0.0
                began = time.time()
                desk.dovecot.deliver(WATCHER, letter)
                watched = time.time()
                desk.dovecot.deliver(USER, letter)
                delivered = time.time()
                desk.wait(lambda before=before: desk.sink.taken > before, 70)  # type: ignore[misc]
                taken.append(desk.sink.last - delivered)
                desk.wait(lambda began=began: watcher.told > began, 70)  # type: ignore[misc]
                told.append(watcher.told - watched)
                time.sleep(pauses.uniform(0, 1.5))  # also while the daemon is about to wait again
    ours = statistics.median(taken) - statistics.median(told)
    print(
        f"{database}: latency {statistics.median(taken) * 1000:.0f} ms median of {len(taken)} "
        f"(90 %: {sorted(taken)[int(len(taken) * 0.9)] * 1000:.0f}, longest {max(taken) * 1000:.0f}); "
        f"a client that only waits is told after {statistics.median(told) * 1000:.0f}; ours: {ours * 1000:.0f}"
    )


class _Watcher:
    """A client in IDLE on a mailbox of its own."""

    def __init__(self, desk: Desk) -> None:
        from imapclient import IMAPClient

        self.told = 0.0
        self._stop = False
        self._client = IMAPClient(desk.dovecot.host, desk.dovecot.imap, ssl=False)
        self._client.login(WATCHER, PASSWORD)
        self._client.select_folder("INBOX", readonly=True)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watcher:
        self._client.idle()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._stop:
            said = self._client.idle_check(timeout=1)
            if not self.told and any(len(one) > 1 and one[1] == b"EXISTS" for one in said):
                self.told = time.time()


if __name__ == "__main__":
    main()
