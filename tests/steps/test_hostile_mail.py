"""A mail that hangs or ends its reader lies in quarantine, its bytes kept, and everybody else is served."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.test_readers import misbehaving
from tests.servers.fakeimap import FakeImap
from tests.steps.desk import ANA, Story, shipped_pack
from tests.steps.inboxes import Life
from triage.adapters.raws import Raws
from triage.adapters.readers import Readers


@pytest.fixture
def server() -> Iterator[FakeImap]:
    with FakeImap() as fake:
        yield fake


@pytest.mark.parametrize("seconds", [1.0])
def test_mail_that_its_readers_do_not_survive_is_quarantined_and_told(
    server: FakeImap, desk: Story, tmp_path: Path, seconds: float
) -> None:
    life = Life(server, desk)
    life.intake._readers = Readers(shipped_pack(), desk.office.desk, 1, seconds, misbehaving)
    raws = Raws(tmp_path / "raw", 30, 10)
    life.intake._raw = raws
    subjects = ("first", "hang", "crash", "raise", "last")
    mails = {
        subject: (
            f"From: {ANA}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@acme.example>\r\n\r\n"
            "In account 8800123 the trips report for tracker 700123 is empty since yesterday. I rebuilt it twice.\r\n"
        ).encode()
        for subject in subjects
    }
    server.add(*mails.values())
    try:
        life.rounds()
    finally:
        life.intake._readers.close()
        life.close()
    lies = {subject: folder for folder, found in life.lies().items() for subject in found}
    assert {lies[f"<{one}@acme.example>"] for one in ("hang", "crash", "raise")} == {"quarantine"}
    assert "quarantine" not in {lies[f"<{one}@acme.example>"] for one in ("first", "last")}
    assert desk.count() == 2 and [kind for kind, _ in desk.notices()].count("quarantined") == 3
    for one in ("hang", "crash", "raise"):
        assert raws.get(hashlib.sha256(mails[one]).hexdigest()) == mails[one]
