"""One IMAP connection: getting in, the names of folders, and what the libraries' errors mean.

What imapclient and imaplib raise leaves this module as `Temporary` (connect again) or `Permanent` (somebody has to
mend something). No message carries the password.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import (
    CapabilityError,
    IMAPClientAbortError,
    IMAPClientError,
    LoginError,
    ProtocolError,
)

from triage.adapters import tls
from triage.core.errors import ConfigError, Permanent, Temporary

GOODBYE_SECONDS = 2  # for the answer to LOGOUT

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


class Session:
    """A connection that can be opened, lost, and opened again."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._client: IMAPClient | None = None
        self._entering: IMAPClient | None = None  # not logged in yet
        self._delimiter: str | None = None
        self._prefix = ""
        self.where = f"IMAP server {settings.host}:{settings.port}"

    @property
    def is_open(self) -> bool:
        return self._client is not None

    def open(self) -> None:
        """Connects and logs in; an older connection is dropped."""
        self.drop()
        _check_credentials(self._settings)
        try:
            client = self._entering = self._reach()
        except ConfigError as error:
            raise Permanent(str(error)) from error
        try:
            self._log_in(client)
        except BaseException:
            _shut(client)
            raise
        finally:
            self._entering = None
        client.normalise_times = False  # else INTERNALDATE comes naive, in the machine's own zone
        self._client = client
        with self.talk("asking for its folders") as client:
            self._learn_names(client)

    def close(self) -> None:
        """Logs out, without waiting long for a server that does not answer."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(IMAPClientError, OSError, *_NONSENSE):
            client.socket().settimeout(GOODBYE_SECONDS)
            client.logout()
            return
        _shut(client)

    def drop(self) -> None:
        """Closes without a word."""
        client, self._client = self._client, None
        if client is not None:
            _shut(client)

    def abort(self) -> None:
        """From any thread: a call that waits for the server ends at once."""
        client = self._client or self._entering
        if client is not None:
            with suppress(OSError):
                # Of the plain class: SSLSocket.shutdown() would pull the session from under the reader.
                socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)

    @contextmanager
    def talk(self, doing: str) -> Iterator[IMAPClient]:
        """The client; what it raises becomes ours. After a mere refusal the connection is as good as before."""
        if self._client is None:
            raise Temporary(f"{self.where}: not connected")
        try:
            yield self._client
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            if is_refusal(error):
                raise Temporary(f"{self.where}: refused while {doing}: {self.said(error)}") from error
            self.drop()
            raise Temporary(f"{self.where}: connection lost while {doing}: {self.said(error)}") from error

    def name(self, folder: str) -> str:
        """A configured name, such as "Triage/ready", as this server writes it."""
        if folder.upper() == "INBOX":
            return "INBOX"
        name = folder.replace("/", self._delimiter or "-")  # "-" on a server without a hierarchy
        return name if name.startswith(self._prefix) else self._prefix + name

    def said(self, error: BaseException) -> str:
        """The text of an error on one line, without what it may echo of our password."""
        text = re.sub(r"^(.{0,40}?)b'(.*)'$", r"\1\2", str(error)) or type(error).__name__
        if self._settings.password:
            text = text.replace(self._settings.password, "***")
        return "".join(c if c.isprintable() else " " for c in text)[:300]

    # ------------------------------------------------------------ getting in

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
                raise Temporary(f"{self.where}: its name cannot be looked up now ({error.strerror})") from error
            raise Permanent(f"{self.where}: no such host ({error.strerror}); mend the host name") from error
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            raise Temporary(f"{self.where}: cannot connect: {tls.unreached(error, self.said(error))}") from error
        # imapclient lets imaplib format every answer for a debug log, bodies included: most of the cost of a fetch.
        client._imap.debug = 0
        if s.tls != "starttls":
            return client
        try:
            client.starttls(secure)
        except CapabilityError as error:
            _shut(client)
            raise Permanent(f"{self.where}: does not offer STARTTLS; nothing is sent in clear, mend tls") from error
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            _shut(client)
            raise Temporary(f"{self.where}: STARTTLS failed: {tls.reason(error) or self.said(error)}") from error
        return client

    def _log_in(self, client: IMAPClient) -> None:
        s = self._settings
        try:
            if client.has_capability("LOGINDISABLED"):
                raise Permanent(f"{self.where}: takes no password without TLS; set tls")
            # LOGIN carries ASCII only.
            log_in = client.login if (s.user + s.password).isascii() else client.plain_login
            log_in(s.user, s.password)
        except LoginError as error:
            text = self.said(error)
            lost = isinstance(error.__context__, (IMAPClientAbortError, OSError))
            if lost or any(word in text.upper() for word in _LATER):
                raise Temporary(f"{self.where}: log-in not possible now: {text}") from None
            raise Permanent(f"{self.where}: log-in as {s.user} refused ({text}); mend user or password") from None
        except (IMAPClientError, OSError, *_NONSENSE) as error:
            raise Temporary(f"{self.where}: connection lost at log-in: {self.said(error)}") from None

    def _learn_names(self, client: IMAPClient) -> None:
        """How this server writes folder names: its delimiter, and the prefix of personal folders if it has one."""
        self._delimiter, self._prefix = None, ""
        for _, delimiter, _ in client.list_folders("", ""):
            self._delimiter = delimiter.decode("ascii") if isinstance(delimiter, bytes) else None
        if client.has_capability("NAMESPACE"):
            personal = client.namespace().personal
            if personal:
                self._prefix = personal[0][0]
                self._delimiter = personal[0][1] or self._delimiter


def is_refusal(error: BaseException) -> bool:
    """Whether the server only said NO or BAD."""
    if not isinstance(error, IMAPClientError) or isinstance(error, (IMAPClientAbortError, ProtocolError)):
        return False
    return not str(error).startswith(_DESYNC)


def _check_credentials(settings: ImapSettings) -> None:
    # imaplib puts them on the wire as they are: a line break would be a command of its own.
    if any(ord(c) < 32 or ord(c) == 127 for c in settings.user + settings.password):
        raise Permanent("user or password of the mailbox holds a line break or another control character; remove it")


def _shut(client: IMAPClient) -> None:
    with suppress(IMAPClientError, OSError, *_NONSENSE):
        client.shutdown()
