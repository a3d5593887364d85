"""The mailbox against a server that misbehaves: nothing hangs, nothing is lost, and afterwards everything works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.servers import daemon
from tests.servers.fakeimap import FakeImap
from triage.adapters import imap_fetch
from triage.adapters.imap import ImapSettings, Mailbox
from triage.core.errors import MailError, Permanent, Temporary

LIMIT = 10_000_000
SILENCE = 0.5  # seconds until a silent server is given up
SILENT = {"hangs-at-greeting", "hangs", "hangs-in-fetch", "literal-too-long", "deaf-to-done"}


@pytest.fixture
def server() -> Iterator[FakeImap]:
    with FakeImap() as fake:
        yield fake


def settings(server: FakeImap, **changes: Any) -> ImapSettings:
    values: dict[str, Any] = {
        "host": "localhost",
        "port": server.port,
        "tls": "none",
        "user": server.user,
        "password": server.password,
        "connect_seconds": 20,
        "read_seconds": 20,
    }
    return ImapSettings(**(values | changes))


def opened(server: FakeImap, **changes: Any) -> Mailbox:
    box = Mailbox(settings(server, **changes))
    box.connect()
    box.select("INBOX")
    return box


def patience(name: str) -> float:
    """Short where the server will be silent; otherwise long, for the machine may be busy."""
    return SILENCE if name in SILENT else 20


def mails(count: int) -> list[bytes]:
    return [
        f"Message-ID: <{n}@partner.example>\r\nSubject: Mail {n}\r\n\r\nText {n}.\r\n".encode() for n in range(count)
    ]


def fetched(box: Mailbox) -> list[bytes]:
    return [raw for _, raw in box.fetch(box.uids(), LIMIT)]


# ---------------------------------------------------------------- getting in


@pytest.mark.parametrize(
    "name",
    [
        "drops-at-greeting",
        "hangs-at-greeting",
        "bye-at-greeting",
        "drops-at-login",
        "login-unavailable",
        "too-many-logins",
    ],
)
def test_trouble_at_the_door_is_temporary(name: str, server: FakeImap) -> None:
    server.misbehave(name, times=1)
    box = Mailbox(settings(server, connect_seconds=patience(name)))
    with pytest.raises(Temporary):
        box.connect()
    assert not box.connected
    box.connect()
    assert box.select("INBOX").exists == 0


def test_refused_log_in_is_permanent(server: FakeImap) -> None:
    server.misbehave("refuses-login")
    with pytest.raises(Permanent, match="mend user or password"):
        Mailbox(settings(server)).connect()


def test_password_that_the_server_repeats_is_masked(server: FakeImap) -> None:
    server.misbehave("echoes-login")
    with pytest.raises(Permanent) as caught:
        Mailbox(settings(server)).connect()
    assert server.password not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_log_in_is_not_sent_in_clear_when_starttls_was_asked_for(server: FakeImap) -> None:
    with pytest.raises(Permanent, match="STARTTLS"):
        Mailbox(settings(server, tls="starttls")).connect()
    assert "LOGIN" not in server.commands


def test_log_in_is_not_tried_where_the_server_forbids_it(server: FakeImap) -> None:
    server.capabilities.append("LOGINDISABLED")
    with pytest.raises(Permanent, match="without TLS"):
        Mailbox(settings(server)).connect()
    assert "LOGIN" not in server.commands


def test_closed_port_is_temporary(server: FakeImap) -> None:
    with pytest.raises(Temporary, match="cannot connect"):
        Mailbox(settings(server, port=daemon.free_port())).connect()


# ---------------------------------------------------------------- trouble in mid-work


@pytest.mark.parametrize("name", ["drops", "hangs", "bye"])
@pytest.mark.parametrize(
    "work",
    [
        lambda box: box.select("INBOX"),
        lambda box: box.uids(),
        lambda box: box.sizes_and_dates([1]),
        lambda box: box.message_ids([1]),
        lambda box: box.search_message("<0@partner.example>"),
        lambda box: list(box.fetch([1], LIMIT)),
        lambda box: box.fetch_head(1),
        lambda box: box.move([1], "Triage/ready"),
        lambda box: box.ensure_folder("Triage/ready"),
        lambda box: box.count("INBOX"),
        lambda box: box.append("INBOX", b"Subject: x\r\n\r\n"),
        lambda box: box.wait(60),
    ],
)
def test_any_call_on_a_lost_connection_is_temporary(
    name: str, work: Callable[[Mailbox], Any], server: FakeImap
) -> None:
    server.add(*mails(1))
    box = opened(server, read_seconds=patience(name))
    box.uids()
    server.misbehave(name)
    with pytest.raises(Temporary, match="connection lost"):
        work(box)
    assert not box.connected
    server.behave()
    box.connect()
    box.select("INBOX")
    assert fetched(box) == mails(1)


@pytest.mark.parametrize(
    "name",
    [
        "drops-in-fetch",
        "hangs-in-fetch",
        "bye-in-fetch",
        "literal-too-long",
        "literal-too-short",
        "garbage-in-fetch",
    ],
)
def test_fetch_that_breaks_gives_no_half_mail_and_is_taken_up_again(name: str, server: FakeImap) -> None:
    server.add(*mails(5))
    box = opened(server, read_seconds=patience(name))
    uids = box.uids()
    box.sizes_and_dates(uids)
    server.misbehave(name, times=1)
    with pytest.raises(Temporary):
        list(box.fetch(uids, LIMIT))
    box.connect()
    box.select("INBOX")
    assert fetched(box) == mails(5)


def test_slow_server_is_waited_for(server: FakeImap) -> None:
    server.add(*mails(3))
    box = opened(server)
    server.misbehave("slow")
    assert fetched(box) == mails(3)


def test_answer_for_another_message_is_not_taken_for_ours(server: FakeImap) -> None:
    server.add(*mails(2))
    box = opened(server)
    server.misbehave("other-uid", times=1)
    assert fetched(box) == mails(2)[1:]
    assert fetched(box) == mails(2)


def test_message_that_the_server_cannot_read_does_not_stop_the_others(server: FakeImap) -> None:
    server.add(*mails(4))
    box = opened(server)
    server.misbehave("refuses-odd-uids")
    got = []
    with pytest.raises(MailError, match="UID 1, 3"):
        for _, raw in box.fetch(box.uids(), LIMIT):
            got.append(raw)
    assert got == [mails(4)[1], mails(4)[3]]
    assert box.connected


def test_message_without_content_is_reported(server: FakeImap) -> None:
    server.add(*mails(1))
    box = opened(server)
    server.misbehave("nil-body", times=1)
    with pytest.raises(MailError, match="UID 1"):
        fetched(box)


def test_message_deleted_in_mid_work_is_absent(server: FakeImap) -> None:
    server.add(*mails(3))
    box = opened(server)
    uids = box.uids()
    box.sizes_and_dates(uids)
    server.remove(uids[0])
    assert [raw for _, raw in box.fetch(uids, LIMIT)] == mails(3)[1:]
    assert box.fetch_head(uids[0]) is None


@pytest.mark.parametrize("name", ["size-too-small", "size-too-large", "whole-for-partial"])
def test_large_message_comes_whole_whatever_the_server_says_of_its_size(name: str, server: FakeImap) -> None:
    raw = b"Subject: large\r\n\r\n" + b"x" * (3 * imap_fetch.SLICE)
    server.add(raw)
    box = opened(server)
    server.misbehave(name)
    assert fetched(box) == [raw]


def test_receive_time_is_in_utc(server: FakeImap) -> None:
    server.add(*mails(1))
    box = opened(server)
    assert box.sizes_and_dates(box.uids())[1].received == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_search_result_that_makes_no_sense_is_temporary(server: FakeImap) -> None:
    server.add(*mails(1))
    box = opened(server)
    server.misbehave("nonsense-in-search", times=1)
    with pytest.raises(Temporary):
        box.uids()


# ---------------------------------------------------------------- folders


def test_vanished_folder_is_permanent(server: FakeImap) -> None:
    box = opened(server)
    server.misbehave("no-folder")
    with pytest.raises(Permanent, match="no folder INBOX"):
        box.select("INBOX")


def test_folder_that_cannot_be_opened_now_is_temporary(server: FakeImap) -> None:
    box = opened(server)
    server.misbehave("select-refused", times=1)
    with pytest.raises(Temporary, match="refused while opening folder INBOX"):
        box.select("INBOX")
    assert box.select("INBOX").exists == 0


def test_read_only_folder_is_told(server: FakeImap) -> None:
    box = opened(server)
    server.misbehave("read-only")
    assert box.select("INBOX").readonly


def test_changed_uidvalidity_ends_the_wait(server: FakeImap) -> None:
    box = opened(server)
    box.uids()
    server.folders["INBOX"].uidvalidity = 2
    assert box.wait(60)
    assert box.select("INBOX").uidvalidity == 2


@pytest.mark.parametrize(
    ("delimiter", "prefix", "name"),
    [
        ("/", "", "Triage/ready"),
        (".", "INBOX.", "INBOX.Triage.ready"),
        (None, "", "Triage-ready"),
    ],
)
def test_configured_names_become_the_servers(delimiter: str | None, prefix: str, name: str) -> None:
    with FakeImap(delimiter=delimiter, prefix=prefix) as server:
        box = opened(server)
        assert box.ensure_folder("Triage/ready") == name
        assert box.ensure_folder("Triage/ready") == name
        box.append("Triage/ready", b"Subject: x\r\n\r\n")
        assert server.raws(name) == [b"Subject: x\r\n\r\n"]


# ---------------------------------------------------------------- filing


@pytest.mark.parametrize("without", [(), ("MOVE",), ("MOVE", "UIDPLUS")])
def test_moves_with_what_the_server_can_do(without: tuple[str, ...]) -> None:
    with FakeImap(without=without) as server:
        server.add(*mails(5))
        box = opened(server)
        box.move([1, 2, 4], "Triage/ready")
        assert server.uids() == [3, 5]
        assert server.raws("Triage/ready") == [mails(5)[n] for n in (0, 1, 3)]
        assert any(command.startswith("UID MOVE") for command in server.commands) == (not without)


def test_plain_expunge_spares_what_a_person_flagged() -> None:
    with FakeImap(without=("MOVE", "UIDPLUS")) as server:
        server.add(*mails(3))
        server.folders["INBOX"].messages[2].flags.add(r"\Deleted")
        box = opened(server)
        box.move([1], "Triage/ready")
        assert server.uids() == [1, 2, 3]
        server.folders["INBOX"].messages[2].flags.clear()
        box.move([1, 2], "Triage/ready")
        assert server.uids() == [3]
        assert server.raws("Triage/ready") == mails(2)  # the first one was not copied again


@pytest.mark.parametrize(("name", "without"), [("drops-after-move", ()), ("drops-after-copy", ("MOVE",))])
def test_move_that_breaks_loses_nothing(name: str, without: tuple[str, ...]) -> None:
    with FakeImap(without=without) as server:
        server.add(*mails(2))
        box = opened(server)
        box.ensure_folder("Triage/ready")
        server.misbehave(name, times=1)
        with pytest.raises(Temporary):
            box.move([1, 2], "Triage/ready")
        box.connect()
        box.select("INBOX")
        box.move([1, 2], "Triage/ready")
        assert server.uids() == []
        assert set(server.raws("Triage/ready")) == set(mails(2))


def test_refused_move_is_temporary(server: FakeImap) -> None:
    server.add(*mails(1))
    box = opened(server)
    server.misbehave("refuses-move")
    with pytest.raises(Temporary, match="refused while moving"):
        box.move([1], "Triage/ready")
    assert server.uids() == [1]


# ---------------------------------------------------------------- waiting


@pytest.mark.parametrize("name", ["exists-with-idling", "exists-with-next-idling", "exists-in-pieces"])
def test_announcement_in_odd_pieces_is_heard(name: str, server: FakeImap) -> None:
    box = opened(server)
    box.uids()
    server.misbehave(name, times=1)
    begun = time.monotonic()
    assert box.wait(60)
    assert time.monotonic() - begun < 20  # by IDLE, and not when the time was over
    assert len(box.uids()) == 1


def test_mail_announced_in_passing_is_not_slept_over(server: FakeImap) -> None:
    box = opened(server)
    server.misbehave("exists-in-search", times=1)
    assert box.uids() == []
    assert box.wait(60)
    assert len(box.uids()) == 1


def test_mail_that_only_a_look_has_seen_is_not_slept_over(server: FakeImap) -> None:
    box = opened(server)
    box.uids()
    server.add(*mails(1))
    box.examine("INBOX")
    assert len(box.uids()) == 1
    box.select("INBOX")
    assert box.wait(60)


def test_sign_of_life_does_not_end_the_wait(server: FakeImap) -> None:
    box = opened(server)
    box.uids()
    server.misbehave("still-here")

    def late_mail() -> None:
        server.wait_for(lambda: server.commands.count("IDLE") >= 2)
        server.add(*mails(1))

    other = threading.Thread(target=late_mail)
    other.start()
    assert box.wait(60)
    other.join()


@pytest.mark.parametrize("name", ["drops-in-idle", "bye-in-idle", "deaf-to-done", "exists-before-idling"])
def test_idle_that_breaks_is_temporary(name: str, server: FakeImap) -> None:
    box = opened(server, read_seconds=patience(name))
    box.uids()
    server.misbehave(name, times=1)
    with pytest.raises(Temporary):
        box.wait(0.1 if name == "deaf-to-done" else 60)
    assert not box.connected
    box.connect()
    box.select("INBOX")
    box.uids()
    assert not box.wait(0)


def test_without_idle_the_time_passes_and_an_interrupt_ends_it() -> None:
    with FakeImap(without=("IDLE",)) as server:
        box = opened(server)
        box.uids()
        assert not box.wait(0.01)
        box.interrupt()
        assert not box.wait(600)
        server.add(*mails(1))
        assert box.wait(600)


def test_without_idle_a_lost_connection_is_noticed() -> None:
    with FakeImap(without=("IDLE",)) as server:
        box = opened(server)
        box.uids()
        other = threading.Thread(target=server.drop_all)
        other.start()
        with pytest.raises(Temporary):
            box.wait(600)
        other.join()


def test_stop_that_is_set_ends_the_wait_at_once(server: FakeImap) -> None:
    box = opened(server)
    box.uids()
    stop = threading.Event()
    stop.set()
    assert not box.wait(600, stop)


def test_abort_frees_a_call_that_hangs(server: FakeImap) -> None:
    server.add(*mails(1))
    box = opened(server, read_seconds=600)
    server.misbehave("hangs")

    def rescue() -> None:
        server.wait_for(lambda: server.commands[-1].startswith("UID SEARCH"))
        box.abort()

    other = threading.Thread(target=rescue)
    other.start()
    with pytest.raises(Temporary):
        box.uids()
    other.join()


def test_abort_frees_a_log_in_that_hangs(server: FakeImap) -> None:
    server.misbehave("hangs-at-login")
    box = Mailbox(settings(server, read_seconds=600))

    def rescue() -> None:
        server.wait_for(lambda: server.commands[-1:] == ["LOGIN"])
        box.abort()

    other = threading.Thread(target=rescue)
    other.start()
    with pytest.raises(Temporary):
        box.connect()
    other.join()


def test_close_does_not_wait_for_a_server_that_hangs(server: FakeImap) -> None:
    box = opened(server, read_seconds=600)
    server.misbehave("hangs")
    box.close()
    assert not box.connected
