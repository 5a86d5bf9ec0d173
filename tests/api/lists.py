"""Every list of the API, found by walking its router, and what it ought to show.

What a list's parameters mean is told from their names, as a client would, and not from the
filters' own declarations: those are what is tested.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from api.urls import router
from tests.api.archive import Archive
from tests.api.client import Api

Row = dict[str, Any]

# Of the lists that aren't a resource's own.
TABLES = {
    "uploads/errors": "upload_error",
    "drift-runs/measurements": "drift_measurement",
    "drift-events/active": "drift_event",
    "alerts/history": "alert_transition",
    "alerts/judgments": "alert_judgment",
    "webhook-endpoints/deliveries": "webhook_delivery",
    "webhook-deliveries/attempts": "webhook_attempt",
}
PARENTS = {
    "uploads/errors": "upload_id",
    "drift-runs/measurements": "run_id",
    "alerts/history": "alert_id",
    "alerts/judgments": "alert_id",
    "webhook-endpoints/deliveries": "endpoint_id",
    "webhook-deliveries/attempts": "delivery_id",
}
# Counted for the request rather than read from a table: test_claims.py has it.
COUNTED = "claims/payer-summary"


@dataclass(frozen=True)
class Listing:
    """A list: `name` is its path without ids."""

    name: str
    path: str
    viewset: Any
    settings: dict[str, Any]

    def setting(self, name: str) -> Any:
        """An attribute of the view, as it is for this list."""
        return self.settings.get(name, getattr(self.viewset, name, None))

    @property
    def filters(self) -> dict[str, Any]:
        filterset = self.setting("filterset_class")
        return dict(filterset.base_filters) if filterset else {}

    @property
    def orderings(self) -> list[str]:
        return [sign + name for name in self.setting("ordering_fields") for sign in ("", "-")]

    @property
    def default_ordering(self) -> str:
        return str(self.setting("default_ordering"))

    def url(self, archive: Archive, **parameters: Any) -> str:
        """Its address, with query parameters."""
        path = self.path.replace("{id}", str(archive.parents.get(self.name.split("/")[0], "")))
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return f"{path}?{query}" if query else path

    def api(self, archive: Archive, superuser: Api) -> Api:
        """Somebody who sees all rows of it."""
        return superuser if self.name == "customers" else archive.admin

    def rows(self, archive: Archive) -> list[Row]:
        """All rows that it shows."""
        if self.name == "customers":
            return archive.owner.dicts("SELECT * FROM customer ORDER BY id")
        table = TABLES.get(self.name) or self.viewset.queryset.model._meta.db_table
        rows = archive.rows(table)
        if self.name in PARENTS:
            parent = archive.parents[self.name.split("/")[0]]
            rows = [row for row in rows if row[PARENTS[self.name]] == parent]
        if self.name == "drift-events/active":
            newest = max(row["as_of"] for row in archive.rows("drift_run") if row["applied"])
            last = newest - timedelta(days=1)
            rows = [row for row in rows if row["current_end"] == last and not row["withdrawn"]]
        if table == "webhook_delivery":
            types = {event["id"]: event["type"] for event in archive.rows("webhook_event")}
            rows = [row | {"event_type": types[row["event_id"]]} for row in rows]
        return rows


def walk() -> Iterator[Listing]:
    """All lists of the router."""
    viewset: Any
    for prefix, viewset, _ in router.registry:
        if hasattr(viewset, "list"):
            yield Listing(prefix, f"/{prefix}", viewset, {})
        for action in viewset.get_extra_actions():
            if action.__name__ in viewset.list_actions and "get" in action.mapping:
                path = f"/{prefix}/{{id}}" if action.detail else f"/{prefix}"
                yield Listing(
                    f"{prefix}/{action.url_path}",
                    f"{path}/{action.url_path}",
                    viewset,
                    action.kwargs,
                )


LISTS = list(walk())
STORED = [listing for listing in LISTS if listing.name != COUNTED]
BY_NAME = {listing.name: listing for listing in LISTS}


def each_list(lists: list[Listing] = STORED) -> pytest.MarkDecorator:
    """Parametrize a test by `listing`."""
    return pytest.mark.parametrize(
        "listing", [pytest.param(listing, id=listing.name) for listing in lists]
    )


def column_of(name: str, rows: list[Row]) -> str:
    """The column that a parameter or an ordering is about."""
    for suffix in ("__in", "_after", "_before"):
        name = name.removesuffix(suffix)
    if name in {"severity_min", "severity_max"}:
        return "peak_severity" if "peak_severity" in rows[0] else "severity"
    if name in {"line_min", "line_max"}:
        return "line"
    if name in {"whole_payer", "merged"}:
        return {"whole_payer": "cpt_group_id", "merged": "merged_into_id"}[name]
    return name if name in rows[0] else f"{name}_id"


def condition(name: str, rows: list[Row]) -> Callable[[Row, Any], bool]:
    """What a parameter asks of a row: a function of the row and the parameter's value."""
    column = column_of(name, rows)
    if name == "whole_payer":
        return lambda row, value: (row[column] is None) == value
    if name == "merged":
        return lambda row, value: (row[column] is not None) == value
    if name.endswith("__in"):
        return lambda row, value: row[column] in value
    if name.endswith(("_after", "_min")):
        return lambda row, value: row[column] is not None and row[column] >= value
    if name.endswith(("_before", "_max")):
        return lambda row, value: row[column] is not None and row[column] <= value
    return lambda row, value: bool(row[column] == value)


def text_of(value: Any) -> str:
    """A value as a parameter has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return ",".join(text_of(item) for item in value)
    return str(value)


def in_order(rows: list[Row], ordering: str) -> list[Row]:
    """Sorted as PostgreSQL does: NULLs last, or first where it descends."""
    column = column_of(ordering.removeprefix("-"), rows) if rows else ""

    def place(row: Row) -> tuple[bool, Any, int]:
        value = row[column]
        return value is None, 0 if value is None else value, row["id"]

    return sorted(rows, key=place, reverse=ordering.startswith("-"))


def ids(rows: list[Row]) -> list[int]:
    return [row["id"] for row in rows]
