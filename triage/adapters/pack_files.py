"""The chapters of a rule pack as entries: what can be said of one entry by itself is checked here.

A chapter is any `*.toml` in the pack's folder beside `pack.toml`; it holds the tables of TABLES, whatever its name.
Every fault is collected; entries that are whole go on, the ids of broken ones are remembered, so that a mistake in
one entry is not reported again by all that refer to it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from triage.core.errors import Fault
from triage.core.pack import (
    Calendar,
    Cell,
    Clause,
    Deployment,
    Entry,
    Form,
    Learned,
    Manifest,
    Pack,
    Policy,
    RequestType,
    RequiredField,
    Requirement,
    Scope,
    Service,
    Severity,
    Target,
    Unsure,
    WordRule,
)

MANIFEST = "pack.toml"
ANY = "any"  # the folder of words that hold in every language

# table in the file -> (attribute of the pack, what an entry is)
TABLES: dict[str, tuple[str, type[Entry]]] = {
    "clause": ("clauses", Clause),
    "calendar": ("calendars", Calendar),
    "deployment": ("deployments", Deployment),
    "severity": ("severities", Severity),
    "request_type": ("request_types", RequestType),
    "target": ("targets", Target),
    "cell": ("cells", Cell),
    "service": ("services", Service),
    "scope": ("scopes", Scope),
    "field": ("fields", RequiredField),
    "requirement": ("requirements", Requirement),
}
SINGLE: dict[str, type[Entry]] = {"policy": Policy, "unsure": Unsure}
WORD_TABLES: dict[str, type[Entry]] = {"rule": WordRule, "form": Form}
_OPTIONAL = ("scopes", "fields")

_MOST_BYTES = 4_000_000  # of one file of a pack


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands, for people."""

    file: str
    where: str  # 'line 12, service "api"'

    def fault(self, key: str, message: str) -> Fault:
        return Fault(self.file, ", ".join(part for part in (self.where, key) if part), message)


@dataclass(slots=True)
class Sheets:
    """All that was read from a folder, before the entries are held against each other."""

    folder: Path
    manifest: Manifest | None = None
    languages: list[str] = field(default_factory=list)
    entries: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name, _ in TABLES.values()})
    policy: Policy | None = None
    unsure: Unsure = field(default_factory=Unsure)
    rules: dict[str, list[WordRule]] = field(default_factory=dict)  # by language
    forms: dict[str, list[Form]] = field(default_factory=dict)
    learned: dict[str, Learned] = field(default_factory=dict)  # by label
    replies: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)  # by the identity of the entry
    broken: dict[str, set[str]] = field(default_factory=dict)  # attribute -> ids of entries with faults
    faults: list[Fault] = field(default_factory=list)

    def place(self, entry: object) -> Place:
        return self.places.get(id(entry), Place(MANIFEST, ""))


def read(folder: Path) -> Sheets:
    """Everything that stands in the folder of a pack."""
    sheets = Sheets(folder)
    if not (folder / MANIFEST).is_file():
        what = "there is no such folder" if not folder.is_dir() else f"this folder has no {MANIFEST}"
        sheets.faults.append(Fault(str(folder), "", f"{what}; a rule pack is a folder with a {MANIFEST} and chapters"))
        return sheets
    _manifest(sheets)
    for path in sorted(folder.glob("*.toml")):
        if path.name != MANIFEST:
            _chapter(sheets, path)
    if sheets.policy is None and "policy" not in sheets.broken:
        sheets.faults.append(Fault("policy.toml", "[policy]", "is missing; a pack needs one, at least with `calendar`"))
    for table, (attribute, _) in TABLES.items():
        if not sheets.entries[attribute] and not sheets.broken.get(attribute) and attribute not in _OPTIONAL:
            sheets.faults.append(Fault(f"{attribute}.toml", f"[[{table}]]", "is missing; a pack needs at least one"))
    _words(sheets)
    _learned(sheets)
    _replies(sheets)
    return sheets


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


# ---------------------------------------------------------------- the files


def _manifest(sheets: Sheets) -> None:
    raw, _, faults = read_toml(sheets.folder / MANIFEST, MANIFEST)
    sheets.faults += faults
    if faults:
        return
    sheets.manifest = check_entry(Manifest, raw, Place(MANIFEST, ""), sheets.faults)
    languages = raw.get("languages")
    if isinstance(languages, list):
        sheets.languages = [language for language in languages if isinstance(language, str)]


def _chapter(sheets: Sheets, path: Path) -> None:
    shown = path.name
    raw, text, faults = read_toml(path, shown)
    sheets.faults += faults
    for name, value in raw.items():
        if name in SINGLE:
            _single(sheets, shown, name, value)
        elif name not in TABLES:
            hint = nearest(name, [*TABLES, *SINGLE])
            sheets.faults.append(Fault(shown, f"{name}", f"unknown table; {hint}"))
        elif not _is_list_of_tables(value):
            sheets.faults.append(Fault(shown, name, f"should be a list of tables: write [[{name}]] above each entry"))
        else:
            attribute, model = TABLES[name]
            for entry, place, entry_id in _entries(value, name, model, shown, text, sheets.faults):
                if entry is None:
                    sheets.broken.setdefault(attribute, set()).add(entry_id)
                else:
                    sheets.entries[attribute].append(entry)
                    sheets.places[id(entry)] = place


def _single(sheets: Sheets, shown: str, name: str, raw: Any) -> None:
    place = Place(shown, f"[{name}]")
    if name == "policy" and sheets.policy is not None:
        sheets.faults.append(place.fault("", "stands in the pack twice; keep one"))
    entry = check_entry(SINGLE[name], raw, place, sheets.faults)
    if entry is None:
        sheets.broken.setdefault(name, set())
        return
    sheets.places[id(entry)] = place
    if isinstance(entry, Policy):
        sheets.policy = entry
    elif isinstance(entry, Unsure):
        sheets.unsure = entry


def _words(sheets: Sheets) -> None:
    folder = sheets.folder / "words"
    permitted = [*sheets.languages, ANY]
    for part in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not part.is_dir():
            if part.suffix == ".toml":
                sheets.faults.append(Fault(f"words/{part.name}", "", "should stand in words/<language>/ or words/any/"))
            continue
        if part.name not in permitted:
            hint = nearest(part.name, permitted)
            sheets.faults.append(Fault(f"words/{part.name}", "", f"no language of this pack; {hint}"))
            continue
        rules: list[WordRule] = sheets.rules.setdefault(part.name, [])
        forms: list[Form] = sheets.forms.setdefault(part.name, [])
        for path in sorted(part.glob("*.toml")):
            shown = f"words/{part.name}/{path.name}"
            raw, text, faults = read_toml(path, shown)
            sheets.faults += faults
            for name, value in raw.items():
                model = WORD_TABLES.get(name)
                if model is None:
                    sheets.faults.append(Fault(shown, name, f"unknown table; {nearest(name, WORD_TABLES)}"))
                elif not _is_list_of_tables(value):
                    sheets.faults.append(Fault(shown, name, f"should be a list of tables: write [[{name}]]"))
                else:
                    for entry, place, _ in _entries(value, name, model, shown, text, sheets.faults):
                        if entry is not None:
                            sheets.places[id(entry)] = place
                            (rules if isinstance(entry, WordRule) else forms).append(entry)


def _learned(sheets: Sheets) -> None:
    """model/<label>.json, which training writes: taken as it is, apart from its outline."""
    for path in sorted((sheets.folder / "model").glob("*.json")):
        place = Place(f"model/{path.name}", "")
        try:
            raw = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            sheets.faults.append(place.fault("", f"cannot be read as JSON: {error}; train it anew"))
            continue
        entry = check_entry(Learned, raw, place, sheets.faults)
        if entry is not None:
            sheets.learned[path.stem] = entry
            sheets.places[id(entry)] = place


def _replies(sheets: Sheets) -> None:
    folder = sheets.folder / "replies"
    for part in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not part.is_dir():
            continue
        if part.name not in sheets.languages:
            hint = nearest(part.name, sheets.languages)
            sheets.faults.append(Fault(f"replies/{part.name}", "", f"no language of this pack; {hint}"))
            continue
        texts = sheets.replies.setdefault(part.name, {})
        for path in sorted(part.glob("*.txt")):
            shown = f"replies/{part.name}/{path.name}"
            try:
                texts[path.stem] = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                sheets.faults.append(Fault(shown, "", f"cannot be read as UTF-8 text: {error}"))


# ---------------------------------------------------------------- entries and their lines


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _entries(
    raw: list[dict[str, Any]], table: str, model: type[Entry], shown: str, text: str, faults: list[Fault]
) -> Iterable[tuple[Any, Place, str]]:
    lines = _lines(text, table)
    for number, one in enumerate(raw):
        entry_id = str(one.get("id", ""))
        line = f"line {lines[number]}" if number < len(lines) else f"entry {number + 1}"
        place = Place(shown, f'{line}, {table} "{entry_id}"' if entry_id else f"{line}, {table}")
        yield check_entry(model, one, place, faults), place, entry_id


def _lines(text: str, table: str) -> list[int]:
    """The lines on which [[table]] stands. tomllib tells no positions; a header in a text of several lines is rare."""
    header = re.compile(rf"[ \t]*\[\[[ \t]*{table}[ \t]*\]\]")
    return [number for number, line in enumerate(text.split("\n"), 1) if header.match(line)]


def _toml_error(message: str) -> tuple[str, str]:
    """(place, what is wrong) of tomllib's "... (at line 3, column 5)"."""
    match = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    if not match:
        return "", f"is not TOML: {message}"
    return match.group(2), f"is not TOML: {match.group(1).lower()}"


# ---------------------------------------------------------------- words for pydantic's errors

_SHOULD = {
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
        return _key(loc[:-1]), f"found {loc[-1]!r}; {_right(kind, context, str(loc[-1]))}"
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
    if kind == "string_pattern_mismatch":
        return "should be an id: letters, digits, '_', '-' and '.', without spaces"
    if kind == "too_short":
        return "should hold at least one entry"
    if kind in ("dict_type", "model_type"):
        return "should be a table"
    bounds = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below"}
    if kind in bounds:
        number = context.get("gt", context.get("ge", context.get("lt")))
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


def assemble(sheets: Sheets, words: dict[str, Any]) -> Pack:
    """The pack of sheets without faults."""
    parts: dict[str, Any] = {
        **sheets.entries,
        "manifest": sheets.manifest,
        "policy": sheets.policy,
        "unsure": sheets.unsure,
        "words": words,
        "learned": sheets.learned,
        "replies": sheets.replies,
    }
    return Pack.model_construct(**parts)
