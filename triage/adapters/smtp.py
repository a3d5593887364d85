"""The mailer: sends finished mails over a few kept SMTP connections.

`send` returns when the server has taken the mail, or raises what the outbox needs to know:

    Permanent        this mail will never be taken: give it up and say so
    Temporary        not now; try again later with the same bytes
    MailerAway       (a Temporary) the server takes no mail at all for now: it is down, hangs, or limits us. The outbox
                     pauses; that says nothing about this mail
    PerhapsTaken     (a MailerAway) the connection broke after the text was sent: the same Message-ID makes a second
                     copy harmless, but a server that always does this must not be sent the mail for ever
    MailerUnusable   (a MailerAway) no mail can be sent until somebody mends the log-in, the certificate or the
                     configuration: no mail is failed for it

With tls "starttls" nothing is sent before TLS stands, whatever the server offers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, NoReturn

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from triage.adapters import tls
from triage.adapters.compose import is_address
from triage.core.errors import ConfigError, Permanent, Temporary

IDLE_SECONDS = 20.0  # a connection that was idle for longer is not trusted: servers close after 10 s to 5 min


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail is handed in, and how to be let in."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    user: str = ""  # empty: no log-in
    password: str = field(default="", repr=False)
    ca_file: str | None = None  # PEM; None: what the system trusts
    hostname: str = "[127.0.0.1]"  # what we call ourselves in EHLO
    connections: int = 4  # kept at most: a far server answers four times for one mail
    connect_seconds: float = 15
    send_seconds: float = 120  # for one mail, log-in included


class MailerAway(Temporary):
    """No mail can be sent for now, this one or any other."""


class PerhapsTaken(MailerAway):
    """The connection was lost after the text was sent: the mail may have been delivered."""


class MailerUnusable(MailerAway):
    """No mail can be sent until somebody mends something; the message says what."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has taken the mail."""

    reply: str  # what it said, often with its queue id


class _Line:
    """One kept connection."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.used = time.monotonic()

    @property
    def fresh(self) -> bool:
        return self.client.is_connected and time.monotonic() - self.used < IDLE_SECONDS


class Mailer:
    """`async with Mailer(settings) as mailer: await mailer.send(...)`; several sends may run at once."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._where = f"SMTP server {settings.host}:{settings.port}"
        self._room = asyncio.Semaphore(settings.connections)
        self._kept: list[_Line] = []
        self._taken = 0  # mails that the server took since the start

    async def __aenter__(self) -> Mailer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Says goodbye on every kept connection, without waiting long."""
        lines, self._kept = self._kept, []
        await asyncio.gather(*(self._quit(line) for line in lines))

    async def _quit(self, line: _Line) -> None:
        with suppress(SMTPException, OSError, TimeoutError):
            await line.client.quit(timeout=1)
        line.client.close()

    async def check(self, sender: str = "") -> None:
        """Connects, logs in and names the sender; sends nothing."""
        stage = "connecting"
        try:
            async with asyncio.timeout(self._settings.send_seconds), self._room, self._line() as line:
                if sender:
                    stage = "naming the sender"
                    await line.client.mail(sender)
                    await line.client.rset()
        except (SMTPException, OSError, TimeoutError) as error:
            self._explain(error, stage, "")

    async def send(self, sender: str, recipient: str, raw: bytes) -> Sent:
        """Hands one mail over. `sender` is the envelope's; "" is the null sender."""
        if not is_address(recipient) or (sender and not is_address(sender)):
            # aiosmtplib would take the first thing in it that looks like an address.
            raise Permanent(f"{self._where}: no address to send from or to: {sender!a}, {recipient!a}")
        async with self._room:
            kept = bool(self._kept and self._kept[-1].fresh)
            try:
                return await self._attempt(sender, recipient, raw)
            except _LineLost:
                if not kept:
                    raise
            # The server had closed a kept connection before it took anything: nothing was sent, so once more.
            await self.close()
            return await self._attempt(sender, recipient, raw)

    async def _attempt(self, sender: str, recipient: str, raw: bytes) -> Sent:
        stage = "connecting"
        try:
            async with asyncio.timeout(self._settings.send_seconds), self._line() as line:
                client = line.client
                stage = "naming the sender"
                await client.mail(sender, options=_options(client, raw))
                stage = "naming the recipient"
                await client.rcpt(recipient)
                stage = "sending the text"
                response = await client.data(raw)
        except (SMTPException, OSError, TimeoutError) as error:
            self._explain(error, stage, recipient)
        self._taken += 1
        return Sent(_one_line(response.message))

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        """A connection that is logged in; kept afterwards, unless what was done on it failed."""
        line = None
        while self._kept and line is None:
            line = self._kept.pop()
            if not line.fresh:
                line.client.close()
                line = None
        if line is None:
            line = _Line(await self._connect())
        try:
            yield line
        except BaseException:
            # The server may be anywhere in its dialogue (a refusal leaves an open envelope): a new one is cheap.
            line.client.close()
            raise
        line.used = time.monotonic()
        self._kept.append(line)

    async def _connect(self) -> aiosmtplib.SMTP:
        s = self._settings
        try:
            secure = tls.context(s.ca_file) if s.tls != "none" else None
        except ConfigError as error:
            raise MailerUnusable(str(error)) from error
        client = aiosmtplib.SMTP(
            hostname=s.host,
            port=s.port,
            username=s.user or None,
            password=s.password if s.user else None,
            local_hostname=s.hostname,
            timeout=s.connect_seconds,
            use_tls=s.tls == "implicit",
            start_tls=s.tls == "starttls",  # never None: that would fall back to clear text
            tls_context=secure,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            client.timeout = s.send_seconds
        except BaseException:
            client.close()
            raise
        return client

    def _explain(self, error: BaseException, stage: str, recipient: str) -> NoReturn:
        """Raises what the outbox should make of `error`."""
        said = self._said(error)
        handshake = tls.reason(error) if stage == "connecting" else None
        if handshake:
            raise MailerUnusable(f"{self._where}: {handshake}") from error
        match error:
            case SMTPAuthenticationError() if error.code >= 500:
                raise MailerUnusable(
                    f"{self._where}: log-in as {self._settings.user} refused ({said}); mend user or password"
                ) from None
            case SMTPConnectResponseError() | SMTPHeloError() if error.code >= 500:
                raise MailerUnusable(f"{self._where}: does not serve us: {said}") from error
            case SMTPSenderRefused() if error.code >= 500 and error.code != 552:
                # The sender is always ours: a wrong one would be refused with every mail.
                raise MailerUnusable(
                    f"{self._where}: sender refused ({said}); mend from_address or the log-in"
                ) from error
            case SMTPRecipientRefused() if error.code == 530 or (error.code >= 500 and self._no_relay(error.message)):
                raise MailerUnusable(f"{self._where}: takes no mail from us ({said}); mend the log-in") from error
            case SMTPRecipientRefused() if error.code >= 500:
                raise Permanent(f"{self._where}: {recipient} refused: {said}") from error
            case SMTPSenderRefused() | SMTPDataError() if error.code >= 500:
                raise Permanent(f"{self._where}: mail to {recipient} refused: {said}") from error
            case SMTPRecipientRefused() if error.code > 0 and error.code != 421:
                raise Temporary(f"{self._where}: not now: {said}") from error
            case SMTPResponseException() if error.code > 0:
                raise MailerAway(f"{self._where}: not now: {said}") from error
            case SMTPException() if type(error) is SMTPException:  # no STARTTLS, no AUTH, no method we know
                raise MailerUnusable(f"{self._where}: {said}; mend tls or user") from error
        if stage == "sending the text":
            raise PerhapsTaken(
                f"{self._where}: connection lost after the text was sent, it may have been delivered: {said}"
            ) from error
        if stage == "connecting":
            raise _LineLost(f"{self._where}: cannot connect: {tls.unreached(error, said)}") from error
        raise _LineLost(f"{self._where}: connection lost while {stage}: {said}") from error

    def _no_relay(self, message: str) -> bool:
        """A server that never took a mail of ours and speaks of relaying does not know us; later it is the address."""
        return self._taken == 0 and "relay" in message.lower()

    def _said(self, error: BaseException) -> str:
        if isinstance(error, SMTPResponseException):
            text = f"{error.code} {error.message}"
        else:
            text = str(error) or "no answer in time"
        if self._settings.password:
            text = text.replace(self._settings.password, "***")
        return _one_line(text)


class _LineLost(MailerAway):
    """The connection broke before any text was sent."""


def _options(client: aiosmtplib.SMTP, raw: bytes) -> list[str]:
    """The parameters of MAIL: what the server may refuse before it has to read the text."""
    options = []
    if client.supports_extension("size"):
        options.append(f"SIZE={len(raw)}")
    if not raw.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    return options


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]
