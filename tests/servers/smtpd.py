"""A real SMTP server (aiosmtpd) in a thread of its own, that misbehaves by name."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.certificates import server_context

HANG = "hang"  # no answer until the server stops
DROP = "drop"  # the connection ends without an answer

# name: (at which command, what comes instead of the answer). DATA is after the text has been read.
MISBEHAVIOURS: dict[str, tuple[str, str]] = {
    "drops-at-hello": ("EHLO", DROP),
    "hangs-at-hello": ("EHLO", HANG),
    "login-deferred": ("AUTH", "454 4.7.0 Temporary authentication failure"),
    "sender-refused": ("MAIL", "550 5.7.60 Not your sender address"),
    "too-big": ("MAIL", "552 5.3.4 Message too big"),
    "rate-limited": ("MAIL", "421 4.7.0 Too many messages, try again later"),
    "drops-at-mail": ("MAIL", DROP),
    "hangs-at-mail": ("MAIL", HANG),
    "nonsense-at-mail": ("MAIL", "hello yourself"),
    "greylisted": ("RCPT", "450 4.2.0 Greylisted, try again later"),
    "recipient-refused": ("RCPT", "550 5.1.1 No such user"),
    "no-relay": ("RCPT", "554 5.7.1 Relay access denied"),
    "login-required": ("RCPT", "530 5.7.0 Authentication required"),
    "drops-at-rcpt": ("RCPT", DROP),
    "text-deferred": ("DATA", "451 4.3.0 Queue file write error"),
    "text-refused": ("DATA", "554 5.7.1 Message content rejected"),
    "hangs-after-text": ("DATA", HANG),
    "drops-after-text": ("DATA", DROP),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail as it arrived."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass
class _Fault:
    name: str
    command: str
    answer: str
    times: int | None  # None: for ever
    recipient: str | None
    taken: bool  # the mail is kept all the same: the answer is what gets lost


class Smtpd:
    """`with Smtpd() as server:`; what it took is in `mails`. `user` and `password` make a log-in necessary."""

    host = "localhost"

    def __init__(
        self,
        *,
        tls: Literal["none", "starttls", "implicit"] = "none",
        certificate: tuple[Path, Path] | None = None,
        user: str = "",
        password: str = "",
        port: int = 0,
    ) -> None:
        self.mails: list[Taken] = []
        self.connections = 0
        self.misbehaved: list[str] = []  # the names of what was done, in order
        self._faults: list[_Fault] = []
        self._login = (user.encode(), password.encode()) if user else None
        self._changed = threading.Condition()
        self._open: set[SMTP] = set()
        self._context = server_context(*certificate) if certificate else None
        self._implicit = tls == "implicit"
        self._port = port
        self._options: dict[str, Any] = {"hostname": "mx.example.com", "data_size_limit": 50_000_000}
        if tls == "starttls":
            self._options |= {"tls_context": self._context, "require_starttls": True}
        if user:
            self._options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="smtpd")

    def __enter__(self) -> Smtpd:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(
            lambda: _Session(self, **self._options, loop=self._loop),
            "127.0.0.1",
            self._port,
            ssl=self._context if self._implicit else None,
        )

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        for session in tuple(self._open):
            if isinstance(session.transport, asyncio.WriteTransport):
                session.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    def misbehave(
        self, name: str, *, times: int | None = None, recipient: str | None = None, taken: bool = False
    ) -> None:
        """From now on, as often as `times` says; `recipient`: only at RCPT of this address."""
        command, answer = MISBEHAVIOURS[name]
        self._faults.append(_Fault(name, command, answer, times, recipient, taken))

    def behave(self) -> None:
        self._faults.clear()

    def drop_all(self) -> None:
        """Closes every connection, as a server that is restarted."""

        def close() -> None:
            for session in tuple(self._open):
                if session.transport is not None:
                    session.transport.close()

        self._loop.call_soon_threadsafe(close)
        self.wait_for(lambda: not self._open)

    def wait_for_mails(self, count: int, seconds: float = 60) -> list[Taken]:
        self.wait_for(lambda: len(self.mails) >= count, seconds)
        return list(self.mails)

    def wait_for(self, condition: Any, seconds: float = 60) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"{len(self.mails)} mails after {seconds} s"

    # ------------------------------------------------------------ what aiosmtpd calls

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        odd = await self._odd("EHLO", server)
        return [odd] if odd else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        odd = await self._odd("MAIL", server)
        if not odd:
            envelope.mail_from = address
        return odd or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        odd = await self._odd("RCPT", server, address)
        if not odd:
            envelope.rcpt_tos.append(address)
        return odd or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._fault("DATA", None)
        if fault is None or fault.taken:
            with self._changed:
                content = envelope.content
                assert isinstance(content, bytes)
                sender = (envelope.mail_from or "").removeprefix("<>")
                self.mails.append(Taken(sender, tuple(envelope.rcpt_tos), content))
                self._changed.notify_all()
        return await self._do(fault, server) or f"250 2.0.0 OK: queued as {len(self.mails)}"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        fault = self._fault("AUTH", None)
        if fault:
            return AuthResult(success=False, handled=False, message=fault.answer)
        right = isinstance(data, LoginPassword) and (data.login, data.password) == self._login
        return AuthResult(success=right, handled=False, message=None if right else "535 5.7.8 Wrong credentials")

    def connected(self, server: SMTP, opened: bool) -> None:
        with self._changed:
            if opened:
                self.connections += 1
                self._open.add(server)
            else:
                self._open.discard(server)
            self._changed.notify_all()

    def _fault(self, command: str, recipient: str | None) -> _Fault | None:
        for fault in self._faults:
            if fault.command != command or fault.times == 0 or fault.recipient not in (None, recipient):
                continue
            if fault.times is not None:
                fault.times -= 1
            with self._changed:
                self.misbehaved.append(fault.name)
                self._changed.notify_all()
            return fault
        return None

    async def _odd(self, command: str, server: SMTP, recipient: str | None = None) -> str:
        return await self._do(self._fault(command, recipient), server)

    async def _do(self, fault: _Fault | None, server: SMTP) -> str:
        if fault is None:
            return ""
        if fault.answer == HANG:
            await asyncio.get_running_loop().create_future()
        if fault.answer == DROP or fault.answer.startswith("421"):
            assert isinstance(server.transport, asyncio.WriteTransport)
            if fault.answer.startswith("421"):
                server.transport.write(fault.answer.encode() + b"\r\n")
            server.transport.close()
            await asyncio.get_running_loop().create_future()
        return fault.answer


class _Session(SMTP):
    def __init__(self, owner: Smtpd, **options: Any) -> None:
        self._owner = owner
        super().__init__(owner, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._owner.connected(self, True)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.connected(self, False)
        super().connection_lost(error)
