"""The whole program on real servers: started, mailed, stopped, its log read."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.servers.dovecot import Dovecot
from tests.servers.smtpd import Smtpd
from tests.whole.desk import (
    Desk,
    Person,
    all_is_right,
    answered,
    ids,
    incomplete,
    machine,
    mail,
    request,
    stranger,
    until,
)


def test_mail_goes_its_way_and_sigterm_ends_it(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    sent = {"request": [request(1), request(2)], "incomplete": [incomplete(3)], "stranger": [stranger(4)],
            "machine": [machine(5)]}  # fmt: skip
    dovecot.deliver(mailbox_user, *sent["request"], *sent["incomplete"])
    daemon = desk.start()
    desk.wait_for("mail.sent", 3)
    dovecot.deliver(mailbox_user, *sent["stranger"], *sent["machine"])  # while it waits
    desk.wait_for("mail.sent", 4)
    until(desk.idle)
    begun = time.monotonic()
    assert desk.stop(daemon) == 0
    assert time.monotonic() - begun < 10
    all_is_right(desk, smtpd.mails, person.folders(), sent)

    told = [one["event"] for one in desk.events()]
    assert told[0] == "daemon.started" and told[-1] == "daemon.stopped"
    way = [one["event"] for one in desk.events(message_id=ids(sent["request"])[0])]
    assert way == ["message.received", "ticket.opened", "clock.started", "reply.queued"]
    assert desk.events("clock.started")[0]["due"]
    for text in (desk.log.read_text(), desk.errors()):
        assert "secret" not in text and "rebuilt it twice" not in text
    assert desk.errors() == ""


def test_reply_says_what_it_is_and_what_it_answers(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, request(1))
    assert desk.triage("run", "--once").returncode == 0
    [taken] = smtpd.mails
    assert taken.recipients == ("ana1@p1.example",)
    text = taken.raw.decode()
    assert "Auto-Submitted: auto-replied" in text
    assert "In-Reply-To: <request-1@p1.example>" in text and "References: <request-1@p1.example>" in text
    assert "#1001" in text.partition("\r\n\r\n")[0]


def test_our_own_mail_that_comes_back_is_known_by_its_message_id_alone(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, request(1))
    assert desk.triage("run", "--once").returncode == 0
    ours = re.search(rb"(?im)^message-id:\s*<(\S+)>", smtpd.mails[0].raw)
    assert ours
    dovecot.deliver(mailbox_user, request(2).replace(b"request-2@p2.example", ours[1], 1))
    assert desk.triage("run", "--once").returncode == 0
    assert desk.events("message.ignored", reason="machine:loop")
    assert len(smtpd.mails) == 1


def test_once_handles_all_that_waits_and_ends(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    sent = {"request": [request(n) for n in range(60)], "machine": [machine(99)]}
    dovecot.save(mailbox_user, "INBOX", [sent["request"][0]])
    dovecot.deliver(mailbox_user, *sent["request"][1:], *sent["machine"])
    done = desk.triage("run", "--once")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    all_is_right(desk, smtpd.mails, person.folders(), sent)
    assert desk.triage("run", "--once").returncode == 0  # nothing is left to do
    assert len(smtpd.mails) == 60


def test_reading_touches_no_flag(desk: Desk, dovecot: Dovecot, person: Person, mailbox_user: str) -> None:
    dovecot.deliver(mailbox_user, request(1))
    desk.triage("run", "--once")
    assert all("Seen" not in flags and "Answered" not in flags for flags in person.flags("ready"))


def test_mail_from_before_the_first_start_is_left_alone(
    make_desk: Callable[..., Desk], dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(mailbox={"since": None})
    person.imap.append("INBOX", "", '"01-Nov-2026 08:00:00 +0000"', request(1))
    assert desk.triage("run", "--once").returncode == 0
    dovecot.deliver(mailbox_user, request(2))
    assert desk.triage("run", "--once").returncode == 0
    assert person.folders()["INBOX"] == ids([request(1)])
    assert list(answered(smtpd.mails)) == ids([request(2)])


def test_since_says_from_when_on_mail_is_handled(make_desk: Callable[..., Desk], smtpd: Smtpd, person: Person) -> None:
    desk = make_desk(mailbox={"since": "2026-11-02T12:00:00+02:00"})
    person.imap.append("INBOX", "", '"02-Nov-2026 09:59:59 +0000"', request(1))
    person.imap.append("INBOX", "", '"02-Nov-2026 10:00:00 +0000"', request(2))
    assert desk.triage("run", "--once").returncode == 0
    assert person.folders()["INBOX"] == ids([request(1)])
    assert list(answered(smtpd.mails)) == ids([request(2)])


def test_clock_starts_at_the_servers_receive_time(desk: Desk, person: Person) -> None:
    person.imap.append("INBOX", "", '"18-Nov-2026 07:00:00 +0000"', request(1))  # a Wednesday
    assert desk.triage("run", "--once").returncode == 0
    [started] = desk.events("clock.started")
    assert started["counted_from"] == "2026-11-18T07:00:00+00:00"
    assert started["due"] == "2026-11-18T13:00:00+00:00"
    assert desk.events("clock.breached")  # a backlog after a downtime: no warning, the breach says it all
    assert not desk.events("clock.warning")


def test_second_delivery_opens_no_second_ticket(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, request(1), request(1))
    desk.triage("run", "--once")
    dovecot.deliver(mailbox_user, request(1))
    desk.triage("run", "--once")
    assert [len(found) for found in person.folders("ready", "ignored").values()] == [1, 2]
    assert len(desk.events("ticket.opened")) == 1 == len(smtpd.mails)
    assert {one["reason"] for one in desk.events("message.ignored")} == {"delivered-before"}


def test_new_uidvalidity_loses_and_doubles_nothing(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, request(1), request(2))
    died = desk.triage("run", "--once", fault="moving")  # both are stored, none is filed
    assert died.returncode == -signal.SIGKILL
    dovecot.doveadm("mailbox", "update", "-u", mailbox_user, "--uid-validity", "777777", "INBOX")
    dovecot.deliver(mailbox_user, request(3))
    desk.triage("run", "--once")
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [request(1), request(2), request(3)]})


def test_folder_that_a_person_removed_is_made_again(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    daemon = desk.start()
    desk.wait_for("daemon.started")
    until(lambda: person.imap.select("ready", readonly=True)[0] == "OK")
    person.imap.select("INBOX")
    person.imap.delete("ready")
    dovecot.deliver(mailbox_user, request(1))
    desk.wait_for("mail.sent")
    until(desk.idle)
    assert desk.stop(daemon) == 0
    all_is_right(desk, smtpd.mails, person.folders(), {"request": [request(1)]})


def test_specialists_answer_in_the_sent_folder_stops_the_clock(
    make_desk: Callable[..., Desk], dovecot: Dovecot, person: Person, mailbox_user: str
) -> None:
    desk = make_desk(mailbox={"sent_folder": "Sent"})
    person.imap.create("Sent")
    dovecot.deliver(mailbox_user, request(1))
    desk.triage("run", "--once")
    answer = mail("eva@vendor.example", "Re: Trips report", "Dear Ana, it is mended.", "a@vendor.example",
                  "In-Reply-To: <request-1@p1.example>").replace(
        b"To: support@vendor.example", b"To: ana1@p1.example", 1)  # fmt: skip
    person.imap.append("Sent", r"\Seen", None, answer)  # type: ignore[arg-type]
    desk.triage("run", "--once")
    assert desk.events("ticket.answered") and desk.events("clock.stopped")
    assert person.folders("Sent")["Sent"] == ["<a@vendor.example>"]


def test_mail_that_a_person_moves_to_ready_is_accepted(
    desk: Desk, dovecot: Dovecot, person: Person, mailbox_user: str
) -> None:
    dovecot.deliver(mailbox_user, incomplete(1))
    desk.triage("run", "--once")
    person.move("<incomplete-1@x.example>", "waiting", "ready")
    desk.triage("run", "--once")
    assert desk.events("ticket.updated", reason="accepted") and desk.events("clock.started")


def test_quarantined_mail_that_is_put_back_is_handled_again(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    odd = request(1).replace(b"From: ana1@p1.example", b"From: ana1@p1.example, ben@p2.example", 1)
    dovecot.deliver(mailbox_user, odd)
    desk.triage("run", "--once")
    folder = next(name for name, found in person.folders().items() if found)
    assert smtpd.mails == []
    if folder == "quarantine":
        person.move(ids([odd])[0], "quarantine", "INBOX")
        desk.triage("run", "--once")
        assert sum(len(found) for found in person.folders().values()) == 1
        assert person.folders()["INBOX"] == []
        assert len(desk.events("message.quarantined")) == 2


def test_two_mailboxes_share_one_configuration(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, person: Person, mailbox_user: str
) -> None:
    other = f"{mailbox_user}b"
    text = desk.config.read_text().replace("[mailbox]", "[[mailbox]]")
    box, rest = text.split("[smtp]")
    desk.config.write_text(box + box.replace(f'"{mailbox_user}"', f'"{other}"') + "[smtp]" + rest)
    both = request(9)
    dovecot.deliver(mailbox_user, request(1), both)
    dovecot.deliver(other, request(2), both)
    daemon = desk.start()
    desk.wait_for("mail.sent", 3)
    desk.wait_for("message.ignored")
    until(desk.idle)
    assert desk.stop(daemon) == 0
    second = Person(dovecot.imap, other)
    lie = [one for where in (person, second) for found in where.folders().values() for one in found]
    second.close()
    assert sorted(lie) == sorted(ids([request(1), request(2), both, both]))
    assert sorted(answered(smtpd.mails)) == sorted(ids([request(1), request(2), both]))
    assert len(smtpd.mails) == 3


def test_mailbox_configured_twice_is_said(desk: Desk) -> None:
    box, rest = desk.config.read_text().replace("[mailbox]", "[[mailbox]]").split("[smtp]")
    desk.config.write_text(box + box + "[smtp]" + rest)
    done = desk.triage("run", "--once")
    assert done.returncode == 2 and "configured twice" in done.stderr


# ---------------------------------------------------------------- new rules, new partners


def test_new_partner_file_is_read_and_a_faulty_one_leaves_the_old(
    desk: Desk, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str
) -> None:
    daemon = desk.start()
    desk.wait_for("daemon.started")
    good = desk.partners.read_text()
    desk.partners.write_text(good + "Broken,nowhere,,x@broken.example,partner,en,,active\n")
    [faulty] = desk.wait_for("partners.faulty")
    assert "old partners stay in force" in faulty["reason"] and str(len(good.splitlines()) + 1) in faulty["reason"]
    dovecot.deliver(mailbox_user, request(1))  # of the old file
    desk.wait_for("ticket.opened")
    desk.partners.write_text(good + "Neu,paas,,@neu.example,partner,en,,active\n")
    desk.wait_for("partners.in_force")
    dovecot.deliver(mailbox_user, request(2).replace(b"ana2@p2.example", b"ana@neu.example", 1))
    desk.wait_for("ticket.opened", partner="Neu")
    assert desk.stop(daemon) == 0


def test_sighup_puts_a_new_pack_in_force_and_a_faulty_one_leaves_the_old(
    make_desk: Callable[..., Desk], dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str, tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "rules" / "navixy"
    pack = tmp_path / "pack"
    subprocess.run(["cp", "-r", str(shipped), str(pack)], check=True)
    desk = make_desk()
    desk.settings["rules"] = {"pack": str(pack)}
    desk.write()
    manifest = (pack / "pack.toml").read_text()
    daemon = desk.start()
    desk.wait_for("daemon.started")
    (pack / "pack.toml").write_text(manifest + "\nunheard_of = 1\n")
    daemon.send_signal(signal.SIGHUP)
    assert "old rules stay in force" in desk.wait_for("rules.faulty")[0]["reason"]
    version = next(line for line in manifest.splitlines() if line.startswith("version"))
    (pack / "pack.toml").write_text(manifest.replace(version, 'version = "9.9"'))
    daemon.send_signal(signal.SIGHUP)
    assert desk.wait_for("rules.in_force")[0]["pack"] == "navixy 9.9"
    dovecot.deliver(mailbox_user, request(1))
    assert desk.wait_for("ticket.opened")[0]["pack"] == "navixy 9.9"
    assert desk.stop(daemon) == 0


# ---------------------------------------------------------------- one daemon at a time


def test_second_daemon_on_sqlite_ends_with_one_clear_line(desk: Desk) -> None:
    daemon = desk.start()
    desk.wait_for("daemon.started")
    for words in (("run",), ("run", "--once")):
        second = desk.triage(*words)
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert f"is read by another daemon (process {daemon.pid} on" in second.stderr
    assert desk.stop(daemon, signal.SIGINT) == 0
    assert desk.triage("run", "--once").returncode == 0  # the mailbox is free at once


def test_killed_daemon_is_replaced_at_once(desk: Desk, dovecot: Dovecot, mailbox_user: str) -> None:
    daemon = desk.start()
    desk.wait_for("daemon.started")
    desk.stop(daemon, signal.SIGKILL)
    dovecot.deliver(mailbox_user, request(1))
    assert desk.triage("run", "--once").returncode == 0
    assert desk.events("mail.sent")


def test_readers_end_with_a_killed_daemon(desk: Desk, dovecot: Dovecot, mailbox_user: str) -> None:
    daemon = desk.start()
    dovecot.deliver(mailbox_user, request(1))
    desk.wait_for("mail.sent")
    children = _below(daemon.pid)
    assert children
    desk.stop(daemon, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the end of the readers")


def _below(pid: int) -> list[int]:
    """Its children and theirs."""
    found = []
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(task.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(task.parent.name)
            found += [child, *_below(child)]
    return found


def test_log_is_json_with_utc_times(desk: Desk) -> None:
    desk.triage("run", "--once")
    now = datetime.now(UTC)
    for line in desk.log.read_text().splitlines():
        at = datetime.fromisoformat(json.loads(line)["time"])
        assert at.utcoffset() == timedelta() and now - at < timedelta(minutes=5)
    assert desk.log.stat().st_mode & 0o777 == 0o640
