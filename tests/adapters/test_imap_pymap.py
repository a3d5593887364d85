"""The mailbox against pymap, the server of the demo: no NAMESPACE, no keywords, folders by "/"."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import daemon
from triage.adapters.imap import ImapSettings, Mailbox
from triage.core.errors import Permanent

MAILS = [f"Message-ID: <{n}@partner.example>\r\n\r\nText.\r\n".encode() for n in range(3)]
LARGE = b"Message-ID: <9@partner.example>\r\n\r\n" + (b"x" * 76 + b"\r\n") * 10_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapSettings]:
    port = daemon.free_port()
    log: Path = tmp_path_factory.mktemp("pymap") / "log"
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--no-tls", "dict", "--demo-data"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from pymap.main import main; main()", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    try:
        daemon.until(lambda: daemon.listening(port), process, log)
        yield ImapSettings("localhost", port, "none", "demouser", "demopass")
    finally:
        daemon.end(process)


def test_reads_files_and_waits(settings: ImapSettings) -> None:
    box = Mailbox(settings)
    box.connect()
    last = max(box.uids(), default=0) if box.select("INBOX").exists else 0
    for raw in (*MAILS, LARGE):
        box.append("INBOX", raw)
    box.select("INBOX")
    new = box.uids(last)
    assert [raw for _, raw in box.fetch(new, 10_000_000)] == [*MAILS, LARGE]
    assert box.message_ids(new)[new[1]] == "<1@partner.example>"
    assert box.search_message("<1@partner.example>") == [new[1]]
    box.move(new[:3], "Triage/ready")
    box.move(new, "Triage/waiting")  # some are gone already
    assert (box.count("Triage/ready"), box.count("Triage/waiting")) == (3, 1)
    assert box.uids(last) == []

    other = Mailbox(settings)
    other.connect()
    late = threading.Thread(target=other.append, args=("INBOX", MAILS[0]))
    late.start()
    assert box.wait(60)
    late.join()
    assert len(box.uids(last)) == 1
    other.close()
    box.close()


def test_wrong_password_is_permanent(settings: ImapSettings) -> None:
    with pytest.raises(Permanent, match="mend user or password"):
        Mailbox(ImapSettings(settings.host, settings.port, "none", settings.user, "wrong")).connect()
