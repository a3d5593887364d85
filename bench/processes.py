"""What the daemon and its children use, as /proc tells it (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """By the daemon and all processes that it started."""

    seconds: float  # of CPU
    daemon_megabytes: float  # peak, resident
    children_megabytes: float  # the sum of the peaks
    daemon_seconds: float = 0.0


def used(pid: int) -> Used:
    family = _family(pid)
    seconds = {one: _seconds(one) for one in family}
    children = [one for one in family if one != pid]
    return Used(sum(seconds.values()), _peak(pid), sum(map(_peak, children)), seconds.get(pid, 0.0))


def _family(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except (OSError, IndexError):
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _stat(pid: int) -> list[str]:
    """The fields behind the name of the program, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _seconds(pid: int) -> float:
    try:
        fields = _stat(pid)
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS  # its own, and of children that ended


def _peak(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.split("\n") if line.startswith("VmHWM")), 0.0)
