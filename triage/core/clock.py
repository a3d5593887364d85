"""The response clock: from when it runs, until when, and what may be promised.

Regulations: reply time counts from the last mail of the partner and its technicians; the severity table holds for
incidents; a time is guaranteed for what was received in working hours. Decisions 1 to 9 fill what is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from triage.core.errors import ConfigError
from triage.core.hours import HolidayDates, WorkingTime, no_holidays
from triage.core.model import Clock
from triage.core.pack import Calendar, Pack, Target

OUT_OF_HOURS = "out-of-hours"
NOT_GUARANTEED = "not-guaranteed"  # the regulations name no time for such a request
SERVICE = "service"  # the service table: not, or only in part, what support does
SCOPE = "out-of-scope"


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A pack in force, with its calendars made ready."""

    pack: Pack
    working: Mapping[str, WorkingTime]

    def calendar(self, calendar_id: str) -> WorkingTime:
        return self.working[calendar_id]


def make_rules(pack: Pack, holidays: Callable[[Calendar], HolidayDates] | None = None) -> Rules:
    """Make a pack's calendars ready. `holidays` gives the public holidays of a calendar (adapters/holidays.py)."""
    return Rules(
        pack,
        {one.id: WorkingTime(one, holidays(one) if holidays else no_holidays) for one in pack.calendars},
    )


def target(
    pack: Pack,
    deployment: str | None,
    severity: str | None,
    request_type: str | None = None,
    service: str | None = None,
) -> Target:
    """The response time that fits. Raises ConfigError when the pack has none.

    Without a request type: the first that has a severity when one is given, else the first that has none.
    """
    if request_type is None:
        request_type = next((one.id for one in pack.request_types if one.severity == (severity is not None)), None)
    entry = pack.target(deployment, request_type, service, severity)
    if entry is None:
        raise ConfigError(
            f"no [[target]] of pack {pack.manifest.name!r} fits deployment {deployment!r}, severity {severity!r}: "
            "add an entry without lists at the end"
        )
    return entry


def start(
    rules: Rules,
    received: datetime,
    deployment: str | None,
    severity: str | None,
    *,
    request_type: str | None = None,
    service: str | None = None,
    out_of_scope: str | None = None,
) -> Clock:
    """The clock of a request that was received at this time (aware).

    An unknown deployment falls back to the pack's; None stays None and gets the targets that fit all.
    """
    pack = rules.pack
    deployment = deployment or pack.policy.fallback_deployment
    entry = target(pack, deployment, severity, request_type, service)
    plan = pack.deployment_by_id.get(deployment or "")
    calendar_id = entry.calendar or (plan.calendar if plan else pack.policy.calendar)
    working = rules.calendar(calendar_id)
    in_hours = entry.out_of_hours or working.is_open(received)
    kind = pack.request_type_by_id.get(request_type or "")
    reason = _reason(rules, entry, in_hours, deployment, service, out_of_scope, severity is not None)
    if not reason and kind and not kind.guaranteed:
        reason = NOT_GUARANTEED
    return Clock(
        started=received.astimezone(UTC),
        counted_from=working.next_open(received),
        due=working.add(received, timedelta(hours=entry.hours)),
        hours=entry.hours,
        guaranteed=not reason,
        reason=reason,
        calendar=calendar_id,
        rule=f"target.{entry.id}",
    )


def _reason(
    rules: Rules,
    entry: Target,
    in_hours: bool,
    deployment: str | None,
    service: str | None,
    out_of_scope: str | None,
    fault: bool,
) -> str:
    """Why no time is guaranteed; "" when one is."""
    scope = rules.pack.scope_by_id.get(out_of_scope or "")
    if scope and not scope.guaranteed:
        return SCOPE
    cell = rules.pack.cell(service, deployment, fault=fault) if service else None
    if cell and not cell.guaranteed:
        return SERVICE
    if not entry.guaranteed:
        return NOT_GUARANTEED
    return "" if in_hours else OUT_OF_HOURS


def warnings(rules: Rules, clock: Clock, until: datetime) -> tuple[tuple[float, datetime], ...]:
    """When staff is warned: (share, instant) for each share that the pack names of the time up to `until`, in order."""
    working = rules.calendar(clock.calendar)
    time = working.between(clock.started, until)
    if time <= timedelta(0):
        return ()
    return tuple((share, working.add(clock.started, time * share)) for share in sorted(rules.pack.policy.warn_at))


def end_of_day(day: date) -> datetime:
    """The last instant of a date, UTC: until then a subscription holds."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
