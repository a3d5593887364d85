"""The tables of a rule pack that are read in order: every request finds its entry, and every entry its request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from triage.adapters.pack_files import Sheets
from triage.core.errors import Fault
from triage.core.pack import NONE, Pack, Requirement, Target

_CONDITIONS = {"deployments", "severities", "request_types", "services", "scopes", "cells"}


def check_order(pack: Pack, sheets: Sheets) -> list[Fault]:
    """Faults that show only when all entries are there."""
    return [*_targets(pack, sheets), *_never_used(pack, sheets)]


def _cases(pack: Pack) -> Iterator[tuple[str | None, str, str, str | None]]:
    """(deployment, request type, service, severity) of everything that can be asked."""
    services = [*pack.service_by_id, NONE]
    for plan, kind, service in product(pack.deployment_by_id, pack.request_types, services):
        for severity in pack.severity_by_id if kind.severity else (None,):
            yield plan, kind.id, service, severity


def _targets(pack: Pack, sheets: Sheets) -> Iterator[Fault]:
    """Every plan finds a response time for every severity, and for what has none."""
    missing: dict[tuple[str | None, str | None], str] = {}
    for plan, kind, service, severity in _cases(pack):
        if pack.target(plan, kind, service, severity) is None:
            missing.setdefault((plan, severity), f"request type {kind!r}, service {service!r}")
    for (plan, severity), example in missing.items():
        what = f"severity {severity!r}" if severity else "requests without a severity"
        message = f"no target for deployment {plan!r} and {what} (for example {example}); add one"
        yield Fault(sheets.place(pack.targets[0]).file, "[[target]]", message)


def _never_used(pack: Pack, sheets: Sheets) -> Iterator[Fault]:
    """An entry that others before it always forestall is a mistake in the order; a last one for all the rest is not."""
    used: set[int] = set()
    unmet = ""
    for plan, kind, service, severity in _cases(pack):
        used.add(id(pack.target(plan, kind, service, severity)))
        for scope in (None, *pack.scope_by_id):
            requirement = pack.requirement(plan, kind, service, severity, scope)
            used.add(id(requirement))
            if requirement is None and not unmet:
                unmet = f"deployment {plan!r}, request type {kind!r}, service {service!r}"
    if unmet:
        message = f"no entry fits every request (for example {unmet}); add a last one without conditions"
        yield Fault(sheets.place(pack.requirements[0]).file, "[[requirement]]", message)
    chapters: list[list[Target] | list[Requirement]] = [pack.targets, pack.requirements]
    for chapter in chapters:
        for entry in chapter:
            if id(entry) not in used and _CONDITIONS & entry.model_fields_set:
                message = "is never used: entries above it fit all that it fits; move it up, or take it out"
                yield sheets.place(entry).fault("", message)
