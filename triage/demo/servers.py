"""A mail server inside the process: IMAP (pymap) and SMTP (aiosmtpd) on free ports of the loopback interface."""

from __future__ import annotations

import asyncio
import imaplib
import logging
import socket
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

USER, PASSWORD = "support", "demo"


@dataclass(slots=True)
class Servers:
    """Where they listen, and what the SMTP server has taken."""

    imap_port: int
    smtp_port: int
    taken: list[bytes] = field(default_factory=list)

    def deliver(self, mails: list[bytes]) -> None:
        """Put mails into the support mailbox."""
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        client.login(USER, PASSWORD)
        for mail in mails:
            client.append("INBOX", "", "", mail)
        client.logout()


@contextmanager
def running() -> Iterator[Servers]:
    """Both servers, in a thread of their own."""
    servers = Servers(_free_port(), _free_port())
    ready, stop = threading.Event(), threading.Event()
    failure: list[BaseException] = []

    def live() -> None:
        try:
            asyncio.run(_serve(servers, ready, stop))
        except BaseException as error:
            failure.append(error)
            ready.set()

    thread = threading.Thread(target=live, name="demo servers", daemon=True)
    thread.start()
    ready.wait(30)
    if failure:
        raise failure[0]
    try:
        yield servers
    finally:
        stop.set()
        thread.join(10)


async def _serve(servers: Servers, ready: threading.Event, stop: threading.Event) -> None:
    from aiosmtpd.smtp import SMTP
    from pymap.backend.dict import DictBackend
    from pymap.imap import IMAPService

    for noisy in ("pymap", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    parser = ArgumentParser()
    parser.set_defaults(debug=False, passlib_cfg=None)
    DictBackend.add_subparser("dict", parser.add_subparsers(dest="backend"))
    IMAPService.add_arguments(parser)
    arguments = parser.parse_args(
        ["--host", "127.0.0.1", "--port", str(servers.imap_port), "--no-tls", "dict", "--demo-user", USER,
         "--demo-password", PASSWORD]
    )  # fmt: skip
    backend, config = await DictBackend.init(arguments)
    config.apply_context()
    loop = asyncio.get_running_loop()
    _keep_tasks(loop)
    smtp = await loop.create_server(
        lambda: SMTP(_Keep(servers.taken), enable_SMTPUTF8=True, hostname="demo.invalid"),
        "127.0.0.1",
        servers.smtp_port,
    )
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        await IMAPService(backend, config).start(stack)
        ready.set()
        await asyncio.to_thread(stop.wait)
        smtp.close()


def _keep_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Hold every task until it is done. The loop itself only knows them weakly, and the server's library leaves the
    task of a connection to nobody: the garbage collector may take it while it waits for the next command, and the
    client waits for ever."""
    running: set[asyncio.Task[Any]] = set()

    def made(loop: asyncio.AbstractEventLoop, work: Any, **keys: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **keys)
        running.add(task)
        task.add_done_callback(running.discard)
        return task

    loop.set_task_factory(made)


class _Keep:
    """Keeps what is handed in."""

    def __init__(self, taken: list[bytes]) -> None:
        self._taken = taken

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self._taken.append(bytes(envelope.content))
        return "250 taken"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
