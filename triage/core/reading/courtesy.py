"""Whether a mail keeps to respect and courtesy (guide: *courtesy*).

Rude are insults, threats against people, profanity aimed at the reader and accusations of crime. Anger, capitals,
threats to leave or to escalate, and a curse at a thing are not. A weight of one is a verdict: staff is told that a
partner was rude, so a wrong verdict is worse than a missed one.
"""

from __future__ import annotations

from triage.core.model import Label
from triage.core.pack import Pack
from triage.core.reading.matches import Signals

RUDE, OK = "rude", "ok"

_SIGNAL = "courtesy.rude"
_VERDICT = 1.0


def courtesy(signals: Signals, pack: Pack, until: int | None = None) -> Label:
    """rude or ok, and the words that say so. What stands from `until` on is not the sender's: he passes it on."""
    hits = [hit for hit in signals.of(_SIGNAL) if hit.in_subject or until is None or hit.start < until]
    own = Signals({_SIGNAL: hits})
    weight, evidence = own.weight(_SIGNAL), own.evidence(_SIGNAL)
    if weight >= _VERDICT:
        return Label(RUDE, round(min(0.98, 0.7 + 0.15 * (weight - _VERDICT)), 2), evidence)
    return Label(OK, round(0.97 - 0.4 * weight, 2) if weight > 0 else 0.97, evidence)
