"""Bodies that aren't what they should be are the sender's mistake, and never ours."""

import json
import logging
from typing import Any

import pytest
from django.conf import settings

from api.parsers import MAX_DEPTH
from tests.api.client import Answer, Api, Office
from tests.api.problems import problem

SECRET = "Zq7Doe"  # noqa: S105


def deep(depth: int) -> str:
    """Arrays within arrays."""
    return f'{{"name": {"[" * depth}{"]" * depth}}}'


UNREADABLE: dict[str, str | bytes] = {
    "nothing but a brace": "{",
    "cut off": '{"name": "' + SECRET,
    "cut off after a comma": '{"name": "x",',
    "two objects": '{"name": "x"}{"name": "y"}',
    "something after it": '{"name": "x"} ' + SECRET,
    "single quotes": "{'name': 'x'}",
    "a comment": '{"name": "x" /* y */}',
    "an unquoted key": '{name: "x"}',
    "a form": f"name={SECRET}",
    "XML": f"<name>{SECRET}</name>",
    "a line feed in a text": '{"name": "a\nb"}',
    "an unknown escape": r'{"name": "\x41"}',
    "an array": '[{"name": "x"}]',
    "an empty array": "[]",
    "a text": f'"{SECRET}"',
    "a number": "5",
    "true": "true",
    "null": "null",
    "blanks": "   ",
    "NaN": '{"name": NaN}',
    "Infinity": '{"name": Infinity}',
    "-Infinity": '{"name": [-Infinity]}',
    "a number beyond all floats": '{"name": 1e999}',
    "a number far below": '{"name": -1e999}',
    "a number of 5000 digits": '{"name": ' + "9" * 5000 + "}",
    "a negative one of 5000 digits": '{"name": [-' + "9" * 5000 + "]}",
    "a leading zero": '{"name": 01}',
    "a hexadecimal number": '{"name": 0x10}',
    "the same key twice": f'{{"name": "x", "name": "{SECRET}"}}',
    "the same key twice, further in": '{"name": [{"a": 1, "a": 2}]}',
    "the same key twice, written differently": '{"name": "x", "n\\u0061me": "y"}',
    "NUL in a text": '{"name": "a\\u0000b"}',
    "NUL in a key": '{"na\\u0000me": "x"}',
    "NUL further in": '{"name": [["\\u0000"]]}',
    "a raw NUL": '{"name": "a\0b"}',
    "a high surrogate alone": '{"name": "a\\ud800b"}',
    "a low surrogate alone": '{"name": "\\udc00"}',
    "surrogates in the wrong order": '{"name": "\\ude00\\ud83d"}',
    "a surrogate in a key": '{"\\ud800": "x"}',
    "100,000 arrays": deep(100_000),
    "100,000 objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "100,000 arrays that never end": '{"name": ' + "[" * 100_000,
    "one array too many": deep(MAX_DEPTH + 1),
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"name": "x"}'.encode("utf-16-le"),
    "UTF-32": '{"name": "x"}'.encode("utf-32"),
    "Latin-1": '{"name": "Größe"}'.encode("latin-1"),
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "UTF-8 that ends early": b'{"name": "\xe2\x82"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaK\xccMU\xb2RP\xaaP\xaa\x05\x00",
}


@pytest.mark.parametrize("body", [pytest.param(b, id=name) for name, b in UNREADABLE.items()])
def test_what_is_no_json_object_is_refused(
    office: Office, caplog: pytest.LogCaptureFixture, body: str | bytes
) -> None:
    caplog.set_level(logging.INFO)
    for method, path in (
        ("POST", "/payers"),
        ("PATCH", f"/customers/{office.customer_id}/drift-settings"),
    ):
        answer = office.admin.request(method, path, body)
        found = problem(answer, 400, "parse_error", secret=SECRET)
        assert found["errors"] == []
    assert office.rows("payer") == []
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def test_a_mistake_is_shown_with_its_place(office: Office) -> None:
    found = problem(office.admin.request("POST", "/payers", '{\n "name": x}'), 400, "parse_error")

    assert found["detail"] == "The body isn't JSON: line 2, column 10."


@pytest.mark.parametrize(
    "name",
    ["\U0001f600 \U0001f468\u200d\U0001f469", "Größe 中文 \u202e", "%s %(x)s {0} ${x} \\", "null"],
)
def test_any_text_comes_back_as_it_was_sent(office: Office, name: str) -> None:
    escaped = office.admin.request("POST", "/payers", json.dumps({"name": name}))
    raw = json.dumps({"name": f"{name} 2"}, ensure_ascii=False).encode()

    assert escaped.json["name"] == name
    assert office.admin.request("POST", "/payers", raw).json["name"] == f"{name} 2"
    assert office.member.get(f"/payers/{escaped.json['id']}").json["name"] == name


def test_depth_within_the_limit_reaches_the_field(office: Office) -> None:
    answer = office.admin.request("POST", "/payers", deep(MAX_DEPTH))

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"name"}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/merge-patch+json",
        "application/problem+json",
        "application/octet-stream",
        "application",
        "json",
        ";",
        "x" * 5000,
    ],
)
def test_another_content_type_is_refused(office: Office, content_type: str) -> None:
    answer = office.admin.request("POST", "/payers", '{"name": "x"}', content_type=content_type)

    problem(answer, 415, "unsupported_media_type")
    assert office.rows("payer") == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        'application/json;version="1"',
    ],
)
def test_json_is_taken_under_each_of_its_names(office: Office, content_type: str) -> None:
    answer = office.admin.request("POST", "/payers", '{"name": "x"}', content_type=content_type)

    assert answer.status == 201, answer.content


def test_a_body_without_a_content_type_is_refused(office: Office) -> None:
    answer = office.admin.request("POST", "/payers", '{"name": "x"}', content_type="")

    problem(answer, 415, "unsupported_media_type")


def test_no_body_is_an_empty_object(office: Office) -> None:
    answer = office.admin.request("POST", "/payers")

    problem(answer, 400, "validation_error")
    assert [(e["field"], e["code"]) for e in answer.json["errors"]] == [("name", "required")]


def padded(size: int) -> bytes:
    """A body of this many bytes."""
    start, end = b'{"name": "x"', b"}"
    return start + b" " * (size - len(start) - len(end)) + end


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(office: Office) -> None:
    def post(size: int) -> Answer:
        return office.admin.request("POST", "/payers", padded(size))

    limit = settings.MAX_BODY_BYTES
    problem(post(limit + 1), 413, "payload_too_large")
    problem(post(10 * limit), 413, "payload_too_large")
    assert office.rows("payer") == []
    assert post(limit).status == 201


def test_a_stranger_learns_nothing_from_a_body(nobody: Api, office: Office) -> None:
    """Who may not write is told so before anybody reads what was sent."""
    for body in ("{", '{"name": 5}', '{"name": "x"}'):
        problem(nobody.request("POST", "/payers", body), 401, "not_authenticated")
        problem(office.member.request("POST", "/payers", body), 403, "permission_denied")


@pytest.mark.parametrize(
    "body", [{}, {"name": "x"}, [], None, "x", "{"], ids=lambda body: json.dumps(body)
)
def test_a_body_with_a_get_is_not_looked_at(office: Office, body: Any) -> None:
    assert office.member.request("GET", "/payers", body).status == 200
