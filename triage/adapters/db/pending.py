"""Rows that wait to be written together: a statement costs as much for twenty rows as for one."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table

from triage.adapters.db.engine import insert


class Pending:
    """New rows of a transaction, by table. Whoever reads or changes such a table has them written first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[Table, list[dict[str, Any]]] = {}

    def written(self, *tables: Table) -> Connection:
        """The connection, for statements that must see all rows of these tables."""
        if not self._rows.keys().isdisjoint(tables):
            self.write(*tables)
        return self._connection

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """A row that may be there already counts once: its key decides."""
        self._rows.setdefault(table, []).append(row)

    def write(self, *tables: Table) -> None:
        """Write what waits for these tables; all when none is named."""
        for table in tables or tuple(self._rows):
            rows = self._rows.pop(table, [])
            statement = insert(self._connection, table).on_conflict_do_nothing()
            for _, alike in groupby(rows, key=dict.keys):  # the columns of the first row are those of all
                self._connection.execute(statement, list(alike))

    def drop(self) -> None:
        """Forget what waits: it belonged to a part that failed."""
        self._rows = {}
