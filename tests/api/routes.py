"""What is routed, and what the OpenAPI document says of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.settings import spectacular_settings


@dataclass(frozen=True)
class Route:
    """An operation as the OpenAPI document has it."""

    operation_id: str
    method: str
    template: str
    document: dict[str, Any]
    # The fields of its JSON body.
    fields: frozenset[str]

    def path(self, target_id: int | None) -> str:
        return self.template.replace("{id}", str(target_id))

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The schemas of the query parameters."""
        return {
            parameter["name"]: parameter["schema"]
            for parameter in self.document.get("parameters", [])
            if parameter["in"] == "query"
        }

    @property
    def is_list(self) -> bool:
        return "page_size" in self.parameters


def document() -> dict[str, Any]:
    """The OpenAPI document, from the views as they are."""
    generator = spectacular_settings.DEFAULT_GENERATOR_CLASS()
    found: dict[str, Any] = generator.get_schema(request=None, public=True)
    return found


def routes_of(found: dict[str, Any]) -> dict[str, Route]:
    """Every documented operation by its operationId."""
    return {
        operation["operationId"]: Route(
            operation["operationId"], method.upper(), path, operation, _fields(operation, found)
        )
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }


def _fields(operation: dict[str, Any], found: dict[str, Any]) -> frozenset[str]:
    contents = operation.get("requestBody", {}).get("content", {}).values()
    names = [
        content["schema"]["$ref"].split("/")[-1]
        for content in contents
        if "$ref" in content["schema"]
    ]
    components = found["components"]["schemas"]
    return frozenset(field for name in names for field in components[name]["properties"])


ROUTES: Final = routes_of(document())


def routed_paths() -> Iterator[tuple[str, Any]]:
    """Every path that is routed, documented or not, with its view."""
    yield from _routed(get_resolver().url_patterns, "/")


def _routed(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        text = re.sub(r"\(\?P<pk>[^)]*\)", "{id}", str(pattern.pattern))
        path = prefix + text.strip("^$").replace("\\Z", "")
        if isinstance(pattern, URLResolver):
            yield from _routed(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback
