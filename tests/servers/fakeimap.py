"""An IMAP server in the process that misbehaves by name. It knows as much of IMAP as our mailbox speaks."""

from __future__ import annotations

import re
import shlex
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

CAPABILITIES = ("IMAP4rev1", "IDLE", "MOVE", "UIDPLUS", "NAMESPACE", "AUTH=PLAIN")

MISBEHAVIOURS = {
    # getting in
    "drops-at-greeting": "closes before it says a word",
    "hangs-at-greeting": "accepts and says nothing",
    "bye-at-greeting": "has too many connections",
    "drops-at-login": "closes instead of an answer to LOGIN",
    "hangs-at-login": "reads LOGIN and says nothing",
    "refuses-login": "says NO to the right password",
    "login-unavailable": "says that it cannot check passwords now",
    "too-many-logins": "limits the connections of a user",
    "echoes-login": "answers LOGIN with BAD and repeats the line",
    # any command after the log-in
    "drops": "closes instead of an answer",
    "hangs": "reads the command and says nothing",
    "bye": "says BYE and closes",
    "slow": "sends byte by byte",
    # folders
    "no-folder": "says NO to SELECT and does not list the folder",
    "select-refused": "says NO to SELECT of a folder that is there",
    "read-only": "opens folders for reading only",
    # FETCH
    "drops-in-fetch": "closes in the middle of a message",
    "hangs-in-fetch": "falls silent in the middle of a message",
    "bye-in-fetch": "says BYE after the first message",
    "literal-too-long": "announces more bytes than it sends",
    "literal-too-short": "announces fewer bytes than it sends",
    "garbage-in-fetch": "answers with what is not IMAP",
    "other-uid": "answers for a message that nobody asked for",
    "nil-body": "gives NIL for each message",
    "size-too-small": "says that each message has 100 bytes",
    "size-too-large": "says that each message is 1,000 bytes larger than it is",
    "whole-for-partial": "ignores that only a part was asked for",
    "refuses-odd-uids": "says NO to each FETCH that names an odd UID",
    # SEARCH
    "nonsense-in-search": "answers with words",
    "exists-in-search": "a mail arrives while it answers: announced, not found",
    # MOVE, COPY
    "refuses-move": "says NO to MOVE",
    "drops-after-move": "moves, then closes without an answer",
    "drops-after-copy": "copies, then closes without an answer",
    # IDLE
    "exists-before-idling": "a mail arrives before IDLE is confirmed",
    "exists-with-idling": "a mail arrives in one segment with the confirmation",
    "exists-with-next-idling": "says a word, and then a mail arrives in one segment with the next confirmation",
    "exists-in-pieces": "a mail is announced in two segments",
    "still-here": "sends a sign of life",
    "drops-in-idle": "closes while the client idles",
    "bye-in-idle": "says BYE while the client idles",
    "deaf-to-done": "does not answer DONE",
}


@dataclass
class Message:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)
    date: str = "01-Mar-2026 10:00:00 +0100"


@dataclass
class Folder:
    uidvalidity: int = 1
    uidnext: int = 1
    messages: list[Message] = field(default_factory=list)

    def add(self, raw: bytes) -> Message:
        message = Message(self.uidnext, raw)
        self.uidnext += 1
        self.messages.append(message)
        return message


class FakeImap:
    """`with FakeImap() as server:`; mail lies in `folders`, commands that came are in `commands`."""

    host = "localhost"
    user, password = "support", "secret"

    def __init__(self, *, without: Iterable[str] = (), delimiter: str | None = "/", prefix: str = "") -> None:
        self.capabilities = [c for c in CAPABILITIES if c not in set(without)]
        self.delimiter = delimiter
        self.prefix = prefix
        self.folders: dict[str, Folder] = {"INBOX": Folder()}
        self.commands: list[str] = []
        self.connections = 0
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._faults: dict[str, int | None] = {}
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> FakeImap:
        thread = threading.Thread(target=self._accept, daemon=True, name="fakeimap")
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()
        for thread in self._threads:
            thread.join(30)

    def misbehave(self, name: str, *, times: int | None = None) -> None:
        assert name in MISBEHAVIOURS, name
        with self.lock:
            self._faults[name] = times

    def behave(self) -> None:
        with self.lock:
            self._faults.clear()

    def due(self, name: str) -> bool:
        """Whether to misbehave now; counts down."""
        with self.lock:
            if name not in self._faults or self._faults[name] == 0:
                return False
            left = self._faults[name]
            if left is not None:
                self._faults[name] = left - 1
            return True

    def add(self, *mails: bytes, folder: str = "INBOX") -> list[int]:
        with self._changed:
            added = [self.folders.setdefault(folder, Folder()).add(raw).uid for raw in mails]
            self._changed.notify_all()
        return added

    def remove(self, uid: int, folder: str = "INBOX") -> None:
        """As a person with another mail program does."""
        with self.lock:
            self.folders[folder].messages = [m for m in self.folders[folder].messages if m.uid != uid]

    def uids(self, folder: str = "INBOX") -> list[int]:
        with self.lock:
            return [m.uid for m in self.folders[folder].messages]

    def raws(self, folder: str = "INBOX") -> list[bytes]:
        with self.lock:
            return [m.raw for m in self.folders[folder].messages] if folder in self.folders else []

    def drop_all(self) -> None:
        with self.lock:
            for sock in self._sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, seconds), "nothing happened"

    def heard(self, command: str) -> None:
        with self._changed:
            self.commands.append(command)
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                self._sockets.add(sock)
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError, _Ended):
            _Session(self, sock).run()
        with self.lock:
            self._sockets.discard(sock)
        sock.close()


class _Ended(Exception):
    """The session is over."""


class _Session:
    def __init__(self, server: FakeImap, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.input = sock.makefile("rb")
        self.folder: Folder | None = None
        self.readonly = False
        self.told = 0  # messages announced

    # ------------------------------------------------------------ talking

    def send(self, data: bytes) -> None:
        if self.server.due("slow"):
            for byte in data:
                self.sock.sendall(bytes([byte]))
        else:
            self.sock.sendall(data)

    def line(self, text: str) -> None:
        self.send(text.encode("ascii") + b"\r\n")

    def hang(self) -> None:
        """Says nothing more, until the other side closes."""
        while self.input.read(1):
            pass
        raise _Ended

    def read_line(self) -> str:
        line = self.input.readline()
        if not line:
            raise _Ended
        return line.rstrip(b"\r\n").decode("ascii")

    def run(self) -> None:
        if self.server.due("drops-at-greeting"):
            return
        if self.server.due("hangs-at-greeting"):
            self.hang()
        if self.server.due("bye-at-greeting"):
            self.line("* BYE Too many connections")
            return
        self.line("* OK ready")
        while True:
            tag, _, rest = self.read_line().partition(" ")
            name, _, arguments = rest.partition(" ")
            name = name.upper()
            if name == "UID":
                word, _, arguments = arguments.partition(" ")
                name = f"UID {word.upper()}"
            self.server.heard(name if name == "LOGIN" else f"{name} {arguments}".strip())
            if self.folder is not None or name not in ("CAPABILITY", "LOGIN", "AUTHENTICATE", "LOGOUT"):
                self.trouble(tag)
            handler: Callable[[str, str], Any] | None = getattr(self, "do_" + name.lower().replace(" ", "_"), None)
            if handler is None:
                self.line(f"{tag} BAD unknown command {name}")
            else:
                handler(tag, arguments)

    def trouble(self, tag: str) -> None:
        if self.server.due("drops"):
            raise _Ended
        if self.server.due("hangs"):
            self.hang()
        if self.server.due("bye"):
            self.line("* BYE shutting down")
            raise _Ended

    # ------------------------------------------------------------ getting in

    def do_capability(self, tag: str, _: str) -> None:
        self.line("* CAPABILITY " + " ".join(self.server.capabilities))
        self.line(f"{tag} OK done")

    def do_login(self, tag: str, arguments: str) -> None:
        if self.server.due("drops-at-login"):
            raise _Ended
        if self.server.due("hangs-at-login"):
            self.hang()
        if self.server.due("echoes-login"):
            return self.line(f"{tag} BAD cannot parse LOGIN {arguments}")
        if self.server.due("login-unavailable"):
            return self.line(f"{tag} NO [UNAVAILABLE] authentication backend is away")
        if self.server.due("too-many-logins"):
            return self.line(f"{tag} NO [LIMIT] Maximum number of connections from user exceeded")
        right = shlex.split(arguments) == [self.server.user, self.server.password]
        if not right or self.server.due("refuses-login"):
            return self.line(f"{tag} NO [AUTHENTICATIONFAILED] Authentication failed.")
        return self.line(f"{tag} OK logged in")

    def do_logout(self, tag: str, _: str) -> None:
        self.line("* BYE bye")
        self.line(f"{tag} OK done")
        raise _Ended

    def do_noop(self, tag: str, _: str) -> None:
        self.announce()
        self.line(f"{tag} OK done")

    # ------------------------------------------------------------ folders

    def do_namespace(self, tag: str, _: str) -> None:
        delimiter = f'"{self.server.delimiter}"' if self.server.delimiter else "NIL"
        self.line(f'* NAMESPACE (("{self.server.prefix}" {delimiter})) NIL NIL')
        self.line(f"{tag} OK done")

    def do_list(self, tag: str, arguments: str) -> None:
        _, pattern = _words(arguments)
        delimiter = f'"{self.server.delimiter}"' if self.server.delimiter else "NIL"
        if not pattern:
            self.line(f'* LIST (\\Noselect) {delimiter} ""')
        for name in list(self.server.folders):
            if pattern in ("*", name) and not self.server.due("no-folder"):
                self.line(f'* LIST () {delimiter} "{name}"')
        self.line(f"{tag} OK done")

    def do_select(self, tag: str, arguments: str) -> None:
        (name,) = _words(arguments)
        self.folder = None
        with self.server.lock:
            folder = self.server.folders.get(name)
            if folder is None or self.server.due("select-refused") or "no-folder" in self.server._faults:
                return self.line(f"{tag} NO cannot open {name}")
            self.folder, self.told = folder, len(folder.messages)
            self.line("* FLAGS (\\Seen \\Deleted)")
            self.line(f"* {self.told} EXISTS")
            self.line("* 0 RECENT")
            self.line(f"* OK [UIDVALIDITY {folder.uidvalidity}] v")
            self.line(f"* OK [UIDNEXT {folder.uidnext}] n")
        self.readonly = self.server.due("read-only")
        return self.line(f"{tag} OK [{'READ-ONLY' if self.readonly else 'READ-WRITE'}] opened")

    def do_examine(self, tag: str, arguments: str) -> None:
        self.server.misbehave("read-only", times=1)
        self.do_select(tag, arguments)

    def do_create(self, tag: str, arguments: str) -> None:
        (name,) = _words(arguments)
        if name in self.server.folders:
            return self.line(f"{tag} NO [ALREADYEXISTS] it is there")
        with self.server.lock:
            self.server.folders[name] = Folder()
        return self.line(f"{tag} OK made")

    def do_subscribe(self, tag: str, _: str) -> None:
        self.line(f"{tag} NO no subscriptions here")

    def do_status(self, tag: str, arguments: str) -> None:
        name = _words(arguments)[0]
        if name not in self.server.folders:
            return self.line(f"{tag} NO no such folder")
        folder = self.server.folders[name]
        self.line(
            f'* STATUS "{name}" (MESSAGES {len(folder.messages)} UIDNEXT {folder.uidnext} '
            f"UIDVALIDITY {folder.uidvalidity})"
        )
        return self.line(f"{tag} OK done")

    def do_append(self, tag: str, arguments: str) -> None:
        name = _words(arguments)[0]
        size = int(arguments.rpartition("{")[2].rstrip("}"))
        if name not in self.server.folders:
            return self.line(f"{tag} NO [TRYCREATE] no such folder")
        self.line("+ go on")
        raw = self.input.read(size)
        self.read_line()
        self.server.add(raw, folder=name)
        return self.line(f"{tag} OK stored")

    # ------------------------------------------------------------ messages

    @property
    def opened(self) -> Folder:
        if self.folder is None:
            self.line("* BYE no folder is open")
            raise _Ended
        return self.folder

    def announce(self) -> None:
        if self.folder is not None and len(self.folder.messages) != self.told:
            self.told = len(self.folder.messages)
            self.line(f"* {self.told} EXISTS")

    def do_uid_search(self, tag: str, arguments: str) -> None:
        if self.server.due("nonsense-in-search"):
            self.line("* SEARCH everything is fine")
            return self.line(f"{tag} OK done")
        with self.server.lock:
            messages = self.opened.messages
            if "DELETED" in arguments:
                found = [m.uid for m in messages if r"\Deleted" in m.flags]
            elif arguments.startswith("HEADER"):
                found = [m.uid for m in messages if _words(arguments)[2].encode() in m.raw]
            elif arguments.startswith("SINCE"):
                found = [m.uid for m in messages]  # all are of one day
            else:
                found = self.chosen(arguments.rpartition("UID ")[2])
            if self.server.due("exists-in-search"):
                self.server.add(b"Subject: late\r\n\r\nLate.\r\n")
            self.line("* SEARCH" + "".join(f" {uid}" for uid in found))
            self.announce()
        return self.line(f"{tag} OK done")

    def chosen(self, uid_set: str) -> list[int]:
        uids = [m.uid for m in self.opened.messages]
        chosen: set[int] = set()
        for part in uid_set.split(","):
            first, _, last = part.partition(":")
            low, high = (int(n) if n != "*" else max(uids, default=0) for n in (first, last or first))
            low, high = min(low, high), max(low, high)
            chosen.update(uid for uid in uids if low <= uid <= high)
        return sorted(chosen)

    def do_uid_fetch(self, tag: str, arguments: str) -> None:
        uid_set, _, items = arguments.partition(" ")
        with self.server.lock:
            wanted = self.chosen(uid_set)
            numbered = [(n, m) for n, m in enumerate(self.opened.messages, 1) if m.uid in wanted]
        if "BODY.PEEK" in items:
            if any(uid % 2 for uid in wanted) and self.server.due("refuses-odd-uids"):
                return self.line(f"{tag} NO [SERVERBUG] cannot read that message")
            if self.server.due("garbage-in-fetch"):
                self.send(b"* 1 FETCH (UID 1 BODY[] (((\xff\xfe nonsense\r\n)" + f"{tag} OK done\r\n".encode())
                return None
        for number, message in numbered:
            self.answer_fetch(number, message, items)
        return self.line(f"{tag} OK done")

    def answer_fetch(self, number: int, message: Message, items: str) -> None:
        raw, uid = message.raw, message.uid
        if "RFC822.SIZE" in items:
            size = len(raw)
            if self.server.due("size-too-small"):
                size = 100
            if self.server.due("size-too-large"):
                size += 1000
            return self.line(f'* {number} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE "{message.date}")')
        key = "BODY[]"
        partial = re.search(r"<(\d+)\.(\d+)>", items)
        if "HEADER.FIELDS" in items:
            key = "BODY[HEADER.FIELDS (MESSAGE-ID)]"
            found = re.search(rb"(?im)^message-id:.*\r\n", raw.partition(b"\r\n\r\n")[0] + b"\r\n")
            raw = (found[0] if found else b"") + b"\r\n"
        elif partial:
            offset, length = int(partial[1]), int(partial[2])
            key = f"BODY[]<{offset}>"
            if not self.server.due("whole-for-partial"):
                raw = raw[offset : offset + length]
        if self.server.due("nil-body"):
            return self.line(f"* {number} FETCH (UID {uid} {key} NIL)")
        if self.server.due("other-uid"):
            uid += 1000
        length = len(raw)
        if self.server.due("literal-too-long"):
            length += 50
        if self.server.due("literal-too-short"):
            length //= 2
        self.send(f"* {number} FETCH (UID {uid} {key} {{{length}}}\r\n".encode())
        if self.server.due("drops-in-fetch"):
            self.send(raw[: len(raw) // 2])
            raise _Ended
        if self.server.due("hangs-in-fetch"):
            self.send(raw[: len(raw) // 2])
            self.hang()
        self.send(raw + b")\r\n")
        if self.server.due("bye-in-fetch"):
            self.line("* BYE shutting down")
            raise _Ended
        return None

    def do_uid_copy(self, tag: str, arguments: str) -> None:
        uid_set, name = _words(arguments)
        if not self.copy(tag, uid_set, name):
            return
        if self.server.due("drops-after-copy"):
            raise _Ended
        self.line(f"{tag} OK copied")

    def do_uid_move(self, tag: str, arguments: str) -> None:
        if "MOVE" not in self.server.capabilities:
            return self.line(f"{tag} BAD unknown command")
        uid_set, name = _words(arguments)
        if self.server.due("refuses-move"):
            return self.line(f"{tag} NO not now")
        moved = self.chosen(uid_set)
        if not self.copy(tag, uid_set, name):
            return None
        self.expunge(moved)
        if self.server.due("drops-after-move"):
            raise _Ended
        return self.line(f"{tag} OK moved")

    def copy(self, tag: str, uid_set: str, name: str) -> bool:
        with self.server.lock:
            if name not in self.server.folders:
                self.line(f"{tag} NO [TRYCREATE] no such folder")
                return False
            wanted = self.chosen(uid_set)
            for message in [m for m in self.opened.messages if m.uid in wanted]:
                self.server.folders[name].add(message.raw)
            return True

    def expunge(self, uids: Iterable[int]) -> None:
        with self.server.lock:
            gone = set(uids)
            for number, message in reversed(list(enumerate(self.opened.messages, 1))):
                if message.uid in gone:
                    self.opened.messages.remove(message)
                    self.line(f"* {number} EXPUNGE")
            self.told = len(self.opened.messages)

    def do_uid_store(self, tag: str, arguments: str) -> None:
        uid_set, _, _ = arguments.partition(" ")
        with self.server.lock:
            for message in self.opened.messages:
                if message.uid in self.chosen(uid_set):
                    message.flags.add(r"\Deleted")
        self.line(f"{tag} OK stored")

    def do_uid_expunge(self, tag: str, arguments: str) -> None:
        if "UIDPLUS" not in self.server.capabilities:
            return self.line(f"{tag} BAD unknown command")
        chosen = self.chosen(arguments)
        self.expunge([m.uid for m in self.opened.messages if r"\Deleted" in m.flags and m.uid in chosen])
        return self.line(f"{tag} OK gone")

    def do_expunge(self, tag: str, _: str) -> None:
        self.expunge([m.uid for m in self.opened.messages if r"\Deleted" in m.flags])
        self.line(f"{tag} OK gone")

    # ------------------------------------------------------------ IDLE

    def do_idle(self, tag: str, _: str) -> None:
        if "IDLE" not in self.server.capabilities:
            return self.line(f"{tag} BAD unknown command")
        late = b"Subject: late\r\n\r\nLate.\r\n"
        if self.server.due("exists-before-idling"):
            self.server.add(late)
            self.announce()
        if self.server.due("exists-with-idling"):
            self.server.add(late)
            self.told = len(self.opened.messages)
            self.send(f"+ idling\r\n* {self.told} EXISTS\r\n".encode())
        else:
            self.line("+ idling")
        if self.server.due("still-here"):
            self.line("* OK Still here")
        if self.server.due("exists-with-next-idling"):
            self.server.misbehave("exists-with-idling", times=1)
            self.line("* OK Still here")
        if self.server.due("drops-in-idle"):
            raise _Ended
        if self.server.due("bye-in-idle"):
            self.line("* BYE idled too long")
            raise _Ended
        if self.server.due("exists-in-pieces"):
            self.server.add(late)
            self.told = len(self.opened.messages)
            self.send(f"* {self.told} EX".encode())
            self.send(b"ISTS\r\n")
        self.idle_until_done()
        if self.server.due("deaf-to-done"):
            self.hang()
        return self.line(f"{tag} OK idled")

    def idle_until_done(self) -> None:
        """Announces mail that comes while the client idles, until it says DONE."""
        done = threading.Event()

        def watch() -> None:
            with self.server._changed, suppress(OSError):
                while not done.is_set():
                    self.announce()
                    self.server._changed.wait()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            self.read_line()
        finally:
            done.set()
            with self.server._changed:
                self.server._changed.notify_all()
            watcher.join()


def _words(arguments: str) -> list[str]:
    """The atoms and quoted strings of a command."""
    return [quoted or atom for quoted, atom in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', arguments)]
