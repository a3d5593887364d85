"""The key that signs ticket tokens: made at the first start, readable by the daemon's user alone.

One key in hexadecimal a line. The first signs; the others, from before a rotation, are still accepted.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path

from triage.core.errors import ConfigError

_KEY = re.compile(r"[0-9a-f]{64}")
_KEPT = 4  # keys that are still accepted after rotations


def load(file: Path) -> tuple[bytes, ...]:
    """All keys, the signing one first; made when there is none. Raises ConfigError when the file is of no use."""
    try:
        return _read(file)
    except FileNotFoundError:
        _write(file, [secrets.token_hex(32)], exclusive=True)
    try:
        return _read(file)
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: leads to a file that is not there; take the link away, a key is made anew"
        ) from None


def rotate(file: Path) -> None:
    """A new key signs from the daemon's next start on; tokens of the last few keys are still known."""
    old = [key.hex() for key in load(file)]
    _write(file, [secrets.token_hex(32), *old][:_KEPT])


def is_private(file: Path) -> bool:
    """Whether only its owner can read or change a file."""
    return not mode(file) & 0o077


def mode(file: Path) -> int:
    """The permissions of a file; 0 when there is none, or none that we may look at."""
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        return 0


def _read(file: Path) -> tuple[bytes, ...]:
    try:
        lines = file.read_text("ascii").split()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: the key cannot be read: {error}") from None
    if not lines or not all(_KEY.fullmatch(line) for line in lines):
        raise ConfigError(f"{file}: not a key file; move it away, a new one is made at the next start")
    if not is_private(file):
        raise ConfigError(f"{file}: others can read the key; run chmod 600 {file}")
    return tuple(bytes.fromhex(line) for line in lines)


def _write(file: Path, keys: list[str], exclusive: bool = False) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write("\n".join(keys) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            if exclusive:
                with contextlib.suppress(FileExistsError):  # another start made it meanwhile: then that one holds
                    os.link(temporary, file)
            else:
                temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{file}: the key cannot be written: {error.strerror}") from None
