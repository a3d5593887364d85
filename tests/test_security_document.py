"""The promises name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_promise_names_a_test_that_is_there() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if "`tests/" in line]
    named = {name for row in rows for name in re.findall(r"`(tests/[^`]+)`", row)}
    assert len(rows) > 20 and [name for name in named if not (ROOT / name).exists()] == []


def test_the_operators_page_names_keys_that_are_there() -> None:
    example = (ROOT / "config.example.toml").read_text() + (ROOT / "rules/navixy/policy.toml").read_text()
    page = (ROOT / "docs" / "operations.md").read_text()
    keys = set(re.findall(r"`(?:\[[a-z]+\] )?([a-z]+(?:_[a-z]+)+)`", page))
    others = {"pg_dump", "message_id", "next_try"}  # a program, and keys of events
    assert len(keys) > 10 and [key for key in keys - others if key not in example] == []
