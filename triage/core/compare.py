"""What a new version of a rule pack would decide otherwise: one mail, judged under two packs.

Nothing is known of earlier mail here, so each mail is judged as the first of its conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from triage.core import authenticity, directory
from triage.core.clock import Rules
from triage.core.decide import decide
from triage.core.directory import Directory
from triage.core.model import Desk, Email, Reading, Sender
from triage.core.pack import Pack
from triage.core.reading.read import read
from triage.core.received import judged_at, received_at
from triage.core.replies import TICKET

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
    staff: tuple[str, ...]
    deployment: str | None  # take every sender for a partner who has it; "": the one that each pack falls back on
    now: datetime  # for mail that does not say when it came in
    same_reading: bool  # both read a mail alike, so that it is read once

    @staticmethod
    def of(
        old: Rules,
        new: Rules,
        desk: Desk,
        now: datetime,
        *,
        partners: Directory | None = None,
        staff: tuple[str, ...] = (),
        deployment: str | None = None,
    ) -> Bench:
        same = read_alike(old.pack, new.pack)
        return Bench(old, new, desk, partners or Directory(), staff, deployment, now, same)


def read_alike(old: Pack, new: Pack) -> bool:
    """Whether two packs read every mail alike: they differ at most in what follows from a reading."""
    return (
        old.manifest.languages == new.manifest.languages
        and old.policy.fallback_severity == new.policy.fallback_severity
        and all(getattr(old, part) == getattr(new, part) for part in _READ_WITH)
    )


def changes(email: Email, bench: Bench) -> Changes:
    """Everything that is decided otherwise under the new pack."""
    email = authenticity.author(email, bench.desk.trust)
    email = replace(email, received=received_at(email))
    reading = read(email, bench.old.pack, bench.desk)
    before = _outcome(email, reading, bench.old, bench)
    again = reading if bench.same_reading else read(email, bench.new.pack, bench.desk)
    after = _outcome(email, again, bench.new, bench)
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def kinds(changes: Changes) -> Iterator[tuple[str, str]]:
    """What changed and how, in words that many mails share: ("due", "earlier"), ("service", "features -> api")."""
    for key, (before, after) in changes.items():
        if key == "missing":
            yield from ((key, f"also {one}") for one in after if one not in before)
            yield from ((key, f"no longer {one}") for one in before if one not in after)
        else:
            yield key, _kind(key, before, after)


def _kind(key: str, before: Any, after: Any) -> str:
    if key == "due" and before and after:
        return "earlier" if datetime.fromisoformat(after) < datetime.fromisoformat(before) else "later"
    if key == "reply" and before and after:
        return "other words"
    if key in ("due", "reply"):
        return "none any more" if before else "one where there was none"
    if key == "questions":
        return f"{len(before)} -> {len(after)}" if len(before) != len(after) else "other words"
    return f"{shown(before)} -> {shown(after)}"


def shown(value: Any) -> str:
    """A value of a decision, for people."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _outcome(email: Email, reading: Reading, rules: Rules, bench: Bench) -> dict[str, Any]:
    now = judged_at(email, bench.now)
    decision = decide(email, reading, _sender(email, rules.pack, bench, now), rules, now)
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
        "flags": list(decision.flags),
        "due": clock.due.isoformat() if clock else None,
        "guaranteed": clock.guaranteed if clock else None,
        "reply": f"{reply.subject}\n\n{reply.text}".replace(TICKET, "NEW") if reply else None,
    }


def _sender(email: Email, pack: Pack, bench: Bench, now: datetime) -> Sender:
    if bench.deployment is not None:
        plan = bench.deployment if bench.deployment in pack.deployment_by_id else fallback(pack)
        return directory.assumed(email, plan)
    plans = frozenset(plan.id for plan in pack.deployments if plan.subscription)
    return directory.identify(
        email,
        bench.partners,
        now,
        deployments_with_subscription=plans,
        staff=bench.staff,
        verified=authenticity.verify(email, bench.desk.trust),
        own=bench.desk.addresses,
    )


def fallback(pack: Pack) -> str:
    """The deployment of a partner of whom it is not known."""
    return pack.policy.fallback_deployment or pack.deployments[0].id
