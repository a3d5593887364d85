"""New rules and a new partner file are put in force while the daemon runs; a faulty one leaves the old in its place."""

from __future__ import annotations

from pathlib import Path

from triage import assembly, events
from triage.config import Loaded
from triage.core.errors import ConfigError
from triage.steps.office import Office

_Mark = tuple[Path, int, int, int]  # a file, its number, its time, its size: another mark is another content


class Reload:
    """Remembers what is in force. Make it before the files are read for the first time: no change is missed."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._pack = assembly.pack_folder(loaded)
        self._partners = self._partner_file()

    def look(self, office: Office, *, forced: bool = False) -> None:
        """Read again what has changed. `forced`: read all again, the rules too, whose files are not watched."""
        self._read_rules(office, forced)
        self._read_partners(office, forced)

    def _read_rules(self, office: Office, forced: bool) -> None:
        """Rules are read again when the day of another version has come, or when that is asked for."""
        try:
            folder = assembly.pack_folder(self._loaded)
            if folder == self._pack and not forced:
                return
            self._pack = folder
            office.rules = assembly.rules(self._loaded)
        except ConfigError as error:
            for line in str(error).split("\n"):
                events.trouble("rules.faulty", reason=f"{line}; the old rules stay in force")
            return
        events.mended("rules.in_force", pack=office.pack_version)

    def _read_partners(self, office: Office, forced: bool) -> None:
        mark = self._partner_file()
        if mark is None or (mark == self._partners and not forced):
            return
        self._partners = mark
        try:
            office.directory = assembly.directory(self._loaded, office.rules.pack)
        except ConfigError as error:
            for line in str(error).split("\n"):
                events.trouble("partners.faulty", reason=f"{line}; the old partners stay in force")
            return
        events.mended("partners.in_force", partners=len(office.directory))

    def _partner_file(self) -> _Mark | None:
        file = self._loaded.config.partners.file
        if not file:
            return None
        path = self._loaded.path(file)
        try:
            stat = path.stat()
        except OSError:
            return (path, 0, 0, -1)  # it is gone: reading it says so, once
        return (path, stat.st_ino, stat.st_mtime_ns, stat.st_size)
