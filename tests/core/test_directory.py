"""Who a sender is: by the one address in From, and by nothing else that a mail says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triage.core.authenticity import FORGED, NO_VERDICT, PROVEN, UNCHECKED, UNPROVEN
from triage.core.directory import Directory, identify, listed, untagged
from triage.core.model import Address, Contact, Email, Sender

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME, BETA = "Acme GPS", "Beta Tracking"


def contact(address: str, partner: str = ACME, **values: object) -> Contact:
    return Contact(partner, str(values.pop("deployment", "paas")), address, **values)  # type: ignore[arg-type]


DIRECTORY = Directory(
    [
        contact("ana@acme.example"),
        contact("@acme-technik.example", role="technician"),
        contact("old@acme-technik.example", status="suspended"),
        contact("desk+acme@shared.example"),
        contact("desk+beta@shared.example", BETA),
        contact("both@freelance.example"),
        contact("both@freelance.example", BETA, deployment="on_premise", subscription_until=NOW + timedelta(days=9)),
        contact("lapsed@beta.example", BETA, deployment="on_premise", subscription_until=NOW - timedelta(seconds=1)),
        contact("unset@beta.example", BETA, deployment="on_premise"),
        contact("@xn--bcher-kva.example"),
    ]
)


def who(
    *addresses: str, verified: str = UNCHECKED, name: str = "", staff: tuple[str, ...] = (), **email: object
) -> Sender:
    mail = Email(from_=tuple(Address(address, name) for address in addresses), **email)  # type: ignore[arg-type]
    return identify(
        mail,
        DIRECTORY,
        NOW,
        deployments_with_subscription=frozenset({"on_premise"}),
        staff=staff,
        verified=verified,
        own=("support@vendor.example",),
    )


def test_a_listed_mailbox_is_its_partner() -> None:
    found = who("ana@acme.example")
    assert (found.status, found.partner, found.reason) == ("authorized", ACME, "")


def test_a_listed_domain_stands_for_everyone_there_and_for_nobody_below() -> None:
    assert who("anyone@acme-technik.example").status == "authorized"
    assert who("anyone@mail.acme-technik.example").status == "unknown"
    assert who("anyone@evilacme-technik.example").status == "unknown"


def test_a_mailbox_comes_before_its_domain() -> None:
    assert who("old@acme-technik.example").status == "suspended"


def test_a_plus_tag_does_not_count_unless_it_is_listed() -> None:
    assert who("ana+gps@acme.example").partner == ACME
    assert who("desk+beta@shared.example").partner == BETA
    assert who("desk@shared.example").status == "unknown"
    assert who("desk+other@shared.example").status == "unknown"
    assert who("+ana@acme.example").status == "unknown"


@pytest.mark.parametrize(
    "address",
    [
        "ana@acme.exampl\u0435",
        "ana@\u0430cme.example",
        "ana@acme.example.evil.example",
        "ana@acme-example",
        "an\u0430@acme.example",
    ],
)
def test_what_looks_alike_is_somebody_else(address: str) -> None:
    assert who(address).status == "unknown"


def test_a_domain_in_other_letters_is_known_by_its_ascii_form() -> None:
    assert who("eva@xn--bcher-kva.example").status == "authorized"
    assert who("eva@bucher.example").status == "unknown"


def test_a_display_name_authorizes_nobody() -> None:
    assert who("eve@evil.example", name="ana@acme.example").status == "unknown"
    assert who("eve@evil.example", name="Ana <ana@acme.example>").status == "unknown"


def test_no_other_header_authorizes_anybody() -> None:
    partner = (Address("ana@acme.example"),)
    assert who("eve@evil.example", sender=partner, reply_to=partner, cc=partner, to=partner).status == "unknown"


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        (who("ana@acme.example", "eve@evil.example"), "several-from"),
        (who("ana@acme.example", defects=("several-from",)), "several-from"),
        (who("ana@acme.example", defects=("bad-from",)), "bad-from"),
        (who(), "no-from"),
        (who(""), "no-from"),
    ],
)
def test_an_address_in_doubt_authorizes_nobody(sender: Sender, reason: str) -> None:
    assert (sender.status, sender.reason, sender.partner) == ("unauthenticated", reason, None)


@pytest.mark.parametrize("verified", [FORGED, UNPROVEN, NO_VERDICT])
@pytest.mark.parametrize("address", ["ana@acme.example", "eva@vendor-staff.example", "stranger@nowhere.example"])
def test_where_senders_are_checked_only_a_proven_one_is_anybody(verified: str, address: str) -> None:
    found = who(address, verified=verified, staff=("@vendor-staff.example",))
    assert (found.status, found.staff, found.partner, found.contacts) == ("unauthenticated", False, None, ())
    assert found.reason == verified


def test_a_proven_partner_is_authorized() -> None:
    assert who("ana@acme.example", verified=PROVEN).status == "authorized"


def test_staff_is_staff_before_it_is_a_partner() -> None:
    assert who("ana@acme.example", staff=("ana@acme.example",)).staff
    assert who("ana+x@acme.example", staff=("@acme.example",)).staff
    assert not who("ana@acme.example", staff=("@cme.example",)).staff


@pytest.mark.parametrize("address", ["support@vendor.example", "support+1@vendor.example"])
def test_our_own_address_is_nobody_who_could_be_answered(address: str) -> None:
    found = who(address, verified=PROVEN, staff=("@vendor.example",))
    assert (found.status, found.reason, found.staff) == ("unauthenticated", "own-address", False)


def test_one_person_may_work_for_two_partners() -> None:
    found = who("both@freelance.example")
    assert [(one.partner, one.deployment) for one in found.contacts] == [(ACME, "paas"), (BETA, "on_premise")]


def test_a_lapsed_subscription_is_one_that_ended_or_is_not_told() -> None:
    assert who("lapsed@beta.example").status == "unsubscribed"
    assert who("unset@beta.example").status == "unsubscribed"
    assert who("lapsed@beta.example").partner == BETA


def test_listed_knows_mailboxes_and_domains_whatever_the_tag() -> None:
    entries = ("ana@acme.example", "@beta.example")
    assert listed("ana+1@acme.example", entries) and listed("x@beta.example", entries)
    assert not listed("bob@acme.example", entries) and not listed("@beta.example", entries)
    assert untagged("a+b+c@x.example") == "a@x.example"
