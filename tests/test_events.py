"""The log: one line an event, for an operator who greps; what somebody else wrote only stands in it."""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from triage import events
from triage.core.errors import ConfigError

# The events that are kept stable for other programs.
STABLE = {
    "message.received", "message.ignored", "message.quarantined", "sender.refused", "ticket.opened", "ticket.updated",
    "ticket.awaiting_partner", "ticket.answered", "ticket.reopened", "ticket.refused", "clock.started", "clock.warning",
    "clock.breached", "clock.stopped", "reply.queued", "mail.sent", "mail.deferred", "mail.failed", "daemon.started",
    "daemon.stopped",
}  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A log file in use."""
    root, ours = logging.getLogger(), logging.getLogger("triage")
    before = root.handlers[:], root.level, ours.level
    file = tmp_path / "var" / "triage.log"
    events.set_up(file, "info")
    yield file
    for handler in root.handlers:
        with contextlib.suppress(OSError):
            handler.close()
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    events.hide()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_a_line_has_time_level_event_and_its_keys(log: Path) -> None:
    at = datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1)))
    events.clock("clock.breached", ticket="1001", partner="Acme", due=at)
    (line,) = lines(log)
    assert (line["level"], line["event"], line["ticket"], line["partner"]) == (
        "warning",
        "clock.breached",
        "1001",
        "Acme",
    )
    assert line["due"] == "2026-03-02T09:00:00+00:00"
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_every_line_of_a_mail_carries_its_message_id(log: Path) -> None:
    with events.bind(message_id="<a@b>"):
        events.ignored(reason="machine:list")
        with events.bind(ticket="7"):
            events.emit("ticket.updated")
    events.started(version="1")
    assert [line.get("message_id") for line in lines(log)] == ["<a@b>", "<a@b>", None]
    assert lines(log)[1]["ticket"] == "7"


def test_stable_events_have_their_names_in_the_program() -> None:
    source = "".join(file.read_text() for file in Path(inspect.getfile(events)).parent.rglob("*.py"))
    assert [name for name in STABLE if f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    "words",
    [
        "a\nb",
        'a\r\n{"event":"ticket.closed"}',
        "\x1b[2J",
        "\x9b31m",
        "\u202ex",
        "\u2028x",
        "\x00",
        "\ud83d",
        '","event":"x',
    ],
)
def test_nobody_elses_words_make_a_line_a_key_or_a_trick(log: Path, words: str) -> None:
    events.received(sender=words, subject=words, size=1, received=None)
    events.emit("x", reason=[words], more={words: words})
    assert len(log.read_bytes().splitlines()) == 2
    one, two = lines(log)
    assert one["event"] == "message.received" and two["event"] == "x"
    assert not set(log.read_text("utf-8")) & set("\x1b\x9b\u202e\u2028\x00\r")


def test_long_words_are_cut(log: Path) -> None:
    events.received(sender="x" * 100_000, subject="y" * 100_000, size=1, received=None)
    assert log.stat().st_size < 2000


def test_a_fault_is_told_with_its_place_and_without_values(log: Path) -> None:
    def fails(password: str) -> None:
        raise KeyError(password)

    try:
        fails("hunter2hunter2")
    except KeyError as error:
        events.surprise("message.surprise", error)
    logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=ValueError("hunter2hunter2"))
    text = log.read_text()
    assert "hunter2" not in text
    assert lines(log)[0]["reason"] == "KeyError" and lines(log)[0]["where"][-1].startswith("test_events.py:")


def test_a_password_that_a_server_repeats_is_blotted_out(log: Path) -> None:
    events.hide("correct horse", "correct horse battery", "short", "")
    events.trouble(
        "connection.failed", reason="535 'correct horse battery' is wrong", names=["correct horse"], a="short"
    )
    logging.getLogger("library").warning("login correct horse battery failed")
    assert "horse" not in log.read_text() and lines(log)[0]["reason"] == "535 '***' is wrong"
    assert lines(log)[0]["a"] == "short"  # so short a word would blot out others


def test_what_libraries_say_is_an_event_too(log: Path) -> None:
    logging.getLogger("library").warning("one\ntwo")
    assert lines(log)[0]["event"] == "log" and lines(log)[0]["reason"] == "one two"


def test_the_file_is_ours_and_stays_ours_after_a_rotation(log: Path) -> None:
    events.started(version="1")
    assert log.stat().st_mode & 0o777 == 0o640
    log.rename(log.with_suffix(".1"))
    events.started(version="2")
    assert log.stat().st_mode & 0o777 == 0o640
    assert [line["version"] for line in lines(log)] == ["2"]


def test_the_level_leaves_out_what_is_below(tmp_path: Path, log: Path) -> None:
    events.set_up(tmp_path / "quiet.log", "warning")
    events.started(version="1")
    events.trouble("rules.faulty", reason="x")
    assert [line["event"] for line in lines(tmp_path / "quiet.log")] == ["rules.faulty"]


def test_standard_output_takes_the_same_lines(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    events.set_up("-", "info")
    events.started(version="é")
    assert json.loads(capsys.readouterr().out)["version"] == "é"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, log: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConfigError, match=r"log\.file: .* cannot be written: .*; name a file that the daemon may write"
    ):
        events.set_up(tmp_path / "file" / "log", "info")


def test_a_full_disk_puts_no_line_elsewhere(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events.set_up("/dev/full", "info")
    events.received(sender="ana@acme.example", subject="private", size=1, received=None)
    assert "private" not in "".join(capfd.readouterr())
