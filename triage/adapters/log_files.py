"""The lines of the log, with those of its rotated files (`triage.log.1`, `.2.gz`, `-20260131`) before them."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

_ROTATED = re.compile(r"[.-]\d{1,10}(?:-\d{1,6})?(?:\.gz)?")
_PAUSE = 0.2  # seconds between looks at a log that grows


def stored(file: Path, since: datetime | None = None) -> Iterator[str]:
    """Every line there is, oldest first."""
    yield from earlier(file, since)
    if not file.exists() and _rotated(file):
        return  # moved away just now: the next event makes it anew
    with _opened(file) as lines:
        yield from (line.rstrip("\n") for line in lines)


def earlier(file: Path, since: datetime | None = None) -> Iterator[str]:
    """The lines of the rotated files. Those that were written last before `since` are left out."""
    for one in _rotated(file):
        if since is not None and one.stat().st_mtime < since.timestamp():
            continue
        try:
            with _opened(one) as lines:
                yield from (line.rstrip("\n") for line in lines)
        except (EOFError, gzip.BadGzipFile):
            continue  # being compressed just now: its lines stand in the file beside it


def growing(file: Path, last: int | None = None, wait: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """The last lines of the file (all without a number), then those to come, across a rotation."""
    handle = _opened(file)
    if last is not None:
        yield from (line.rstrip("\n") for line in deque(handle, last))
    pending = ""
    while True:
        replaced = _was_replaced(file, handle)  # asked before the rest is read, so that no line is lost between
        while piece := handle.readline():
            pending += piece
            if pending.endswith("\n"):
                yield pending.rstrip("\n")
                pending = ""
        if replaced:
            handle.close()
            handle, pending = _opened(file), ""
        else:
            wait(_PAUSE)


def _was_replaced(file: Path, handle: TextIO) -> bool:
    """Another file has the name now, or this one was emptied."""
    try:
        there = file.stat()
    except OSError:
        return False
    here = os.fstat(handle.fileno())
    return there.st_ino != here.st_ino or here.st_size < os.lseek(handle.fileno(), 0, os.SEEK_CUR)


def _rotated(file: Path) -> list[Path]:
    try:
        beside = [one for one in file.parent.iterdir() if one.name.startswith(file.name)]
    except OSError:
        return []
    found = [one for one in beside if _ROTATED.fullmatch(one.name[len(file.name) :])]
    return sorted(found, key=lambda one: (one.stat().st_mtime, one.name))


def _opened(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", errors="replace")
    return file.open(encoding="utf-8", errors="replace", newline="\n")
