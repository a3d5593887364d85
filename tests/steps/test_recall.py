"""Refused mail of somebody who turns out to belong to a partner: it is handled again, as if it had been known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.steps.desk import AUTHSERV, SUPPORT, Story, reading, text_of
from tests.steps.folders import Folders
from triage.core.directory import Directory
from triage.core.model import Contact, Email, Trust
from triage.steps import recall as steps
from triage.steps.intake import Inbox
from triage.steps.moves import Moves
from triage.steps.recall import Recall

TOM = "tom@freemail.example"
NAMES = {name: name for name in ("ready", "waiting", "refused", "ignored", "quarantine")}
INBOX = Inbox("inbox", "INBOX", NAMES, datetime(2026, 1, 1, tzinfo=UTC), 1_000_000, 50, Trust(AUTHSERV))


class Kept:
    """Kept bytes, of which nothing is there: the folder has to be asked."""

    def get(self, fingerprint: str) -> bytes | None:
        return None


def recall(desk: Story, folders: Folders) -> int:
    return Recall(folders, INBOX, desk.store, folders, desk.office, Kept(), now=lambda: desk.now).round()


def refused(desk: Story, folders: Folders, **more: object) -> Email:
    """A stranger's mail that was refused and filed away."""
    email = desk.mail(TOM, proven=True, **more)  # type: ignore[arg-type]
    assert desk.receive(email, checked=True) == "refused"
    folders.put("refused", email)
    with desk.store.begin() as tx:
        tx.mails.file([mail.id for mail in tx.mails.unfiled("inbox", 100)], desk.now)
    return email


@pytest.fixture
def folders() -> Folders:
    return Folders()


def test_after_partner_the_refused_mail_becomes_a_ticket_with_its_own_receive_time(
    any_desk: Story, folders: Folders
) -> None:
    desk = any_desk
    mail = refused(desk, folders)
    received, desk.now = desk.now, desk.now + timedelta(hours=1)
    said = desk.command("#partner Acme", mail.message_id)
    assert f"{TOM} belongs to Acme from now on. The mail that was refused is handled now" in said
    assert recall(desk, folders) == 1
    ticket = desk.ticket()
    assert (ticket["partner"], ticket["state"], ticket["requester"]) == ("Acme", "open", TOM)
    assert (ticket["clock_started_at"], ticket["due_at"]) == (received, received + timedelta(hours=6))
    assert [one["recipient"] for one in desk.sent("accepted")] == [TOM]
    assert desk.promises()[0].to == TOM


def test_one_who_is_given_to_a_partner_with_two_plans_is_asked_which(desk: Story, folders: Folders) -> None:
    year = desk.now + timedelta(days=365)
    desk.office.directory = Directory(
        [
            Contact("Acme", "paas", "ana@acme.example"),
            Contact("Acme", "cloud", "ana@acme.example", subscription_until=year),
            Contact("Acme", "paas", "luis@acme.example", status="suspended"),
        ]
    )
    mail = refused(desk, folders)
    desk.command("#partner Acme", mail.message_id)
    recall(desk, folders)
    assert desk.ticket()["state"] == "awaiting_partner"
    assert "PaaS or Cloud" in text_of(desk.sent("incomplete")[0]["raw"])


def test_it_is_handled_again_once_and_moved_to_its_folder(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    desk.command("#partner Acme", mail.message_id)
    assert [recall(desk, folders), recall(desk, folders)] == [1, 0]
    assert Moves(folders, INBOX, desk.store, folders, desk.office, now=lambda: desk.now).release() == 1
    assert folders.moved == [(mail.message_id, "ready")]
    assert (desk.count(), len(desk.sent("accepted")), len(desk.sent("stranger"))) == (1, 1, 1)
    assert desk.receive(mail, checked=True) == "ignored"  # delivered once more


def test_another_mail_with_its_message_id_is_not_taken_for_it(desk: Story, folders: Folders) -> None:
    forged = desk.mail(TOM, text="Other words.", message_id="<same@freemail.example>")
    assert desk.receive(forged, checked=True) == "quarantine"
    folders.put("refused", forged)
    mail = refused(desk, folders, message_id="<same@freemail.example>")
    desk.command("#partner Acme", mail.message_id)
    assert recall(desk, folders) == 1
    assert desk.ticket()["requester"] == TOM


def test_a_surprise_leaves_one_mail_refused_and_the_next_goes_on(
    desk: Story, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = refused(desk, folders)
    refused(desk, folders, subject="Another matter")
    desk.command("#partner Acme", mail.message_id)
    handled: list[str] = []

    def again(*of: object) -> str:
        handled.append("")
        if len(handled) == 1:
            raise ZeroDivisionError
        return genuine(*of)  # type: ignore[arg-type]

    genuine = steps.again
    monkeypatch.setattr(steps, "again", again)
    assert [recall(desk, folders), recall(desk, folders)] == [1, 0]
    assert desk.count() == 1 and ("unread", None) in desk.notices()


def test_a_forged_copy_does_not_take_a_refused_mails_place(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    failed = {"authentication-results": (f"{AUTHSERV}; dmarc=fail header.from=freemail.example",)}
    assert desk.receive(replace(mail, headers=failed), checked=True) == "ignored"
    desk.command("#partner Acme", mail.message_id)
    assert recall(desk, folders) == 1 and desk.count() == 1


def test_a_second_mail_in_its_thread_belongs_to_the_same_ticket(desk: Story, folders: Folders) -> None:
    first = refused(desk, folders)
    desk.now += timedelta(minutes=20)
    refused(desk, folders, answers=[first.message_id])
    said = desk.command("#partner Acme", first.message_id)
    assert "The 2 mails that were refused are handled now" in said
    assert recall(desk, folders) == 2
    assert (desk.count(), desk.ticket()["clock_started_at"]) == (1, desk.now)


def test_what_a_forger_wrote_in_that_name_stays_refused(desk: Story, folders: Folders) -> None:
    forged = desk.mail(
        TOM, headers={"authentication-results": (f"{AUTHSERV}; dmarc=fail header.from=freemail.example",)}
    )
    assert desk.receive(forged, checked=True) == "refused"
    folders.put("refused", forged)
    refused(desk, folders)
    desk.command(f"#partner Acme\n\nFrom: {TOM}\nTo: {SUPPORT}", subject="Fwd: Help")
    assert recall(desk, folders) == 2
    assert (desk.count(), len(desk.sent("accepted"))) == (1, 1)


def test_what_is_older_than_strangers_are_remembered_stays_as_it_is(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    desk.now += timedelta(days=31)
    assert "handled now" not in desk.command("#partner Acme", mail.message_id)
    assert recall(desk, folders) == 0


def test_accept_takes_up_the_mail_of_one_who_was_added_to_the_partner_file(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    assert f"{TOM} belongs to no partner; write #partner NAME" in desk.command("#accept", mail.message_id)
    desk.office.directory = Directory([Contact("Acme", "paas", TOM)])
    assert f"{TOM} is known. The mail that was refused is handled now" in desk.command("#accept", mail.message_id)
    assert recall(desk, folders) == 1
    assert desk.ticket()["state"] == "open"
    assert "nothing that" in desk.command(f"#accept\n\n{TOM} wrote", subject="Fwd: ?")


def test_a_refused_mail_that_is_put_back_is_handled_when_its_sender_is_known_by_now(any_desk: Story) -> None:
    desk = any_desk
    email = desk.mail(TOM)
    assert [desk.receive(email), desk.receive(email)] == ["refused", "ignored"]
    desk.office.directory = Directory([Contact("Acme", "paas", TOM)])
    assert (desk.receive(email), desk.ticket()["state"]) == ("ready", "open")
    assert desk.receive(email) == "ignored"
    assert (desk.count(), len(desk.sent("accepted"))) == (1, 1)


def test_a_mail_that_is_found_nowhere_is_told_to_staff(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    desk.command("#partner Acme", mail.message_id)
    folders.mails.clear()
    assert recall(desk, folders) == 0
    assert desk.notices() == [("unread", None)]
    assert recall(desk, folders) == 0
    assert len(desk.notices()) == 1


def test_another_mailboxs_mail_is_left_to_its_own_thread(desk: Story, folders: Folders) -> None:
    mail = refused(desk, folders)
    desk.command("#partner Acme", mail.message_id)
    other = replace(INBOX, name="another")
    assert Recall(folders, other, desk.store, folders, desk.office, Kept(), now=lambda: desk.now).round() == 0
    assert recall(desk, folders) == 1


def test_an_incomplete_mail_that_is_taken_up_is_asked_about(desk: Story, folders: Folders) -> None:
    email = desk.mail(TOM, proven=True)
    said = reading(has=("account",))
    assert desk.receive(email, said, checked=True) == "refused"
    folders.put("refused", email, said)
    with desk.store.begin() as tx:
        tx.mails.file([mail.id for mail in tx.mails.unfiled("inbox", 100)], desk.now)
    desk.command("#partner Acme", email.message_id)
    assert recall(desk, folders) == 1
    assert (desk.ticket()["state"], len(desk.sent("incomplete"))) == ("awaiting_partner", 1)
