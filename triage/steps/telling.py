"""Events are told once they are committed: within the transaction to the ticket's story, after it to the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from triage import events
from triage.adapters.db.store import Transaction
from triage.adapters.db.tickets import number

_LOUD = frozenset({"clock.warning", "clock.breached", "message.quarantined", "mail.failed"})


@dataclass(slots=True)
class Telling:
    """What one transaction has to tell. `keys` go with every event."""

    now: datetime
    keys: dict[str, Any] = field(default_factory=dict)
    _events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def about(self, tx: Transaction, ticket: int, event: str, **keys: Any) -> None:
        """An event of a ticket: a line of its story and of the log."""
        told = {key: value for key, value in {**self.keys, **keys}.items() if value is not None}
        tx.tickets.tell(ticket, self.now, event, _plain(told))
        self._events.append((event, {"ticket": number(ticket), **told}))

    def event(self, event: str, **keys: Any) -> None:
        """An event that belongs to no ticket."""
        self._events.append((event, {**self.keys, **keys}))

    def part(self) -> Telling:
        """For a part of the transaction that may fail by itself; `add` it when it did not."""
        return Telling(self.now, self.keys)

    def add(self, part: Telling) -> None:
        self._events += part._events

    def say(self) -> None:
        """Log everything, in order. Called after the commit."""
        for event, keys in self._events:
            events.emit(event, logging.WARNING if event in _LOUD else logging.INFO, **keys)
        self._events.clear()


def _plain(keys: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON can hold them."""
    return {key: _one(value) for key, value in keys.items()}


def _one(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_one(one) for one in value]
    return value if isinstance(value, str | int | float | bool | dict) else str(value)
