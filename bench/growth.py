"""Whether a mail costs more when much is stored: the same mails on a database with 100 and with 100,000 tickets."""

from __future__ import annotations

from sqlalchemy import MetaData, create_engine, text

from bench import mails
from bench.desk import Desk
from bench.processes import used

STORED = 100_000
MAILS = 500
_COPY = 100  # tickets whose rows are copied
_WARM = 50  # mails before those that are measured


def stored(url: str) -> str:
    """How many tickets there are, and how many replies were sent."""
    with create_engine(url).connect() as connection:
        tickets = connection.execute(text("SELECT count(*) FROM tickets")).scalar_one()
        replies = connection.execute(text("SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL")).scalar_one()
    return f"{tickets}, {replies}"


def show(database: str) -> None:
    costs = []
    for tickets in (_COPY, STORED):
        with Desk(database) as desk:
            _handle(desk, _COPY - 1, first=0, warm=1)
            _multiply(desk.database, tickets // _COPY)
            desk.stop()
            costs.append(_handle(desk, MAILS, first=_COPY, warm=_WARM))
            print(f"{database}: {stored(desk.database)} tickets and replies stored: {costs[-1]:.2f} ms CPU a mail")
    print(f"{database}: {(costs[1] / costs[0] - 1) * 100:+.1f} %")


def _handle(desk: Desk, count: int, *, first: int, warm: int) -> float:
    """Milliseconds of CPU for one mail, the start and so many mails before left out."""
    before = desk.sink.taken
    desk.start()
    desk.wait(lambda: desk.first("daemon.started") is not None, 60)
    desk.fill(mails.generate(warm, first=first))
    desk.wait(lambda: desk.sink.taken - before >= warm, 120)
    assert desk.daemon
    began = used(desk.daemon.pid).seconds
    desk.fill(mails.generate(count, first=first + warm))
    desk.wait(lambda: desk.sink.taken - before >= warm + count, 300)
    spent = used(desk.daemon.pid).seconds - began
    desk.stop()
    return spent / count * 1000


def _multiply(url: str, times: int) -> None:
    """Every row so many times over, with ids and names of its own."""
    engine = create_engine(url)
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            if "id" not in table.c and table.name != "message_ids":
                continue
            rows = [row._asdict() for row in connection.execute(table.select())]
            for number in range(1, times):
                copies = [_copy(row, number) for row in rows]
                if copies:
                    connection.execute(table.insert(), copies)
        if engine.dialect.name == "postgresql":
            for table in tables.sorted_tables:
                if "id" in table.c:
                    connection.execute(
                        text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}")
                    )
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


_IDS = ("id", "ticket", "mail", "duplicate_of", "follows")
_NAMES = ("message_id", "fingerprint", "text_hash")


def _copy(row: dict[str, object], number: int) -> dict[str, object]:
    copy = dict(row)
    for key in _IDS:
        if copy.get(key) is not None:
            copy[key] = int(str(copy[key])) + number * 1_000_000
    for key in _NAMES:
        if copy.get(key):
            copy[key] = f"{number:x}.{copy[key]}"[: 300 if key == "message_id" else 64 if key == "fingerprint" else 32]
    if "uid" in copy:
        copy["uid"] = int(str(copy["uid"])) + number * 1_000_000
    return copy
