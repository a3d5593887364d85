"""Examples of a pack: how they are written, how they are held against a decision, and what the shipped ones cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from triage.adapters import examples, packs
from triage.core.pack import Pack

MAIL = b"From: a@partner.example\nSubject: x\n\nHello\n"
SAID: Mapping[str, Any] = {
    "kind": "request",
    "language": "en",
    "text": "Hello",
    "request_type": "incident",
    "service": "api",
    "out_of_scope": None,
    "severity": "3",
    "courtesy": "ok",
    "questions": ["Hello"],
    "fields": {"description": True, "asset": False},
    "missing": ["asset"],
    "decision": {"state": "open", "reasons": ["complete"], "due": "2026-03-04T10:00:00+00:00", "guaranteed": True},
    "evidence": [{"rule": "r", "clause": "level_1", "matched": "x"}],
    "reply": {"to": "a@partner.example", "subject": "Re: x", "text": "Please tell us\nthe IMEI", "language": "en"},
}


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "examples").mkdir()

    def one(name: str, toml: str | None, mail: bytes | None = MAIL) -> Path:
        if toml is not None:
            (tmp_path / "examples" / f"{name}.toml").write_text(toml, encoding="utf-8")
        if mail is not None:
            (tmp_path / "examples" / f"{name}.eml").write_bytes(mail)
        return tmp_path

    yield one


def test_an_example_that_is_decided_as_expected_gives_no_fault(write: Any, navixy: Pack) -> None:
    folder = write(
        "good",
        'sender = { deployment = "cloud" }\n[expect]\nkind = "request"\nquestions = 1\nseverity = 3\n'
        'out_of_scope = "null"\nmissing = ["asset"]\nfields = { asset = false }\ndue = 2026-03-04T11:00:00+01:00\n'
        'guaranteed = true\nreasons = ["complete"]\nclauses = ["level_1"]\n'
        'reply_contains = ["us the IMEI"]\nreply_lacks = ["password"]\n',
    )
    assert examples.run(navixy, folder, lambda case: SAID) == (1, [])


@pytest.mark.parametrize(
    ("expected", "key", "found"),
    [
        ('kind = "follow_up"', "kind", "found 'request'"),
        ("questions = 2", "questions", "found 1: ['Hello']"),
        ('service = "none"', "service", "found 'api'"),
        ('out_of_scope = "server"', "out_of_scope", "found None"),
        ("severity = 1", "severity", "found '3'"),
        ("fields = { asset = true }", "fields.asset", "found false"),
        ("missing = []", "missing", "expected none, found asset"),
        ('state = "refused"', "state", "found 'open' (complete)"),
        ('reasons = ["incomplete"]', "reasons", "found complete"),
        ("due = 2026-03-04T10:00:01Z", "due", "found 2026-03-04T10:00:00+00:00"),
        ("guaranteed = false", "guaranteed", "found true"),
        ('clauses = ["level_2"]', "clauses", "found level_1"),
        ("reply = false", "reply", "expected none"),
        ('reply_language = "es"', "reply_language", "found 'en'"),
        ('reply_contains = ["serial number"]', "reply_contains", "the IMEI"),
        ('reply_lacks = ["IMEI"]', "reply_lacks", "it is there"),
    ],
)
def test_whatever_is_decided_otherwise_is_told(write: Any, navixy: Pack, expected: str, key: str, found: str) -> None:
    _, faults = examples.run(navixy, write("one", f"[expect]\n{expected}\n"), lambda case: SAID)
    assert [fault.key for fault in faults] == [key]
    assert found in faults[0].message


@pytest.mark.parametrize(
    ("toml", "key", "says"),
    [
        ('[expect]\nservise = "api"', "expect.servise", "did you mean 'service'?"),
        ('[expect]\nservice = "apis"', "expect.service", "'apis' is unknown; did you mean 'api'?"),
        ('sender = { deployment = "pass" }\n[expect]', "sender.deployment", "did you mean 'paas'?"),
        ('sender = { status = "stranger" }\n[expect]', "sender.status", "should be one of 'authorized', 'unknown'"),
        ('[expect]\nmissing = ["imei"]', "expect.missing", "'imei' is unknown"),
        ('[expect]\nkind = "reply"', "expect.kind", "should be one of 'request'"),
        ("received = 2026-03-04T08:00:00\n[expect]", "received", "has no time zone"),
        ("received = 2026-03-04T08:00:00Z", "expect", "is missing"),
        ("[expect}", "line 1, column 8", "is not TOML"),
    ],
)
def test_an_example_with_a_fault_is_told(write: Any, navixy: Pack, toml: str, key: str, says: str) -> None:
    _, faults = examples.run(navixy, write("bad", toml), lambda case: SAID)
    assert [fault.key for fault in faults] == [key]
    assert says in faults[0].message


def test_a_mail_and_its_expectation_are_a_pair(write: Any, navixy: Pack) -> None:
    write("lonely-mail", None)
    _, faults = examples.run(navixy, write("lonely-toml", "[expect]", None), lambda case: SAID)
    assert sorted(fault.message for fault in faults) == [
        "has no expectation; add lonely-mail.toml",
        "has no mail beside it; add lonely-toml.eml",
    ]


# ---------------------------------------------------------------- the shipped examples


@pytest.fixture(scope="module")
def shipped(navixy: Pack) -> list[examples.Case]:
    cases, faults = examples.read(navixy, packs.shipped_rules() / "navixy")
    assert faults == []
    return cases


def test_there_are_at_least_sixty(shipped: list[examples.Case]) -> None:
    assert len(shipped) >= 60


def test_every_service_row_has_an_example_in_both_columns_and_languages(
    shipped: list[examples.Case], navixy: Pack
) -> None:
    seen = {
        (
            case.example.expect.service,
            navixy.deployment_by_id[case.example.sender.deployment or "paas"].column,
            case.example.expect.language,
        )
        for case in shipped
        if case.example.expect.state
    }
    wanted = product(navixy.service_by_id, ("paas", "self_hosted"), ("en", "es"))
    assert set(wanted) - seen == set()


def test_every_level_has_an_example_for_every_deployment_in_both_languages(
    shipped: list[examples.Case], navixy: Pack
) -> None:
    seen = {
        (case.example.expect.severity, case.example.sender.deployment, case.example.expect.language)
        for case in shipped
        if case.example.expect.due
    }
    plans, levels = navixy.deployment_by_id, navixy.severity_by_id
    assert {(level, plan, tongue) for level in levels for plan in plans for tongue in ("en", "es")} <= seen


def test_every_refusal_has_an_example_in_both_languages(shipped: list[examples.Case]) -> None:
    seen = {(case.example.sender.status, case.example.expect.language) for case in shipped}
    assert {(status, tongue) for status in ("unknown", "suspended", "unsubscribed") for tongue in ("en", "es")} <= seen
    assert any(case.example.sender.status == "unauthenticated" for case in shipped)


def test_every_scope_and_machine_has_an_example(shipped: list[examples.Case], navixy: Pack) -> None:
    scopes = {(case.example.expect.out_of_scope, case.example.expect.language) for case in shipped}
    assert {(scope.id, tongue) for scope in navixy.scopes for tongue in ("en", "es")} <= scopes
    kinds = {case.example.expect.kind for case in shipped}
    assert {"request", "follow_up", "thanks", "auto_reply", "bounce", "list", "empty"} <= kinds


@pytest.mark.parametrize("pack", [path.parent.name for path in packs.shipped_rules().glob("*/examples")])
def test_the_shipped_examples_are_decided_as_they_say(pack: str) -> None:
    folder = packs.shipped_rules() / pack
    rules = packs.load(folder)
    number, faults = examples.run(rules, folder, examples.judge(rules))
    assert number
    assert [str(fault) for fault in faults] == []
