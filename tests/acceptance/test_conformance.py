"""schemathesis, an outsider, finds no answer that the OpenAPI document doesn't announce."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from api.management.commands.docs_check import routed_operations
from tests.acceptance.serving import serving
from tests.api.client import Office, new_superuser, new_token
from tests.database import Database

ROOT: Path = settings.BASE_DIR
# What would end the run's own access. They are tried last, by a run of their own.
DESTRUCTIVE = [
    "auth_logout",
    "tokens_destroy",
    "memberships_destroy",
    "memberships_partial_update",
    "customers_partial_update",
]
# Takes any bytes: whether they are claims the worker finds out.
SENDS_A_FILE = "uploads_create"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
]


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, database_url: Callable[[str], str], owner: Database
) -> Iterator[str]:
    with serving(database_url("claimdrift_web")) as address:
        yield address


@pytest.fixture(scope="module")
def practice(owner: Database, worker: Database) -> Office:
    """A customer with something of everything."""
    from datetime import date

    office = Office(owner, worker)
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (date(2025, 11, 15), 0.4)])
    office.detect(date(2025, 11, 15))
    office.acknowledge()
    office.judge(office.alert()["id"], office.join(), "real")
    return office


def run(server: str, token: str, *options: str, checks: list[str] = CHECKS) -> tuple[int, str]:
    """Returns the exit code and what was printed."""
    command: list[str | Path] = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        ROOT / "api/openapi.yaml",
        f"--url={server}",
        f"--header=Authorization: Bearer {token}",
        f"--checks={','.join(checks)}",
        "--seed=1",
        # Two threads that parse Python at once trip over a bug of Python 3.11.
        "--workers=1",
        "--no-color",
        *options,
    ]
    result = subprocess.run(  # noqa: S603
        command, cwd=ROOT, text=True, capture_output=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def excluded() -> list[str]:
    return [f"--exclude-operation-id={name}" for name in (*DESTRUCTIVE, SENDS_A_FILE)]


def token_of(office: Office, role: str) -> str:
    if role == "superuser":
        token = new_superuser(office.worker).token
        assert token
        return token
    return new_token(office.worker, office.customer_id, office.join(role))


def operations_tested(text: str) -> int:
    tested = re.search(r"Tested: (\d+)", text)
    assert tested, text[-2000:]
    return int(tested[1])


@pytest.mark.parametrize("role", ["member", "admin", "superuser"])
def test_no_answer_is_a_surprise(server: str, practice: Office, role: str) -> None:
    # Every boundary of every field takes a minute: once is enough here.
    phases = "examples,coverage,fuzzing,stateful" if role == "admin" else "examples,fuzzing"

    code, text = run(
        server, token_of(practice, role), "--max-examples=3", f"--phases={phases}", *excluded()
    )

    assert code == 0, text[-6000:]
    assert operations_tested(text) == len(list(routed_operations())) - len(DESTRUCTIVE) - 1


def test_no_answer_of_the_destructive_operations_is_a_surprise(
    server: str, practice: Office
) -> None:
    names = [*DESTRUCTIVE, SENDS_A_FILE]
    included = [f"--include-operation-id={name}" for name in names]
    checks = [check for check in CHECKS if check != "negative_data_rejection"]

    code, text = run(
        server, token_of(practice, "admin"), "--max-examples=3", *included, checks=checks
    )

    assert code == 0, text[-6000:]
    assert operations_tested(text) == len(names)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("role", ["member", "admin", "superuser"])
def test_no_answer_is_a_surprise_after_many(
    server: str, practice: Office, role: str, seed: int
) -> None:
    token = token_of(practice, role)

    code, text = run(server, token, f"--seed={seed}", "--max-examples=100", *excluded())

    assert code == 0, text[-6000:]
