"""The mailbox: one IMAP connection, owned by one thread.

Flags are never touched by reading, passwords never appear in a message, times are aware and UTC. Every method
either does what it says or raises:

    Temporary   the connection is gone or the server refused for now: `connect()` again after a pause (`pauses`)
    Permanent   somebody has to mend something; the message says what
    MailError   (`fetch` only, after all other mail was handed out) the server will not hand out these messages

A message that a person deletes or moves meanwhile is simply absent from what comes back. State lives in the
database, not in flags or keywords, for not every server keeps those.
"""

from __future__ import annotations

import io
import random
import re
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import (
    CapabilityError,
    IMAPClientAbortError,
    IMAPClientError,
    IMAPClientReadOnlyError,
    LoginError,
    ProtocolError,
)

from triage.adapters import tls
from triage.core.errors import ConfigError, MailError, Permanent, Temporary

SLICE = 256 * 1024  # larger messages are fetched in pieces of this size: memory grows by the message, not by copies
BATCH_BYTES = 4 * 1024 * 1024  # a FETCH asks for no more than this
BATCH_COUNT = 100  # nor for more messages than this
COMMAND_UIDS = 500  # UIDs in one command: the line stays below 8,000 bytes (RFC 7162 section 4)
SEARCH_WINDOW = 80_000  # messages that one SEARCH looks at: imaplib takes no line above 1,000,000 bytes
IDLE_SECONDS = 20 * 60  # a server may log out a client that idles for 30 minutes (RFC 2177)

# What imaplib and imapclient raise besides their own classes when a server talks nonsense.
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError, AssertionError)

# Errors of these libraries after which the answer is still to come: a line above imaplib's limit, and a word of the
# server before it confirmed IDLE.
_DESYNC = ("got more than", "Unexpected IDLE response")

# A log-in refused with one of these is the server's trouble, not a wrong password (RFC 5530).
_LATER = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "TOO MANY")


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """Where the mailbox is and how to get in."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    user: str
    password: str = field(repr=False)
    ca_file: str | None = None  # PEM; None: what the system trusts
    connect_seconds: float = 15
    read_seconds: float = 60  # of silence; a call in which bytes keep coming may take longer


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What SELECT says of a folder."""

    name: str  # as the server calls it
    uidvalidity: int  # a new value: all UIDs known so far mean nothing
    uidnext: int  # 0 when the server does not tell
    exists: int
    readonly: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it lies on the server."""

    uid: int
    size: int
    received: datetime  # INTERNALDATE, UTC: the time that counts


def pauses(first: float = 1.0, longest: float = 300.0) -> Iterator[float]:
    """Seconds to wait before each next try: growing, with full jitter, never less than `first`."""
    ceiling = first
    while True:
        ceiling = min(longest, ceiling * 2)
        yield random.uniform(first, ceiling)


class Mailbox:
    """A mailbox on an IMAP server. Not thread safe, except for `interrupt` and `abort`."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._where = f"IMAP server {settings.host}:{settings.port}"
        self._client: IMAPClient | None = None
        self._status: FolderStatus | None = None  # of the folder that is open
        self._looked = 1  # UIDs below this were there to see when `uids` was last called
        self._sizes: dict[int, int] = {}  # of messages asked for by `sizes_and_dates` and not fetched yet
        self._marked: set[int] = set()  # copied and flagged \Deleted by us, not yet expunged
        self._delimiter: str | None = None
        self._prefix = ""
        self._waker, self._wake = socket.socketpair()
        self._waker.setblocking(False)
        self._wake.setblocking(False)

    # ------------------------------------------------------------ the connection

    @property
    def connected(self) -> bool:
        return self._client is not None

    def connect(self) -> None:
        """Connects and logs in; an older connection is dropped."""
        self._drop()
        _check_credentials(self._settings)
        try:
            client = self._reach()
        except ConfigError as error:
            raise Permanent(str(error)) from error
        try:
            self._log_in(client)
        except BaseException:
            _shut(client)
            raise
        client.normalise_times = False  # else INTERNALDATE comes naive, in the machine's own zone
        self._client = client
        with self._session("asking for its folders"):
            self._learn_names()

    def close(self) -> None:
        """Logs out, without waiting long for a server that does not answer. `connect` may follow."""
        client, self._client, self._status = self._client, None, None
        if client is None:
            return
        with suppress(IMAPClientError, OSError, *_NONSENSE):
            client.socket().settimeout(2)
            client.logout()
            return
        _shut(client)

    def interrupt(self) -> None:
        """From any thread: ends the running or the next `wait` early. The connection stays."""
        with suppress(BlockingIOError):
            self._waker.send(b"x")

    def abort(self) -> None:
        """From any thread: breaks the connection, so that a call that hangs ends at once with Temporary."""
        client = self._client
        self.interrupt()
        if client is not None:
            with suppress(OSError):
                # Of the plain class: SSLSocket.shutdown() would pull the session from under the reader.
                socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)

    # ------------------------------------------------------------ folders

    def select(self, folder: str) -> FolderStatus:
        """Opens a folder; what follows works on it."""
        name = self._name(folder)
        with self._session(f"opening folder {folder}") as client:
            try:
                answer = client.select_folder(name)
            except IMAPClientReadOnlyError:
                answer = client.select_folder(name, readonly=True)
            except IMAPClientError as error:
                if not _refusal(error) or self._has_folder(client, name):
                    raise
                raise Permanent(f"{self._where}: there is no folder {folder}; create it, or name another") from error
            status = FolderStatus(
                name=name,
                uidvalidity=int(answer.get(b"UIDVALIDITY", 0)),
                uidnext=int(answer.get(b"UIDNEXT", 0)),
                exists=int(answer[b"EXISTS"]),
                readonly=b"READ-ONLY" in answer,
            )
        before, self._status = self._status, status
        if before is None or (before.name, before.uidvalidity) != (name, status.uidvalidity):
            self._looked = 1
            self._sizes.clear()
            self._marked.clear()
        return status

    def ensure_folder(self, folder: str) -> str:
        """Makes a folder and subscribes to it where it is absent. Returns its name on the server."""
        name = self._name(folder)
        with self._session(f"creating folder {folder}") as client:
            if self._has_folder(client, name):
                return name
            try:
                client.create_folder(name)
            except IMAPClientError as error:
                if not _refusal(error):
                    raise
                if not self._has_folder(client, name):  # else somebody made it at this moment
                    raise Permanent(f"{self._where}: cannot create folder {folder}: {self._said(error)}") from error
            try:
                client.subscribe_folder(name)
            except IMAPClientError as error:
                if not _refusal(error):  # a folder that mail programs do not list is still a folder
                    raise
        return name

    def count(self, folder: str) -> int:
        """How many messages lie in a folder (one that is not open)."""
        with self._session(f"counting folder {folder}") as client:
            return int(client.folder_status(self._name(folder), ["MESSAGES"])[b"MESSAGES"])

    def append(self, folder: str, raw: bytes, flags: Iterable[bytes] = ()) -> None:
        """Stores a message in a folder, which is made when absent."""
        name, flags = self._name(folder), tuple(flags)
        with self._session(f"storing a message in {folder}") as client:
            try:
                client.append(name, raw, flags)
            except IMAPClientError as error:
                if not _refusal(error) or self._has_folder(client, name):
                    raise
                self.ensure_folder(folder)
                client.append(name, raw, flags)

    # ------------------------------------------------------------ what is in the open folder

    def uids(self, after: int = 0) -> list[int]:
        """The UIDs above `after`, ascending."""
        found: set[int] = set()
        with self._session("listing messages") as client:
            # From the top down: when a message is expunged meanwhile, those above it move into a window yet to come.
            high = "*"
            for low in reversed(range(SEARCH_WINDOW + 1, self._opened().exists + 1, SEARCH_WINDOW)):
                found.update(client.search(f"{low}:{high} UID {after + 1}:*"))
                high = str(low - 1)
            window = "" if high == "*" else f"1:{high} "
            found.update(client.search(f"{window}UID {after + 1}:*"))
        # `n:*` is a range in either order (RFC 3501 section 6.4.8): the last message matches whatever its UID.
        uids = sorted(uid for uid in found if uid > after)
        self._looked = max(self._looked, self._opened().uidnext, uids[-1] + 1 if uids else 0)
        return uids

    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]:
        """Size and time of arrival of the messages that are still there."""
        known: dict[int, Arrived] = {}
        with self._session("asking for sizes") as client:
            for chunk in _chunks(uids, COMMAND_UIDS):
                for uid, item in client.fetch(chunk, ["RFC822.SIZE", "INTERNALDATE"]).items():
                    size, date = item.get(b"RFC822.SIZE"), item.get(b"INTERNALDATE")
                    if isinstance(size, int) and isinstance(date, datetime):
                        known[uid] = Arrived(uid, size, date.astimezone(UTC))
        self._sizes.update((uid, arrived.size) for uid, arrived in known.items())
        return known

    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]:
        """The messages, in the order of `uids`, a batch in memory at a time.

        Of a message larger than `max_bytes` only its beginning comes (`fetch_head`).
        """
        self.sizes_and_dates([uid for uid in uids if uid not in self._sizes])
        refused: list[int] = []
        for batch in self._batches(uids):
            if self._sizes[batch[0]] > SLICE:
                raw = self._fetch_large(batch[0], max_bytes)
                if raw is not None:
                    yield batch[0], raw
            else:
                got = self._fetch_small(batch, refused)
                for uid in batch:
                    if uid in got:
                        yield uid, got.pop(uid)
            for uid in batch:
                self._sizes.pop(uid, None)
        if refused:
            raise MailError(f"{self._where}: does not hand out message(s) with UID {', '.join(map(str, refused))}")

    def fetch_head(self, uid: int) -> bytes | None:
        """The beginning of a message: its headers and, in all but odd mail, its first text. None when it is gone."""
        return self._slice(uid, 0)

    def message_ids(self, uids: Sequence[int]) -> dict[int, str]:
        """The Message-ID of each message that is still there, "" where it has none."""
        known: dict[int, str] = {}
        with self._session("asking for Message-IDs") as client:
            for chunk in _chunks(uids, COMMAND_UIDS):
                for uid, item in client.fetch(chunk, ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"]).items():
                    header = next((value for key, value in item.items() if key.startswith(b"BODY[")), None) or b""
                    known[uid] = header.partition(b":")[2].decode("ascii", "replace").strip()
        return known

    def search_message(self, message_id: str) -> list[int]:
        """The messages of the open folder with this Message-ID."""
        # SEARCH is open to injection through header values: only what needs no quoting at all is let through.
        if (
            len(message_id) > 250
            or not message_id.isascii()
            or not message_id.isprintable()
            or set(message_id) & set('"\\ ')
        ):
            return []
        with self._session("looking for a message") as client:
            return sorted(client.search(["HEADER", "Message-ID", message_id]))

    # ------------------------------------------------------------ filing

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Moves messages of the open folder to another, which is made when absent."""
        name = self._name(folder)
        for chunk in _chunks(uids, COMMAND_UIDS):
            with self._session(f"moving messages to {folder}") as client:
                mover = self._move_natively if client.has_capability("MOVE") else self._move_by_copy
                try:
                    mover(client, chunk, name)
                except IMAPClientError as error:
                    if not _refusal(error):
                        raise
                    self.ensure_folder(folder)  # a person removed it
                    left = self._still_there(client, chunk)
                    if left:
                        mover(client, left, name)

    def _move_natively(self, client: IMAPClient, uids: Sequence[int], name: str) -> None:
        client.move(uids, name)

    def _move_by_copy(self, client: IMAPClient, uids: Sequence[int], name: str) -> None:
        """For servers without MOVE (RFC 6851). Cut off half way, the mail lies in both folders, never in none."""
        new = [uid for uid in uids if uid not in self._marked]
        if new:
            client.copy(new, name)
            client.add_flags(new, [rb"\Deleted"], silent=True)
            self._marked.update(new)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge(uids)
            self._marked.difference_update(uids)
        elif self._marked.issuperset(client.search("DELETED")):
            # Plain EXPUNGE takes all that is flagged: only when nobody else flagged a message. Otherwise ours stay
            # behind, flagged, until a later move finds it safe.
            client.expunge()
            self._marked.clear()

    # ------------------------------------------------------------ waiting

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Waits until there may be new mail (True), the time is over or `interrupt` is called (False).

        IDLE where the server has it, else the time simply passes. Always look after it: this is a hint.
        Whoever sets `stop` calls `interrupt` too.
        """
        before = self._opened()
        # What an earlier answer has already announced, IDLE does not tell again: compare with what `uids` has seen.
        now = self.select(before.name)
        if now.uidvalidity != before.uidvalidity or now.uidnext > self._looked or now.exists > before.exists:
            self._looked = max(self._looked, now.uidnext)
            return True
        deadline = time.monotonic() + min(seconds, IDLE_SECONDS)
        with self._session("waiting for mail") as client:
            idling = client.has_capability("IDLE")
            # Bytes that came in one segment with the answer to IDLE lie in imaplib's buffer, where poll does not see
            # them: the first round is short.
            patience = 1.0
            while not (stop is not None and stop.is_set()):
                if idling:
                    client.idle()
                woken, heard = self._poll(client, max(0.0, min(patience, deadline - time.monotonic())))
                news: list[Any] = []
                if idling:
                    news = client.idle_done()[1]
                elif heard:
                    news = client.noop()[1]
                if any(len(line) > 1 and line[1] == b"EXISTS" for line in news):
                    return True
                if woken or time.monotonic() >= deadline:
                    break
                patience = IDLE_SECONDS
        return False

    def _poll(self, client: IMAPClient, seconds: float) -> tuple[bool, bool]:
        """Waits for an interrupt or a word of the server: (interrupted, something to read)."""
        sock = client.socket()
        if getattr(sock, "pending", int)():
            return False, True
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        poller.register(self._wake.fileno(), select.POLLIN)
        ready = {fd for fd, _ in poller.poll(seconds * 1000)}
        woken = self._wake.fileno() in ready
        if woken:
            with suppress(BlockingIOError):
                while self._wake.recv(64):
                    pass
        return woken, sock.fileno() in ready

    # ------------------------------------------------------------ inside: getting in

    def _reach(self) -> IMAPClient:
        s = self._settings
        secure = tls.context(s.ca_file) if s.tls != "none" else None
        try:
            client = IMAPClient(
                s.host,
                s.port,
                ssl=s.tls == "implicit",
                ssl_context=secure,
                timeout=SocketTimeout(connect=s.connect_seconds, read=s.read_seconds),
            )
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise Temporary(f"{self._where}: its name cannot be looked up now ({error.strerror})") from error
            raise Permanent(f"{self._where}: no such host ({error.strerror}); mend the host name") from error
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            raise Temporary(f"{self._where}: cannot connect: {tls.reason(error) or self._said(error)}") from error
        # imapclient lets imaplib format every answer for a debug log, bodies included: most of the cost of a fetch.
        client._imap.debug = 0
        if s.tls != "starttls":
            return client
        try:
            client.starttls(secure)
        except CapabilityError as error:
            _shut(client)
            raise Permanent(f"{self._where}: does not offer STARTTLS; nothing is sent in clear, mend tls") from error
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            _shut(client)
            raise Temporary(f"{self._where}: STARTTLS failed: {tls.reason(error) or self._said(error)}") from error
        return client

    def _log_in(self, client: IMAPClient) -> None:
        s = self._settings
        try:
            if client.has_capability("LOGINDISABLED"):
                raise Permanent(f"{self._where}: takes no password without TLS; set tls")
            # LOGIN carries ASCII only.
            log_in = client.login if (s.user + s.password).isascii() else client.plain_login
            log_in(s.user, s.password)
        except LoginError as error:
            text = self._said(error)
            lost = isinstance(error.__context__, (IMAPClientAbortError, OSError))
            if lost or any(word in text.upper() for word in _LATER):
                raise Temporary(f"{self._where}: log-in not possible now: {text}") from None
            raise Permanent(f"{self._where}: log-in as {s.user} refused ({text}); mend user or password") from None
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            raise Temporary(f"{self._where}: connection lost at log-in: {self._said(error)}") from None

    def _learn_names(self) -> None:
        """How this server writes folder names: its delimiter, and the prefix of personal folders if it has one."""
        client = self._connected()
        self._delimiter, self._prefix = None, ""
        for _, delimiter, _ in client.list_folders("", ""):
            self._delimiter = delimiter.decode("ascii") if isinstance(delimiter, bytes) else None
        if client.has_capability("NAMESPACE"):
            personal = client.namespace().personal
            if personal:
                self._prefix = personal[0][0]
                self._delimiter = personal[0][1] or self._delimiter

    # ------------------------------------------------------------ inside: talking

    @contextmanager
    def _session(self, doing: str) -> Iterator[IMAPClient]:
        """Turns what the libraries raise into our errors. Only a refused command leaves the connection usable."""
        try:
            yield self._connected()
        except (IMAPClientAbortError, ProtocolError, OSError, *_NONSENSE) as error:
            self._drop()
            raise Temporary(f"{self._where}: connection lost while {doing}: {self._said(error)}") from error
        except IMAPClientError as error:
            if not _refusal(error):
                self._drop()
            raise Temporary(f"{self._where}: refused while {doing}: {self._said(error)}") from error

    def _connected(self) -> IMAPClient:
        if self._client is None:
            raise Temporary(f"{self._where}: not connected")
        return self._client

    def _opened(self) -> FolderStatus:
        if self._status is None:
            raise Temporary(f"{self._where}: no folder is open")
        return self._status

    def _drop(self) -> None:
        client, self._client, self._status = self._client, None, None
        if client is not None:
            _shut(client)

    def _said(self, error: BaseException) -> str:
        """The text of an error on one line, without what it may echo of our password."""
        text = re.sub(r"^(.{0,40}?)b'(.*)'$", r"\1\2", str(error)) or type(error).__name__
        if self._settings.password:
            text = text.replace(self._settings.password, "***")
        return "".join(c if c.isprintable() else " " for c in text)[:300]

    def _name(self, folder: str) -> str:
        """A configured name, such as "Triage/ready", as this server writes it."""
        if folder.upper() == "INBOX":
            return "INBOX"
        name = folder.replace("/", self._delimiter or "-")  # "-" on a server without a hierarchy
        return name if name.startswith(self._prefix) else self._prefix + name

    @staticmethod
    def _has_folder(client: IMAPClient, name: str) -> bool:
        return any(
            found == name and rb"\NonExistent" not in flags and rb"\Noselect" not in flags
            for flags, _, found in client.list_folders("", name)
        )

    @staticmethod
    def _still_there(client: IMAPClient, uids: Sequence[int]) -> list[int]:
        return sorted(set(uids) & set(client.search(["UID", ",".join(map(str, uids))])))

    # ------------------------------------------------------------ inside: fetching

    def _batches(self, uids: Sequence[int]) -> Iterator[list[int]]:
        """Groups bounded by count and bytes; a large message is a group of its own, a vanished one is in none."""
        batch: list[int] = []
        total = 0
        for uid in uids:
            size = self._sizes.get(uid)
            if size is None:
                continue
            if batch and (size > SLICE or total + size > BATCH_BYTES or len(batch) == BATCH_COUNT):
                yield batch
                batch, total = [], 0
            if size > SLICE:
                yield [uid]
                continue
            batch.append(uid)
            total += size
        if batch:
            yield batch

    def _fetch_small(self, batch: Sequence[int], refused: list[int]) -> dict[int, bytes]:
        with self._session("fetching messages") as client:
            try:
                answer = client.fetch(batch, ["BODY.PEEK[]"])
            except IMAPClientError as error:
                if not _refusal(error):
                    raise
                # "NO some of the requested messages no longer exist": one by one, so that one does not stop the rest.
                left = self._still_there(client, batch)
                if left == list(batch) and len(batch) == 1:
                    refused.extend(batch)
                    return {}
                got: dict[int, bytes] = {}
                for uid in left:
                    got.update(self._fetch_small([uid], refused))
                return got
            bodies = {uid: item.get(b"BODY[]") for uid, item in answer.items()}
            hollow = [uid for uid, body in bodies.items() if not isinstance(body, bytes) or not body]
            if hollow:  # NIL, or nothing: gone meanwhile (RFC 2180 section 4.1), or a server's fault
                refused.extend(self._still_there(client, hollow))
            return {uid: body for uid, body in bodies.items() if isinstance(body, bytes) and body}

    def _fetch_large(self, uid: int, max_bytes: int) -> bytes | None:
        if self._sizes[uid] > max_bytes:
            return self.fetch_head(uid)
        whole = io.BytesIO()  # hands its buffer out without a copy
        while True:
            piece = self._slice(uid, whole.tell())
            if piece is None:
                return None
            if len(piece) > SLICE:  # a server that does not know partial fetches sends all at once
                return piece
            whole.write(piece)
            if whole.tell() > max_bytes:  # the server lied about the size
                return whole.getvalue()[:SLICE]
            if not piece or (len(piece) < SLICE and whole.tell() >= self._sizes[uid]):
                return whole.getvalue()

    def _slice(self, uid: int, offset: int) -> bytes | None:
        with self._session("fetching a large message") as client:
            item = client.fetch([uid], [f"BODY.PEEK[]<{offset}.{SLICE}>"]).get(uid)
            if item is None:
                return None
            return next((value for key, value in item.items() if key.startswith(b"BODY[")), None) or b""


def _refusal(error: IMAPClientError) -> bool:
    """Whether the server only said NO or BAD: the connection is as good as before."""

    return not isinstance(error, (IMAPClientAbortError, ProtocolError)) and not str(error).startswith(_DESYNC)


def _check_credentials(settings: ImapSettings) -> None:
    # imaplib puts them on the wire as they are: a line break would be a command of its own.
    if not (settings.user + settings.password).isprintable():
        raise Permanent("user or password of the mailbox holds a line break or another control character; remove it")


def _shut(client: IMAPClient) -> None:
    with suppress(IMAPClientError, OSError, *_NONSENSE):
        client.shutdown()


def _chunks(uids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield list(uids[start : start + size])
