"""A rule pack held against itself: every name that is used exists, every language has its texts, every clause is
carried.

Each check adds its faults and goes on; what depends on an entry that is broken by itself is not reported again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from triage.adapters.form_checks import fault as form_fault
from triage.adapters.pack_files import ANY, OPTIONAL, SIGNALS, Sheets
from triage.adapters.toml_entries import nearest
from triage.core.errors import Fault
from triage.core.hours import DAY, DAYS, window
from triage.core.pack import CHECKS, NONE, Calendar, RequiredField, Scope
from triage.core.reading.learned import APART
from triage.core.reading.machine import AUTO_REPLY, PERSON
from triage.core.reading.phrases import PhraseError, parse

# attribute of an entry -> the chapter whose ids it names, and what is permitted beside them
_REFERENCES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "calendars": {"clause": ("clauses", ())},
    "deployments": {"clause": ("clauses", ()), "calendar": ("calendars", ())},
    "severities": {"clause": ("clauses", ())},
    "request_types": {"clause": ("clauses", ())},
    "targets": {
        "clause": ("clauses", ()),
        "deployments": ("deployments", ()),
        "severities": ("severities", ()),
        "request_types": ("request_types", ()),
        "services": ("services", (NONE,)),
        "calendar": ("calendars", ()),
    },
    "cells": {"clause": ("clauses", ())},
    "services": {"clause": ("clauses", ()), "cells": ("cells", ())},
    "scopes": {"clause": ("clauses", ()), "service": ("services", (NONE,))},
    "fields": {"clause": ("clauses", ())},
    "requirements": {
        "clause": ("clauses", ()),
        "deployments": ("deployments", ()),
        "severities": ("severities", ()),
        "request_types": ("request_types", ()),
        "services": ("services", (NONE,)),
        "scopes": ("scopes", (NONE,)),
        "cells": ("cells", ()),
        "fields": ("fields", ()),
        "one_of": ("fields", ()),
    },
}
_POLICY_REFERENCES = {
    "calendar": "calendars",
    "fallback_severity": "severities",
    "fallback_deployment": "deployments",
}
# A phrase of words, stars, choices and gaps is right as it stands; only the others are parsed.
_W = r"[^\W_]+\*?"
_PLAIN = re.compile(rf"(?:{_W}|\({_W}(?:\|{_W})*\)\*?)(?: (?:{_W}\??|\({_W}(?:\|{_W})*\)\*?\??|\.\.\.(?! ?$)))*")
_TEXTS = ("names", "says")


def check(sheets: Sheets) -> list[Fault]:
    """Every fault of the entries against each other."""
    ids = _Ids(sheets)
    faults = [*_unique(sheets), *_references(sheets, ids), *_texts(sheets), *_columns(sheets)]
    for calendar in sheets.entries["calendars"]:
        faults += _calendar(sheets, calendar)
    faults += _policy(sheets)
    faults += _words(sheets, ids)
    faults += _learned(sheets, ids)
    faults += _carriers(sheets, ids)
    return faults


class _Ids:
    """The ids of each chapter, those of broken entries among them."""

    def __init__(self, sheets: Sheets) -> None:
        self._known = {
            attribute: {entry.id for entry in entries if entry.id} | sheets.broken.get(attribute, set())
            for attribute, entries in sheets.entries.items()
        }
        self._unread = sheets.unread

    def of(self, attribute: str) -> set[str]:
        return self._known[attribute]

    def permits(self, attribute: str, value: str, beside: Iterable[str] = ()) -> bool:
        """Whether there is such an id. Where a whole chapter is missing, that is told, and not all that names it."""
        known = self._known[attribute]
        missing = not known and (self._unread or attribute not in OPTIONAL)
        return value in known or value in beside or missing


# ---------------------------------------------------------------- ids and references


def _unique(sheets: Sheets) -> Iterator[Fault]:
    chapters: list[Iterable[Any]] = list(sheets.entries.values())
    chapters.append([*(rule for rules in sheets.rules.values() for rule in rules),
                     *(form for forms in sheets.forms.values() for form in forms)])  # fmt: skip
    for entries in chapters:
        first: dict[str, Any] = {}
        for entry in entries:
            if not entry.id:
                yield sheets.place(entry).fault("id", "is missing")
            elif entry.id in first:
                other = sheets.place(first[entry.id])
                yield sheets.place(entry).fault("id", f"{entry.id!r} is taken by {other.file}, {other.where}")
            first.setdefault(entry.id, entry)


def _references(sheets: Sheets, ids: _Ids) -> Iterator[Fault]:
    for attribute, references in _REFERENCES.items():
        for entry in sheets.entries[attribute]:
            for key, (chapter, beside) in references.items():
                for at, value in _named(key, getattr(entry, key)):
                    if not ids.permits(chapter, value, beside):
                        message = f"{value!r} is not in {chapter}; {nearest(value, ids.of(chapter) | set(beside))}"
                        yield sheets.place(entry).fault(at, message)
    if sheets.policy is not None:
        for key, chapter in _POLICY_REFERENCES.items():
            value = getattr(sheets.policy, key)
            if value is not None and not ids.permits(chapter, value):
                message = f"{value!r} is not in {chapter}; {nearest(value, ids.of(chapter))}"
                yield sheets.place(sheets.policy).fault(key, message)
    for entry in (*_all(sheets.rules), *_all(sheets.forms)):
        if not ids.permits("clauses", entry.clause):
            message = f"{entry.clause!r} is not in clauses; {nearest(entry.clause, ids.of('clauses'))}"
            yield sheets.place(entry).fault("clause", message)


def _named(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """(key, id) of every id that an attribute names."""
    if value is None:
        return
    if isinstance(value, dict):
        yield from ((f"{key}.{part}", one) for part, one in value.items())
    elif isinstance(value, list):
        for number, one in enumerate(value, 1):
            yield from _named(f"{key}[{number}]", one)
    else:
        yield key, value


def _all(by_language: dict[str, list[Any]]) -> Iterator[Any]:
    for entries in by_language.values():
        yield from entries


def _columns(sheets: Sheets) -> Iterator[Fault]:
    """Every row of the service table has a cell in every column that a deployment reads, and in no other."""
    columns = {plan.column for plan in sheets.entries["deployments"]}
    if not columns or sheets.broken.get("deployments"):
        return
    for row in sheets.entries["services"]:
        place = sheets.place(row)
        for column in sorted(columns - row.cells.keys()):
            yield place.fault("cells", f"the column {column!r} is missing, which a deployment reads")
        for column, texts in row.notes.items():
            if column not in columns:
                yield place.fault(f"notes.{column}", f"no deployment reads this column; {nearest(column, columns)}")
            yield from _text(sheets, row, f"notes.{column}", texts)
        for column in sorted(row.cells.keys() - columns):
            yield place.fault(f"cells.{column}", f"no deployment reads this column; {nearest(column, columns)}")


# ---------------------------------------------------------------- texts by language


def _texts(sheets: Sheets) -> Iterator[Fault]:
    if not sheets.languages:
        return
    for entries in sheets.entries.values():
        for entry in entries:
            for key in _TEXTS:
                texts = getattr(entry, key, None)
                if texts is not None and (texts or key != "says" or isinstance(entry, Scope)):
                    yield from _text(sheets, entry, key, texts)
            if isinstance(entry, RequiredField):
                yield from _text(sheets, entry, "asks", entry.asks)
    for entry in sheets.entries["requirements"]:
        asked = {*entry.fields, *(name for group in entry.one_of for name in group)}
        for name, texts in entry.asks.items():
            if name not in asked:
                message = f"this entry does not ask for it; {nearest(name, asked)}"
                yield sheets.place(entry).fault(f"asks.{name}", message)
            yield from _text(sheets, entry, f"asks.{name}", texts)
    if sheets.manifest is not None:
        for key in ("language_names", "signature"):
            texts = getattr(sheets.manifest, key)
            if texts:
                yield from _text(sheets, sheets.manifest, key, texts)
        seen: set[str] = set()
        for language in sheets.languages:
            if language == ANY or language in seen:
                reason = "stands for words of every language" if language == ANY else "stands there twice"
                yield sheets.place(sheets.manifest).fault("languages", f"{language!r} {reason}; take it out")
            seen.add(language)


def _text(sheets: Sheets, entry: Any, key: str, texts: dict[str, str]) -> Iterator[Fault]:
    place = sheets.place(entry)
    for language in sheets.languages:
        if language not in texts:
            yield place.fault(
                key, f"has no text in {language!r}; every language of {', '.join(sheets.languages)} needs one"
            )
        elif not texts[language].strip():
            yield place.fault(f"{key}.{language}", "is empty; write a text")
    for language in texts:
        if language not in sheets.languages:
            hint = nearest(language, sheets.languages)
            yield place.fault(f"{key}.{language}", f"is no language of this pack; {hint}")


# ---------------------------------------------------------------- calendars


def _calendar(sheets: Sheets, calendar: Calendar) -> Iterator[Fault]:
    place = sheets.place(calendar)
    if not _zone_exists(calendar.zone):
        hint = nearest(calendar.zone, available_timezones())
        yield place.fault("zone", f"{calendar.zone!r} is no IANA time zone; {hint}")
    if not any(calendar.windows.values()):
        yield place.fault("windows", 'has no working time; write for example {mon = ["09:00-17:00"]}')
    days: dict[str, list[str]] = {f"windows.{day}": texts for day, texts in calendar.windows.items()}
    days |= {f"days_on.{day}": texts for day, texts in calendar.days_on.items()}
    for key, texts in days.items():
        yield from _windows(place.fault, key, texts)
    yield from _past_midnight(place.fault, calendar)
    for day in sorted(set(calendar.days_off) & calendar.days_on.keys()):
        yield place.fault("days_off", f"{day} is in days_on too; keep one")
    for number, holidays in enumerate(calendar.holidays, 1):
        wrong = _holidays(holidays.country, holidays.region)
        if wrong:
            yield place.fault(f"holidays[{number}]", wrong)


def _windows(fault: Callable[[str, str], Fault], key: str, texts: list[str]) -> Iterator[Fault]:
    spans = []
    for text in texts:
        try:
            spans.append((window(text), text))
        except ValueError as error:
            yield fault(key, str(error))
    spans.sort()
    for (before, first), (after, second) in pairwise(spans):
        if after[0] < before[1]:
            yield fault(key, f"{first} and {second} overlap; make them one")


def _past_midnight(fault: Callable[[str, str], Fault], calendar: Calendar) -> Iterator[Fault]:
    """A window that goes past midnight ends before the next day's begins."""
    windows = {str(day): texts for day, texts in calendar.windows.items()}
    for day, following in zip(DAYS, (*DAYS[1:], DAYS[0]), strict=True):
        late = [span for span in _spans(windows.get(day, [])) if span[0][1] > DAY]
        for (_, end), first in late:
            for (start, _), second in _spans(windows.get(following, [])):
                if start < end - DAY:
                    message = f"{first} goes on into {following}, where {second} begins before it ends; make them meet"
                    yield fault(f"windows.{day}", message)


def _spans(texts: Iterable[str]) -> list[tuple[tuple[timedelta, timedelta], str]]:
    """Windows as times, those that can be read."""
    spans = []
    for text in texts:
        with suppress(ValueError):
            spans.append((window(text), text))
    return spans


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
        return False
    return True


def _holidays(country: str, region: str) -> str:
    """What is wrong with a country and region; "" when their public holidays are known."""
    import holidays  # only packs with public holidays pay for it

    countries = holidays.list_supported_countries(include_aliases=False)
    if country not in countries:
        hint = nearest(country.upper(), countries)
        return f"the holidays of country {country!r} are not known, write its two letters (ISO 3166); {hint}"
    if region and region not in countries[country]:
        return f"{country} has no region {region!r}; {nearest(region, countries[country])}"
    return ""


# ---------------------------------------------------------------- policy, levels


def _policy(sheets: Sheets) -> Iterator[Fault]:
    """Values that are right by themselves, and would never come to pass."""
    policy = sheets.policy
    if policy is not None and policy.remind_after_days >= policy.close_waiting_after_days:
        message = f"found {policy.remind_after_days}; should be below close_waiting_after_days, or nobody is reminded"
        yield sheets.place(policy).fault("remind_after_days", message)
    calendar = next((one for one in sheets.entries["calendars"] if policy and one.id == policy.calendar), None)
    if policy is not None and calendar is not None:
        hours, minutes = map(int, policy.digest_at.split(":"))
        ends = [span[1] for texts in calendar.windows.values() for span, _ in _spans(texts)]
        if ends and max(ends) <= timedelta(hours=hours, minutes=minutes):
            message = f"found {policy.digest_at!r}; nobody works then or later on any day of {calendar.id!r}"
            yield sheets.place(policy).fault("digest_at", message)
    ranks: dict[int, Any] = {}
    for severity in sheets.entries["severities"]:
        other = ranks.setdefault(severity.rank, severity)
        if other is not severity:
            message = f"found {severity.rank}, which is that of {other.id!r}; which of the two is the graver?"
            yield sheets.place(severity).fault("rank", message)


# ---------------------------------------------------------------- words


def _words(sheets: Sheets, ids: _Ids) -> Iterator[Fault]:
    for rule in _all(sheets.rules):
        place = sheets.place(rule)
        yield from _signal(rule.signal, place.fault, ids)
        for key in ("phrases", "unless"):
            yield from _phrases(getattr(rule, key), key, place.fault)
    for form in _all(sheets.forms):
        place = sheets.place(form)
        yield from _signal(form.signal, place.fault, ids)
        for key in ("near", "not_near"):
            yield from _phrases(getattr(form, key), key, place.fault)
        wrong = form_fault(form.pattern, form.ignore_case)
        if wrong:
            yield place.fault("pattern", wrong)
    sought = {entry.signal for entry in (*_all(sheets.forms), *_all(sheets.rules))}
    for one in sheets.entries["fields"]:
        if one.reader == "forms" and f"field.{one.id}" not in sought and not sheets.unread:
            message = f'no [[form]] has the signal "field.{one.id}", so it would be asked for and never found; add one'
            yield sheets.place(one).fault("reader", message)


def _learned(sheets: Sheets, ids: _Ids) -> Iterator[Fault]:
    for label, learned in sheets.learned.items():
        place = sheets.place(learned)
        if label != learned.label:
            yield place.fault("label", f"found {learned.label!r}; should be {label!r}, as the file is named")
        elif label not in SIGNALS and label not in APART:
            yield place.fault("label", f"{label!r} is no label that is learned; {nearest(label, SIGNALS)}")
        else:
            chapter, beside = SIGNALS.get(label, ("", (AUTO_REPLY, PERSON)))
            known = (ids.of(chapter) if chapter else set()) | {*beside, "null"}  # the guide's word for no value
            for value in sorted((learned.start.keys() | learned.weights.keys()) - known):
                yield place.fault("start", f"{value!r} is not in {chapter}; {nearest(value, known)}, or train it anew")


def _phrases(phrases: list[str], key: str, fault: Callable[[str, str], Fault]) -> Iterator[Fault]:
    for number, phrase in enumerate(phrases, 1):
        if _PLAIN.fullmatch(phrase):
            continue
        try:
            parse(phrase)
        except PhraseError as error:
            yield fault(f"{key}[{number}]", str(error))


def _signal(signal: str, fault: Callable[[str, str], Fault], ids: _Ids) -> Iterator[Fault]:
    family, dot, value = signal.partition(".")
    if not dot or not value:
        yield fault("signal", f"found {signal!r}; should be <label>.<value>, for example service.api")
    elif family in SIGNALS:
        chapter, beside = SIGNALS[family]
        known = ids.of(chapter) | set(beside)
        if not ids.permits(chapter, value, beside):
            yield fault("signal", f"{signal!r}: {value!r} is not in {chapter}; {nearest(value, known)}")


# ---------------------------------------------------------------- clauses


def _carriers(sheets: Sheets, ids: _Ids) -> Iterator[Fault]:
    signals = {entry.signal for entry in (*_all(sheets.rules), *_all(sheets.forms))}
    rules = {entry.id for entry in (*_all(sheets.rules), *_all(sheets.forms))}
    templates = {name for texts in sheets.replies.values() for name in texts}
    for clause in sheets.entries["clauses"]:
        for number, carrier in enumerate(clause.carriers, 1):
            kind, _, name = carrier.partition(" ")
            wrong = ""
            if kind == "value":
                wrong = _no_value(sheets, ids, name)
            elif kind == "check" and name not in CHECKS:
                wrong = f"the program has no check {name!r}; {nearest(name, CHECKS)}"
            elif kind == "text" and sheets.replies and name not in templates:
                wrong = f"there is no reply {name!r}; {nearest(name, templates)}"
            elif kind == "words" and signals and name not in signals:
                wrong = f"no words speak for {name!r}; {nearest(name, signals)}"
            elif kind == "rule" and rules and name not in rules:
                wrong = f"no word rule has the id {name!r}; {nearest(name, rules)}"
            elif kind not in ("value", "check", "text", "words", "rule") and carrier != "people":
                wrong = f"found {carrier!r}; should be value, text, words, rule or check with a name, or people"
            if wrong:
                yield sheets.place(clause).fault(f"carriers[{number}]", wrong)


def _no_value(sheets: Sheets, ids: _Ids, name: str) -> str:
    """Why `chapter.id[.key]` names nothing; "" when it does."""
    chapter, _, rest = name.partition(".")
    single: dict[str, Any] = {"policy": sheets.policy, "unsure": sheets.unsure, "manifest": sheets.manifest}
    if chapter in single:
        entry = single[chapter]
        if entry is None or rest in type(entry).model_fields:
            return ""
        return f"{chapter} has no key {rest!r}; {nearest(rest, type(entry).model_fields)}"
    if chapter not in sheets.entries:
        return f"there is no chapter {chapter!r}; {nearest(chapter, [*sheets.entries, *single])}"
    if ids.permits(chapter, rest):
        return ""
    owner, _, key = rest.rpartition(".")
    if owner in ids.of(chapter):
        keys = type(sheets.entries[chapter][0]).model_fields if sheets.entries[chapter] else {}
        return "" if not keys or key in keys else f"{chapter} have no key {key!r}; {nearest(key, keys)}"
    return f"{rest!r} is not in {chapter}; {nearest(rest, ids.of(chapter))}"
