"""How long a sweep over the clocks takes with a million tickets stored, of which a hundred thousand are open.

    python -m bench.sweeps                            SQLite, and PostgreSQL where it is installed
    python -m bench.sweeps --tickets 100000 --open 10000
    python -m bench.sweeps --url postgresql://...     a database of your own (empty)

Goals: nothing due in under 5 ms, a thousand due in under 2 s, whatever is stored. A thousand due are 600 warnings, 300
breaches, 50 reminders and 50 tickets to be closed, the last two kinds with a mail to the partner.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, text

from triage import events
from triage.adapters import packs
from triage.adapters.db import engine, migrate
from triage.adapters.db.store import Store
from triage.adapters.db.tables import alarms, promises, tickets
from triage.core.clock import make_rules
from triage.core.model import Desk
from triage.steps.clockwatch import Clockwatch
from triage.steps.office import Office

NOW = datetime(2026, 1, 7, 8, tzinfo=UTC)  # a Wednesday, in working time
HOUR = timedelta(hours=1)
DUE = (("warning", 600), ("breach", 300), ("remind", 50), ("close", 50))
CHUNK = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--url", help="an empty database; default: SQLite and PostgreSQL of its own")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        events.set_up(Path(folder) / "bench.log", "info")
        _run(chosen, Path(folder))


def _run(chosen: argparse.Namespace, folder: Path) -> None:
    for name, url in _databases(chosen.url, folder):
        made = engine.connect(url)
        migrate.upgrade(made)
        store = Store(made)
        began = time.perf_counter()
        fill(store, chosen.tickets, chosen.open)
        print(f"{name}: {chosen.tickets:,} tickets, {chosen.open:,} open ({time.perf_counter() - began:.0f} s to fill)")
        measure(store)
        store.close()


def measure(store: Store) -> None:
    pack = packs.load(packs.shipped_rules() / "navixy")
    office = Office(Desk(("support@vendor.example",), key=b"k" * 32), make_rules(pack), notify=("lead@vendor.example",))
    watch = Clockwatch(store, office, now=lambda: NOW)
    watch.round()  # the morning's overview goes out
    times = [_timed(watch)[0] for _ in range(100)]
    print(f"  nothing due   {statistics.median(times) * 1000:8.2f} ms   (slowest {max(times) * 1000:.2f} ms)")
    for _ in range(3):
        make_due(store)
        seconds, done = _timed(watch)
        print(f"  {done:5} due     {seconds * 1000:8.0f} ms")


def _timed(watch: Clockwatch) -> tuple[float, int]:
    began = time.perf_counter()
    done = watch.round()
    return time.perf_counter() - began, done


def fill(store: Store, total: int, opened: int) -> None:
    """Closed tickets by one statement, unfinished ones with their alarms and promises; one in twenty waits."""
    with store.engine.begin() as connection:
        connection.execute(text(_closed(connection, total - opened)))
        _insert(connection, tickets, (_ticket(number) for number in range(total - opened + 1, total + 1)))
        _insert(connection, alarms, (row for number in range(total - opened + 1, total + 1) for row in _alarms(number)))
        _insert(connection, promises, (_promise(number) for number in range(total - opened + 1, total + 1)))
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('tickets_id_seq', :last)"), {"last": total})
    with store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def make_due(store: Store) -> None:
    """A thousand alarms whose time has come, each of another ticket."""
    with store.engine.begin() as connection:
        for kind, count in DUE:
            chosen = f"SELECT id FROM alarms WHERE kind = '{kind}' AND at > :now ORDER BY at DESC LIMIT {count}"
            statement = text(f"UPDATE alarms SET at = :then WHERE id IN ({chosen})")
            then = NOW - timedelta(seconds=1)
            connection.execute(statement, {"now": _bound(connection, NOW), "then": _bound(connection, then)})


def _bound(connection: Connection, at: datetime) -> Any:
    return at if connection.dialect.name == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")


def _closed(connection: Connection, count: int) -> str:
    numbers = (
        f"SELECT i FROM generate_series(1, {count}) AS i"
        if connection.dialect.name == "postgresql"
        else f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    )
    return f"""
        INSERT INTO tickets (id, partner, requester, subject, state, fields, flags, pack, opened_at, closed_at)
        SELECT i, 'Partner ' || (i % 500), 'person' || (i % 2000) || '@partner.example', 'An old matter', 'closed',
               '[]', '[]', 'bench 1', '2025-01-06 08:00:00.000000', '2025-02-06 08:00:00.000000'
        FROM ({numbers}) AS numbers
    """


def _ticket(number: int) -> dict[str, Any]:
    waits = number % 20 == 0
    return {
        "id": number, "partner": f"Partner {number % 500}", "requester": f"person{number % 2000}@partner.example",
        "subject": "Report is empty", "state": "awaiting_partner" if waits else "open", "language": "en",
        "deployment": "paas", "request_type": "incident", "service": "features", "severity": "3", "fields": [],
        "flags": [], "pack": "bench 1", "opened_at": NOW, "last_mail_at": NOW,
        "clock_started_at": None if waits else NOW, "due_at": None if waits else _due(number), "hours": 6.0,
        "guaranteed": None if waits else True, "calendar": "paas_hours",
    }  # fmt: skip


def _due(number: int) -> datetime:
    return NOW + 24 * HOUR + timedelta(seconds=number % 400_000)


def _alarms(number: int) -> Iterator[dict[str, Any]]:
    due = _due(number)
    if number % 20 == 0:
        yield {"ticket": number, "kind": "remind", "at": due, "share": None}
        yield {"ticket": number, "kind": "close", "at": due + 240 * HOUR, "share": None}
        return
    if number % 2:
        yield {"ticket": number, "kind": "warning", "at": due - 3 * HOUR, "share": 0.5}
    yield {"ticket": number, "kind": "breach", "at": due, "share": None}


def _promise(number: int) -> dict[str, Any]:
    return {
        "ticket": number, "to_address": f"person{number % 2000}@partner.example", "promised_at": NOW,
        "due_at": _due(number), "guaranteed": True, "pack": "bench 1",
    }  # fmt: skip


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            connection.execute(table.insert(), chunk)
            chunk = []
    if chunk:
        connection.execute(table.insert(), chunk)


def _databases(url: str | None, folder: Path) -> Iterator[tuple[str, str]]:
    if url:
        yield url.split("://")[0], url
        return
    yield "SQLite", f"sqlite:///{folder / 'bench.db'}"
    from tests.servers.daemon import Missing
    from tests.servers.postgres import Postgres

    try:
        server = Postgres()
    except Missing as missing:
        print(f"PostgreSQL: {missing}")
        return
    try:
        yield "PostgreSQL", server.new_database()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
