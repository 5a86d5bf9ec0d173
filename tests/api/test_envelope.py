"""No list without the envelope: walked from the document, and from the routes by asking each."""

from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver

from tests.api.archive import Archive
from tests.api.lists import BY_NAME, LISTS
from tests.api.operations import paths, resolved

ENVELOPE = {"count", "count_exact", "next", "previous", "results"}


def is_list(value: Any) -> bool:
    """Whether an answer is a list, or an object around one that isn't the envelope."""
    if isinstance(value, list):
        return True
    if not isinstance(value, dict) or set(value) == ENVELOPE:
        return False
    return any(
        isinstance(item, list) and any(isinstance(entry, dict) for entry in item)
        for item in value.values()
    )


def is_list_schema(schema: dict[str, Any]) -> bool:
    """The same of a documented answer."""
    schema = resolved(schema)
    if schema.get("type") == "array":
        return True
    properties = schema.get("properties", {})
    if set(properties) == ENVELOPE == set(schema["required"]):
        return False
    return any(
        resolved(item).get("type") == "array"
        and resolved(resolved(item)["items"]).get("type") == "object"
        for item in properties.values()
    )


def documented_reads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and schema of every answer to a GET that is JSON."""
    for path, methods in paths():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "application/json" in content:
            yield path, content["application/json"]["schema"]


def test_every_documented_list_has_the_envelope() -> None:
    reads = {path: resolved(schema) for path, schema in documented_reads()}

    assert [path for path, schema in reads.items() if is_list_schema(schema)] == []
    enveloped = {path for path, schema in reads.items() if set(schema["properties"]) == ENVELOPE}
    assert enveloped == {listing.path for listing in LISTS}


def test_a_documented_list_without_the_envelope_would_be_noticed() -> None:
    row = {"$ref": "#/components/schemas/Alert"}

    assert is_list_schema({"type": "array", "items": row})
    bare = {"type": "object", "required": ["results"]}
    assert is_list_schema(bare | {"properties": {"results": {"type": "array", "items": row}}})
    assert not is_list_schema(row)


def routes() -> Iterator[str]:
    """Every path of the API that answers a GET, without its prefix."""
    patterns: list[Any] = get_resolver().url_patterns
    [root] = [pattern for pattern in patterns if str(pattern.pattern) == "api/v1/"]
    for pattern in root.url_patterns:
        view = pattern.callback
        if "get" in (getattr(view, "actions", None) or dir(view.cls)):
            yield "/" + str(pattern.pattern).lstrip("^").rstrip("$")


def test_no_route_answers_with_a_list_that_has_no_envelope(archive: Archive) -> None:
    """Each route is really asked; where it needs an id, for an object that there is."""
    asked = []
    some_id = 0
    for route in routes():
        if route in {"/schema", "/docs", "/redoc"}:
            continue
        prefix = route.split("/")[1]
        if "(?P<pk>" in route:
            some_id = archive.parents.get(prefix) or BY_NAME[prefix].rows(archive)[0]["id"]
        if prefix == "customers":
            some_id = archive.customer_id
        path = route.replace("(?P<pk>[0-9]{1,18})", str(some_id))
        answer = archive.admin.get(path)
        assert answer.status == 200, (path, answer.content)
        assert not is_list(answer.json), path
        asked.append(path)

    assert len(asked) == len(set(asked)) > 35


def test_a_list_that_has_no_envelope_would_be_noticed() -> None:
    lists: list[Any] = [[], [1], {"results": [{"id": 1}]}, {"items": [{"id": 1}], "total": 1}]
    others: list[Any] = [{"lines": ["text"]}, {"id": 1}, dict.fromkeys(ENVELOPE)]

    assert all(map(is_list, lists))
    assert not any(map(is_list, others))
