"""Every event in every state leads where docs/lifecycle.md says."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from triage.core import lifecycle

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lifecycle.md"
FROM = (lifecycle.NEW, *lifecycle.STATES)


def drawn() -> dict[tuple[str, str], str]:
    """The table of the page: (state, event) -> state, "-" where it cannot happen."""
    lines = [line for line in PAGE.read_text("utf-8").split("\n") if line.startswith("|")]
    start = next(index for index, line in enumerate(lines) if line.startswith("| from"))
    head, *rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[start:]]
    return {
        (row[0], event): cell for row in rows if row[0] in FROM for event, cell in zip(head[1:], row[1:], strict=True)
    }


def test_the_page_draws_every_pair() -> None:
    events = [event for event in lifecycle.EVENTS if event != lifecycle.NOTHING]
    assert set(drawn()) == set(itertools.product(FROM, events))


@pytest.mark.parametrize(("state", "event"), list(itertools.product(FROM, lifecycle.EVENTS)))
def test_an_event_leads_where_the_page_says_or_is_refused(state: str, event: str) -> None:
    if event == lifecycle.NOTHING:
        assert lifecycle.possible(state, event)
        assert lifecycle.after(state, event) == state
        return
    leads = drawn()[state, event]
    assert lifecycle.possible(state, event) == (leads != "-")
    if leads == "-":
        with pytest.raises(lifecycle.NotPossible, match=state):
            lifecycle.after(state, event)
    else:
        assert lifecycle.after(state, event) == leads


@pytest.mark.parametrize("state", lifecycle.STATES)
def test_no_ticket_is_stuck(state: str) -> None:
    seen, reached = set(), {state}
    while reached - seen:
        at = (reached - seen).pop()
        seen.add(at)
        reached |= {lifecycle.after(at, event) for event in lifecycle.EVENTS if lifecycle.possible(at, event)}
    assert seen == set(lifecycle.STATES)


def test_what_is_refused_is_said_in_words_that_staff_knows() -> None:
    with pytest.raises(lifecycle.NotPossible, match="an answered ticket cannot be accepted"):
        lifecycle.after(lifecycle.ANSWERED, lifecycle.ACCEPTED)
    with pytest.raises(lifecycle.NotPossible, match="an open ticket cannot be reopened"):
        lifecycle.after(lifecycle.OPEN, lifecycle.STAFF_REOPENED)
