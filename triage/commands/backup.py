"""`triage backup`: a consistent copy of the database while the daemon runs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import click

from triage.cli import Context
from triage.core.errors import ConfigError, TriageError


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def backup(context: Context, target: Path) -> None:
    """Copy the SQLite database, consistent, while the daemon runs. (PostgreSQL: use pg_dump.)

    The key that signs ticket tokens is not in it: copy triage.key once, to a safe place.

    \b
    triage backup /backup/triage-2026-01-31.db
    """
    url = context.loaded.database_url
    if not url.startswith("sqlite:////"):
        raise ConfigError("database.url is not an SQLite file; copy PostgreSQL with pg_dump")
    source = Path(url.removeprefix("sqlite:///"))
    if not source.exists():
        raise TriageError(f"{source}: there is no database yet; it is made by the first `triage run`")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise TriageError(f"{target}: exists already; name another file") from None
    except OSError as error:
        raise TriageError(f"{target}: cannot be made: {error.strerror}") from None
    try:
        sound = _copy(source, target)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise TriageError(f"{target}: the copy failed: {error}") from None
    if sound != "ok":
        raise TriageError(f"{target}: the copy is not sound: {sound}")
    click.echo(f"{target}: {target.stat().st_size} bytes, sound")


def _copy(source: Path, target: Path) -> str:
    """Copy in one go, which readers and writers do not wait for in WAL mode; what SQLite says of the copy."""
    address = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=30)) as read, closing(sqlite3.connect(target)) as copy:
        read.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a journal beside it
        said = str(copy.execute("PRAGMA quick_check").fetchone()[0])
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return said
