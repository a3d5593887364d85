"""Killed anywhere, the daemon loses nothing and doubles nothing once it runs again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.fakeimap import FakeImap
from tests.servers.smtpd import Smtpd
from tests.whole.desk import (
    Desk,
    Person,
    all_is_right,
    answered,
    incomplete,
    machine,
    mail,
    request,
    stranger,
    until,
)

WAY_IN = ("fetched", "begun", "applied", "committed", "moving", "moved", "filed")
WAY_OUT = ("claimed", "sending", "sent", "accounting", "accounted")


def a_bit_of_all(first: int) -> dict[str, list[bytes]]:
    return {
        "request": [request(first), request(first + 1)],
        "incomplete": [incomplete(first + 2)],
        "stranger": [stranger(first + 3)],
        "machine": [machine(first + 4)],
    }


# ---------------------------------------------------------------- step by step


def test_killed_at_every_step_in_turn(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    sent: dict[str, list[bytes]] = {}
    for number, step in enumerate((*WAY_IN, *WAY_OUT)):
        new = a_bit_of_all(10 * number)
        for kind, raws in new.items():
            sent.setdefault(kind, []).extend(raws)
            dovecot.deliver(mailbox_user, *raws)
        nth = 1 if step in ("claimed", "accounting", "accounted") else number % 2 + 1
        assert desk.triage("run", "--once", fault=f"{step}:{nth}").returncode == -signal.SIGKILL, step
    assert desk.triage("run", "--once").returncode == 0
    all_is_right(desk, smtpd.mails, person.folders(), sent)


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("step", [*WAY_IN, *WAY_OUT])
def test_killed_at_each_step_by_itself(
    step: str,
    nth: int,
    database: str,
    make_desk: Callable[..., Desk],
    dovecot: Dovecot,
    smtpd: Smtpd,
    person: Person,
    mailbox_user: str,
) -> None:
    desk = make_desk(database=database)
    sent = a_bit_of_all(1)
    dovecot.deliver(mailbox_user, *(raw for raws in sent.values() for raw in raws))
    desk.triage("run", "--once", fault=f"{step}:{nth}")
    assert desk.triage("run", "--once").returncode == 0
    all_is_right(desk, smtpd.mails, person.folders(), sent)


def test_killed_after_the_server_took_a_mail_sends_the_same_bytes_again(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, request(1))
    assert desk.triage("run", "--once", fault="sent").returncode == -signal.SIGKILL
    assert desk.triage("run", "--once").returncode == 0
    first, second = smtpd.mails
    assert first.raw == second.raw


def test_killed_at_a_quarantined_mail(desk: Desk, dovecot: Dovecot, person: Person, mailbox_user: str) -> None:
    broken = mail("ana1@p1.example", "Parts", "x", "broken@x.example") + b"\0" * 10
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))
    dovecot.deliver(mailbox_user, broken, b"From: ana1@p1.example\r\nMessage-ID: <deep@x.example>\r\n" + deep)
    desk.triage("run", "--once", fault="quarantined")
    assert desk.triage("run", "--once").returncode == 0
    found = person.folders()
    assert found["INBOX"] == []
    assert sorted(one for lying in found.values() for one in lying) == ["<broken@x.example>", "<deep@x.example>"]


def test_killed_at_what_staff_and_clocks_do(
    make_desk: Callable[..., Desk], dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(mailbox={"sent_folder": "Sent"})
    person.imap.create("Sent")
    person.imap.append("INBOX", "", '"18-Nov-2026 07:00:00 +0000"', request(1))  # overdue
    dovecot.deliver(mailbox_user, request(2), request(3), incomplete(4), incomplete(5))

    def killed(step: str) -> None:
        assert desk.triage("run", "--once", fault=step).returncode == -signal.SIGKILL, step

    killed("rung")
    assert not desk.events("clock.breached")
    desk.triage("run", "--once")
    for number, step in ((2, "answered"), (3, "looked")):
        answer = mail("eva@vendor.example", "Re: Trips report", "Dear Ana, it is mended.", f"a{number}@vendor.example",
                      f"In-Reply-To: <request-{number}@p{number}.example>")  # fmt: skip
        to = f"To: ana{number}@p{number}.example, support@vendor.example".encode()
        person.imap.append("Sent", "", None, answer.replace(b"To: support@vendor.example", to))  # type: ignore[arg-type]
        killed(step)
    for number, step in ((4, "accepting"), (5, "accepted")):
        person.move(f"<incomplete-{number}@x.example>", "waiting", "ready")
        killed(step)
    assert desk.triage("run", "--once").returncode == 0

    count = {row["event"]: row["n"] for row in desk.rows("SELECT event, count(*) AS n FROM story GROUP BY event")}
    assert count["clock.breached"] == 1 == len(desk.events("clock.breached"))
    assert count["ticket.answered"] == 2 == count["clock.stopped"]
    assert count["clock.started"] == 5
    assert len(answered(smtpd.mails)) == 5 == len(smtpd.mails)


@pytest.mark.parametrize("without", [("MOVE",), ("MOVE", "UIDPLUS")])
def test_cut_off_between_copy_and_delete_leaves_one_copy(
    without: tuple[str, ...], make_desk: Callable[..., Desk], smtpd: Smtpd
) -> None:
    with FakeImap(without=without) as server:
        desk = make_desk(imap=server.port, user=server.user)
        server.add(request(1), request(2))
        server.misbehave("drops-after-copy", times=1)
        assert desk.triage("run", "--once").returncode == 1
        assert len(server.raws()) == 2 == len(server.raws("ready"))  # in both folders now
        assert desk.triage("run", "--once", fault="moved").returncode == -signal.SIGKILL
        assert desk.triage("run", "--once").returncode == 0
        assert server.raws() == []
        assert sorted(server.raws("ready")) == sorted([request(1), request(2)])
    assert len(answered(smtpd.mails)) == 2


# ---------------------------------------------------------------- at random


class Killer:
    """Starts the daemon again and again, mails it, kills it at a random moment."""

    def __init__(self, desk: Desk, dovecot: Dovecot, user: str, seed: int) -> None:
        self.desk, self.dovecot, self.user = desk, dovecot, user
        self.chance = random.Random(seed)
        self.sent: dict[str, list[bytes]] = {"request": [], "incomplete": [], "stranger": [], "machine": []}
        self.kills = 0
        self._number = 0

    def mail(self, count: int) -> None:
        raws = []
        for _ in range(count):
            self._number += 1
            kind, make = self.chance.choice(
                [("request", request)] * 7 + [("incomplete", incomplete), ("stranger", stranger), ("machine", machine)]
            )
            raw = make(self._number)
            self.sent[kind].append(raw)
            raws.append(raw)
        self.dovecot.deliver(self.user, *raws)

    def kill(self) -> None:
        """One life of the daemon."""
        size = self._log_size()
        daemon = self.desk.start()
        if self.chance.random() < 0.85:
            # The log grows first when it has started, then with each mail.
            grown = size + self.chance.choice([1, 1200, 2500])
            until(lambda: daemon.poll() is not None or self._log_size() > grown, "a sign of life")
        time.sleep(self.chance.uniform(0, 0.25))  # the random moment itself, nothing is waited for
        assert self.desk.stop(daemon, signal.SIGKILL) == -signal.SIGKILL, self.desk.errors()
        self.kills += 1

    def _log_size(self) -> int:
        return self.desk.log.stat().st_size if self.desk.log.exists() else 0

    def finish(self) -> None:
        """Let it live, until all is done."""
        daemon = self.desk.start()
        count = sum(map(len, self.sent.values()))

        def done() -> bool:
            assert daemon.poll() is None, self.desk.errors()
            [row] = self.desk.rows("SELECT count(*) AS handled FROM mails WHERE duplicate_of IS NULL")
            return bool(row["handled"] == count) and self.desk.idle()

        until(done, "the end of all work", 300)
        assert self.desk.stop(daemon) == 0


def _torture(desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, user: str, *, mails: int, kills: int) -> str:
    killer = Killer(desk, dovecot, user, seed=mails)
    for _ in range(kills):
        killer.mail(mails // kills)
        killer.kill()
    killer.mail(mails - mails // kills * kills)
    killer.finish()
    all_is_right(desk, smtpd.mails, person.folders(), killer.sent)
    replies = answered(smtpd.mails)
    again = sum(len(raws) - 1 for raws in replies.values())
    return f"{mails} mails, {killer.kills} kills, {len(replies)} replies, {again} of them delivered again"


def test_random_kills_lose_and_double_nothing(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    print(_torture(desk, dovecot, smtpd, person, mailbox_user, mails=150, kills=15))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_random_kills_lose_and_double_nothing(
    database: str,
    make_desk: Callable[..., Desk],
    dovecot: Dovecot,
    smtpd: Smtpd,
    person: Person,
    mailbox_user: str,
) -> None:
    desk = make_desk(database=database)
    print(database, _torture(desk, dovecot, smtpd, person, mailbox_user, mails=2000, kills=300))
