"""Is the address in From proven? Read from Authentication-Results (RFC 8601) of the server that we trust, only."""

from __future__ import annotations

from collections.abc import Sequence

from triage.core.model import Email


def verify(email: Email, authserv_id: str, forwarders: Sequence[str] = ()) -> bool | None:
    """True: the From domain is proven; False: proven forged; None: nothing to go by."""
    return None
