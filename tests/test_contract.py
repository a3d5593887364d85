"""The outside of the program, sentence by sentence: what its users type, and what other programs read."""

from __future__ import annotations

import gc
import imaplib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from triage import cli, config, events
from triage.adapters import packs
from triage.adapters.db import engine, migrate
from triage.adapters.holidays import holiday_dates
from triage.core import clock
from triage.core.clock import make_rules
from triage.core.errors import ConfigError
from triage.demo import servers, show

ROOT = Path(__file__).parents[1]
FIELDS = ["description", "account", "asset", "element", "actions", "evidence"]


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Status, output and errors of a command."""
    status = cli.run(words)
    out, err = capsys.readouterr()
    return status, out, err


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["chek"], "triage: No such command 'chek'. Did you mean 'check'? ('triage --help' says more)"),
        (["run", "--onc"], "triage: No such option '--onc'. Did you mean '--once'? ('triage run --help' says more)"),
        (["explain"], "triage: Missing argument 'FILES...'. ('triage explain --help' says more)"),
        (["tickets", "--limit", "0"], "triage: Invalid value for '--limit': 0 is not in the range 1<=x<=1000000."),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_help_is(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(words, capsys)
    assert (status, out) == (2, "")
    assert err.startswith(expected) and err.count("\n") == 1


@pytest.mark.parametrize("group", ["rules", "partners", "key"])
def test_a_group_of_commands_shows_an_example_of_its_own(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said([group, "--help"], capsys)
    assert status == 0 and f"  triage {group} " in out.partition("Usage:")[2].partition("\n")[2]


# ---------------------------------------------------------------- explain and due, for other programs


def test_a_file_that_cannot_be_read_has_the_keys_of_every_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.eml"
    good.write_text("From: ana@acme.example\nSubject: Hello\n\nThe trips report is empty.\n")
    status, out, _ = said(["explain", "--json", str(good), str(tmp_path / "none.eml"), str(tmp_path)], capsys)
    known, *unread = map(json.loads, out.splitlines())
    assert status == 1 and [one["error"] for one in unread] == ["No such file or directory", "Is a directory"]
    for one in unread:
        assert list(one) == list(known) and list(one["fields"]) == list(known["fields"]) == FIELDS
        assert list(one["confidence"]) == list(known["confidence"]) and list(one["decision"]) == list(known["decision"])
        assert not any(one["fields"].values())


def test_due_answers_each_line_before_the_next_is_asked(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "triage", "due"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as asked:
        assert asked.stdin and asked.stdout
        for at, due in (("2026-01-05T05:00:00Z", "2026-01-05T07:00"), ("2026-01-05T12:00:00Z", "2026-01-06T06:00")):
            asked.stdin.write(json.dumps({"deployment": "paas", "severity": 1, "at": at}) + "\n")
            assert json.loads(asked.stdout.readline())["due"].startswith(due)
        asked.stdin.close()
        assert asked.wait(60) == 0


def test_due_passes_over_a_byte_order_mark_and_says_what_is_wrong_with_a_line(tmp_path: Path) -> None:
    lines = ['\ufeff{"deployment": "paas", "severity": null, "at": "2026-01-05T05:00:00Z"}', "nonsense",
             '{"deployment": "paas", "at": "tomorrow"}']  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "triage", "due"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="\r\n".join(lines).encode(),
        capture_output=True,
        timeout=120,
    )
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1 and first["hours"] == 8
    assert second["error"] == "line 2: not JSON (Expecting value at column 1)"
    assert third["error"] == "line 3: at: 'tomorrow' is no time; write it as 2026-01-05T12:00:00+00:00"


# ---------------------------------------------------------------- configuration


def test_a_byte_order_mark_is_no_fault_of_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf[log]\r\nlevel = 'debug'\r\n")
    assert config.load(file, {}).config.log.level == "debug"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("mailbox = 'x'", {}, "mailbox: is a section; write [mailbox] above its keys, or [[mailbox]] for each of"),
        ("[[smtp]]\nhost = 'x'", {}, "smtp: is a section; write [smtp] above its keys"),
        ("", {"TRIAGE_MAILBOX_HOST": "x"}, "TRIAGE_MAILBOX_HOST: no such key; did you mean TRIAGE_MAILBOX__HOST?"),
        ("", {"TRIAGE_MAILBOX__HOTS": "x"}, "TRIAGE_MAILBOX__HOTS: no such key; did you mean TRIAGE_MAILBOX__HOST?"),
        ("", {"TRIAGE_ZZZ__QQ": "x"}, "TRIAGE_ZZZ__QQ: no such key; config.example.toml shows them all"),
        ("[smtp]\npassword_file = 'no'", {}, "smtp.password_file: no cannot be read: No such file or directory; name"),
    ],
)
def test_each_fault_of_a_configuration_says_how_to_mend_it(
    tmp_path: Path, text: str, environment: dict[str, str], expected: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        config.load(file, environment)
    assert str(raised.value).startswith(f"{file}: {expected}") and "\n" not in str(raised.value)


def test_a_configuration_that_is_no_text_or_no_file_is_told_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"[log]\n# \xff")
    for path, expected in ((file, "not UTF-8 text (byte 8); save it as UTF-8"), (tmp_path, "Is a directory; name a")):
        with pytest.raises(ConfigError, match=r"config|test") as raised:
            config.load(path, {})
        assert expected in str(raised.value)


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    assert config.load(None, {"TRIAGE_HOME": "/srv/triage", "TRIAGE_CONFIG": "x"}).file is None


# ---------------------------------------------------------------- the log


def test_a_ticket_token_stands_in_no_line() -> None:
    mac = "0123456789abcdef0123"
    ours = f"<triage.1001.00112233445566aa.{mac}@vendor.example>"
    assert (
        events.blotted(f"reply {ours} to <a@b>") == "reply <triage.1001.00112233445566aa.***@vendor.example> to <a@b>"
    )
    assert events.blotted("<triage.1001.x@y> <a@b>") == "<triage.1001.x@y> <a@b>"


# ---------------------------------------------------------------- check


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and partners, and nothing that a daemon makes."""
    for name in [name for name in os.environ if name.startswith("TRIAGE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text(
        '[partners]\nfile = "p.csv"\n[log]\nfile = "logs/triage.log"\n[smtp]\nfrom_address = "support@vendor.example"\n'
    )
    (tmp_path / "p.csv").write_text("partner,deployment,address\nAcme,paas,ana@acme.example\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_whoever_checks_or_looks_makes_nothing_that_the_daemon_should_make(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(desk)
    status, out, _ = said(["check", "--offline"], capsys)
    for key in ("mailbox.host", "mailbox.user", "smtp.host"):
        assert f"note   {key}: empty; `triage run` needs it" in out
    assert status == 0 and out.count("made by the first `triage run`") == 3, out
    for words in (
        ["tickets"],
        ["show", "1001"],
        ["forget", "--yes", "a@b.example"],
        ["requeue", "1"],
        ["ticket", "1001", "--close"],
    ):
        status, out, err = said(words, capsys)
        assert status == 2 and "is not there; it is made by the first `triage run`" in err
    assert files(desk) in (before, sorted([*before, "logs", "logs/triage.log"]))


def test_a_damaged_database_is_told_in_a_line_like_any_other(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "var").mkdir(mode=0o700)
    database = desk / "var" / "triage.db"
    database.write_bytes(b"no database at all " * 500)
    database.chmod(0o600)
    status, out, err = said(["check", "--offline"], capsys)
    assert status == 1 and err == ""
    assert "database       WRONG  database: it is damaged (file is not a database); stop the daemon and restore" in out
    assert "log            ok" in out
    assert said(["tickets"], capsys)[0] == 1


def test_tables_of_a_newer_version_and_a_database_in_memory_are_wrong(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = engine.connect(f"sqlite:///{desk}/var/triage.db")
    migrate.upgrade(made)
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    made.dispose()
    status, out, _ = said(["check", "--offline"], capsys)
    assert status == 1 and "its tables are of version 9999: install the newer program" in out
    monkeypatch.setenv("TRIAGE_DATABASE__URL", "sqlite://")
    status, out, _ = said(["check", "--offline"], capsys)
    assert status == 1 and "a database in memory forgets every promise; name a file" in out


def test_a_full_disk_is_told_with_the_way_to_mend_it(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = type("Full", (), {"f_bavail": 3, "f_frsize": 4096})
    monkeypatch.setattr("triage.commands.check.os.statvfs", lambda _: full)
    status, out, _ = said(["check", "--offline"], capsys)
    assert status == 1
    assert f"the disk is full: 12 kB left for {desk}/var; free some, or lower [keep]" in out


# ---------------------------------------------------------------- terminals


def test_the_account_of_the_demo_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "_width", lambda: 60)
    told = "- " + "a list of what is missing, word by word, " * 5 + "\n\n" + "x" * 10
    lines = show._indented(told, "  | ").split("\n")
    assert max(map(len, lines)) <= 60 and lines[0].startswith("  | - a") and lines[1].startswith("  |   ")
    lines = show._said("because", "one word behind another " * 9).split("\n")
    assert max(map(len, lines)) <= 60 and all(line.startswith(" " * 12) for line in lines[1:])


# ---------------------------------------------------------------- the image


def test_the_folder_of_the_image_s_volume_belongs_to_its_user() -> None:
    """A volume that is mounted where no folder was is root's, and the daemon could write nothing."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (volume,) = [line.split()[1] for line in lines if line.startswith("VOLUME ")]
    assert any(f"install -d -o triage -g triage -m 0700 {volume}" in line for line in lines)


def test_a_clock_names_the_rule_that_gives_its_hours() -> None:
    rules = make_rules(packs.load(packs.find("navixy", Path())), holiday_dates)
    at = datetime(2026, 1, 5, 5, tzinfo=UTC)
    assert clock.start(rules, at, "paas", "1").rule == "target.paas-1"
    assert clock.start(rules, at, "cloud", None).rule in {f"target.{one.id}" for one in rules.pack.targets}


def test_the_demo_s_server_outlives_a_garbage_collection() -> None:
    with servers.running() as there, imaplib.IMAP4("127.0.0.1", there.imap_port, timeout=60) as client:
        client.login(servers.USER, servers.PASSWORD)
        for _ in range(3):
            gc.collect()  # the task of the connection waits for a command
            assert client.noop()[0] == "OK"


def test_a_password_file_may_come_from_an_editor_that_marks_its_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfcorrect horse\r\n")
    (tmp_path / "config.toml").write_text('[smtp]\npassword_file = "secret"\n')
    assert config.load(tmp_path / "config.toml", {}).config.smtp.password.get_secret_value() == "correct horse"
