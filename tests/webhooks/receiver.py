"""A receiver of webhooks that does as it is told, be it good or bad: a real server on loopback.

It runs in a thread with an event loop of its own. A script gets each request with its connection,
and writes bytes: what follows no protocol can be said as well.
"""

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True)
class Request:
    """What was received; `connection` numbers the connections from 1."""

    line: str
    # In the order and the case in which they came.
    fields: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    at: float

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case."""
        return {name.lower(): value for name, value in self.fields}


class Exchange:
    """A request, and the connection on which to answer it."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.writer = writer

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection by RST: what isn't read yet is lost."""
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"", *, headers: Sequence[str] = ()) -> bytes:
    """A well-formed answer with a length."""
    lines = [f"HTTP/1.1 {status} As told", *headers]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(content: bytes) -> Script:
    """Send these bytes to each request, and keep the connection."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)

    return script


def answers(status: int = 200, body: bytes = b"", *, headers: Sequence[str] = ()) -> Script:
    return says(answer(status, body, headers=headers))


def closes_after(content: bytes = b"") -> Script:
    """Send these bytes and close."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)
        exchange.writer.close()

    return script


def resets_after(content: bytes = b"") -> Script:
    """Send these bytes, give them time to arrive, and break the connection."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)
        await asyncio.sleep(0.1)
        exchange.reset()

    return script


def hangs_after(content: bytes = b"") -> Script:
    """Send these bytes, then nothing any more."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)
        await asyncio.Event().wait()

    return script


def drips(content: bytes, *, then: bytes, pause: float = 0.05) -> Script:
    """Send `content`, then the bytes of `then` one by one, over and over."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)
        while True:
            for number in range(len(then)):
                await exchange.send(then[number : number + 1])
                await asyncio.sleep(pause)

    return script


def floods(content: bytes, *, then: bytes) -> Script:
    """Send `content`, then `then` without end, as fast as it is taken."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(content)
        while True:
            await exchange.send(then)

    return script


def in_turn(*scripts: Script) -> Script:
    """One script for each request; the last for all that follow."""
    left = list(scripts)

    async def script(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return script


class Receiver:
    """A server on loopback, from the moment it is entered. A context manager."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "",
        greeting: bytes = b"",
    ) -> None:
        self.script = script or answers()
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._greeting = greeting
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{host or '127.0.0.1'}:{self.port}/hook"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="receiver")
        self._stop = asyncio.Event()
        self._started = threading.Event()

    def __enter__(self) -> "Receiver":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._talk, sock=self._socket, ssl=self._tls)
        # Whoever comes without the right certificate and such is none of our business.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._started.set()
        await self._stop.wait()
        server.close()
        talks = asyncio.all_tasks() - {asyncio.current_task()}
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        # In which what was closed is closed.
        await asyncio.sleep(0.01)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            writer.write(self._greeting)
            while request := await self._read(reader, number):
                self.requests.append(request)
                await self.script(Exchange(request, writer))
                if writer.is_closing():
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has gone
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = tuple(
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        lengths = [int(value) for name, value in fields if name.lower() == "content-length"]
        body = await reader.readexactly(lengths[0]) if lengths else b""
        return Request(line, fields, body, connection, time.time())
