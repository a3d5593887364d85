"""An empty store for tests: SQLite in memory, or a database of a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triage.adapters.db import engine
from triage.adapters.db.store import Store
from triage.adapters.db.tables import metadata

IN_MEMORY = "sqlite://"


@contextmanager
def empty(url: str = IN_MEMORY) -> Iterator[Store]:
    made = engine.connect(url)
    metadata.create_all(made)
    store = Store(made)
    try:
        yield store
    finally:
        store.close()
