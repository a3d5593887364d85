"""What specialists do: their answers, and their commands by mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.steps.desk import ANA, IVO, LUIS, SUPPORT, Story, reading, subject_of
from triage.adapters.db.store import Store
from triage.core.directory import Directory
from triage.core.model import Contact, Evidence, Label

INCOMPLETE = ("account",)
HOUR = timedelta(hours=1)


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, tzinfo=UTC) + timedelta(days=day)


def state(desk: Story, number: int = 1) -> str:
    return str(desk.ticket(number)["state"])


# ---------------------------------------------------------------- answers


def test_an_answer_in_the_thread_closes_the_ticket_preliminarily(any_desk: Story) -> None:
    mail = any_desk.request()
    any_desk.now = at(7)
    assert any_desk.answer(mail.message_id) == "ready"
    ticket = any_desk.ticket()
    assert (ticket["state"], ticket["answered_at"], ticket["due_at"]) == ("answered", at(7), None)
    assert any_desk.told()[-2:] == ["ticket.answered", "clock.stopped"]


def test_an_answer_with_a_new_subject_is_known_by_its_thread(desk: Story) -> None:
    mail = desk.request()
    desk.answer(mail.message_id, subject="About your exports")
    assert state(desk) == "answered"


def test_an_answer_to_our_acknowledgement_is_known_by_our_token(desk: Story) -> None:
    desk.request()
    desk.answer(desk.thread(), subject="Something else")
    assert state(desk) == "answered"


def test_an_answer_without_thread_is_known_by_the_number_in_its_subject(desk: Story) -> None:
    desk.request()
    desk.answer(subject="Re: [#1001] Empty report")
    assert state(desk) == "answered"


def test_an_answer_in_a_new_thread_is_known_by_recipient_and_subject(desk: Story) -> None:
    desk.request()
    desk.answer(subject="RE: Empty report")
    assert state(desk) == "answered"


def test_another_mail_to_the_same_partner_stops_no_clock(desk: Story) -> None:
    desk.request()
    desk.answer(subject="Invitation to our webinar")
    assert state(desk) == "open"


def test_of_two_tickets_with_one_subject_none_is_guessed(desk: Story) -> None:
    desk.request(), desk.request()
    desk.answer(subject="Re: Empty report")
    assert (state(desk, 1), state(desk, 2)) == ("open", "open")


def test_any_address_of_staff_can_answer(desk: Story) -> None:
    mail = desk.request()
    other = desk.mail("new.colleague@vendor.example", to=(ANA,), cc=(SUPPORT,), answers=[mail.message_id])
    desk.receive(other)
    assert state(desk) == "answered"


def test_an_answer_to_a_colleague_of_the_partner_counts(desk: Story) -> None:
    mail = desk.request()
    desk.answer(mail.message_id, to=(LUIS,))
    assert state(desk) == "answered"


def test_mail_between_specialists_does_not_answer_the_partner(desk: Story) -> None:
    mail = desk.request()
    desk.answer(mail.message_id, to=("max@vendor.example",))
    assert state(desk) == "open"
    assert desk.keys("message.ignored")["reason"] == "internal"
    partner_of_another = "tom@bolt.example"
    desk.answer(mail.message_id, to=(partner_of_another,))
    assert state(desk) == "open"


def test_what_the_partner_answers_to_internal_mail_still_finds_its_ticket(desk: Story) -> None:
    mail = desk.request()
    internal = desk.mail(IVO, to=("max@vendor.example",), cc=(SUPPORT,), answers=[mail.message_id])
    desk.receive(internal)
    desk.request(answers=[internal.message_id])
    assert desk.count() == 1


@pytest.mark.parametrize("kind", ["auto_reply", "bounce", "list"])
def test_an_automatic_mail_of_a_specialist_answers_nobody(desk: Story, kind: str) -> None:
    mail = desk.request()
    out_of_office = desk.mail(IVO, to=(ANA,), cc=(SUPPORT,), answers=[mail.message_id])
    assert desk.receive(out_of_office, reading(kind=kind)) == "ignored"
    assert state(desk) == "open"


def test_a_terse_answer_that_only_sounds_automatic_answers(desk: Story) -> None:
    mail = desk.request()
    heard = Label("auto_reply", 0.9, (Evidence("learned.kind.auto_reply", "reading", "mended"),))
    answer = desk.mail(IVO, to=(ANA,), cc=(SUPPORT,), answers=[mail.message_id])
    desk.receive(answer, reading("It is mended.", kind=heard))
    assert desk.ticket()["state"] == "answered"


def test_a_mail_that_only_might_be_automatic_answers(desk: Story) -> None:
    mail = desk.request()
    answer = desk.mail(IVO, to=(ANA,), cc=(SUPPORT,), answers=[mail.message_id])
    desk.receive(answer, reading(kind=Label("auto_reply", 0.2)))
    assert state(desk) == "answered"


def test_our_own_acknowledgement_never_stops_the_clock(desk: Story) -> None:
    mail = desk.request()
    ours = desk.mail(IVO, to=(ANA,), answers=[mail.message_id], message_id=desk.thread())
    desk.receive(ours)
    assert state(desk) == "open"


def test_an_answer_from_before_the_partners_last_mail_does_not_answer_that(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(9)
    desk.request(answers=[mail.message_id])
    desk.answer(mail.message_id, at=at(8))
    assert state(desk) == "open"
    assert desk.keys("message.ignored")["reason"] == "answer-before-last-mail"


def test_of_several_tickets_in_one_thread_that_is_answered_whose_partner_is_written_to(desk: Story) -> None:
    first = desk.request()
    second = desk.request("tom@bolt.example")
    desk.answer(first.message_id, second.message_id, to=(ANA,))
    assert (state(desk, 1), state(desk, 2)) == ("answered", "open")


def test_an_answer_to_a_waiting_or_refused_ticket_counts(desk: Story) -> None:
    waiting = desk.request(said=reading(has=INCOMPLETE))
    lapsed = desk.request("eva@lapsed.example")
    desk.answer(waiting.message_id)
    desk.answer(lapsed.message_id, to=("eva@lapsed.example",))
    assert (state(desk, 1), state(desk, 2)) == ("answered", "answered")


def test_an_answer_to_a_closed_ticket_leaves_it_closed(desk: Story) -> None:
    mail = desk.request()
    desk.command("#close", mail.message_id)
    desk.answer(mail.message_id)
    assert state(desk) == "closed"


def test_thanks_after_an_answer_neither_reopens_nor_restarts(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(7)
    desk.answer(mail.message_id)
    before = desk.ticket()
    desk.now = at(8)
    assert desk.receive(desk.mail(answers=[mail.message_id]), reading("Thanks!", kind="thanks")) == "ignored"
    assert desk.ticket() == before
    assert desk.told()[-1] == "message.ignored"


def test_thanks_in_a_refused_ticket_are_no_second_refusal(desk: Story) -> None:
    eva = "eva@lapsed.example"
    mail = desk.request(eva)
    desk.office.directory = Directory([Contact("Lapsed", "paas", eva)])
    folder = desk.receive(desk.mail(eva, answers=[mail.message_id]), reading("Thank you", kind="thanks"))
    assert (folder, state(desk), desk.told()[-1]) == ("ignored", "refused", "message.ignored")
    desk.request(eva, answers=[mail.message_id])
    assert state(desk) == "open"


# ---------------------------------------------------------------- commands


def test_severity_is_corrected_and_told(any_desk: Story) -> None:
    mail = any_desk.request()
    said = any_desk.command("#severity 1", mail.message_id)
    assert "Ticket #1001: severity 1; an answer is due 2026-01-05 08:00 UTC." in said
    assert any_desk.ticket()["severity"] == "1"
    assert any_desk.sent("staff_command")[0]["recipient"] == IVO
    assert subject_of(any_desk.sent("staff_command")[0]["raw"]).startswith("Re: ")


def test_a_severity_makes_an_incident_of_a_question(desk: Story) -> None:
    mail = desk.request(said=reading(request_type="question", severity=None))
    desk.command("#severity 2", mail.message_id)
    ticket = desk.ticket()
    assert (ticket["request_type"], ticket["severity"], ticket["due_at"]) == ("incident", "2", at(10))


def test_deployment_is_corrected(desk: Story) -> None:
    mail = desk.request(said=reading(severity="1"))
    said = desk.command("#deployment on-premise", mail.message_id)
    assert "deployment on_premise; an answer is due 2026-01-05 09:00 UTC." in said


def test_what_staff_corrected_no_later_mail_changes(desk: Story) -> None:
    mail = desk.request()
    desk.command("#severity 1\n#deployment cloud", mail.message_id)
    desk.now = at(7)
    desk.request(answers=[mail.message_id], said=reading(severity="3", deployment="paas"))
    ticket = desk.ticket()
    assert (ticket["severity"], ticket["deployment"], ticket["due_at"]) == ("1", "cloud", at(10))


def test_accept_overrides_an_incomplete_ticket_for_good(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request(said=reading(has=INCOMPLETE))
    desk.now = at(7)
    said = desk.command("#accept", mail.message_id)
    assert "Ticket #1001 is open; an answer is due 2026-01-05 12:00 UTC." in said
    assert (state(desk), desk.ticket()["due_at"]) == ("open", at(12))  # from the partner's mail
    assert [kind for kind, _ in desk.alarms()] == ["warning", "warning", "breach"]
    desk.request(answers=[mail.message_id], said=reading(has=INCOMPLETE))
    assert state(desk) == "open"


def test_accept_overrides_a_refusal_for_good(desk: Story) -> None:
    mail = desk.request("eva@lapsed.example")
    assert state(desk) == "refused"
    desk.command("#accept", mail.message_id)
    assert state(desk) == "open"
    desk.request("eva@lapsed.example", answers=[mail.message_id])
    assert state(desk) == "open"
    desk.request("eva@lapsed.example", subject="Another matter")
    assert state(desk, 2) == "refused"


def test_close_and_reopen(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    assert "Ticket #1001 is closed." in desk.command("#close", mail.message_id)
    assert (state(desk), desk.ticket()["closed_at"], desk.alarms()) == ("closed", desk.now, [])
    assert desk.promises()[0].end == "withdrawn"
    desk.now = at(9, day=3)
    assert "open" in desk.command("#reopen", mail.message_id)
    ticket = desk.ticket()
    assert (ticket["state"], ticket["closed_at"], ticket["due_at"]) == ("open", None, at(7, day=4))


def test_split_makes_a_second_ticket_with_the_same_clock_and_promise(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.sweep(at(9))
    said = desk.command("#split", mail.message_id)
    assert "the other question is ticket #1002." in said
    one, two = desk.ticket(1), desk.ticket(2)
    assert all(one[key] == two[key] for key in ("partner", "requester", "due_at", "state", "severity"))
    assert desk.alarms(2) == desk.alarms(1) == [("warning", at(10, 30)), ("breach", at(12))]
    assert desk.promises(2)[0].due == at(12)
    desk.answer(mail.message_id)
    desk.answer(subject="Re: [#1002] Empty report")
    assert (state(desk, 1), state(desk, 2)) == ("answered", "answered")


def test_of_split_tickets_the_number_in_the_subject_tells_which_is_answered(any_desk: Story) -> None:
    desk = any_desk
    mail = desk.request()
    desk.command("#split", mail.message_id)
    desk.answer(mail.message_id, desk.thread(), subject="Re: [#1002] Empty report")
    assert (state(desk, 1), state(desk, 2)) == ("open", "answered")
    desk.request(answers=[mail.message_id, desk.thread()], subject="Re: [#1002] Empty report")
    assert (state(desk, 1), state(desk, 2), desk.told(2)[-1]) == ("open", "open", "reply.queued")


def test_a_number_in_the_subject_leads_to_no_other_partners_ticket_and_to_no_closed_one(desk: Story) -> None:
    mail, other = desk.request(), desk.request("tom@bolt.example")
    closed = desk.request(subject="Old")
    desk.command("#close", closed.message_id)
    for number in (1002, 1003, 9999):
        desk.request(answers=[mail.message_id], subject=f"Re: [#{number}] Empty report")
    assert (desk.told(1).count("ticket.updated"), desk.told(2).count("ticket.updated"), desk.count()) == (3, 0, 3)
    assert other.subject == "Empty report"
    both = "Re: [#1002] Re: [#1001] Empty report"  # his own desk writes a number, too
    desk.request(answers=[mail.message_id], subject=both)
    assert desk.told(1).count("ticket.updated") == 4


def test_several_commands_are_carried_out_in_their_order_and_each_told(desk: Story) -> None:
    mail = desk.request(said=reading(has=INCOMPLETE))
    said = desk.command("#severity 2\n#accept\n#frobnicate\n#deployment moon\n#close", mail.message_id)
    for part in ("severity 2. No clock runs", "is open", "no such command", "no such deployment", "is closed"):
        assert part in said
    assert state(desk) == "closed"


def test_what_cannot_be_done_is_told_and_changes_nothing(desk: Story) -> None:
    mail = desk.request()
    desk.answer(mail.message_id)
    before, told = desk.ticket(), desk.told()
    said = desk.command("#accept", mail.message_id)
    assert "an answered ticket cannot be accepted" in said
    assert (desk.ticket(), desk.told()) == (before, told)
    assert "belongs to no ticket" in desk.command("#close", subject="Nothing")


def test_commands_of_staff_whose_address_is_not_proven_are_refused(desk: Story) -> None:
    mail = desk.request()
    forged = desk.mail(IVO, answers=[mail.message_id], text="#close")
    for checked in (False, True):
        desk.receive(replace(forged, fingerprint=str(checked)), reading("#close"), checked=checked)
    assert state(desk) == "open"
    assert desk.sent("staff_command") == []


def test_commands_are_carried_out_however_their_few_words_are_read(desk: Story) -> None:
    mail = desk.request()
    orders = desk.mail(IVO, answers=[mail.message_id], text="#severity 1", proven=True)
    desk.receive(orders, reading("#severity 1", kind="auto_reply"), checked=True)
    assert desk.ticket()["severity"] == "1"
    marked = desk.mail(IVO, answers=[mail.message_id], text="#close", proven=True)
    marked = replace(marked, headers={**marked.headers, "auto-submitted": ("auto-replied",)})
    desk.receive(marked, reading("#close", kind="auto_reply"), checked=True)
    assert state(desk) == "open"


def test_commands_of_partners_are_words(desk: Story) -> None:
    mail = desk.request()
    desk.receive(desk.mail(ANA, answers=[mail.message_id], proven=True), reading("#close"), checked=True)
    assert state(desk) == "open"


def test_commands_above_an_answer_are_carried_out_and_the_answer_counts(desk: Story) -> None:
    mail = desk.request()
    desk.command("#severity 2\n\nHello Ana, look at the export page.", mail.message_id, to=(ANA, SUPPORT))
    assert (state(desk), desk.ticket()["severity"]) == ("answered", "2")
    second = desk.request(subject="Other")
    desk.command("#severity 2", second.message_id, to=(ANA, SUPPORT))
    assert state(desk, 2) == "open"


def test_an_answer_below_close_counts_before_the_ticket_is_closed(desk: Story) -> None:
    mail = desk.request()
    desk.now = at(7)
    said = desk.command("#close\n\nHello Ana, this is solved.", mail.message_id, to=(ANA, SUPPORT))
    assert "Ticket #1001 is closed." in said
    assert (state(desk), desk.ticket()["answered_at"], desk.promises()[0].end) == ("closed", at(7), "kept")


def test_partner_makes_a_stranger_one_of_the_partners(any_desk: Story) -> None:
    desk = any_desk
    desk.request("tom@freemail.example")
    assert desk.count() == 0
    stranger = desk.mail("tom@freemail.example", subject="Help")
    desk.receive(stranger)
    said = desk.command("#partner acme", stranger.message_id)
    assert "tom@freemail.example belongs to Acme from now on." in said
    desk.now = at(7)
    desk.request("tom@freemail.example", subject="Help again")
    assert (desk.ticket()["partner"], state(desk)) == ("Acme", "open")


def test_partner_speaks_of_whoever_wrote_what_is_forwarded(desk: Story) -> None:
    forwarded = f"#partner Bolt\n\n---- Forwarded ----\nFrom: Tom <tom@freemail.example>\nTo: {SUPPORT}\n\nHelp"
    said = desk.command(forwarded, subject="Fwd: Help")
    assert "tom@freemail.example belongs to Bolt" in said


def test_partner_says_what_is_missing(desk: Story) -> None:
    assert "is not in the partner file" in desk.command("#partner Nobody")
    assert "no sender to be seen" in desk.command("#partner Acme")


def test_partner_moves_a_ticket_of_one_who_works_for_two(store: Store) -> None:
    nia = "nia@free.example"
    contacts = (Contact("Acme", "paas", nia), Contact("Bolt", "paas", nia))
    desk = Story(store, contacts)
    mail = desk.request(nia)
    assert desk.ticket()["partner"] == "Acme"
    assert "Ticket #1001 is Bolt's" in desk.command("#partner Bolt", mail.message_id)
    assert desk.ticket()["partner"] == "Bolt"
    desk.request(nia, answers=[mail.message_id])
    assert desk.count() == 1
    desk.request(nia, subject="New matter")
    assert desk.ticket(2)["partner"] == "Bolt"
