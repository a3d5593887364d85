"""Whose word on a sender counts: our own server's, its topmost, read in one way only."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.core.authenticity import (
    FORGED,
    NO_NAME,
    NO_VERDICT,
    PROVEN,
    UNCHECKED,
    UNPROVEN,
    aligned,
    author,
    parse,
    verify,
)
from triage.core.model import Address, Email, Trust

OURS = Trust("mx.vendor.example")
MICROSOFT = Trust(NO_NAME)


def mail(*results: str, sender: str = "ana@partner.example", **headers: str | tuple[str, ...]) -> Email:
    kept = {name.replace("_", "-"): (value,) if isinstance(value, str) else value for name, value in headers.items()}
    if results:
        kept["authentication-results"] = results
    return Email(from_=(Address(sender),), headers=kept)


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ("dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=partner.example", PROVEN),
        ("dmarc=pass", PROVEN),
        ("spf=pass smtp.mailfrom=ana@partner.example; dmarc=pass (p=none dis=none) d=partner.example", PROVEN),
        ("DMARC = PASS header.from = Partner.Example", PROVEN),
        ("dmarc=pass header.from=other.example", UNPROVEN),
        ("dmarc=fail header.from=partner.example", FORGED),
        ("dmarc=none header.from=partner.example", UNPROVEN),
        ("dmarc=permerror header.from=partner.example", UNPROVEN),
        ("dmarc=temperror header.from=partner.example", NO_VERDICT),
        ("dkim=pass header.d=partner.example header.s=s1 header.b=abc", PROVEN),
        ("dkim=pass header.i=@mail.partner.example", PROVEN),
        ("dkim=pass (2048-bit key; unprotected) header.d=partner.example", PROVEN),
        ('dkim=pass header.d="partner.example" header.b="a+b/c="', PROVEN),
        ('dkim=pass reason="a; b (c) d=e" header.d=partner.example', PROVEN),
        ('spf=pass smtp.mailfrom="Ana Ruiz"@partner.example x-tls.subject="/O=Partner Inc/CN=mx"', PROVEN),
        ("dkim=pass header.d=evil.example", UNPROVEN),
        ("dkim=pass header.d=notpartner.example", UNPROVEN),
        ("dkim=pass header.d=example", UNPROVEN),
        ("dkim=fail header.d=partner.example", UNPROVEN),
        ("dkim=pass header.d=evil.example header.d=partner.example", UNPROVEN),
        ("spf=pass smtp.mailfrom=ana@partner.example", PROVEN),
        ("spf=pass smtp.mailfrom=partner.example", PROVEN),
        ("spf=pass smtp.mailfrom=bounces.partner.example", PROVEN),
        ("spf=pass smtp.helo=mail.partner.example", PROVEN),
        ("spf=pass smtp.mailfrom=evil@evil.example smtp.helo=partner.example", UNPROVEN),
        ("spf=fail smtp.mailfrom=ana@partner.example", FORGED),
        ("spf=fail smtp.mailfrom=list@forwarder.example", UNPROVEN),
        ("spf=softfail smtp.mailfrom=ana@partner.example", UNPROVEN),
        ("spf=temperror smtp.mailfrom=ana@partner.example", NO_VERDICT),
        ("dkim=temperror header.d=mail.partner.example; dmarc=none header.from=partner.example", NO_VERDICT),
        ("dkim=temperror; dmarc=none header.from=partner.example", NO_VERDICT),
        # What he signs himself, the name server of which he can keep silent, is no reason to hold his mail.
        ("dkim=temperror header.d=evil.example; dmarc=none header.from=partner.example", UNPROVEN),
        (
            "spf=temperror smtp.mailfrom=evil.example; iprev=temperror; dmarc=temperror header.from=evil.example",
            UNPROVEN,
        ),
        ("iprev=pass policy.iprev=192.0.2.1; auth=pass smtp.auth=ana@partner.example", UNPROVEN),
        # The owner of the domain demands more than alignment in general.
        ("dkim=pass header.d=news.partner.example; dmarc=fail header.from=partner.example", FORGED),
        ("none", NO_VERDICT),
        ("", UNPROVEN),
    ],
)
def test_dmarc_or_aligned_dkim_or_spf_proves_the_address(result: str, verdict: str) -> None:
    assert verify(mail(f"mx.vendor.example; {result}"), OURS) == verdict


def test_without_a_configured_server_nothing_is_checked() -> None:
    assert verify(mail("mx.vendor.example; dmarc=fail header.from=partner.example"), Trust()) == UNCHECKED
    assert verify(mail(), Trust("  ")) == UNCHECKED


def test_without_a_header_of_our_server_there_is_no_verdict() -> None:
    assert verify(mail(), OURS) == NO_VERDICT
    assert verify(mail("mx.evil.example; dmarc=pass header.from=partner.example"), OURS) == NO_VERDICT
    assert verify(mail("mx.vendor.example.evil.example; dmarc=pass"), OURS) == NO_VERDICT


def test_the_name_may_differ_in_case_and_have_a_version() -> None:
    assert verify(mail("(a comment) MX.Vendor.Example 1; dmarc=pass"), OURS) == PROVEN
    assert verify(mail('"mx.vendor.example"; dmarc=pass'), OURS) == PROVEN


def test_only_the_topmost_header_of_our_server_counts() -> None:
    real = "mx.vendor.example; dmarc=fail header.from=partner.example"
    forged = "mx.vendor.example; dmarc=pass header.from=partner.example"
    assert verify(mail(real, forged), OURS) == FORGED
    # Another server's above ours, as of a relay behind it, says nothing.
    assert verify(mail("relay.vendor.example; dmarc=pass", real, forged), OURS) == FORGED


def test_microsoft_365_writes_no_name() -> None:
    real = (
        "spf=pass (sender IP is 192.0.2.7) smtp.mailfrom=partner.example; dkim=pass (signature was verified)"
        " header.d=partner.example;dmarc=pass action=none header.from=partner.example;compauth=pass reason=100"
    )
    assert verify(mail(real), MICROSOFT) == PROVEN
    fail = (
        "spf=none smtp.mailfrom=evil.example; dkim=none header.d=none;dmarc=fail action=oreject"
        " header.from=partner.example;compauth=fail reason=000"
    )
    assert verify(mail(fail, real), MICROSOFT) == FORGED
    assert verify(mail("dmarc=bestguesspass action=none header.from=partner.example;"), MICROSOFT) == PROVEN
    # Its header is not that of a server with a name.
    assert verify(mail(real), OURS) == NO_VERDICT
    assert verify(mail("mx.evil.example; dmarc=pass"), MICROSOFT) == NO_VERDICT


@pytest.mark.parametrize(
    "result",
    [
        # The server repeats the envelope address that the sender chose.
        'spf=pass smtp.mailfrom="x; dmarc=pass header.from=partner.example"@evil.example',
        'spf=pass smtp.mailfrom="x\\"; dmarc=pass header.from=partner.example; y=\\""@evil.example',
        'spf=pass smtp.mailfrom="ana@partner.example"@evil.example',
        'spf=pass smtp.mailfrom="a smtp.mailfrom=ana@partner.example"@evil.example',
        'spf=pass (mx: domain of "x) ; dmarc=pass header.from=partner.example; y=z ("@evil.example) smtp.helo=x.example',  # noqa: E501
        "spf=pass (mx: domain of x\\) ; dmarc=pass) smtp.mailfrom=evil.example",
        "spf=pass (mx: domain of x(y; dmarc=pass) smtp.mailfrom=evil.example",
        'spf=none smtp.mailfrom="x; dkim=pass header.d=partner.example',
        "dkim=pass header.d=evil.example header.i=@evil.example header.b=x reason=header.d=partner.example",
        "dkim=pass (header.d=partner.example) header.d=evil.example",
        "x-dmarc=pass header.from=partner.example",
        "dmarc.x=pass header.from=partner.example",
        "dmarc=passed header.from=partner.example",
        "spf=pass smtp.mailfrom=ana@partner.example.evil.example",
        "spf=pass smtp.mailfrom=ana@evil.example?partner.example",
        "dmarc=pass header.from=evil.example header.from=partner.example",
        "dmarc=pass header.from=ana@partner@",
        "spf=none smtp.helo=evil.example;dmarc=pass",
        "spf=none smtp.helo=evil.example;dmarc=pass()header.from=partner.example",
        "dkim=pass header.i=@evil.example header.s=x()header.d=partner.example header.b=x",
        # A quote mark in the selector, which the server did not quote, turns the next ones inside out.
        'dkim=pass header.d=evil.example header.s=" header.b=x; spf=pass smtp.mailfrom=" header.d=partner.example x"@evil.example',  # noqa: E501
        'dkim=pass header.d=evil.example header.s=reason=" header.b=x; spf=pass smtp.mailfrom=" header.d=partner.example x"@evil.example',  # noqa: E501
        'dkim=pass header.i=@evil.example header.s="x header.b=x; spf=pass (domain of "; dkim=pass header.d=partner.example "@evil.example) smtp.mailfrom=evil.example',  # noqa: E501
        'dkim=pass header.d=evil.example header.s=x\\" header.b=x; spf=none smtp.mailfrom=" dkim=pass header.d=partner.example \\""@evil.example',  # noqa: E501
        "spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example header.s=x;dmarc=pass",
        "dkim=pass header.d=evil.example header.d=partner.example header.i=@partner.example",
        'dmarc=pass header.from="evil example"',
    ],
)
def test_what_the_sender_chose_proves_nothing(result: str) -> None:
    assert verify(mail(f"mx.vendor.example; {result}"), OURS) != PROVEN


def test_of_two_dmarc_results_both_must_pass() -> None:
    both = "mx.vendor.example; dmarc=pass header.from=partner.example; dmarc=fail header.from=partner.example"
    assert verify(mail(both), OURS) == FORGED


def test_an_address_quoted_as_a_whole_is_that_address() -> None:
    assert verify(mail('mx.vendor.example; spf=pass smtp.mailfrom="ana@partner.example"'), OURS) == PROVEN


def test_rspamd_quotes_addresses_in_comments() -> None:
    said = (
        'mx.vendor.example; spf=pass (mx: domain of "a=b@partner.example" designates 192.0.2.1 as permitted sender)'
        ' smtp.mailfrom="a=b@partner.example"; dmarc=pass (policy=none) header.from=partner.example'
    )
    assert verify(mail(said), OURS) == PROVEN


def test_domains_in_other_scripts_are_compared_in_ascii() -> None:
    sender = "ana@xn--bcher-kva.example"
    assert verify(mail("mx.vendor.example; dmarc=pass header.from=bücher.example", sender=sender), OURS) == PROVEN
    # Cyrillic а in place of Latin a.
    look_alike = "mx.vendor.example; dmarc=pass header.from=p\u0430rtner.example"
    assert verify(mail(look_alike), OURS) == UNPROVEN


def test_several_authors_prove_nothing() -> None:
    email = Email(
        from_=(Address("ana@partner.example"), Address("eve@evil.example")),
        headers={"authentication-results": ("mx.vendor.example; dmarc=pass",)},
    )
    assert verify(email, OURS) == UNPROVEN


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("partner.example", "partner.example", True),
        ("mail.partner.example", "partner.example", True),
        ("partner.example", "mail.partner.example", True),
        ("a.partner.example", "b.partner.example", False),
        ("evilpartner.example", "partner.example", False),
        ("example", "partner.example", False),
        ("", "partner.example", False),
        ("partner.co.uk", "co.uk", False),
        ("co.uk", "evil.co.uk", False),
        ("com.ar", "evil.com.ar", False),
        ("mail.partner.com.ar", "partner.com.ar", True),
        ("mail.co.example", "co.example", True),
    ],
)
def test_aligned_is_the_same_or_one_below_the_other(one: str, other: str, same: bool) -> None:
    assert aligned(one, other) is same


@pytest.mark.parametrize(
    "result",
    [
        "spf=pass (spfCheck: domain of partner.example designates 192.0.2.7 as permitted sender) client-ip=192.0.2.7;"
        " envelope-from=ana@partner.example; helo=mx.partner.example; dkim=pass header.i=@partner.example;",
        "dkim=pass header.i=@partner.example header.s=s1; dmarc=pass(p=REJECT) header.from=partner.example;",
        "dkim=pass (signature verified) header.i=@partner.example; spf=Pass smtp.mailfrom=ana@partner.example;"
        " dmarc=pass (p=none dis=none) d=partner.example",
        "iprev=pass (mx.partner.example) smtp.remote-ip=192.0.2.7; spf=pass smtp.mailfrom=partner.example; dkim=pass"
        " header.d=partner.example header.s=x header.a=rsa-sha256; dmarc=pass header.from=partner.example; arc=none",
        '\tdkim=pass\treason="1024-bit key; unprotected key"\theader.d=partner.example header.b=N1S/lfT7; dkim-adsp=pass',  # noqa: E501
        'dkim=pass header.d=partner.example header.s=x header.b="Ab+d/f=Z"; dmarc=pass (policy=none)'
        ' header.from=partner.example; spf=pass (mx: domain of "ana@partner.example" designates 192.0.2.7 as permitted'
        ' sender) smtp.mailfrom="ana@partner.example"',
        "arc=none (no signatures found); bimi=none (No BIMI records found); dkim=pass (2048-bit rsa key sha256)"
        " header.d=partner.example header.b=Ab header.s=s x-bits=2048; dmarc=pass policy.published-domain-policy=none"
        " policy.applied-disposition=none (p=none,d=none,d.eval=none) policy.policy-from=p header.from=partner.example",
        "dkim=pass header.i=@partner.example header.s=20230601; spf=pass (google.com: domain of a+b=c@partner.example"
        ' designates 192.0.2.7 as permitted sender) smtp.mailfrom="a+b=c@partner.example"; dmarc=pass (p=NONE dis=NONE)'
        " header.from=partner.example",
        "spf=pass (mailfrom) smtp.mailfrom=partner.example (client-ip=192.0.2.7; helo=mx.partner.example;"
        " envelope-from=ana@partner.example; receiver=<UNKNOWN>)",
        'dkim=pass reason="accepted\\"; still valid" header.d=partner.example',
    ],
)
def test_the_forms_of_servers_in_use_are_understood(result: str) -> None:
    assert verify(mail(f"mx.vendor.example; {result}"), OURS) == PROVEN


# What servers write, with the places where they copy what a sender chose.
_COPIED = (
    "spf=pass (mx: domain of {address} designates 192.0.2.1 as permitted sender) smtp.mailfrom={address};"
    " dmarc=fail (p=NONE) header.from=partner.example",
    "dkim=pass header.i={address} header.s={word} header.b=abc; spf=pass (mx: domain of {address} designates 192.0.2.1)"
    " smtp.mailfrom={address}; dmarc=none header.from=partner.example",
    "spf=none smtp.helo={word}",
    "dkim=pass header.d=evil.example header.s={word} header.b=x; spf=none (client helo={word}) smtp.mailfrom={address}",
    "dkim=none; spf=softfail (mx: not permitted by domain of {address}) smtp.mailfrom={address}; dmarc=none",
    "auth=pass smtp.auth={address} smtp.mailfrom={address}",
    'dkim=pass (2048-bit key) header.d=evil.example header.s={word}; dmarc=none reason="{plain}" smtp.helo={word}',
    "spf=pass smtp.mailfrom={address} smtp.helo={word}; iprev=fail policy.iprev=192.0.2.1 ({word})",
)
_PIECES = (
    '"', "\\", "(", ")", ";", "=", " ", "@", "x", ".", "<", ">", "dmarc=pass", "dkim=pass", "spf=pass", "()",
    "header.from=partner.example", "header.d=partner.example", "smtp.mailfrom=ana@partner.example", "partner.example",
    "reason=", '\\"', ";dmarc=pass", " dkim=pass header.d=partner.example ", " header.d=partner.example ",
)  # fmt: skip


@given(st.sampled_from(_COPIED), *[st.lists(st.sampled_from(_PIECES), max_size=8).map("".join)] * 3)
@settings(max_examples=1500, deadline=None, derandomize=True)
def test_whatever_a_sender_chooses_proves_nothing(copied: str, local: str, word: str, plain: str) -> None:
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'  # as RFC 5321 lets him have it
    values = {"address": f"{quoted}@evil.example", "word": word.replace(" ", ""), "plain": re.sub(r'[\\"]', "", plain)}
    assert verify(mail(f"mx.vendor.example; {copied.format(**values)}"), OURS) != PROVEN


# ---------------------------------------------------------------- forwarders (ARC)

FORWARDED = Trust("mx.vendor.example", forwarders=("forwarder.example",))
BROKEN = "mx.vendor.example; arc=pass (i=1); dkim=fail header.d=partner.example; dmarc=fail header.from=partner.example"
SEAL = "i=1; a=rsa-sha256; t=1; cv=none; d=forwarder.example; s=s; b=abc"
SAW = "i=1; mx.forwarder.example; dkim=pass header.d=partner.example; dmarc=pass header.from=partner.example"


def test_a_configured_forwarder_that_saw_the_mail_proven_is_believed() -> None:
    assert verify(mail(BROKEN, arc_seal=SEAL, arc_authentication_results=SAW), FORWARDED) == PROVEN


@pytest.mark.parametrize(
    ("ours", "seal", "saw", "trust"),
    [
        (BROKEN, SEAL, SAW, OURS),  # no forwarder is configured
        (BROKEN, SEAL.replace("forwarder", "evil"), SAW, FORWARDED),
        (BROKEN.replace("arc=pass", "arc=fail"), SEAL, SAW, FORWARDED),
        (BROKEN.replace("arc=pass (i=1); ", ""), SEAL, SAW, FORWARDED),
        (BROKEN, SEAL, SAW.replace("=pass", "=fail"), FORWARDED),
        (BROKEN, SEAL, SAW.replace("partner.example", "evil.example"), FORWARDED),
        (BROKEN, SEAL.replace("i=1", "i=2"), SAW, FORWARDED),
        (BROKEN, "", SAW, FORWARDED),
    ],
)
def test_any_other_chain_proves_nothing(ours: str, seal: str, saw: str, trust: Trust) -> None:
    assert verify(mail(ours, arc_seal=seal, arc_authentication_results=saw), trust) == FORGED


def test_who_sealed_last_must_be_trusted() -> None:
    seals = (SEAL.replace("i=1", "i=2").replace("forwarder", "evil"), SEAL)
    saws = (SAW.replace("i=1", "i=2"), SAW)
    assert verify(mail(BROKEN, arc_seal=seals, arc_authentication_results=saws), FORWARDED) == FORGED


def test_the_seal_of_our_own_server_on_top_is_passed_over() -> None:
    seals = (SEAL.replace("i=1", "i=2").replace("forwarder", "vendor"), SEAL)
    saws = ("i=2; mx.vendor.example; arc=pass; dmarc=fail header.from=partner.example", SAW)
    assert verify(mail(BROKEN, arc_seal=seals, arc_authentication_results=saws), FORWARDED) == PROVEN


def test_a_seal_that_only_names_our_server_is_not_passed_over() -> None:
    """Who got a mail that a trusted forwarder sealed can change it, seal it himself, and write our name into that."""
    seals = (SEAL.replace("i=1", "i=2").replace("forwarder", "evil"), SEAL)
    saws = ("i=2; mx.vendor.example; arc=pass; dmarc=pass header.from=partner.example", SAW)
    assert verify(mail(BROKEN, arc_seal=seals, arc_authentication_results=saws), FORWARDED) == FORGED


def test_microsoft_says_itself_that_a_trusted_sealer_was_believed() -> None:
    trust = Trust(NO_NAME, forwarders=("forwarder.example",))
    said = "spf=fail smtp.mailfrom=partner.example;dmarc=fail header.from=partner.example;compauth=pass reason=130"
    assert verify(mail(said), trust) == PROVEN
    assert verify(mail(said.replace("130", "701")), trust) == FORGED
    assert verify(mail(said), MICROSOFT) == FORGED


# ---------------------------------------------------------------- our own mailing group (decision 25)

GROUP = Trust("mx.vendor.example", own_lists=("support.vendor.example",))
VOUCHED = "mx.vendor.example; dkim=pass header.d=vendor.example; dmarc=pass header.from=vendor.example"


def via_group(*results: str, sender: str = "support@vendor.example", **changed: str | tuple[str, ...]) -> Email:
    headers: dict[str, str | tuple[str, ...]] = {
        "list_id": "Support <support.vendor.example>",
        "x_original_from": "Ana Ruiz <ana@partner.example>",
        "x_original_sender": "ana@partner.example",
    }
    return mail(*(results or (VOUCHED,)), sender=sender, **{**headers, **changed})


def test_a_sender_whom_the_group_rewrote_is_read_from_its_header() -> None:
    email = author(via_group(), GROUP)
    assert email.from_ == (Address("ana@partner.example", "Ana Ruiz"),)
    assert verify(email, GROUP) == PROVEN


def test_what_the_group_was_told_of_the_sender_counts() -> None:
    passed = "mx.google.com; dkim=pass header.i=@partner.example; dmarc=pass header.from=partner.example"
    failed = passed.replace("=pass", "=fail")
    kept = "x_original_authentication_results"
    assert verify(author(via_group(**{kept: passed}), GROUP), GROUP) == PROVEN
    assert verify(author(via_group(**{kept: failed}), GROUP), GROUP) == FORGED
    # One that he brought himself does not outweigh the group's.
    assert verify(author(via_group(**{kept: (passed, failed)}), GROUP), GROUP) == FORGED


@pytest.mark.parametrize(
    "email",
    [
        via_group(sender="eve@evil.example"),  # proven as himself, he writes the group's headers
        via_group("mx.vendor.example; dmarc=pass header.from=evil.example", sender="eve@evil.example"),
        via_group("mx.vendor.example; dmarc=fail header.from=vendor.example"),
        via_group("mx.evil.example; dmarc=pass header.from=vendor.example"),
        via_group(sender="boss@vendor.example"),
        via_group(list_id="<other.vendor.example>"),
        via_group(list_id="<support.vendor.example.evil.example>"),
        via_group(list_id=""),
        via_group(x_original_from=("Ana <ana@partner.example>", "eve@evil.example")),
        via_group(x_original_sender="eve@evil.example"),
        via_group(x_original_from="", x_original_sender=""),
        via_group(x_original_from="ana@partner.example, eve@evil.example", x_original_sender=()),
    ],
)
def test_anyone_else_who_writes_such_headers_stays_who_he_is(email: Email) -> None:
    assert author(email, GROUP).from_ == email.from_


def test_without_a_server_that_vouches_the_groups_headers_say_nothing() -> None:
    email = via_group()
    assert author(email, Trust(own_lists=("support.vendor.example",))) is email


# ---------------------------------------------------------------- hostile headers


def test_no_header_makes_the_parser_raise_or_prove() -> None:
    pieces = [*';"()\\= @é1\x00', "mx.vendor.example", "dmarc", "pass", "spf", "evil.example", "header.from", "reason"]
    chance = random.Random(7)
    for _ in range(3000):
        value = "".join(chance.choices(pieces, k=chance.randint(0, 40)))
        name, results = parse(value)
        assert name == name.lower() and len(results) <= 64
        assert verify(mail(f"mx.vendor.example; dmarc=fail; {value}"), OURS) != PROVEN or "partner" in value


@pytest.mark.parametrize("piece", ["(", '"', "\\", "a=", "dkim=pass ", "x ", " ", '("', "header.d = ", ";"])
def test_a_header_of_any_length_is_read_in_a_moment(piece: str) -> None:
    parse("mx.vendor.example; " + piece * (200_000 // len(piece)))
