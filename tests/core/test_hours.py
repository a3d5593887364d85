"""Working time against an oracle that walks minute by minute, and against the days on which clocks do odd things."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.adapters.holidays import holiday_dates
from triage.core.errors import ConfigError
from triage.core.hours import DAYS, WorkingTime, window
from triage.core.pack import Calendar

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEK = {day: ["09:00-17:00"] for day in DAYS[:5]}


def calendar(zone: str = "UTC", windows: dict[str, list[str]] | None = None, **rest: Any) -> Calendar:
    return Calendar(id="test", zone=zone, windows=WEEK if windows is None else windows, clause="x", **rest)


def working(zone: str = "UTC", windows: dict[str, list[str]] | None = None, **rest: Any) -> WorkingTime:
    return WorkingTime(calendar(zone, windows, **rest))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ---------------------------------------------------------------- the oracle


class Oracle:
    """The meaning of a calendar, the slow way: look at the clock on the wall once a minute."""

    def __init__(self, of: Calendar) -> None:
        self._calendar, self._zone = of, ZoneInfo(of.zone)
        self._windows = cache(self._windows_of)

    def is_open(self, moment: datetime) -> bool:
        wall = moment.astimezone(self._zone)
        minute = wall.hour * 60 + wall.minute
        if any(start <= minute < end for start, end in self._windows(wall.date())):
            return True
        return any(start <= minute + 1440 < end for start, end in self._windows(wall.date() - DAY))

    def minutes(self, start: datetime, end: datetime) -> int:
        """Open minutes between two whole minutes."""
        count = 0
        while start < end:
            count += self.is_open(start)
            start += MINUTE
        return count

    def after(self, start: datetime, minutes: int) -> datetime:
        """When so many open minutes have passed."""
        while minutes:
            minutes -= self.is_open(start)
            start += MINUTE
        return start

    def _windows_of(self, day: date) -> list[tuple[int, int]]:
        if day in self._calendar.days_on:
            texts = self._calendar.days_on[day]
        elif day in self._calendar.days_off:
            texts = []
        else:
            texts = self._calendar.windows.get(["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day.weekday()], [])  # type: ignore[call-overload]
        found = []
        for text in texts:
            start, end = ([int(part) for part in clock.split(":")] for clock in text.split("-"))
            first, last = start[0] * 60 + start[1], end[0] * 60 + end[1]
            found.append((first, last if last > first else last + 1440))
        return found


# Around what is odd: both changes of the clocks in zones that shift by an hour or by half of one, at midnight or in
# the afternoon of UTC; days that a zone skipped or lived twice; ordinary weeks; the turn of a year.
PLACES = [
    ("UTC", "2026-01-05T00:00"),
    ("Europe/Madrid", "2026-03-28T00:00"),
    ("Europe/Madrid", "2026-10-23T00:00"),
    ("America/New_York", "2026-03-06T00:00"),
    ("America/New_York", "2026-10-31T00:00"),
    ("Australia/Lord_Howe", "2026-04-03T00:00"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-02T00:00"),
    ("Pacific/Apia", "2011-12-28T00:00"),  # no 30 December
    ("Pacific/Kwajalein", "1993-08-18T00:00"),  # no 21 August
    ("Pacific/Kwajalein", "1969-09-28T00:00"),  # a day lived twice
    ("America/Santiago", "2026-04-03T00:00"),  # at midnight
    ("America/Santiago", "2026-09-04T00:00"),
    ("America/Sao_Paulo", "2018-11-02T00:00"),  # midnight itself does not exist
    ("Asia/Kathmandu", "1985-12-30T00:00"),  # 15 minutes, at the turn of the year
    ("Asia/Pyongyang", "2018-05-03T00:00"),
    ("Africa/Casablanca", "2026-02-13T00:00"),  # Ramadan, against the usual way
    ("America/Caracas", "2016-04-29T00:00"),
    ("Europe/Dublin", "2026-12-29T00:00"),
]


@st.composite
def clock_times(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, 1439))
    length = draw(st.integers(30, 1440))
    end = start + length
    if end == 1440:
        return f"{start // 60:02}:{start % 60:02}-24:00"
    end %= 1440
    if end == start:  # a whole day begins at midnight only
        return "00:00-24:00"
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@st.composite
def situations(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    zone, near = draw(st.sampled_from(PLACES))
    begin = at(near + "+00:00")
    days = [(begin + n * DAY).date() for n in range(8)]
    lists = st.lists(clock_times(), max_size=3)
    windows = draw(st.dictionaries(st.sampled_from(DAYS), lists, max_size=7))
    day = draw(st.sampled_from(DAYS))  # one day at least has a window
    windows[day] = [*windows.get(day, []), draw(clock_times())]
    made = calendar(
        zone,
        windows,
        days_off=draw(st.lists(st.sampled_from(days), max_size=2)),
        days_on=draw(st.dictionaries(st.sampled_from(days), lists, max_size=2)),
    )
    return made, begin + draw(st.integers(0, 6 * 1440)) * MINUTE


@settings(max_examples=100, deadline=None)
@given(situations(), st.integers(0, 3 * 1440))
def test_time_between_is_what_a_walk_over_the_minutes_counts(
    situation: tuple[Calendar, datetime], minutes: int
) -> None:
    made, start = situation
    end = start + minutes * MINUTE
    assert WorkingTime(made).between(start, end) == Oracle(made).minutes(start, end) * MINUTE


@settings(max_examples=100, deadline=None)
@given(situations(), st.integers(1, 300))
def test_the_due_time_is_where_a_walk_over_the_minutes_arrives(
    situation: tuple[Calendar, datetime], minutes: int
) -> None:
    made, start = situation
    assert WorkingTime(made).add(start, minutes * MINUTE) == Oracle(made).after(start, minutes)


@settings(max_examples=100, deadline=None)
@given(situations())
def test_open_and_the_next_opening_are_those_of_the_oracle(situation: tuple[Calendar, datetime]) -> None:
    made, moment = situation
    times, oracle = WorkingTime(made), Oracle(made)
    assert times.is_open(moment) == oracle.is_open(moment)
    opening = times.next_open(moment)
    assert oracle.is_open(opening)
    assert oracle.minutes(moment, opening) == 0


offsets = st.timedeltas(timedelta(days=-30), timedelta(days=400))  # from the odd days of a situation
lengths = st.timedeltas(timedelta(microseconds=1), timedelta(hours=60))


@settings(max_examples=100, deadline=None)
@given(situations(), offsets, lengths)
def test_adding_then_measuring_gives_the_same(
    situation: tuple[Calendar, datetime], offset: timedelta, length: timedelta
) -> None:
    times, start = WorkingTime(situation[0]), situation[1] + offset
    assert times.between(start, times.add(start, length)) == length


@settings(max_examples=100, deadline=None)
@given(situations(), offsets, lengths)
def test_nothing_is_due_outside_working_time(
    situation: tuple[Calendar, datetime], offset: timedelta, length: timedelta
) -> None:
    times, start = WorkingTime(situation[0]), situation[1] + offset
    due = times.add(start, length)
    assert times.is_open(due - timedelta(microseconds=1))
    assert due > start


@settings(max_examples=100, deadline=None)
@given(situations(), offsets, st.timedeltas(timedelta(0), timedelta(days=9)), lengths, lengths)
def test_later_mail_and_longer_times_are_never_due_earlier(
    situation: tuple[Calendar, datetime], offset: timedelta, later: timedelta, one: timedelta, other: timedelta
) -> None:
    times, start = WorkingTime(situation[0]), situation[1] + offset
    assert times.add(start, one) <= times.add(start + later, one)
    short, long = sorted((one, other))
    assert times.add(start, short) <= times.add(start, long)
    assert times.add(times.add(start, one), other) == times.add(start, one + other)


@settings(max_examples=100, deadline=None)
@given(situations(), offsets, offsets, offsets)
def test_measures_add_up_whatever_was_asked_before(
    situation: tuple[Calendar, datetime], first: timedelta, second: timedelta, third: timedelta
) -> None:
    times = WorkingTime(situation[0])
    one, two, three = (situation[1] + offset for offset in (first, second, third))
    assert times.between(one, two) + times.between(two, three) == times.between(one, three)
    assert times.between(one, two) == -times.between(two, one) == WorkingTime(situation[0]).between(one, two)


# ---------------------------------------------------------------- by example


@pytest.mark.parametrize(
    ("received", "hours", "due"),
    [
        ("2026-01-05T05:00:00Z", 8, "2026-01-05T13:00:00Z"),  # the whole window: over with its end
        ("2026-01-05T04:59:59Z", 8, "2026-01-05T13:00:00Z"),
        ("2026-01-05T05:00:01Z", 8, "2026-01-06T05:00:01Z"),
        ("2026-01-05T12:59:59Z", 2, "2026-01-06T06:59:59Z"),
        ("2026-01-05T13:00:00Z", 2, "2026-01-06T07:00:00Z"),  # the end of a window is not in it
        ("2026-01-09T12:00:00Z", 2, "2026-01-12T06:00:00Z"),  # over a weekend
        ("2026-01-10T10:00:00Z", 3, "2026-01-12T08:00:00Z"),
        ("2026-01-09T11:00:00Z", 20, "2026-01-14T07:00:00Z"),
    ],
)
def test_hours_run_within_windows_only(received: str, hours: float, due: str) -> None:
    times = working(windows={day: ["05:00-13:00"] for day in DAYS[:5]})
    assert times.add(at(received), timedelta(hours=hours)) == at(due)


def test_two_windows_a_day_leave_out_the_break() -> None:
    times = working(windows={"mon": ["09:00-14:00", "16:00-19:00"]})
    assert times.add(at("2026-01-05T13:00:00Z"), 2 * HOUR) == at("2026-01-05T17:00:00Z")
    assert not times.is_open(at("2026-01-05T15:00:00Z"))


def test_overlapping_windows_count_once() -> None:
    times = working(windows={"mon": ["09:00-12:00", "11:00-13:00", "13:00-14:00"]})
    assert times.between(at("2026-01-05T00:00:00Z"), at("2026-01-06T00:00:00Z")) == 5 * HOUR


def test_a_day_to_24_00_meets_the_next_without_a_gap() -> None:
    times = working(windows={"mon": ["20:00-24:00"], "tue": ["00:00-04:00"]})
    assert times.add(at("2026-01-05T23:00:00Z"), 2 * HOUR) == at("2026-01-06T01:00:00Z")
    assert times.between(at("2026-01-05T00:00:00Z"), at("2026-01-07T00:00:00Z")) == 8 * HOUR


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    times = working(windows={day: ["22:00-06:00"] for day in DAYS[:5]}, days_off=[date(2026, 1, 7)])
    assert times.is_open(at("2026-01-07T05:00:00Z"))  # Tuesday's night, into the holiday
    assert not times.is_open(at("2026-01-07T23:00:00Z"))
    assert times.is_open(at("2026-01-10T03:00:00Z"))  # Friday's night
    assert not times.is_open(at("2026-01-12T03:00:00Z"))  # Sunday has none


def test_round_the_clock_is_one_stretch() -> None:
    times = working("Europe/Madrid", {day: ["00:00-24:00"] for day in DAYS})
    start = at("2026-01-01T00:00:00Z")
    assert times.add(start, timedelta(days=400)) == start + timedelta(days=400)


def test_the_hour_that_clocks_skip_never_counts() -> None:
    times = working("Europe/Madrid", {"sun": ["01:00-05:00"]})
    assert times.between(at("2026-03-28T00:00:00Z"), at("2026-03-30T00:00:00Z")) == 3 * HOUR


def test_the_hour_that_clocks_repeat_counts_twice() -> None:
    times = working("Europe/Madrid", {"sun": ["01:00-05:00"]})
    assert times.between(at("2026-10-24T00:00:00Z"), at("2026-10-26T00:00:00Z")) == 5 * HOUR


def test_lord_howe_shifts_by_half_an_hour() -> None:
    times = working("Australia/Lord_Howe", {"sun": ["01:00-05:00"]})
    assert times.between(at("2026-04-03T00:00:00Z"), at("2026-04-07T00:00:00Z")) == 4.5 * HOUR
    assert times.between(at("2026-10-02T00:00:00Z"), at("2026-10-06T00:00:00Z")) == 3.5 * HOUR


def test_a_date_that_a_zone_skipped_is_no_day() -> None:
    times = working("Pacific/Apia")  # 30 December 2011, a Friday, did not happen there
    assert not times.is_working_day(date(2011, 12, 30))
    assert times.between(at("2011-12-29T00:00:00-10:00"), at("2012-01-02T00:00:00+14:00")) == 8 * HOUR
    assert times.add(at("2011-12-29T16:00:00-10:00"), 2 * HOUR) == at("2012-01-02T10:00:00+14:00")
    assert times.add_days(at("2011-12-29T10:00:00-10:00"), 1) == at("2012-01-02T10:00:00+14:00")


def test_the_window_of_a_utc_calendar_stays_when_partners_change_their_clocks() -> None:
    times = working(windows={day: ["05:00-13:00"] for day in DAYS[:5]})
    for day in ("2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"):
        assert times.next_open(at(f"{day}T06:00:00+02:00")) == at(f"{day}T05:00:00Z")


def test_a_single_day_can_be_off_or_have_windows_of_its_own() -> None:
    times = working(days_off=[date(2026, 1, 5)], days_on={date(2026, 1, 10): ["10:00-11:00"], date(2026, 1, 6): []})
    assert not times.is_open(at("2026-01-05T10:00:00Z"))
    assert not times.is_open(at("2026-01-06T10:00:00Z"))
    assert times.is_open(at("2026-01-10T10:30:00Z"))


def test_holidays_are_those_of_country_and_region() -> None:
    madrid = calendar("Europe/Madrid", holidays=[{"country": "ES", "region": "MD"}])
    spain = calendar("Europe/Madrid", holidays=[{"country": "ES"}])
    regional = at("2024-05-02T10:00:00+02:00")  # the feast of the Community of Madrid
    assert not WorkingTime(madrid, holiday_dates(madrid)).is_open(regional)
    assert WorkingTime(spain, holiday_dates(spain)).is_open(regional)
    for christmas in ("2024-12-25T10:00:00+01:00", "2026-12-25T10:00:00+01:00"):
        assert not WorkingTime(spain, holiday_dates(spain)).is_open(at(christmas))


def test_a_holiday_that_is_none_here_is_given_its_windows_back() -> None:
    made = calendar("Europe/Madrid", holidays=[{"country": "ES"}], days_on={"2026-01-06": ["09:00-13:00"]})
    times = WorkingTime(made, holiday_dates(made))
    assert times.is_open(at("2026-01-06T10:00:00+01:00"))


def test_holidays_of_several_countries_are_all_kept() -> None:
    made = calendar(holidays=[{"country": "ES"}, {"country": "US"}])
    times = WorkingTime(made, holiday_dates(made))
    assert not times.is_working_day(date(2026, 11, 26))  # Thanksgiving
    assert not times.is_working_day(date(2026, 10, 12))


@pytest.mark.parametrize("holiday", [{"country": "XX"}, {"country": "ES", "region": "QQ"}])
def test_an_unknown_country_or_region_is_told_at_once(holiday: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="no public holidays are known"):
        holiday_dates(calendar(holidays=[holiday]))


def test_working_days_later_keeps_the_local_time() -> None:
    times = working("Europe/Madrid")
    friday = at("2026-03-27T11:00:00+01:00")
    assert times.add_days(friday, 1) == at("2026-03-30T11:00:00+02:00")  # over the change of clocks
    assert times.add_days(friday, 3) == at("2026-04-01T11:00:00+02:00")
    saturday_evening = at("2026-01-10T21:00:00+01:00")
    assert times.add_days(saturday_evening, 1) == at("2026-01-13T09:00:00+01:00")


def test_a_calendar_that_never_opens_is_a_fault_that_says_so() -> None:
    times = working(windows={"mon": []}, days_on={date(2020, 1, 1): ["09:00-10:00"]})
    for question in (
        lambda: times.add(at("2026-01-05T10:00:00Z"), HOUR),
        lambda: times.next_open(at("2026-01-05T10:00:00Z")),
        lambda: times.add_days(at("2026-01-05T10:00:00Z"), 1),
    ):
        with pytest.raises(ConfigError, match="give it windows"):
            question()


def test_years_out_of_reach_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="out of reach"):
        working().add(at("0001-03-01T00:00:00Z"), HOUR)
    with pytest.raises(ValueError, match="out of reach"):
        working().is_open(at("9999-03-01T00:00:00Z"))


@pytest.mark.parametrize(
    "text", ["9:00-17:00", "09:00", "09:00-25:00", "24:00-24:00", "09:00-24:30", "09:00-09:00", ""]
)
def test_a_faulty_window_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        window(text)
