"""Attacks from the bytes of a mail to what they bring about, beyond the plain ones of test_trust.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.steps.desk import ANA, Story
from tests.steps.test_trust import ASKS, FAILED, PASSED, Bytes
from triage.core.directory import Directory
from triage.core.model import Contact, Trust
from triage.steps import tickets
from triage.steps.telling import Telling


@pytest.fixture
def desk(desk: Story) -> Bytes:
    return Bytes(desk)


@pytest.fixture
def unchecked(desk: Bytes) -> Bytes:
    return Bytes(desk.story, Trust())


# ---------------------------------------------------------------- copies

SAME = "<same@acme.example>"


def test_a_forged_copy_that_is_faster_does_not_take_the_genuine_mails_place(desk: Bytes) -> None:
    assert desk.receive(FAILED, message_id=SAME) == "refused"
    assert desk.receive(FAILED, message_id=SAME) == "ignored"
    assert desk.receive(PASSED, message_id=SAME) == "ready"
    assert desk.story.count() == 1 and len(desk.story.sent()) == 1
    assert desk.receive(PASSED, message_id=SAME) == "ignored"
    assert desk.receive(FAILED, message_id=SAME) == "ignored"
    assert desk.story.count() == 1 and len(desk.story.sent()) == 1


def test_a_forged_copy_does_not_hide_a_mail_that_is_held(desk: Bytes) -> None:
    assert desk.receive(FAILED, message_id=SAME) == "refused"
    assert desk.receive(message_id=SAME) == "quarantine"
    assert desk.receive(FAILED, message_id=SAME) == "refused"
    assert desk.receive(PASSED, message_id=SAME) == "ready"
    assert desk.story.count() == 1


# ---------------------------------------------------------------- robots


def test_a_partners_robot_with_a_new_address_each_time_is_not_answered_for_ever(unchecked: Bytes) -> None:
    object.__setattr__(unchecked.story.office.rules.pack.policy, "replies_per_ticket", 6)
    unchecked.receive(sender="robot0@bolt.example")
    for number in range(1, 20):
        last = unchecked.story.sent()[-1]["message_id"]
        unchecked.receive(
            sender=f"robot{number}@bolt.example",
            subject="Re: [#1001] Trips report",
            text=f"{ASKS}\nNumber {number}",
            answers=[last],
        )
    assert unchecked.story.count() == 1 and len(unchecked.story.sent()) == 6
    assert ("robot", 1) in unchecked.story.notices()


def test_a_mail_that_is_not_answered_does_not_wait_unseen(unchecked: Bytes) -> None:
    object.__setattr__(unchecked.story.office.rules.pack.policy, "same_text_at_most", 2)
    for _ in range(3):
        unchecked.receive(text="Hello, it does not work, please help.", subject="Help")
    assert [unchecked.ticket(number)["state"] for number in (1, 2, 3)] == ["awaiting_partner"] * 2 + ["open"]
    assert len(unchecked.story.sent()) == 2 and ("robot", 3) in unchecked.story.notices()


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize("sender", ['"x y"@bolt.example', "ñ@bolt.example"])
def test_a_partner_whose_address_takes_no_mail_gets_a_ticket_that_staff_hears_of(unchecked: Bytes, sender: str) -> None:
    assert unchecked.receive(sender=sender) == "ready"
    assert unchecked.story.sent() == [] and ("unreachable", 1) in unchecked.story.notices()


def test_quotes_that_change_nothing_make_no_other_mailbox(unchecked: Bytes) -> None:
    assert unchecked.receive(sender='"ana"@acme.example') == "ready"
    assert unchecked.story.sent()[0]["recipient"] == ANA


@pytest.mark.parametrize("sender", ['"@x"@evil.example', "eve@[192.0.2.1]", "root@localhost", "é@evil.example"])
def test_a_stranger_whose_address_takes_no_mail_is_only_refused(unchecked: Bytes, sender: str) -> None:
    assert unchecked.receive(sender=sender) == "refused"
    assert unchecked.story.sent() == [] and unchecked.story.notices() == []


def test_nobody_is_reminded_at_an_address_that_takes_no_mail(unchecked: Bytes) -> None:
    unchecked.receive(sender='"x y"@bolt.example')
    story = unchecked.story
    with story.store.begin() as tx:
        ticket = tx.tickets.get(1)
        assert ticket
        tickets.move(tx, ticket, "incomplete", Telling(story.now), story.office)
    story.sweep(story.now + timedelta(days=30))
    assert story.ticket()["state"] == "closed" and story.sent("reminder") == story.sent("closed_waiting") == []


# ---------------------------------------------------------------- addresses that staff gave to a partner


def test_who_was_given_to_a_partner_may_mean_any_of_his_installations(unchecked: Bytes) -> None:
    story = unchecked.story
    later = story.now + timedelta(days=300)
    story.office.directory = Directory(
        [
            Contact("Acme", "paas", ANA, status="suspended"),
            Contact("Acme", "on_premise", "luis@acme.example", subscription_until=later),
            Contact("Acme", "cloud", "eva@acme.example", subscription_until=later),
        ]
    )
    with story.store.begin() as tx:
        tx.people.note("tom@home.example", partner="Acme")
    unchecked.receive(sender="tom@home.example")
    assert story.ticket()["state"] == "awaiting_partner" and story.ticket()["deployment"] is None
    unchecked.receive(sender="tom@home.example", subject="Re: [#1001] Trips", text=f"It is our cloud.\n\n{ASKS}")
    assert (story.ticket()["state"], story.ticket()["deployment"]) == ("open", "cloud")
