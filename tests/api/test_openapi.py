"""The OpenAPI document is whole, valid, and the committed one; and each check can fail."""

import copy
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.settings import spectacular_settings

from api.management.commands.docs_check import Check, routed_operations

ROOT: Path = settings.BASE_DIR
COMMAND = ".venv/bin/python manage.py spectacular --file api/openapi.yaml"
REDOCLY = ROOT / "tests/openapi/node_modules/@redocly/cli/bin/cli.js"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    generator = spectacular_settings.DEFAULT_GENERATOR_CLASS()
    found: dict[str, Any] = json.loads(
        json.dumps(generator.get_schema(request=None, public=True), default=str)
    )
    return found


def test_the_committed_document_is_the_present_one() -> None:
    text = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=text)

    committed = (ROOT / "api/openapi.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text.getvalue()) == yaml.safe_load(committed), COMMAND


def test_every_routed_operation_is_documented_completely(document: dict[str, Any]) -> None:
    tally = Check(document).run()

    assert tally.missing == []
    assert all(good == total > 0 for good, total in tally.rows.values())
    assert tally.rows["routed operations in the document"][1] == len(list(routed_operations()))


def test_routed_operations_are_all_there_are(document: dict[str, Any]) -> None:
    documented = {
        (path, method) for path, methods in document["paths"].items() for method in methods
    }

    assert set(routed_operations()) == documented


def operation(document: dict[str, Any]) -> Any:
    return document["paths"]["/api/v1/alert-rules"]["post"]


BREACHES: dict[str, Callable[[dict[str, Any]], object]] = {
    "routed operations in the document": lambda d: d["paths"].pop("/api/v1/claims"),
    "operationId, unique": lambda d: operation(d).update(operationId="alerts_list"),
    "summary": lambda d: operation(d).pop("summary"),
    "description": lambda d: operation(d).update(description=""),
    "tag, declared": lambda d: operation(d).update(tags=["colours"]),
    "tags described": lambda d: d["tags"][0].pop("description"),
    "security": lambda d: operation(d).pop("security"),
    "parameters described": lambda d: operation(d)["parameters"][0].pop("description"),
    "parameters with a valid example": lambda d: operation(d)["parameters"][0].update(example=1),
    "request bodies with valid examples": lambda d: operation(d)["requestBody"]["content"][
        "application/json"
    ]["examples"]["example"]["value"].pop("name"),
    "error responses that can occur": lambda d: operation(d)["responses"].pop("401"),
    "responses with a body": lambda d: operation(d)["responses"]["201"].pop("content"),
    "answers with valid examples": lambda d: operation(d)["responses"]["201"]["content"][
        "application/json"
    ]["examples"]["example"]["value"].update(id="x"),
    "errors with valid examples": lambda d: operation(d)["responses"]["409"]["content"][
        "application/problem+json"
    ]["examples"]["conflict"]["value"].pop("code"),
    "properties described": lambda d: d["components"]["schemas"]["Alert"]["properties"][
        "level"
    ].pop("description"),
    "schemas described": lambda d: d["components"]["schemas"]["Alert"].pop("description"),
}


@pytest.mark.parametrize("row", BREACHES)
def test_what_is_missing_is_noticed(document: dict[str, Any], row: str) -> None:
    broken = copy.deepcopy(document)
    BREACHES[row](broken)

    tally = Check(broken).run()

    assert any(text.startswith(row) for text in tally.missing)


def lint(document: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [
            ROOT / ".venv/bin/node",
            REDOCLY,
            "lint",
            "--config",
            ROOT / "tests/openapi/redocly.yaml",
            document,
        ],
        text=True,
        capture_output=True,
        check=False,
        env={"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )


def test_redocly_finds_nothing_and_would_find_a_missing_example(
    document: dict[str, Any], tmp_path: Path
) -> None:
    good = lint(ROOT / "api/openapi.yaml")
    broken = copy.deepcopy(document)
    operation(broken)["requestBody"]["content"]["application/json"].pop("examples")
    file = tmp_path / "openapi.yaml"
    file.write_text(yaml.safe_dump(broken), encoding="utf-8")
    bad = lint(file)

    assert good.returncode == 0, good.stderr
    assert bad.returncode == 1
    assert "every-body-has-an-example" in bad.stdout + bad.stderr
