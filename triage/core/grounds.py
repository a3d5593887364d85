"""The clauses of the regulations behind a decision, as evidence beside the words that were read."""

from __future__ import annotations

from triage.core import directory
from triage.core.clock import OUT_OF_HOURS, target
from triage.core.model import Clock, Decision, Evidence, Sender
from triage.core.pack import Pack


def of_sender(pack: Pack, sender: Sender) -> Evidence:
    """Why somebody may not ask."""
    check = "check subscription" if sender.status == directory.UNSUBSCRIBED else "check sender"
    return Evidence("sender", pack.carried_by(check), f"{sender.address}: {sender.status}")


def of_questions(pack: Pack, number: int) -> Evidence:
    """Why several questions are not answered as one."""
    return Evidence("several-questions", pack.carried_by("check one_question"), f"{number} questions")


def of_clock(pack: Pack, decision: Decision, running: Clock) -> tuple[Evidence, ...]:
    """Why this time, and why it may not be guaranteed: the row of the response times, the scope or the service."""
    severity = decision.severity
    deployment = decision.deployment or pack.policy.fallback_deployment
    entry = target(pack, deployment, severity, decision.request_type, decision.service)
    found = [Evidence(f"target.{entry.id}", entry.clause, f"{entry.hours:g} hours")]
    scope = pack.scope_by_id.get(decision.out_of_scope or "")
    row = pack.service_by_id.get(decision.service or "")
    cell = pack.cell(decision.service or "", deployment, fault=severity is not None)
    if scope:
        found.append(Evidence(f"scope.{scope.id}", scope.clause, scope.id))
    elif row and cell:
        found.append(Evidence(f"service.{row.id}", row.clause, cell.id))
    if running.reason == OUT_OF_HOURS:
        found.append(Evidence("working-time", pack.carried_by("check working_time"), "received outside working time"))
    return tuple(found)
