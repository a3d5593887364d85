"""One at a time holds a lease; another takes it when he dies, falls silent or is frozen with its locks in hand."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from tests import stores
from tests.whole.desk import until
from triage.adapters.db import leases
from triage.adapters.db.leases import LENGTH, Lease
from triage.adapters.db.store import Store
from triage.adapters.db.tables import leases as table
from triage.core.errors import LeaseLost
from triage.duty import Duty

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
ME, OTHER = "far:1:2:f0f0f0f0:aaaaaaaa", "away:1:2:f1f1f1f1:bbbbbbbb"


def take(store: Store, who: str, now: datetime = NOW) -> Lease | str:
    with store.begin() as tx:
        return tx.leases.take("mailbox", who, now)


def run_out(store: Store) -> None:
    """As when its holder has been silent for a while."""
    with store.engine.begin() as connection:
        connection.execute(table.update().values(expires_at=NOW - timedelta(days=365)))


def test_one_holds_it_and_nobody_else_until_it_runs_out(any_store: Store) -> None:
    mine = take(any_store, ME)
    assert isinstance(mine, Lease)
    assert take(any_store, OTHER) == ME
    assert take(any_store, ME) == mine
    run_out(any_store)
    his = take(any_store, OTHER, NOW + LENGTH)
    assert isinstance(his, Lease) and his.epoch == mine.epoch + 1
    with pytest.raises(LeaseLost), any_store.begin(mine):
        pass
    with pytest.raises(LeaseLost), any_store.begin() as tx:
        tx.leases.renew(mine, NOW)
    with any_store.begin(his):
        pass


def test_who_gives_it_back_need_not_be_waited_for(any_store: Store) -> None:
    mine = take(any_store, ME)
    assert isinstance(mine, Lease)
    with any_store.begin() as tx:
        tx.leases.release(mine)
    assert isinstance(take(any_store, OTHER), Lease)


def test_who_died_on_this_machine_need_not_be_waited_for(any_store: Store) -> None:
    living = leases.holder()
    host, process, _, *rest = living.split(":")
    assert isinstance(take(any_store, ":".join([host, process, "before", *rest])), Lease)
    assert isinstance(take(any_store, living), Lease)
    assert take(any_store, OTHER) == living


def test_another_container_with_the_name_of_this_host_is_not_taken_for_dead(any_store: Store) -> None:
    host, *_ = leases.holder().split(":")
    there = f"{host}:1:2:f0f0f0f0:aaaaaaaa"  # its processes have numbers of their own
    assert isinstance(take(any_store, there), Lease)
    assert take(any_store, OTHER) == there


def test_who_has_much_to_do_gives_to_who_waits_and_has_less(any_store: Store) -> None:
    busy, idle = Duty(any_store, ME), Duty(any_store, OTHER)
    boxes = ["mailbox a", "mailbox b", "mailbox c"]
    assert all(busy.take(one) for one in (*boxes, "clocks"))
    assert not any(busy.give_away(one) for one in boxes)  # nobody waits
    for one in boxes:
        assert not idle.take(one)
        idle.stand_by(one)
    assert [busy.give_away(one) for one in boxes] == [True, True, False]
    assert idle.take("mailbox a") and idle.take("mailbox b")
    busy.stand_by("mailbox a")
    assert not busy.give_away("mailbox c") and not idle.give_away("mailbox a")  # as even as can be
    assert busy.renew() == [] == idle.renew()


def test_who_stands_by_waits_for_nothing_that_the_holder_does(postgres_url: str) -> None:
    with stores.empty(postgres_url) as store:
        mine = take(store, ME)
        assert isinstance(mine, Lease)
        with store.begin(mine), store.begin() as tx:
            tx.leases.take("mailbox", OTHER, NOW)  # else it would wait for us, for ever


def test_locks_of_a_frozen_holder_hold_nobody_up(postgres_url: str) -> None:
    """He is stopped between two statements of a group: PostgreSQL waits for the rest, without any limit."""
    url = make_url(postgres_url)
    with stores.empty(postgres_url) as store:
        assert isinstance(take(store, ME), Lease)
        run_out(store)
        his = psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database)
        his.execute(f"SET application_name = '{leases._session(ME)}'")
        his.execute("SET idle_in_transaction_session_timeout = '1s'")
        his.commit()
        with suppress(psycopg.OperationalError), his.pipeline():
            his.execute("SELECT * FROM leases FOR SHARE")
            his.pgconn.send_flush_request()
            while his.pgconn.flush():
                pass
            until(lambda: _locks(store), "his lock")
            begun = time.monotonic()
            assert isinstance(take(store, OTHER), Lease)
            assert time.monotonic() - begun < 10  # half of what a lock is waited for


def _locks(store: Store) -> int:
    with store.engine.connect() as connection:
        query = (
            "SELECT count(*) FROM pg_locks WHERE relation = 'leases'::regclass AND mode = 'RowShareLock' AND granted"
        )
        return int(connection.exec_driver_sql(query).scalar_one())
