"""Working time: what a calendar's windows mean on the one line of UTC.

An instant is working time when the clock on the wall of the calendar's zone stands inside a window of that day. So an
hour that the clocks skip never counts, an hour that they repeat counts twice, and a day that a zone left out is no day.
A window that ends past midnight belongs to the day on which it begins, also when that day is a holiday.

The windows are laid out once as segments of UTC with their running sum; adding and measuring are two look-ups.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from triage.core.errors import ConfigError
from triage.core.pack import Calendar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = 3_600_000_000  # in microseconds, as all lengths here
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FURTHEST_YEARS = 30  # a calendar that opens no more for so long is a mistake
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
    return start, end if end > start else end + timedelta(days=1)


class WorkingTime:
    """A calendar, ready for reckoning. All datetimes are aware; results are UTC."""

    def __init__(self, calendar: Calendar, holidays: HolidayDates = no_holidays) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.zone)
        self._windows = {DAYS.index(day): [window(text) for text in texts] for day, texts in calendar.windows.items()}
        self._days_on = {day: [window(text) for text in texts] for day, texts in calendar.days_on.items()}
        self._days_off = frozenset(calendar.days_off)
        self._holidays = holidays
        self._first_year = self._last_year = 0
        self._starts: list[int] = []  # microseconds since 1970, ascending, never overlapping
        self._ends: list[int] = []
        self._before: list[int] = []  # working time of all segments before this one
        self._upto: list[int] = []  # working time up to the end of this one

    # ---------------------------------------------------------------- questions

    def is_open(self, at: datetime) -> bool:
        """Whether this instant is working time. The end of a window is not."""
        moment = _moment(at)
        place = self._place(moment)
        return place >= 0 and moment < self._ends[place]

    def next_open(self, at: datetime) -> datetime:
        """The first working instant at or after this one."""
        moment = _moment(at)
        place = self._place(moment)
        if place >= 0 and moment < self._ends[place]:
            return at.astimezone(UTC)
        self._reach(moment, self._upto[place] + 1 if place >= 0 else 1)
        return _instant(self._starts[place + 1])

    def add(self, at: datetime, length: timedelta) -> datetime:
        """The instant at which this much working time (more than none) has passed since `at`.

        What fills a window to its end is over with that end, not with the next opening.
        """
        moment = _moment(at)
        done = self._done(moment)
        goal = done + length // MICROSECOND
        self._reach(moment, goal)
        place = bisect_left(self._upto, goal)
        return _instant(self._starts[place] + goal - self._before[place])

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from start to end; negative when end is the earlier."""
        return (self._done(_moment(end)) - self._done(_moment(start))) * MICROSECOND

    def add_days(self, at: datetime, days: int) -> datetime:
        """The same local time `days` working days later, or the next opening after it."""
        local = at.astimezone(self.zone)
        day = local.date()
        left = days
        for _ in range(_FURTHEST_YEARS * 366):
            if left == 0:
                moment = datetime.combine(day, local.time(), self.zone)
                return self.next_open(moment.astimezone(UTC))
            day += timedelta(days=1)
            left -= bool(self._windows_of(day))
        raise self._never_open()

    def is_working_day(self, day: date) -> bool:
        """Whether any window begins on this local date."""
        return bool(self._windows_of(day))

    # ---------------------------------------------------------------- the table

    def _done(self, moment: int) -> int:
        """Working time from the beginning of the table to this moment."""
        place = self._place(moment)
        if place < 0:
            return 0
        return self._before[place] + min(moment, self._ends[place]) - self._starts[place]

    def _place(self, moment: int) -> int:
        """The last segment that begins at or before the moment, -1 when none; the table reaches around it."""
        year = (EPOCH + moment * MICROSECOND).year
        if not self._first_year:
            self._lay(year - 1, year + 1)
        elif year <= self._first_year:
            self._lay(year - 2, self._last_year)
        elif year >= self._last_year:
            self._lay(self._first_year, year + 1)
        return bisect_right(self._starts, moment) - 1

    def _reach(self, moment: int, goal: int) -> None:
        """Extend the table until it holds `goal` working microseconds. Raises ConfigError when it never will."""
        while not self._upto or self._upto[-1] < goal:
            before = self._upto[-1] if self._upto else 0
            self._lay(self._first_year, self._last_year + 2)
            if (self._upto[-1] if self._upto else 0) == before and self._last_year > _year(moment) + _FURTHEST_YEARS:
                raise self._never_open()

    def _never_open(self) -> ConfigError:
        return ConfigError(
            f"calendar {self.calendar.id!r} has no working time for {_FURTHEST_YEARS} years: give it windows"
        )

    def _lay(self, first_year: int, last_year: int) -> None:
        """Make the table for the local years first..last."""
        pieces = sorted(self._segments(first_year, last_year))
        starts: list[int] = []
        ends: list[int] = []
        for start, end in pieces:
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        total = 0
        before: list[int] = []
        upto: list[int] = []
        for start, end in zip(starts, ends, strict=True):
            before.append(total)
            total += end - start
            upto.append(total)
        self._starts, self._ends, self._before, self._upto = starts, ends, before, upto
        self._first_year, self._last_year = first_year, last_year

    def _segments(self, first_year: int, last_year: int) -> Iterator[tuple[int, int]]:
        regimes = list(_regimes(self.zone, first_year, last_year))
        at = 0
        day = date(first_year, 1, 1)
        while day.year <= last_year:
            midnight = _moment(datetime.combine(day, time(), UTC))  # of the wall clock, as if it were UTC
            while at + 1 < len(regimes) and regimes[at][1] < midnight - 48 * HOUR:
                at += 1
            for start, end in self._windows_of(day):
                wall_start, wall_end = midnight + start // MICROSECOND, midnight + end // MICROSECOND
                for begins, ceases, offset in regimes[at : at + 8]:
                    low, high = max(wall_start - offset, begins), min(wall_end - offset, ceases)
                    if low < high:
                        yield low, high
            day += timedelta(days=1)

    def _windows_of(self, day: date) -> list[tuple[timedelta, timedelta]]:
        if day in self._days_on:
            return self._days_on[day]
        if day in self._days_off or day in self._holidays(day.year):
            return []
        return self._windows.get(day.weekday(), [])


def _regimes(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[tuple[int, int, int]]:
    """Spans of UTC with one offset: (begin, end, offset), in microseconds, from before the first to after the last year."""
    step = 6 * HOUR  # no zone changes its offset twice within so short a time
    at = _moment(datetime(first_year, 1, 1, tzinfo=UTC)) - 72 * HOUR
    stop = _moment(datetime(last_year + 1, 1, 1, tzinfo=UTC)) + 72 * HOUR
    begins, offset = at, _offset(zone, at)
    while at < stop:
        following = _offset(zone, at + step)
        if following != offset:
            low, high = at, at + step
            while high - low > 1_000_000:
                middle = (low + high) // 2_000_000 * 1_000_000
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            yield begins, high, offset
            begins, offset = high, following
        at += step
    yield begins, stop, offset


def _offset(zone: ZoneInfo, moment: int) -> int:
    offset = zone.utcoffset((EPOCH + moment * MICROSECOND).astimezone(zone))
    return offset // MICROSECOND if offset else 0


def _moment(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _instant(moment: int) -> datetime:
    return EPOCH + moment * MICROSECOND


def _year(moment: int) -> int:
    return _instant(moment).year
