"""The clauses behind a decision."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from triage.adapters import packs
from triage.core import clock, grounds
from triage.core.clock import Rules, make_rules
from triage.core.model import Decision, Evidence, Sender

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
SATURDAY = datetime(2026, 3, 7, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return make_rules(packs.load(packs.shipped_rules() / "navixy"))


def found(rules: Rules, at: datetime, deployment: str, **labels: str) -> list[Evidence]:
    decision = Decision("open", "ready", ("complete",), deployment=deployment, **labels)  # type: ignore[arg-type]
    running = clock.start(rules, at, deployment, decision.severity, request_type=decision.request_type,
                          service=decision.service, out_of_scope=decision.out_of_scope)  # fmt: skip
    return list(grounds.of_clock(rules.pack, decision, running))


def test_a_time_names_its_row_of_the_response_times(rules: Rules) -> None:
    one = found(rules, MONDAY, "paas", request_type="incident", service="features", severity="1")
    assert one[0] == Evidence("target.paas-1", "level_1", "2 hours")


def test_a_request_names_its_row_of_the_service_table(rules: Rules) -> None:
    one = found(rules, MONDAY, "on_premise", request_type="change", service="ssl")
    assert one[1] == Evidence("service.ssl", "table_ssl", "performed_by_partner")


def test_what_is_out_of_scope_names_the_scope_and_no_row(rules: Rules) -> None:
    one = found(rules, MONDAY, "paas", request_type="question", service="none", out_of_scope="gps_hardware")
    assert [evidence.clause for evidence in one[1:]] == ["gps_hardware"]


def test_what_came_in_outside_working_time_says_so(rules: Rules) -> None:
    one = found(rules, SATURDAY, "paas", request_type="incident", service="features", severity="1")
    assert one[-1].rule == "working-time"
    assert rules.pack.clause_by_id[one[-1].clause]


@pytest.mark.parametrize(("status", "clause"), [("unknown", "partners_only"), ("unsubscribed", "subscription")])
def test_a_refused_sender_names_the_clause(rules: Rules, status: str, clause: str) -> None:
    assert grounds.of_sender(rules.pack, Sender("a@x.example", status=status)).clause == clause
