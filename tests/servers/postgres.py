"""A PostgreSQL of its own, on a Unix socket, without durability."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

from tests.servers import daemon

OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
}


def programs() -> Path:
    """The folder that holds initdb, postgres and psql of one version: the newest that the system installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    raise daemon.Missing("PostgreSQL is missing: apt-get install postgresql")


class Postgres:
    """A running server; `new_database` hands out empty databases."""

    def __init__(self) -> None:
        bin_ = programs()
        self._psql = bin_ / "psql"
        self._numbers = itertools.count(1)
        self.dir = daemon.directory("pg")
        data = self.dir / "data"
        daemon.run(
            daemon.unprivileged(
                [bin_ / "initdb", "-D", data, "-U", "triage", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            )
        )
        self.log = self.dir / "log"
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            daemon.unprivileged([bin_ / "postgres", "-D", data, "-k", self.dir, *options], dies_with_us=True),
            stdout=subprocess.DEVNULL,
            stderr=self.log.open("wb"),
            cwd="/",
        )
        try:
            daemon.until(self._answers, self._process, self.log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        # SIGTERM would wait for clients; SIGQUIT does not, and there is nothing to keep.
        self._process.send_signal(3)
        daemon.end(self._process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"triage{next(self._numbers)}"
        daemon.run([self._psql, "-h", self.dir, "-U", "triage", "-qc", f"CREATE DATABASE {name}", "postgres"])
        return f"postgresql+psycopg://triage@/{name}?host={self.dir}"

    def sql(self, statement: str) -> None:
        """What an administrator does."""
        daemon.run([self._psql, "-h", self.dir, "-U", "triage", "-qc", statement, "postgres"])

    def _answers(self) -> bool:
        command: list[str | Path] = [self._psql, "-h", self.dir, "-U", "triage", "-qc", "SELECT 1", "postgres"]
        return subprocess.run(command, capture_output=True, cwd="/", env=os.environ, timeout=30).returncode == 0
