"""An SMTP server that takes everything and counts it, in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from types import TracebackType


class Sink:
    """`with Sink() as sink:` listens on `sink.port`; `sink.taken` mails were accepted so far, the last at `sink.last`
    (seconds since the epoch)."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._port: Synchronized[int] = context.Value("i", 0)
        self._taken: Synchronized[int] = context.Value("q", 0)
        self._last: Synchronized[float] = context.Value("d", 0.0)
        self._ready: Event = context.Event()
        self._process = context.Process(
            target=_serve, args=(self._port, self._taken, self._last, self._ready), daemon=True
        )

    def __enter__(self) -> Sink:
        self._process.start()
        if not self._ready.wait(30):
            raise RuntimeError("the SMTP sink did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    @property
    def port(self) -> int:
        return self._port.value

    @property
    def taken(self) -> int:
        return self._taken.value

    @property
    def last(self) -> float:
        return self._last.value


def _serve(port: Synchronized[int], taken: Synchronized[int], last: Synchronized[float], ready: Event) -> None:
    class Session(asyncio.Protocol):
        """As much of RFC 5321 as a mailer needs, with PIPELINING."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._out, self._got, self._text = transport, b"", False
            transport.write(b"220 sink.example ESMTP\r\n")

        def data_received(self, data: bytes) -> None:
            self._got += data
            while True:
                if self._text:
                    end = self._got.find(b"\r\n.\r\n")
                    if end < 0:
                        return
                    self._got, self._text = self._got[end + 5 :], False
                    taken.value += 1
                    last.value = time.time()
                    self._out.write(b"250 2.0.0 taken\r\n")
                    continue
                line, found, rest = self._got.partition(b"\r\n")
                if not found:
                    return
                self._got = rest
                self._command(line[:4].upper())

        def _command(self, verb: bytes) -> None:
            if verb == b"EHLO":
                self._out.write(b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                self._text = True
                self._out.write(b"354 go on\r\n")
            elif verb == b"QUIT":
                self._out.write(b"221 bye\r\n")
                self._out.close()
            else:
                self._out.write(b"250 2.1.0 ok\r\n")

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    asyncio.run(serve())
