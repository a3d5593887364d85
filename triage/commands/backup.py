"""`triage backup`: a consistent copy of the database while the daemon runs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import click

from triage.cli import Context
from triage.core.errors import ConfigError, TriageError


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def backup(context: Context, target: Path) -> None:
    """Copy the SQLite database, consistent, while the daemon runs. (PostgreSQL: use pg_dump.)

    \b
    triage backup /backup/triage-2026-01-31.db
    """
    url = context.loaded.database_url
    if not url.startswith("sqlite:////"):
        raise ConfigError("database.url is not an SQLite file; copy PostgreSQL with pg_dump")
    source = Path(url.removeprefix("sqlite:///"))
    if not source.exists():
        raise TriageError(f"{source}: there is no database yet; it is made by the first `triage run`")
    if target.exists():
        raise TriageError(f"{target}: exists already; name another file")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as read, sqlite3.connect(target) as copy:
            read.backup(copy, pages=1000)
            sound = copy.execute("PRAGMA quick_check").fetchone()[0]
        read.close()
        copy.close()
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise TriageError(f"{target}: the copy failed: {error}") from None
    if sound != "ok":
        raise TriageError(f"{target}: the copy is not sound: {sound}")
    click.echo(f"{target}: {target.stat().st_size} bytes, sound")
