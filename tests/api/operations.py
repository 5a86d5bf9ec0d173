"""Every operation of the API with a JSON body, as its documentation describes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from drf_spectacular.settings import spectacular_settings

from tests.api.archive import Archive
from tests.api.client import Answer, Api

PREFIX = "/api/v1"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    generator = spectacular_settings.DEFAULT_GENERATOR_CLASS()
    found: dict[str, Any] = generator.get_schema(request=None, public=True)
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it refers to."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


@dataclass(frozen=True)
class Operation:
    """One method of a path; `body` is the schema of what it takes, `example` a body."""

    name: str
    method: str
    path: str
    body: dict[str, Any]
    example: dict[str, Any]

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        return dict(self.body["properties"])

    def send(self, scene: Archive, superuser: Api, body: Any) -> Answer:
        """Send a body, as somebody who may, to an object that there is."""
        prefix = self.path.split("/")[1]
        some_id = some_ids(scene).get(prefix)
        # Attempts to sign in are counted: not at the address that everybody else has.
        api = {"customers": superuser, "auth": Api(address="198.51.100.1")}.get(prefix, scene.admin)
        return api.request(self.method, self.path.replace("{id}", str(some_id)), body)

    def valid(self, scene: Archive) -> dict[str, Any]:
        """A body like the documented one, about objects that there are."""
        references = {"payer": scene.payers[1], "cpt_group": scene.groups[1]}
        return {
            name: references.get(name, scene.payers[2] if name == "into" else value)
            for name, value in self.example.items()
        }


@cache
def some_ids(scene: Archive) -> dict[str, int]:
    """An object of each resource that can be written to."""
    own = {"customers": scene.customer_id, "payers": scene.payers[3]}
    tables = {
        "memberships": "membership",
        "payer-aliases": "payer_alias",
        "cpt-groups": "cpt_group",
        "cpt-mappings": "cpt_mapping",
        "alert-rules": "alert_rule",
        "alerts": "alert",
        "webhook-endpoints": "webhook_endpoint",
    }
    return own | {prefix: scene.rows(table)[0]["id"] for prefix, table in tables.items()}


def paths() -> Iterator[tuple[str, dict[str, Any]]]:
    """The paths of the API itself, without its prefix, and what the document says of them."""
    for path, methods in document()["paths"].items():
        if path.startswith(PREFIX):
            yield path.removeprefix(PREFIX), methods


def walk() -> Iterator[Operation]:
    for path, methods in paths():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                yield Operation(
                    operation["operationId"],
                    method.upper(),
                    path,
                    resolved(content["schema"]),
                    content["examples"]["example"]["value"],
                )


def each_operation(test: Any) -> Any:
    """Parametrize a test by `operation`."""
    cases = [pytest.param(operation, id=operation.name) for operation in walk()]
    return pytest.mark.parametrize("operation", cases)(test)
