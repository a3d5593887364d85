"""Which conversation a mail belongs to, and that nobody can make our tokens."""

from __future__ import annotations

import pytest

from triage.core import threads
from triage.core.model import Desk, Email

DESK = Desk(("support@vendor.example",), key=b"k" * 32, old_keys=(b"o" * 32,))


def test_our_message_ids_carry_their_ticket() -> None:
    made = threads.message_id(DESK, "1001", "seed")
    assert threads.own(made, DESK) == "1001"
    assert made.endswith("@vendor.example>")
    assert threads.message_id(DESK, "1001", "seed") == made
    assert threads.message_id(DESK, "1001", "other") != made


def test_a_token_from_before_a_rotation_is_still_known() -> None:
    before = Desk(DESK.addresses, key=b"o" * 32)
    assert threads.own(threads.message_id(before, "7", "x"), DESK) == "7"


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.replace(".1001.", ".1002."),
        lambda made: made[:-20] + "0" * 4 + made[-16:],
        lambda made: made.replace("triage", "Triage"),
        lambda made: made.replace("<", "<x"),
        lambda made: made + made,
        lambda made: "",
        lambda made: "<triage.1001.0123456789abcdef.00000000000000000000@vendor.example>",
    ],
)
def test_a_changed_or_invented_token_is_not_ours(change: object) -> None:
    assert threads.own(change(threads.message_id(DESK, "1001", "x")), DESK) is None  # type: ignore[operator]


def test_another_key_makes_other_tokens() -> None:
    foreign = threads.message_id(Desk(DESK.addresses, key=b"z" * 32), "1001", "x")
    assert threads.own(foreign, DESK) is None
    assert threads.own(threads.message_id(DESK, "1001", "x"), Desk(DESK.addresses)) is None


def test_the_answered_mail_comes_before_older_ones() -> None:
    email = Email(in_reply_to=("<c@x>",), references=("<a@x>", "<b@x>", "<c@x>"))
    assert threads.references(email) == ("<c@x>", "<b@x>", "<a@x>")


def test_of_a_thousand_references_few_are_looked_at_the_first_among_them() -> None:
    email = Email(references=tuple(f"<{number}@x>" for number in range(1000)))
    ids = threads.references(email)
    assert len(ids) == 32 and ids[0] == "<999@x>" and ids[-1] == "<0@x>"


def test_tickets_of_references_are_those_that_we_signed() -> None:
    ids = [threads.message_id(DESK, one, "x") for one in ("5", "0", "9", "5")]
    assert threads.own_tickets(["<x@y>", *ids], DESK) == ("5", "9")


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Re: [#1001] Tracker", "1001"),
        ("[#0001001] x", "1001"),
        ("RV: AW: [#12] [#13]", "12"),
        ("#1001", None),
        ("[Acme #1001]", None),
        ("[#0]", None),
        ("[#" + "1" * 13 + "]", None),
        ("", None),
    ],
)
def test_the_number_in_a_subject_is_written_as_ours(subject: str, number: str | None) -> None:
    assert threads.in_subject(subject) == number


@pytest.mark.parametrize(
    "subject",
    [
        "Re: x",
        "RE: re: x",
        "AW: x",
        "WG: x",
        "VS: x",
        "SV: x",
        "RV: x",
        "Fwd: x",
        "FW: x",
        "Re[2]: x",
        "Re: [#1001] x",
        "RE：x",
    ],
)
def test_prefixes_of_any_program_are_left_out(subject: str) -> None:
    assert threads.bare_subject(subject) == "x"


def test_a_refusal_answered_is_known_by_its_token() -> None:
    told, ticket = threads.message_id(DESK, "0", "x"), threads.message_id(DESK, "1001", "x")
    assert threads.answers_a_refusal([ticket, told], DESK)
    assert not threads.answers_a_refusal([ticket, "<triage.0.0123456789abcdef.00000000000000000000@x>"], DESK)


@pytest.mark.parametrize(
    ("subject", "text", "number"),
    [
        ("[Acme Desk #4711] Re: [#1001] Tracker", "", "Acme Desk #4711"),
        ("Re: [#1001] Tracker [ACME-4711]", "", "ACME-4711"),
        ("[Ticket#2026012910000042] Tracker", "", "Ticket#2026012910000042"),
        ("Incident INC0012345 opened", "", "INC0012345"),
        ("Re: [#1001] x", "Your request (88123) has been updated.", "88123"),
        ("Re: [#1001] x", "Ticket #881 was made.", "#881"),
        ("Re: [#1001] Tracker is offline", "IMEI 356307042441013, since 10:30", ""),
        ("Re: [#1001] x", "see [#1001] and https://x.example/a#123", ""),
    ],
)
def test_another_desks_number_is_told_by_its_form(subject: str, text: str, number: str) -> None:
    assert threads.foreign_number(Email(subject=subject), text) == number


def test_a_desk_acknowledges_ours_only_when_it_answers_us_and_sounds_like_a_machine() -> None:
    ours = (threads.message_id(DESK, "1001", "x"),)
    robot = Email(subject="[ACME-4711] received", in_reply_to=ours)
    assert threads.acknowledged_by_a_desk(robot, "", True, DESK)
    assert not threads.acknowledged_by_a_desk(robot, "", False, DESK)  # a person who works in a desk
    assert not threads.acknowledged_by_a_desk(Email(subject="[ACME-4711] received"), "", True, DESK)
    assert not threads.acknowledged_by_a_desk(Email(subject="Re: [#1001] x", in_reply_to=ours), "", True, DESK)


@pytest.mark.parametrize("piece", ["[", "[a", "#", "(1", "AB", "[#", "re: ", "[A-", "1"])
def test_hostile_subjects_are_read_in_a_moment(piece: str) -> None:
    email = Email(subject=piece * 100_000)
    threads.foreign_number(email, piece * 100_000)
    threads.in_subject(email.subject)
    threads.bare_subject(email.subject)
    threads.marked_as_reply(email)
