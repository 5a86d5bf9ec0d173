"""Clients of the public port that never pause: each answer, or none, is kept.

Reading clients keep their connection, as applications do; sending ones make one for each file. A
few send so slowly that whatever is switched is switched in the middle of a request.
"""

import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.deploy.releases import HEADER

# Only so that a hang is called one.
TIMEOUT: Final = 60.0
LISTS: Final = (
    "/api/v1/alerts",
    "/api/v1/claims?page_size=10",
    "/api/v1/uploads?page_size=5",
    "/api/v1/auth/me",
    "/api/v1/webhook-deliveries?page_size=5",
)
COLUMNS: Final = "claim_number,line_number,payer,cpt,submitted_date,decided_date,outcome"
SLOW_PIECES: Final = 12
SLOW_PAUSE: Final = 0.25


@dataclass(frozen=True)
class Client:
    """A customer of the product: what its requests are signed with."""

    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Answered:
    """A request; status 0 where no answer came, `release` "" where none of ours gave it."""

    kind: str
    client: str
    path: str
    began: float
    ended: float
    status: int
    release: str
    error: str = ""

    @property
    def has_failed(self) -> bool:
        return not 200 <= self.status < 300


class Load:
    """Requests to one port from entering to leaving. A context manager."""

    def __init__(self, port: int, clients: list[Client]) -> None:
        self.answers: list[Answered] = []
        self._port = port
        self._stop = threading.Event()
        self._numbers = itertools.count(time.time_ns())
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, client), name=f"load {client.name}")
            for client in clients
            for work in (self._read, self._read, self._send)
        ]
        # Half a request apart: there is always one in the middle.
        self._threads += [
            threading.Thread(target=self._repeat, args=(self._send_slowly, clients[0], delay))
            for delay in (0.0, SLOW_PIECES * SLOW_PAUSE / 2)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more; returns when all that was begun has ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def since(self, moment: float) -> list[Answered]:
        """All that ended at that time or later."""
        return [answer for answer in list(self.answers) if answer.ended >= moment]

    def _repeat(
        self, work: Callable[[Client], Iterator[float]], client: Client, delay: float = 0.0
    ) -> None:
        """Do the work step by step; each says how long to pause."""
        self._stop.wait(delay)
        for pause in work(client):
            if self._stop.wait(pause):
                return

    def _read(self, client: Client) -> Iterator[float]:
        connection = self._connection()
        try:
            for path in itertools.cycle(LISTS):
                self._exchange("read", client, connection, "GET", path)
                yield 0.1
        finally:
            connection.close()

    def _send(self, client: Client) -> Iterator[float]:
        while True:
            connection = self._connection()
            try:
                body = self._file()
                self._exchange("send", client, connection, "POST", "/api/v1/uploads", body)
            finally:
                connection.close()
            yield 0.7

    def _send_slowly(self, client: Client) -> Iterator[float]:
        while True:
            body = self._file()
            connection = self._connection()
            try:
                # To the end even when the test is over: what was begun is to be answered.
                pieces = self._slow_pieces(body)
                self._exchange("slow", client, connection, "POST", "/api/v1/uploads", body, pieces)
            finally:
                connection.close()
            yield 0.0

    def _slow_pieces(self, body: bytes) -> Iterator[bytes]:
        size = -(-len(body) // SLOW_PIECES)
        for start in range(0, len(body), size):
            yield body[start : start + size]
            time.sleep(0.0 if self._stop.is_set() else SLOW_PAUSE)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)

    def _file(self) -> bytes:
        """Two claims of their own."""
        number = next(self._numbers)
        rows = [
            f"L{number}-{line},{line},Aetna,99213,2026-01-05,2026-01-20,PAID" for line in (1, 2)
        ]
        return "\n".join([COLUMNS, *rows, ""]).encode()

    def _exchange(
        self,
        kind: str,
        client: Client,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes = b"",
        pieces: Iterator[bytes] | None = None,
    ) -> None:
        began = time.time()
        headers = client.headers
        if body:
            headers |= {"Content-Type": "text/csv", "Content-Length": str(len(body))}
        status, release, error = 0, "", ""
        try:
            connection.request(method, path, pieces or body or None, headers)
            response = connection.getresponse()
            status, release = response.status, response.getheader(HEADER, "")
            content = response.read()
            error = "" if status < 400 else content[:300].decode(errors="replace")
        except (OSError, http.client.HTTPException) as failure:
            status, error = 0, repr(failure)
            with suppress(OSError):
                connection.close()
        self.answers.append(
            Answered(kind, client.name, path, began, time.time(), status, release, error)
        )
