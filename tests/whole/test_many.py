"""Several daemons on one PostgreSQL share the work: one that dies or is frozen loses, doubles or disorders nothing."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.smtpd import Smtpd
from tests.whole.desk import (
    FOLDERS,
    SECONDS,
    Desk,
    Person,
    all_is_right,
    ids,
    incomplete,
    machine,
    more,
    request,
    stranger,
    until,
)

Process = subprocess.Popen[bytes]

OVERDUE = '"18-Nov-2026 07:00:00 +0000"'
STEPS = (  # of a mail's way in, of the clocks, of a mail's way out; and which time
    "fetched:2", "begun:2", "applied:2", "committed:2", "moving:2", "moved:2", "filed:2", "rung",
    "claimed", "sending", "sent", "accounting", "accounted",
)  # fmt: skip


class Fleet:
    """Three mailboxes, their mail, and the daemons that read them."""

    def __init__(self, desk: Desk, dovecot: Dovecot, smtpd: Smtpd, user: str) -> None:
        self.desk, self.dovecot, self.smtpd = desk, dovecot, smtpd
        self.users = [f"{user}{letter}" for letter in "xyz"]
        self.people = [Person(dovecot.imap, one) for one in self.users]
        self.sent: dict[str, list[bytes]] = {}
        self.overdue: list[bytes] = []
        desk.read_all(*self.users)
        self._number = 0

    def close(self) -> None:
        for one in self.people:
            one.close()

    def mail(self) -> None:
        """To each mailbox a bit of all; two more mails about each request, in this order."""
        for user, person in zip(self.users, self.people, strict=True):
            first = self._number = self._number + 10
            asked = [request(first + number) for number in range(3)]
            late = request(first + 3)
            person.imap.append("INBOX", "", OVERDUE, late)
            self.overdue.append(late)
            again = [more(number, first + about) for number in (1, 2) for about in range(3)]
            rest = {
                "incomplete": [incomplete(first + 4)],
                "stranger": [stranger(first + 5)],
                "machine": [machine(first)],
            }
            self.dovecot.deliver(user, *asked, *again, *(raw for raws in rest.values() for raw in raws))
            for kind, raws in {"request": [*asked, late], "more": again, **rest}.items():
                self.sent.setdefault(kind, []).extend(raws)

    def poll(self, seconds: int) -> None:
        """How often at least there is a round: between two of them a mailbox may change hands."""
        for box in self.desk.settings["mailbox"]:
            box["poll_seconds"] = seconds
        self.desk.write()

    def again(self) -> bool:
        """When all is done and nothing has happened yet: more mail. Always false."""
        if self.all_done():
            self.mail()
        return False

    # ------------------------------------------------------------ who does what

    def readers(self) -> dict[str, int]:
        """Each mailbox with the process that reads it; only holders whose lease has not run out."""
        rows = self.desk.rows("SELECT name, holder FROM leases WHERE expires_at > clock_timestamp()")
        return {row["name"]: int(row["holder"].split(":")[1]) for row in rows if row["name"].startswith("mailbox ")}

    def read_by(self, *processes: Process) -> bool:
        """Whether all mailboxes are read by these."""
        found = self.readers()
        return len(found) == len(self.users) and set(found.values()) <= {one.pid for one in processes}

    def all_done(self) -> bool:
        [row] = self.desk.rows(
            "SELECT (SELECT count(*) FROM mails WHERE duplicate_of IS NULL) AS handled,"
            " (SELECT count(*) FROM alarms WHERE at < clock_timestamp()) AS ringing"
        )
        count = sum(map(len, self.sent.values()))
        return bool(row["handled"] == count and row["ringing"] == 0) and self.desk.idle()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Until it holds; what the database and the log say of it is in the error when it never does."""
        try:
            until(condition, what, seconds)
        except AssertionError as error:
            leases = self.desk.rows("SELECT name, holder, expires_at, clock_timestamp() AS now FROM leases")
            backends = self.desk.rows("SELECT pid, state, wait_event, left(query, 100) AS query FROM pg_stat_activity")
            lines = [str(one) for one in (*leases, *backends, *self.desk.events()[-20:])]
            raise AssertionError("\n".join([str(error), *lines, self.desk.errors()[-2000:]])) from None

    # ------------------------------------------------------------ what must hold

    def check(self) -> None:
        found: dict[str, list[str]] = {name: [] for name in FOLDERS}
        for person in self.people:
            for name, lying in person.folders().items():
                found[name] += lying
        all_is_right(self.desk, self.smtpd.mails, found, self.sent)

        told = Counter((one["event"], one["ticket"]) for one in self.desk.events("clock.breached", "clock.warning"))
        stored = Counter(
            (row["event"], str(1000 + row["ticket"]))
            for row in self.desk.rows(
                "SELECT event, ticket FROM story WHERE event IN ('clock.breached', 'clock.warning')"
            )
        )
        assert set(stored.values()) == {1}, f"an alarm rang twice: {stored}"
        assert len([one for one in stored if one[0] == "clock.breached"]) == len(self.overdue)
        assert set(told.values()) == {1}, f"an alarm was told twice: {told}"
        self._in_order()

    def _in_order(self) -> None:
        """Mails of a ticket were handled, and answered, as they came."""
        came = {one: place for place, one in enumerate(ids([raw for raws in self.sent.values() for raw in raws]))}
        handled: dict[int, list[int]] = {}
        for row in self.desk.rows("SELECT ticket, message_id FROM mails WHERE ticket IS NOT NULL ORDER BY id"):
            handled.setdefault(row["ticket"], []).append(came[row["message_id"]])
        assert sum(len(mails) == 3 for mails in handled.values()) == len(self.sent["more"]) // 2
        assert all(mails == sorted(mails) for mails in handled.values())
        answers: dict[str, list[int]] = {}
        for one in self.smtpd.mails:
            found = re.search(rb"(?im)^in-reply-to:\s*(\S+)", one.raw)
            assert found, one.raw
            place = came[found[1].decode()]
            if place not in answers.setdefault(one.recipients[0], []):  # a repeated delivery may come late
                answers[one.recipients[0]].append(place)
        assert all(places == sorted(places) for places in answers.values())


@pytest.fixture
def fleet(
    make_desk: Callable[..., Desk], postgres_url: str, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> Iterator[Fleet]:
    one = Fleet(make_desk(database=postgres_url), dovecot, smtpd, mailbox_user)
    yield one
    one.close()


def frozen(process: Process) -> bool:
    return process.poll() is None and Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def freeze_and_kill(fleet: Fleet, step: str, *, seconds: float = 30) -> None:
    """One of three is frozen in mid-work, one is killed in mid-work, the third does it all; the first wakes up."""
    desk = fleet.desk
    first = desk.start(fault=f"freeze {step}")
    desk.wait_for("daemon.started")
    fleet.wait(lambda: fleet.read_by(first), "reading")
    second, third = desk.start(), desk.start()
    desk.wait_for("mailbox.standby", 2 * len(fleet.users))
    fleet.mail()
    until(lambda: frozen(first) or fleet.again(), step)
    begun = time.monotonic()
    fleet.mail()
    fleet.wait(lambda: fleet.read_by(second, third), "taking over")
    took = time.monotonic() - begun

    opened = len(desk.events("ticket.opened"))
    fleet.mail()
    until(lambda: len(desk.events("ticket.opened")) > opened, "work")
    busy = Counter(fleet.readers().values()).most_common(1)[0][0]
    dying, living = (second, third) if second.pid == busy else (third, second)
    desk.stop(dying, signal.SIGKILL)
    fleet.mail()
    fleet.wait(lambda: fleet.read_by(living), "taking over from the dead", 30)
    until(lambda: time.monotonic() - begun > seconds, "the time that it is frozen", seconds + 60)

    first.send_signal(signal.SIGCONT)
    fleet.mail()
    fleet.wait(fleet.all_done, "all work", 200)
    assert desk.stop(first) == 0
    assert desk.stop(living) == 0
    fleet.check()
    print(f"{step}: taken over after {took:.1f} s, {len(fleet.smtpd.mails)} replies")
    assert took < 30  # what is promised


def test_one_frozen_and_one_killed_of_three_lose_and_double_nothing(fleet: Fleet) -> None:
    freeze_and_kill(fleet, "applied:2", seconds=0)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_frozen_at_each_step_loses_and_doubles_nothing(step: str, fleet: Fleet) -> None:
    freeze_and_kill(fleet, step)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_random_freezes_and_kills_lose_and_double_nothing(fleet: Fleet) -> None:
    chance, desk = random.Random(20261125), fleet.desk
    fleet.poll(3)
    daemons = [desk.start() for _ in range(3)]
    desk.wait_for("daemon.started", 3)
    asleep: dict[int, float] = {}  # which, and until when
    for _ in range(30):
        fleet.mail()
        time.sleep(chance.uniform(0, 4))  # the random moment itself, nothing is waited for
        one = chance.randrange(3)
        if one not in asleep and len(asleep) < 2 and chance.random() < 0.5:
            daemons[one].send_signal(signal.SIGSTOP)
            asleep[one] = time.monotonic() + chance.uniform(1, 45)
        elif chance.random() < 0.6:
            asleep.pop(one, None)
            assert desk.stop(daemons[one], signal.SIGKILL) == -signal.SIGKILL, desk.errors()
            daemons[one] = desk.start()
        for number, until_ in list(asleep.items()):
            if time.monotonic() > until_:
                daemons[number].send_signal(signal.SIGCONT)
                del asleep[number]
    for number in asleep:
        daemons[number].send_signal(signal.SIGCONT)
    fleet.wait(fleet.all_done, "all work", 400)
    assert [desk.stop(one) for one in daemons] == [0, 0, 0]
    fleet.check()


def test_mailboxes_spread_and_are_given_back_at_the_end(fleet: Fleet) -> None:
    desk = fleet.desk
    fleet.poll(3)
    first = desk.start()
    desk.wait_for("daemon.started")
    fleet.wait(lambda: fleet.read_by(first), "reading")
    others = [desk.start(), desk.start()]
    fleet.mail()
    fleet.wait(lambda: set(Counter(fleet.readers().values()).items()) == {(one.pid, 1) for one in (first, *others)},
               "spreading")  # fmt: skip
    fleet.mail()
    fleet.wait(fleet.all_done, "all work", 200)
    assert desk.stop(first) == 0
    begun = time.monotonic()
    fleet.wait(lambda: fleet.read_by(*others), "taking over")
    assert time.monotonic() - begun < 15  # it need not be waited out
    fleet.mail()
    fleet.wait(fleet.all_done, "all work", 200)
    assert [desk.stop(one) for one in others] == [0, 0]
    fleet.check()
    assert desk.events("mailbox.standby")
