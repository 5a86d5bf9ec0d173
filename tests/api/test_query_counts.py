"""How many statements each operation takes: a snapshot, and the same for one row as for many.

BEGIN and COMMIT aren't counted. Three are in every count: one looks the token up, one enters the
customer's context, one leaves it.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import connection

from tests.api.archive import Archive, insert
from tests.api.client import Answer, Api
from tests.api.lists import LISTS, Listing, each_list
from tests.api.operations import paths
from tests.database import Database

FILE = Path(__file__).with_name("query_counts.json")
COMMAND = "WRITE_QUERY_COUNTS=1 .venv/bin/python -m pytest tests/api/test_query_counts.py"

AROUND: Final = 3
PAGE: Final = 3

# A password isn't a token, the documentation needs none, and a file is sent in chunks.
WITHOUT_TOKEN = {"auth_login", "schema", "docs", "redoc"}
IN_CHUNKS = {"uploads_create"}
FOR_SUPERUSERS = {"customers_create", "customers_partial_update"}


def first(table: str, **columns: Any) -> Callable[[Archive], int]:
    """The first row of a table that has these values."""

    def find(scene: Archive) -> int:
        rows = scene.rows(table)
        return int(next(row["id"] for row in rows if columns.items() <= row.items()))

    return find


def new(table: str, **columns: Any) -> Callable[[Archive], int]:
    """A row of its own."""
    return lambda scene: insert(
        scene.owner, table, [{"customer_id": scene.customer_id, **columns}]
    )[0]


def of_payer(scene: Archive) -> int:
    return new("payer_alias", alias="to delete", payer_id=scene.payers[0])(scene)


def of_group(scene: Archive) -> int:
    return new("cpt_mapping", cpt="TODELETE", cpt_group_id=scene.groups[0])(scene)


def own_token(scene: Archive) -> int:
    answer = scene.member.post("/tokens", {"name": "to end", "scope": "read"})
    return int(answer.json["id"])


def a_member(scene: Archive) -> int:
    user_id = scene.join()
    return int(next(r["id"] for r in scene.rows("membership") if r["user_id"] == user_id))


def an_endpoint(scene: Archive) -> int:
    count = scene.owner.value("SELECT count(*) FROM webhook_endpoint")
    return new("webhook_endpoint", url=f"https://hooks.example/{count}")(scene)


# Which object an operation is about, where it isn't the first one of its resource.
OBJECTS: dict[str, Callable[[Archive], int]] = {
    "alerts_acknowledge_create": first("alert", status="open"),
    "alerts_resolve_create": first("alert", status="acknowledged"),
    "alerts_reopen_create": first("alert", status="resolved"),
    "alert_rules_destroy": new("alert_rule", name="to delete"),
    "cpt_groups_destroy": new("cpt_group", name="to delete"),
    "cpt_mappings_destroy": of_group,
    "memberships_destroy": a_member,
    "memberships_partial_update": a_member,
    "payer_aliases_destroy": of_payer,
    "payers_destroy": new("payer", name="to delete"),
    "payers_merge_create": new("payer", name="to merge"),
    "payers_partial_update": new("payer", name="to rename"),
    "tokens_destroy": own_token,
    "tokens_retrieve": own_token,
    "webhook_endpoints_destroy": an_endpoint,
    "webhook_endpoints_partial_update": an_endpoint,
    "webhook_endpoints_recover": an_endpoint,
    "webhook_endpoints_rotate_secret": an_endpoint,
    "webhook_endpoints_test": an_endpoint,
}
TABLES = {
    "alert-rules": "alert_rule",
    "alerts": "alert",
    "audit": "audit_entry",
    "claims": "claim",
    "cpt-groups": "cpt_group",
    "cpt-mappings": "cpt_mapping",
    "drift-events": "drift_event",
    "drift-runs": "drift_run",
    "memberships": "membership",
    "payer-aliases": "payer_alias",
    "payers": "payer",
    "uploads": "upload",
    "webhook-deliveries": "webhook_delivery",
    "webhook-endpoints": "webhook_endpoint",
}
BODIES: dict[str, Callable[[Archive], dict[str, Any]]] = {
    "alert_rules_create": lambda scene: {"name": "New", "payer": scene.payers[0]},
    "alert_rules_partial_update": lambda scene: {"threshold": 0.5},
    "alerts_acknowledge_create": lambda scene: {},
    "alerts_judge": lambda scene: {"verdict": "real"},
    "alerts_reopen_create": lambda scene: {},
    "alerts_resolve_create": lambda scene: {},
    "cpt_groups_create": lambda scene: {"name": "New"},
    "cpt_groups_partial_update": lambda scene: {"name": "Renamed"},
    "cpt_mappings_create": lambda scene: {"cpt": "NEW", "cpt_group": scene.groups[0]},
    "cpt_mappings_partial_update": lambda scene: {"cpt": "RENAMED"},
    "customers_create": lambda scene: {"name": "New", "slug": f"new-{scene.slug}"},
    "customers_drift_settings_partial_update": lambda scene: {"min_volume": 40},
    "customers_partial_update": lambda scene: {"name": "Renamed"},
    "drift_runs_create": lambda scene: {},
    "memberships_create": lambda scene: {"email": f"new-{scene.slug}@example.org"},
    "memberships_partial_update": lambda scene: {"role": "admin"},
    "payer_aliases_create": lambda scene: {"alias": "New alias", "payer": scene.payers[0]},
    "payer_aliases_partial_update": lambda scene: {"alias": "Renamed alias"},
    "payers_create": lambda scene: {"name": "New"},
    "payers_merge_create": lambda scene: {"into": scene.payers[0]},
    "payers_partial_update": lambda scene: {"name": "Renamed"},
    "tokens_create": lambda scene: {"name": "New", "scope": "read"},
    "webhook_endpoints_create": lambda scene: {"url": "https://hooks.example/new"},
    "webhook_endpoints_partial_update": lambda scene: {"description": "Renamed"},
    "webhook_endpoints_recover": lambda scene: {"since": "2026-01-01T00:00:00Z"},
}


def operations() -> Iterator[tuple[str, str, str]]:
    """Name, method and path of every operation that takes a token; the one that ends it last."""
    found = [
        (operation["operationId"], method.upper(), path)
        for path, methods in paths()
        for method, operation in methods.items()
    ]
    yield from sorted(found, key=lambda entry: entry[0] == "auth_logout")


@contextmanager
def counting() -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    statements: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, parameters, many, context)

    connection.ensure_connection()
    with connection.execute_wrapper(note):
        yield statements


def count(api: Api, method: str, path: str, body: Any = None) -> tuple[int, Answer]:
    with counting() as statements:
        answer = api.request(method, path, body)
    assert answer.status < 300, (path, answer.content)
    return len(statements), answer


def caller(scene: Archive, superuser: Api, name: str, method: str) -> Api:
    if name in FOR_SUPERUSERS:
        return superuser
    reads = method == "GET" or name.startswith(("alerts_", "tokens_", "auth_"))
    return scene.member if reads else scene.admin


@pytest.fixture(scope="module")
def scene(owner: Database, worker: Database) -> Archive:
    """A customer to be changed."""
    return Archive(owner, worker)


def test_each_operation_takes_as_many_statements_as_before(scene: Archive, superuser: Api) -> None:
    counts = {}
    for name, method, path in operations():
        if name in WITHOUT_TOKEN | IN_CHUNKS:
            continue
        prefix = path.split("/")[1]
        if "{id}" in path:
            find = OBJECTS.get(name) or first(TABLES.get(prefix, ""))
            number = scene.customer_id if prefix == "customers" else find(scene)
            path = path.replace("{id}", str(number))
        body = BODIES[name](scene) if name in BODIES else None
        counts[name], _ = count(caller(scene, superuser, name, method), method, path, body)

    counts = dict(sorted(counts.items()))
    if "WRITE_QUERY_COUNTS" in os.environ:
        FILE.write_text(json.dumps(counts, indent=4) + "\n", encoding="utf-8")
    assert counts == json.loads(FILE.read_text(encoding="utf-8")), COMMAND


def test_a_page_takes_at_most_three_statements_of_its_own() -> None:
    counts = json.loads(FILE.read_text(encoding="utf-8"))
    lists = {name: number for name, number in counts.items() if name.endswith("_list")}

    assert len(lists) == len(LISTS)
    assert max(lists.values()) <= AROUND + PAGE


@each_list(LISTS)
def test_one_row_takes_as_many_statements_as_many(
    archive: Archive, superuser: Api, listing: Listing
) -> None:
    api = listing.api(archive, superuser)
    one, few = count(api, "GET", listing.url(archive, page_size=1))
    many, more = count(api, "GET", listing.url(archive, page_size=50))

    assert len(few.results) == 1 < len(more.results)
    assert one == many


def test_statements_are_really_counted(archive: Archive) -> None:
    with counting() as statements:
        archive.member.get("/claims?page_size=1")

    kinds = ["tenancy.authenticate", "'claimdrift_tenant'", "COUNT(*)", "LIMIT 2", "set_config"]
    assert len(statements) == len(kinds)
    assert all(kind in sql for kind, sql in zip(kinds, statements, strict=True))
