"""The rows of a page: those that come next after a key, found without reading the whole table.

Any filter may meet any ordering, and no index serves both. Walking along the ordering's index is
fast where many rows match, wherever they are; finding all that match and sorting them, where few
do. The planner can't tell: it takes matches for evenly spread, while ids and dates run together,
payers end and codes are new. The count, which a list shows anyway, tells.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import F, Func, OrderBy, Q, QuerySet

# Where more than the 10,000 match that are counted, a page of them is likely among so many rows,
# unless they lie together somewhere else.
NEAR: Final = 5_000


class Unindexed(Func):
    """A column's value, but no index's: what is sorted by it has to be found first."""

    function = "GREATEST"
    arity = 1


@models.BigAutoField.register_lookup
class AnyOf(models.Lookup):
    """The id is one of those that a subquery finds.

    Unlike IN, it can't become a join: the subquery is planned and run by itself, once, and the
    rows are fetched by their ids.
    """

    lookup_name = "any_of"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} = ANY ({right})", (*left_parameters, *right_parameters)


@dataclass(frozen=True)
class Ordering:
    """One column, and the id in the same direction."""

    field: str
    descending: bool
    nullable: bool

    @classmethod
    def parse(cls, text: str, model: Any) -> "Ordering":
        field = text.removeprefix("-")
        return cls(field, text.startswith("-"), model._meta.get_field(field).null)

    def reversed(self) -> "Ordering":
        return Ordering(self.field, not self.descending, self.nullable)

    def apply(self, queryset: QuerySet[Any], *, by_index: bool = True) -> QuerySet[Any]:
        fields = [self.field] if self.field == "id" else [self.field, "id"]
        values = [F(field) if by_index else Unindexed(field) for field in fields]
        return queryset.order_by(*(OrderBy(value, descending=self.descending) for value in values))

    def key(self, row: Any) -> list[Any]:
        value = getattr(row, self.field)
        if isinstance(value, date | datetime):
            value = value.isoformat()
        return [row.pk] if self.field == "id" else [value, row.pk]

    def beyond(self, key: list[Any] | None, *, inclusive: bool) -> list[Q]:
        """What comes after a key, or with it if `inclusive`: ranges of the index, in their order.

        NULLs are a range of their own: `OR field IS NULL` would keep the index from being used.
        """
        if key is None:
            return [Q()]
        strictly, at_least = ("lt", "lte") if self.descending else ("gt", "gte")
        tie = Q(**{f"id__{at_least if inclusive else strictly}": key[-1]})
        if self.field == "id":
            return [tie]
        value = key[0]
        is_null = Q(**{f"{self.field}__isnull": True})
        if value is None:
            return [is_null & tie, ~is_null] if self.descending else [is_null & tie]
        # Says the same twice, for the index to start in the right place.
        further = Q(**{f"{self.field}__{at_least}": value}) & (
            Q(**{f"{self.field}__{strictly}": value}) | tie
        )
        return [further, is_null] if self.nullable and not self.descending else [further]


@dataclass(frozen=True)
class Page:
    """At most `limit` of the rows of `matches` in `parts`, in order.

    `everything` is what `matches` was filtered from, or the part of it that any page in this
    ordering can come from. Ids are found first, in the table alone; names of payers and groups are
    joined to them then. Joined before, they make the planner believe in far fewer rows.
    """

    everything: QuerySet[Any]
    matches: QuerySet[Any]
    ordering: Ordering
    parts: list[Q]
    limit: int

    def walk(self) -> list[Any]:
        """Walk along the ordering's index until enough match."""
        rows: list[Any] = []
        for part in self.parts:
            ids = self.ordering.apply(self.matches.filter(part))
            rows += self._rows(ids, self.limit - len(rows))
            if len(rows) == self.limit:
                break
        return rows

    def gather(self) -> list[Any]:
        """Find all that match, and sort them."""
        matches = self.matches.filter(reduce(or_, self.parts))
        return self._rows(self.ordering.apply(matches, by_index=False), self.limit)

    def look_around(self) -> list[Any]:
        """Look among the next NEAR rows; gather, should that not be enough."""
        part = self.parts[0]
        near = self.ordering.apply(self.everything.filter(part))
        ids = self.ordering.apply(self.matches.filter(part, pk__any_of=_ids(near, NEAR)))
        rows = self._rows(ids, self.limit)
        return rows if len(rows) == self.limit else self.gather()

    def _rows(self, ids: QuerySet[Any], limit: int) -> list[Any]:
        page = self.everything.filter(pk__any_of=_ids(ids, limit))
        return list(self.ordering.apply(page))


def _ids(queryset: QuerySet[Any], limit: int) -> ArraySubquery:
    return ArraySubquery(queryset.values("pk")[:limit])
