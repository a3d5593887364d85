"""The bytes of recent mail, kept for `explain`, `requeue` and `rules diff`: files named by the mail's fingerprint.

A help, not a promise: when the disk is full nothing is kept and the mail is handled all the same.
"""

from __future__ import annotations

import contextlib
import os
import re
from datetime import datetime, timedelta
from pathlib import Path

_LONGEST = 5_000_000  # bytes of one mail: what is beyond is attachments
_FINGERPRINT = re.compile(r"[0-9a-f]{16,128}")


class Raws:
    """A folder of mails, which nobody else may read."""

    def __init__(self, folder: Path, days: int, megabytes: int) -> None:
        self._folder, self._days, self._bytes = folder, days, megabytes * 1_000_000

    def keep(self, fingerprint: str, raw: bytes, *, replace: bool = True) -> None:
        """Keep a mail, unless nothing is to be kept; not in the place of another copy without `replace`."""
        file = self._file(fingerprint)
        if not self._days or file is None or (not replace and file.exists()):
            return
        try:
            with os.fdopen(self._made(file), "wb") as out:
                out.write(raw[:_LONGEST])
        except OSError:
            self.drop(fingerprint)  # half a mail would be taken for the whole

    def _made(self, file: Path) -> int:
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
        try:
            return os.open(file, flags, 0o600)
        except FileNotFoundError:  # its folder is still to be made
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.parent.mkdir(exist_ok=True, mode=0o700)
            return os.open(file, flags, 0o600)

    def get(self, fingerprint: str) -> bytes | None:
        """A kept mail; None when it is no more."""
        file = self._file(fingerprint)
        try:
            return file.read_bytes() if file else None
        except OSError:
            return None

    def drop(self, fingerprint: str) -> None:
        file = self._file(fingerprint)
        with contextlib.suppress(OSError):
            if file:
                file.unlink()

    def drop_naming(self, address: str) -> int:
        """Delete the kept mails of whomever in which this address stands as it is. Returns how many."""
        form = re.compile(rb"(?<![\w.+-])" + re.escape(address.encode()) + rb"(?!\.?[\w-])", re.I)
        dropped = 0
        for _, _, file in self._all():
            with contextlib.suppress(OSError):
                if form.search(file.read_bytes()):
                    file.unlink()
                    dropped += 1
        return dropped

    def sweep(self, now: datetime) -> int:
        """Delete what is too old, and the oldest beyond the size that is allowed. Returns how many."""
        oldest = (now - timedelta(days=self._days)).timestamp()
        kept = dropped = 0
        for at, size, file in sorted(self._all(), reverse=True):
            kept += size
            if at < oldest or kept > self._bytes:
                with contextlib.suppress(OSError):
                    file.unlink()
                    dropped += 1
        return dropped

    def _all(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self._folder.glob("??/*.eml") if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):  # forgotten meanwhile
                stat = file.stat()
                found.append((stat.st_mtime, stat.st_size, file))
        return found

    def _file(self, fingerprint: str) -> Path | None:
        if not _FINGERPRINT.fullmatch(fingerprint):
            return None
        return self._folder / fingerprint[:2] / f"{fingerprint}.eml"
