"""Mail from people who are part of a matter, and from people who are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.steps.desk import ANA, LUIS, MONDAY, SUPPORT, Story, reading, text_of
from triage.adapters.db.store import Store
from triage.core.model import Body, Contact

NIA = "nia@both.example"
INCOMPLETE = ("account",)


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, tzinfo=UTC) + timedelta(days=day)


def test_several_technicians_of_a_partner_share_a_ticket(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.now = at(8)
    desk.request(LUIS, answers=[mail.message_id])
    assert desk.count() == 1
    assert desk.ticket()["requester"] == ANA
    assert desk.ticket()["due_at"] == at(6, day=1)  # from the colleague's mail
    assert [mail["recipient"] for mail in desk.sent("accepted")] == [ANA, LUIS]  # to the one who wrote
    assert [one.to for one in desk.promises()] == [ANA, LUIS]


def test_a_colleague_in_copy_gives_what_was_missing(desk: Story) -> None:
    mail = desk.request(said=reading(has=INCOMPLETE), cc=(LUIS,))
    desk.now = at(7)
    desk.request(LUIS, said=reading(has=("description", "asset", "element", "actions", "evidence")),
                 answers=[mail.message_id])  # fmt: skip
    assert desk.ticket()["state"] == "open"
    assert set(desk.ticket()["fields"]) >= {"account", "asset"}


def test_a_partner_who_forwards_an_end_users_mail_is_the_requester(desk: Story) -> None:
    said = reading("Please help my client.")
    desk.receive(desk.mail(subject="Fwd: no data", answers=["<user@client.example>"]), said)
    assert (desk.ticket()["requester"], desk.ticket()["partner"]) == (ANA, "Acme")


def test_an_end_user_in_copy_who_answers_is_sent_to_his_partner_and_changes_nothing(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request(cc=("user@client.example",))
    before, told = desk.ticket(), desk.told()
    desk.now = at(8)
    answer = desk.mail("user@client.example", answers=[mail.message_id])
    assert desk.receive(answer) == "refused"
    assert (desk.ticket(), desk.told()) == (before, told)
    (reply,) = desk.sent("stranger")
    assert reply["recipient"] == "user@client.example"
    assert "Acme" not in text_of(reply["raw"])
    assert "1001" not in text_of(reply["raw"])
    desk.now = at(9)
    desk.request("user@client.example", answers=[mail.message_id])
    assert len(desk.sent("stranger")) == 1
    desk.request(answers=[mail.message_id, answer.message_id])  # the partner answers to him and to us
    assert desk.count() == 1


def test_another_partner_who_names_the_ticket_gets_one_of_his_own(desk: Story) -> None:
    mail = desk.request()
    desk.receive(desk.mail("tom@bolt.example", subject="[#1001] mine too", answers=[mail.message_id]))
    assert desk.ticket(2)["partner"] == "Bolt"
    assert "ticket.updated" not in desk.told(1)


def two_partners(store: Store, second: str) -> Story:
    until = MONDAY + timedelta(days=365)
    contacts = (Contact("Acme", "paas", NIA), Contact("Bolt", second, NIA, subscription_until=until))
    return Story(store, contacts)


def test_one_person_at_two_partners_is_asked_for_which_when_their_deployments_differ(store: Store) -> None:
    desk = two_partners(store, "on_premise")
    mail = desk.request(NIA)
    assert desk.ticket()["state"] == "awaiting_partner"
    assert "PaaS" in text_of(desk.sent("incomplete")[0]["raw"])
    desk.now = at(7)
    desk.request(NIA, said=reading(deployment="on_premise"), answers=[mail.message_id])
    ticket = desk.ticket()
    assert (ticket["partner"], ticket["deployment"], ticket["state"]) == ("Bolt", "on_premise", "open")
    assert desk.count() == 1


def test_the_words_say_for_which_of_two_partners_one_person_writes(store: Store) -> None:
    desk = two_partners(store, "on_premise")
    desk.request(NIA, said=reading(deployment="on_premise"))
    assert (desk.ticket()["partner"], desk.ticket()["deployment"]) == ("Bolt", "on_premise")
    desk.request(NIA, said=reading(deployment="paas"))
    assert (desk.ticket(2)["partner"], desk.ticket(2)["deployment"]) == ("Acme", "paas")


def test_a_thread_says_for_which_of_two_partners_one_person_writes(store: Store) -> None:
    desk = two_partners(store, "on_premise")
    mail = desk.request(NIA, said=reading(deployment="on_premise"))
    desk.request(NIA, answers=[mail.message_id])
    assert desk.count() == 1
    assert desk.ticket()["deployment"] == "on_premise"


def test_a_partner_with_two_deployments_is_asked_which_twice_at_most(store: Store) -> None:
    until = MONDAY + timedelta(days=365)
    desk = Story(store, (Contact("Acme", "paas", ANA), Contact("Acme", "cloud", ANA, subscription_until=until)))
    mail = desk.request()
    assert (desk.ticket()["state"], desk.ticket()["deployment"]) == ("awaiting_partner", None)
    for minute in (10, 20):
        desk.now = at(7, minute)
        desk.request(answers=[mail.message_id])
    assert len(desk.sent("incomplete")) == 2
    assert (desk.ticket()["state"], desk.ticket()["deployment"]) == ("open", "paas")
    assert "incomplete" in desk.ticket()["flags"]


def test_a_suspended_entry_does_not_hide_an_active_one(store: Store) -> None:
    desk = Story(store, (Contact("Acme", "paas", NIA, status="suspended"), Contact("Bolt", "paas", NIA)))
    desk.request(NIA)
    assert desk.ticket()["partner"] == "Bolt"


def test_a_bounce_in_the_thread_moves_no_clock(desk: Story) -> None:
    mail = desk.request()
    before = desk.ticket()
    desk.now = at(8)
    desk.receive(desk.mail("mailer-daemon@acme.example", answers=[mail.message_id]), reading(kind="bounce"))
    desk.receive(desk.mail(LUIS, answers=[mail.message_id]), reading(kind="auto_reply"))
    assert desk.ticket() == before


def test_a_reply_goes_to_the_sender_alone(desk: Story) -> None:
    desk.request(cc=("boss@elsewhere.example",), to=(SUPPORT, "other@elsewhere.example"))
    assert [mail["recipient"] for mail in desk.sent()] == [ANA]


def test_an_old_mail_that_is_handled_late_does_not_turn_the_clock_back(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(9)
    desk.request(answers=[mail.message_id])
    due = desk.ticket()["due_at"]
    desk.now = at(10)
    desk.request(answers=[mail.message_id], at=at(7))
    assert (desk.ticket()["due_at"], desk.ticket()["last_mail_at"]) == (due, at(9))
    assert [kind for kind, _ in desk.alarms()] == ["warning", "warning", "breach"]


def test_the_reply_to_a_mail_that_is_handled_late_names_the_time_that_holds(desk: Story) -> None:
    first = desk.request()
    desk.now += timedelta(hours=2)
    desk.request(answers=[first.message_id])
    desk.request(answers=[first.message_id], at=desk.now - timedelta(hours=1))
    texts = [text_of(mail["raw"]) for mail in desk.sent("accepted")]
    assert [due in text for text, due in zip(texts, ("12:00 UTC", "06:00 UTC", "06:00 UTC"), strict=True)] == [True] * 3
    assert len(desk.promises()) == 2


def test_a_follow_up_without_words_about_the_extent_keeps_the_severity(desk: Story) -> None:
    mail = desk.request(said=reading(severity="1"))
    desk.now = at(7)
    desk.request(answers=[mail.message_id], said=reading("Any news?", request_type="question", severity=None))
    assert (desk.ticket()["severity"], desk.ticket()["due_at"]) == ("1", at(9))
    desk.request(answers=[mail.message_id], said=reading("Still broken"))  # level 3 only for want of words
    assert desk.ticket()["severity"] == "1"
    assert reading().body == Body("The report is empty.")
