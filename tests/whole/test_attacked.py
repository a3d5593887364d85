"""Whoever writes whatever to the mailbox: the whole program on real servers, looked at from outside."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtpd import Smtpd
from tests.whole.desk import Desk, Person, ids, mail, request, until

AUTHSERV = "mx.vendor.example"
_RESULT = f"Authentication-Results: {AUTHSERV};"
PROVEN, FORGED = f"{_RESULT} dmarc=pass header.from=p1.example", f"{_RESULT} dmarc=fail header.from=p1.example"
STRANGER = f"{_RESULT} dmarc=pass header.from=evil.example"
# What no line of the log, no header and no reply may hold: what a terminal obeys, and what hides or turns words.
_OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\ufffc]")
_OURS = {
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted", "mime-version",
    "x-auto-response-suppress", "x-triage", "content-type",
}  # fmt: skip
ASKS = (
    "In account 8800123 the trips report for tracker 700123 has been empty since yesterday. I rebuilt it twice, it "
    "stays empty. It says:\r\n\r\n2026-01-05 05:10:11 ERROR ReportBuilder: no data for tracker 700123\r\n\r\n"
)

# Above From, in the name of a partner: what a forger can bring about, or writes himself.
FORGERIES = (
    (FORGED,),
    (FORGED, PROVEN),
    (f"{_RESULT} spf=pass smtp.mailfrom=evil.example", PROVEN),
    (f"{_RESULT}\r\n\tspf=fail (why\r\n not)\r\n smtp.mailfrom=evil.example", PROVEN),
    ("authentication-results: MX.VENDOR.EXAMPLE 1; dmarc=fail header.from=p1.example", PROVEN),
    (f"{_RESULT} dmarc=none header.from=p1.example",),
    (f"{_RESULT} dmarc=permerror header.from=p1.example",),
    (f"{_RESULT} dmarc=temperror header.from=p1.example",),
    (f"{_RESULT} none",),
    ("Authentication-Results: mx.evil.example; dmarc=pass header.from=p1.example",),
    (f"Authentication-Results: {AUTHSERV}.evil.example; dmarc=pass header.from=p1.example",),
    (f"X-Authentication-Results: {AUTHSERV}; dmarc=pass header.from=p1.example",),
    (f'{_RESULT} spf=pass smtp.mailfrom="x; dmarc=pass header.from=p1.example"@evil.example',),
    (f"{_RESULT} spf=pass smtp.mailfrom==?utf-8?q?=3B_dmarc=3Dpass?=@evil.example",),
    (f"{_RESULT} dkim=pass header.d=p1.example.evil.example",),
    (f"{_RESULT} {'dkim=pass header.d=evil.example; ' * 1000}", PROVEN),
    (
        f"{_RESULT} arc=pass; dmarc=fail header.from=p1.example",
        "ARC-Seal: i=2; cv=pass; d=evil.example; s=s; b=x",
        f"ARC-Authentication-Results: i=2; {AUTHSERV}; dmarc=pass header.from=p1.example",
        "ARC-Seal: i=1; cv=none; d=forwarder.example; s=s; b=x",
        "ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=pass header.from=p1.example",
    ),
)
# Of a stranger whose own address is proven, and who wants to be taken for a partner.
DISGUISES = (
    "ana@p1.example, eve@evil.example",
    "ana@p1.example\r\nFrom: eve@evil.example",
    "Team: ana@p1.example, eve@evil.example;",
    "=?utf-8?q?Ana_=3Cana=40p1=2Eexample=3E=2C?= <eve@evil.example>",
    '"ana@p1.example" <eve@evil.example>',
    "(ana@p1.example) eve@evil.example",
    "ana@p1.example <eve@evil.example>",
    "eve@evil.example <ana@p1.example>",
    "ana@\u0440\u0031.example",
    "ana@xn--p1-example.evil.example",
    "ana@sub.p1.example",
    "ana\u202e@p1.example",
    "<ana@p1.example@evil.example>",
    "-oQ/tmp@evil.example",
    '"@x"@evil.example',
    "root@localhost",
    "<>",
)
WORDS = (
    "\x1b[2J\x1b]0;own\x07 \x9b31m",
    "\u2028\u2029\x85x",
    "\u202eabc\u2066\u200e",
    "{{ 7*7 }}{% for x in range(9) %}x{% endfor %}{{ ''.__class__.__mro__ }}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "=?utf-8?q?a=0D=0ABcc=3A_victim=40other.example?=",
    "=?utf-8?b?" + base64.b64encode(b"x\r\nBcc: victim@other.example").decode() + "?=",
    "[#1001] [#1002] \ufffc",
    "%s%n {0} ${x} '; DROP TABLE tickets; --",
)


def _from(sender: str, number: str, *headers: str, subject: str = "Trips report empty", text: str = ASKS) -> bytes:
    """A mail with these headers on top, as a server writes its own."""
    made = mail(sender, subject, text + number, f"{number}@x.example")
    return "".join(f"{line}\r\n" for line in headers).encode() + made


def _bombs() -> list[bytes]:
    """What is small to send and large to read."""
    head = PROVEN + "\r\nFrom: ana@p1.example\r\nMessage-ID: <bomb-{}@x.example>\r\nSubject: x\r\n"
    parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\nx\r\n" * 50_000
    mails = "Content-Type: message/rfc822\r\n\r\n" * 5_000
    nested = "Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + "".join(
        f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(5_000)
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../pwned", bytes(50_000_000))
    zipped = (
        "Content-Type: application/zip; name=../../pwned.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(archive.getvalue()).decode()
    )
    html = "Content-Type: text/html\r\n\r\n" + "<div>" * 200_000
    pieces = ("a@", "(", "> ", "?", "1. x\n", "On a wrote:\n", "{{")
    whole = [
        parts,
        mails,
        nested,
        zipped,
        html,
        "X-Long: " + "a" * 1_000_000 + "\r\n\r\nx",
        "X-1: a\r\n" * 100_000 + "\r\nx",
        "References: " + "<a@b> " * 20_000 + "\r\n\r\nx",
        "Content-Type: text/plain; charset=" + "x" * 50_000 + "\r\n\r\nx",
        *(f"\r\n{piece * (200_000 // len(piece))}" for piece in pieces),
    ]
    return [(head.format(number) + one).encode() for number, one in enumerate(whole)]


def test_whatever_comes_in_nobody_is_let_in_and_nobody_else_is_written_to(
    make_desk: Callable[..., Desk], smtpd: Smtpd, person: Person
) -> None:
    desk = make_desk(mailbox={"trusted_authserv_id": AUTHSERV, "trusted_forwarders": ["forwarder.example"]})
    forged = [_from("Ana <ana@p1.example>", f"forged{n}", *lines) for n, lines in enumerate(FORGERIES)]
    disguised = [_from(sender, f"disguised{n}", STRANGER) for n, sender in enumerate(DISGUISES)]
    strangers = [
        _from(f"eve+{n}@evil.example", f"eve{n}", STRANGER, "Reply-To: victim@other.example", "Return-Path: <>")
        for n in range(3)
    ]
    hostile = [
        _from(f"h{n}@p1.example", f"words{n}", PROVEN, subject=words, text=f"{words}\r\n{ASKS}{words}")
        for n, words in enumerate(WORDS)
    ]
    asking = [
        _from(f"q{n}@p1.example", f"asks{n}", PROVEN, subject="Two things",
              text=f"1. How do I create a geofence {words}?\r\n2. Where can I change the logo {words}?\r\n")
        for n, words in enumerate(WORDS)
    ]  # fmt: skip
    sent = [*forged, *disguised, *strangers, *hostile, *asking, *_bombs()]
    for one in sent:
        person.imap.append("INBOX", "", None, one)  # type: ignore[arg-type]
    done = desk.triage("run", "--once")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    folders = person.folders()
    lies = sorted(one for found in folders.values() for one in found)
    assert folders["INBOX"] == [] and len(lies) == len(sent)
    answered = {row["message_id"] for row in desk.rows("SELECT message_id FROM mails WHERE ticket IS NOT NULL")}
    assert not answered & set(ids([*forged, *disguised, *strangers]))
    assert answered >= set(ids(hostile))
    assert set(ids(forged)) <= {*folders["refused"], *folders["quarantine"]}
    assert not desk.events("message.surprise")

    recipients = [one for taken in smtpd.mails for one in taken.recipients]
    assert {one for one in recipients if not one.endswith("@p1.example")} <= {
        "eve@evil.example",
        "-oq/tmp@evil.example",
    }
    assert recipients.count("eve@evil.example") == 1 and "ana@p1.example" not in _answers_to(smtpd, forged)
    for taken in smtpd.mails:
        reply = message_from_bytes(taken.raw, policy=policy.default)
        assert {name.lower() for name in reply} <= _OURS
        shown = [str(reply["Subject"])]
        for kind in ("plain", "html"):
            part = reply.get_body((kind,))
            assert part is not None
            shown.append(str(part.get_content()))
        assert not any(_OBEYED.search(one) for one in shown)
        assert "<script" not in shown[2] and "<img" not in shown[2]
        assert "xxxxxxxxx" not in "".join(shown) and "<class" not in "".join(shown)

    lines = desk.log.read_bytes().decode("utf-8").split("\n")
    assert all(not _OBEYED.search(line) and (not line or json.loads(line)) for line in lines)
    assert "rebuilt it twice" not in "\n".join(lines) and PASSWORD not in "\n".join(lines)
    assert not list(desk.folder.rglob("pwned*")) and not Path("/pwned").exists()


def test_a_held_mail_is_released_whatever_copies_a_forger_sends(
    make_desk: Callable[..., Desk], smtpd: Smtpd, person: Person
) -> None:
    desk = make_desk(mailbox={"trusted_authserv_id": AUTHSERV})
    genuine, forged = _from("ana@p1.example", "same"), _from("ana@p1.example", "same", FORGED)
    for one in (genuine, forged, forged):
        person.imap.append("INBOX", "", None, one)  # type: ignore[arg-type]
        assert desk.triage("run", "--once").returncode == 0
    assert {name: len(found) for name, found in person.folders("quarantine", "refused").items()} == {
        "quarantine": 1, "refused": 1,
    }  # fmt: skip
    [held] = desk.events("message.quarantined")
    kept = next((desk.folder / "var" / "raw").glob("*/*.eml")).read_bytes()
    assert b"dmarc=fail" not in kept
    done = desk.triage("requeue", str(held["mail"]), "--vouch")
    assert done.returncode == 0, done.stderr
    assert desk.triage("run", "--once").returncode == 0
    assert len(person.folders("ready")["ready"]) == 1 and len(smtpd.mails) == 1


def _answers_to(smtpd: Smtpd, mails: list[bytes]) -> set[str]:
    wanted = set(ids(mails))
    found = [(message_from_bytes(taken.raw)["In-Reply-To"], taken.recipients) for taken in smtpd.mails]
    return {one for answers, recipients in found if answers in wanted for one in recipients}


def test_no_password_stands_in_the_process_list(desk: Desk, dovecot: Dovecot, mailbox_user: str) -> None:
    daemon = desk.start()
    dovecot.deliver(mailbox_user, request(1))
    desk.wait_for("mail.sent")

    def family() -> list[int]:
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        found = [daemon.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    pids = until(lambda: len(found := family()) > 1 and found, "a reader")
    for pid in pids:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert desk.stop(daemon) == 0
