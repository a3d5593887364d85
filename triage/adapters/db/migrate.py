"""Brings a database to the present tables. Alembic is loaded only when something is to be done: it takes a while."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from triage.adapters.db.engine import translated
from triage.core.errors import ConfigError

HEAD = "0001"  # the newest migration; a test compares it with the folder
_LOCK = 7_216_843  # of pg_advisory_xact_lock: one migration at a time


def scripts() -> Path:
    """The folder of the migrations: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "_migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Apply what is missing. Safe to call from several daemons at once. Raises ConfigError for a newer database."""
    if current(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with translated(), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        found = _revision(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise ConfigError(
                f"database: its tables are of version {found}, newer than {HEAD}: install the newer program"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current(engine: Engine) -> str | None:
    """The version of the tables; None for an empty database."""
    with translated(), engine.execution_options(readonly=True).connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    value: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return value
