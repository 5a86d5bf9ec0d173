"""manage.py docs_check: how much of the API is documented, row by row; fails below 100 %."""

import re
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.settings import spectacular_settings
from jsonschema import Draft202012Validator, FormatChecker
from rich.console import Console
from rich.table import Table

METHODS = ("get", "post", "put", "patch", "delete")
BODILESS = {"204", "304"}
# What every operation may answer with, beside its own.
GENERAL = {"400", "406", "503", "default"}


class Tally:
    """Counts what is as it should be, and names what isn't."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, int]] = {}
        self.missing: list[str] = []

    def add(self, row: str, what: str, ok: object) -> None:
        good, total = self.rows.get(row, (0, 0))
        self.rows[row] = (good + bool(ok), total + 1)
        if not ok:
            self.missing.append(f"{row}: {what}")


def routed_operations() -> Iterator[tuple[str, str]]:
    """Every path template and method that is routed, but for the pages of the admin."""
    for path, callback in _routes(get_resolver().url_patterns, "/"):
        if path.startswith("/admin/"):
            continue
        actions = getattr(callback, "actions", None)
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        handled = actions or [m for m in METHODS if hasattr(view, m)] if view else ["get"]
        allowed = view.http_method_names if view else METHODS
        for method in METHODS:
            if method in handled and method in allowed:
                yield path, method


def _routes(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(pattern.pattern))
        path = prefix + text.strip("^$").replace("\\Z", "")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path.replace("{pk}", "{id}"), pattern.callback


class Check:
    """One pass over the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.tally = Tally()

    def validates(self, example: Any, schema: dict[str, Any]) -> bool:
        whole = schema | {"components": self.document["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        return not list(validator.iter_errors(example))

    def run(self) -> Tally:
        paths = self.document["paths"]
        self._general()
        ids: list[str] = []
        for path, method in routed_operations():
            name = f"{method.upper()} {path}"
            operation = paths.get(path, {}).get(method)
            self.tally.add("routed operations in the document", name, operation)
            if operation:
                ids.append(operation.get("operationId", ""))
                self._operation(name, operation, ids, has_id="{" in path)
        for name, schema in self.document["components"]["schemas"].items():
            self._schema(name, schema)
        return self.tally

    def _general(self) -> None:
        info = self.document["info"]
        for part in ("title", "version", "description", "contact", "license"):
            self.tally.add(
                "document: title, version, contact, licence, servers", part, info.get(part)
            )
        self.tally.add(
            "document: title, version, contact, licence, servers",
            "servers",
            self.document.get("servers"),
        )
        for tag in self.document["tags"]:
            self.tally.add("tags described", tag["name"], tag.get("description"))

    def _operation(
        self, name: str, operation: dict[str, Any], ids: list[str], *, has_id: bool
    ) -> None:
        add = self.tally.add
        operation_id = operation.get("operationId")
        add("operationId, unique", name, operation_id and ids.count(operation_id) == 1)
        add("summary", name, operation.get("summary"))
        add("description", name, operation.get("description"))
        declared = {tag["name"] for tag in self.document["tags"]}
        tags = operation.get("tags", [])
        add("tag, declared", name, len(tags) == 1 and set(tags) <= declared)
        add("security", name, "security" in operation)
        for parameter in operation.get("parameters", []):
            what = f"{name} {parameter['name']}"
            add("parameters described", what, parameter.get("description"))
            add(
                "parameters with a valid example",
                what,
                "example" in parameter
                and self.validates(parameter["example"], parameter["schema"]),
            )
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            self._content("request bodies with valid examples", f"{name} {media_type}", content)
        self._responses(name, operation, has_id=has_id)

    def _responses(self, name: str, operation: dict[str, Any], *, has_id: bool) -> None:
        add = self.tally.add
        responses = operation["responses"]
        is_api = "/api/" in name
        expected = set(GENERAL) if is_api else {"default"}
        if operation.get("security"):
            expected |= {"401", "403"} if is_api else {"401"}
        if has_id:
            expected.add("404")
        if operation.get("requestBody"):
            expected |= {"413", "415"}
        for status in sorted(expected):
            add("error responses that can occur", f"{name} {status}", status in responses)
        for status, response in responses.items():
            what = f"{name} {status}"
            add("responses described", what, response.get("description"))
            row = "responses with a body" if status.startswith("2") else "errors with a body"
            if status in BODILESS:
                continue
            add(row, what, response.get("content"))
            for media_type, content in response.get("content", {}).items():
                is_error = not status.startswith("2")
                self._content(
                    "errors with valid examples" if is_error else "answers with valid examples",
                    f"{what} {media_type}",
                    content,
                )

    def _content(self, row: str, what: str, content: dict[str, Any]) -> None:
        examples = [example["value"] for example in content.get("examples", {}).values()]
        valid = examples and all(
            self.validates(example, content.get("schema", {})) for example in examples
        )
        self.tally.add(row, what, valid)

    def _schema(self, name: str, schema: dict[str, Any]) -> None:
        self.tally.add("schemas described", name, schema.get("description") or "enum" in schema)
        for field, value in schema.get("properties", {}).items():
            self.tally.add("properties described", f"{name}.{field}", value.get("description"))


class Command(BaseCommand):
    help = (
        "Measures how much of the API is documented, over all operations that are routed, and "
        "fails when it isn't all."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        document = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(
            request=None, public=True
        )
        tally = Check(document).run()
        table = Table("What", "n / m", box=None)
        for row, (good, total) in tally.rows.items():
            table.add_row(row, f"{good} / {total}")
        console = Console(width=80)
        with console.capture() as text:
            console.print(table)
        self.stdout.write(text.get())
        if tally.missing:
            raise CommandError("Missing:\n  " + "\n  ".join(tally.missing))
