"""A decision as `triage explain --json` shows it: the outside's words for all that was read and decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from triage.core.model import Decision, Email, Reading, Sender
from triage.core.replies import TICKET

_LABELS = (
    "message_id",
    "subject",
    "from",
    "received",
    "error",
    "kind",
    "language",
    "language_code",
    "text",
    "request_type",
    "service",
    "out_of_scope",
    "severity",
    "courtesy",
)
_CONFIDENCES = ("kind", "language", "request_type", "service", "out_of_scope", "severity", "courtesy")
NEW_TICKET = "NEW"  # stands for the number that a ticket would get


def explained(file: str, email: Email, reading: Reading, sender: Sender, decision: Decision) -> dict[str, Any]:
    """One object, in the order of the contract."""
    severity: str | int | None = reading.severity.value
    if isinstance(severity, str) and severity.isdigit():
        severity = int(severity)
    reply = decision.reply
    return {
        "file": file,
        "message_id": email.message_id or None,
        "subject": email.subject,
        "from": sender.address or (email.from_[0].address if email.from_ else ""),
        "received": _iso(email.received),
        "error": email.error,
        "kind": reading.kind.value,
        "language": reading.language.value,
        "language_code": reading.language_code,
        "text": reading.body.text,
        "request_type": reading.request_type.value,
        "service": reading.service.value,
        "out_of_scope": reading.out_of_scope.value,
        "severity": severity,
        "courtesy": reading.courtesy.value,
        "questions": list(reading.questions),
        "fields": {name: reading.has(name) for name in reading.fields},
        "missing": list(decision.missing),
        "attachments": [
            {"filename": one.filename, "content_type": one.content_type, "size": one.size} for one in email.attachments
        ],
        "sender": {"status": sender.status, "partner": sender.partner},
        "decision": {
            "state": decision.state,
            "reasons": list(decision.reasons),
            "due": _iso(decision.clock.due) if decision.clock else None,
            "guaranteed": decision.clock.guaranteed if decision.clock else None,
        },
        "confidence": {name: round(getattr(reading, name).confidence, 3) for name in _CONFIDENCES},
        "evidence": [
            {"rule": one.rule, "clause": one.clause, "matched": one.matched}
            for one in dict.fromkeys((*reading.evidence, *decision.evidence))
        ],
        "reply": None
        if reply is None
        else {
            "to": reply.to,
            "subject": reply.subject.replace(TICKET, NEW_TICKET),
            "text": reply.text.replace(TICKET, NEW_TICKET),
            "language": reply.language,
        },
    }


def failed(file: str, error: str, fields: Iterable[str] = ()) -> dict[str, Any]:
    """The line of a file that could not be read at all: the same keys as any other has."""
    empty: dict[str, Any] = dict.fromkeys(_LABELS)
    return {
        "file": file,
        **empty,
        "error": error,
        "questions": [],
        "fields": dict.fromkeys(fields, False),
        "missing": [],
        "attachments": [],
        "sender": {"status": "unknown", "partner": None},
        "decision": {"state": "ignored", "reasons": ["unreadable"], "due": None, "guaranteed": None},
        "confidence": dict.fromkeys(_CONFIDENCES),
        "evidence": [],
        "reply": None,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
