"""Rows that wait to be written together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


class Pending:
    """New rows of a transaction, by table. Whoever reads such a table has them written first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[Table, list[dict[str, Any]]] = {}

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """A row that may be there already counts once: its key decides."""
        self._rows.setdefault(table, []).append(row)

    def write(self) -> None:
        """Write all that waits."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        waiting, self._rows = self._rows, {}
        for table, rows in waiting.items():
            self._connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)

    def drop(self) -> None:
        """Forget what waits: it belonged to a part that failed."""
        self._rows = {}
