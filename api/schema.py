"""The OpenAPI document: what drf-spectacular finds in the views, and what holds for all of them.

Every operation gets the errors that it can answer with, each with an example, and its bodies get
the examples of their serializers (`example`). `api/openapi.yaml` is the committed result.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from api.access import SAFE_METHODS, Need
from api.errors import CODES, CONTENT_TYPE, DETAILS, TYPES, field_error
from api.fields import StrictSerializer

TAGS: Final = {
    "auth": "Signing in and out. A token shown as `Authorization: Bearer <token>` opens the rest.",
    "tokens": "Tokens for programs: named, limited in time, to read only or to change as well.",
    "customers": "Practices, and how drift is detected for each.",
    "memberships": "Who works for a customer, and as what.",
    "payers": "The insurers that decide claims.",
    "payer-aliases": "Other names under which files know a payer.",
    "cpt-groups": "Procedures whose claims are watched together.",
    "cpt-mappings": "Which group each CPT or HCPCS code belongs to.",
    "uploads": "Files of claims on their way in.",
    "claims": "Claim lines and what payers made of them.",
    "drift-runs": "Runs of detection and all that they measured.",
    "drift-events": "What drifted, day by day, in either direction.",
    "alert-rules": "Which drifts become alerts, and how loud.",
    "alerts": "One for each thing that happened, from opening to resolution.",
    "webhook-endpoints": "Where events are sent, and the secrets that sign them.",
    "webhook-deliveries": "What is on its way to the endpoints, and what came of each attempt.",
    "audit": "Who changed what.",
    "documentation": "What you are reading.",
    "operations": "For load balancers and Prometheus: outside of /api/, without a version.",
}
DESCRIPTION: Final = """\
Tells a medical practice when an insurer starts to deny more of its claims, or to decide them
later: once, and only when it is true.

**First steps.** `POST /auth/login` answers with a token; show it as `Authorization: Bearer
<token>`. `GET /alerts?status__in=open,acknowledged` lists what is going on, `GET
/alerts/{id}/explanation` says why, `POST /alerts/{id}/acknowledge` says that somebody is on it.

**Lists** come in pages: `next` and `previous` are whole addresses. `count` is exact up to 10000
(`count_exact`). Every list has filters, `search` and `ordering`; a parameter that it doesn't know
is an error, never ignored.

**Errors** are `application/problem+json` with the same keys always; `code` is for programs,
`detail` for people, `errors` names the fields to blame. `X-Request-ID` comes back with every
answer, and may be set.

**Customers.** A token works for one customer, and nothing of another can be seen with it:
somebody else's object is answered like a missing one. Superusers see all customers; `?customer=`
narrows to one, and has to be there where something new is made.
"""
# What a path or query parameter looks like, by its name or by what its name ends in.
PARAMETER_EXAMPLES: Final[dict[str, Any]] = {
    "customer": "demo-harbor-family",
    "id": 21,
    "cursor": "eyJiIjoiZmIyYyIsImsiOlsyMV0sInIiOmZhbHNlfQ:1wKz9B:q2T0",
    "page_size": 25,
    "ordering": "-id",
    "search": "aetna",
    "payer": 7,
    "payer__in": "7,9",
    "cpt_group": 5,
    "cpt_group__in": "5,6",
    "source": "athena",
    "cpt": "99213",
    "denial_code": "CO-50",
    "run": 40,
    "rule": 1,
    "user": 4,
    "actor": 4,
    "row_id": 1,
    "table_name": "alert_rule",
    "trigger": "nightly",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "filename": "claims.csv",
    "column": "decided_date",
    "line_min": 1,
    "line_max": 1000,
    "severity_min": 0.4,
    "severity_max": 1,
    "created_at_after": "2026-11-01T00:00:00Z",
    "created_at_before": "2026-11-30T23:59:59Z",
    "endpoint": 3,
    "status_code": 503,
    "started_at_after": "2026-11-01T00:00:00Z",
    "started_at_before": "2026-11-30T23:59:59Z",
    "at_after": "2026-11-01T00:00:00Z",
    "at_before": "2026-11-30T23:59:59Z",
}
REQUEST_ID: Final = "0f8c2c1e6d5b4b7f9a3e1d2c4b5a6978"
HEADERS: Final = {
    "X-Request-ID": {
        "description": "The request's id: the one that was sent, or a new one.",
        "schema": {"type": "string"},
        "example": REQUEST_ID,
    }
}
LOCATION: Final = {
    "Location": {
        "description": "The address of what was made.",
        "schema": {"type": "string", "format": "uri"},
        "example": "https://claimdrift.example/api/v1/uploads/12",
    }
}
OUTCOMES: Final = {
    "200": "Done",
    "201": "Added",
    "202": "Taken; the worker does the rest",
    "204": "Done; there is nothing to say",
}
RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer"},
        "example": 30,
    }
}
SUMMARIES: Final = {
    "list": "List {plural}",
    "retrieve": "Read {one}",
    "create": "Add {one}",
    "partial_update": "Change {one}",
    "destroy": "Delete {one}",
}
NAMES: Final = {
    "tokens": ("tokens", "a token"),
    "customers": ("customers", "a customer"),
    "memberships": ("memberships", "a membership"),
    "payers": ("payers", "a payer"),
    "payer-aliases": ("aliases of payers", "an alias of a payer"),
    "cpt-groups": ("groups of procedures", "a group of procedures"),
    "cpt-mappings": ("mappings of codes", "a mapping of a code"),
    "uploads": ("uploads", "an upload"),
    "claims": ("claim lines", "a claim line"),
    "drift-runs": ("runs", "a run"),
    "drift-events": ("drifts", "a drift"),
    "alert-rules": ("rules", "a rule"),
    "alerts": ("alerts", "an alert"),
    "webhook-endpoints": ("webhook endpoints", "a webhook endpoint"),
    "webhook-deliveries": ("deliveries of webhooks", "a delivery of a webhook"),
    "audit": ("changes", "a change"),
}
WHO: Final = {
    Need.NOTHING: "Needs no token.",
    Need.MEMBER: "For members.",
    Need.ADMIN: "For admins.",
    Need.SUPERUSER: "For superusers.",
}


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a token is shown."""

    target_class = "api.access.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `POST /auth/login` or `POST /tokens`.",
        }


class ApiSchema(AutoSchema):
    """One operation."""

    view: Any

    def get_tags(self) -> list[str]:
        if self.path in {"/api/v1/schema", "/api/v1/docs", "/api/v1/redoc"}:
            return ["documentation"]
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_summary(self) -> str | None:
        plural, one = NAMES.get(self.get_tags()[0], ("", ""))
        text = SUMMARIES.get(getattr(self.view, "action", None) or "", "")
        return text.format(plural=plural, one=one) or None

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = [
            OpenApiParameter(
                "X-Request-ID",
                str,
                OpenApiParameter.HEADER,
                description=(
                    "An id for this request, to find it by in logs: 8 to 64 letters, digits, dots, "
                    "hyphens or underscores. Anything else is replaced by a new one."
                ),
            )
        ]
        if self.view.is_narrowable():
            parameters.append(
                OpenApiParameter(
                    "customer",
                    str,
                    description="The slug or id of the customer to look at; for superusers only.",
                )
            )
        return parameters

    def _is_list_view(self, serializer: Any = None) -> bool:
        if getattr(self.view, "action", "") in getattr(self.view, "list_actions", ()):
            return True
        return bool(super()._is_list_view(serializer))

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        text = operation.get("description", "")
        operation["description"] = f"{text.strip()}\n\n{WHO[self.view.need()]}"
        for status, response in operation["responses"].items():
            response["description"] = response.get("description") or OUTCOMES[status]
            response["headers"] = dict(HEADERS) | response.get("headers", {})
            if status in {"201", "202"} and self.method == "POST" and "{" not in self.path:
                response["headers"] |= LOCATION
        for code in self._errors():
            answer = problem_answer(code)
            entry = operation["responses"].setdefault(str(CODES[code][0]), answer)
            entry["content"][CONTENT_TYPE]["examples"] |= answer["content"][CONTENT_TYPE][
                "examples"
            ]
        if self.view.need() == Need.NOTHING:
            operation["security"] = []
        operation["responses"]["default"] = problem_answer("server_error") | {
            "description": "Any other error"
        }
        return operation

    def _errors(self) -> Iterator[str]:
        need = self.view.need()
        has_body = self.method not in {"GET", "DELETE"} and self.path != "/api/v1/auth/logout"
        yield "validation_error"
        if has_body:
            yield from ("parse_error", "payload_too_large", "unsupported_media_type")
        if need == Need.NOTHING:
            if has_body:
                yield from ("authentication_failed", "permission_denied", "throttled")
        else:
            yield from ("not_authenticated", "authentication_failed", "permission_denied")
        if "{" in self.path:
            yield "not_found"
        yield "not_acceptable"
        if self.method not in SAFE_METHODS and need != Need.NOTHING:
            yield "conflict"
        yield "unavailable"


def problem_example(code: str) -> dict[str, Any]:
    """A problem as it is answered."""
    status, title = CODES[code]
    details = {
        "parse_error": "The body isn't JSON: line 1, column 1.",
        "not_authenticated": "Authentication credentials were not provided.",
        "authentication_failed": "The token is unknown or has expired.",
        "conflict": "Somebody else is changing the same thing. Try again.",
        "payload_too_large": "The body has 5000000 bytes; 1000000 are allowed.",
        "throttled": "Too many attempts. Try again in 30 seconds.",
        "not_acceptable": "Could not satisfy the request Accept header.",
    }
    errors = []
    if code == "validation_error":
        errors.append(
            field_error(
                ["colour"], "invalid", "There is no such parameter. Those that there are: none."
            )
        )
    return {
        "type": TYPES + code,
        "title": title,
        "status": status,
        "code": code,
        "detail": details.get(code) or DETAILS.get(code) or f"{title}.",
        "request_id": REQUEST_ID,
        "errors": errors,
    }


def problem_answer(code: str) -> dict[str, Any]:
    """How an operation documents one kind of problem."""
    title = CODES[code][1]
    return {
        "description": title,
        "headers": HEADERS | (RETRY_AFTER if code in {"throttled", "unavailable"} else {}),
        "content": {
            CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"summary": title, "value": problem_example(code)}},
            }
        },
    }


PROBLEM: Final = {
    "type": "object",
    "description": "What went wrong, in the shape of RFC 9457.",
    "required": ["type", "title", "status", "code", "detail", "request_id", "errors"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "code": {"type": "string", "description": "The kind of problem, for programs."},
        "detail": {"type": "string", "description": "What went wrong, for people."},
        "request_id": {"type": "string", "description": "What it is logged under."},
        "errors": {
            "type": "array",
            "description": "The fields or parameters to blame; empty where there are none.",
            "items": {
                "type": "object",
                "description": "What is wrong with one field or parameter.",
                "required": ["field", "pointer", "code", "detail"],
                "additionalProperties": False,
                "properties": {
                    "field": {"type": "string", "description": "Its name, or a dotted path."},
                    "pointer": {"type": "string", "description": "Where it is in the body."},
                    "code": {"type": "string", "description": "What is wrong, for programs."},
                    "detail": {"type": "string", "description": "What is wrong, for people."},
                },
            },
        },
    },
}


def _outside(
    name: str, summary: str, description: str, answer: dict[str, Any], *errors: str
) -> dict[str, Any]:
    """An operation that is no view of the framework's: health and metrics."""
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "description": description,
            "tags": ["operations"],
            # Optional where it depends on the settings.
            "security": [{}, {"token": []}] if "not_authenticated" in errors else [],
            "responses": {
                "200": {"description": "Done", "headers": HEADERS, "content": answer},
                **{str(CODES[c][0]): problem_answer(c) for c in ("parse_error", *errors)},
                "default": problem_answer("server_error") | {"description": "Any other error"},
            },
        }
    }


def _json_answer(example: dict[str, Any]) -> dict[str, Any]:
    """What a health check answers."""
    schema = {
        "type": "object",
        "required": list(example),
        "additionalProperties": False,
        "properties": {
            "status": {"type": "string", "description": "live or ready."},
            "checks": {
                "type": "object",
                "description": "What was looked at: database, migrations, queue.",
                "additionalProperties": {"type": "string"},
            },
        },
    }
    return {"application/json": {"schema": schema, "examples": {"example": {"value": example}}}}


OPERATIONS: Final = {
    "/health/live": _outside(
        "health_live",
        "Is the process alive?",
        "Answers without asking the database: whether to restart this process.",
        _json_answer({"status": "live"}),
    ),
    "/health/ready": _outside(
        "health_ready",
        "Can it take requests?",
        "Looks at the database, at migrations and at the queue.",
        _json_answer(
            {
                "status": "ready",
                "checks": {"database": "ok", "migrations": "ok", "queue": "ok"},
            }
        ),
        "unavailable",
    ),
    "/metrics": _outside(
        "metrics",
        "Read the metrics",
        "For Prometheus. Needs the token of CLAIMDRIFT_METRICS_TOKEN where one is set.",
        {
            "text/plain": {
                "schema": {"type": "string"},
                "examples": {"example": {"value": "claimdrift_database_up 1.0\n"}},
            }
        },
        "not_authenticated",
    ),
}


def _serializers(base: type[Any] = StrictSerializer) -> Iterator[type[StrictSerializer]]:
    for child in base.__subclasses__():
        yield child
        yield from _serializers(child)


def _examples() -> dict[str, dict[str, Any]]:
    """The serializers' examples by the name of their component."""
    return {
        serializer.__name__.removesuffix("Serializer"): serializer.example
        for serializer in _serializers()
        if serializer.example
    }


def add_examples(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """A postprocessing hook: examples for bodies and parameters, tags, the problem's schema."""
    result["info"]["description"] = DESCRIPTION
    result["paths"] |= OPERATIONS
    components = result["components"]["schemas"]
    components["Problem"] = PROBLEM
    if "NullEnum" in components:
        components["NullEnum"]["description"] = "Null, where a value may be left out."
    for name, schema in components.items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    examples = _examples()
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                _complete_parameter(parameter)
            bodies = [operation.get("requestBody", {})]
            bodies += [r for s, r in operation["responses"].items() if s.startswith("2")]
            for body in bodies:
                for media_type, content in body.get("content", {}).items():
                    example = _example_for(content.get("schema", {}), components, examples)
                    if media_type == "text/csv":
                        content["schema"] = {"type": "string", "minLength": 1}
                        example = CSV_EXAMPLE
                    if media_type in PAGE_EXAMPLES:
                        example = PAGE_EXAMPLES[media_type]
                    if example is not None:
                        content["examples"] = {"example": {"value": example}}
    return result


PAGE_EXAMPLES: Final[dict[str, Any]] = {
    "text/html": "<!DOCTYPE html>",
    "application/vnd.oai.openapi": {"openapi": "3.1.0"},
}
CSV_EXAMPLE: Final = (
    "claim_number,payer,cpt,submitted_date,decided_date,outcome\n"
    "A-1001,Aetna,99213,2026-05-02,2026-05-15,PAID\n"
)


def _complete_parameter(parameter: dict[str, Any]) -> None:
    name = parameter["name"]
    schema = parameter["schema"]
    if schema.get("type") == "boolean":
        example: Any = True
    elif "enum" in schema:
        example = schema.get("default") or schema["enum"][0]
    elif name in PARAMETER_EXAMPLES:
        example = PARAMETER_EXAMPLES[name]
    elif name == "X-Request-ID":
        example = REQUEST_ID
    elif name.endswith(("_after", "_before")):
        example = "2026-11-01" if name.endswith("_after") else "2026-11-30"
    elif name.endswith("__in"):
        words = schema["pattern"].removeprefix("^(").split(")", 1)[0].split("|")
        example = ",".join(words[:2])
    else:
        return
    parameter["example"] = example
    if name == "id":
        parameter["description"] = "The object's id."
        parameter["schema"] = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}


def _example_for(
    schema: Mapping[str, Any], components: Mapping[str, Any], examples: Mapping[str, Any]
) -> Any:
    name = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
    if name.startswith("Paginated"):
        item = components[name]["properties"]["results"]["items"]
        return {
            "count": 1,
            "count_exact": True,
            "next": None,
            "previous": None,
            "results": [_example_for(item, components, examples)],
        }
    base = name.removeprefix("Patched").removesuffix("Request")
    example = examples.get(name) or examples.get(base)
    if example is None:
        return None
    properties = components[name].get("properties", {})
    found = {key: value for key, value in example.items() if key in properties}
    if name.startswith("Patched"):
        return dict(list(found.items())[:2])
    return found
