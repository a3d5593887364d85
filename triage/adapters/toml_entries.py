"""TOML tables as entries of a model: what is wrong with one, said so that its author can mend it.

A fault names the file, the line and the entry, the key, what was found and what would be right; for a mistyped name
the nearest known one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from triage.core.errors import Fault
from triage.core.pack import Entry

_MOST_BYTES = 4_000_000  # of one file of a pack
_TOO_MANY = 100  # names that nobody reads, such as all time zones


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands, for people."""

    file: str
    where: str  # 'line 12, service "api"'

    def fault(self, key: str, message: str) -> Fault:
        return Fault(self.file, ", ".join(part for part in (self.where, key) if part), message)


def read_toml(path: Path, shown: str) -> tuple[dict[str, Any], str, list[Fault]]:
    """The tables of a file and its text, or the fault that keeps it from being read."""
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            return {}, "", [Fault(shown, "", f"is larger than {_MOST_BYTES:,} bytes")]
        text = data.decode("utf-8-sig")
        return tomllib.loads(text), text, []
    except OSError as error:
        return {}, "", [Fault(shown, "", f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return {}, "", [Fault(shown, f"line {line}", "is not UTF-8; save the file with the encoding UTF-8")]
    except tomllib.TOMLDecodeError as error:
        return {}, "", [Fault(shown, *_toml_error(str(error)))]
    except RecursionError:
        return {}, "", [Fault(shown, "", "is nested too deeply to be read")]


def nearest(found: str, known: Iterable[str]) -> str:
    """What would be right in place of an unknown name: the most similar, or all of them when they are few."""
    names = sorted(set(known))
    close = difflib.get_close_matches(found, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "none is known"
    if len(names) > _TOO_MANY:
        return "nothing known is like it"
    return "known: " + ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")


def check_entry(model: type[Entry], raw: Any, place: Place, faults: list[Fault]) -> Any:
    """The entry, or None with its faults added."""
    if not isinstance(raw, dict):
        faults.append(place.fault("", f"found {_show(raw)}; should be a table"))
        return None
    try:
        return model.model_validate(raw, strict=True)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=True):
            key, message = _explain(model, raw, one)
            faults.append(place.fault(key, message))
        return None


def _toml_error(message: str) -> tuple[str, str]:
    """(place, what is wrong) of tomllib's "... (at line 3, column 5)"."""
    match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    if not match:
        return "", f"is not TOML: {message}"
    return match.group(2), f"is not TOML: {match.group(1).lower()}"


# ---------------------------------------------------------------- words for pydantic's errors

_SHOULD = {
    "finite_number": "a number that is finite",
    "string_type": 'a text in quotes, "..."',
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, [...]",
    "date_type": "a date, 2026-01-31, without quotes",
    "date_parsing": "a date, 2026-01-31",
    "date_from_datetime_parsing": "a date, 2026-01-31",
    "date_from_datetime_inexact": "a date, 2026-01-31",
}


def _explain(model: type[Entry], raw: Mapping[str, Any], error: Any) -> tuple[str, str]:
    """(key, what was found and what would be right) of one error."""
    loc: tuple[int | str, ...] = error["loc"]
    kind: str = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if loc and loc[-1] == "[key]":  # a key of a table, shown as the value that it is
        loc = loc[:-1]
        return _key(loc), f"found {loc[-1]!r}; {_right(kind, context, str(loc[-1]))}"
    found = _value(raw, loc)
    if kind == "missing":
        return _key(loc), "is missing"
    if kind == "extra_forbidden":
        return _key(loc), f"unknown key; {nearest(str(loc[-1]), _keys(model, loc[:-1]))}"
    if kind == "dict_type" and _key(loc) in ("names", "says", "asks", "signature", "language_names"):
        return _key(loc), f'found {_show(found)}; should be a text for each language, {{en = "...", es = "..."}}'
    return _key(loc), f"found {_show(found)}; {_right(kind, context, found)}"


def _right(kind: str, context: Mapping[str, Any], found: Any) -> str:
    if kind in _SHOULD:
        return f"should be {_SHOULD[kind]}"
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        close = difflib.get_close_matches(str(found), options, n=1, cutoff=0.6)
        hint = f", perhaps {close[0]!r}" if close else ""
        return "should be one of " + ", ".join(map(repr, options)) + hint
    if kind == "string_pattern_mismatch" and ":" in str(context.get("pattern")):
        return "should be a time, HH:MM"
    if kind == "string_pattern_mismatch":
        return "should be an id: letters, digits, '_', '-' and '.', without spaces"
    if kind == "too_short":
        return "should hold at least one entry"
    if kind in ("dict_type", "model_type"):
        return "should be a table"
    if kind == "value_error":
        return str(context.get("error"))
    bounds = {
        "greater_than": "above",
        "greater_than_equal": "at least",
        "less_than": "below",
        "less_than_equal": "at most",
    }
    if kind in bounds:
        number = next(context[key] for key in ("gt", "ge", "lt", "le") if key in context)
        return f"should be {bounds[kind]} {number}"
    return f"is not right here ({kind.replace('_', ' ')})"


def _key(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _value(raw: Any, loc: tuple[int | str, ...]) -> Any:
    for part in loc:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list" if value else "an empty list"
    if isinstance(value, date):
        return value.isoformat()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that are permitted at a place of a model."""
    here: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        if not (isinstance(here, type) and issubclass(here, BaseModel)) or part not in here.model_fields:
            return []
        here = _inner(here.model_fields[part].annotation)
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _inner(annotation: Any) -> Any:
    """The model inside list[...] or ... | None."""
    while get_origin(annotation) in (list, Union, types.UnionType):
        annotation = next((part for part in get_args(annotation) if part is not type(None)), None)
    return annotation
