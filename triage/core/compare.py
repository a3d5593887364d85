"""What a new version of a rule pack would decide otherwise: one mail, judged under two packs.

Nothing is known of earlier mail here, so each mail is judged as the first of its conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.core import directory
from triage.core.clock import Rules
from triage.core.decide import decide
from triage.core.directory import Directory
from triage.core.model import Contact, Desk, Email, Reading, Sender
from triage.core.pack import Pack
from triage.core.reading.read import read
from triage.core.replies import TICKET

_UNDATED = datetime(2026, 1, 7, 8, tzinfo=UTC)  # when a mail came in that does not say so: a Wednesday morning
# Of a pack, what the readers look at.
_READ_WITH = (
    "words",
    "learned",
    "request_types",
    "severities",
    "services",
    "scopes",
    "fields",
    "deployments",
    "unsure",
)

Changes = Mapping[str, tuple[Any, Any]]  # what -> before, after


@dataclass(frozen=True, slots=True)
class Bench:
    """Two packs side by side, and what is the same for both."""

    old: Rules
    new: Rules
    desk: Desk
    partners: Directory
    same_reading: bool  # both read a mail alike, so that it is read once

    @staticmethod
    def of(old: Rules, new: Rules, desk: Desk, partners: Directory) -> Bench:
        return Bench(old, new, desk, partners, _read_alike(old.pack, new.pack))


def changes(email: Email, bench: Bench) -> Changes:
    """Everything that is decided otherwise under the new pack."""
    reading = read(email, bench.old.pack, bench.desk)
    before = _outcome(email, reading, bench.old, bench.partners)
    again = reading if bench.same_reading else read(email, bench.new.pack, bench.desk)
    after = _outcome(email, again, bench.new, bench.partners)
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def _read_alike(old: Pack, new: Pack) -> bool:
    return (
        old.manifest.languages == new.manifest.languages
        and old.policy.fallback_severity == new.policy.fallback_severity
        and all(getattr(old, part) == getattr(new, part) for part in _READ_WITH)
    )


def _outcome(email: Email, reading: Reading, rules: Rules, partners: Directory) -> dict[str, Any]:
    now = email.received or email.date or _UNDATED
    decision = decide(email, reading, _sender(email, rules.pack, partners, now), rules, now)
    clock, reply = decision.clock, decision.reply
    return {
        "kind": reading.kind.value,
        "language": reading.language.value,
        "questions": list(reading.questions),
        "request_type": reading.request_type.value,
        "service": reading.service.value,
        "out_of_scope": reading.out_of_scope.value,
        "severity": reading.severity.value,
        "courtesy": reading.courtesy.value,
        "missing": list(decision.missing),
        "state": decision.state,
        "reasons": list(decision.reasons),
        "due": clock.due.isoformat() if clock else None,
        "guaranteed": clock.guaranteed if clock else None,
        "reply": f"{reply.subject}\n\n{reply.text}".replace(TICKET, "NEW") if reply else None,
    }


def _sender(email: Email, pack: Pack, partners: Directory, now: datetime) -> Sender:
    """Who wrote: by the partner file; without one everybody is a partner, or there would be nothing to compare."""
    if len(partners):
        plans = frozenset(plan.id for plan in pack.deployments if plan.subscription)
        return directory.identify(email, partners, now, deployments_with_subscription=plans)
    first = email.from_[0] if email.from_ else None
    if first is None:
        return Sender("", status=directory.UNAUTHENTICATED, reason="no-from")
    plan = pack.policy.fallback_deployment or pack.deployments[0].id
    contact = Contact(partner=first.domain, deployment=plan, address=first.address)
    return Sender(first.address, first.name, directory.AUTHORIZED, first.domain, (contact,))
