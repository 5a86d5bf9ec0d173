"""Everything that can be read, in every way in which it can be asked for."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tests.api.callers import Caller
from tests.api.client import Answer
from tests.api.rbac import LIST, NOTHING, OPERATIONS
from tests.api.routes import ROUTES, Route
from tests.api.worlds import AS_OF, MISSING, World

# What the ids in parameters are those of.
REFERENCES: Final = {
    "payer": "payer",
    "payer__in": "payer",
    "cpt_group": "cpt_group",
    "cpt_group__in": "cpt_group",
    "rule": "alert_rule",
    "run": "drift_run",
    "endpoint": "webhook_endpoint",
    "user": "user",
    "actor": "user",
    "row_id": "alert_rule",
}
READS: Final = [
    route
    for name, route in ROUTES.items()
    if route.method == "GET" and OPERATIONS.get(name, LIST).need != NOTHING
]
LISTS: Final = [route for route in READS if route.is_list]
BOUNDS: Final = {"_after": "2025-01-01", "_before": str(AS_OF), "_min": "0", "_max": "1"}


def path_of(route: Route, world: World) -> str:
    """The path, about an object of a customer."""
    target = OPERATIONS[route.operation_id].target
    return route.path(world.ids[target] if target else None)


def values_of(name: str, schema: dict[str, Any], mine: World, other: World) -> list[str]:
    """Values to try for a query parameter."""
    if name in REFERENCES:
        return [str(world.ids[REFERENCES[name]]) for world in (mine, other)] + [str(MISSING)]
    if "enum" in schema:
        return [str(value) for value in schema["enum"]]
    if schema.get("type") == "integer" and not name.endswith(tuple(BOUNDS)):
        return ["0"]
    if schema.get("type") == "boolean":
        return ["true", "false"]
    for ending, bound in BOUNDS.items():
        if name.endswith(ending):
            return [f"{bound}T00:00:00Z" if schema.get("format") == "date-time" else bound]
    if words := re.match(r"\^\(([a-zA-Z_.|]+)\)", schema.get("pattern", "")):
        return [words[1].replace("|", ",")]
    if schema.get("type") == "string":
        # Codes are in capitals.
        return [text for world in (mine, other) for text in (world.mark, world.mark.upper())]
    raise AssertionError(f"{name}: what may it be?")


def variants(route: Route, mine: World, other: World) -> Iterator[dict[str, str]]:
    """Query parameters to read with: none, and each of them with each of its values."""
    yield {}
    for name, schema in route.parameters.items():
        if name == "page_size":
            yield {name: "1"}
        elif name not in {"cursor", "customer"}:
            for value in values_of(name, schema, mine, other):
                yield {name: value}


def about_the_other(route: Route, mine: World, other: World) -> Iterator[dict[str, str]]:
    """None, and those that ask for something of the other customer."""
    for parameters in variants(route, mine, other):
        if not parameters or other.is_in(" ".join(parameters.values()).encode()):
            yield parameters


def plainly(route: Route, mine: World, other: World) -> Iterator[dict[str, str]]:
    """None."""
    yield {}


def read(caller: Caller, path: str, parameters: dict[str, str], method: str = "GET") -> Answer:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return caller.api.request(method, caller.path(path + query))


Asking = Callable[[Route, World, World], Iterator[dict[str, str]]]


@dataclass(frozen=True)
class Asked:
    """A request for something to read."""

    operation_id: str
    parameters: dict[str, str]
    # Whether a filter or a search asks for something of the other customer.
    is_for_others: bool
    answer: Answer

    def __str__(self) -> str:
        return f"{self.operation_id} {self.parameters}"


def sweep(caller: Caller, mine: World, other: World, asking: Asking = variants) -> Iterator[Asked]:
    """All answers to a caller's GETs; pages are turned, forth and back."""
    for route in READS:
        for parameters in asking(route, mine, other):
            answer = read(caller, path_of(route, mine), parameters)
            is_for_others = other.is_in(" ".join(parameters.values()).encode())
            yield Asked(route.operation_id, parameters, is_for_others, answer)
            if "page_size" in parameters:
                for direction in ("next", "previous"):
                    if answer.status == 200 and (link := answer.json[direction]):
                        answer = caller.api.get(link)
                        yield Asked(route.operation_id, {"turned": direction}, False, answer)
