"""Who is who, from the bytes of a mail to what it brings about: nobody is let in, and nobody is made a weapon of."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from tests.steps.desk import ANA, AUTHSERV, IVO, SUPPORT, Story, shipped_pack, text_of
from triage import events, report
from triage.adapters.db.tables import people
from triage.adapters.mime import parse
from triage.core import authenticity, threads
from triage.core.model import Desk, Trust
from triage.core.reading.read import read
from triage.core.replies import Facts, write
from triage.steps.apply import Place
from triage.steps.intake import handle
from triage.steps.telling import Telling
from triage.story import story as tell

CHECKED = Trust(AUTHSERV)
ASKS = (
    "Hello,\n\nin account 8800123 the trips report for tracker 700123 has been empty since yesterday. I rebuilt it"
    " twice, it stays empty. It says:\n\n2026-01-05 05:10:11 ERROR ReportBuilder: no data for tracker 700123\n\nAna"
)
PASSED = f"Authentication-Results: {AUTHSERV}; dmarc=pass header.from=acme.example"
FAILED = f"Authentication-Results: {AUTHSERV}; spf=fail; dmarc=fail header.from=acme.example"


class Bytes:
    """A desk that gets mail as bytes, and says what came of it."""

    def __init__(self, story: Story, trust: Trust = CHECKED) -> None:
        self.story, self.trust = story, trust

    def receive(
        self,
        *headers: str,
        text: str = ASKS,
        sender: str = f"Ana Ruiz <{ANA}>",
        subject: str = "Trips report is empty",
        answers: Iterable[str] = (),
        seconds: float = 60,
        message_id: str = "",
    ) -> str:
        """The folder into which the mail goes."""
        number = next(self.story._uids)
        self.story.now += timedelta(seconds=seconds)
        ids = list(answers)
        lines = [
            *headers,
            f"From: {sender}",
            f"To: {SUPPORT}",
            f"Subject: {subject}",
            f"Message-ID: {message_id or f'<{number}@sender.example>'}",
        ]
        if ids:
            lines += [f"In-Reply-To: {ids[-1]}", "References: " + "\n ".join(ids)]
        raw = "\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", text]).encode()
        office = self.story.office
        email = authenticity.author(parse(raw, self.story.now), self.trust)
        reading = read(email, shipped_pack(), office.desk)
        telling = Telling(self.story.now)
        with self.story.store.begin() as tx, events.bind(message_id=email.message_id):
            place = Place("inbox", 1, number)
            _, folder = handle(tx, email, reading, office, telling, place, self.trust)
        self.story.events += telling._events
        telling.say()
        return folder

    def ticket(self, number: int = 1) -> dict[str, object]:
        row = self.story.ticket(number)
        return {key: row[key] for key in ("state", "due_at", "severity", "partner", "last_mail_at", "fields", "flags")}

    def last(self) -> tuple[str, dict[str, object]]:
        return self.story.events[-1]


@pytest.fixture
def desk(desk: Story) -> Bytes:
    return Bytes(desk)


@pytest.fixture
def unchecked(desk: Bytes) -> Bytes:
    return Bytes(desk.story, Trust())


def opened(desk: Bytes) -> dict[str, object]:
    """A partner's ticket, running."""
    assert desk.receive(PASSED) == "ready"
    assert desk.ticket()["state"] == "open" and len(desk.story.sent()) == 1
    return desk.ticket()


# ---------------------------------------------------------------- forged senders


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((FAILED,), "forged"),
        ((f"Authentication-Results: {AUTHSERV}; spf=pass smtp.mailfrom=eve@evil.example",), "unproven"),
        ((FAILED, PASSED), "forged"),  # the sender's own below the real one
        ((f"Authentication-Results: {AUTHSERV}; dmarc=pass header.from=evil.example",), "unproven"),
    ],
)
def test_a_forged_from_gets_no_ticket_no_reply_and_a_line_in_the_log(
    desk: Bytes, headers: tuple[str, ...], reason: str
) -> None:
    assert desk.receive(*headers) == "refused"
    assert desk.story.count() == 0 and desk.story.sent() == []
    told = {"sender": ANA, "reason": reason, "partner": None, "rule": "sender", "mail": 1}
    assert desk.last() == ("sender.refused", told)


def test_a_forged_from_changes_no_ticket_whatever_it_knows(desk: Bytes) -> None:
    before = opened(desk)
    ours = desk.story.sent()[0]["message_id"]
    told = desk.story.told()
    folder = desk.receive(FAILED, subject="Re: [#1001] Trips report", answers=["<1@sender.example>", ours])
    assert folder == "refused" and desk.ticket() == before and desk.story.told() == told
    assert len(desk.story.sent()) == 1


def test_a_forged_specialist_answers_nobody_and_commands_nothing(desk: Bytes) -> None:
    before = opened(desk)
    ours = desk.story.sent()[0]["message_id"]
    headers = (f"Authentication-Results: {AUTHSERV}; dmarc=fail header.from=vendor.example", f"Cc: {ANA}")
    assert desk.receive(*headers, sender=IVO, subject="Re: [#1001]", answers=[ours], text="#close\n") == "refused"
    assert desk.receive(*headers, sender=IVO, subject="Re: [#1001]", answers=[ours], text="Done.") == "refused"
    assert desk.ticket() == before and len(desk.story.sent()) == 1


def test_a_mail_of_which_our_server_said_nothing_is_held(desk: Bytes) -> None:
    assert desk.receive() == "quarantine"
    assert desk.receive("Authentication-Results: mx.evil.example; dmarc=pass header.from=acme.example") == "quarantine"
    assert desk.story.count() == 0 and desk.story.sent() == []
    assert desk.last()[0] == "message.quarantined" and desk.last()[1]["reason"] == "no-verdict"


def test_where_nothing_is_configured_the_address_is_taken_for_what_it_says(unchecked: Bytes) -> None:
    assert unchecked.receive() == "ready"
    assert unchecked.story.count() == 1


@pytest.mark.parametrize(
    "sender",
    [
        f"{ANA}, eve@evil.example",
        f"eve@evil.example, {ANA}",
        f"{ANA}\nFrom: eve@evil.example",
        f"eve@evil.example\nFrom: {ANA}",
        f'"{ANA}" <eve@evil.example> <{ANA}>',
        f"{ANA} <eve@evil.example>",
        f'"Ana <{ANA}>" <eve@evil.example>',
        f"=?utf-8?q?Ana_=3C{ANA.replace('@', '=40')}=3E?= <eve@evil.example>",
        "ana@аcme.example",  # Cyrillic а
        f"eve@evil.example (Ana <{ANA}>)",
        f"<{ANA}:eve@evil.example>",
        f"group: {ANA}, eve@evil.example;",
        "",
    ],
)
def test_a_from_that_only_looks_like_a_partners_opens_no_ticket(unchecked: Bytes, sender: str) -> None:
    assert unchecked.receive(sender=sender) in ("refused", "quarantine")
    assert unchecked.story.count() == 0
    assert all(one["recipient"] != ANA for one in unchecked.story.sent())


@pytest.mark.parametrize("header", ["Reply-To", "Sender", "Resent-From", "X-Original-From", "Return-Path"])
def test_no_other_header_makes_a_stranger_a_partner(unchecked: Bytes, header: str) -> None:
    assert unchecked.receive(f"{header}: {ANA}", sender="eve@evil.example") == "refused"
    assert unchecked.story.count() == 0


# ---------------------------------------------------------------- no weapon for others


def test_a_reply_goes_to_the_author_alone(unchecked: Bytes) -> None:
    unchecked.receive("Reply-To: victim@other.example", "Cc: victim@other.example, luis@acme.example")
    [reply] = unchecked.story.sent()
    assert reply["recipient"] == ANA
    made = message_from_bytes(reply["raw"], policy=policy.default)
    assert made["To"] == ANA and made["Cc"] is None and made["Reply-To"] is None
    assert b"victim" not in reply["raw"]


def test_a_stranger_is_told_once_in_thirty_days_whatever_his_tag(unchecked: Bytes) -> None:
    for number in range(5):
        unchecked.receive(sender=f"eve+{number}@evil.example", subject=f"Question {number}")
    assert [one["template"] for one in unchecked.story.sent()] == ["stranger"]
    assert "Acme" not in text_of(unchecked.story.sent()[0]["raw"])
    unchecked.receive(sender="eve@evil.example", seconds=timedelta(days=29).total_seconds())
    assert len(unchecked.story.sent()) == 1
    unchecked.receive(sender="eve@evil.example", seconds=timedelta(days=2).total_seconds())
    assert len(unchecked.story.sent()) == 2


def test_a_robot_with_a_new_address_each_time_is_told_once(unchecked: Bytes) -> None:
    unchecked.receive(sender="robot1@evil.example")
    for number in range(2, 6):
        told = unchecked.story.sent()[-1]["message_id"]
        unchecked.receive(sender=f"robot{number}@evil.example", answers=[told], subject="Re: x")
    assert len(unchecked.story.sent()) == 1


def test_strangers_at_one_domain_are_told_up_to_a_limit(unchecked: Bytes) -> None:
    policy_ = unchecked.story.office.rules.pack.policy
    object.__setattr__(policy_, "strangers_per_domain", 3)
    for number in range(6):
        unchecked.receive(sender=f"user{number}@evil.example", subject=f"Question {number}")
    assert len(unchecked.story.sent()) == 3
    assert "looks-like-a-robot" in str(unchecked.last()[1]["reason"])
    unchecked.receive(sender="kim@other.example")
    assert len(unchecked.story.sent()) == 4


def test_who_is_proven_to_be_somebody_else_is_told_nothing(desk: Bytes) -> None:
    header = f"Authentication-Results: {AUTHSERV}; dmarc=fail header.from=victim.example"
    desk.receive(header, sender="kim@victim.example")
    desk.receive(f"Authentication-Results: {AUTHSERV}; spf=none", sender="kim@victim.example")
    assert desk.story.sent() == []


def test_our_own_address_in_from_is_never_answered(unchecked: Bytes) -> None:
    for sender in (SUPPORT, "Support+x@Vendor.example", f'"Ana" <{SUPPORT}>'):
        unchecked.receive(sender=sender)
    assert unchecked.story.sent() == []


def test_the_same_text_again_and_again_is_a_robots(unchecked: Bytes) -> None:
    object.__setattr__(unchecked.story.office.rules.pack.policy, "same_text_at_most", 3)
    for _ in range(8):
        unchecked.receive()
    assert len(unchecked.story.sent()) == 3


def test_too_many_replies_in_one_thread_end(unchecked: Bytes) -> None:
    object.__setattr__(unchecked.story.office.rules.pack.policy, "replies_per_ticket", 3)
    unchecked.receive()
    for number in range(8):
        unchecked.receive(
            subject="Re: [#1001] Trips report", text=f"{ASKS}\nAlso: {number}", answers=["<1@sender.example>"]
        )
    assert len(unchecked.story.sent()) == 3


def test_answers_within_seconds_are_a_robots_and_mail_from_a_downtime_is_not(unchecked: Bytes) -> None:
    unchecked.receive()
    for number in range(6):
        last = unchecked.story.sent()[-1]["message_id"]
        unchecked.receive(subject="Re: [#1001] x", text=f"{ASKS}\n{number}", answers=[last], seconds=1)
    assert len(unchecked.story.sent()) == 3


def test_another_desk_that_acknowledges_ours_is_answered_no_more(unchecked: Bytes) -> None:
    before = opened(Bytes(unchecked.story))
    ours = unchecked.story.sent()[0]["message_id"]
    folder = unchecked.receive(
        subject="[Acme Desk #4711] Re: [#1001] Trips report is empty",
        answers=[ours],
        text="Thank you for your message. Ticket 4711 was created for you. An agent will answer soon.",
    )
    assert folder in ("ready", "ignored") and len(unchecked.story.sent()) == 1
    assert unchecked.ticket()["due_at"] == before["due_at"]


def test_people_who_work_in_another_desk_are_served(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    ours = unchecked.story.sent()[0]["message_id"]
    unchecked.receive(
        subject="[Acme Desk #4711] Re: [#1001] Trips report is empty",
        answers=[ours],
        text="The report for tracker 700123 is still empty in account 8800123, also after a third rebuild.",
    )
    assert unchecked.story.count() == 1 and len(unchecked.story.sent()) == 2


# ---------------------------------------------------------------- tickets belong to their partner


def test_a_stranger_who_knows_the_whole_thread_gets_nothing_and_changes_nothing(unchecked: Bytes) -> None:
    before = opened(Bytes(unchecked.story))
    ours, told = unchecked.story.sent()[0]["message_id"], unchecked.story.told()
    unchecked.receive(
        sender="kim@enduser.example",
        subject="Re: [#1001] Trips report is empty",
        answers=["<1@sender.example>", ours],
        text="What is the state of my ticket?",
    )
    assert unchecked.ticket() == before and unchecked.story.told() == told
    [_, reply] = unchecked.story.sent()
    said = text_of(reply["raw"])
    assert reply["template"] == "stranger" and "1001" not in said and "Acme" not in said and "8800123" not in said


def test_another_partner_who_knows_it_opens_a_ticket_of_his_own(unchecked: Bytes) -> None:
    before = opened(Bytes(unchecked.story))
    ours = unchecked.story.sent()[0]["message_id"]
    unchecked.receive(
        sender="bo@bolt.example", subject="Re: [#1001] Trips report", answers=["<1@sender.example>", ours]
    )
    assert unchecked.ticket() == before and unchecked.story.count() == 2
    assert unchecked.ticket(2)["partner"] == "Bolt" and "names-a-foreign-ticket" in str(unchecked.ticket(2)["flags"])
    assert "#1001" not in text_of(unchecked.story.sent()[-1]["raw"])


def test_a_mail_with_anothers_message_id_takes_nothing_over(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    unchecked.receive(sender="bo@bolt.example", message_id="<1@sender.example>", text=f"{ASKS} Bo")
    unchecked.receive(answers=["<1@sender.example>"], subject="Re: Trips report", text=f"{ASKS} More.")
    assert unchecked.story.count() == 2 and unchecked.ticket(2)["partner"] == "Bolt"


def test_a_guessed_token_leads_nowhere(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    guess = threads.message_id(Desk((SUPPORT,), key=b"guess"), "1001", "x")
    unchecked.receive(answers=[guess], subject="Trips", text=f"{ASKS} Another.")
    assert unchecked.story.count() == 2


def test_a_colleague_in_the_thread_is_the_same_partner(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    unchecked.receive(sender="luis@acme.example", subject="Re: [#1001] Trips", text=f"{ASKS} It is still so.")
    assert unchecked.story.count() == 1


def test_a_reply_that_lost_its_headers_is_known_by_the_subject_that_it_quotes(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    quote = (
        "\n\n-----Original Message-----\nFrom: Support <support@vendor.example>\nSent: Monday\n"
        f"To: {ANA}\nSubject: Re: [#1001] Trips report is empty\n\nYour request is with us."
    )
    unchecked.receive(subject="Still empty", text=f"It is still so, tracker 700123.{quote}")
    assert unchecked.story.count() == 1
    unchecked.receive(sender="bo@bolt.example", subject="Still empty", text=f"{ASKS}{quote}")
    assert unchecked.story.count() == 2 and unchecked.ticket(2)["partner"] == "Bolt"


# ---------------------------------------------------------------- our own mailing group

GROUP = Trust(AUTHSERV, own_lists=("support.vendor.example",))
REWRITTEN = (
    f"Authentication-Results: {AUTHSERV}; dmarc=pass header.from=vendor.example",
    "List-Id: <support.vendor.example>",
    "Precedence: list",
    f"X-Original-From: Ana Ruiz <{ANA}>",
)


def test_a_partner_behind_our_group_is_himself_and_is_answered(desk: Bytes) -> None:
    group = Bytes(desk.story, GROUP)
    office = desk.story.office
    office.desk = Desk(office.desk.addresses, ("support.vendor.example",), office.desk.key)
    assert group.receive(*REWRITTEN, sender=f"'Ana Ruiz' via Support <{SUPPORT}>") == "ready"
    [reply] = desk.story.sent()
    assert reply["recipient"] == ANA and desk.ticket()["partner"] == "Acme"


def test_who_only_writes_the_groups_headers_is_not(desk: Bytes) -> None:
    group = Bytes(desk.story, GROUP)
    office = desk.story.office
    office.desk = Desk(office.desk.addresses, ("support.vendor.example",), office.desk.key)
    own = f"Authentication-Results: {AUTHSERV}; dmarc=pass header.from=evil.example"
    group.receive(own, *REWRITTEN[1:], sender="eve@evil.example")
    failed = f"Authentication-Results: {AUTHSERV}; dmarc=fail header.from=vendor.example"
    group.receive(failed, *REWRITTEN[1:], sender=SUPPORT)
    assert desk.story.count() == 0 and all(one["recipient"] != ANA for one in desk.story.sent())


# ---------------------------------------------------------------- bounces


def bounced(desk: Bytes) -> list[str]:
    with desk.story.store.engine.connect() as connection:
        return [row.address for row in connection.execute(people.select()) if row.bounced_at]


def test_a_bounce_of_our_mail_marks_its_recipient_and_a_forged_one_nobody(unchecked: Bytes) -> None:
    opened(Bytes(unchecked.story))
    ours = unchecked.story.sent()[0]["message_id"]
    report_of = "Final-Recipient: rfc822; {}\nAction: failed\nStatus: 5.1.1\n\nMessage-ID: {}\n"
    daemon = {"sender": "MAILER-DAEMON@mx.evil.example", "subject": "Undelivered Mail Returned to Sender"}
    forged = ours.replace(".1001.", ".1002.")
    for identity in (forged, "<1@sender.example>"):
        unchecked.receive("Auto-Submitted: auto-replied", **daemon, text=report_of.format(ANA, identity))
    assert bounced(unchecked) == []
    unchecked.receive("Auto-Submitted: auto-replied", **daemon, text=report_of.format("luis@acme.example", ours))
    assert bounced(unchecked) == [ANA]  # to whom it was sent, not whom the report names
    assert len(unchecked.story.sent()) == 1


def test_a_notice_to_staff_that_comes_back_makes_no_other(unchecked: Bytes) -> None:
    office = unchecked.story.office
    reply = write(office.rules, "staff_command", ["en"], "lead@vendor.example", Facts(extra={"done": ["x"]}))
    with unchecked.story.store.begin() as tx:
        ours = office.queue(tx, reply, unchecked.story.now, seed="x")
    unchecked.receive(
        "Auto-Submitted: auto-replied",
        sender="MAILER-DAEMON@vendor.example",
        subject="Undelivered Mail Returned to Sender",
        text=f"Action: failed\nStatus: 5.1.1\n\nMessage-ID: {ours}\n",
    )
    assert unchecked.last()[0] == "mail.bounced" and unchecked.story.notices() == []


# ---------------------------------------------------------------- words that want to be more than words

HOSTILE = (
    "=?utf-8?q?Report=0D=0ABcc=3A_victim=40other.example=0D=0A=0D=0Abody?=",
    "=?utf-8?b?" + "Ug1CY2M6IHZpY3RpbUBvdGhlci5leGFtcGxlAA==" + "?=",
    "Report \x1b[2J\x1b]0;owned\x07 \x9b31m",
    "Report \u202egnp.exe \u2028Bcc: victim@other.example",
    "{{ 7 * 7 }} {% for x in range(9) %}x{% endfor %} {{ ''.__class__ }}",
    "<script>alert(1)</script> & <img src=x onerror=alert(1)>",
    "[#1001] \ufffc \ufffc\ufffc",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0ABcc=3A=3F=3D?=",
)


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words_in_mail_log_and_terminal(
    unchecked: Bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "triage"):
        unchecked.receive(subject=words)
        unchecked.receive(sender=f'"{words}" <eve@evil.example>', subject="x")
    reply = unchecked.story.sent()[0]
    assert reply["recipient"] == ANA
    made = message_from_bytes(reply["raw"], policy=policy.default)
    known = {
        "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted", "mime-version",
        "x-auto-response-suppress", "x-triage", "content-type", "content-transfer-encoding",
    }  # fmt: skip
    assert {name.lower() for name in made} <= known and made["Bcc"] is None
    text, html = text_of(reply["raw"]), made.get_body(("html",)).get_content()  # type: ignore[union-attr]
    for shown in (str(made["Subject"]), text, html):
        assert not set(shown) & set("\x1b\x9b\x07\u202e\u2028\ufffc\x00")
    assert "<script" not in html and "<img" not in html and "49" not in str(made["Subject"])

    written = [events._JsonLines().format(record) for record in caplog.records]
    assert written and all(len(line.splitlines()) == 1 and json.loads(line) for line in written)
    terminal = "\n".join(report.log_line(json.loads(line)) for line in written)
    with unchecked.story.store.look() as tx:
        mails = [{key: getattr(one, key) for key in one.__slots__} for one in tx.mails.of_ticket(1)]
        story = [(line.at, line.event, line.keys) for line in tx.tickets.story(1)]
    terminal += tell(unchecked.story.ticket(), story, mails, [])
    terminal += report.ticket_table([unchecked.story.ticket()])
    assert not set(terminal) & set("\x1b\x9b\x07\u202e\u2028\x00")


def test_an_envelope_address_that_is_an_encoded_word_proves_nothing(desk: Bytes) -> None:
    result = "spf=pass smtp.mailfrom==?utf-8?q?x=3B_dkim=3Dpass_header.d=3Dacme.example_?=@evil.example"
    desk.receive(f"Authentication-Results: {AUTHSERV}; {result}")
    assert desk.story.count() == 0


# ---------------------------------------------------------------- partners whose domain proves nothing


def unproven(desk: Story, sender: str) -> str:
    found = f"{AUTHSERV}; spf=none smtp.mailfrom={sender}; dkim=none; dmarc=none header.from={sender.partition('@')[2]}"
    return desk.receive(desk.mail(sender, headers={"authentication-results": (found,)}), checked=True)


def test_staff_hears_once_a_day_of_a_partner_whose_domain_proves_nothing(any_desk: Story) -> None:
    desk = any_desk
    for sender in ("tom@bolt.example", "ida@bolt.example", ANA):
        assert unproven(desk, sender) == "refused"
    desk.sweep()
    digest = text_of(desk.sent("staff_notices")[-1]["raw"])
    assert "neither SPF nor DKIM proves this sender's domain: bolt.example (Bolt), mail 1" in digest
    assert digest.count("bolt.example") == digest.count("acme.example") == 1
    unproven(desk, ANA)
    desk.now += timedelta(days=1)
    unproven(desk, ANA)
    assert desk.notices() == [("unproven", None)]
    assert {mail["recipient"] for mail in desk.sent()} == {"lead@vendor.example"}


def test_of_strangers_and_forgers_whose_domain_proves_nothing_nobody_hears(any_desk: Story) -> None:
    desk = any_desk
    unproven(desk, "someone@nowhere.example")
    found = f"{AUTHSERV}; spf=fail smtp.mailfrom={ANA}; dmarc=fail header.from=acme.example"
    desk.receive(desk.mail(ANA, headers={"authentication-results": (found,)}), checked=True)
    assert (desk.notices(), desk.sent()) == ([], [])
