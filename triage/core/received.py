"""When a mail in a file was received: as the topmost Received header says, for there is no mail server to ask.

RFC 5321 section 4.4: each server writes its line above the others, with the time behind the last semicolon.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from triage.core.model import Email


def received_at(email: Email) -> datetime | None:
    """The time of the last hop (UTC); None when no server wrote one."""
    for line in email.headers.get("received", ())[:3]:
        _, semicolon, stamp = line.rpartition(";")
        if not semicolon or len(stamp) > 100:
            continue
        try:
            at = parsedate_to_datetime(stamp.strip())
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def judged_at(email: Email, now: datetime) -> datetime:
    """The time from which a clock would run: when it was received, else when it says that it was written, else now."""
    at = email.received or email.date
    return at if at is not None and at <= now else now
