"""What Dovecot and PostgreSQL need alike: a directory, an unprivileged user, a free port, an end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

NOBODY = 65534


class Missing(RuntimeError):
    """A server that is not installed; the message says what to install."""


def directory(prefix: str) -> Path:
    """A directory that the server may write to, with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def unprivileged(command: Sequence[str | Path], *, dies_with_us: bool = False) -> list[str]:
    """The command as it runs without root's rights, and ends (SIGTERM) when this process does."""
    if shutil.which("setpriv") is None:
        raise Missing("setpriv is missing: apt-get install util-linux")
    words = ["setpriv"]
    if os.geteuid() == 0:
        words += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if dies_with_us:
        words += ["--pdeathsig", "TERM"]
    return [*words, *map(str, command)] if len(words) > 1 else [str(word) for word in command]


def run(command: Sequence[str | Path]) -> None:
    """Runs a command to its end; what it said is in the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Waits until the server is ready; its log is in the error when it never is."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            said = log.read_text(errors="replace")[-3000:] if log.exists() else "(no log)"
            raise RuntimeError(f"{process.args!r} did not start:\n{said}")
        time.sleep(0.01)


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server that we started, gently and then not."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
