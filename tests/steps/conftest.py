"""Steps run on a store in memory; what depends on the database runs on PostgreSQL too (`any_store`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import stores
from tests.steps.desk import Story
from triage.adapters.db.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    with stores.empty() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    url = stores.IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with stores.empty(url) as made:
        yield made


@pytest.fixture
def desk(store: Store) -> Story:
    return Story(store)


@pytest.fixture
def any_desk(any_store: Store) -> Story:
    return Story(any_store)
