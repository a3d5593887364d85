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

import random
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, IMAPClientReadOnlyError

from triage.adapters import imap_fetch
from triage.adapters.imap_session import ImapSettings, Session, is_refusal
from triage.core.errors import Permanent, Temporary

__all__ = ["Arrived", "FolderStatus", "ImapSettings", "Mailbox", "pauses"]

COMMAND_UIDS = 500  # UIDs in one command: the line stays below 8,000 bytes (RFC 7162 section 4)
SEARCH_WINDOW = 80_000  # messages that one SEARCH looks at: imaplib takes no line above 1,000,000 bytes
_ID = re.compile(rb"<[!-;=?-~]{1,248}>")
_PLAIN_ID = re.compile(r"[!#-\[\]-~]{1,250}")  # visible ASCII but for the quote and the backslash
MEMORY = 50_000_000  # bytes of a message that are held against those of a copy
IDLE_SECONDS = 20 * 60  # a server may log out a client that idles for 30 minutes (RFC 2177)


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


@dataclass
class _Memory:
    """What we remember of a folder."""

    looked: int = 1  # UIDs below this were there to see when `uids` was last called
    sizes: dict[int, int] = field(default_factory=dict)  # of the messages `sizes_and_dates` was last asked for
    marked: set[int] = field(default_factory=set)  # copied and flagged \Deleted by us, not yet expunged


class Mailbox:
    """A mailbox on an IMAP server. Not thread safe, except for `interrupt` and `abort`."""

    def __init__(self, settings: ImapSettings) -> None:
        self._session = Session(settings)
        self._status: FolderStatus | None = None  # of the folder that is open
        self._examined = False  # whether it was opened to look only
        self._memories: dict[tuple[str, int], _Memory] = {}  # by name and UIDVALIDITY
        self._waker, self._wake = socket.socketpair()
        self._waker.setblocking(False)
        self._wake.setblocking(False)

    # ------------------------------------------------------------ the connection

    @property
    def connected(self) -> bool:
        return self._session.is_open

    def connect(self) -> None:
        """Connects and logs in; an older connection is dropped."""
        self._status = None
        self._session.open()

    def close(self) -> None:
        """Logs out. `connect` may follow."""
        self._status = None
        self._session.close()

    def interrupt(self) -> None:
        """From any thread: ends the running or the next `wait` early. The connection stays."""
        with suppress(BlockingIOError):
            self._waker.send(b"x")

    def abort(self) -> None:
        """From any thread: breaks the connection, so that a call that hangs ends at once with Temporary."""
        self.interrupt()
        self._session.abort()

    # ------------------------------------------------------------ folders

    def select(self, folder: str) -> FolderStatus:
        """Opens a folder; what follows works on it."""
        name = self._session.name(folder)
        with self._session.talk(f"opening folder {folder}") as client:
            try:
                answer = client.select_folder(name)
            except IMAPClientReadOnlyError:
                answer = client.select_folder(name, readonly=True)
            except IMAPClientError as error:
                if not is_refusal(error) or self._has_folder(client, name):
                    raise
                raise Permanent(
                    f"{self._session.where}: there is no folder {folder}; create it, or name another"
                ) from error
            status = FolderStatus(
                name=name,
                uidvalidity=int(answer.get(b"UIDVALIDITY", 0)),
                uidnext=int(answer.get(b"UIDNEXT", 0)),
                exists=int(answer[b"EXISTS"]),
                readonly=b"READ-ONLY" in answer,
            )
        self._status, self._examined = status, False
        return status

    def examine(self, name: str) -> FolderStatus:
        """Opens a folder of `every_folder` to look only."""
        with self._session.talk(f"looking into folder {name}") as client:
            answer = client.select_folder(name, readonly=True)
            self._status = FolderStatus(
                name, int(answer.get(b"UIDVALIDITY", 0)), int(answer.get(b"UIDNEXT", 0)), int(answer[b"EXISTS"]), True
            )
        self._examined = True
        return self._status

    def every_folder(self) -> dict[str, FolderStatus]:
        """All folders of the account that can hold mail, by their names on the server."""
        found: dict[str, FolderStatus] = {}
        with self._session.talk("listing folders") as client:
            for flags, _, name in client.list_folders("", "*"):
                if {rb"\NonExistent", rb"\Noselect"} & set(flags):
                    continue
                try:
                    status = client.folder_status(name, ["UIDVALIDITY", "UIDNEXT", "MESSAGES"])
                except IMAPClientError as error:
                    if not is_refusal(error):
                        raise
                    continue  # removed meanwhile, or not ours to see
                found[name] = FolderStatus(
                    name, int(status[b"UIDVALIDITY"]), int(status[b"UIDNEXT"]), int(status[b"MESSAGES"]), True
                )
        return found

    def ensure_folder(self, folder: str) -> str:
        """Makes a folder and subscribes to it where it is absent. Returns its name on the server."""
        name = self._session.name(folder)
        with self._session.talk(f"creating folder {folder}") as client:
            if self._has_folder(client, name):
                return name
            try:
                client.create_folder(name)
            except IMAPClientError as error:
                if not is_refusal(error):
                    raise
                if not self._has_folder(client, name):  # else somebody made it at this moment
                    raise Permanent(
                        f"{self._session.where}: cannot create folder {folder}: {self._session.said(error)}"
                    ) from error
            try:
                client.subscribe_folder(name)
            except IMAPClientError as error:
                if not is_refusal(error):  # a folder that mail programs do not list is still a folder
                    raise
        return name

    def count(self, folder: str) -> int:
        """How many messages lie in a folder (one that is not open)."""
        with self._session.talk(f"counting folder {folder}") as client:
            return int(client.folder_status(self._session.name(folder), ["MESSAGES"])[b"MESSAGES"])

    def append(self, folder: str, raw: bytes, flags: Iterable[bytes] = ()) -> None:
        """Stores a message in a folder, which is made when absent."""
        name, flags = self._session.name(folder), tuple(flags)
        with self._session.talk(f"storing a message in {folder}") as client:
            try:
                client.append(name, raw, flags)
            except IMAPClientError as error:
                if not is_refusal(error) or self._has_folder(client, name):
                    raise
                self.ensure_folder(folder)
                client.append(name, raw, flags)

    # ------------------------------------------------------------ what is in the open folder

    def uids(self, after: int = 0) -> list[int]:
        """The UIDs above `after`, ascending."""
        found: set[int] = set()
        with self._session.talk("listing messages") as client:
            # From the top down: when a message is expunged meanwhile, those above it move into a window yet to come.
            high = "*"
            for low in reversed(range(SEARCH_WINDOW + 1, self._opened().exists + 1, SEARCH_WINDOW)):
                found.update(client.search(f"{low}:{high} UID {after + 1}:*"))
                high = str(low - 1)
            window = "" if high == "*" else f"1:{high} "
            found.update(client.search(f"{window}UID {after + 1}:*"))
        # `n:*` is a range in either order (RFC 3501 section 6.4.8): the last message matches whatever its UID.
        uids = sorted(uid for uid in found if uid > after)
        if not self._examined:  # who only looks does not handle what he sees: `wait` still has to tell it
            self._memory.looked = max(self._memory.looked, self._opened().uidnext, uids[-1] + 1 if uids else 0)
        return uids

    def received_since(self, time: datetime) -> list[int]:
        """The messages of that day, by any clock, and of all later ones."""
        with self._session.talk("listing messages") as client:
            return sorted(client.search(["SINCE", (time - timedelta(days=1)).date()]))

    def sizes_and_dates(self, uids: Sequence[int]) -> dict[int, Arrived]:
        """Size and time of arrival of the messages that are still there."""
        known: dict[int, Arrived] = {}
        with self._session.talk("asking for sizes") as client:
            for chunk in _chunks(uids, COMMAND_UIDS):
                for uid, item in client.fetch(chunk, ["RFC822.SIZE", "INTERNALDATE"]).items():
                    size, date = item.get(b"RFC822.SIZE"), item.get(b"INTERNALDATE")
                    if isinstance(size, int) and isinstance(date, datetime):
                        known[uid] = Arrived(uid, size, date.astimezone(UTC))
        self._memory.sizes = {uid: arrived.size for uid, arrived in known.items()}
        return known

    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[tuple[int, bytes]]:
        """The messages, in the order of `uids`, a batch in memory at a time.

        Of a message larger than `max_bytes` only its beginning comes (`fetch_head`).
        """
        sizes = self._memory.sizes
        if not sizes.keys() >= set(uids):
            self.sizes_and_dates(uids)
            sizes = self._memory.sizes
        return imap_fetch.fetch(self._session, uids, sizes, max_bytes)

    def fetch_head(self, uid: int) -> bytes | None:
        """The beginning of a message: its headers and, in all but odd mail, its first text. None when it is gone."""
        return imap_fetch.piece(self._session, uid, 0)

    def message_ids(self, uids: Sequence[int]) -> dict[int, str]:
        """The Message-ID of each message that is still there, "" where it has none of use (as mime.py reads it)."""
        known: dict[int, str] = {}
        with self._session.talk("asking for Message-IDs") as client:
            for chunk in _chunks(uids, COMMAND_UIDS):
                for uid, item in client.fetch(chunk, ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"]).items():
                    header = next((value for key, value in item.items() if key.startswith(b"BODY[")), None) or b""
                    match = _ID.search(header)
                    known[uid] = match[0].decode("ascii") if match else ""
        return known

    def search_message(self, message_id: str) -> list[int]:
        """The messages of the open folder with this Message-ID."""
        # SEARCH is open to injection through header values: only what needs no quoting at all is let through.
        if not _PLAIN_ID.fullmatch(message_id):
            return []
        with self._session.talk("looking for a message") as client:
            return sorted(client.search(["HEADER", "Message-ID", message_id]))

    # ------------------------------------------------------------ filing

    def move(self, uids: Sequence[int], folder: str, *, again: bool = False) -> None:
        """Moves messages of the open folder to another, which is made when absent.

        `again`: they may have been moved half way before. Where that was done by copying, no second copy is made.
        """
        name = self._session.name(folder)
        if again and uids:
            self._mark_copied(uids, folder)
        for chunk in _chunks(uids, COMMAND_UIDS):
            with self._session.talk(f"moving messages to {folder}") as client:
                mover = self._move_natively if client.has_capability("MOVE") else self._move_by_copy
                try:
                    mover(client, chunk, name)
                except IMAPClientError as error:
                    if not is_refusal(error):
                        raise
                    self.ensure_folder(folder)  # a person removed it
                    left = imap_fetch.still_there(self._session, chunk)
                    if left:
                        mover(client, left, name)

    def _move_natively(self, client: IMAPClient, uids: Sequence[int], name: str) -> None:
        client.move(uids, name)

    def _move_by_copy(self, client: IMAPClient, uids: Sequence[int], name: str) -> None:
        """For servers without MOVE (RFC 6851). Cut off half way, the mail lies in both folders, never in none."""
        new = [uid for uid in uids if uid not in self._memory.marked]
        if new:
            client.copy(new, name)
            client.add_flags(new, [rb"\Deleted"], silent=True)
            self._memory.marked.update(new)
        if client.has_capability("UIDPLUS"):
            client.uid_expunge(uids)
            self._memory.marked.difference_update(uids)
        elif self._memory.marked.issuperset(client.search("DELETED")):
            # Plain EXPUNGE takes all that is flagged: only when nobody else flagged a message. Otherwise ours stay
            # behind, flagged, until a later move finds it safe.
            client.expunge()
            self._memory.marked.clear()

    def _mark_copied(self, uids: Sequence[int], folder: str) -> None:
        """On a server without MOVE: flag those as deleted that lie in the other folder already, byte for byte."""
        source = self._opened()
        with self._session.talk("looking for copies") as client:
            if client.has_capability("MOVE") or not self._has_folder(client, self._session.name(folder)):
                return
        ids = {uid: one for uid, one in self.message_ids(uids).items() if _PLAIN_ID.fullmatch(one)}
        originals = {uid: hash(raw) for uid, raw in self.fetch(list(ids), MEMORY)}
        self.select(folder)
        copies = {one: {hash(raw) for _, raw in self.fetch(self.search_message(one), MEMORY)} for one in ids.values()}
        self.select(source.name)
        copied = [uid for uid, one in originals.items() if one in copies[ids[uid]]]
        if copied:
            with self._session.talk("marking what was copied") as client:
                client.add_flags(copied, [rb"\Deleted"], silent=True)
            self._memory.marked.update(copied)

    # ------------------------------------------------------------ waiting

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Waits until there may be new mail (True), the time is over or `interrupt` is called (False).

        IDLE where the server has it, else the time simply passes. Always look after it: this is a hint.
        Whoever sets `stop` calls `interrupt` too.
        """
        before = self._opened()
        # What an earlier answer has already announced, IDLE does not tell again: compare with what `uids` has seen.
        now = self.select(before.name)
        if (
            now.uidvalidity != before.uidvalidity
            or now.uidnext > self._memory.looked
            or (not now.uidnext and now.exists > before.exists)
        ):
            self._memory.looked = max(self._memory.looked, now.uidnext)
            return True
        deadline = time.monotonic() + min(seconds, IDLE_SECONDS)
        with self._session.talk("waiting for mail") as client:
            idling = client.has_capability("IDLE")
            while not (stop is not None and stop.is_set()):
                if idling:
                    client.idle()
                woken, heard = self._poll(client, max(0.0, deadline - time.monotonic()))
                news: list[Any] = []
                if idling:
                    news = client.idle_done()[1]
                elif heard:
                    news = client.noop()[1]
                if any(len(line) > 1 and line[1] == b"EXISTS" for line in news):
                    return True
                if woken or time.monotonic() >= deadline:
                    break
        return False

    def _poll(self, client: IMAPClient, seconds: float) -> tuple[bool, bool]:
        """Waits for an interrupt or a word of the server: (interrupted, something to read)."""
        sock = client.socket()
        if getattr(sock, "pending", int)() or _buffered(client):
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

    # ------------------------------------------------------------ inside

    @property
    def _memory(self) -> _Memory:
        """Of the folder that is open."""
        status = self._opened()
        return self._memories.setdefault((status.name, status.uidvalidity), _Memory())

    def _opened(self) -> FolderStatus:
        if self._status is None or not self._session.is_open:
            raise Temporary(f"{self._session.where}: no folder is open")
        return self._status

    @staticmethod
    def _has_folder(client: IMAPClient, name: str) -> bool:
        return any(
            found == name and rb"\NonExistent" not in flags and rb"\Noselect" not in flags
            for flags, _, found in client.list_folders("", name)
        )


def _buffered(client: IMAPClient) -> bool:
    """Whether something of the server is in imaplib's buffer already, where poll does not see it: Dovecot tells of mail
    that came before IDLE in one segment with the answer to IDLE."""
    sock = client.socket()
    patience = sock.gettimeout()
    sock.settimeout(0)
    try:
        return bool(client._imap.file.peek(1))
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        sock.settimeout(patience)


def _chunks(uids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield list(uids[start : start + size])
