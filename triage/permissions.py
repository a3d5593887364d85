"""Who else can read what is ours: looked at with every start, and by `triage check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from triage.adapters.keys import mode
from triage.config import Loaded

OTHERS = 0o007
GROUP_OR_OTHERS = 0o077
WRITING = 0o022
# password = "..." with something in it, or a database URL with a password.
_SECRET = re.compile(
    r"""(?m)^[ \t]{0,20}password[ \t]{0,20}=[ \t]{0,20}["'][^"'\n]|://[^/\s"'@]{0,200}:[^/\s"'@]{1,200}@"""
)


def exposed(loaded: Loaded) -> Iterator[str]:
    """A sentence for each file that lies too open, with the way to mend it."""
    if loaded.file and _holds_a_secret(loaded.file):
        yield from _too_open(loaded.file, GROUP_OR_OTHERS, "600", "its passwords")
    for named in _secret_files(loaded):
        yield from _too_open(named, GROUP_OR_OTHERS, "600", "the password in it")
    url = loaded.database_url
    if url.startswith("sqlite:////"):
        database = Path(url.removeprefix("sqlite:///"))
        for file in (database, database.with_name(database.name + "-wal")):
            yield from _too_open(file, GROUP_OR_OTHERS, "600", "what partners wrote")
    if loaded.config.log.file != "-":
        yield from _too_open(loaded.path(loaded.config.log.file), OTHERS, "640", "who wrote to us")
    yield from _too_open(loaded.var / "raw", GROUP_OR_OTHERS, "700", "kept mail")
    if loaded.config.partners.file:
        file = loaded.path(loaded.config.partners.file)
        if mode(file) & WRITING & OTHERS:
            yield f"{file}: others can change who is a partner; run chmod o-w {file}"


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
