"""Specialists' answers are seen in their Sent folder, and where a person moves a mail to ready it is accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.steps.desk import ANA, IVO, MONDAY, SUPPORT, Story, reading, shipped_pack
from tests.steps.folders import Folders
from triage.adapters.mime import parse
from triage.core.errors import Conflict
from triage.core.model import Email, Reading, Trust
from triage.core.reading.read import read
from triage.steps.again import again
from triage.steps.answers import Answers
from triage.steps.intake import Inbox
from triage.steps.moves import Moves
from triage.steps.telling import Telling

FOLDERS = {name: name for name in ("ready", "waiting", "refused", "ignored", "quarantine")}
INBOX = Inbox("inbox", "INBOX", FOLDERS, MONDAY - timedelta(days=1), 1_000_000, 50, Trust())


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, tzinfo=UTC) + timedelta(days=day)


@pytest.fixture
def folders() -> Folders:
    return Folders()


def answers(desk: Story, folders: Folders) -> int:
    return Answers(folders, INBOX, "Sent", desk.store, folders, desk.office, now=lambda: desk.now).round()


def moves(desk: Story, folders: Folders) -> int:
    return Moves(folders, INBOX, desk.store, folders, desk.office, now=lambda: desk.now).round()


def sent(desk: Story, mail: Email, sender: str = SUPPORT, **more: object) -> Email:
    return desk.mail(sender, to=(ANA,), answers=[mail.message_id], **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the Sent folder


@pytest.mark.parametrize("sender", [SUPPORT, IVO])
def test_an_answer_in_the_sent_folder_stops_the_clock(any_desk: Story, folders: Folders, sender: str) -> None:
    mail = any_desk.request()
    folders.put("Sent", sent(any_desk, mail, sender, at=at(7)))
    any_desk.now = at(7, 5)
    assert answers(any_desk, folders) == 1
    ticket = any_desk.ticket()
    assert (ticket["state"], ticket["answered_at"]) == ("answered", at(7))
    assert answers(any_desk, folders) == 0  # each is looked at once
    assert folders.moved == []  # and stays where it lies


def test_an_answer_in_copy_and_in_the_sent_folder_counts_once(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    answer = sent(desk, mail, IVO, at=at(7))
    desk.now = at(7, 5)
    folders.put("Sent", answer)
    answers(desk, folders)
    assert desk.receive(answer) == "ready"
    assert desk.told().count("ticket.answered") == 1
    other = desk.request(subject="Other")
    second = sent(desk, other, IVO)
    desk.receive(second)
    folders.put("Sent", second)
    answers(desk, folders)
    assert desk.told(2).count("ticket.answered") == 1


def test_an_answer_that_the_server_holds_back_stops_nothing_and_is_asked_for_again(
    desk: Story, folders: Folders
) -> None:
    first, second = desk.request(), desk.request("bo@bolt.example")
    folders.put("Sent", sent(desk, first))
    folders.put("Sent", desk.mail(IVO, to=("bo@bolt.example",), answers=[second.message_id]))
    folders.withheld = {1}
    assert answers(desk, folders) == 1 and answers(desk, folders) == 0
    assert [desk.ticket(number)["state"] for number in (1, 2)] == ["open", "answered"]
    folders.withheld = set()
    assert answers(desk, folders) == 1 and answers(desk, folders) == 0
    assert desk.ticket()["state"] == "answered"


def test_our_own_replies_in_the_sent_folder_stop_no_clock(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    folders.put("Sent", replace(sent(desk, mail), message_id=desk.thread()))
    answers(desk, folders)
    assert desk.ticket()["state"] == "open"


def test_an_out_of_office_in_the_sent_folder_stops_no_clock(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    folders.put("Sent", sent(desk, mail), reading(kind="auto_reply"))
    answers(desk, folders)
    assert desk.ticket()["state"] == "open"


def read_whole(desk: Story, mail: Email, *headers: str, to: str = ANA) -> tuple[Email, Reading]:
    """A specialist's answer from the support address, as the program itself reads it."""
    head = (f"From: {SUPPORT}", f"To: {to}", f"Cc: {SUPPORT}", "Subject: Re: Empty report", "Message-ID: <x@vendor>",
            f"In-Reply-To: {mail.message_id}", *headers)  # fmt: skip
    raw = "\r\n".join((*head, "", "Hello Ana,", "", "please rebuild the report; it works now.", "", "Ivo", ""))
    email = parse(raw.encode(), desk.now)
    return email, read(email, shipped_pack(), desk.office.desk)


def test_what_is_written_as_the_support_address_answers_from_the_sent_folder(desk: Story, folders: Folders) -> None:
    email, said = read_whole(desk, desk.request())
    folders.put("Sent", email, said)
    answers(desk, folders)
    assert desk.ticket()["state"] == "answered"


def test_its_copy_in_the_mailbox_does_not_keep_it_from_counting(desk: Story, folders: Folders) -> None:
    email, said = read_whole(desk, desk.request())
    assert (desk.receive(email, said), desk.ticket()["state"]) == ("ignored", "open")
    folders.put("Sent", email, said)
    answers(desk, folders)
    assert (desk.ticket()["state"], desk.told().count("ticket.answered")) == ("answered", 1)
    assert desk.receive(email, said) == "ignored"


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: auto-replied", "X-Triage: reply", "Auto-Submitted: auto-generated"]
)
def test_what_a_program_sends_as_the_support_address_answers_nobody(desk: Story, folders: Folders, header: str) -> None:
    email, said = read_whole(desk, desk.request(), header)
    folders.put("Sent", email, said)
    answers(desk, folders)
    assert desk.ticket()["state"] == "open"


def test_where_staff_names_the_support_address_its_copy_in_the_mailbox_answers(desk: Story) -> None:
    desk.office.staff = (SUPPORT,)
    email, said = read_whole(desk, desk.request())
    assert (desk.receive(email, said), desk.ticket()["state"]) == ("ready", "answered")
    email, said = read_whole(desk, desk.request(subject="Other"), "X-Triage: reply")
    assert (desk.receive(email, said), desk.ticket(2)["state"]) == ("ignored", "open")


def test_commands_count_in_the_mailbox_only(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    folders.put("Sent", desk.mail(SUPPORT, to=("max@vendor.example",), answers=[mail.message_id], text="#close"))
    answers(desk, folders)
    assert desk.ticket()["state"] == "open"


def test_mail_that_was_sent_before_the_first_start_is_left_alone(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    folders.put("Sent", sent(desk, mail, at=MONDAY - timedelta(days=2)))
    assert answers(desk, folders) == 0


# ---------------------------------------------------------------- the ready folder


def test_a_mail_that_is_moved_from_waiting_to_ready_is_accepted(any_desk: Story, folders: Folders) -> None:
    mail = any_desk.request(said=reading(has=("account",)))
    file_away(any_desk)
    assert moves(any_desk, folders) == 0
    folders.put("ready", mail)
    any_desk.now = at(8)
    assert moves(any_desk, folders) == 1
    assert (any_desk.ticket()["state"], any_desk.ticket()["due_at"]) == ("open", at(12))
    assert any_desk.keys("ticket.updated")["by"] == "moved to ready"
    assert moves(any_desk, folders) == 0


def test_a_mail_that_is_moved_from_refused_to_ready_is_accepted(desk: Story, folders: Folders) -> None:
    mail = desk.request("eva@lapsed.example")
    file_away(desk)
    folders.put("ready", mail)
    assert moves(desk, folders) == 1
    assert desk.ticket()["state"] == "open"


def test_tidying_up_accepts_nothing(desk: Story, folders: Folders) -> None:
    mail = desk.request(said=reading(has=("account",)))
    file_away(desk)
    second = desk.request(answers=[mail.message_id])
    desk.answer(second.message_id)
    folders.put("ready", mail)
    assert moves(desk, folders) == 0
    assert desk.ticket()["state"] == "answered"


def test_a_mail_with_the_message_id_of_one_that_waits_accepts_nothing(desk: Story, folders: Folders) -> None:
    waiting = desk.request(said=reading(has=("account",)))
    another = desk.request("bo@bolt.example", message_id=waiting.message_id)
    file_away(desk)
    folders.put("ready", another)
    assert moves(desk, folders) == 0
    assert [desk.ticket(number)["state"] for number in (1, 2)] == ["awaiting_partner", "open"]
    folders.put("ready", waiting)
    assert moves(desk, folders) == 1
    assert desk.ticket()["state"] == "open"


def test_a_forged_mail_with_the_message_id_of_one_that_is_released_stays_where_it_is(
    desk: Story, folders: Folders
) -> None:
    genuine = desk.mail(text="The report is empty.")
    forged = replace(desk.mail(text="Other words."), message_id=genuine.message_id)
    for mail in (genuine, forged):
        assert desk.receive(mail, checked=True) == "quarantine"
        folders.put("quarantine", mail)
    file_away(desk)
    with desk.store.begin() as tx:
        known = tx.mails.original(genuine.fingerprint)
        assert known
        again(tx, known, genuine, reading(), desk.office, Telling(desk.now), Trust())
    assert Moves(folders, INBOX, desk.store, folders, desk.office, now=lambda: desk.now).release() == 1
    assert folders.moved == [(genuine.message_id, "ready")]
    assert [email.fingerprint for email, _ in folders.mails["quarantine"].values()] == [forged.fingerprint]


def test_what_we_filed_in_ready_ourselves_is_nobodys_move(desk: Story, folders: Folders) -> None:
    mail = desk.request()
    file_away(desk)
    folders.put("ready", mail)
    assert moves(desk, folders) == 0


@pytest.mark.parametrize("message_id", ["", "<" + "long" * 100 + "@acme.example>"])
def test_a_mail_without_an_id_of_use_that_is_moved_to_ready_is_accepted(
    message_id: str, any_desk: Story, folders: Folders
) -> None:
    desk = any_desk
    poor = desk.request(said=reading(has=("account",)), message_id=message_id)
    folders.put("ready", desk.request(message_id=""))  # at the same second, and where we put it
    file_away(desk)
    assert moves(desk, folders) == 0
    folders.put("ready", poor)
    assert moves(desk, folders) == 1
    assert [desk.ticket(number)["state"] for number in (1, 2)] == ["open", "open"]
    assert moves(desk, folders) == 0


def test_a_mail_of_a_stranger_that_is_moved_to_ready_changes_nothing(desk: Story, folders: Folders) -> None:
    mail = desk.request("tom@nowhere.example")
    file_away(desk)
    folders.put("ready", mail)
    assert moves(desk, folders) == 0
    assert desk.count() == 0


def file_away(desk: Story) -> None:
    """As intake does after each mail."""
    with desk.store.begin() as tx:
        tx.mails.file([mail.id for mail in tx.mails.unfiled("inbox", 100)], desk.now)


# ---------------------------------------------------------------- quarantine


@pytest.mark.parametrize("message_id", ["<1@acme.example>", "", '<"of no use to a search"@acme.example>'])
def test_a_quarantined_mail_is_handled_again_by_the_same_rules(
    message_id: str, any_desk: Story, folders: Folders
) -> None:
    desk = any_desk
    email = desk.mail(message_id=message_id)
    mail = quarantined(desk, email, 99)
    folders.put("quarantine", desk.mail(message_id=""))
    folders.put("quarantine", email)
    assert requeue(desk, mail, email) == "ready"
    assert desk.ticket()["state"] == "open"
    assert Moves(folders, INBOX, desk.store, folders, desk.office, now=lambda: desk.now).release() == 1
    assert folders.moved == [(email.message_id, "ready")]
    assert desk.receive(email) == "ignored"  # delivered once more
    assert desk.count() == 1


@pytest.mark.parametrize("again_", ["first", "second", "both"])
def test_a_mail_that_was_quarantined_twice_is_handled_once(again_: str, any_desk: Story) -> None:
    desk, email = any_desk, any_desk.mail()
    first = quarantined(desk, email, 98)
    second = quarantined(desk, email, 99, duplicate_of=first)
    for mail in {"first": [first], "second": [second], "both": [second, first]}[again_]:
        assert requeue(desk, mail, email) in ("ready", "ignored")
    assert desk.count() == 1 == len(desk.sent())
    assert desk.receive(email) == "ignored"


def test_a_mail_that_two_handle_again_at_once_is_handled_once(any_desk: Story) -> None:
    desk, email = any_desk, any_desk.mail()
    mail = quarantined(desk, email, 99)
    with desk.store.look() as tx:
        known = tx.mails.by_id(mail)
    assert known
    assert requeue(desk, mail, email) == "ready"
    with pytest.raises(Conflict), desk.store.begin() as tx:
        again(tx, known, email, reading(), desk.office, Telling(desk.now), Trust())
    assert desk.count() == 1 == len(desk.sent())


def quarantined(desk: Story, email: Email, uid: int, duplicate_of: int | None = None) -> int:
    with desk.store.begin() as tx:
        return tx.mails.add(
            mailbox="inbox", uidvalidity=1, uid=uid, folder="quarantine", received_at=desk.now, handled_at=desk.now,
            filed_at=desk.now, fingerprint=email.fingerprint, message_id=email.message_id, duplicate_of=duplicate_of,
        )  # fmt: skip


def requeue(desk: Story, mail: int, email: Email) -> str:
    with desk.store.begin() as tx:
        known = tx.mails.by_id(mail)
        assert known
        return again(tx, known, email, reading(), desk.office, Telling(desk.now), Trust())
