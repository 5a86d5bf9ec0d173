"""Requests of api_bench: what a list is asked anyway, and pages far in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg2.extensions import connection as Connection

from perf.bench import run

# Milliseconds, by kind of request. `far`: half of all claims match, and all of them lie far from
# where the list begins, so that half of the claims have to be looked at.
BARS: Final = {"first page": 30.0, "page": 100.0, "filter": 100.0, "far": 500.0, "summary": 100.0}


@dataclass(frozen=True)
class Place:
    """A row `share` of the way through a table's rows, in an ordering."""

    table: str
    ordering: str
    condition: str
    share: float
    backward: bool = False

    def key(self, owner: Connection, customer_id: int, like: list[Any]) -> list[Any]:
        """The row's key, of the same shape as another row's."""
        column = self.ordering.removeprefix("-")
        way = "DESC" if self.ordering.startswith("-") else "ASC"
        columns = column if len(like) == 1 else f"{column}, id"
        order = ", ".join(f"{name} {way}" for name in columns.split(", "))
        [row] = run(
            owner,
            f"SELECT {columns} FROM {self.table} WHERE customer_id = %s AND {self.condition}"
            f" ORDER BY {order} LIMIT 1 OFFSET greatest((SELECT floor(count(*) * %s)::bigint"
            f" FROM {self.table} WHERE customer_id = %s AND {self.condition}) - 1, 0)",
            customer_id,
            self.share,
            customer_id,
        )
        return [value.isoformat() if hasattr(value, "isoformat") else value for value in row]


@dataclass(frozen=True)
class Ask:
    """One request."""

    list: str
    name: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    as_superuser: bool = False
    kind: str = "filter"

    @property
    def bar(self) -> float:
        """Under how many milliseconds it should be answered."""
        return BARS[self.kind]


def shorten(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


@dataclass(frozen=True)
class Listed:
    """A list: where it is, which table's rows it shows, in which orders, and what to ask it."""

    path: str
    table: str
    orderings: tuple[str, ...]
    asked: tuple[Mapping[str, Any], ...]
    condition: str = "true"
    default: str = "-id"
    name: str = ""
    far: tuple[Mapping[str, Any], ...] = ()

    def requests(self) -> Iterator[Ask]:
        name = self.name or self.path
        yield Ask(name, "first page", self.path, kind="first page")
        yield Ask(name, "first page of 100", self.path, {"page_size": 100}, kind="page")
        for column in self.orderings:
            for ordering in (column, f"-{column}"):
                query: Mapping[str, Any] = (
                    {} if ordering == self.default else {"ordering": ordering}
                )
                if query:
                    yield Ask(name, f"by {ordering}", self.path, query, kind="page")
                for what, share, backward in (("90 % in", 0.9, False), ("the end", 1.0, True)):
                    place = Place(self.table, ordering, self.condition, share, backward)
                    yield Ask(name, f"by {ordering}, {what}", self.path, query, place, kind="page")
        for kind, queries in (("filter", self.asked), ("far", self.far)):
            for query in queries:
                text = "&".join(f"{key}={value}" for key, value in query.items())
                yield Ask(name, shorten(text), self.path, query, kind=kind)
