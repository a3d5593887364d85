"""A desk on a store in memory, and one on every database for what depends on it."""

from __future__ import annotations

import pytest

from tests.steps.desk import Story
from triage.adapters.db.store import Store


@pytest.fixture
def desk(store: Store) -> Story:
    return Story(store)


@pytest.fixture
def any_desk(any_store: Store) -> Story:
    return Story(any_store)
