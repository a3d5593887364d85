"""The family of errors.

TriageError
├── ConfigError        what a person wrote is wrong: configuration, partner file, command line (exit status 2)
│   └── PackError      faults of a rule pack, all of them
├── Temporary          try again later: a server away, a database locked
├── Permanent          trying again will not help: say so and stop with this item
├── Conflict           somebody else stored the same a moment before: look again, once
├── LeaseLost          another daemon holds the mailbox: stop, whatever was in hand is not committed
└── MailError          this one mail cannot be handled: quarantine it, go on with the next

A message names the thing, what is wrong with it, and how to mend it. None carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TriageError(Exception):
    """Everything that a command turns into one readable line."""


class ConfigError(TriageError):
    """Something that a person wrote is wrong."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file that people write."""

    file: str
    key: str  # "service[2].id", or "line 14"
    message: str  # what was found and what would be right

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class PackError(ConfigError):
    """A rule pack that cannot be used, with every fault found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Temporary(TriageError):
    """It did not work now; it may later."""


class Permanent(TriageError):
    """It will not work, however often it is tried."""


class LeaseLost(TriageError):
    """The mailbox is another daemon's now."""


class Conflict(TriageError):
    """Two transactions wanted the same; the other one has it."""


class MailError(TriageError):
    """One mail cannot be handled."""
