"""Stored mail -> (name, bytes), one at a time: an .eml file, a folder of them, an mbox, a Maildir.

Only one mail is in memory. An entry that cannot be read is a `Fault` in its place, and the next one follows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from triage.core.errors import Fault

MOST = 64 << 20  # octets of one mail; what is larger is no mail that the daemon would take
_ENDINGS = (".eml", ".mbox", ".mbx")


def mails(path: str | Path) -> Iterator[tuple[str, bytes | Fault]]:
    """Every mail below the path, in the order of names; a name is the path, in an mbox with `#` and the number."""
    path = Path(path)
    if not path.is_dir():
        yield from _file(path)
    elif (path / "cur").is_dir() and (path / "new").is_dir():
        yield from _folder(path / "new", maildir=True)
        yield from _folder(path / "cur", maildir=True)
        for inner in _names(path):
            # Maildir++: folders of the same kind, with a dot in front.
            if inner.startswith(".") and (path / inner / "cur").is_dir():
                yield from mails(path / inner)
    else:
        yield from _folder(path, maildir=False)


def _folder(path: Path, *, maildir: bool) -> Iterator[tuple[str, bytes | Fault]]:
    try:
        names = _names(path)
    except OSError as fault:
        yield str(path), _fault(path, fault)
        return
    for name in names:
        entry = path / name
        if maildir:
            if not name.startswith(".") and entry.is_file():
                yield from _mail(entry)
        elif entry.is_dir():
            if not entry.is_symlink():  # a link may lead back to us
                yield from mails(entry)
        # A pipe or a socket may never say anything; a dead link is told.
        elif name.lower().endswith(_ENDINGS) and (entry.is_file() or not entry.exists()):
            yield from _file(entry)


def _names(path: Path) -> list[str]:
    return sorted(os.listdir(path))


def _file(path: Path) -> Iterator[tuple[str, bytes | Fault]]:
    """One mail, or an mbox, which begins with its separator."""
    if path.suffix.lower() != ".eml":
        try:
            with path.open("rb") as file:
                start = file.read(5)
        except OSError as fault:
            yield str(path), _fault(path, fault)
            return
        if start == b"From ":
            yield from _mbox(path)
            return
    yield from _mail(path)


def _mail(path: Path) -> Iterator[tuple[str, bytes | Fault]]:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST + 1)
    except OSError as fault:
        yield str(path), _fault(path, fault)
        return
    yield str(path), raw if len(raw) <= MOST else _too_large(str(path))


def _mbox(path: Path) -> Iterator[tuple[str, bytes | Fault]]:
    """Separated by "From " behind an empty line; ">From " in the text was "From " (mboxrd)."""
    number = 1
    lines: list[bytes] = []
    size = 0
    after_empty = True
    try:
        with path.open("rb") as file:
            while line := file.readline(1 << 20):  # a line without an end is read in pieces
                if after_empty and line.startswith(b"From "):
                    if size:
                        yield _entry(path, number, lines, size)
                        number += 1
                    lines, size = [], 0
                    after_empty = False
                    continue
                after_empty = line in (b"\n", b"\r\n")
                size += len(line)
                if size <= MOST:
                    lines.append(line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line)
    except OSError as fault:
        yield str(path), _fault(path, fault)
        return
    if size:
        yield _entry(path, number, lines, size)


def _entry(path: Path, number: int, lines: list[bytes], size: int) -> tuple[str, bytes | Fault]:
    name = f"{path}#{number}"
    if size > MOST:
        return name, _too_large(name)
    raw = b"".join(lines)
    # The empty line before the next separator belongs to it.
    for end in (b"\r\n\r\n", b"\n\n"):
        if raw.endswith(end):
            raw = raw[: -len(end) // 2]
            break
    return name, raw


def _fault(path: Path, fault: OSError) -> Fault:
    return Fault(str(path), "", f"cannot be read: {fault.strerror or type(fault).__name__}")


def _too_large(name: str) -> Fault:
    return Fault(name, "", f"is larger than {MOST >> 20} MB: left out")
