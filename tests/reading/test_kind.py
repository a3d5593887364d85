"""What sort of mail it is: machines by several signs, people by what they ask, thanks by what is left to do."""

import tomllib
from pathlib import Path

import pytest

from triage.core import threads
from triage.core.model import Address, Attachment, Desk, Email, Label
from triage.core.pack import Learned, Manifest, Pack, Words
from triage.core.reading.body import take_apart
from triage.core.reading.kind import kind
from triage.core.reading.machine import keyword
from triage.core.reading.matches import lexicon

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"
CASES = tomllib.loads((Path(__file__).parent / "kind_cases.toml").read_text("utf-8"))["mail"]
DESK = Desk(("support@desk.example", "soporte@desk.example"), ("support.desk.example",), b"k" * 32)

ASKS = "Hello, device 867232051234567 has been offline since Monday. Could you please check it?"
TELLS = "Your receipt number 1000 is available in the portal."
AWAY = "I am out of the office until Monday."
ACKNOWLEDGES = "Your request is registered as {{ number }}. A person of the desk reads it within the working hours.\n"


def words(language: str) -> Words:
    parts = [Words.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in (WORDS / language).glob("*.toml")]
    return Words(rule=[one for part in parts for one in part.rule], form=[one for part in parts for one in part.form])


PACK = Pack.model_construct(
    manifest=Manifest(name="x", title="x", vendor="x", version="1", in_force="2025-01-01", languages=["en", "es"]),
    words={language: words(language) for language in ("en", "es", "any")},
    replies={"en": {"received": ACKNOWLEDGES}},
)


def mail(subject: str, text: str, sender: str = "juan@fleet.example", **more: object) -> Email:
    headers = {name.lower(): (value,) for name, value in more.pop("headers", {}).items()}  # type: ignore[attr-defined]
    more.setdefault("to", (Address("support@desk.example"),))
    return Email(subject=subject, text=text, from_=(Address(sender),), headers=headers, **more)  # type: ignore[arg-type]


def read(email: Email, desk: Desk = DESK) -> Label:
    body = take_apart(email.text, subject=email.subject)
    signals = lexicon(PACK, ["en", "es"]).signals(body.text, email.subject)
    return kind(email, body, "en", signals, PACK, desk)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}: {case['subject']}"[:60])
def test_subject_and_words_tell_the_sort(case: dict[str, str]) -> None:
    label = read(mail(case["subject"], case["text"]))
    assert label.value == case["kind"]
    assert 0.0 < label.confidence <= 1.0


def test_learned_words_help_the_rules_and_do_not_outweigh_a_persons_thanks() -> None:
    weights = {"auto_reply": {"voicemail": 9.0}, "person": {"voicemail": -9.0}}
    learned = Learned(label="kind", card={}, rules=1.0, start={"auto_reply": 0.0, "person": 0.0}, weights=weights)
    taught = PACK.model_copy(update={"learned": {"kind": learned}})

    def told(text: str) -> Label:
        body = take_apart(text)
        signals = lexicon(taught, ["en"]).signals(body.text, "x")
        return kind(mail("x", text), body, "en", signals, taught, DESK)

    assert told("Voicemail, thank you.").value == "thanks"
    assert told("Voicemail, until Monday.").value == "auto_reply"
    assert "learned.kind.auto_reply" in [one.rule for one in told("Voicemail, until Monday.").evidence]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("auto-replied", "auto-replied"),
        ("Auto-Replied (vacation); owner-email=x", "auto-replied"),
        ("(a comment) AUTO-GENERATED", "auto-generated"),
        ("No (sent by hand)", "no"),
        ('"auto_reply"', "auto_reply"),
        ("", ""),
        ("(((", "((("),
    ],
)
def test_header_words_are_read_without_comments_parameters_and_case(value: str, word: str) -> None:
    assert keyword(value) == word


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("auto_reply", {"Auto-Submitted": "auto-replied"}),
        ("auto_reply", {"Auto-Submitted": "Auto-Replied (vacation); owner-email=x"}),
        ("auto_reply", {"X-Autoreply": "yes", "Precedence": "bulk"}),
        ("auto_reply", {"X-Autorespond": "away", "Precedence": "auto_reply"}),
        ("auto_reply", {"Precedence": "auto_reply"}),
        ("auto_reply", {"X-POST-MessageClass": "9; Autoresponder"}),
        ("bounce", {"X-Failed-Recipients": "a@fleet.example"}),
        ("list", {"List-Unsubscribe": "<mailto:u@news.example>", "X-Mailchimp-Id": "1", "Precedence": "bulk"}),
        ("request", {"Auto-Submitted": "no", "Return-Path": "<>"}),
        ("request", {"X-Auto-Response-Suppress": "All"}),
    ],
)
def test_headers_tell_the_sort_of_a_mail_that_says_nothing(value: str, headers: dict[str, str]) -> None:
    assert read(mail("x", TELLS, headers=headers)).value == value


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "no"},
        {"Auto-Submitted": "auto-generated"},
        {"Auto-Submitted": "auto-generated", "Return-Path": "<>", "X-MS-Exchange-Inbox-Rules-Loop": "a@fleet.example"},
        {"Auto-Submitted": "auto-generated", "X-Forwarded-To": "support@desk.example"},
        {"X-Auto-Response-Suppress": "OOF, AutoReply"},
        {"Precedence": "bulk"},
        {"Return-Path": "<>"},
        {"List-Unsubscribe": "<mailto:u@crm.example>", "Precedence": "bulk", "Feedback-ID": "1:crm"},
        {"List-Id": "CRM <123.crm.example>", "List-Unsubscribe": "<mailto:u@crm.example>"},
        {"List-Id": "Support <support.desk.example>", "Precedence": "list", "List-Unsubscribe": "<mailto:u@x.example>"},
    ],
)
def test_marks_of_machines_on_a_persons_mail_lose_it_to_nobody(headers: dict[str, str]) -> None:
    assert read(mail("Offline", ASKS, headers=headers)).value == "request"


@pytest.mark.parametrize(
    ("value", "email"),
    [
        ("bounce", mail("x", "", content_type="multipart/report", report_type="delivery-status")),
        (
            "auto_reply",
            mail(
                "x",
                "Your message was delivered",
                content_type="multipart/report",
                report_type="delivery-status",
                report_fields={"action": "delivered"},
            ),
        ),
        ("auto_reply", mail("x", "", content_type="multipart/report", report_type="disposition-notification")),
        ("auto_reply", mail("Ok", "", attachments=(Attachment("a.ics", "text/calendar", 9, text="METHOD:REPLY\n"),))),
        (
            "request",
            mail("Call", ASKS, attachments=(Attachment("a.ics", "text/calendar", 9, text="METHOD:REQUEST\n"),)),
        ),
        ("bounce", mail("x", TELLS, "mailer-daemon@mx.example")),
        ("bounce", mail("Mail delivery failed", "", "postmaster@mx.example", headers={"Return-Path": "<>"})),
        ("request", mail("Offline", ASKS, "postmaster@fleet.example")),
        ("auto_reply", mail("Paid", TELLS, "no-reply@pay.example", headers={"Auto-Submitted": "auto-generated"})),
        ("list", mail("News", "New cameras.", "newsletter@news.example", headers={"List-Unsubscribe": "<mailto:u>"})),
        (
            "list",
            mail(
                "[users] how to reset?",
                "Does anyone know how to reset it?",
                to=(Address("users@lists.example"),),
                headers={"List-Id": "<users.lists.example>", "List-Post": "<mailto:u>", "Precedence": "list"},
            ),
        ),
        (
            "bounce",
            mail("Undelivered Mail Returned to Sender", "x", headers={"List-Id": "<a.b>", "Precedence": "list"}),
        ),
        (
            "auto_reply",
            mail("Automatic reply: x", AWAY, headers={"Auto-Submitted": "auto-generated", "Return-Path": "<>"}),
        ),
    ],
)
def test_structure_and_sender_tell_the_sort(value: str, email: Email) -> None:
    assert read(email).value == value


OURS = threads.message_id(DESK, "51000", "x")


@pytest.mark.parametrize(
    "email",
    [
        mail("x", ASKS, "support@desk.example"),
        mail("x", ASKS, "support+tag@desk.example"),
        mail("x", ASKS, "soporte@desk.example."),
        mail("x", ASKS, message_id=OURS),
        mail("x", ASKS, headers={"X-Google-Original-Message-ID": OURS}),
        mail("x", ASKS, headers={"X-Triage": "reply"}),
        mail("Fwd: x", "Your request is registered as 51000. A person of the desk reads it within the working hours."),
    ],
)
def test_our_own_mail_is_known_when_it_comes_back(email: Email) -> None:
    label = read(email)
    assert label.value == "loop"
    assert label.confidence >= 0.9


def test_an_answer_to_our_mail_or_our_address_in_a_name_is_no_loop() -> None:
    assert read(mail("x", ASKS, in_reply_to=(OURS,))).value == "follow_up"
    named = Email(subject="x", text=ASKS, from_=(Address("a@fleet.example", "support@desk.example"),))
    assert read(named).value == "request"


def test_a_sender_that_our_own_group_rewrote_is_no_loop() -> None:
    headers = {"List-Id": "Support <support.desk.example>", "X-Original-From": "Juan <juan@fleet.example>"}
    assert read(mail("x", ASKS, "support@desk.example", headers=headers)).value == "request"
    assert read(mail("x", ASKS, "support@desk.example", headers={"List-Id": "<other.example>"})).value == "loop"


def test_what_is_passed_on_is_a_matter_of_its_own_unless_it_is_ours() -> None:
    assert read(mail("Fwd: x", ASKS, in_reply_to=("<a@client.example>",))).value == "request"
    assert read(mail("Fwd: x", ASKS, in_reply_to=(OURS,))).value == "follow_up"


def test_a_mail_without_words_is_empty_unless_something_is_attached() -> None:
    shot = Attachment("shot.png", "image/png", 90_000, inline=True)
    logo = Attachment("logo.png", "image/png", 900, inline=True)
    assert read(mail("", "", attachments=(shot,))).value == "request"
    assert read(mail("Re: x", "", attachments=(Attachment("a.log", "text/plain", 9),))).value == "follow_up"
    assert read(mail("Re: x", "\n", attachments=(logo,))).value == "empty"
    # The subject may be all that somebody wrote, or a footer be more than one: a person should look.
    assert read(mail("", "Sent from my iPhone")).value == "empty"
    assert read(mail("", "Sent from my iPhone")).confidence < 0.5
    assert read(mail("", "Plataforma Caída")).value == "request"
    assert read(mail("All vehicles of account 5512 are offline", "")).confidence < 0.5


def test_a_verdict_on_words_alone_is_less_sure_than_one_on_structure() -> None:
    words_only = read(mail("Re: x", AWAY))
    structure = read(mail("x", "", content_type="multipart/report", report_type="delivery-status"))
    assert words_only.value == "auto_reply"
    assert words_only.confidence < structure.confidence


def test_every_verdict_of_a_machine_says_why() -> None:
    for case in CASES:
        label = read(mail(case["subject"], case["text"]))
        if label.value in ("auto_reply", "bounce", "list", "loop"):
            assert label.evidence


@pytest.mark.parametrize(
    "filler", ["a", " ", "? ", "(", "[", "no ", "re: ", ">", "¿", "thanks ", "gracias. ", "550 5.1.1 "]
)
def test_hostile_text_is_read_in_time(filler: str) -> None:
    read(mail(filler * 2000, filler * 20_000, headers={"Auto-Submitted": filler * 2000, "List-Id": filler * 2000}))
