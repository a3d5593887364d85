"""Mail comes in on bad days: afterwards each mail lies in one folder and has one ticket."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import stores
from tests.servers.fakeimap import FakeImap
from tests.steps.desk import Story
from tests.steps.inboxes import Life, raw, spoil
from triage.adapters.db import engine
from triage.adapters.db.store import Store
from triage.core.errors import Conflict, LeaseLost, Permanent, Temporary
from triage.steps import intake

MakeLife = Callable[..., Life]


@pytest.fixture
def server() -> Iterator[FakeImap]:
    with FakeImap() as fake:
        yield fake


@pytest.fixture
def make_life(server: FakeImap, desk: Story) -> Iterator[MakeLife]:
    lives: list[Life] = []

    def make(**more: Any) -> Life:
        lives.append(Life(more.pop("server", server), more.pop("desk", desk), **more))
        return lives[-1]

    yield make
    for life in lives:
        life.close()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records if "event" in record.__dict__]


# ---------------------------------------------------------------- the mail server's bad days


@pytest.mark.parametrize(
    "name",
    [
        "drops", "bye", "drops-in-fetch", "bye-in-fetch", "literal-too-short", "garbage-in-fetch", "other-uid",
        "nonsense-in-search", "select-refused", "refuses-move", "drops-after-move", "size-too-small", "size-too-large",
        "drops-at-greeting", "bye-at-greeting", "drops-at-login", "too-many-logins", "login-unavailable",
    ],
)  # fmt: skip
@pytest.mark.parametrize("later", [False, True])
def test_once_it_works_again_all_is_handled_once(name: str, later: bool, server: FakeImap, make_life: MakeLife) -> None:
    life = make_life()
    server.add(raw(1), raw(2), raw(3))
    if later:  # in the midst of a working connection
        life.rounds()
        server.add(raw(4))
    server.misbehave(name, times=1)
    life.rounds()
    life.rounds()
    life.handled_once(1, 2, 3, *([4] if later else []))


@pytest.mark.parametrize("name", ["hangs", "hangs-in-fetch", "literal-too-long", "hangs-at-greeting", "hangs-at-login"])
def test_server_that_falls_silent_is_given_up_and_asked_again(name: str, server: FakeImap, make_life: MakeLife) -> None:
    life = make_life(patience=0.5)
    server.add(raw(1), raw(2))
    server.misbehave(name, times=1)
    assert life.rounds()
    life.handled_once(1, 2)


@pytest.mark.parametrize("without", [(), ("MOVE",), ("MOVE", "UIDPLUS"), ("IDLE",)])
def test_works_with_what_the_server_can_do(without: tuple[str, ...], make_life: MakeLife) -> None:
    with FakeImap(without=without) as poor:
        life = make_life(server=poor)
        poor.add(raw(1), raw(2))
        assert life.rounds() == []
        life.handled_once(1, 2)


def test_slow_server_is_waited_for(server: FakeImap, make_life: MakeLife) -> None:
    life = make_life()
    server.add(raw(1))
    server.misbehave("slow", times=30)
    assert life.rounds() == []
    life.handled_once(1)


def test_refused_log_in_is_permanent(server: FakeImap, make_life: MakeLife) -> None:
    server.misbehave("refuses-login", times=1)
    with pytest.raises(Permanent, match="mend user or password"):
        make_life().round()


def test_vanished_inbox_is_permanent_and_comes_back(server: FakeImap, make_life: MakeLife) -> None:
    life = make_life()
    life.rounds()
    inbox = server.folders.pop("INBOX")
    with pytest.raises(Permanent, match="no folder INBOX"):
        life.round()
    server.folders["INBOX"] = inbox
    server.add(raw(1))
    life.rounds()
    life.handled_once(1)


@pytest.mark.parametrize("name", ["refuses-odd-uids", "nil-body"])
def test_mail_that_the_server_holds_back_is_asked_for_again(
    name: str, server: FakeImap, make_life: MakeLife, caplog: pytest.LogCaptureFixture
) -> None:
    life = make_life()
    caplog.set_level(logging.INFO, "triage")
    server.add(raw(1), raw(2), raw(3))
    server.misbehave(name)
    life.rounds()
    life.rounds()
    held = [1, 3] if name == "refuses-odd-uids" else [1, 2, 3]
    assert server.uids() == held
    assert told(caplog).count("message.withheld") == len(held)  # said once each
    server.behave()
    server.add(raw(4))
    life.rounds()
    life.handled_once(1, 2, 3, 4)


def test_new_uidvalidity_in_mid_work_loses_and_doubles_nothing(server: FakeImap, make_life: MakeLife) -> None:
    def renumber(step: str) -> None:
        if step == "committed" and server.folders["INBOX"].uidvalidity == 1:
            inbox = server.folders["INBOX"]
            inbox.uidvalidity, inbox.uidnext = 2, 100
            for message in inbox.messages:
                message.uid += 50
            server.drop_all()

    life = make_life(fault=renumber)
    server.add(raw(1), raw(2), raw(3))
    life.rounds()
    life.rounds()
    life.handled_once(1, 2, 3)


@pytest.mark.parametrize("moved", [False, True])
def test_mail_that_a_person_takes_away_meanwhile_stops_nothing(
    moved: bool, server: FakeImap, make_life: MakeLife
) -> None:
    def take(step: str) -> None:
        if step == "fetched" and 1 in server.uids():
            if moved:
                server.add(raw(1), folder="Archive")
            server.remove(1)
            server.remove(3)

    life = make_life(fault=take)
    server.add(raw(1), raw(2), raw(3))
    life.rounds()
    life.rounds()
    assert server.uids() == []
    assert life.desk.count() in (2, 3)  # the third was gone before it was fetched, or fetched with the others
    assert "<m2@acme.example>" in life.lies()["ready"]


def test_mail_that_a_phone_marked_read_is_handled(server: FakeImap, make_life: MakeLife) -> None:
    server.add(raw(1))
    server.folders["INBOX"].messages[0].flags.add(r"\Seen")
    life = make_life()
    life.rounds()
    life.handled_once(1)


def test_oversize_mail_is_read_as_far_as_its_first_text_in_its_turn(
    server: FakeImap, make_life: MakeLife, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "triage")
    life = make_life(max_bytes=20_000)
    server.add(raw(1), raw(2) + b"x" * 500_000, raw(3))
    life.rounds()
    life.handled_once(1, 2, 3)
    with life.desk.store.look() as tx:
        rows = [tx.tickets.row(number) for number in (1, 2, 3)]
    assert [row["subject"] for row in rows if row] == ["Report 1", "Report 2", "Report 3"]
    assert "message.truncated" in told(caplog)


# ---------------------------------------------------------------- mails' own faults


def test_surprise_quarantines_one_mail_and_the_next_goes_on(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _handle_with(monkeypatch, "<m2@acme.example>", ValueError("of 2"))
    life = make_life()
    server.add(raw(1), raw(2), raw(3))
    life.rounds()
    assert life.lies() == {
        "ready": ["<m1@acme.example>", "<m3@acme.example>"],
        "quarantine": ["<m2@acme.example>"],
    }
    assert "message.surprise" in told(caplog)


def test_mail_at_which_only_the_database_fails_is_quarantined_in_the_end(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    _handle_with(monkeypatch, "<m2@acme.example>", Temporary("database: row too large for its index"))
    life = make_life()
    server.add(raw(1), raw(2), raw(3))
    assert len(life.rounds()) == 2
    assert life.lies() == {
        "ready": ["<m1@acme.example>", "<m3@acme.example>"],
        "quarantine": ["<m2@acme.example>"],
    }


def test_same_mail_stored_by_another_daemon_at_this_moment_is_looked_at_again(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    _handle_with(monkeypatch, "<m1@acme.example>", Conflict("database: it is there"), times=1)
    life = make_life()
    server.add(raw(1))
    assert life.rounds() == []
    life.handled_once(1)


def test_quarantined_mail_that_is_put_back_counts_as_new(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    _handle_with(monkeypatch, "<m1@acme.example>", ValueError("once"), times=2)  # among others, and by itself
    life = make_life()
    server.add(raw(1), raw(1))  # twice, at that
    life.rounds()
    assert life.lies() == {"quarantine": ["<m1@acme.example>"], "ready": ["<m1@acme.example>"]}
    server.remove(1, "quarantine")
    server.add(raw(1))  # moved back by a person
    life.rounds()
    assert server.uids() == [] and life.desk.count() == 1


def test_backlog_is_committed_a_few_mails_at_a_time(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = 0
    begin = Store.begin

    def counted(store: Store, lease: Any = None) -> Any:
        nonlocal commits
        commits += 1
        return begin(store, lease)

    monkeypatch.setattr(Store, "begin", counted)
    life = make_life()
    server.add(*(raw(number) for number in range(1, 31)))
    life.rounds()
    life.handled_once(*range(1, 31))
    assert commits < 15


def test_same_mail_twice_in_a_batch_opens_one_ticket(server: FakeImap, make_life: MakeLife) -> None:
    life = make_life()
    server.add(raw(1), raw(2), raw(1))
    life.rounds()
    assert server.uids() == [] and life.desk.count() == 2


def test_surprise_that_passes_is_told_and_quarantines_nothing(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _handle_with(monkeypatch, "<m2@acme.example>", ValueError("once"), times=1)
    life = make_life()
    server.add(raw(1), raw(2), raw(3))
    life.rounds()
    life.handled_once(1, 2, 3)
    assert told(caplog).count("message.surprise") == 1


def test_nothing_is_told_of_a_batch_that_was_undone(
    server: FakeImap, make_life: MakeLife, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "triage")
    _handle_with(monkeypatch, "<m3@acme.example>", ValueError("of 3"))
    life = make_life()
    server.add(raw(1), raw(2), raw(3))
    life.rounds()
    assert told(caplog).count("ticket.opened") == 2


def _handle_with(monkeypatch: pytest.MonkeyPatch, message_id: str, error: Exception, times: int = 1000) -> None:
    """Handling this mail fails so often."""
    real, left = intake.handle, [times]

    def handle(tx: Any, email: Any, *rest: Any) -> Any:
        if email.message_id == message_id and left[0]:
            left[0] -= 1
            raise error
        return real(tx, email, *rest)

    monkeypatch.setattr(intake, "handle", handle)


# ---------------------------------------------------------------- the database's bad days


@pytest.fixture
def file_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database on disk that has little patience with locks."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    with stores.empty(f"sqlite:///{tmp_path}/triage.db") as store:
        yield store


def test_locked_database_is_waited_for(
    server: FakeImap, make_life: MakeLife, file_store: Store, tmp_path: Path
) -> None:
    life = make_life(desk=Story(file_store))
    server.add(raw(1), raw(2))
    other = sqlite3.connect(tmp_path / "triage.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Temporary, match=r"database: .*locked"):
        life.round()
    assert server.uids() == [1, 2]
    other.execute("ROLLBACK")
    other.close()
    life.rounds()
    life.handled_once(1, 2)


@pytest.mark.parametrize(
    ("pragma", "meaning", "words"),
    [
        ("query_only=1", Permanent, "read-only: .*give the daemon's user the right to write"),
        ("max_page_count=1", Temporary, "disk is full"),
    ],
)
def test_what_the_database_does_not_take_stays_in_the_inbox(
    pragma: str, meaning: type[Exception], words: str, server: FakeImap, make_life: MakeLife, file_store: Store
) -> None:
    life = make_life(desk=Story(file_store))
    server.add(*(raw(number) for number in range(1, 31)))
    mend = spoil(file_store.engine, pragma)
    with pytest.raises(meaning, match=words):
        for _ in range(5):
            life.round()
    assert server.uids()
    mend()
    life.mailbox.close()
    life.rounds()
    life.handled_once(*range(1, 31))


# ---------------------------------------------------------------- another daemon's mailbox


def test_who_has_lost_the_lease_touches_nothing(server: FakeImap, make_life: MakeLife, desk: Story) -> None:
    life = make_life()
    server.add(raw(1))
    lost = [False]

    def lease() -> None:
        if lost[0]:
            raise LeaseLost("another daemon has it")

    def lose(step: str) -> None:
        lost[0] = lost[0] or step == "committed"

    life.intake._lease, life.intake._fault = lease, lose  # type: ignore[assignment]
    with pytest.raises(LeaseLost):
        life.round()
    assert server.uids() == [1] and desk.count() == 1  # stored, not moved: the other one does that
    assert not any(command.startswith("UID MOVE") for command in server.commands)
