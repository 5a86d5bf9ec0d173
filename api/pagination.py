"""Pages by key: each begins where the former ended, whatever was added or deleted meanwhile.

The key is the ordering's column and the id, so that ties are no problem; NULLs sort where
PostgreSQL puts them (last, or first when descending). A cursor is signed, and bound to the list,
its filters and ordering, and the customer: one from elsewhere is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.core import signing
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from api.keyset import Ordering, Page

DEFAULT_SIZE: Final = 25
MAX_SIZE: Final = 100
# Counted exactly up to here: a count of everything would take longer than the page.
MAX_COUNT: Final = 10_000
SALT: Final = "claimdrift.cursor"


@dataclass(frozen=True)
class Position:
    """Where a page begins: after a key, or before it when `backward`; None: at the first row."""

    key: list[Any] | None
    backward: bool
    inclusive: bool


class KeysetPagination(BasePagination):
    """`?page_size=`, `?cursor=`; the envelope of every list."""

    page_size = DEFAULT_SIZE

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.binding = _binding(request, view)
        ordering = Ordering.parse(view.chosen_ordering(), queryset.model)
        size = _size(request)
        at = self._position()

        self.count, self.count_is_exact = bounded_count(queryset)
        way = ordering.reversed() if at.backward else ordering
        page = Page(
            everything=view.everything,
            matches=queryset,
            ordering=way,
            parts=way.beyond(at.key, inclusive=at.inclusive),
            limit=size + 1,
        )
        if not view.is_narrowed():
            rows = page.walk()
        elif self.count_is_exact:
            rows = page.gather()
        else:
            rows = page.look_around()
        keys = [ordering.key(row) for row in rows]
        return self._turn(rows, keys, at, size)

    def paginate_rows(
        self, rows: list[dict[str, Any]], identity: str, request: Request, view: Any
    ) -> list[dict[str, Any]]:
        """The same for rows that are all here; NULLs last, or first when descending."""
        self.request = request
        self.binding = _binding(request, view)
        text = view.chosen_ordering()
        field = text.removeprefix("-")
        size = _size(request)
        at = self._position()

        def place(value: Any, number: int) -> tuple[bool, Any, int]:
            return value is None, value or 0, number

        def place_of(row: dict[str, Any]) -> tuple[bool, Any, int]:
            return place(row[field], row[identity])

        descending = text.startswith("-") != at.backward
        rows = sorted(rows, key=place_of, reverse=descending)
        self.count, self.count_is_exact = min(len(rows), MAX_COUNT), len(rows) <= MAX_COUNT
        if at.key is not None:
            start = place(*at.key)
            rows = [
                row
                for row in rows
                if (place_of(row) < start if descending else place_of(row) > start)
                or (at.inclusive and place_of(row) == start)
            ]
        keys = [[row[field], row[identity]] for row in rows]
        return self._turn(rows, keys, at, size)

    def _turn(self, rows: list[Any], keys: list[list[Any]], at: Position, size: int) -> list[Any]:
        """The page that begins with `rows`, and the links to those beside it."""
        is_more = len(rows) > size
        rows, keys = rows[:size], keys[:size]
        if at.backward:
            rows.reverse()
            keys.reverse()
        # Beside a page that turned out empty is the very row that it was to begin after.
        first, last = (keys[0], keys[-1]) if keys else (at.key, at.key)
        inclusive = not keys
        has_next = at.backward or is_more
        has_previous = is_more if at.backward else at.key is not None
        self.next = self._link(Position(last, False, inclusive)) if has_next and last else None
        self.previous = (
            self._link(Position(first, True, inclusive)) if has_previous and first else None
        )
        return rows

    def _position(self) -> Position:
        text = self.request.query_params.get("cursor")
        if text is None:
            return Position(None, False, False)
        try:
            content = signing.loads(text, salt=SALT)
        except signing.BadSignature:
            content = None
        if content is None or content["b"] != self.binding:
            raise ValidationError(
                {"cursor": "This cursor isn't one of this list with these filters. Start without."}
            )
        return Position(content["k"], content["r"], content["i"])

    def _link(self, at: Position) -> str:
        content = {"b": self.binding, "k": at.key, "r": at.backward, "i": at.inclusive}
        cursor = signing.dumps(content, salt=SALT)
        query = self.request.query_params.dict() | {"cursor": cursor}
        return f"{self.request.build_absolute_uri(self.request.path)}?{urlencode(query)}"

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "count": self.count,
                "count_exact": self.count_is_exact,
                "next": self.next,
                "previous": self.previous,
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        def link(which: str) -> dict[str, Any]:
            return {
                "type": ["string", "null"],
                "format": "uri",
                "description": f"The {which} page; null where there is none.",
            }

        return {
            "type": "object",
            "description": "One page of a list.",
            "required": ["count", "count_exact", "next", "previous", "results"],
            "additionalProperties": False,
            "properties": {
                "count": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_COUNT,
                    "description": "How many there are on all pages; at most 10000.",
                },
                "count_exact": {
                    "type": "boolean",
                    "description": "Whether that is exact; false: there are more than 10000.",
                },
                "next": link("next"),
                "previous": link("previous"),
                "results": dict(schema) | {"description": "The page itself."},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where to go on: as it is in `next` and `previous`.",
                "schema": {"type": "string", "minLength": 1},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": f"How many to a page, {DEFAULT_SIZE} by default.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_SIZE,
                    "default": DEFAULT_SIZE,
                },
            },
        ]


def bounded_count(queryset: QuerySet[Any]) -> tuple[int, bool]:
    """How many rows there are, and whether that is exact; counts no more than MAX_COUNT."""
    count = queryset.order_by()[: MAX_COUNT + 1].count()
    return min(count, MAX_COUNT), count <= MAX_COUNT


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT_SIZE))
    # The length first: Python refuses to read a number of thousands of digits.
    if not (len(text) <= 3 and text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_SIZE):
        raise ValidationError({"page_size": f"Give a whole number from 1 to {MAX_SIZE}."})
    return int(text)


def _binding(request: Request, view: Any) -> str:
    """What a cursor is good for: this list, of this customer, so filtered and ordered."""
    parameters = sorted(
        (name, value)
        for name, value in request.query_params.items()
        if name not in {"cursor", "page_size"}
    )
    text = json.dumps([request.path, view.customer_id, view.chosen_ordering(), parameters])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
