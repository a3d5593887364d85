"""The whole program on bad days: what it says, that it goes on, and that afterwards everything is there."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.servers import daemon as servers
from tests.servers.dovecot import Dovecot
from tests.servers.fakeimap import FakeImap
from tests.servers.postgres import Postgres
from tests.servers.smtpd import Smtpd
from tests.whole.desk import Desk, Person, all_is_right, answered, ids, request, until
from triage.daemon import END_SECONDS

MakeDesk = Callable[..., Desk]


@pytest.fixture
def fake() -> Iterator[FakeImap]:
    with FakeImap() as server:
        yield server


@pytest.fixture
def fake_desk(make_desk: MakeDesk, fake: FakeImap) -> Desk:
    return make_desk(imap=fake.port, user=fake.user)


def _ends_in_time(desk: Desk, daemon: subprocess.Popen[bytes]) -> None:
    """On SIGTERM within ten seconds, whatever hangs; a busy machine gets a little more to notice it."""
    assert END_SECONDS < 10
    begun = time.monotonic()
    assert desk.stop(daemon) == 0
    assert time.monotonic() - begun < END_SECONDS + 6


# ---------------------------------------------------------------- the mail servers


def test_reply_leaves_in_a_moment_after_the_mail_has_come(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    desk.start()
    desk.wait_for("reconcile.agreed")
    dovecot.deliver(mailbox_user, request(1))
    begun = time.monotonic()
    smtpd.wait_for_mails(1)
    assert time.monotonic() - begun < 20  # by IDLE; the poll would take a minute


def test_goes_on_after_everything_that_a_mail_server_does(fake_desk: Desk, fake: FakeImap, smtpd: Smtpd) -> None:
    daemon = fake_desk.start()
    fake_desk.wait_for("daemon.started")
    for number, name in enumerate(("drops-in-fetch", "bye", "refuses-move", "drops-in-idle"), 1):
        fake.misbehave(name, times=1)
        fake.add(request(number))
        smtpd.wait_for_mails(number)
    until(fake_desk.idle)
    assert fake_desk.stop(daemon) == 0
    assert fake.raws() == [] and len(fake.raws("ready")) == 4
    assert len(smtpd.mails) == 4 == len(answered(smtpd.mails))
    assert fake_desk.events("connection.failed") and fake_desk.events("connection.restored")


@pytest.mark.parametrize("name", ["hangs", "hangs-in-fetch", "hangs-at-login", "hangs-at-greeting"])
def test_stops_in_time_while_the_mail_server_hangs(name: str, fake_desk: Desk, fake: FakeImap) -> None:
    fake.add(request(1))
    fake.misbehave(name)
    daemon = fake_desk.start()
    fake_desk.wait_for("daemon.started")
    fake.wait_for(lambda: _hangs(name, fake))
    _ends_in_time(fake_desk, daemon)
    assert fake_desk.events("daemon.stopped")
    assert fake_desk.errors() == ""


def _hangs(name: str, fake: FakeImap) -> bool:
    """Whether the server has come to where it hangs."""
    heard = fake.commands
    match name:
        case "hangs-at-greeting":
            return fake.connections > 0
        case "hangs-at-login":
            return "LOGIN" in heard
        case "hangs-in-fetch":
            return any(one.startswith("UID FETCH") and "BODY.PEEK[]" in one for one in heard)
    return "LOGIN" in heard[:-1]


def test_stops_in_time_while_the_smtp_server_hangs_and_sends_later(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    smtpd.misbehave("hangs-after-text", times=1)
    dovecot.deliver(mailbox_user, request(1))
    daemon = desk.start()
    smtpd.wait_for(lambda: smtpd.misbehaved == ["hangs-after-text"])
    _ends_in_time(desk, daemon)
    assert desk.triage("run", "--once").returncode == 0
    assert len(smtpd.mails) == 1


def test_refused_log_in_is_said_and_tried_again(make_desk: MakeDesk, dovecot: Dovecot, fake: FakeImap) -> None:
    desk = make_desk(imap=fake.port, user=fake.user, mailbox={"password": "guessed-wrong"})
    done = desk.triage("run", "--once")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "mend user or password" in done.stderr
    daemon = desk.start()
    desk.wait_for("connection.failed")
    assert desk.stop(daemon) == 0
    assert "guessed-wrong" not in desk.log.read_text() + done.stderr


def test_smtp_server_that_is_down_fails_no_mail(
    make_desk: MakeDesk, dovecot: Dovecot, person: Person, mailbox_user: str
) -> None:
    port = servers.free_port()
    desk = make_desk(smtp=port)
    mails = [request(number) for number in range(5)]
    dovecot.deliver(mailbox_user, *mails)
    daemon = desk.start()
    [failed] = desk.wait_for("connection.failed", name="mailer")
    assert "connect" in failed["reason"]
    desk.wait_for("ticket.opened", 5)
    with Smtpd(port=port) as back:
        back.wait_for_mails(5)
        desk.wait_for("connection.restored", name="mailer")
        until(desk.idle)
        assert desk.stop(daemon) == 0
        all_is_right(desk, back.mails, person.folders(), {"request": mails})
    assert not desk.events("mail.failed")


@pytest.mark.slow
def test_alarm_is_told_once_and_its_end_once(
    make_desk: MakeDesk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    boss = "boss@vendor.example"
    desk = make_desk(limits={"readers": 1, "silence_minutes": 1}, staff={"notify": [boss]})
    daemon = desk.start()
    desk.wait_for("reconcile.agreed")
    smtpd.misbehave("rate-limited")
    dovecot.deliver(mailbox_user, request(1))
    until(lambda: desk.events("alarm.raised"), "the alarm", 150)
    smtpd.behave()
    until(lambda: desk.events("alarm.over"), "its end", 400)
    smtpd.wait_for(lambda: sum(one.recipients == (boss,) for one in smtpd.mails) >= 2)
    until(desk.idle)
    assert desk.stop(daemon) == 0
    assert len(desk.events("alarm.raised")) == 1 == len(desk.events("alarm.over"))
    told = [one.raw.decode() for one in smtpd.mails if one.recipients == (boss,) and b"mailer" in one.raw]
    assert len(told) == 2


def test_second_daemon_does_not_even_knock(fake_desk: Desk, fake: FakeImap) -> None:
    daemon = fake_desk.start()
    fake_desk.wait_for("daemon.started")
    fake.wait_for(lambda: fake.connections == 1)
    second = fake_desk.triage("run")
    assert second.returncode == 1 and "stop that one first" in second.stderr
    assert fake.connections == 1
    assert fake_desk.stop(daemon) == 0


# ---------------------------------------------------------------- the database


def test_locked_database_holds_nothing_up_for_long_and_loses_nothing(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    daemon = desk.start()
    desk.wait_for("reconcile.agreed")
    other = sqlite3.connect(desk.folder / "var" / "triage.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    dovecot.deliver(mailbox_user, request(1))
    [failed, *_] = desk.wait_for("connection.failed")
    assert "database: database is locked" in failed["reason"]
    other.execute("ROLLBACK")
    other.close()
    smtpd.wait_for_mails(1)
    until(desk.idle)
    assert desk.stop(daemon) == 0
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [request(1)]})


def test_stops_in_time_while_the_database_is_locked(desk: Desk, dovecot: Dovecot, mailbox_user: str) -> None:
    daemon = desk.start()
    desk.wait_for("reconcile.agreed")
    other = sqlite3.connect(desk.folder / "var" / "triage.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    dovecot.deliver(mailbox_user, request(1))
    _ends_in_time(desk, daemon)
    other.close()
    assert desk.triage("run", "--once").returncode == 0
    assert len(desk.events("mail.sent")) == 1


def test_postgresql_that_is_gone_and_back(
    make_desk: MakeDesk,
    postgres: Postgres,
    postgres_url: str,
    dovecot: Dovecot,
    smtpd: Smtpd,
    person: Person,
    mailbox_user: str,
) -> None:
    desk = make_desk(database=postgres_url)
    daemon = desk.start()
    desk.wait_for("reconcile.agreed")
    name = make_url(postgres_url).database
    postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    dovecot.deliver(mailbox_user, request(1), request(2))
    desk.wait_for("connection.failed")
    postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    smtpd.wait_for_mails(2)
    until(desk.idle)
    assert desk.stop(daemon) == 0
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [request(1), request(2)]})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of some megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk_loses_nothing(
    small_disk: Path, make_desk: MakeDesk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(database=f"sqlite:///{small_disk}/triage.db")
    first, more = [request(number) for number in range(3)], [request(number) for number in range(3, 60)]
    dovecot.deliver(mailbox_user, *first)
    daemon = desk.start()
    smtpd.wait_for_mails(3)
    until(desk.idle)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    dovecot.deliver(mailbox_user, *more)
    [failed, *_] = desk.wait_for("connection.failed")
    assert "full" in failed["reason"]
    assert daemon.poll() is None
    (small_disk / "ballast").unlink()
    smtpd.wait_for_mails(60, 120)
    until(desk.idle)
    assert desk.stop(daemon) == 0
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [*first, *more]})


def test_read_only_database_says_how_to_mend_it_and_loses_nothing(
    small_disk: Path, make_desk: MakeDesk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(database=f"sqlite:///{small_disk}/triage.db")
    assert desk.triage("run", "--once").returncode == 0
    dovecot.deliver(mailbox_user, request(1))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = desk.triage("run", "--once")
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done.stderr
    assert "read-only" in done.stderr.lower()
    assert person.folders("INBOX") == {"INBOX": ids([request(1)])}
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert desk.triage("run", "--once").returncode == 0
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [request(1)]})


# ---------------------------------------------------------------- the count


def test_lost_mail_is_told_with_its_id(
    make_desk: MakeDesk, dovecot: Dovecot, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(limits={"readers": 1, "reconcile_minutes": 1}, staff={"notify": ["boss@vendor.example"]})
    desk.triage("run", "--once")
    dovecot.deliver(mailbox_user, request(1), request(2))
    desk.triage("run", "--once")
    person.delete(ids([request(1)])[0], "ready")
    _make_older(desk)
    desk.triage("run", "--once")
    [told] = desk.events("reconcile.difference")
    assert told["messages"] == ids([request(1)])


def _make_older(desk: Desk) -> None:
    """The last count was some time ago."""
    connection = sqlite3.connect(desk.folder / "var" / "triage.db")
    connection.execute(
        "UPDATE meta SET value = json_set(value, '$.at', '2026-01-01T00:00:00+00:00') WHERE key LIKE 'reconcile:%'"
    )
    connection.commit()
    connection.close()


# ---------------------------------------------------------------- what `triage check` says of it


def test_check_finds_all_in_order(make_desk: MakeDesk, dovecot: Dovecot, smtpd: Smtpd) -> None:
    done = make_desk().triage("check")
    assert done.returncode == 0, done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert {"configuration", "rules", "partners", "database", "mailbox", "smtp"} <= lines.keys()
    assert "not verified" in lines["senders"]


@pytest.mark.parametrize(
    ("section", "values", "line"),
    [
        ("mailbox", {"password": "guessed-wrong"}, "mend user or password"),
        ("mailbox", {"folder": "Nowhere"}, "there is no folder Nowhere; create it, or name another"),
        ("mailbox", {"sent_folder": "Nosent"}, "there is no folder Nosent"),
        ("mailbox", {"host": "no-such-host.invalid"}, "mend the host name|cannot be looked up"),
        ("mailbox", {"tls": "implicit"}, "does tls fit the port"),
        ("smtp", {"tls": "implicit"}, "does tls fit the port"),
        ("smtp", {"tls": "starttls"}, "STARTTLS"),
        ("smtp", {"user": "me", "password": "guessed-wrong"}, "mend tls or user"),
        ("smtp", {"from_address": ""}, "smtp.from_address: empty"),
        ("database", {"url": "sqlite:///config.toml/triage.db"}, "cannot be made"),
        ("log", {"file": "config.toml/triage.log"}, "cannot be (?:made|written)"),
        ("partners", {"file": "no.csv"}, "no.csv"),
        ("rules", {"pack": "no-such-pack"}, "no-such-pack"),
    ],
)
def test_check_says_what_is_wrong_in_one_line(
    section: str, values: dict[str, str], line: str, make_desk: MakeDesk
) -> None:
    desk = make_desk()
    desk.settings.setdefault(section, {}).update(values)
    desk.write()
    done = desk.triage("check")
    assert done.returncode == 1, done.stdout
    wrong = [one for one in done.stdout.splitlines() if " WRONG " in one]
    assert len(wrong) == 1 and re.search(line, wrong[0]), done.stdout
    assert "guessed-wrong" not in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_check_names_servers_that_are_not_there(make_desk: MakeDesk) -> None:
    desk = make_desk(imap=servers.free_port(), smtp=servers.free_port())
    done = desk.triage("check")
    wrong = [one for one in done.stdout.splitlines() if " WRONG " in one]
    assert [one.split()[0] for one in wrong] == ["mailbox", "smtp"]
    assert all("connect" in one for one in wrong)
    assert desk.triage("check", "--offline").returncode == 0


def test_silent_end_of_the_network_is_noticed(make_desk: MakeDesk, dovecot: Dovecot) -> None:
    """A server that accepts and never speaks, as behind a broken firewall."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        desk = make_desk(imap=deaf.getsockname()[1])
        daemon = desk.start()
        desk.wait_for("daemon.started")
        _ends_in_time(desk, daemon)


def test_old_log_file_of_another_owner_is_no_traceback(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk = make_desk(log={"file": str(tmp_path)})
    done = desk.triage("run", "--once")
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr and done.stderr.count("\n") == 1
