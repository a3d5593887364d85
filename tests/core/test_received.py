"""When a mail in a file was received."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triage.core.model import Email
from triage.core.received import judged_at, received_at

AT = datetime(2026, 1, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("from a by b; Wed, 7 Jan 2026 09:00:00 +0100", "from x by a; Tue, 6 Jan 2026 09:00:00 +0100"), AT),
        (("from a by b (comment; with semicolon); Wed, 7 Jan 2026 08:00:00 +0000 (UTC)",), AT),
        (("from a by b; nonsense", "from x by a; Wed, 7 Jan 2026 08:00:00 -0000"), AT),
        (("from a by b",), None),
        ((), None),
    ],
)
def test_the_topmost_server_says_when(lines: tuple[str, ...], found: datetime | None) -> None:
    assert received_at(Email(headers={"received": lines})) == found


def test_a_clock_runs_from_receipt_else_from_the_date_else_from_now() -> None:
    now = AT + timedelta(days=1)
    assert judged_at(Email(received=AT, date=now), now) == AT
    assert judged_at(Email(date=AT), now) == AT
    assert judged_at(Email(date=now + timedelta(days=9)), now) == now
    assert judged_at(Email(), now) == now
