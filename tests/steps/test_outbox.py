"""Mail goes out on bad days: every mail that can arrive does, and a second copy is the same mail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests import stores
from tests.servers import daemon
from tests.servers.smtpd import Smtpd
from tests.steps.desk import ANA, LUIS, MONDAY, SUPPORT, Story
from triage.adapters.db.store import Store, Transaction
from triage.adapters.smtp import Mailer, MailerAway, MailerUnusable, SmtpSettings
from triage.core.errors import Temporary
from triage.steps.outbox import CLAIM, OutboxRound, Round, pause

EVA = "eva@lapsed.example"


class Post:
    """An outbox, and a mailer that brings it to a server."""

    def __init__(self, desk: Story) -> None:
        self.desk, self.store, self.now = desk, desk.store, MONDAY
        self._number = 0

    def queue(self, *recipients: str, ticket: int | None = None, template: str = "accepted") -> list[str]:
        """Mails that wait. Returns their Message-IDs."""
        made = []
        with self.store.begin() as tx:
            for recipient in recipients:
                self._number += 1
                message = EmailMessage()
                message["Message-ID"] = f"<out{self._number}@vendor.example>"
                message["To"] = recipient
                message.set_content(f"Reply {self._number}")
                tx.outbox.queue(
                    message_id=message["Message-ID"], ticket=ticket, mail=None, sender=SUPPORT, recipient=recipient,
                    template=template, language="en", pack="p", raw=message.as_bytes().replace(b"\n", b"\r\n"),
                    queued_at=self.now, next_at=self.now,
                )  # fmt: skip
                made.append(message["Message-ID"])
        return made

    def outbox(self, mailer: Any, **more: Any) -> OutboxRound:
        return OutboxRound(
            mailer, more.pop("store", self.store), now=lambda: self.now,
            **({"side_by_side": 2, "attempts": 5, "who": "me"} | more),
        )  # fmt: skip

    def round(self, server: Smtpd, *, seconds: float = 20, **more: Any) -> Round:
        settings = {"tls": "none", "port": server.port, "send_seconds": seconds, "connect_seconds": seconds}
        settings |= {key: more.pop(key) for key in list(more) if key in SmtpSettings.__dataclass_fields__}

        async def work() -> Round:
            async with Mailer(SmtpSettings(host="localhost", **settings)) as mailer:
                return await self.outbox(mailer, **more).round()

        return asyncio.run(work())

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def waiting(self) -> int:
        with self.store.look() as tx:
            return tx.outbox.waiting()

    def row(self, message_id: str) -> dict[str, Any]:
        return next(row for row in self.desk.sent() if row["message_id"] == message_id)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Story]:
    """On disk: a database in memory is there for one thread only."""
    with stores.empty(f"sqlite:///{tmp_path}/triage.db") as store:
        yield Story(store)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path}/any.db"
    with stores.empty(url) as store:
        yield Story(store)


@pytest.fixture
def post(desk: Story) -> Post:
    return Post(desk)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["event"] for record in caplog.records if "event" in record.__dict__]


# ---------------------------------------------------------------- the mail server's bad days


@pytest.mark.parametrize(
    "name", ["greylisted", "rate-limited", "text-deferred", "drops-at-hello", "drops-at-mail", "drops-at-rcpt",
             "drops-after-text", "nonsense-at-mail", "sender-refused", "login-required"],
)  # fmt: skip
def test_after_a_bad_hour_every_mail_arrives(name: str, post: Post, smtpd: Smtpd) -> None:
    ids = post.queue(ANA, LUIS, EVA)
    smtpd.misbehave(name)
    for _ in range(8):
        post.round(smtpd, attempts=1000)
        post.later(minutes=10)
    assert post.waiting() == 3 and smtpd.mails == []
    smtpd.behave()
    post.later(hours=5)
    assert post.round(smtpd, attempts=1000) == Round(3)
    assert post.waiting() == 0
    assert sorted(ids) == sorted(_id(one.raw) for one in smtpd.mails)


def test_closed_port_is_the_servers_trouble_and_fails_no_mail(post: Post, smtpd: Smtpd) -> None:
    [first] = post.queue(ANA)
    for _ in range(20):
        done = post.round(smtpd, port=daemon.free_port(), attempts=3)
        assert isinstance(done.away, MailerAway) and done.sent == 0
        post.later(minutes=5)
    assert post.row(first)["attempts"] == 0
    assert post.round(smtpd) == Round(1)


@pytest.mark.parametrize("name", ["hangs-at-hello", "hangs-at-mail", "hangs-after-text"])
def test_server_that_hangs_holds_up_one_mail_each_not_all(name: str, post: Post, smtpd: Smtpd) -> None:
    post.queue(*[ANA] * 10)
    smtpd.misbehave(name)
    assert post.round(smtpd, seconds=0.3).away
    assert len(smtpd.misbehaved) <= 2  # side by side; the others were not tried
    rows = post.desk.sent()
    assert sum(row["next_at"] == row["queued_at"] for row in rows) == 8  # they are due as before
    smtpd.behave()
    post.later(hours=1)
    assert post.round(smtpd).sent == 10


def test_lost_answer_is_followed_by_the_same_bytes(post: Post, smtpd: Smtpd) -> None:
    post.queue(ANA)
    smtpd.misbehave("drops-after-text", times=1, taken=True)
    post.round(smtpd)
    post.later(minutes=5)
    post.round(smtpd)
    first, second = smtpd.mails
    assert first.raw == second.raw


def test_refused_recipient_fails_alone_and_staff_is_told(
    post: Post, smtpd: Smtpd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "triage")
    ids = post.queue(ANA, LUIS, EVA)
    smtpd.misbehave("recipient-refused", recipient=LUIS)
    assert post.round(smtpd) == Round(2)
    assert post.row(ids[1])["failed_at"] and post.waiting() == 0
    assert ("failed", None) in post.desk.notices()
    assert sorted(told(caplog)) == ["mail.failed", "mail.sent", "mail.sent"]


def test_notice_to_staff_that_is_refused_makes_no_other(post: Post, smtpd: Smtpd) -> None:
    [notice] = post.queue("lead@vendor.example", template="staff_notices")
    smtpd.misbehave("recipient-refused", recipient="lead@vendor.example")
    post.round(smtpd)
    assert post.row(notice)["failed_at"] and post.desk.notices() == []


def test_mail_that_is_deferred_again_and_again_is_given_up(post: Post, smtpd: Smtpd) -> None:
    [first] = post.queue(ANA)
    smtpd.misbehave("greylisted")
    for attempt in range(1, 4):
        assert post.row(first)["failed_at"] is None, attempt
        post.round(smtpd, attempts=3)
        post.later(hours=5)
    assert post.row(first)["failed_at"] and "450" in post.row(first)["error"]


def test_mail_whose_text_is_never_acknowledged_is_not_sent_for_ever(post: Post, smtpd: Smtpd) -> None:
    [first] = post.queue(ANA)
    smtpd.misbehave("drops-after-text", taken=True)
    for _ in range(6):
        post.round(smtpd, attempts=3)
        post.later(hours=5)
    assert len(smtpd.mails) == 3 and len({one.raw for one in smtpd.mails}) == 1
    assert post.row(first)["failed_at"]


def test_mail_that_breaks_the_connection_each_time_is_given_up_while_others_go(post: Post, smtpd: Smtpd) -> None:
    smtpd.misbehave("drops-at-rcpt", recipient=LUIS)
    [bad] = post.queue(LUIS)

    async def work() -> None:
        settings = SmtpSettings(host="localhost", port=smtpd.port, tls="none")
        async with Mailer(settings) as mailer:
            outbox = post.outbox(mailer, attempts=3, side_by_side=1)
            for _ in range(5):
                post.queue(ANA)
                await outbox.round()
                post.later(hours=5)

    asyncio.run(work())
    assert len(smtpd.mails) == 5
    assert post.row(bad)["failed_at"]


def test_untrusted_certificate_sends_nothing_and_fails_nothing(post: Post, certificate: tuple[Path, Path]) -> None:
    post.queue(ANA)
    with Smtpd(tls="starttls", certificate=certificate) as server:
        done = post.round(server, tls="starttls")
        assert isinstance(done.away, MailerUnusable) and "certificate" in str(done.away)
        assert server.mails == []
        post.later(minutes=5)
        assert post.round(server, tls="starttls", ca_file=str(certificate[0])).sent == 1


def test_nothing_leaves_in_clear_when_tls_was_asked_for(post: Post, smtpd: Smtpd) -> None:
    post.queue(ANA)
    done = post.round(smtpd, tls="starttls")
    assert isinstance(done.away, MailerUnusable) and "STARTTLS" in str(done.away)
    assert smtpd.mails == [] and post.waiting() == 1


# ---------------------------------------------------------------- order, claims


class Slow:
    """A mailer of our own: what it is told to do with each mail."""

    def __init__(self, act: Callable[[str], Any] = lambda recipient: None) -> None:
        self.took: list[str] = []
        self._act = act

    async def send(self, sender: str, recipient: str, raw: bytes) -> Any:
        self.took.append(_id(raw))
        await asyncio.sleep(0)
        return self._act(recipient)


@pytest.mark.parametrize("side_by_side", [1, 4])
def test_mails_about_one_ticket_leave_in_their_order(side_by_side: int, post: Post) -> None:
    post.desk.request()
    with post.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM outbox")
    ids = post.queue(ANA, ANA, ANA, ticket=1)
    mailer = Slow()
    assert asyncio.run(post.outbox(mailer, side_by_side=side_by_side).round()) == Round(3)
    assert mailer.took == ids


def test_deferred_mail_is_not_overtaken_by_the_next_about_its_ticket(post: Post, smtpd: Smtpd) -> None:
    post.desk.request()
    with post.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM outbox")
    smtpd.misbehave("greylisted", times=1)
    ids = [*post.queue(ANA, ticket=1), *post.queue(ANA, ticket=1)]
    assert post.round(smtpd).sent == 0
    post.later(minutes=5)
    assert post.round(smtpd).sent == 2
    assert [_id(one.raw) for one in smtpd.mails] == ids


def test_what_is_claimed_is_nobody_elses_until_the_claim_ends(any_desk: Story) -> None:
    post = Post(any_desk)
    post.queue(ANA)
    with post.store.begin() as tx:
        assert len(tx.outbox.claim(post.now, post.now + CLAIM, 50, "frozen")) == 1
    mailer = Slow()
    assert asyncio.run(post.outbox(mailer).round()) == Round(0)
    post.later(seconds=CLAIM.total_seconds() + 1)
    assert asyncio.run(post.outbox(mailer).round()) == Round(1)


def test_late_news_of_a_frozen_daemon_brings_no_sent_mail_back(any_desk: Story) -> None:
    post = Post(any_desk)
    [first] = post.queue(ANA)
    with post.store.begin() as tx:
        [claimed] = tx.outbox.claim(post.now, post.now + CLAIM, 50, "frozen")
    post.later(seconds=CLAIM.total_seconds() + 1)
    asyncio.run(post.outbox(Slow()).round())
    with post.store.begin() as tx:
        tx.outbox.defer(claimed, post.now, "connection lost")
        tx.outbox.fail(claimed, post.now, "connection lost")
        tx.outbox.release([claimed])
    assert post.waiting() == 0 and post.row(first)["failed_at"] is None


def test_late_news_of_a_frozen_daemon_takes_no_mail_out_of_anothers_hands(any_desk: Story) -> None:
    post = Post(any_desk)
    post.queue(ANA)
    with post.store.begin() as tx:
        [claimed] = tx.outbox.claim(post.now, post.now + CLAIM, 50, "frozen")
    post.later(seconds=CLAIM.total_seconds() + 1)
    with post.store.begin() as tx:
        [his] = tx.outbox.claim(post.now, post.now + CLAIM, 50, "other")
    for late in (
        lambda tx: tx.outbox.defer(claimed, post.now, "connection lost"),
        lambda tx: tx.outbox.fail(claimed, post.now, "connection lost"),
        lambda tx: tx.outbox.release([claimed]),
    ):
        with post.store.begin() as tx:
            late(tx)
        with post.store.begin() as tx:
            assert tx.outbox.claim(post.now, post.now + CLAIM, 50, "third") == []
    with post.store.begin() as tx:
        tx.outbox.defer(his, post.now, "not now")
        assert len(tx.outbox.claim(post.now, post.now + CLAIM, 50, "third")) == 1


def test_who_was_frozen_until_his_claim_ended_sends_nothing_of_it(post: Post) -> None:
    post.queue(*[ANA] * 4)
    mailer = Slow()

    def freeze(step: str) -> None:
        if step == "sending":
            post.later(seconds=CLAIM.total_seconds())

    outbox = OutboxRound(mailer, post.store, side_by_side=2, attempts=5, who="me", now=lambda: post.now, fault=freeze)
    assert asyncio.run(outbox.round(lambda: post.now > MONDAY)) == Round(0)
    assert all(row["attempts"] == 0 and row["claimed_by"] is None for row in post.desk.sent())


def test_claims_of_one_batch_do_not_run_out_while_it_is_sent(post: Post) -> None:
    post.queue(*[ANA] * 10)

    def slowly(recipient: str) -> None:
        post.later(seconds=30)

    assert asyncio.run(post.outbox(Slow(slowly), side_by_side=1).round()).sent == 10
    assert post.waiting() == 0


def test_stop_leaves_what_was_not_begun_as_it_was(post: Post) -> None:
    post.queue(*[ANA] * 10)
    mailer = Slow()
    done = asyncio.run(post.outbox(mailer, side_by_side=1).round(lambda: len(mailer.took) >= 3))
    assert done.sent == 3
    rows = [row for row in post.desk.sent() if row["next_at"] is not None]
    assert len(rows) == 7 and {(row["attempts"], row["claimed_by"]) for row in rows} == {(0, None)}


# ---------------------------------------------------------------- the database's bad days


class Away(Store):
    """A store that can be away."""

    away = False

    def begin(self, *lease: Any) -> Any:
        if self.away:
            raise Temporary("database: gone")
        return super().begin(*lease)


def test_what_the_database_did_not_hear_is_told_when_it_is_back(post: Post) -> None:
    post.queue(ANA, LUIS, EVA)
    store = Away(post.store.engine)

    def leave(recipient: str) -> None:
        store.away = True

    mailer = Slow(leave)
    outbox = post.outbox(mailer, store=store, side_by_side=1)
    with pytest.raises(Temporary):
        asyncio.run(outbox.round())
    with pytest.raises(Temporary):
        asyncio.run(outbox.round())
    store.away = False
    post.later(seconds=CLAIM.total_seconds() + 1)
    mailer._act = lambda recipient: None
    asyncio.run(outbox.round())
    assert sorted(mailer.took) == sorted(set(mailer.took))  # none was sent twice
    assert post.waiting() == 0


def test_mail_of_a_ticket_that_was_forgotten_meanwhile_is_accounted_for(any_desk: Story) -> None:
    post = Post(any_desk)
    post.desk.request()

    def forget(recipient: str) -> None:
        with post.store.begin() as tx:
            _forget(tx)

    assert asyncio.run(post.outbox(Slow(forget)).round()).sent == 1
    assert post.waiting() == 0


def _forget(tx: Transaction) -> None:
    tx._connection.exec_driver_sql("DELETE FROM tickets")


def test_pauses_grow_to_hours() -> None:
    assert timedelta(seconds=20) < pause(1) < timedelta(seconds=40)
    assert timedelta(hours=3) <= pause(20) <= timedelta(hours=5)


def _id(raw: bytes) -> str:
    return raw.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
