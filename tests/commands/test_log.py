"""`triage log`: the log for people, rotated files included."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triage.adapters.log_files import growing
from triage.cli import Context
from triage.commands.log import log
from triage.report import log_line

NOW = datetime.now(UTC)


def event(name: str, ago: timedelta = timedelta(), level: str = "info", **keys: object) -> str:
    return json.dumps({"time": (NOW - ago).isoformat(timespec="milliseconds"), "level": level, "event": name, **keys})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text('[log]\nfile = "triage.log"\n')
    file = tmp_path / "triage.log"
    file.write_text(
        "\n".join(
            [
                event("ticket.opened", timedelta(hours=3), ticket="1001", partner="Acme GPS", subject="Report empty"),
                "no JSON at all",
                '["no", "object"]',
                event("clock.breached", timedelta(hours=1), "warning", ticket="1001", partner="Acme GPS"),
                event("ticket.opened", ticket="11001", partner="Beta Fleet", message_id="<x@beta.example>"),
                event("mail.failed", level="error", ticket="1002", partner="Beta Fleet", reason="no such user"),
            ]
        )
        + "\n"
    )
    return file


Shown = Callable[..., Result]


@pytest.fixture
def shown(file: Path) -> Shown:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            log, list(arguments), obj=Context(file.parent / "config.toml"), catch_exceptions=False
        )

    return run


def lines(result: Result) -> list[str]:
    return result.stdout.splitlines()


def test_each_event_is_a_line_and_what_is_no_event_is_left_out(shown: Shown) -> None:
    found = lines(shown())
    assert len(found) == 4
    assert '#1001  ticket.opened             partner="Acme GPS"  subject="Report empty"' in found[0]


def test_only_one_tickets_lines(shown: Shown) -> None:
    assert len(lines(shown("--ticket", "#1001"))) == 2


def test_a_part_of_the_partners_name_will_do(shown: Shown) -> None:
    assert len(lines(shown("--partner", "beta"))) == 2


def test_a_level_leaves_out_what_is_quieter(shown: Shown) -> None:
    assert [line.split()[3:5] for line in lines(shown("--level", "warning"))] == [
        ["clock.breached", "WARNING"],
        ["mail.failed", "ERROR"],
    ]


def test_a_span_leaves_out_what_is_older(shown: Shown) -> None:
    assert len(lines(shown("--since", "2h"))) == 3


def test_what_only_programs_need_is_shown_when_asked_for(shown: Shown) -> None:
    assert "x@beta.example" not in shown().stdout
    assert "message_id=<x@beta.example>" in shown("--full").stdout


def test_rotated_files_come_first_oldest_before_newer(file: Path, shown: Shown) -> None:
    (file.parent / "triage.log.1").write_text(event("daemon.stopped") + "\n")
    with gzip.open(file.parent / "triage.log.2.gz", "wt") as older:
        older.write(event("daemon.started") + "\n")
    (file.parent / "triage.log.bak").write_text(event("not.ours") + "\n")
    os.utime(file.parent / "triage.log.2.gz", (1, 1))
    assert [line.split()[2] for line in lines(shown())][:2] == ["daemon.started", "daemon.stopped"]
    assert len(lines(shown("--since", "5h"))) == 5  # not the file that was written last in 1970


def test_a_file_that_was_just_moved_away_is_no_fault(file: Path, shown: Shown) -> None:
    file.rename(file.parent / "triage.log.1")
    assert len(lines(shown())) == 4


def test_json_gives_the_lines_as_they_are(shown: Shown) -> None:
    assert json.loads(lines(shown("--json", "--ticket", "1002"))[0])["reason"] == "no such user"


def test_a_span_that_is_none_says_what_would_be_right(file: Path) -> None:
    from triage.core.errors import ConfigError

    with pytest.raises(ConfigError, match="neither a time"):
        CliRunner().invoke(log, ["--since", "soon"], obj=Context(file.parent / "config.toml"), catch_exceptions=False)


def test_no_line_of_a_log_moves_the_cursor() -> None:
    shown = log_line(
        {"time": "\x1b[2J", "level": "info", "event": "\x1b]0;x\x07", "ticket": "1\r2", "reason": "a\x1b[31mb"}
    )
    assert not set(shown) & set("\x1b\x07\r\n")


def test_following_goes_on_across_a_rotation(tmp_path: Path) -> None:
    file = tmp_path / "triage.log"
    file.write_text("one\ntwo\nthree\n")

    def meanwhile(_seconds: float) -> None:
        if len(happens) == 2:
            with file.open("a") as log:
                log.write("four\nfi")  # the rest comes later
        elif len(happens) == 1:
            with file.open("a") as log:
                log.write("ve\n")
            os.rename(file, tmp_path / "triage.log.1")
            file.write_text("six\n")
        happens.pop()

    happens = [1, 2]
    found = growing(file, 2, wait=meanwhile)
    assert [next(found) for _ in range(5)] == ["two", "three", "four", "five", "six"]


def test_mail_about_a_partner_s_ticket_is_the_partner_s(file: Path, shown: Shown) -> None:
    with file.open("a") as log_file:
        for ticket in ("1001", "11001"):
            log_file.write(event("mail.sent", ticket=ticket, to="ana@acme.example") + "\n")
        log_file.write(event("mail.sent", to="kim@home.example") + "\n")
    found = lines(shown("--partner", "acme"))
    assert [line.split()[2:4] for line in found] == [
        ["#1001", "ticket.opened"],
        ["#1001", "clock.breached"],
        ["#1001", "mail.sent"],
    ]
