"""Who else can read or change what is ours: looked at with every start, and by `triage check`."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from triage.adapters.keys import mode
from triage.config import Loaded

OTHERS = 0o007
GROUP_OR_OTHERS = 0o077
WRITING = 0o022
# systemd lets the service's user read these by an access list, which looks like a right of the group.
_CREDENTIALS = Path("/run/credentials")
# password = "..." with something in it, or a database URL with a password.
_SECRET = re.compile(
    r"""(?m)^[ \t]{0,20}password[ \t]{0,20}=[ \t]{0,20}["'][^"'\n]|://[^/\s"'@]{0,200}:[^/\s"'@]{1,200}@"""
)


def exposed(loaded: Loaded) -> Iterator[str]:
    """A sentence for each file that lies too open, with the way to mend it."""
    if loaded.file and _holds_a_secret(loaded.file):
        yield from _too_open(loaded.file, GROUP_OR_OTHERS, "600", "its passwords")
    for named in _secret_files(loaded):
        if not named.is_relative_to(_CREDENTIALS):
            yield from _too_open(named, GROUP_OR_OTHERS, "600", "the password in it")
    url = loaded.database_url
    if url.startswith("sqlite:////"):
        database = Path(url.removeprefix("sqlite:///"))
        for file in (database, database.with_name(database.name + "-wal")):
            yield from _too_open(file, GROUP_OR_OTHERS, "600", "what partners wrote")
    yield from _too_open(loaded.var / "triage.key", GROUP_OR_OTHERS, "600", "the key")
    if loaded.config.log.file != "-":
        yield from _too_open(loaded.path(loaded.config.log.file), OTHERS, "640", "who wrote to us")
    yield from _too_open(loaded.var / "raw", GROUP_OR_OTHERS, "700", "kept mail")
    yield from _changeable(loaded)


def _changeable(loaded: Loaded) -> Iterator[str]:
    """What everybody on this machine could change, or put something else in the place of."""
    if loaded.file and not _holds_a_secret(loaded.file):
        yield from _open_to_write(loaded.file, "what is configured")
    partners = loaded.path(loaded.config.partners.file) if loaded.config.partners.file else None
    if partners:
        yield from _open_to_write(partners, "who is a partner")
    named = [loaded.var, *_secret_files(loaded), *([loaded.file.resolve()] if loaded.file else [])]
    named += [partners] if partners else []
    named += [loaded.path(loaded.config.log.file)] if loaded.config.log.file != "-" else []
    folders = dict.fromkeys(one if one == loaded.var else one.parent for one in named)
    pack = loaded.path(loaded.config.rules.pack)
    if pack.is_dir():
        folders |= dict.fromkeys([pack, *sorted(one for one in pack.rglob("*") if one.is_dir())])
        for file in sorted(one for one in pack.rglob("*") if one.is_file()):
            yield from _open_to_write(file, "the rules")
    for folder in folders:
        if mode(folder) & WRITING & OTHERS and not _sticky(folder):
            yield f"{folder}: others can put files of theirs in the place of ours; run chmod o-w {folder}"


def _open_to_write(file: Path, what: str) -> Iterator[str]:
    if mode(file) & WRITING & OTHERS:
        yield f"{file}: others can change {what}; run chmod o-w {file}"


def _sticky(folder: Path) -> bool:
    """Whether files in it can be replaced by their owners only, as in /tmp."""
    return bool(folder.stat().st_mode & stat.S_ISVTX)


def _too_open(file: Path, forbidden: int, right: str, what: str) -> Iterator[str]:
    if mode(file) & forbidden:
        yield f"{file}: others can read {what}; run chmod {right} {file}"


def _secret_files(loaded: Loaded) -> Iterator[Path]:
    settings = loaded.config
    named = [settings.smtp.password_file, settings.database.url_file, *(box.password_file for box in settings.mailbox)]
    return (loaded.path(one) for one in named if one)


def _holds_a_secret(file: Path) -> bool:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return False
    return _SECRET.search(text) is not None
