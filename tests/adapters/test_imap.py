"""The mailbox against a real Dovecot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from triage.adapters import imap, imap_fetch
from triage.adapters.imap import ImapSettings, Mailbox
from triage.adapters.mime import parse
from triage.core.errors import Permanent, Temporary

MEGABYTE = 1024 * 1024


def mail(number: int = 1, size: int = 0) -> bytes:
    head = f"From: ana@partner.example\r\nSubject: Mail {number}\r\nMessage-ID: <{number}@partner.example>\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    return head.encode() + b"Hello.\r\n" + line * (size // len(line))


@pytest.fixture
def settings(dovecot: Dovecot, mailbox_user: str) -> Callable[..., ImapSettings]:
    def make(**changes: Any) -> ImapSettings:
        values: dict[str, Any] = {
            "host": "localhost",
            "port": dovecot.imap,
            "tls": "none",
            "user": mailbox_user,
            "password": PASSWORD,
            "ca_file": str(dovecot.certificate),
        }
        return ImapSettings(**(values | changes))

    return make


@pytest.fixture
def mailbox(settings: Callable[..., ImapSettings]) -> Iterator[Mailbox]:
    box = Mailbox(settings())
    box.connect()
    yield box
    box.close()


# ---------------------------------------------------------------- getting in


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
def test_logs_in_with_each_kind_of_tls(tls: str, dovecot: Dovecot, settings: Callable[..., ImapSettings]) -> None:
    box = Mailbox(settings(tls=tls, port=dovecot.imaps if tls == "implicit" else dovecot.imap))
    box.connect()
    assert box.select("INBOX").exists == 0
    assert not box.wait(0)
    box.close()
    assert not box.connected


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_untrusted_certificate_is_refused(tls: str, dovecot: Dovecot, settings: Callable[..., ImapSettings]) -> None:
    box = Mailbox(settings(tls=tls, port=dovecot.imaps if tls == "implicit" else dovecot.imap, ca_file=None))
    with pytest.raises(Temporary, match=r"certificate is not trusted.*ca_file"):
        box.connect()


def test_tls_on_the_clear_port_names_the_setting(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Temporary, match="does tls fit the port"):
        Mailbox(settings(tls="implicit")).connect()


def test_wrong_password_is_permanent_and_stays_secret(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Permanent, match="mend user or password") as caught:
        Mailbox(settings(password="guessed-wrong")).connect()
    assert "guessed-wrong" not in str(caught.value)
    assert "guessed-wrong" not in repr(settings(password="guessed-wrong"))


def test_password_with_a_line_break_is_not_sent(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Permanent, match="line break"):
        Mailbox(settings(password="secret\r\nX LOGOUT")).connect()


def test_non_ascii_password_is_sent_as_utf8(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Permanent, match="mend user or password"):  # refused, not broken
        Mailbox(settings(password="contraseña")).connect()


def test_unreachable_server_is_temporary(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Temporary, match="cannot connect"):
        Mailbox(settings(port=1)).connect()


def test_unknown_host_names_what_to_mend(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises((Permanent, Temporary), match=r"host|name"):
        Mailbox(settings(host="no-such-host.invalid")).connect()


def test_nothing_works_unconnected(settings: Callable[..., ImapSettings]) -> None:
    with pytest.raises(Temporary, match="not connected"):
        Mailbox(settings()).select("INBOX")


# ---------------------------------------------------------------- reading


def test_missing_folder_is_permanent_and_the_connection_stays(mailbox: Mailbox) -> None:
    with pytest.raises(Permanent, match="no folder Nowhere"):
        mailbox.select("Nowhere")
    assert mailbox.select("INBOX").exists == 0


def test_new_mail_is_listed_from_a_uid_on(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, *(mail(n) for n in range(1, 4)))
    mailbox.select("INBOX")
    first, second, third = mailbox.uids()
    assert mailbox.uids(first) == [second, third]
    assert mailbox.uids(third) == []  # although `n:*` matches the last message whatever n is


def test_receive_time_is_aware_utc(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    dovecot.deliver(mailbox_user, mail())
    mailbox.select("INBOX")
    (arrived,) = mailbox.sizes_and_dates(mailbox.uids()).values()
    assert arrived.received.tzinfo is UTC
    assert before <= arrived.received <= datetime.now(UTC)
    assert arrived.size > len(mail())


def test_fetching_leaves_every_flag_alone(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, mail(1), mail(2, 2 * imap_fetch.SLICE))
    mailbox.select("INBOX")
    uids = mailbox.uids()
    list(mailbox.fetch(uids, 10 * MEGABYTE))
    mailbox.fetch_head(uids[0])
    mailbox.message_ids(uids)
    assert "Seen" not in dovecot.doveadm("fetch", "-u", mailbox_user, "flags", "mailbox", "INBOX")


@pytest.mark.parametrize(
    "size", [0, imap_fetch.SLICE - 100, imap_fetch.SLICE + 100, 3 * imap_fetch.SLICE, 5 * MEGABYTE]
)
def test_small_and_large_mail_comes_whole(size: int, mailbox: Mailbox) -> None:
    raw = mail(1, size)
    mailbox.append("INBOX", raw)
    mailbox.select("INBOX")
    assert [got for _, got in mailbox.fetch(mailbox.uids(), 50 * MEGABYTE)] == [raw]


def test_mail_of_exactly_some_slices_comes_whole(mailbox: Mailbox) -> None:
    raw = mail(1, 3 * imap_fetch.SLICE)[: 2 * imap_fetch.SLICE - 2] + b"\r\n"
    mailbox.append("INBOX", raw)
    mailbox.select("INBOX")
    assert [got for _, got in mailbox.fetch(mailbox.uids(), 50 * MEGABYTE)] == [raw]


def test_of_oversize_mail_comes_only_the_beginning(mailbox: Mailbox) -> None:
    raw = mail(1, 2 * MEGABYTE)
    mailbox.append("INBOX", raw)
    mailbox.select("INBOX")
    assert [got for _, got in mailbox.fetch(mailbox.uids(), MEGABYTE)] == [raw[: imap_fetch.SLICE]]


def test_many_mails_come_in_order_over_several_batches(
    mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_fetch, "BATCH_COUNT", 7)
    monkeypatch.setattr(imap, "COMMAND_UIDS", 5)
    monkeypatch.setattr(imap, "SEARCH_WINDOW", 3)
    dovecot.deliver(mailbox_user, *(mail(n) for n in range(30)))
    mailbox.select("INBOX")
    uids = mailbox.uids()
    assert len(uids) == 30
    assert [uid for uid, _ in mailbox.fetch(uids, MEGABYTE)] == uids
    assert list(mailbox.message_ids(uids).values()) == [f"<{n}@partner.example>" for n in range(30)]


def test_a_message_id_is_read_as_the_parser_reads_it(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    long = b"<" + b"x" * 300 + b"@partner.example>"
    values = [
        b"<1@partner.example> (a remark)",
        b"\r\n <2@partner.example>",
        b"<a\0b@x> <3@x>",
        long,
        b"none",
        b"<\xe9@x>",
    ]
    mails = [b"From: a@b.example\r\nMessage-ID: " + value + b"\r\n\r\nx\r\n" for value in values]
    dovecot.save(mailbox_user, "INBOX", mails)
    mailbox.select("INBOX")
    found = list(mailbox.message_ids(mailbox.uids()).values())
    assert found == ["<1@partner.example>", "<2@partner.example>", "<3@x>", "", "", ""]
    assert [parse(one).message_id for one in (mails[0], mails[1], *mails[3:])] == [*found[:2], *found[3:]]


def test_mail_that_a_person_deletes_meanwhile_is_absent(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, *(mail(n) for n in range(3)))
    mailbox.select("INBOX")
    uids = mailbox.uids()
    mailbox.sizes_and_dates(uids)
    dovecot.doveadm("expunge", "-u", mailbox_user, "mailbox", "INBOX", "uid", str(uids[1]))
    assert [uid for uid, _ in mailbox.fetch(uids, MEGABYTE)] == [uids[0], uids[2]]
    mailbox.move(uids, "Triage/ready")
    assert mailbox.count("Triage/ready") == 2


def test_new_uidvalidity_is_told(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    before = mailbox.select("INBOX")
    mailbox.close()
    dovecot.doveadm("mailbox", "update", "-u", mailbox_user, "--uid-validity", str(before.uidvalidity + 1), "INBOX")
    mailbox.connect()
    assert mailbox.select("INBOX").uidvalidity == before.uidvalidity + 1


def test_message_is_found_by_its_id_and_hostile_ids_by_nothing(
    mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, mail(1), mail(2))
    mailbox.select("INBOX")
    assert mailbox.search_message("<2@partner.example>") == mailbox.uids()[1:]
    assert mailbox.search_message('x"\r\nX1 STORE 1:* +FLAGS (\\Deleted)\r\nX2 EXPUNGE') == []
    assert len(mailbox.uids()) == 2


# ---------------------------------------------------------------- filing


def test_move_makes_the_folder_and_subscribes(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, *(mail(n) for n in range(3)))
    mailbox.select("INBOX")
    uids = mailbox.uids()
    mailbox.move(uids[:2], "Triage/ready")
    assert mailbox.uids() == uids[2:]
    assert mailbox.count("Triage/ready") == 2
    mailbox.move(uids, "Triage/ready")  # again, as after a crash: what is gone is gone
    assert mailbox.count("Triage/ready") == 3
    assert "Triage.ready" in dovecot.doveadm("mailbox", "list", "-u", mailbox_user, "-s")


def test_folder_names_outside_ascii_are_kept(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, mail())
    mailbox.select("INBOX")
    mailbox.move(mailbox.uids(), "Soporte/Atención & más")
    assert mailbox.count("Soporte/Atención & más") == 1
    assert "Soporte.Atención & más" in dovecot.doveadm("mailbox", "list", "-u", mailbox_user)
    assert mailbox.ensure_folder("Soporte/Atención & más") == "Soporte.Atención & más"


def test_folder_removed_by_a_person_is_made_again(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    mailbox.ensure_folder("Triage/ready")
    dovecot.doveadm("mailbox", "delete", "-u", mailbox_user, "-s", "Triage.ready")
    dovecot.deliver(mailbox_user, mail())
    mailbox.select("INBOX")
    mailbox.move(mailbox.uids(), "Triage/ready")
    assert mailbox.count("Triage/ready") == 1


def test_append_makes_the_folder(mailbox: Mailbox) -> None:
    mailbox.append("Sent", mail(), [rb"\Seen"])
    status = mailbox.select("Sent")
    assert (status.exists, status.readonly) == (1, False)
    assert [raw for _, raw in mailbox.fetch(mailbox.uids(), MEGABYTE)] == [mail()]


# ---------------------------------------------------------------- waiting


def test_wait_ends_with_new_mail(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    mailbox.select("INBOX")
    assert mailbox.uids() == []
    sender = threading.Thread(target=dovecot.deliver, args=(mailbox_user, mail()))
    sender.start()
    assert mailbox.wait(60)
    sender.join()
    assert len(mailbox.uids()) == 1


def test_wait_ends_at_once_for_mail_that_came_before(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    mailbox.select("INBOX")
    mailbox.uids()
    dovecot.deliver(mailbox_user, mail())
    mailbox.count("INBOX")  # the server announces the mail in passing: IDLE will not tell it again
    assert mailbox.wait(60)
    assert len(mailbox.uids()) == 1
    assert not mailbox.wait(0)


def test_interrupt_ends_wait_and_keeps_the_connection(mailbox: Mailbox) -> None:
    mailbox.select("INBOX")
    mailbox.uids()
    other = threading.Thread(target=mailbox.interrupt)
    other.start()
    assert not mailbox.wait(600)
    other.join()
    mailbox.interrupt()  # before the wait: not lost
    assert not mailbox.wait(600)
    assert mailbox.select("INBOX").exists == 0


def test_abort_ends_wait_with_temporary(mailbox: Mailbox) -> None:
    mailbox.select("INBOX")
    mailbox.uids()
    mailbox.abort()
    with pytest.raises(Temporary):
        mailbox.wait(600)
    mailbox.connect()
    assert mailbox.select("INBOX").exists == 0


def test_kicked_session_reconnects(mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str) -> None:
    mailbox.select("INBOX")
    dovecot.kick(mailbox_user)
    with pytest.raises(Temporary):
        mailbox.wait(60)
    mailbox.connect()
    assert mailbox.select("INBOX").exists == 0


def test_pauses_grow_to_five_minutes_and_are_never_short() -> None:
    pauses = imap.pauses()
    drawn = [next(pauses) for _ in range(2000)]
    assert drawn[0] <= 2
    assert min(drawn) >= 1
    assert 250 < max(drawn) <= 300


def test_looking_into_another_folder_does_not_disturb_the_wait(
    mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, mail(1), mail(2))
    mailbox.select("INBOX")
    mailbox.move(mailbox.uids()[:1], "Triage/ready")
    mailbox.select("Triage/ready")
    mailbox.uids()
    mailbox.select("INBOX")
    assert not mailbox.wait(0)  # the mail that still lies there was looked at


def test_mail_that_a_phone_marked_read_is_listed_all_the_same(
    mailbox: Mailbox, dovecot: Dovecot, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, mail())
    dovecot.doveadm("flags", "add", "-u", mailbox_user, r"\Seen", "mailbox", "INBOX", "all")
    mailbox.select("INBOX")
    assert [uid for uid, _ in mailbox.fetch(mailbox.uids(), MEGABYTE)] == mailbox.uids()
