"""The command line: every command says what it does, an error is one readable line, and no secret is shown."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from tests.stores import empty
from triage import cli, config, permissions
from triage.adapters import packs
from triage.adapters.db import engine, migrate
from triage.adapters.db.store import Store
from triage.adapters.db.tables import outbox

ANA, EVE = "ana@acme.example", "eve@other.example"
PASSWORD = "correct horse battery"
ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def triage(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as its users start it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    return subprocess.run(
        [sys.executable, "-m", "triage", *words],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a configuration, partners and an empty database."""
    (tmp_path / "config.toml").write_text(
        f'[mailbox]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\nuser = "support"\npassword = "{PASSWORD}"\n'
        f'[smtp]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\nuser = "support"\npassword = "{PASSWORD}"\n'
        'from_address = "support@vendor.example"\n[partners]\nfile = "partners.csv"\n[log]\nfile = "triage.log"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    (tmp_path / "partners.csv").write_text(f"partner,deployment,address\nAcme,paas,{ANA}\n")
    return tmp_path


@pytest.fixture
def store(desk: Path) -> Iterator[Store]:
    """The desk's database."""
    made = engine.connect(f"sqlite:///{desk}/var/triage.db")
    migrate.upgrade(made)
    store = Store(made)
    yield store
    store.close()


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_says_what_it_does_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    said = capsys.readouterr().out
    command = cli._main.get_command(click.Context(cli._main), name)
    assert command is not None
    if isinstance(command, click.Group):
        for inner in command.commands:
            assert cli.run([name, inner, "--help"]) == 0
            said += capsys.readouterr().out
    assert f"triage {name}" in said.partition("\n")[2], "no example"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["run", "--never"], "No such option '--never'"),
        (["explain"], "Missing argument"),
        (["requeue", "one"], "is not a valid integer"),
        (["run"], "no configuration: copy config.example.toml to config.toml, or name one with --config"),
        (["run", "--config", "nowhere.toml"], "nowhere.toml: there is no such file; copy config.example.toml"),
    ],
)
def test_wrong_usage_is_told_in_a_line_and_ends_with_2(tmp_path: Path, words: list[str], said: str) -> None:
    done = triage(tmp_path, *words)
    assert said in " ".join(done.stderr.split()) and done.returncode == 2 and done.stdout == ""
    assert "Traceback" not in done.stderr


def test_the_configuration_is_understood_behind_the_command_too(desk: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for words in (["check", "--offline", "--config", str(desk / "config.toml")], ["check", "--offline"]):
        done = triage(elsewhere, *words, TRIAGE_CONFIG=str(desk / "config.toml"))
        assert done.returncode == 0, done.stdout


def test_a_fault_of_ours_is_a_line_without_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def explain() -> None:
        raise KeyError(PASSWORD)

    monkeypatch.setattr(cli._main, "get_command", lambda ctx, name: explain)
    assert cli.run(["explain"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("triage: a fault in triage: KeyError at test_cli.py:") and said.count("\n") == 1
    assert PASSWORD not in said


# ---------------------------------------------------------------- secrets and permissions


def test_check_shows_no_password_and_says_that_senders_are_not_verified(desk: Path) -> None:
    done = triage(desk, "check")
    assert done.returncode == 1 and PASSWORD not in done.stdout + done.stderr
    assert "senders        note   support@127.0.0.1:1/INBOX: not verified, anyone can write" in done.stdout
    assert "mailbox        WRONG" in done.stdout and "smtp           WRONG" in done.stdout
    assert all(len(line.split(maxsplit=2)) == 3 for line in done.stdout.splitlines())


def test_a_configured_server_ends_the_warning(desk: Path) -> None:
    done = triage(desk, "check", "--offline", TRIAGE_MAILBOX__TRUSTED_AUTHSERV_ID="mx.vendor.example")
    assert "not verified" not in done.stdout and done.returncode == 0


def test_a_group_without_a_server_that_vouches_is_told(desk: Path) -> None:
    done = triage(desk, "check", "--offline", TRIAGE_MAILBOX__OWN_LISTS="support.vendor.example")
    assert "nothing vouches for mailbox.own_lists" in done.stdout


def test_check_tells_faults_of_rules_before_their_day_has_come(desk: Path) -> None:
    shipped = packs.shipped_rules() / "navixy"
    for name in ("acme", "acme-next"):
        shutil.copytree(shipped, desk / "rules" / name, ignore=shutil.ignore_patterns("examples"))
    manifest = desk / "rules" / "acme-next" / "pack.toml"
    manifest.write_text(manifest.read_text().replace("in_force = 2024-01-01", "in_force = 2999-01-01"))
    done = triage(desk, "check", "--offline", TRIAGE_RULES__PACK="rules/acme")
    assert "rules to come  ok     navixy 1.0, in force from 2999-01-01" in done.stdout and done.returncode == 0
    targets = desk / "rules" / "acme-next" / "targets.toml"
    targets.write_text(targets.read_text().replace("hours = 2", "hours = -2", 1))
    done = triage(desk, "check", "--offline", TRIAGE_RULES__PACK="rules/acme")
    assert "rules to come  WRONG  acme-next/targets.toml" in done.stdout and done.returncode == 1


def test_every_start_says_that_senders_are_not_verified_and_what_lies_too_open(desk: Path) -> None:
    (desk / "config.toml").chmod(0o644)
    done = triage(desk, "run", "--once")
    assert done.returncode == 1
    log = (desk / "triage.log").read_text()
    lines = {line["event"]: line for line in map(json.loads, log.splitlines())}
    assert "anyone can write in a partner's name" in lines["senders.unverified"]["reason"]
    assert "config.toml: others can read its passwords; run chmod 600 config.toml" in lines["files.exposed"]["reason"]
    assert {"daemon.started", "daemon.stopped"} <= set(lines)
    assert PASSWORD not in log + done.stdout + done.stderr


def test_what_the_daemon_makes_is_for_its_eyes_only(desk: Path) -> None:
    triage(desk, "run", "--once")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (desk / "var").iterdir()}
    assert modes["triage.db"] == modes["triage.key"] == 0o600
    assert (desk / "triage.log").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("config.toml", 0o640, "others can read its passwords"),
        ("secret", 0o644, "others can read the password in it"),
        ("var/triage.db", 0o644, "others can read what partners wrote"),
        ("triage.log", 0o644, "others can read who wrote to us"),
        ("var/raw", 0o755, "others can read kept mail"),
        ("partners.csv", 0o666, "others can change who is a partner"),
        ("url", 0o644, "others can read the password in it"),
        ("var", 0o777, "others can put files of theirs in the place of ours"),
        (".", 0o777, "others can put files of theirs in the place of ours"),
        ("pack", 0o777, "others can put files of theirs in the place of ours"),
        ("pack/words", 0o777, "others can put files of theirs in the place of ours"),
        ("pack/pack.toml", 0o666, "others can change the rules"),
    ],
)
def test_each_file_that_lies_too_open_is_told(desk: Path, name: str, mode: int, said: str) -> None:
    (desk / "secret").write_text("x")
    (desk / "url").write_text("sqlite:///var/triage.db")
    (desk / "var" / "raw").mkdir(parents=True)
    (desk / "pack" / "words").mkdir(parents=True)
    for made in ("var/triage.db", "triage.log", "pack/pack.toml"):
        (desk / made).touch()
    environment = {
        "TRIAGE_SMTP__PASSWORD": "", "TRIAGE_SMTP__PASSWORD_FILE": "secret", "TRIAGE_DATABASE__URL_FILE": "url",
        "TRIAGE_RULES__PACK": "pack",
    }  # fmt: skip
    for path in (".", "var", "var/raw", "pack", "pack/words"):
        (desk / path).chmod(0o700)
    for path, right in (("secret", 0o600), ("url", 0o600), ("var/triage.db", 0o600), ("triage.log", 0o640)):
        (desk / path).chmod(right)
    loaded = config.load(desk / "config.toml", environment)
    assert list(permissions.exposed(loaded)) == []
    (desk / name).chmod(mode)
    (found,) = permissions.exposed(loaded)
    assert said in found and "; run chmod " in found


def test_a_configuration_without_secrets_may_be_read_and_not_changed(desk: Path) -> None:
    file = desk / "config.toml"
    file.write_text(file.read_text().replace(PASSWORD, ""))
    file.chmod(0o644)
    assert list(permissions.exposed(config.load(file, {}))) == []
    file.chmod(0o646)
    (found,) = permissions.exposed(config.load(file, {}))
    assert "others can change what is configured" in found


def test_what_systemd_hands_over_is_not_told(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk / "secret").write_text("x")
    (desk / "secret").chmod(0o440)
    loaded = config.load(
        desk / "config.toml", {"TRIAGE_SMTP__PASSWORD": "", "TRIAGE_SMTP__PASSWORD_FILE": str(desk / "secret")}
    )
    assert len(list(permissions.exposed(loaded))) == 1
    monkeypatch.setattr(permissions, "_CREDENTIALS", desk.resolve())
    assert list(permissions.exposed(loaded)) == []


def test_a_folder_like_tmp_is_no_danger(desk: Path) -> None:
    desk.chmod(0o1777)
    assert list(permissions.exposed(config.load(desk / "config.toml", {}))) == []


def test_folders_that_the_daemon_makes_are_closed_to_others(desk: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'umask 0; exec "{sys.executable}" -m triage run --once'],
        cwd=desk, env={**os.environ, "PYTHONPATH": str(ROOT), "TRIAGE_LOG__FILE": "log/triage.log"}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert {(desk / one).stat().st_mode & 0o777 for one in ("var", "log")} == {0o750}
    assert list(permissions.exposed(config.load(desk / "config.toml", {"TRIAGE_LOG__FILE": "log/triage.log"}))) == []


def test_a_key_that_others_can_read_stops_the_daemon(desk: Path) -> None:
    triage(desk, "run", "--once")
    (desk / "var" / "triage.key").chmod(0o644)
    for words in (["run", "--once"], ["check", "--offline"]):
        done = triage(desk, *words)
        assert "others can read the key; run chmod 600" in done.stdout + done.stderr and done.returncode in (1, 2)


def test_a_database_url_is_shown_without_its_password(desk: Path) -> None:
    for url in (f"postgresql://me:{PASSWORD}@127.0.0.1:1/x", f"postgresql://127.0.0.1:1/x?user=me&password={PASSWORD}"):
        done = triage(desk, "check", "--offline", TRIAGE_DATABASE__URL=url.replace(" ", "%20"))
        assert "horse" not in done.stdout + done.stderr
        assert done.returncode == 1 and "database       WRONG" in done.stdout


# ---------------------------------------------------------------- forget, backup, key, requeue


def stored(store: Store, address: str, partner: str = "Acme", fingerprint: str = "a" * 64) -> int:
    """A ticket with a mail and a reply."""
    with store.begin() as tx:
        ticket = tx.tickets.open(
            partner=partner, requester=address, subject=f"of {address}", state="open", fields=[], flags=[],
            settled=[], pack="navixy 1.0", opened_at=NOW,
        ).id  # fmt: skip
        tx.mails.add(
            mailbox="m", uidvalidity=1, uid=ticket, fingerprint=fingerprint, message_id=f"<{address}>", sender=address,
            subject=f"of {address}", received_at=NOW, handled_at=NOW, folder="ready", ticket=ticket,
        )  # fmt: skip
        tx.tickets.remember(f"<{address}>", ticket)
        tx.tickets.tell(ticket, NOW, "ticket.opened", {"sender": address})
        tx.outbox.queue(
            message_id=f"<reply.{address}>", ticket=ticket, sender="support@vendor.example", recipient=address,
            template="accepted", raw=f"To: {address}".encode(), queued_at=NOW,
        )  # fmt: skip
        tx.people.note(address, stranger_told_at=NOW)
    return ticket


def everything(desk: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (desk / "var").rglob("*") if path.is_file())


def test_forget_leaves_nothing_of_a_person_not_even_in_the_file(desk: Path, store: Store) -> None:
    stored(store, ANA)
    stored(store, "ana+gps@acme.example", fingerprint="b" * 64)
    other = stored(store, EVE, "Other", "c" * 64)
    stored(store, "banana@acme.example", fingerprint="d" * 64)
    with store.begin() as tx:
        tx.tickets.tell(other, NOW, "message.ignored", {"sender": "ANA+x@acme.example", "reason": "internal", "n": 1})
        tx.notices.add(NOW, "bounce", other, {"to": ANA})
    raw = desk / "var" / "raw" / "aa"
    raw.mkdir(parents=True)
    (raw / f"{'a' * 64}.eml").write_text(f"From: {ANA}")
    (raw / f"{'aa' * 32}.eml").write_text(f"From: {EVE}\nCc: Ana <Ana@Acme.example>")
    (raw / f"{'ab' * 32}.eml").write_text(f"From: {EVE}\nCc: banana@acme.example")
    store.close()
    done = triage(desk, "forget", "--yes", "Ana+other@Acme.example")
    assert done.returncode == 0, done.stderr
    assert f"{ANA}: 2 tickets, 2 mails and 2 replies removed" in done.stdout
    assert f"{ANA} still stands in {desk / 'partners.csv'}" in done.stdout
    left = everything(desk).replace(b"banana@acme", b"").lower()
    assert b"ana@acme" not in left and b"ana+" not in left
    with store.look() as tx:
        assert len(tx.tickets.select()) == 2
        assert [file.name[:2] for file in raw.iterdir()] == ["ab"]
        line = tx.tickets.story(other)[-1]
        assert line.keys == {"sender": "(forgotten)", "reason": "internal", "n": 1}


def test_forget_asks_first_and_wants_a_mailbox(desk: Path, store: Store) -> None:
    stored(store, ANA)
    store.close()
    assert triage(desk, "forget", ANA).returncode == 1
    assert ANA.encode() in everything(desk)
    for words in ("ana", "@acme.example", "a@b@c", "ana@"):
        done = triage(desk, "forget", "--yes", words)
        assert done.returncode == 2 and "is not a mailbox" in done.stderr


def test_a_backup_is_whole_while_the_daemon_writes(desk: Path, store: Store) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            with store.begin() as tx:
                for key in ("one", "two"):
                    tx.meta.put(key, str(written))
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        done = triage(desk, "backup", "copy.db")
    finally:
        stop.set()
        thread.join()
    assert done.returncode == 0 and done.stdout.endswith("bytes, sound\n"), done.stderr
    assert [path.name for path in desk.glob("copy.db*")] == ["copy.db"]
    assert (desk / "copy.db").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(desk / "copy.db")) as copy:
        one, two = (value for (value,) in copy.execute("SELECT value FROM meta WHERE key IN ('one', 'two')"))
    assert one == two and written > 0


def test_a_backup_overwrites_nothing_and_names_what_is_missing(desk: Path, store: Store) -> None:
    (desk / "there").write_text("mine")
    done = triage(desk, "backup", "there")
    assert done.returncode == 1 and "exists already" in done.stderr and (desk / "there").read_text() == "mine"
    assert "cannot be made: No such file" in triage(desk, "backup", "nowhere/copy.db").stderr
    empty_desk = desk / "empty"
    empty_desk.mkdir()
    (empty_desk / "config.toml").write_text("")
    assert "there is no database yet" in triage(empty_desk, "backup", "x").stderr
    done = triage(desk, "backup", "x", TRIAGE_DATABASE__URL="postgresql://h/x")
    assert done.returncode == 2 and "copy PostgreSQL with pg_dump" in done.stderr


def test_a_database_in_a_folder_of_any_name_is_copied(desk: Path) -> None:
    odd = desk / "a b#c?d%41é"
    odd.mkdir()
    made = engine.connect(f"sqlite:///{odd}/triage.db".replace("?", "%3F"))
    made.dispose()
    if not (odd / "triage.db").exists():
        pytest.skip("the database itself does not take such a name")
    assert triage(desk, "backup", "copy.db", TRIAGE_DATABASE__URL=f"sqlite:///{odd}/triage.db").returncode == 0


def test_key_rotate_keeps_the_old_key(desk: Path) -> None:
    triage(desk, "run", "--once")
    before = (desk / "var" / "triage.key").read_text().split()
    done = triage(desk, "key", "rotate")
    after = (desk / "var" / "triage.key").read_text().split()
    assert done.returncode == 0 and after[1:] == before and after[0] not in before
    assert not any(key in done.stdout for key in after)


def quarantined(store: Store, desk: Path, raw: bytes, folder: str = "quarantine") -> int:
    fingerprint = "ab" * 32
    file = desk / "var" / "raw" / "ab" / f"{fingerprint}.eml"
    file.parent.mkdir(parents=True)
    file.write_bytes(raw)
    with store.begin() as tx:
        return tx.mails.add(
            mailbox="support@127.0.0.1:1/INBOX", uidvalidity=1, uid=1, fingerprint=fingerprint, message_id="<1@x>",
            sender=ANA, subject="x", received_at=NOW, handled_at=NOW, folder=folder, filed_at=NOW,
        )  # fmt: skip


REQUEST = (
    f"From: {ANA}\nTo: support@vendor.example\nMessage-ID: <1@x>\nSubject: Trips report\n\n"
    "In account 8800123 the trips report for tracker 700123 is empty since yesterday. I rebuilt it twice.\n"
).encode()


def test_requeue_handles_a_mail_once_by_the_same_rules(desk: Path, store: Store) -> None:
    mail = quarantined(store, desk, REQUEST)
    done = triage(desk, "requeue", str(mail))
    assert done.returncode == 0 and "handled, it goes to" in done.stdout, done.stderr
    with store.look() as tx:
        assert [row["partner"] for row in tx.tickets.select()] == ["Acme"]
    again = triage(desk, "requeue", str(mail))
    assert again.returncode == 1
    with store.look() as tx:
        assert len(tx.tickets.select()) == 1
    with store.engine.connect() as connection:
        assert [row.recipient for row in connection.execute(outbox.select())] == [ANA]


def test_requeue_lets_a_person_vouch_for_a_sender_who_was_held(desk: Path, store: Store) -> None:
    checked = {"TRIAGE_MAILBOX__TRUSTED_AUTHSERV_ID": "mx.vendor.example"}
    mail = quarantined(store, desk, REQUEST)
    assert "it goes to quarantine" in triage(desk, "requeue", str(mail), **checked).stdout
    with store.look() as tx:
        assert tx.tickets.select() == []
        (still,) = [one.id for one in tx.mails.by_message_ids(["<1@x>"])]
    raw = desk / "var" / "raw" / "ab" / f"{'ab' * 32}.eml"
    with store.look() as tx:
        known = tx.mails.by_id(still)
    assert known is not None
    kept = desk / "var" / "raw" / known.fingerprint[:2] / f"{known.fingerprint}.eml"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(raw.read_bytes())
    done = triage(desk, "requeue", str(still), "--vouch", **checked)
    assert done.returncode == 0 and "it goes to quarantine" not in done.stdout, done.stderr
    with store.look() as tx:
        assert [row["partner"] for row in tx.tickets.select()] == ["Acme"]


def test_requeue_lets_a_person_vouch_for_a_partner_whose_domain_proves_nothing(desk: Path, store: Store) -> None:
    mail = quarantined(store, desk, REQUEST, "refused")
    done = triage(desk, "requeue", str(mail), "--vouch", TRIAGE_MAILBOX__TRUSTED_AUTHSERV_ID="mx.vendor.example")
    assert done.returncode == 0, done.stderr
    with store.look() as tx:
        assert [row["partner"] for row in tx.tickets.select()] == ["Acme"]
        (released,) = tx.mails.released("support@127.0.0.1:1/INBOX")
    assert released[1] == "refused"
    assert "it belongs to a ticket" in triage(desk, "requeue", str(released[0].id)).stderr


def test_requeue_says_what_is_missing(desk: Path, store: Store) -> None:
    assert "there is no mail 99" in triage(desk, "requeue", "99").stderr
    mail = quarantined(store, desk, b"\x00" * 50)
    assert "still cannot be read" in triage(desk, "requeue", str(mail)).stderr
    next((desk / "var" / "raw" / "ab").iterdir()).unlink()
    assert "its bytes are no longer kept" in triage(desk, "requeue", str(mail)).stderr


def test_partners_check_names_each_fault(desk: Path) -> None:
    done = triage(desk, "partners", "check", "partners.csv")
    assert done.returncode == 0 and "ok: 1 partners, 1 addresses (1 paas)" in done.stdout
    (desk / "bad.csv").write_text("partner,deployment,address\nAcme,paas,@gmail.com\n")
    done = triage(desk, "partners", "check", "bad.csv")
    assert done.returncode == 1 and "bad.csv: line 2: address: @gmail.com gives mailboxes to anybody" in done.stderr


def test_the_store_in_memory_can_be_settled_too() -> None:
    with empty() as store:
        store.settle()
