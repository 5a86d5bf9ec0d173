"""Writers and readers of the ledger, who note what they waited for and what was refused.

They work as claimdrift_worker. Their numbers are those that `Ledger.fill` made, and their own.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.errors import UniqueViolation

from perf.ledger.key import KEY

CUSTOMERS = 8
PAUSE_SECONDS = 0.002

Connect = Callable[[], Any]


class Session(threading.Thread):
    """One connection that does one thing after another until it is told to stop."""

    def __init__(self, connect: Connect, seed: int, numbers: int, name: str) -> None:
        super().__init__(name=f"{name}{seed}", daemon=True)
        self.random = random.Random(seed)  # noqa: S311 (repeatable)
        self.numbers = numbers
        self.connection = connect()
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.stopping = threading.Event()
        self.count: Counter[str] = Counter()
        self.errors: list[str] = []
        self.longest: dict[str, float] = {}

    def run(self) -> None:
        while not self.stopping.wait(PAUSE_SECONDS):
            try:
                self.act()
            except psycopg2.Error as error:
                self.errors.append(f"{error.pgcode} {error}")
        self.connection.close()

    def act(self) -> None:
        raise NotImplementedError

    def execute(self, kind: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        start = time.perf_counter()
        try:
            self.cursor.execute(sql, parameters)
            return self.cursor.fetchall() if self.cursor.description else []
        finally:
            took = time.perf_counter() - start
            self.longest[kind] = max(took, self.longest.get(kind, 0.0))

    def number(self) -> tuple[int, str]:
        """The key of a row that `Ledger.fill` made."""
        n = self.random.randrange(self.numbers)
        return n % CUSTOMERS, f"N{n}"


class Writer(Session):
    """Adds rows, some of them duplicates, and notes; changes and removes some."""

    def __init__(self, connect: Connect, seed: int, numbers: int, name: str) -> None:
        super().__init__(connect, seed, numbers, name)
        self.own: list[int] = []

    def act(self) -> None:
        drawn = self.random.random()
        if drawn < 0.5:
            self.add()
        elif drawn < 0.65:
            self.add_duplicate()
        elif drawn < 0.8:
            self.add_note()
        elif drawn < 0.95:
            self.execute(
                "update",
                # Rows with odd ids stay as they were made.
                "UPDATE ledger_entry SET amount = amount + 1"
                " WHERE customer_id = %s AND number = %s AND id %% 2 = 0",
                *self.number(),
            )
        elif self.own:
            self.execute("delete", "DELETE FROM ledger_entry WHERE id = %s", self.own.pop())
            self.count["deleted"] += 1

    def add(self) -> None:
        self.count["added"] += 1
        rows = self.execute(
            "insert",
            "INSERT INTO ledger_entry (customer_id, number) VALUES (%s, %s) RETURNING id",
            self.random.randrange(CUSTOMERS),
            f"{self.name}-{self.count['added']}",
        )
        self.own.append(rows[0][0])

    def add_duplicate(self) -> None:
        try:
            self.execute(
                "insert",
                "INSERT INTO ledger_entry (customer_id, number) VALUES (%s, %s)",
                *self.number(),
            )
            self.count["duplicates"] += 1
        except UniqueViolation as error:
            # Whatever refuses it says so by this name.
            if error.diag.constraint_name != KEY.name:
                raise
            self.count["refused"] += 1

    def add_note(self) -> None:
        """On a row that was there a moment ago."""
        rows = self.execute(
            "read",
            "SELECT customer_id, id FROM ledger_entry WHERE customer_id = %s AND number = %s",
            *self.number(),
        )
        self.execute(
            "insert",
            "INSERT INTO ledger_note (customer_id, entry_id) VALUES (%s, %s)",
            *self.random.choice(rows),
        )
        self.count["notes"] += 1


class Reader(Session):
    def act(self) -> None:
        self.execute(
            "read",
            "SELECT e.id, count(n.id) FROM ledger_entry AS e"
            " LEFT JOIN ledger_note AS n ON n.entry_id = e.id"
            " WHERE e.customer_id = %s AND e.number = %s GROUP BY e.id",
            *self.number(),
        )
        self.execute("read", "SELECT * FROM ledger_entry ORDER BY id DESC LIMIT 25")
        self.count["reads"] += 2


class Traffic:
    """So many writers and readers, while the block lasts; `former` ones are counted with them."""

    def __init__(
        self,
        connect: Connect,
        *,
        numbers: int,
        name: str = "s",
        writers: int = 4,
        readers: int = 2,
        former: "Traffic | None" = None,
    ) -> None:
        self.sessions: list[Session] = [
            *(Writer(connect, n, numbers, name) for n in range(writers)),
            *(Reader(connect, 100 + n, numbers, name) for n in range(readers)),
        ]
        self.all: list[Session] = [*self.sessions, *(former.all if former else [])]

    def __enter__(self) -> "Traffic":
        for session in self.sessions:
            session.start()
        return self

    def __exit__(self, *error: object) -> None:
        for session in self.sessions:
            session.stopping.set()
        for session in self.sessions:
            session.join()

    @property
    def count(self) -> Counter[str]:
        return sum((session.count for session in self.all), Counter())

    @property
    def errors(self) -> list[str]:
        return [error for session in self.all for error in session.errors]

    def longest_ms(self) -> dict[str, float]:
        """The longest of each kind since this was asked last."""
        longest: dict[str, float] = {}
        for session in self.sessions:
            seen, session.longest = session.longest, {}
            for kind, seconds in seen.items():
                longest[kind] = max(seconds, longest.get(kind, 0.0))
        return {kind: round(seconds * 1000, 1) for kind, seconds in sorted(longest.items())}
