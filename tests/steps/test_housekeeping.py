"""What has grown old goes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.steps.desk import ANA, Story
from triage.steps.housekeeping import Housekeeping

DAY = timedelta(days=1)


@dataclass
class Keep:
    closed_days: int
    raw_days: int


class Raws:
    def sweep(self, now: datetime) -> int:
        return 0


def keep_house(desk: Story, closed_days: int, raw_days: int = 30) -> None:
    Housekeeping(desk.store, Raws(), Keep(closed_days, raw_days), now=lambda: desk.now).round()


def closed(desk: Story) -> None:
    mail = desk.request()
    desk.command("#close", mail.message_id)
    with desk.store.begin() as tx:
        tx.mails.file([mail.id for mail in tx.mails.unfiled("inbox", 100)], desk.now)
        for mail in tx.outbox.claim(desk.now, desk.now + DAY, 100):
            tx.outbox.sent(mail.id, at=desk.now)


def test_closed_tickets_and_their_mail_go_after_their_time(any_desk: Story) -> None:
    desk = any_desk
    closed(desk)
    desk.request(subject="Open one")
    desk.now += 99 * DAY
    keep_house(desk, 100)
    assert desk.count() == 2
    desk.now += 2 * DAY
    keep_house(desk, 100)
    assert desk.count() == 1
    with desk.store.look() as tx:
        assert [mail.sender for mail in tx.mails.unfiled("inbox", 10)] == [ANA]


def test_what_is_known_of_addresses_goes_with_the_tickets(any_desk: Story) -> None:
    desk = any_desk
    closed(desk)
    desk.request("kim@home.example")
    desk.request(subject="Open one")
    with desk.store.begin() as tx:
        for mail in tx.outbox.claim(desk.now, desk.now + DAY, 100):
            tx.outbox.sent(mail.id, at=desk.now)
    desk.now += 99 * DAY
    keep_house(desk, 100)
    assert len(desk.sent("stranger")) == 1
    desk.now += 2 * DAY
    keep_house(desk, 100)
    assert [mail["ticket"] for mail in desk.sent()] == [2]
    with desk.store.look() as tx:
        assert tx.people.stranger_told_at("kim@home.example") is None


def test_the_number_of_the_newest_ticket_is_not_given_again(any_desk: Story) -> None:
    desk = any_desk
    closed(desk)
    desk.now += 101 * DAY
    keep_house(desk, 100)
    desk.request(subject="New one")
    assert desk.ticket(2)["subject"] == "New one"
    keep_house(desk, 100)
    assert desk.count() == 1


def test_by_default_tickets_are_kept_for_ever(desk: Story) -> None:
    closed(desk)
    desk.now += 5000 * DAY
    keep_house(desk, 0)
    assert desk.count() == 1


def test_the_bytes_of_sent_mail_go_and_that_it_was_sent_stays(desk: Story) -> None:
    closed(desk)
    desk.now += 31 * DAY
    keep_house(desk, 0)
    assert desk.sent()
    assert all(mail["raw"] is None and mail["sent_at"] for mail in desk.sent())


def test_notices_that_nobody_is_to_be_told_do_not_pile_up(desk: Story) -> None:
    desk.office.notify = ()
    with desk.store.begin() as tx:
        tx.notices.add(desk.now, "rude", None, {})
    desk.now += 31 * DAY
    keep_house(desk, 0)
    assert desk.notices() == []
