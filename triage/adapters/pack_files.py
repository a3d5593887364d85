"""The chapters of a rule pack as entries: what can be said of one entry by itself is checked here.

A chapter is any `*.toml` in the pack's folder beside `pack.toml`; it holds the tables of TABLES, whatever its name.
Every fault is collected; entries that are whole go on, the ids of broken ones are remembered, so that a mistake in
one entry is not reported again by all that refer to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triage.adapters.toml_entries import Place, check_entry, nearest, read_toml
from triage.core.errors import Fault
from triage.core.pack import (
    NONE,
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

# Families of signals whose values are ids of a chapter, and what the readers ask for beside them.
SIGNALS: dict[str, tuple[str, tuple[str, ...]]] = {
    "service": ("services", (NONE,)),
    "request_type": ("request_types", ()),
    "out_of_scope": ("scopes", (NONE,)),
    "severity": ("severities", ()),
    "deployment": ("deployments", ()),
    "field": ("fields", ()),
}
OPTIONAL = ("scopes", "fields")  # chapters that a pack may do without


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
    unread: bool = False  # a file is no TOML at all: what it holds is not missing
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
    if sheets.policy is None and "policy" not in sheets.broken and not sheets.unread:
        sheets.faults.append(Fault("policy.toml", "[policy]", "is missing; a pack needs one, at least with `calendar`"))
    for table, (attribute, _) in TABLES.items():
        there = sheets.entries[attribute] or sheets.broken.get(attribute) or sheets.unread
        if not there and attribute not in OPTIONAL:
            sheets.faults.append(Fault(f"{attribute}.toml", f"[[{table}]]", "is missing; a pack needs at least one"))
    _words(sheets)
    _learned(sheets)
    _replies(sheets)
    return sheets


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
    sheets.unread |= bool(faults)
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
        elif part.name not in permitted:
            hint = nearest(part.name, permitted)
            sheets.faults.append(Fault(f"words/{part.name}", "", f"no language of this pack; {hint}"))
        else:
            for path in sorted(part.glob("*.toml")):
                _word_file(sheets, part.name, path, f"words/{part.name}/{path.name}")
    for other, chapters in sheets.manifest.words_of.items() if sheets.manifest else ():
        _shared_words(sheets, other, chapters, permitted)


def _shared_words(sheets: Sheets, other: str, chapters: list[str], languages: list[str]) -> None:
    """Words of another pack that stands beside this one."""
    if _is_itself(sheets, other, f"words_of.{other}"):
        return
    folder = sheets.folder.resolve().parent / other
    known = {path.stem for path in folder.glob("words/*/*.toml")}
    for chapter in chapters:
        if chapter not in known:
            where = Place(MANIFEST, f"words_of.{other}")
            what = nearest(chapter, known) if known else f"there is no pack with words in {other}/ beside this one"
            sheets.faults.append(where.fault("", f"{chapter!r} is no file of words there; {what}"))
            continue
        for language in languages:
            path = folder / "words" / language / f"{chapter}.toml"
            if path.is_file():
                _word_file(sheets, language, path, f"../{other}/words/{language}/{path.name}", shared=True)


def _word_file(sheets: Sheets, language: str, path: Path, shown: str, shared: bool = False) -> None:
    rules: list[WordRule] = sheets.rules.setdefault(language, [])
    forms: list[Form] = sheets.forms.setdefault(language, [])
    raw, text, faults = read_toml(path, shown)
    sheets.faults += faults
    sheets.unread |= bool(faults)
    for name, value in raw.items():
        model = WORD_TABLES.get(name)
        if model is None:
            sheets.faults.append(Fault(shown, name, f"unknown table; {nearest(name, WORD_TABLES)}"))
        elif not _is_list_of_tables(value):
            sheets.faults.append(Fault(shown, name, f"should be a list of tables: write [[{name}]]"))
        else:
            for entry, place, _ in _entries(value, name, model, shown, text, sheets.faults):
                if entry is None or (shared and not _serves(entry.signal, sheets)):
                    continue
                if shared and not any(clause.id == entry.clause for clause in sheets.entries["clauses"]):
                    entry = entry.model_copy(update={"clause": WordRule.model_fields["clause"].default})
                sheets.places[id(entry)] = place
                (rules if isinstance(entry, WordRule) else forms).append(entry)


def _serves(signal: str, sheets: Sheets) -> bool:
    """Whether a signal of another pack speaks of something that this pack has."""
    family, _, value = signal.partition(".")
    if family not in SIGNALS:
        return True
    chapter, beside = SIGNALS[family]
    return value in beside or any(entry.id == value for entry in sheets.entries[chapter])


def _is_itself(sheets: Sheets, other: str, key: str) -> bool:
    """Whether a pack names itself as the one from which it takes something. Then that is told."""
    itself = (sheets.folder.resolve().parent / other).resolve() == sheets.folder.resolve()
    if itself:
        sheets.faults.append(Place(MANIFEST, key).fault("", f"{other!r} is this pack itself; name another, or none"))
    return itself


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
        if part.is_dir() and part.name not in sheets.languages:
            hint = nearest(part.name, sheets.languages)
            sheets.faults.append(Fault(f"replies/{part.name}", "", f"no language of this pack; {hint}"))
    for other in sheets.manifest.replies_of if sheets.manifest else ():
        if _is_itself(sheets, other, "replies_of"):
            continue
        shared = sheets.folder.resolve().parent / other / "replies"
        if not shared.is_dir():
            where = Place(MANIFEST, "replies_of")
            sheets.faults.append(where.fault("", f"there is no pack with replies in {other}/ beside this one"))
        _reply_files(sheets, shared, f"../{other}/replies")
    _reply_files(sheets, folder, "replies")


def _reply_files(sheets: Sheets, folder: Path, shown: str) -> None:
    """The texts in the languages of this pack; later ones take the place of earlier ones."""
    for language in sheets.languages:
        for path in sorted((folder / language).glob("*.txt")):
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                name = f"{shown}/{language}/{path.name}"
                sheets.faults.append(Fault(name, "", f"cannot be read as UTF-8 text: {error}"))
                continue
            sheets.replies.setdefault(language, {})[path.stem] = text


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
