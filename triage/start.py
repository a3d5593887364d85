"""Starts the daemon: its readers first, which load what they need while we load the rest."""

from __future__ import annotations

from triage import assembly
from triage.config import Loaded


def run(loaded: Loaded, *, once: bool = False) -> None:
    """`triage run`. Raises TriageError."""
    rules = assembly.rules(loaded)
    readers = [assembly.readers(loaded, box, rules.pack) for box in loaded.config.mailbox]
    for each in readers:
        each.start()
    from triage import daemon

    daemon.run(loaded, rules, readers, once=once)
