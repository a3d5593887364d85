"""Public holidays of a calendar's countries and regions, from the package `holidays` (offline)."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from triage.core.errors import ConfigError
from triage.core.hours import HolidayDates, no_holidays
from triage.core.pack import Calendar


def holiday_dates(calendar: Calendar) -> HolidayDates:
    """The dates without work of each year. The package is loaded only for calendars that name a country."""
    if not calendar.holidays:
        return no_holidays

    def dates(year: int) -> frozenset[date]:
        return frozenset[date]().union(*(_year(one.country, one.region, year) for one in calendar.holidays))

    dates(2026)  # an unknown country is told at the start, not with the first mail
    return dates


@lru_cache(maxsize=2000)
def _year(country: str, region: str, year: int) -> frozenset[date]:
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=region or None, years=year)
    except NotImplementedError:
        named = f"{country} {region}".strip()
        raise ConfigError(
            f"calendars: no public holidays are known for {named!r}; use ISO codes such as ES, MD"
        ) from None
    return frozenset(found)
