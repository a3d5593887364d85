"""The program started as its users start it, with real servers around it, and what tests need to look at."""

from __future__ import annotations

import imaplib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers.dovecot import PASSWORD
from triage.adapters.db import engine
from triage.adapters.db.store import Store

PARTNERS = 40  # each with a domain of its own, p1.example ...
SECONDS = 60.0  # until a test gives up waiting: far more than anything takes
FOLDERS = ("INBOX", "ready", "waiting", "refused", "ignored", "quarantine")

_HEADER = "partner,deployment,subscription_until,address,role,language,timezone,status\n"
_PICTURE = (
    "\r\n--b\r\nContent-Type: image/png; name=screen.png\r\nContent-Disposition: attachment; filename=screen.png\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
)


def until(condition: Callable[[], Any], what: str = "it", seconds: float = SECONDS) -> Any:
    """Waits for a condition. Returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen in {seconds:g} s"
        time.sleep(0.02)


# ---------------------------------------------------------------- mail


def mail(sender: str, subject: str, text: str, message_id: str, *headers: str, picture: bool = False) -> bytes:
    """A mail to the support address."""
    kind = "multipart/mixed; boundary=b" if picture else "text/plain; charset=utf-8"
    body = f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n{_PICTURE}" if picture else f"{text}\r\n"
    lines = (
        f"From: {sender}",
        "To: support@vendor.example",
        f"Subject: {subject}",
        f"Message-ID: <{message_id}>",
        "Date: Wed, 25 Nov 2026 08:00:00 +0000",
        "MIME-Version: 1.0",
        f"Content-Type: {kind}",
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def request(number: int, **headers: str) -> bytes:
    """A complete request of a partner: it becomes a ticket with a running clock, and is answered."""
    return mail(
        f"ana{number}@p{number % PARTNERS}.example",
        f"Trips report of tracker {700000 + number}",
        f"Hello,\r\n\r\nin account 88{number:05} the trips report for tracker {700000 + number} has been empty since "
        "yesterday. I rebuilt it twice, it stays empty; see the screenshot.\r\n\r\nRegards\r\nAna",
        f"request-{number}@p{number % PARTNERS}.example",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        picture=True,
    )


def more(number: int, about: int) -> bytes:
    """The partner writes again about his request."""
    return mail(
        f"ana{about}@p{about % PARTNERS}.example",
        f"Re: Trips report of tracker {700000 + about}",
        f"Hello,\r\n\r\none thing more about the trips report for tracker {700000 + about} in account 88{about:05}: "
        f"attempt {number} to rebuild it failed as well, see the screenshot.\r\n\r\nRegards\r\nAna",
        f"more-{number}-{about}@p{about % PARTNERS}.example",
        f"In-Reply-To: <request-{about}@p{about % PARTNERS}.example>",
        picture=True,
    )


def incomplete(number: int) -> bytes:
    """A partner's mail that says too little: it is asked for more."""
    sender = f"ben{number}@p{number % PARTNERS}.example"
    return mail(sender, f"Help {number}", "Hello, it does not work, please help.", f"incomplete-{number}@x.example")


def stranger(number: int) -> bytes:
    return mail(f"kim@home{number}.example", "Hello", "My tracker is offline.", f"stranger-{number}@home.example")


def machine(number: int) -> bytes:
    """An out-of-office: nothing happens."""
    return mail(
        f"ana{number}@p{number % PARTNERS}.example",
        "Automatic reply: away",
        "I am out of the office until Monday.",
        f"machine-{number}@x.example",
        "Auto-Submitted: auto-replied",
    )


def ids(raws: list[bytes]) -> list[str]:
    return [_id(raw) for raw in raws]


def _id(raw: bytes) -> str:
    found = re.search(rb"(?im)^message-id:\s*(\S+)", raw)
    return found[1].decode() if found else ""


# ---------------------------------------------------------------- the program


class Desk:
    """A folder with a configuration, and the program running on it. Any number of daemons may share it."""

    def __init__(self, folder: Path, imap: int, smtp: int, user: str, *, database: str = "", **sections: Any) -> None:
        self.folder = folder
        self.log = folder / "triage.log"
        self.partners = folder / "partners.csv"
        self.partners.write_text(
            _HEADER + "".join(f"P{n},paas,,@p{n}.example,partner,en,Europe/Berlin,active\n" for n in range(PARTNERS))
        )
        self.settings: dict[str, Any] = {
            "mailbox": {
                "host": "127.0.0.1", "port": imap, "tls": "none", "user": user, "password": PASSWORD,
                "since": "2020-01-01T00:00:00Z", "poll_seconds": 60,
            },
            "smtp": {
                "host": "127.0.0.1", "port": smtp, "tls": "none",
                "from_address": "support@vendor.example", "from_name": "Support",
            },
            "database": {"url": database or f"sqlite:///{folder}/var/triage.db"},
            "partners": {"file": "partners.csv"},
            "staff": {"addresses": ["@vendor.example"], "notify": []},
            "log": {"file": "triage.log"},
            "limits": {"readers": 1},
        }  # fmt: skip
        for section, values in sections.items():
            self.settings[section] |= values
        self.write()
        self._daemons: list[subprocess.Popen[bytes]] = []

    def write(self) -> None:
        """The configuration file, from the settings."""
        lines = []
        for section, values in self.settings.items():
            for one in values if isinstance(values, list) else [values]:
                lines.append(f"[[{section}]]" if isinstance(values, list) else f"[{section}]")
                lines += [f"{key} = {json.dumps(value)}" for key, value in one.items() if value is not None]
        self.config = self.folder / "config.toml"
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def read_all(self, *users: str) -> None:
        """Read the mailboxes of these users."""
        self.settings["mailbox"] = [self.settings["mailbox"] | {"user": user} for user in users]
        self.write()

    def start(self, *, fault: str = "", config: Path | None = None) -> subprocess.Popen[bytes]:
        """`triage run`."""
        environment = {**os.environ, "TRIAGE_FAULT": fault}
        with (self.folder / "stderr").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "triage", "--config", str(config or self.config), "run"],
                env=environment, stdout=errors, stderr=errors,
            )  # fmt: skip
        self._daemons.append(process)
        return process

    def triage(self, *words: str, fault: str = "") -> subprocess.CompletedProcess[str]:
        """Any command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "triage", "--config", str(self.config), *words],
            env={**os.environ, "TRIAGE_FAULT": fault}, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        """The exit status."""
        process.send_signal(number)
        return process.wait(30)

    def close(self) -> None:
        for process in self._daemons:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(30)

    # ------------------------------------------------------------ what is to be seen

    def errors(self) -> str:
        file = self.folder / "stderr"
        return file.read_text() if file.exists() else ""

    def events(self, *names: str, **keys: Any) -> list[dict[str, Any]]:
        """The lines of the log with these names and keys."""
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text("utf-8").splitlines():
            one = json.loads(line)
            if (not names or one["event"] in names) and all(one.get(key) == value for key, value in keys.items()):
                found.append(one)
        return found

    def wait_for(self, event: str, /, count: int = 1, **keys: Any) -> list[dict[str, Any]]:
        def there() -> list[dict[str, Any]] | None:
            found = self.events(event, **keys)
            if len(found) >= count:
                return found
            assert any(one.poll() is None for one in self._daemons), "no daemon runs any more"
            return None

        try:
            found: list[dict[str, Any]] = until(there, f"{event} {keys} ({count})")
        except AssertionError as error:
            lines = "\n".join(json.dumps(one) for one in self.events()[-40:])
            raise AssertionError(f"{error}\n{lines}\n{self.errors()[-2000:]}") from None
        return found

    def store(self) -> Store:
        url = self.settings["database"]["url"]
        return Store(engine.connect(url))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the database says."""
        store = self.store()
        try:
            with store.engine.connect() as connection:
                return [dict(row._mapping) for row in connection.exec_driver_sql(query)]
        finally:
            store.close()

    def idle(self) -> bool:
        """Whether all that came is filed and all replies are sent."""
        [row] = self.rows(
            "SELECT (SELECT count(*) FROM mails WHERE filed_at IS NULL)"
            " + (SELECT count(*) FROM outbox WHERE next_at IS NOT NULL) AS work"
        )
        return bool(row["work"] == 0)


class Person:
    """Somebody who looks into the mailbox with another mail program."""

    def __init__(self, port: int, user: str) -> None:
        self.imap = imaplib.IMAP4("127.0.0.1", port)
        self.imap.login(user, PASSWORD)

    def close(self) -> None:
        self.imap.logout()

    def folders(self, *names: str) -> dict[str, list[str]]:
        """The Message-IDs in each folder."""
        found: dict[str, list[str]] = {}
        for name in names or FOLDERS:
            answer, [count] = self.imap.select(name, readonly=True)
            found[name] = []
            if answer != "OK" or count == b"0":
                continue
            _, lines = self.imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            found[name] = [_id(line[1]) for line in lines if isinstance(line, tuple)]
        return found

    def flags(self, name: str) -> list[str]:
        self.imap.select(name, readonly=True)
        return [str(line) for line in self.imap.fetch("1:*", "(FLAGS)")[1]]

    def move(self, message_id: str, source: str, target: str) -> None:
        self.imap.select(source)
        numbers = self.imap.search(None, "HEADER", "Message-ID", message_id)[1][0].split()
        assert numbers, f"{message_id} is not in {source}"
        self.imap.create(target)
        assert self.imap._simple_command("MOVE", numbers[0].decode(), target)[0] == "OK"

    def delete(self, message_id: str, source: str) -> None:
        self.imap.select(source)
        for number in self.imap.search(None, "HEADER", "Message-ID", message_id)[1][0].split():
            self.imap.store(number, "+FLAGS", r"\Deleted")
        self.imap.expunge()


def answered(taken: list[Any]) -> dict[str, list[bytes]]:
    """The replies that an SMTP server took, by the Message-ID of the mail that each answers."""
    found: dict[str, list[bytes]] = {}
    for one in taken:
        reply = re.search(rb"(?im)^in-reply-to:\s*(\S+)", one.raw)
        if reply:
            found.setdefault(reply[1].decode(), []).append(one.raw)
    return found


def all_is_right(desk: Desk, taken: list[Any], folders: dict[str, list[str]], sent: dict[str, list[bytes]]) -> None:
    """Nothing lost, nothing doubled. `sent`: the mails by what they are: "request", "more" about one, "stranger" ..."""
    every = [one for raws in sent.values() for one in ids(raws)]
    lies = Counter(one for found in folders.values() for one in found)
    assert lies == Counter(every), f"lost or doubled: {(lies - Counter(every)) + (Counter(every) - lies)}"
    assert folders["INBOX"] == []
    places = {"request": "ready", "more": "ready", "incomplete": "waiting", "stranger": "refused", "machine": "ignored"}
    for kind, raws in sent.items():
        assert set(ids(raws)) <= set(folders[places[kind]]), f"not all of {kind} in {places[kind]}"

    tickets = desk.rows(
        "SELECT m.message_id, t.id FROM tickets t LEFT JOIN mails m ON m.ticket = t.id AND m.duplicate_of IS NULL"
    )
    wanted, more = ids([*sent.get("request", []), *sent.get("incomplete", [])]), ids(sent.get("more", []))
    assert sorted(row["message_id"] for row in tickets) == sorted(wanted + more), "not exactly one ticket per request"
    assert len({row["id"] for row in tickets}) == len(wanted)

    replies = answered(taken)
    right = {*wanted, *more, *ids(sent.get("stranger", []))}
    assert set(replies) == right, f"not exactly the right ones were answered: {set(replies) ^ right}"
    different = [one for one, raws in replies.items() if len(set(raws)) > 1]
    assert not different, f"two different replies to one mail: {different}"
    assert desk.events("message.surprise") == []
