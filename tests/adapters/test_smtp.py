"""The mailer against a real SMTP server, well-behaved and not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.servers import daemon
from tests.servers.smtpd import Smtpd
from triage.adapters.smtp import Mailer, MailerAway, MailerUnusable, PerhapsTaken, Sent, SmtpSettings
from triage.core.errors import Permanent, Temporary

RAW = b"From: support@vendor.example\r\nTo: ana@partner.example\r\nSubject: Hello\r\n\r\n.dot\r\nText.\r\n"
SENDER, PARTNER = "support@vendor.example", "ana@partner.example"


def settings(server: Smtpd, **changes: Any) -> SmtpSettings:
    values: dict[str, Any] = {"host": "localhost", "port": server.port, "tls": "none", "connections": 1}
    return SmtpSettings(**(values | changes))


def send(server: Smtpd, times: int = 1, **changes: Any) -> list[Sent]:
    async def work() -> list[Sent]:
        async with Mailer(settings(server, **changes)) as mailer:
            return [await mailer.send(SENDER, PARTNER, RAW) for _ in range(times)]

    return asyncio.run(work())


# ---------------------------------------------------------------- the good way


def test_the_very_bytes_arrive_on_one_kept_connection(smtpd: Smtpd) -> None:
    replies = send(smtpd, times=3)
    assert replies[2].reply.endswith("queued as 3")
    assert [mail.raw for mail in smtpd.mails] == [RAW] * 3
    assert smtpd.mails[0].recipients == (PARTNER,)
    assert smtpd.connections == 1


def test_null_sender_is_possible(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.send("", PARTNER, RAW)

    asyncio.run(work())
    assert smtpd.mails[0].sender == ""


def test_no_more_connections_than_allowed(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd, connections=3)) as mailer:
            await asyncio.gather(*(mailer.send(SENDER, PARTNER, RAW) for _ in range(30)))

    asyncio.run(work())
    assert len(smtpd.mails) == 30
    assert smtpd.connections == 3


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_sends_with_tls_and_log_in(tls: Any, certificate: tuple[Path, Path]) -> None:
    with Smtpd(tls=tls, certificate=certificate, user="support", password="secret") as server:
        send(server, tls=tls, ca_file=str(certificate[0]), user="support", password="secret")
        assert len(server.mails) == 1


# ---------------------------------------------------------------- the connection


def test_kept_connection_that_the_server_closed_is_replaced(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.send(SENDER, PARTNER, RAW)
            await asyncio.to_thread(smtpd.drop_all)
            await mailer.send(SENDER, PARTNER, RAW)

    asyncio.run(work())
    assert len(smtpd.mails) == 2
    assert smtpd.connections == 2


@pytest.mark.parametrize("name", ["drops-at-mail", "drops-at-rcpt"])
def test_kept_connection_that_breaks_before_the_text_is_tried_once_more(name: str, smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.send(SENDER, PARTNER, RAW)
            smtpd.misbehave(name, times=1)
            await mailer.send(SENDER, PARTNER, RAW)

    asyncio.run(work())
    assert len(smtpd.mails) == 2


def test_refusal_does_not_spoil_the_next_mail(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            smtpd.misbehave("recipient-refused", recipient="gone@partner.example")
            with pytest.raises(Permanent, match=r"gone@partner\.example refused: 550"):
                await mailer.send(SENDER, "gone@partner.example", RAW)
            await mailer.send(SENDER, PARTNER, RAW)

    asyncio.run(work())
    assert [mail.recipients for mail in smtpd.mails] == [(PARTNER,)]


def test_cancelled_send_leaves_no_connection_in_between(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            smtpd.misbehave("hangs-at-mail", times=1)
            task = asyncio.create_task(mailer.send(SENDER, PARTNER, RAW))
            await asyncio.to_thread(smtpd.wait_for, lambda: smtpd.misbehaved == ["hangs-at-mail"])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await mailer.send(SENDER, PARTNER, RAW)

    asyncio.run(work())
    assert len(smtpd.mails) == 1


# ---------------------------------------------------------------- what goes wrong, and what it means


@pytest.mark.parametrize(
    ("name", "meaning", "words"),
    [
        ("greylisted", Temporary, "450"),
        ("rate-limited", MailerAway, "421|lost"),
        ("text-deferred", MailerAway, "451"),
        ("drops-at-hello", MailerAway, "lost|connect"),
        ("drops-at-mail", MailerAway, "lost"),
        ("nonsense-at-mail", MailerAway, "naming the sender"),
        ("drops-after-text", PerhapsTaken, "may have been delivered"),
        ("recipient-refused", Permanent, "550 5.1.1"),
        ("too-big", Permanent, "552"),
        ("text-refused", Permanent, "554"),
        ("sender-refused", MailerUnusable, "from_address"),
        ("no-relay", MailerUnusable, "takes no mail from us"),
        ("login-required", MailerUnusable, "takes no mail from us"),
    ],
)
def test_each_answer_has_its_meaning(name: str, meaning: type[Exception], words: str, smtpd: Smtpd) -> None:
    smtpd.misbehave(name)
    with pytest.raises(meaning, match=words) as caught:
        send(smtpd)
    assert isinstance(caught.value, MailerUnusable) == (meaning is MailerUnusable)
    assert isinstance(caught.value, MailerAway) == issubclass(meaning, MailerAway)
    smtpd.behave()
    send(smtpd)
    assert len(smtpd.mails) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hangs-at-hello", "cannot connect: no answer in time; is the server running, are host and port right?"),
        ("hangs-at-mail", "lost while naming the sender"),
        ("hangs-after-text", "may have been delivered"),
    ],
)
def test_silence_ends_with_temporary(name: str, words: str, smtpd: Smtpd) -> None:
    smtpd.misbehave(name)
    with pytest.raises(Temporary, match=words):
        send(smtpd, send_seconds=0.3)


def test_relaying_denied_after_a_mail_was_taken_is_about_the_address(smtpd: Smtpd) -> None:
    smtpd.misbehave("no-relay", recipient="ana@elsewhere.example")

    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.send(SENDER, PARTNER, RAW)
            with pytest.raises(Permanent):
                await mailer.send(SENDER, "ana@elsewhere.example", RAW)

    asyncio.run(work())


def test_lost_answer_then_resend_brings_the_same_bytes(smtpd: Smtpd) -> None:
    smtpd.misbehave("drops-after-text", times=1, taken=True)
    with pytest.raises(Temporary, match="may have been delivered"):
        send(smtpd)
    send(smtpd)
    assert [mail.raw for mail in smtpd.mails] == [RAW, RAW]


def test_wrong_password_makes_the_mailer_unusable_and_stays_secret() -> None:
    with Smtpd(user="support", password="right") as server:
        with pytest.raises(MailerUnusable, match="mend user or password") as caught:
            send(server, user="support", password="guessed-wrong")
        assert "guessed-wrong" not in str(caught.value)


def test_log_in_deferred_by_the_server_is_no_wrong_password() -> None:
    with Smtpd(user="support", password="right") as server:
        server.misbehave("login-deferred")
        with pytest.raises(Temporary) as caught:
            send(server, user="support", password="right")
        assert not isinstance(caught.value, MailerUnusable)


def test_nothing_is_sent_in_clear_when_starttls_was_asked_for(smtpd: Smtpd) -> None:
    with pytest.raises(MailerUnusable, match="STARTTLS"):
        send(smtpd, tls="starttls", user="support", password="secret")
    assert smtpd.mails == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_untrusted_certificate_sends_nothing(tls: Any, certificate: tuple[Path, Path]) -> None:
    with Smtpd(tls=tls, certificate=certificate) as server:
        with pytest.raises(MailerUnusable, match="certificate is not trusted"):
            send(server, tls=tls)
        assert server.mails == []


def test_log_in_where_the_server_offers_none_is_unusable(smtpd: Smtpd) -> None:
    with pytest.raises(MailerUnusable, match="mend tls or user"):
        send(smtpd, user="support", password="secret")


def test_refused_connection_is_temporary(smtpd: Smtpd) -> None:
    with pytest.raises(Temporary) as caught:
        send(smtpd, port=daemon.free_port())
    assert not isinstance(caught.value, MailerUnusable)


@pytest.mark.parametrize("address", ["ana@partner.example\r\nRCPT TO:<evil@x.example>", "añá@partner.example", ""])
def test_address_that_cannot_be_one_is_permanent(address: str, smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            with pytest.raises(Permanent):
                await mailer.send(SENDER, address, RAW)

    asyncio.run(work())
    assert smtpd.mails == []


def test_check_connects_and_sends_nothing(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.check()

    asyncio.run(work())
    assert (smtpd.connections, smtpd.mails) == (1, [])


def test_check_finds_that_the_server_does_not_take_our_sender(smtpd: Smtpd) -> None:
    async def work() -> None:
        async with Mailer(settings(smtpd)) as mailer:
            await mailer.check(SENDER)
            smtpd.misbehave("sender-refused")
            with pytest.raises(MailerUnusable, match="mend from_address or the log-in"):
                await mailer.check(SENDER)

    asyncio.run(work())
    assert smtpd.mails == []
