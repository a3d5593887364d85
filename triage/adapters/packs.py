"""Rule packs: a folder -> a `Pack`, or all of its faults with file and key.

A pack lives in `rules/<name>/`. Other versions of it stand beside it in folders `<name>-<anything>` whose manifest has
the same name; of these the one with the latest `in_force` that has come holds (`in_force`). Whoever names a folder of
an older version gets that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import triage
from triage.adapters.pack_checks import check
from triage.adapters.pack_files import MANIFEST, Sheets, assemble, read
from triage.adapters.pack_order import check_order
from triage.adapters.toml_entries import nearest, read_toml
from triage.core.errors import Fault, PackError
from triage.core.pack import Pack, Words


def shipped_rules() -> Path:
    """The folder of the packs that come with the program: inside the installed package, or of the checkout."""
    package = Path(triage.__file__).resolve().parent
    installed = package / "_rules"
    return installed if installed.is_dir() else package.parent / "rules"


def find(name_or_path: str, base: Path) -> Path:
    """The folder that a configuration means: a path (relative to `base`), or the name of a shipped pack."""
    folder = base / Path(name_or_path).expanduser()
    if (folder / MANIFEST).is_file():
        return folder
    shipped = shipped_rules() / name_or_path
    if Path(name_or_path).name == name_or_path and (shipped / MANIFEST).is_file():
        return shipped
    names = [path.parent.name for path in shipped_rules().glob(f"*/{MANIFEST}")]
    message = f"is no rule pack: neither a folder with a {MANIFEST}, nor shipped with the program"
    raise PackError([Fault(name_or_path, "", f"{message}; {nearest(name_or_path, names)}")])


def load(folder: Path) -> Pack:
    """The pack of a folder, checked. Raises PackError with every fault."""
    sheets = read(folder)
    faults = [*sheets.faults, *check(sheets)]
    if sheets.faults:  # some entries cannot even be read: what is made of all of them cannot be looked at
        if sheets.manifest is not None:
            faults += _reply_faults(assemble(sheets, {}), sheets, fill=False)
        raise PackError(_in_order(faults, folder))
    words = {
        language: Words.model_construct(rule=sheets.rules[language], form=sheets.forms[language])
        for language in sheets.rules
    }
    pack = assemble(sheets, words)
    if not faults:
        faults += check_order(pack, sheets)
    faults += _reply_faults(pack, sheets)
    if faults:
        raise PackError(_in_order(faults, folder))
    return pack


# ---------------------------------------------------------------- versions


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a pack, as its manifest says."""

    folder: Path
    version: str
    in_force: date


def versions(folder: Path) -> tuple[Version, ...]:
    """This pack and its other versions beside it, by the day from which they hold. Raises PackError."""
    own, name = _version(folder)
    found = [own]
    for path in sorted(folder.resolve().parent.glob(f"{folder.resolve().name}-*/{MANIFEST}")):
        beside, other = _version(path.parent)
        if other == name:
            found.append(beside)
    found.sort(key=lambda one: one.in_force)
    for before, after in pairwise(found):
        if before.in_force == after.in_force:
            message = f"{before.folder.name} is in force from {after.in_force} too; give each version its own day"
            raise PackError([Fault(f"{after.folder.name}/{MANIFEST}", "in_force", message)])
    return tuple(found)


def in_force(folder: Path, on: date) -> Pack:
    """The version of a pack that holds on a day. Raises PackError when none does, or it has faults."""
    return load(folder_in_force(folder, on))


def folder_in_force(folder: Path, on: date) -> Path:
    """Where the version stands that holds on a day."""
    known = versions(folder)
    holding = [one for one in known if one.in_force <= on]
    if not holding:
        message = f"holds from {known[0].in_force} on, and no other version holds on {on}"
        raise PackError([Fault(f"{folder.name}/{MANIFEST}", "in_force", message)])
    return holding[-1].folder


def _version(folder: Path) -> tuple[Version, str]:
    raw, _, faults = read_toml(folder / MANIFEST, f"{folder.name}/{MANIFEST}")
    version, day, name = raw.get("version"), raw.get("in_force"), raw.get("name")
    if not faults and not (isinstance(version, str) and isinstance(day, date) and isinstance(name, str)):
        text = "should have `name` and `version` in quotes and `in_force` as a date"
        faults = [Fault(f"{folder.name}/{MANIFEST}", "", text)]
    if faults:
        raise PackError(faults)
    assert isinstance(version, str) and isinstance(day, date) and isinstance(name, str)
    return Version(folder, version, day), name


# ---------------------------------------------------------------- faults


def _reply_faults(pack: Pack, sheets: Sheets, *, fill: bool = True) -> Sequence[Fault]:
    """The templates are checked by the module that renders them; a pack without replies has nothing to check."""
    if not sheets.replies or find_spec("triage.core.replies") is None:
        return ()
    faults: Sequence[Fault] = import_module("triage.core.replies").check_templates(pack, fill=fill)
    return faults


def _in_order(faults: Sequence[Fault], folder: Path) -> list[Fault]:
    """By file, within it as they were found, each said once, with the folder in front."""
    unique = dict.fromkeys(sorted(faults, key=lambda fault: fault.file))
    return [Fault(_shown(fault.file, folder), fault.key, fault.message) for fault in unique]


def _shown(file: str, folder: Path) -> str:
    if file == str(folder):
        return file
    return file.removeprefix("../") if file.startswith("../") else f"{folder.name}/{file}"


# ---------------------------------------------------------------- for docs/rules.md


def clause_table(pack: Pack) -> str:
    """The clauses and what carries each, as a table in Markdown."""
    lines = ["| clause | what it says | what carries it out |", "|---|---|---|"]
    for assumption, title in ((False, ""), (True, "*where the regulations are silent*")):
        clauses = [clause for clause in pack.clauses if clause.assumption == assumption]
        if title and clauses:
            lines.append(f"| | {title} | |")
        for clause in clauses:
            carriers = ", ".join(
                one if one == "people" else "{} `{}`".format(*one.split(" ", 1)) for one in clause.carriers
            )
            lines.append(f"| `{clause.id}` | {clause.text} | {carriers} |")
    return "\n".join(lines) + "\n"
