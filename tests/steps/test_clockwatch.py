"""What is due is done once: warnings, breaches, reminders, closing; and staff hears of it in one mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.steps.desk import ANA, LUIS, MONDAY, Story, reading, subject_of, text_of
from triage.adapters.db.store import Store
from triage.core.clock import make_rules
from triage.core.pack import Calendar, Pack, Target

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INCOMPLETE = ("account",)  # the only field that is there


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    """A time on Monday 5 January 2026, or so many days later."""
    return datetime(2026, 1, 5, hour, minute, tzinfo=UTC) + day * DAY


def digests(desk: Story) -> list[str]:
    return [text_of(mail["raw"]) for mail in desk.sent("staff_notices")]


# ---------------------------------------------------------------- warnings and breaches


def test_warnings_and_the_breach_are_told_at_their_time_and_once(any_desk: Story) -> None:
    desk = any_desk
    desk.request()  # 06:00, level 3 on PaaS: six hours
    for time in (at(8, 59), at(9), at(9, 1), at(10, 30), at(10, 31), at(11, 59, day=0)):
        desk.sweep(time)
    assert desk.told().count("clock.warning") == 2
    assert "clock.breached" not in desk.told()
    for time in (at(12), at(12, 1), at(9, day=1)):
        desk.sweep(time)
    assert desk.told().count("clock.breached") == 1
    assert desk.keys("clock.breached")["due"] == at(12).isoformat()
    assert desk.promises()[0].breached_at == at(12)
    assert desk.ticket()["state"] == "open"


def test_points_of_warning_are_those_of_the_pack(store: Store) -> None:
    desk = Story(store, warn_at=[0.9])
    desk.request()
    assert desk.alarms() == [("warning", at(11, 24)), ("breach", at(12))]


def test_after_an_answer_nothing_rings(any_desk: Story) -> None:
    mail = any_desk.request()
    any_desk.now = at(7)
    any_desk.answer(mail.message_id)
    any_desk.sweep(at(12, day=1))
    assert "clock.warning" not in any_desk.told()
    assert "clock.breached" not in any_desk.told()
    (promise,) = any_desk.promises()
    assert (promise.end, promise.breached_at) == ("kept", None)


def test_the_partners_next_mail_starts_the_clock_anew(any_desk: Story) -> None:
    mail = any_desk.request()
    any_desk.now = at(8)
    any_desk.request(answers=[mail.message_id])
    assert any_desk.ticket()["due_at"] == at(6, day=1)  # six hours from 08:00: five today, one tomorrow
    assert [one.end for one in any_desk.promises()] == ["replaced", None]
    any_desk.sweep(at(12, 30))
    assert "clock.breached" not in any_desk.told()


def test_a_ticket_without_a_promise_is_measured_against_its_due_time(desk: Story) -> None:
    desk.receive(desk.mail(headers={"x-auto-response-suppress": ("All",)}))
    assert desk.sent("accepted") == []
    assert desk.promises() == []
    desk.sweep(at(12))
    assert "clock.breached" in desk.told()


def test_a_correction_keeps_the_promise_and_measures_the_breach_against_it(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.command("#severity 1", mail.message_id)
    assert desk.ticket()["due_at"] == at(8)  # two hours
    (promise,) = desk.promises()
    assert (promise.due, promise.end) == (at(12), None)
    assert desk.alarms() == [("warning", at(7)), ("warning", at(7, 30)), ("breach", at(12))]
    desk.sweep(at(9))
    assert "clock.breached" not in desk.told()
    desk.sweep(at(12))
    assert desk.keys("clock.breached")["due"] == at(12).isoformat()


def test_a_milder_severity_does_not_stretch_what_was_promised(desk: Story) -> None:
    mail = desk.request(said=reading(severity="1"))  # two hours
    desk.command("#severity 3", mail.message_id)
    assert desk.ticket()["due_at"] == at(12)
    assert desk.alarms() == [("warning", at(7)), ("warning", at(7, 30)), ("breach", at(8))]


def test_a_correction_repeats_no_warning_and_no_breach(desk: Story) -> None:
    mail = desk.request()
    desk.sweep(at(9, 30))  # the first warning
    desk.command("#severity 2", mail.message_id)  # four hours: half of them are over at 08:00
    desk.sweep(at(9, 31))
    assert desk.told().count("clock.warning") == 2  # the second, at three quarters
    desk.sweep(at(12))
    desk.command("#severity 3", mail.message_id)
    desk.sweep(at(12, 30))
    assert desk.told().count("clock.warning") == 2
    assert desk.told().count("clock.breached") == 1


def test_an_answer_in_time_that_is_seen_late_takes_the_breach_back(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.office.notify = ()  # nobody was told yet
    desk.sweep(at(12))
    desk.now = at(12, 2)
    desk.answer(mail.message_id, at=at(11, 59))
    (promise,) = desk.promises()
    assert (promise.end, promise.breached_at, promise.ended_at) == ("kept", None, at(11, 59))
    assert ("breach", 1) not in desk.notices()


def test_an_answer_after_the_due_time_breaks_the_promise(desk: Story) -> None:
    mail = desk.request()
    desk.sweep(at(12))
    desk.now = at(12, 30)
    desk.answer(mail.message_id)
    (promise,) = desk.promises()
    assert (promise.end, promise.breached_at) == ("broken", at(12))


# ---------------------------------------------------------------- standstill, jumps


def test_after_three_days_every_mail_has_the_due_time_that_it_would_have_had(any_desk: Story) -> None:
    desk = any_desk
    desk.now = at(7, day=3)
    desk.request(at=at(6))
    desk.request(at=at(12, day=1))
    assert desk.ticket(1)["due_at"] == at(12)
    assert desk.ticket(2)["due_at"] == at(10, day=2)
    assert desk.ticket(1)["guaranteed"]


@pytest.mark.parametrize(("language", "sorry"), [("en", "We are sorry, we are late"), ("es", "Lamentamos la demora")])
def test_nobody_is_promised_a_time_that_is_over(any_desk: Story, language: str, sorry: str) -> None:
    desk = any_desk
    desk.now = at(7, day=3)
    mail = desk.request(at=at(6), said=reading(language=language))
    text = text_of(desk.sent("accepted")[0]["raw"])
    assert sorry in text and "5" in text and "12:00" in text
    assert "guaranteed" not in text and "garantizado" not in text
    assert desk.promises() == []
    for _ in range(3):
        desk.sweep()
    assert (desk.told().count("clock.breached"), desk.keys("clock.breached")["due"]) == (1, at(12).isoformat())
    desk.now = at(8, day=3)
    desk.request(answers=[mail.message_id])  # he writes again: now there is a time to be promised
    assert [(one.due, one.end) for one in desk.promises()] == [(at(6, day=4), None)]
    assert "Answer by: " in text_of(desk.sent("accepted")[1]["raw"])


def test_a_time_that_is_not_over_yet_is_promised_however_late_the_mail_was_taken_up(desk: Story) -> None:
    desk.now = at(11, 59)
    desk.request(at=at(6))
    assert [one.due for one in desk.promises()] == [at(12)]
    desk.now = at(12)
    desk.request(at=at(6))
    assert desk.promises(2) == []


def test_after_a_standstill_breaches_are_told_once_in_one_mail(any_desk: Story) -> None:
    desk = any_desk
    for number in range(30):
        desk.request(subject=f"Matter {number}")
    for _ in range(5):
        desk.sweep(at(8, day=3))
    assert all(desk.told(number).count("clock.breached") == 1 for number in range(1, 31))
    assert all("clock.warning" not in desk.told(number) for number in range(1, 31))
    (digest,) = digests(desk)
    assert digest.count("Overdue") == 30


def test_a_breach_during_a_standstill_is_told_although_the_answer_came(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(8, day=3)
    desk.answer(mail.message_id, at=at(7, day=1))
    desk.sweep()
    assert desk.told().count("clock.breached") == 1
    (promise,) = desk.promises()
    assert promise.end == "broken"
    assert promise.breached_at


def test_a_breach_before_the_partners_next_mail_is_told_when_both_are_read_late(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(8, day=3)
    desk.request(answers=[mail.message_id], at=at(6, day=3))
    assert desk.told().count("clock.breached") == 1
    assert [(one.end, bool(one.breached_at)) for one in desk.promises()] == [("replaced", True), (None, False)]


def test_an_answer_that_lay_in_the_sent_folder_meanwhile_keeps_the_promise(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(8, day=3)
    desk.answer(mail.message_id, at=at(11))
    desk.sweep()
    assert "clock.breached" not in desk.told()
    assert desk.promises()[0].end == "kept"


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_system_clock_that_jumps_repeats_and_forgets_nothing(any_store: Store, jump: timedelta) -> None:
    desk = Story(any_store)
    desk.request()
    time = at(8, 50)
    for minute in range(240):
        desk.sweep(time + timedelta(minutes=minute) + (jump if 15 <= minute < 90 else timedelta()))
    assert desk.told().count("clock.warning") == 2
    assert desk.told().count("clock.breached") == 1
    assert len(desk.sent("staff_morning")) == 1


def test_a_round_that_dies_half_way_is_done_again_whole(any_desk: Story) -> None:
    from triage.steps.clockwatch import Clockwatch

    any_desk.request()

    def die(step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Clockwatch(any_desk.store, any_desk.office, now=lambda: at(12), fault=die).round()
    assert "clock.breached" not in any_desk.told()
    any_desk.sweep(at(12))
    assert any_desk.told().count("clock.breached") == 1


# ---------------------------------------------------------------- waiting and closing


def test_a_ticket_that_waits_is_reminded_once_and_closed(any_desk: Story) -> None:
    desk = any_desk
    desk.request(said=reading(has=INCOMPLETE))
    assert desk.ticket()["state"] == "awaiting_partner"
    assert desk.ticket()["due_at"] is None
    assert desk.alarms() == [("remind", at(6, day=3)), ("close", at(6, day=14))]
    desk.sweep(at(5, 59, day=3))
    assert desk.sent("reminder") == []
    for time in (at(6, day=3), at(7, day=3), at(5, day=14)):
        desk.sweep(time)
    assert [mail["recipient"] for mail in desk.sent("reminder")] == [ANA]
    desk.sweep(at(6, day=14))
    assert desk.ticket()["state"] == "closed"
    assert len(desk.sent("closed_waiting")) == 1
    assert "[#1001]" in subject_of(desk.sent("closed_waiting")[0]["raw"])


def test_the_reminder_goes_to_the_technician_who_was_asked(desk: Story) -> None:
    mail = desk.request(said=reading(has=INCOMPLETE))
    desk.now = at(7)
    desk.request(LUIS, said=reading(has=INCOMPLETE), answers=[mail.message_id])
    desk.sweep(at(7, day=3))
    assert [mail["recipient"] for mail in desk.sent("reminder")] == [LUIS]


def test_the_partners_answer_ends_the_waiting(desk: Story) -> None:
    mail = desk.request(said=reading(has=INCOMPLETE))
    desk.now = at(8)
    desk.request(answers=[mail.message_id])
    assert desk.ticket()["state"] == "open"
    assert desk.ticket()["due_at"] == at(6, day=1)  # from the mail with the missing data
    desk.sweep(at(8, day=3))
    assert desk.sent("reminder") == []


def test_after_a_long_standstill_a_ticket_is_closed_without_a_late_reminder(desk: Story) -> None:
    desk.request(said=reading(has=INCOMPLETE))
    desk.sweep(at(8, day=30))
    assert desk.sent("reminder") == []
    assert desk.ticket()["state"] == "closed"


def test_a_refused_ticket_is_closed_without_a_word_and_a_later_mail_opens_one_that_names_it(any_desk: Story) -> None:
    desk, eva = any_desk, "eva@lapsed.example"
    mail = desk.request(eva)
    desk.now = at(6, day=3)
    desk.request(eva, answers=[mail.message_id])  # refused again: from now on it counts
    desk.sweep(at(5, day=16))
    assert desk.ticket()["state"] == "refused"
    desk.sweep(at(6, day=17))
    assert (desk.ticket()["state"], desk.keys("ticket.closed")["reason"]) == ("closed", "expired")
    assert [mail["template"] for mail in desk.sent() if mail["recipient"] == eva] == ["unsubscribed", "unsubscribed"]
    desk.request(eva, answers=[mail.message_id])
    assert (desk.ticket(2)["state"], desk.ticket(2)["follows"]) == ("refused", 1)


def test_an_answered_ticket_is_closed_for_good_and_a_later_mail_opens_one_that_names_it(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.now = at(7)
    desk.answer(mail.message_id)
    desk.sweep(at(6, 59, day=14))
    assert desk.ticket()["state"] == "answered"
    desk.sweep(at(7, day=14))
    assert desk.ticket()["state"] == "closed"
    assert desk.sent("closed_waiting") == []
    desk.now = at(8, day=20)
    again = desk.request(answers=[mail.message_id])
    assert (desk.ticket(2)["state"], desk.ticket(2)["follows"], desk.ticket(1)["state"]) == ("open", 1, "closed")
    assert "1001" in text_of(desk.sent("accepted")[-1]["raw"])
    assert desk.keys("ticket.opened", 2)["follows"] == "1001"
    desk.now = at(9, day=20)
    desk.request(answers=[mail.message_id])  # the old thread leads to the new ticket
    desk.request(answers=[again.message_id])
    assert desk.count() == 2


def test_a_mail_within_the_ten_days_opens_the_ticket_again(desk: Story) -> None:
    mail = desk.request()
    desk.answer(mail.message_id)
    desk.now = at(8, day=9)
    desk.request(answers=[mail.message_id])
    assert desk.ticket()["state"] == "open"
    assert "ticket.reopened" in desk.told()
    desk.sweep(at(8, 1, day=14))
    assert desk.ticket()["state"] == "open"


# ---------------------------------------------------------------- what staff hears


def test_staff_hears_in_working_time_only(desk: Story) -> None:
    desk.now = at(12, 30)
    desk.receive(desk.mail(), reading("You idiots", courtesy="rude"))
    desk.sweep(at(13))
    desk.sweep(at(23))
    assert digests(desk) == []
    desk.sweep(at(5, day=1))
    (digest,) = digests(desk)
    assert "Rude mail: #1001" in digest


def test_where_the_clock_runs_round_the_clock_staff_hears_of_it_at_night(any_desk: Story) -> None:
    desk = any_desk
    pack = desk.office.rules.pack
    always = Calendar(
        id="always", zone="UTC", windows={day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu")}, clause="table"
    )
    gravest = Target(id="night", severities=["1"], hours=1, calendar="always", guaranteed=True, clause="level_1")
    changed = {"calendars": [*pack.calendars, always], "targets": [gravest, *pack.targets]}
    desk.office.rules = make_rules(Pack.model_validate(pack.model_copy(update=changed).model_dump()))
    desk.now = at(7)
    desk.request(subject="By day")
    desk.sweep(at(12, 59))  # warned
    before = len(digests(desk))
    desk.now = at(22)
    desk.request(subject="Everything is down", said=reading(severity="1"))
    desk.sweep(at(22, 31))
    (warned,) = digests(desk)[before:]
    assert "Due soon: #1002 Everything is down" in warned and "By day" not in warned
    desk.sweep(at(23, 1))
    assert "Overdue: #1002" in digests(desk)[-1]
    desk.sweep(at(6, day=1))
    assert "Overdue: #1001" in digests(desk)[-1] and "#1002" not in digests(desk)[-1]


def test_what_comes_within_minutes_goes_into_one_mail(desk: Story) -> None:
    for minute in range(0, 30, 3):
        desk.request(subject=f"Matter {minute}", at=at(6, minute))
    desk.now = at(8, 55)
    for minute in range(40):
        desk.sweep(at(9, minute))
    assert len(digests(desk)) <= 3
    assert sum(digest.count("Due soon") for digest in digests(desk)) == 10


def test_a_warning_that_was_answered_meanwhile_is_not_told(desk: Story) -> None:
    first, second = desk.request(), desk.request(subject="Other")
    desk.office.notify = ()
    desk.sweep(at(9))
    desk.now = at(9, 1)
    desk.answer(first.message_id)
    desk.office.notify = ("lead@vendor.example",)
    desk.sweep(at(9, 2))
    (digest,) = digests(desk)
    assert "#1002" in digest
    assert "#1001" not in digest
    assert second


def test_a_breach_says_it_all(desk: Story) -> None:
    desk.request()
    desk.office.notify = ()
    for time in (at(9), at(10, 30), at(12)):
        desk.sweep(time)
    desk.office.notify = ("lead@vendor.example",)
    desk.sweep(at(12, 1))
    (digest,) = digests(desk)
    assert digest.count("#1001") == 1
    assert "Overdue: #1001 Empty report (Acme), severity 3, due 2026-01-05 12:00 UTC" in digest


def test_a_flood_of_notices_is_cut_and_counted(desk: Story) -> None:
    with desk.store.begin() as tx:
        for number in range(1500):
            tx.notices.add(desk.now, "quarantined", None, {"reason": f"broken {number}"})
    desk.sweep(at(6))
    desk.sweep(at(7))
    (digest,) = digests(desk)
    assert digest.count("Mail in quarantine") == 200
    assert "and 1300 more" in digest


def morning(desk: Story) -> list[dict[str, Any]]:
    return desk.sent("staff_morning")


def test_the_morning_digest_says_what_is_open_due_overdue_and_waiting_too_long(any_desk: Story) -> None:
    desk = any_desk
    desk.sweep(at(6))
    first = desk.request(subject="Overdue one")
    desk.request(subject="Waits", said=reading(has=INCOMPLETE))
    desk.now = at(12, day=2)
    desk.request(subject="Due today")
    desk.request(subject="Asked just now", said=reading(has=INCOMPLETE))
    desk.sweep(at(5, 29, day=3))
    assert len(morning(desk)) == 1 + 0
    desk.sweep(at(6, 30, day=3))
    mail = morning(desk)[-1]
    said = text_of(mail["raw"])
    assert "1 overdue, 1 due today" in subject_of(mail["raw"])
    assert "Open: 2" in said
    assert "Waiting for partners: 2, too long: 1" in said
    assert "Overdue one (Acme), severity 3, due 2026-01-05 12:00 UTC" in said
    assert "Waits (Acme), since 2026-01-05 06:00 UTC" in said
    assert "Asked just now" not in said
    assert first


def test_the_morning_digest_comes_once_each_working_day(desk: Story) -> None:
    for hour in range(24 * 8):
        desk.sweep(at(0) + hour * HOUR)
    assert [mail["queued_at"] for mail in morning(desk)] == [at(6, day=day) for day in (0, 1, 2, 3, 4, 7)]


def test_a_daemon_that_starts_in_the_evening_sends_no_morning_digest(desk: Story) -> None:
    desk.sweep(at(20))
    assert morning(desk) == []


def test_counts_of_the_morning_do_not_stop_at_a_limit(desk: Story) -> None:
    with desk.store.begin() as tx:
        for number in range(450):
            tx.tickets.open(partner="Acme", requester=ANA, subject=f"T{number}", state="open", fields=[], flags=[],
                            pack="x", opened_at=MONDAY, due_at=at(5))  # fmt: skip
    desk.sweep(at(6))
    assert "450 overdue" in subject_of(morning(desk)[0]["raw"])
    assert "and 250 more" in text_of(morning(desk)[0]["raw"])
