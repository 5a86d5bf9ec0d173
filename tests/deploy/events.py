"""Customers to whom things happen all the time, and a receiver that keeps what it is told of."""

import threading
import time
from collections import defaultdict

import psycopg2

from core import tokens
from tests.acceptance.delivering import Ledger, add_endpoint, publish
from tests.database import Database
from tests.deploy.load import Client
from tests.portfolio import Portfolio
from tests.webhooks.receiver import Exchange, Receiver

PAUSE = 0.2
EVENTS = 2


class Book(Ledger):
    """What arrived, and which release sent it when."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: defaultdict[str, list[float]] = defaultdict(list)

    async def __call__(self, exchange: Exchange) -> None:
        agent = exchange.request.headers.get("user-agent", "")
        self.sent[agent.partition("/")[0]].append(time.time())
        await super().__call__(exchange)


class Practice:
    """A customer with a token and two endpoints."""

    def __init__(self, owner: Database, worker: Database, receiver: Receiver, book: Book) -> None:
        self.portfolio = Portfolio(owner, worker)
        self.customer_id = self.portfolio.customer_id
        self.slug = self.portfolio.slug
        for number in (1, 2):
            path = f"/{self.slug}/{number}"
            url = f"http://127.0.0.1:{receiver.port}{path}"
            _, secret = add_endpoint(worker, self.portfolio, url)
            book.expect(path, secret)
        self.client = Client(self.slug, self._token(worker))

    def _token(self, worker: Database) -> str:
        token, prefix, digest = tokens.generate()
        user_id = self.portfolio.user()
        worker.execute(
            "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, %s, 'admin')",
            self.customer_id,
            user_id,
        )
        worker.execute(
            "SELECT tenancy.create_token(%s, %s, 'load', %s, %s, 'write', 'infinity')",
            self.customer_id,
            user_id,
            prefix,
            digest,
        )
        return token


class Stream:
    """Events of practices, from entering to leaving. A context manager.

    What was accepted is what a commit was answered for, `accepted`: ids of messages.
    """

    def __init__(self, practices: list[Practice]) -> None:
        self.accepted: set[str] = set()
        self.errors: list[psycopg2.Error] = []
        self._practices = practices
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events")

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more; returns when all that was begun has ended."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            for practice in self._practices:
                try:
                    self.accepted |= set(publish(practice.portfolio, EVENTS))
                except psycopg2.Error as error:
                    self.errors.append(error)
