"""Intake on a mailbox that misbehaves: the real mailbox adapter, the fake server, readers without processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime

from sqlalchemy import Engine, event

from tests.servers.fakeimap import FakeImap
from tests.steps.desk import ANA, Story, reading
from triage.adapters.imap import ImapSettings, Mailbox
from triage.adapters.mime import parse
from triage.adapters.readers import Done, Job
from triage.core.errors import Temporary
from triage.core.model import Trust
from triage.steps.intake import Inbox, Intake

FOLDERS = {name: name for name in ("ready", "waiting", "refused", "ignored", "quarantine")}
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def raw(number: int, sender: str = ANA) -> bytes:
    """A mail; the stand-in reader takes each for a complete request."""
    return (
        f"From: {sender}\r\nTo: support@vendor.example\r\nSubject: Report {number}\r\n"
        f"Message-ID: <m{number}@acme.example>\r\n\r\nReport {number} is empty.\r\n"
    ).encode()


class Reads:
    """In place of reader processes."""

    def read(self, jobs: Iterable[Job]) -> Generator[Done, None, None]:
        for job in jobs:
            email = parse(job.raw, job.received)
            yield Done(job.key, email, reading(email.text))


class NoRaws:
    def keep(self, fingerprint: str, raw: bytes, *, replace: bool = True) -> None:
        pass


class Life:
    """What the daemon's thread does with a mailbox, without its pauses."""

    def __init__(
        self,
        server: FakeImap,
        desk: Story,
        *,
        patience: float = 20,
        max_bytes: int = 1_000_000,
        fault: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.server, self.desk = server, desk
        self.mailbox = Mailbox(
            ImapSettings(
                "localhost",
                server.port,
                "none",
                server.user,
                server.password,
                connect_seconds=patience,
                read_seconds=patience,
            )
        )
        self.inbox = Inbox("inbox", "INBOX", FOLDERS, SINCE, max_bytes, 50, Trust())
        self.intake = Intake(
            self.mailbox, self.inbox, desk.store, Reads(), desk.office, NoRaws(), now=lambda: desk.now, fault=fault
        )

    def round(self) -> int:
        if not self.mailbox.connected:
            self.mailbox.connect()
            self.intake.prepare()
        return self.intake.round()

    def rounds(self, most: int = 6) -> list[str]:
        """Rounds until one goes well. Returns the troubles before."""
        troubles: list[str] = []
        while len(troubles) < most:
            try:
                self.round()
            except Temporary as error:
                troubles.append(str(error))
                self.mailbox.close()
            else:
                return troubles
        raise AssertionError(f"still not well: {troubles}")

    def close(self) -> None:
        self.mailbox.close()

    # ------------------------------------------------------------ what is there

    def lies(self) -> dict[str, list[str]]:
        """The Message-IDs in each folder that holds any."""
        found: dict[str, list[str]] = {}
        for name in self.server.folders:
            for one in self.server.raws(name):
                found.setdefault(name, []).append(parse(one).message_id)
        return found

    def handled_once(self, *numbers: int) -> None:
        """These mails lie in the ready folder, once, and have a ticket each, and nothing else does."""
        wanted = sorted(f"<m{number}@acme.example>" for number in numbers)
        assert {name: sorted(found) for name, found in self.lies().items()} == {"ready": wanted}
        assert self.desk.count() == len(wanted)
        assert len(self.desk.sent()) == len(wanted)


def spoil(engine: Engine, pragma: str) -> Callable[[], None]:
    """An SQLite database that goes wrong from now on. Returns what mends it."""

    def set_(connection: object, value: str) -> None:
        connection.execute(f"PRAGMA {value}")  # type: ignore[attr-defined]

    broken = True

    def on_begin(connection: object) -> None:
        raw_connection = connection.connection.driver_connection  # type: ignore[attr-defined]
        set_(raw_connection, pragma if broken else pragma.partition("=")[0] + "=" + MENDED[pragma.partition("=")[0]])

    event.listen(engine, "begin", on_begin, insert=True)

    def mend() -> None:
        nonlocal broken
        broken = False

    return mend


MENDED = {"query_only": "0", "max_page_count": "1073741823"}
