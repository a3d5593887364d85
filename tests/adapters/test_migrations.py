"""Migrations make the tables that tables.py describes, on both databases, from several daemons at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from triage.adapters.db import engine, migrate
from triage.adapters.db.tables import metadata
from triage.core.errors import ConfigError


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def empty(url: str) -> Iterator[Engine]:
    made = engine.connect(url)
    yield made
    made.dispose()


def test_migrated_equals_fresh(empty: Engine) -> None:
    migrate.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrated_has_the_defaults_and_conditions_of_fresh(tmp_path: Path) -> None:
    """Alembic does not compare the conditions of indexes, nor defaults, nor what a foreign key does on deletion."""
    shapes = []
    for name in ("migrated", "fresh"):
        made = engine.connect(f"sqlite:///{tmp_path}/{name}.db")
        migrate.upgrade(made) if name == "migrated" else metadata.create_all(made)
        with made.connect() as connection:
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'"))
            shape = {row.name: " ".join((row.sql or "").split()) for row in rows}
            keys = {
                table: sorted((str(key["constrained_columns"]), str(key["options"])) for key in
                              inspect(connection).get_foreign_keys(table))
                for table in metadata.tables
            }  # fmt: skip
            columns = {
                table: [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in
                        inspect(connection).get_columns(table)]
                for table in metadata.tables
            }  # fmt: skip
        indexes = {name: sql for name, sql in shape.items() if sql.startswith(("CREATE INDEX", "CREATE UNIQUE"))}
        shapes.append((sorted(shape), indexes, keys, columns))
        made.dispose()
    assert shapes[0] == shapes[1]


def test_upgrading_twice_changes_nothing(empty: Engine) -> None:
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.HEAD


def test_the_newest_migration_is_the_one_that_the_program_names() -> None:
    names = sorted(file.name.split("_")[0] for file in (migrate.scripts() / "versions").glob("[0-9]*.py"))
    assert names[-1] == migrate.HEAD


def test_a_newer_database_is_refused_with_what_to_do(empty: Engine) -> None:
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="install the newer program"):
        migrate.upgrade(empty)


def test_daemons_that_start_together_migrate_once(url: str) -> None:
    faults: list[BaseException] = []

    def start() -> None:
        made = engine.connect(url)
        try:
            migrate.upgrade(made)
        except BaseException as error:
            faults.append(error)
        made.dispose()

    starts = [threading.Thread(target=start) for _ in range(3)]
    for one in starts:
        one.start()
    for one in starts:
        one.join(60)
    assert faults == []
    made = engine.connect(url)
    assert migrate.current(made) == migrate.HEAD
    made.dispose()


def test_downgrading_leaves_nothing(empty: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    migrate.upgrade(empty)
    config = Config()
    config.set_main_option("script_location", str(migrate.scripts()))
    config.set_main_option("path_separator", "os")
    with empty.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert set(inspect(empty).get_table_names()) <= {"alembic_version"}
