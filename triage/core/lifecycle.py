"""The life of a ticket: which event leads from where to where. The only place that knows; drawn in docs/lifecycle.md.

    (new) ─▶ open ◀──▶ answered ─▶ closed         a person answers; nobody writes again
      ├────▶ awaiting_partner ─▶ open, closed     asked for more; given, or given up
      └────▶ refused ─▶ open, closed              the regulations do not let it through; staff accepts

A closed ticket stays closed, unless staff reopens it: a later mail opens a new one that names it.
"""

from __future__ import annotations

from triage.core.errors import TriageError

NEW = "new"
OPEN = "open"
AWAITING = "awaiting_partner"
ANSWERED = "answered"
CLOSED = "closed"
REFUSED = "refused"
STATES = (OPEN, AWAITING, ANSWERED, CLOSED, REFUSED)

# What happens to tickets.
REQUEST = "request"  # a partner's mail that a person can work on
INCOMPLETE = "incomplete"  # a partner's mail that needs more from him
REFUSAL = "refusal"  # the regulations do not let it through
SPECIALIST_ANSWER = "specialist_answer"
ACCEPTED = "accepted"  # staff overrides a refusal or an incomplete ticket
STAFF_CLOSED = "staff_closed"
STAFF_REOPENED = "staff_reopened"
GAVE_UP = "gave_up"  # waited too long for the partner
EXPIRED = "expired"  # answered or refused, and nobody wrote again
NOTHING = "nothing"  # thanks, machine mail, strangers: no change
EVENTS = (
    REQUEST, INCOMPLETE, REFUSAL, SPECIALIST_ANSWER, ACCEPTED, STAFF_CLOSED, STAFF_REOPENED, GAVE_UP, EXPIRED, NOTHING,
)  # fmt: skip

_LEADS = {
    NEW: {REQUEST: OPEN, INCOMPLETE: AWAITING, REFUSAL: REFUSED},
    OPEN: {
        REQUEST: OPEN,
        INCOMPLETE: AWAITING,
        REFUSAL: REFUSED,
        SPECIALIST_ANSWER: ANSWERED,
        ACCEPTED: OPEN,
        STAFF_CLOSED: CLOSED,
    },
    AWAITING: {
        REQUEST: OPEN,
        INCOMPLETE: AWAITING,
        REFUSAL: REFUSED,
        SPECIALIST_ANSWER: ANSWERED,
        ACCEPTED: OPEN,
        STAFF_CLOSED: CLOSED,
        STAFF_REOPENED: OPEN,
        GAVE_UP: CLOSED,
    },
    ANSWERED: {
        REQUEST: OPEN,
        INCOMPLETE: AWAITING,
        REFUSAL: REFUSED,
        SPECIALIST_ANSWER: ANSWERED,
        STAFF_CLOSED: CLOSED,
        STAFF_REOPENED: OPEN,
        EXPIRED: CLOSED,
    },
    REFUSED: {
        REQUEST: OPEN,  # the reason has gone: a subscription was renewed
        INCOMPLETE: AWAITING,
        REFUSAL: REFUSED,
        SPECIALIST_ANSWER: ANSWERED,
        ACCEPTED: OPEN,
        STAFF_CLOSED: CLOSED,
        STAFF_REOPENED: OPEN,
        EXPIRED: CLOSED,
    },
    CLOSED: {STAFF_REOPENED: OPEN},
}


# As staff is told what cannot be done.
_SAID = {
    SPECIALIST_ANSWER: "answered",
    ACCEPTED: "accepted",
    STAFF_CLOSED: "closed",
    STAFF_REOPENED: "reopened",
}


class NotPossible(TriageError):
    """An event that cannot happen to a ticket in this state."""


def after(state: str, event: str) -> str:
    """The state after an event. Raises NotPossible, which says what would be possible."""
    if event == NOTHING:
        return state
    leads = _LEADS[state]
    if event not in leads:
        article = "an" if state[0] in "aeiou" else "a"
        others = [said for one, said in _SAID.items() if one in leads and one != SPECIALIST_ANSWER]
        hint = f"; it can be {' or '.join(others)}" if others else ""
        raise NotPossible(f"{article} {state} ticket cannot be {_SAID.get(event, event)}{hint}")
    return leads[event]


def possible(state: str, event: str) -> bool:
    """Whether the event can happen to a ticket in this state."""
    return event == NOTHING or event in _LEADS[state]
