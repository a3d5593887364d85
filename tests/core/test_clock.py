"""The response clock: which target, from when, until when, and what may be promised."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest

from triage.adapters import packs
from triage.core import clock
from triage.core.clock import Rules, make_rules
from triage.core.errors import ConfigError
from triage.core.pack import Calendar, Pack

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@cache
def shipped() -> Rules:
    return make_rules(packs.load(packs.shipped_rules() / "navixy"))


def changed(**update: object) -> Rules:
    pack: Pack = shipped().pack
    return make_rules(pack.model_copy(update=update))


def at(hour: int, minute: int = 0, second: int = 0, *, day: int = 0) -> datetime:
    """A time on Monday, or so many days later."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("deployment", "severity", "request_type", "hours"),
    [
        ("paas", "1", "incident", 2), ("paas", "2", "incident", 4), ("paas", "3", "incident", 6),
        ("on_premise", "1", "incident", 3), ("on_premise", "2", "incident", 6), ("on_premise", "3", "incident", 8),
        ("cloud", "1", "incident", 3), ("cloud", "2", "incident", 6), ("cloud", "3", "incident", 8),
        ("paas", None, "question", 8), ("paas", None, "change", 8), ("paas", None, "other", 8),
        ("on_premise", None, "question", 8), ("cloud", None, "change", 8),
    ],
)  # fmt: skip
def test_the_target_is_that_of_the_table(
    deployment: str, severity: str | None, request_type: str, hours: float
) -> None:
    running = clock.start(shipped(), at(5), deployment, severity, request_type=request_type)
    assert running.hours == hours
    assert running.due == at(5) + timedelta(hours=hours)
    assert running.counted_from == running.started == at(5)


@pytest.mark.parametrize(
    ("deployment", "severity", "request_type", "received", "guaranteed", "reason"),
    [
        ("paas", "3", "incident", at(5), True, ""),
        ("paas", None, "question", at(12, 59, 59), True, ""),
        ("on_premise", "1", "incident", at(7), True, ""),
        ("paas", "1", "incident", at(4, 59, 59), False, clock.OUT_OF_HOURS),
        ("paas", "1", "incident", at(13), False, clock.OUT_OF_HOURS),
        ("cloud", "1", "incident", at(8, day=5), False, clock.OUT_OF_HOURS),  # a Saturday
        ("on_premise", None, "question", at(7), False, clock.NOT_GUARANTEED),
        ("cloud", None, "change", at(7), False, clock.NOT_GUARANTEED),
    ],
)
def test_a_time_is_guaranteed_for_incidents_and_paas_within_working_hours(
    deployment: str, severity: str | None, request_type: str, received: datetime, guaranteed: bool, reason: str
) -> None:
    running = clock.start(shipped(), received, deployment, severity, request_type=request_type)
    assert (running.guaranteed, running.reason) == (guaranteed, reason)


def test_outside_working_hours_the_time_counts_from_the_next_opening() -> None:
    friday_evening = at(18, day=4)
    running = clock.start(shipped(), friday_evening, "paas", "1")
    assert running.started == friday_evening
    assert running.counted_from == at(5, day=7)
    assert running.due == at(7, day=7)


def test_a_target_may_be_promised_for_what_comes_in_at_night_too() -> None:
    targets = [one.model_copy(update={"out_of_hours": True}) for one in shipped().pack.targets]
    rules = changed(targets=targets)
    found = clock.start(rules, at(20), "paas", "1", request_type="incident")
    assert (found.counted_from, found.due, found.guaranteed) == (at(5, day=1), at(7, day=1), True)
    assert not clock.start(rules, at(20), "cloud", None, request_type="question").guaranteed


def test_a_kind_of_request_may_have_no_guaranteed_time() -> None:
    types = [one.model_copy(update={"guaranteed": one.id != "other"}) for one in shipped().pack.request_types]
    rules = make_rules(Pack.model_validate(changed(request_types=types).pack.model_dump()))
    assert not clock.start(rules, at(6), "paas", None, request_type="other").guaranteed
    assert clock.start(rules, at(6), "paas", None, request_type="question").guaranteed


def test_what_is_out_of_scope_or_not_done_by_support_is_not_guaranteed() -> None:
    scope = clock.start(shipped(), at(7), "paas", "1", request_type="incident", out_of_scope="third_party")
    assert (scope.guaranteed, scope.reason) == (False, clock.SCOPE)
    row = clock.start(shipped(), at(7), "on_premise", None, request_type="change", service="ssl")
    assert (row.guaranteed, row.reason) == (False, clock.SERVICE)


def test_an_unknown_deployment_falls_back_to_that_of_the_pack() -> None:
    assert clock.start(shipped(), at(7), None, "1").hours == 2


def test_without_a_request_type_the_severity_tells_incidents_from_the_rest() -> None:
    assert clock.target(shipped().pack, "cloud", "2").id == "self_hosted-2"
    assert clock.target(shipped().pack, "cloud", None).id == "self_hosted-reply"


def test_a_pack_without_a_fitting_target_says_what_is_missing() -> None:
    pack = shipped().pack
    only_paas = changed(targets=[one for one in pack.targets if one.deployments == ["paas"]])
    with pytest.raises(ConfigError, match="add an entry without lists"):
        clock.start(only_paas, at(7), "cloud", "1")


def test_a_target_may_have_a_calendar_of_its_own() -> None:
    always = Calendar(id="always", zone="UTC", windows={day: ["00:00-24:00"] for day in
                      ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}, clause="x")  # fmt: skip
    pack = shipped().pack
    targets = [pack.targets[0].model_copy(update={"calendar": "always"}), *pack.targets[1:]]
    rules = changed(calendars=[*pack.calendars, always], targets=targets)
    running = clock.start(rules, at(23), "paas", "1")
    assert (running.due, running.guaranteed, running.calendar) == (at(1, day=1), True, "always")
    assert clock.start(rules, at(23), "paas", "2").due == at(9, day=1)


def test_holidays_are_asked_of_whoever_knows_them() -> None:
    rules = make_rules(shipped().pack, lambda calendar: lambda year: frozenset({date(2026, 1, 6)}))
    assert clock.start(rules, at(12, day=0), "paas", "1").due == at(6, day=2)


def test_warnings_stand_at_their_shares_of_the_working_time() -> None:
    running = clock.start(shipped(), at(12), "paas", "2")  # 4 hours: one today, three tomorrow
    assert clock.warnings(shipped(), running, running.due) == ((0.5, at(6, day=1)), (0.75, at(7, day=1)))
    assert clock.warnings(shipped(), running, at(12, 30)) == ((0.5, at(12, 15)), (0.75, at(12, 22, 30)))
    assert clock.warnings(shipped(), running, at(11)) == ()


def test_a_subscription_holds_until_the_last_instant_of_its_day() -> None:
    end = clock.end_of_day(date(2026, 1, 31))
    assert end + timedelta(microseconds=1) == datetime(2026, 2, 1, tzinfo=UTC)
