"""What lies on the server is counted against what was handled; a difference is told, with message ids."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.fakeimap import FakeImap
from tests.steps.desk import Story
from tests.steps.inboxes import Life, raw
from triage.steps.reconcile import Reconcile


class Counted(Life):
    """Intake, and the count after it."""

    def __init__(self, server: FakeImap, desk: Story, caplog: pytest.LogCaptureFixture) -> None:
        super().__init__(server, desk)
        caplog.set_level(logging.INFO, "triage")
        self.caplog = caplog
        self.reconcile = self.made()

    def made(self) -> Reconcile:
        return Reconcile(self.mailbox, self.inbox, self.desk.store, 60, now=lambda: self.desk.now)

    def handle(self, *numbers: int) -> None:
        self.server.add(*(raw(number) for number in numbers))
        self.rounds()

    def count(self) -> list[str]:
        """An hour later."""
        self.desk.now += timedelta(hours=1)
        return self.reconcile.round()

    def told(self) -> list[dict[str, Any]]:
        found = [one.__dict__ for one in self.caplog.records]
        return [one["keys"] for one in found if one.get("event") == "reconcile.difference"]

    def uid(self, number: int, folder: str) -> int:
        return next(one.uid for one in self.server.folders[folder].messages if one.raw == raw(number))


@pytest.fixture
def life(desk: Story, caplog: pytest.LogCaptureFixture) -> Iterator[Counted]:
    with FakeImap() as server:
        desk.now = datetime(2026, 3, 2, 8, tzinfo=UTC)  # the server's mail is of the day before
        made = Counted(server, desk, caplog)
        made.rounds()
        assert made.reconcile.round() == []  # the first count is what later ones begin from
        yield made
        made.close()


def test_all_that_was_handled_lies_where_it_was_put(life: Counted) -> None:
    life.handle(1, 2, 3)
    assert life.count() == []
    life.handle(4)
    assert life.count() == [] and life.told() == []


def test_mail_that_is_nowhere_is_told_once_with_its_id(life: Counted) -> None:
    life.handle(1, 2, 3)
    life.server.remove(life.uid(2, "ready"), "ready")
    assert life.count() == ["<m2@acme.example>"]
    [keys] = life.told()
    assert keys["messages"] == ["<m2@acme.example>"] and keys["count"] == 1
    assert life.desk.notices()[-1][0] == "difference"
    assert life.count() == []


@pytest.mark.parametrize("folder", ["waiting", "Archive"])
def test_mail_that_a_person_moved_is_no_difference(folder: str, life: Counted) -> None:
    life.handle(1, 2)
    life.server.remove(life.uid(2, "ready"), "ready")
    life.server.add(raw(2), folder=folder)
    assert life.count() == []


def test_mail_that_was_never_handled_is_told(life: Counted) -> None:
    life.server.add(raw(1), raw(2))  # and no round of intake, as if it had passed them over
    assert life.count() == ["<m1@acme.example>", "<m2@acme.example>"]
    assert life.count() == []  # once
    life.server.add(raw(3))
    assert life.count() == ["<m3@acme.example>"]


def test_mail_that_has_just_come_is_not_late(life: Counted) -> None:
    life.server.add(raw(1))
    life.server.folders["INBOX"].messages[0].date = (life.desk.now + timedelta(minutes=55)).strftime(
        "%d-%b-%Y %H:%M:%S +0000"
    )
    assert life.count() == []


def test_mail_from_before_the_first_start_is_not_ours(life: Counted) -> None:
    life.server.add(raw(1))
    life.server.folders["INBOX"].messages[0].date = "01-Dec-2025 10:00:00 +0000"
    assert life.count() == []


def test_copy_among_the_ignored_is_counted_too(life: Counted) -> None:
    life.handle(1, 1)
    assert life.lies() == {"ready": ["<m1@acme.example>"], "ignored": ["<m1@acme.example>"]}
    assert life.count() == []


@pytest.mark.parametrize(
    "header",
    [
        b"", b"Message-ID: <" + b"long" * 100 + b"@x>\r\n", b'Message-ID: <"quoted name"@x>\r\n',
        b"Message-ID: <a b@x>\r\n", b"Message-ID: none\r\n", b"Message-ID: <\xe9\xe9@x>\r\n",
        b"Message-ID:\r\n <folded@\r\n x>\r\n",
    ],
)  # fmt: skip
def test_mail_without_an_id_of_use_is_counted(header: bytes, life: Counted) -> None:
    nameless = raw(1).replace(b"Message-ID: <m1@acme.example>\r\n", header)
    life.server.add(nameless, raw(2))
    life.rounds()
    assert life.count() == []
    life.server.add(nameless.replace(b"Report 1", b"Report 7"))
    life.rounds()
    life.server.folders["ready"].messages.pop()
    [lost] = life.count()
    assert lost.startswith("<no-id.") or header


def test_quarantined_mail_that_was_released_is_no_difference(life: Counted) -> None:
    life.handle(1)
    assert life.count() == []
    with life.desk.store.begin() as tx:
        [known] = tx.mails.by_message_ids(["<m1@acme.example>"])
        values = {"mailbox": known.mailbox, "uidvalidity": known.uidvalidity, "uid": known.uid, "folder": known.folder,
                  "fingerprint": known.fingerprint, "message_id": known.message_id, "received_at": known.received_at,
                  "handled_at": life.desk.now, "filed_at": life.desk.now}  # fmt: skip
        tx.mails.remove(known.id)
        tx.mails.add(**values)  # handled again; it lies where it lay
    assert life.count() == []


def test_folder_that_was_made_anew_is_read_from_its_beginning(life: Counted) -> None:
    life.handle(1)
    assert life.count() == []
    life.handle(2)
    ready = life.server.folders["ready"]
    ready.uidvalidity, ready.uidnext = 9, 3
    for uid, message in enumerate(ready.messages, 1):
        message.uid = uid
    assert life.count() == []


def test_count_is_made_once_an_hour_over_restarts(life: Counted) -> None:
    life.handle(1)
    life.desk.now += timedelta(minutes=30)
    assert life.made().round() == []
    before = len(life.server.commands)
    life.reconcile.round()
    assert len(life.server.commands) == before
    life.server.remove(life.uid(1, "ready"), "ready")
    life.desk.now += timedelta(minutes=31)
    assert life.made().round() == ["<m1@acme.example>"]
