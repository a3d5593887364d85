"""What is done about a mail: every way through the decision, from values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from triage.adapters import packs
from triage.core.clock import Rules, make_rules
from triage.core.decide import decide
from triage.core.model import (
    NO_HISTORY,
    Address,
    Body,
    Contact,
    Decision,
    Email,
    Evidence,
    History,
    Label,
    Reading,
    Sender,
    TicketState,
)
from triage.core.pack import Pack

NOW = datetime(2026, 1, 7, 8, tzinfo=UTC)  # a Wednesday, in working hours
FIELDS = ("description", "account", "asset", "element", "actions", "evidence")
PAAS = Contact("Acme", "paas", "ana@acme.example", timezone="America/Mexico_City")
OWN = Contact("Acme", "on_premise", "ana@acme.example", subscription_until=NOW + timedelta(days=90))
ANA = Sender("ana@acme.example", "Ana", "authorized", "Acme", (PAAS,))
MAIL = Email("<1@acme.example>", "f1", "Trips", (Address("ana@acme.example", "Ana"),), received=NOW, text="x")


@pytest.fixture(scope="module")
def rules() -> Rules:
    return make_rules(packs.load(packs.shipped_rules() / "navixy"))


def reading(
    *,
    kind: str = "request",
    has: tuple[str, ...] = FIELDS,
    questions: tuple[str, ...] = ("Why is it empty?",),
    request_type: str = "incident",
    service: str = "features",
    severity: str | None = "3",
    out_of_scope: str | None = None,
    language: str = "en",
    **more: object,
) -> Reading:
    """A reading that is complete, but for what is said."""
    made = Reading(
        kind=Label(kind),
        language=Label(language),
        language_code=language,
        body=Body("x"),
        questions=questions,
        questions_confidence=0.95,
        request_type=Label(request_type),
        service=Label(service),
        out_of_scope=Label(out_of_scope),
        severity=Label(severity),
        courtesy=Label("ok"),
        deployment=Label(None),
        fields={name: Label("true" if name in has else "false") for name in FIELDS},
    )
    return replace(made, **more)  # type: ignore[arg-type]


def ticket(**values: object) -> TicketState:
    made = TicketState(1, "1001", "Acme", "open", "paas", "3", "features", "incident", "en")
    return replace(made, **values)  # type: ignore[arg-type]


def decided(
    rules: Rules, said: Reading, sender: Sender = ANA, history: History = NO_HISTORY, mail: Email = MAIL
) -> Decision:
    return decide(mail, said, sender, rules, NOW, history)


def test_a_complete_incident_goes_to_a_specialist_with_a_guaranteed_time(rules: Rules) -> None:
    found = decided(rules, reading())
    assert (found.state, found.folder, found.missing) == ("open", "ready", ())
    assert found.clock and found.clock.guaranteed
    assert found.clock.due == datetime(2026, 1, 8, 6, tzinfo=UTC)  # six working hours from 08:00
    assert found.reply and found.reply.template == "accepted" and found.reply.to == "ana@acme.example"


def test_a_mail_out_of_hours_counts_from_the_next_opening_without_a_guarantee(rules: Rules) -> None:
    friday = datetime(2026, 1, 9, 13, tzinfo=UTC)  # the end of the window is not working time
    found = decided(rules, reading(), mail=replace(MAIL, received=friday))
    assert found.clock and not found.clock.guaranteed and found.clock.reason == "out-of-hours"
    assert found.clock.counted_from == datetime(2026, 1, 12, 5, tzinfo=UTC)
    assert found.clock.due == datetime(2026, 1, 12, 11, tzinfo=UTC)


def test_only_what_is_missing_is_asked_for(rules: Rules) -> None:
    has = ("account", "element", "actions", "evidence", "asset")
    found = decided(rules, reading(has=has))
    assert (found.state, found.folder, found.missing, found.clock) == (
        "awaiting_partner",
        "waiting",
        ("description",),
        None,
    )
    assert found.reply
    assert "what exactly happens" in found.reply.text
    assert "IMEI" not in found.reply.text


def test_what_earlier_mails_gave_is_not_asked_again(rules: Rules) -> None:
    history = History(
        ticket(state="awaiting_partner", fields=frozenset({"description", "account", "element"}), asked=1)
    )
    found = decided(rules, reading(kind="follow_up", has=("asset", "actions", "evidence")), history=history)
    assert (found.state, found.missing) == ("open", ())
    assert found.fields == frozenset(FIELDS)


def test_what_cannot_be_read_for_its_encryption_is_asked_for_in_clear(rules: Rules) -> None:
    mail = replace(MAIL, text="", defects=("encrypted",))
    found = decided(rules, reading(has=()), mail=mail)
    assert found.state == "awaiting_partner" and found.reasons == ("encrypted",) and "encrypted" in found.flags
    assert found.reply and "without encryption" in found.reply.text and "\n- " not in found.reply.text
    beside = decided(rules, reading(), mail=replace(MAIL, text="See below.", defects=("encrypted",)))
    assert beside.state == "open" and "encrypted" not in beside.flags


def test_asked_twice_a_person_decides(rules: Rules) -> None:
    history = History(ticket(state="awaiting_partner", asked=2))
    found = decided(rules, reading(kind="follow_up", has=()), history=history)
    assert (found.state, found.folder) == ("open", "ready")
    assert "incomplete" in found.flags
    assert found.missing
    assert found.clock


def test_an_unsure_reading_of_absence_is_not_asked_for(rules: Rules) -> None:
    unsure = {name: Label("false", 0.1) for name in FIELDS}
    assert decided(rules, reading(fields=unsure)).missing == ()


def test_several_questions_are_quoted_back(rules: Rules) -> None:
    found = decided(rules, reading(questions=("How do I export?", "Why is it slow?")))
    assert (found.state, found.reasons) == ("awaiting_partner", ("several-questions",))
    assert found.reply
    assert "1. How do I export?\n2. Why is it slow?" in found.reply.text


def test_an_unsure_second_question_is_no_second_question(rules: Rules) -> None:
    found = decided(rules, reading(questions=("a", "b"), questions_confidence=0.3))
    assert found.state == "open"


def test_a_pack_that_splits_makes_a_ticket_of_each_question(rules: Rules) -> None:
    policy = rules.pack.policy.model_copy(update={"questions": "split"})
    splitting = replace(rules, pack=rules.pack.model_copy(update={"policy": policy}))
    found = decided(splitting, reading(questions=("How do I export?", "Why is it slow?")))
    assert (found.state, found.split) == ("open", ("How do I export?", "Why is it slow?"))
    assert found.reply and found.reply.template == "split"


@pytest.mark.parametrize("kind", ["auto_reply", "bounce", "list", "loop"])
def test_machine_mail_is_never_answered(rules: Rules, kind: str) -> None:
    for sender in (ANA, Sender("x@y.example", "", "unknown")):
        found = decided(rules, reading(kind=kind), sender)
        assert (found.state, found.folder, found.reply, found.clock) == ("ignored", "ignored", None, None)


def test_a_partners_mail_that_only_sounds_like_a_machines_is_seen_by_a_person(rules: Rules) -> None:
    learned, said = Evidence("learned.kind.auto_reply", "reading", "x"), Evidence("en.auto.away", "reading", "x")
    heard = replace(reading(), kind=Label("auto_reply", 0.8, (learned,)))
    found = decided(rules, heard)
    assert (found.state, found.folder, found.reply, found.clock) == ("ignored", "ready", None, None)
    assert decided(rules, replace(heard, kind=Label("auto_reply", 0.8, (learned, said)))).folder == "ignored"
    assert decided(rules, heard, Sender("kim@x.example", status="unknown")).folder == "ignored"


def test_thanks_neither_reopens_nor_restarts(rules: Rules) -> None:
    history = History(ticket(state="answered"))
    found = decided(rules, reading(kind="thanks"), history=history)
    assert (found.state, found.event, found.reply, found.clock) == ("answered", "nothing", None, None)


def test_a_stranger_is_told_once_to_ask_his_partner(rules: Rules) -> None:
    stranger = Sender("tom@x.example", "Tom", "unknown", reason="not-a-partner")
    first = decided(rules, reading(), stranger)
    assert (first.state, first.event, first.stranger_told) == ("refused", "nothing", True)
    assert first.reply and first.reply.template == "stranger"
    assert "Acme" not in first.reply.text
    again = decided(rules, reading(), stranger, History(stranger_told_at=NOW - timedelta(days=29)))
    assert again.reply is None
    later = decided(rules, reading(), stranger, History(stranger_told_at=NOW - timedelta(days=30)))
    assert later.reply


def test_a_stranger_whose_language_is_not_clear_is_told_in_all(rules: Rules) -> None:
    unclear = reading(language="other")
    found = decided(rules, replace(unclear, language=Label("other", 0.2)), Sender("tom@x.example", "", "unknown"))
    assert found.reply and found.reply.language == "en+es"


@pytest.mark.parametrize("verified", ["forged", "unproven"])
def test_a_forged_sender_gets_nothing(rules: Rules, verified: str) -> None:
    forged = Sender("ana@acme.example", "", "unauthenticated", verified=verified, reason=verified)
    found = decided(rules, reading(), forged, History(ticket()))
    assert (found.state, found.folder, found.event, found.reply) == ("refused", "refused", "nothing", None)


def test_a_sender_without_any_verdict_is_held(rules: Rules) -> None:
    unknown = Sender("ana@acme.example", "", "unauthenticated", verified="no-verdict", reason="no-verdict")
    assert decided(rules, reading(), unknown).folder == "quarantine"


def test_a_mail_without_a_sender_is_for_a_person_to_look_at(rules: Rules) -> None:
    found = decided(rules, reading(), Sender("", "", "unauthenticated", reason="no-from"))
    assert (found.folder, found.reply) == ("quarantine", None)


@pytest.mark.parametrize(("status", "flag"), [("unsubscribed", ("lapsed",)), ("suspended", ())])
def test_a_lapsed_or_suspended_partner_is_told_why(rules: Rules, status: str, flag: tuple[str, ...]) -> None:
    sender = Sender("ana@acme.example", "Ana", status, "Acme", (OWN,))
    found = decided(rules, reading(), sender)
    assert (found.state, found.event, found.flags, found.clock) == ("refused", "refusal", flag, None)
    assert found.reply and found.reply.template == status


def test_what_the_partner_does_himself_goes_to_a_person_without_a_guarantee(rules: Rules) -> None:
    sender = Sender("ana@acme.example", "Ana", "authorized", "Acme", (OWN,))
    found = decided(rules, reading(request_type="change", service="ssl", severity=None), sender)
    assert found.clock and not found.clock.guaranteed
    assert found.state == "open"
    assert found.reply and "Performed by Partner" in found.reply.text


def test_a_fault_keeps_its_guarantee_whoever_does_such_work(rules: Rules) -> None:
    sender = Sender("ana@acme.example", "Ana", "authorized", "Acme", (OWN,))
    found = decided(rules, reading(service="software_configuration", severity="1"), sender)
    assert found.clock and found.clock.guaranteed and found.clock.hours == 3


def test_out_of_scope_names_where_to_turn_and_guarantees_nothing(rules: Rules) -> None:
    said = reading(out_of_scope="gps_hardware", service="none", request_type="question", severity=None)
    found = decided(rules, said)
    assert found.state == "open" and found.clock and not found.clock.guaranteed
    assert found.reply and "manufacturer" in found.reply.text


def test_an_unsure_scope_is_not_said(rules: Rules) -> None:
    said = replace(reading(severity=None, request_type="question"), out_of_scope=Label("gps_hardware", 0.2))
    found = decided(rules, said)
    assert found.out_of_scope is None
    assert found.reply and "manufacturer" not in found.reply.text


def refusing(rules: Rules) -> Rules:
    """A pack that refuses what is out of scope."""
    scopes = [one.model_copy(update={"action": "refuse"}) for one in rules.pack.scopes]
    changed: Pack = rules.pack.model_copy(update={"scopes": scopes})
    return replace(rules, pack=Pack.model_validate(changed.model_dump()))


def test_a_pack_can_refuse_a_kind_of_request_but_never_on_an_unsure_reading(rules: Rules) -> None:
    sales = {"action": "refuse", "says": {"en": "Please write to sales.", "es": "Escriba a ventas."}}
    types = [one.model_copy(update=sales if one.id == "other" else {}) for one in rules.pack.request_types]
    pack = Pack.model_validate(rules.pack.model_copy(update={"request_types": types}).model_dump())
    refusing = make_rules(pack)
    found = decided(refusing, reading(request_type="other", severity=None))
    assert (found.state, found.reasons) == ("refused", ("request-type:other",))
    assert found.reply and "Please write to sales." in found.reply.text
    unsure = replace(reading(severity=None), request_type=Label("other", 0.3))
    assert decided(refusing, unsure).state == "open"


def test_a_pack_can_refuse_a_scope_but_never_on_an_unsure_reading(rules: Rules) -> None:
    said = reading(out_of_scope="server", service="server_administration", request_type="question", severity=None)
    assert decided(refusing(rules), said).state == "refused"
    unsure = replace(said, out_of_scope=Label("server", 0.3))
    assert decided(refusing(rules), unsure).state == "open"


def test_a_partner_with_two_deployments_is_asked_which(rules: Rules) -> None:
    both = Sender("ana@acme.example", "Ana", "authorized", "Acme", (PAAS, OWN))
    found = decided(rules, reading(), both)
    assert found.state == "awaiting_partner"
    assert found.reply and "PaaS or On-premise" in found.reply.text
    told = decided(rules, replace(reading(), deployment=Label("on_premise")), both)
    assert (told.state, told.deployment) == ("open", "on_premise")


def test_rude_mail_is_flagged_and_answered_like_any(rules: Rules) -> None:
    found = decided(rules, replace(reading(), courtesy=Label("rude")))
    assert found.flags == ("rude",) and found.state == "open" and found.reply


def test_the_acknowledgement_is_left_out_where_it_is_not_wanted(rules: Rules) -> None:
    mail = replace(MAIL, headers={"x-auto-response-suppress": ("OOF, AutoReply",)})
    found = decided(rules, reading(), mail=mail)
    assert found.clock and found.reply is None
    asked = decided(rules, reading(has=()), mail=mail)
    assert asked.reply, "the ticket cannot go on without an answer"


@pytest.mark.parametrize(
    "history",
    [
        History(ticket(), replies_in_ticket=6),
        History(replies_to_address=2500),
        History(same_text=5),
        History(ticket(), replies_in_ticket=3, seconds_since_reply=1.0),
    ],
)
def test_a_robot_gets_no_reply_but_loses_nothing(rules: Rules, history: History) -> None:
    found = decided(rules, reading(), history=history)
    assert found.reply is None and found.state == "open" and found.clock and "robot" in found.flags


@pytest.mark.parametrize("said", [reading(has=()), reading(questions=("a?", "b?"))])
def test_who_cannot_be_asked_is_looked_at_by_a_person(rules: Rules, said: Reading) -> None:
    found = decided(rules, said, history=History(same_text=5))
    assert (found.state, found.folder, found.reply) == ("open", "ready", None)
    assert found.clock and set(found.flags) >= {"incomplete", "robot"}


def test_a_desk_that_acknowledges_our_question_does_not_answer_it(rules: Rules) -> None:
    history = History(ticket(state="awaiting_partner", asked=1), foreign_desk=True)
    found = decided(rules, reading(has=()), history=history)
    assert (found.state, found.reply, found.clock) == ("awaiting_partner", None, None) and "robot" in found.flags


@pytest.mark.parametrize(
    "address", ['"ana ruiz"@acme.example', "aña@acme.example", "root@localhost", "ana@[127.0.0.1]"]
)
def test_an_address_that_takes_no_mail_of_ours_is_told_to_staff(rules: Rules, address: str) -> None:
    found = decided(rules, reading(), replace(ANA, address=address))
    assert found.state == "open" and found.clock and found.reply is None and found.flags == ("unreachable",)
    stranger = decided(rules, reading(), Sender(address, status="unknown"))
    assert stranger.folder == "refused" and stranger.reply is None and not stranger.stranger_told


def test_a_quick_answer_alone_makes_no_robot(rules: Rules) -> None:
    assert decided(rules, reading(), history=History(ticket(), replies_in_ticket=1, seconds_since_reply=0.5)).reply


@pytest.mark.parametrize(
    ("mail", "contact", "ticket_language", "replied"),
    [("es", "en", "en", "es"), ("other", "es", "en", "es"), ("other", "", "es", "es"), ("other", "", "", "en+es")],
)
def test_the_language_of_the_reply(rules: Rules, mail: str, contact: str, ticket_language: str, replied: str) -> None:
    sender = replace(ANA, contacts=(replace(PAAS, language=contact),))
    history = History(ticket(language=ticket_language)) if ticket_language else NO_HISTORY
    found = decided(rules, reading(language=mail), sender, history)
    assert found.reply and found.reply.language == replied


def test_the_same_values_give_the_same_decision(rules: Rules) -> None:
    assert decided(rules, reading()) == decided(rules, reading())
