"""Working time: what a calendar's windows mean on the one line of UTC.

An instant is working time when the clock on the wall of the calendar's zone stands inside a window of that day. So an
hour that the clocks skip never counts, an hour that they repeat counts twice, and a day that a zone left out is no day.
A window that ends past midnight belongs to the day on which it begins, also when the next day is a holiday.

Each year is laid out once, as segments of UTC with their running sum; adding and measuring are look-ups in it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from triage.core.errors import ConfigError
from triage.core.pack import Calendar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = 3_600_000_000  # in microseconds, as all lengths here
DAY = timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # one year within what a datetime can say, on both sides
_FURTHEST_YEARS = 30  # a calendar that opens no more for so long is a mistake
_MOST_YEARS = 500  # that are kept
_WINDOW = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")

HolidayDates = Callable[[int], frozenset[date]]  # year -> dates without work


def no_holidays(_year: int) -> frozenset[date]:
    """A calendar of a zone without public holidays."""
    return frozenset()


def window(text: str) -> tuple[timedelta, timedelta]:
    """Start and end of "HH:MM-HH:MM", from midnight; the end is past 24 hours when the window crosses midnight.

    Raises ValueError with the way to mend it.
    """
    match = _WINDOW.fullmatch(text.strip())
    hours = [int(part) for part in match.groups()] if match else []
    if not hours or (hours[0] == 24) or (hours[2] == 24 and hours[3]):
        raise ValueError(f"{text!r} is not a window: write it as HH:MM-HH:MM, up to 24:00")
    start = timedelta(hours=hours[0], minutes=hours[1])
    end = timedelta(hours=hours[2], minutes=hours[3])
    if start == end:
        raise ValueError(f"{text!r} is empty: for a whole day write 00:00-24:00")
    return start, end if end > start else end + DAY


@dataclass(frozen=True, slots=True)
class _Year:
    """The working time within one year of UTC. All in microseconds since 1970."""

    starts: list[int]  # ascending, never overlapping
    ends: list[int]
    before: list[int]  # working time of the year's segments before this one
    upto: list[int]  # working time of the year up to the end of this one
    total: int


class WorkingTime:
    """A calendar, ready for reckoning. All datetimes are aware; results are UTC."""

    def __init__(self, calendar: Calendar, holidays: HolidayDates = no_holidays) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.zone)
        self._windows = {DAYS.index(day): [window(text) for text in texts] for day, texts in calendar.windows.items()}
        self._days_on = {day: [window(text) for text in texts] for day, texts in calendar.days_on.items()}
        self._days_off = frozenset(calendar.days_off)
        self._holidays = holidays
        self._years: dict[int, _Year] = {}

    # ---------------------------------------------------------------- questions

    def is_open(self, at: datetime) -> bool:
        """Whether this instant is working time. The end of a window is not."""
        moment, year = _moment(at), self._year(at.astimezone(UTC).year)
        place = bisect_right(year.starts, moment) - 1
        return place >= 0 and moment < year.ends[place]

    def next_open(self, at: datetime) -> datetime:
        """The first working instant at or after this one."""
        at = at.astimezone(UTC)
        moment = _moment(at)
        for year in self._from(at.year):
            place = bisect_right(year.ends, moment)
            if place < len(year.starts):
                return at if year.starts[place] <= moment else _instant(year.starts[place])
        raise self._never_open()

    def add(self, at: datetime, length: timedelta) -> datetime:
        """The instant at which this much working time (more than none) has passed since `at`.

        What fills a window to its end is over with that end, not with the next opening.
        """
        at = at.astimezone(UTC)
        goal = _done(self._year(at.year), _moment(at)) + length // MICROSECOND
        for year in self._from(at.year):
            if goal <= year.total:
                place = bisect_left(year.upto, goal)
                return _instant(year.starts[place] + goal - year.before[place])
            goal -= year.total
        raise self._never_open()

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from start to end; negative when end is the earlier."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end < start:
            return -self.between(end, start)
        done = _done(self._year(end.year), _moment(end)) - _done(self._year(start.year), _moment(start))
        done += sum(self._year(number).total for number in range(start.year, end.year))
        return done * MICROSECOND

    def add_days(self, at: datetime, days: int) -> datetime:
        """The same local time `days` working days later, or the next opening after it."""
        local = at.astimezone(self.zone)
        day = local.date()
        left = days
        for _ in range(_FURTHEST_YEARS * 366):
            if left == 0:
                moment = datetime.combine(day, local.time(), self.zone)
                return self.next_open(moment.astimezone(UTC))
            day += DAY
            left -= self.is_working_day(day)
        raise self._never_open()

    def is_working_day(self, day: date) -> bool:
        """Whether any window begins on this local date, and the zone has this date."""
        if not self._windows_of(day):
            return False
        noon = datetime.combine(day, time(12), self.zone)
        return noon.astimezone(UTC).astimezone(self.zone).date() == day

    # ---------------------------------------------------------------- the years

    def _from(self, first: int) -> Iterator[_Year]:
        """The years from this one, until too many in a row have no working time."""
        empty, number = 0, first
        while empty < _FURTHEST_YEARS:
            year = self._year(number)
            yield year
            empty = 0 if year.total else empty + 1
            number += 1

    def _never_open(self) -> ConfigError:
        return ConfigError(
            f"calendar {self.calendar.id!r} has no working time for {_FURTHEST_YEARS} years: give it windows"
        )

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            if not _FIRST_YEAR <= number <= _LAST_YEAR:
                raise ValueError(f"the year {number} is out of reach")
            if len(self._years) >= _MOST_YEARS:
                self._years = {}
            year = self._years[number] = self._laid(number)
        return year

    def _laid(self, number: int) -> _Year:
        """The year's segments, cut at its ends."""
        first = _moment(datetime(number, 1, 1, tzinfo=UTC))
        last = _moment(datetime(number + 1, 1, 1, tzinfo=UTC))
        starts: list[int] = []
        ends: list[int] = []
        for start, end in sorted(self._segments(first, last)):
            start, end = max(start, first), min(end, last)
            if start >= end:
                continue
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        before: list[int] = []
        upto: list[int] = []
        total = 0
        for start, end in zip(starts, ends, strict=True):
            before.append(total)
            total += end - start
            upto.append(total)
        return _Year(starts, ends, before, upto, total)

    def _segments(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Every stretch of working time that begins on a local date around first..last."""
        regimes = list(_regimes(self.zone, first - 72 * HOUR, last + 72 * HOUR))
        at = 0
        day, end_day = _instant(first).date() - 3 * DAY, _instant(last).date() + 2 * DAY
        while day <= end_day:
            midnight = _moment(datetime.combine(day, time(), UTC))  # of the wall clock, as if it were UTC
            while at + 1 < len(regimes) and regimes[at][1] < midnight - 48 * HOUR:
                at += 1
            for start, end in self._windows_of(day):
                wall_start, wall_end = midnight + start // MICROSECOND, midnight + end // MICROSECOND
                for begins, ceases, offset in regimes[at : at + 8]:
                    low, high = max(wall_start - offset, begins), min(wall_end - offset, ceases)
                    if low < high:
                        yield low, high
            day += DAY

    def _windows_of(self, day: date) -> list[tuple[timedelta, timedelta]]:
        if day in self._days_on:
            return self._days_on[day]
        if day in self._days_off or day in self._holidays(day.year):
            return []
        return self._windows.get(day.weekday(), [])


def _done(year: _Year, moment: int) -> int:
    """Working time from the beginning of the year to this moment in it."""
    place = bisect_right(year.starts, moment) - 1
    if place < 0:
        return 0
    return year.before[place] + min(moment, year.ends[place]) - year.starts[place]


def _regimes(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Spans of UTC with one offset: (begin, end, offset), in microseconds, that cover first..last."""
    step = 6 * HOUR  # no zone changes its offset twice within so short a time
    at = begins = first
    offset = _offset(zone, at)
    while at < last:
        following = _offset(zone, at + step)
        if following != offset:
            low, high = at, at + step
            while high - low > 1_000_000:
                middle = (low + high) // 2_000_000 * 1_000_000
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            yield begins, high, offset
            begins, offset = high, following
        at += step
    yield begins, at, offset


def _offset(zone: ZoneInfo, moment: int) -> int:
    offset = zone.utcoffset((EPOCH + moment * MICROSECOND).astimezone(zone))
    return offset // MICROSECOND if offset else 0


def _moment(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _instant(moment: int) -> datetime:
    return EPOCH + moment * MICROSECOND
