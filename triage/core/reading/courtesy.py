"""Whether a mail is rude (guide: *courtesy*): insults, threats against people, accusations of crime."""

from __future__ import annotations

from triage.core.model import Label
from triage.core.pack import Pack
from triage.core.reading.matches import Signals


def courtesy(signals: Signals, pack: Pack) -> Label:
    """`rude` or `ok`."""
    weight = signals.weight("courtesy.rude")
    if weight < 1:
        return Label("ok", 0.9)
    return Label("rude", min(0.99, 0.5 + weight / 4), signals.evidence("courtesy.rude"))
