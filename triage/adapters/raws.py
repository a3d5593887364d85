"""The bytes of recent mail, kept for `explain`, `requeue` and `rules diff`: files named by the mail's fingerprint.

A help, not a promise: when the disk is full nothing is kept and the mail is handled all the same.
"""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path

_LONGEST = 5_000_000  # bytes of one mail: what is beyond is attachments


class Raws:
    """A folder of mails."""

    def __init__(self, folder: Path, days: int, megabytes: int) -> None:
        self._folder, self._days, self._bytes = folder, days, megabytes * 1_000_000

    def keep(self, fingerprint: str, raw: bytes) -> None:
        """Keep a mail, unless nothing is to be kept."""
        if not self._days or not fingerprint:
            return
        file = self._file(fingerprint)
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
                out.write(raw[:_LONGEST])

    def get(self, fingerprint: str) -> bytes | None:
        """A kept mail; None when it is no more."""
        try:
            return self._file(fingerprint).read_bytes()
        except OSError:
            return None

    def drop(self, fingerprint: str) -> None:
        with contextlib.suppress(OSError):
            self._file(fingerprint).unlink()

    def sweep(self, now: datetime) -> int:
        """Delete what is too old, and the oldest beyond the size that is allowed. Returns how many."""
        oldest = (now - timedelta(days=self._days)).timestamp()
        files = sorted(((file.stat().st_mtime, file.stat().st_size, file) for file in self._all()), reverse=True)
        kept = dropped = 0
        for at, size, file in files:
            kept += size
            if at < oldest or kept > self._bytes:
                with contextlib.suppress(OSError):
                    file.unlink()
                    dropped += 1
        return dropped

    def _all(self) -> list[Path]:
        return list(self._folder.glob("??/*.eml")) if self._folder.is_dir() else []

    def _file(self, fingerprint: str) -> Path:
        return self._folder / fingerprint[:2] / f"{fingerprint}.eml"
