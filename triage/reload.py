"""New rules and a new partner file are put in force while the daemon runs; a faulty one leaves the old in its place."""

from __future__ import annotations

from pathlib import Path

from triage import assembly, events
from triage.config import Loaded
from triage.core.errors import ConfigError
from triage.steps.office import Office

_SEEN: dict[str, tuple[Path, float, int]] = {}


def rules(loaded: Loaded, office: Office, *, forced: bool = False) -> bool:
    """Put the pack in force that holds today. Read again when its day has come, or when asked to (`forced`)."""
    try:
        folder = assembly.pack_folder(loaded)
        mark = (folder, 0.0, 0)
        if not forced and _SEEN.setdefault("rules", mark) == mark:
            return False
        new = assembly.rules(loaded)
    except ConfigError as error:
        events.trouble("rules.faulty", reason=f"the old rules stay in force: {error}")
        return False
    _SEEN["rules"] = mark
    office.rules = new
    events.mended("rules.in_force", pack=office.pack_version)
    return True


def partners(loaded: Loaded, office: Office) -> bool:
    """Read the partner file again when it has changed."""
    file = loaded.config.partners.file
    if not file:
        return False
    path = loaded.path(file)
    try:
        stat = path.stat()
        mark = (path, stat.st_mtime, stat.st_size)
    except OSError as error:
        mark = (path, 0.0, -1)
        if _SEEN.get("partners") != mark:
            events.trouble("partners.faulty", reason=f"{path}: {error.strerror}; the old partners stay in force")
        _SEEN["partners"] = mark
        return False
    if _SEEN.setdefault("partners", mark) == mark:
        return False
    _SEEN["partners"] = mark
    try:
        office.directory = assembly.directory(loaded, office.rules.pack)
    except ConfigError as error:
        for line in str(error).split("\n"):
            events.trouble("partners.faulty", reason=f"{line}; the old partners stay in force")
        return False
    events.mended("partners.in_force", partners=len(office.directory))
    return True
