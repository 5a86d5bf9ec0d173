"""What every error looks like, and what none may hold."""

import re
from typing import Any

from api.errors import CODES
from tests.api.client import Answer

KEYS = {"type", "title", "status", "code", "detail", "request_id", "errors"}
# Traces of what is behind the API.
LEAKS = (
    b"Traceback", b"psycopg", b"django", b"SELECT ", b"INSERT ", b"UPDATE ", b"violates", b"LINE 1",
    b"relation", b"constraint", b"DETAIL", b"core.models", b"serializer", b".py",
)  # fmt: skip
# A table's name with its schema; not the end of a sentence.
SCHEMA = re.compile(rb"public\.\w")


def problem(answer: Answer, status: int, code: str, *, secret: str = "") -> dict[str, Any]:
    """The body of an error, which must be of this kind, complete, and hold no secret."""
    assert (answer.status, answer.code) == (status, code), answer.content
    return any_problem(answer, secret=secret)


def any_problem(answer: Answer, *, secret: str = "") -> dict[str, Any]:
    """The same for an error of any kind."""
    body: dict[str, Any] = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == KEYS
    status, title = CODES[body["code"]]
    assert body["status"] == answer.status == status
    assert body["title"] == title
    assert body["type"] == f"https://claimdrift.dev/problems/{body['code']}"
    assert isinstance(body["request_id"], str)
    assert body["detail"].strip()
    for error in body["errors"]:
        assert set(error) == {"field", "pointer", "code", "detail"}
        assert all(isinstance(value, str) for value in error.values())
        assert error["detail"].strip()
        assert error["code"].strip()
        assert error["pointer"].startswith("#/") == bool(error["field"])
    assert answer.status != 401 or answer.headers["www-authenticate"] == "Bearer"
    assert answer.status not in {429, 503} or int(answer.headers["retry-after"]) > 0
    assert answer.status != 405 or answer.headers["allow"]
    assert not [leak for leak in LEAKS if leak in answer.content], answer.content
    assert not SCHEMA.search(answer.content), answer.content
    assert not secret or secret not in answer.content.decode()
    return body
