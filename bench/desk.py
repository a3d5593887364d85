"""A daemon with everything around it: Dovecot, an SMTP server, a database, partners, a mailbox full of mail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from bench import mails
from bench.sink import Sink
from tests.servers import daemon, postgres
from tests.servers.dovecot import PASSWORD, Dovecot

USER = "support"
# What is promised is durable, so PostgreSQL runs as an operator runs it, not as the tests do.
DURABLE = {
    "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
    "max_connections": "50", "shared_buffers": "128MB",
}  # fmt: skip
CONFIG = """
[mailbox]
host = "{host}"
port = {imap}
tls = "none"
user = "{user}"
password = "{password}"
since = {since}

[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
from_address = "support@vendor.example"

[database]
url = "{database}"

[partners]
file = "partners.csv"

[log]
file = "triage.log"

{more}
"""


class Desk:
    """`with Desk("sqlite") as desk:` has the servers; `start` and `stop` a daemon on them."""

    def __init__(self, database: str, more: str = "") -> None:
        self._kind, self._more = database, more
        self.dir = Path(tempfile.mkdtemp(prefix="triage-bench-"))
        self.sink = Sink()
        self.daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Desk:
        self.dovecot = Dovecot()
        self.sink.__enter__()
        self._postgres = None
        if self._kind == "postgresql":
            postgres.OPTIONS = DURABLE
            self._postgres = postgres.Postgres()
        self.anew()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.sink.__exit__(kind, error, trace)
        self.dovecot.stop()
        if self._postgres:
            self._postgres.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def anew(self) -> None:
        """An empty database, mailbox and log."""
        self.stop()
        shutil.rmtree(self.dir / "var", ignore_errors=True)
        shutil.rmtree(self.dovecot.dir / "mail" / USER, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        self.database = self._postgres.new_database() if self._postgres else f"sqlite:///{self.dir}/var/triage.db"
        (self.dir / "partners.csv").write_text(mails.partners())
        self.config.write_text(
            CONFIG.format(
                host=self.dovecot.host,
                imap=self.dovecot.imap,
                user=USER,
                password=PASSWORD,
                smtp=self.sink.port,
                since=(datetime.now(UTC) - timedelta(days=1)).isoformat(),
                database=self.database,
                more=self._more,
            )
        )

    @property
    def config(self) -> Path:
        return self.dir / "config.toml"

    @property
    def log(self) -> Path:
        return self.dir / "triage.log"

    def fill(self, letters: Iterable[bytes]) -> int:
        """Puts mail into the mailbox, as a delivery agent leaves it in a Maildir. Returns how much."""
        folder = self.dovecot.dir / "mail" / USER
        for part in ("", "cur", "new", "tmp"):
            (folder / part).mkdir(exist_ok=True)
            os.chown(folder / part, *self._owner)
        count = 0
        began = time.time_ns()
        for count, letter in enumerate(letters, 1):
            file = folder / "tmp" / f"{began // 1_000_000_000}.M{count:07d}P{began % 1000}.bench"
            file.write_bytes(letter)
            os.chown(file, *self._owner)
            file.rename(folder / "new" / file.name)  # from now on it is the server's
        return count

    @property
    def _owner(self) -> tuple[int, int]:
        return (daemon.NOBODY, daemon.NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())

    def start(self, *words: str) -> float:
        """Starts the daemon. Returns when (seconds since the epoch)."""
        began = time.time()
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "triage", "run", "--config", self.config, *words],
            stdout=subprocess.DEVNULL,
            stderr=(self.dir / "stderr").open("ab"),
        )
        return began

    def stop(self) -> None:
        if self.daemon:
            self.daemon.terminate()
            try:
                self.daemon.wait(20)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            self.daemon = None

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Raises RuntimeError with the end of the log when it takes too long, or the daemon ends."""
        end = time.monotonic() + seconds
        while not until():
            ended = self.daemon is not None and self.daemon.poll() not in (None, 0)
            if ended or time.monotonic() > end:
                said = (self.dir / "stderr").read_text()[-2000:]
                tail = "\n".join(self.log.read_text().split("\n")[-10:]) if self.log.exists() else ""
                raise RuntimeError(f"the daemon did not get there:\n{said}\n{tail}")
            time.sleep(0.005)

    @property
    def opened(self) -> bool:
        """Whether the daemon has opened the mailbox: the server takes new mail into it at that moment, and the daemon
        fetches next."""
        return not any(os.scandir(self.dovecot.dir / "mail" / USER / "new"))

    def first(self, event: str) -> float | None:
        """When the log first told of this event (seconds since the epoch)."""
        if not self.log.exists():
            return None
        for line in self.log.open(encoding="utf-8"):
            if f'"{event}"' in line and (told := json.loads(line))["event"] == event:
                return datetime.fromisoformat(told["time"]).timestamp()
        return None
