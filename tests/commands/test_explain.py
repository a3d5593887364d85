"""`triage explain`: a line a file whatever the file is, and a picture that a person can judge."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triage.cli import Context
from triage.commands.explain import Judge
from triage.explanation import Paint, explanation

MAIL = b"""From: Ana Duarte <ana@partner.example>
To: support@vendor.example
Message-ID: <one@partner.example>
Subject: Trip report stays empty
Date: Wed, 04 Mar 2026 08:00:00 +0000

Hello,

since Monday the trip report of tracker 1180452 in account 20418 is empty, although the trips are on the map.
I generated it twice. It says "No data for this period".

Best regards,
Ana
"""
KEYS = [
    "file", "message_id", "subject", "from", "received", "error", "kind", "language", "text", "request_type", "service",
    "out_of_scope", "severity", "courtesy", "questions", "fields", "missing", "attachments", "sender", "decision",
    "evidence", "reply",
]  # fmt: skip
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def triage(tmp_path: Path) -> Run:
    """The program as it is called, in an empty folder without a configuration."""

    def run(*arguments: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "triage", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            timeout=300,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **(environment or {"LC_ALL": "C.UTF-8"})},
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    return run


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    return file


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The shipped rules; every sender is a partner."""
    folder = tmp_path_factory.mktemp("no-configuration")
    (folder / "empty.toml").write_text("")
    return Judge(Context(folder / "empty.toml"), "paas")


def shown(judge: Judge, raw: bytes, paint: Paint | None = None) -> str:
    from triage.adapters.readers import reader

    email, reading = reader(judge.pack, judge.desk)(raw, None)
    found, reading, decision = judge.of("mail.eml", email, reading)
    return explanation(found, reading, decision, judge.pack, paint or Paint())


# ---------------------------------------------------------------- --json


def test_every_key_of_the_outside_is_there(triage: Run, mail: Path) -> None:
    done = triage("explain", "--json", "--deployment", "paas", mail)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert set(KEYS) <= set(found)
    assert (found["file"], found["message_id"], found["from"]) == (
        str(mail),
        "<one@partner.example>",
        "ana@partner.example",
    )
    assert (found["error"], found["received"], found["kind"], found["language"]) == (None, None, "request", "en")
    assert found["text"].startswith("Hello,\n\nsince Monday")
    assert "Best regards" not in found["text"]
    assert found["severity"] in (1, 2, 3)
    assert set(found["fields"]) == {"description", "account", "asset", "element", "actions", "evidence"}
    assert all(isinstance(there, bool) for there in found["fields"].values())
    assert set(found["sender"]) == {"status", "partner"}
    assert set(found["decision"]) == {"state", "reasons", "due", "guaranteed"}
    assert all(set(one) == {"rule", "clause", "matched"} for one in found["evidence"])
    assert set(found["reply"]) == {"to", "subject", "text", "language"}


def test_without_configuration_nobody_is_known(triage: Run, mail: Path) -> None:
    found = json.loads(triage("explain", "--json", mail).stdout)
    assert found["sender"] == {"status": "unknown", "partner": None}
    assert found["decision"]["state"] == "refused"


def test_each_file_has_its_line_in_order_whatever_it_is(triage: Run, tmp_path: Path, mail: Path) -> None:
    files = {"empty.eml": b"", "scraps.eml": bytes(range(256)) * 40, "text.eml": b"no header at all"}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "folder").mkdir()
    names = ["absent.eml", "empty.eml", "folder", "scraps.eml", mail.name, "text.eml", mail.name]
    done = triage("explain", "--json", *names)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["file"] for one in found] == names
    assert {one["file"] for one in found if one["error"]} == {"absent.eml", "empty.eml", "folder", "scraps.eml"}
    assert found[0]["error"] == "No such file or directory"
    assert found[0]["kind"] is None and found[0]["reply"] is None
    assert set(KEYS) <= set(found[0])
    assert done.returncode == 1  # what could not be read is no success
    assert done.stderr == ""


def test_many_files_are_read_side_by_side_and_stay_in_order(triage: Run, tmp_path: Path) -> None:
    names = [f"{number:02}.eml" for number in range(30)]
    for number, name in enumerate(names):
        if number != 17:
            (tmp_path / name).write_bytes(MAIL.replace(b"Trip report", f"Trip report {number}".encode()))
    found = [json.loads(line) for line in triage("explain", "--json", *names).stdout.splitlines()]
    assert [one["file"] for one in found] == names
    assert [one["file"] for one in found if one["error"]] == ["17.eml"]
    assert found[29]["subject"] == "Trip report 29 stays empty"


def test_a_line_stays_a_line_whatever_stands_in_the_mail(triage: Run, tmp_path: Path) -> None:
    raw = MAIL.decode().replace("Hello,", "Hello\u2028\u0085\x1b[2Jthere \u202egnp.exe\x07,").encode()
    raw = raw.replace(b"Date:", b"Content-Type: text/plain; charset=utf-8\nDate:")
    (tmp_path / "hostile.eml").write_bytes(raw)
    done = triage("explain", "--json", "hostile.eml")
    assert len(done.stdout.splitlines()) == 1
    assert not set(done.stdout) & set("\x1b\x07\u202e\u2028\u0085")
    assert "there" in json.loads(done.stdout)["text"]


def test_json_holds_where_the_terminal_knows_ascii_only(triage: Run, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(
        MAIL.replace(b"Subject: Trip", b"Subject: =?utf-8?q?Informe_vac=C3=ADo?= Trip").replace(
            b"\n\nHello", b"\n\nHola"
        )
    )
    done = triage("explain", "--json", "a.eml", environment={"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"})
    assert json.loads(done.stdout)["subject"].startswith("Informe vacío")


def test_a_mail_may_come_on_standard_input(triage: Run) -> None:
    found = json.loads(triage("explain", "--json", "-", stdin=MAIL).stdout)
    assert (found["file"], found["subject"]) == ("-", "Trip report stays empty")


def test_of_a_huge_file_no_more_is_read_than_the_daemon_would_take(triage: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[limits]\nmax_message_bytes = 100000\n")
    with (tmp_path / "huge.eml").open("wb") as file:
        file.write(MAIL)
        file.truncate(3 << 30)  # a hole: takes no room on the disk
    done = triage("explain", "--json", "huge.eml")
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (0, "request")


# ---------------------------------------------------------------- what people see


def test_each_label_stands_with_its_confidence_and_the_words_behind_it(judge: Judge) -> None:
    lines = shown(judge, MAIL).split("\n")
    row = next(line for line in lines if line.startswith("  request_type"))
    assert row.split()[1:3][0] == "incident"
    assert "%" in row and '"' in row
    assert any(line.startswith("  account ") and '"account 20418"' in line for line in lines)
    assert any(line.startswith("  severity ") and "the extent is not told" in line for line in lines)


def test_the_words_of_the_sender_stand_above_what_was_read(judge: Judge) -> None:
    text = shown(judge, MAIL)
    assert text.index("| since Monday the trip report") < text.index("Decision") < text.index("request_type")
    assert "(left out: signature)" in text


def test_a_missing_field_is_named_with_the_clause_that_asks_for_it(judge: Judge) -> None:
    text = shown(judge, MAIL.split(b"since Monday")[0] + b"since Monday one of our trackers is offline, please help.\n")
    assert "AWAITING_PARTNER  incomplete" in text
    assert any(line.startswith("  account ") and "missing" in line for line in text.split("\n"))
    assert "info_identifiers  The identifiers of the account and the asset." in text


def test_no_character_of_a_mail_reaches_the_terminal_as_a_command(judge: Judge) -> None:
    raw = MAIL.replace(b"Hello", b"Hello \x1b[2J\x1b]0;owned\x07\x08\x9b31m").replace(
        b"Trip report stays", b"\x1b[31mTrip"
    )
    assert not set(shown(judge, raw)) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}


def test_no_line_is_wider_than_the_terminal(judge: Judge) -> None:
    for width in (60, 80, 120):
        assert max(map(len, shown(judge, MAIL, Paint(width)).split("\n"))) <= width


def test_colours_only_mark_what_stands_there_anyway(judge: Judge) -> None:
    import click

    plain, coloured = shown(judge, MAIL), shown(judge, MAIL, Paint(colours=True))
    assert "\x1b[" in coloured and "\x1b" not in plain
    assert click.unstyle(coloured).replace("│", "|") == plain


def test_a_file_that_is_not_there_is_shown_as_such(triage: Run) -> None:
    done = triage("explain", "absent.eml")
    assert (done.returncode, done.stdout) == (1, "absent.eml\n  cannot be read: No such file or directory\n\n")


def test_a_deployment_that_the_rules_do_not_know_is_wrong_usage(triage: Run, mail: Path) -> None:
    done = triage("explain", "--deployment", "moon", mail)
    assert done.returncode == 2
    assert done.stderr == "triage: --deployment 'moon': the rule pack knows paas, on_premise, cloud\n"


def test_a_closed_pipe_is_no_traceback(mail: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "triage", "explain", "--json", *[str(mail)] * 40],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert isinstance(started.stdout, io.BufferedReader)
    started.stdout.readline()
    started.stdout.close()
    assert started.stderr is not None
    assert b"Traceback" not in started.stderr.read()
    started.wait(60)
