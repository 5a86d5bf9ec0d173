"""Whatever a field is given, the answer is that of its documentation, and nothing leaks.

The fields are those of the OpenAPI document: a new one is tried without anybody's doing. A value
that the document excludes must be refused, by name; one that it allows may fail for a reason of
its own, but never with a 500.
"""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pytest_django import Settings

from tests.api.archive import Archive
from tests.api.client import Answer, Api, Office
from tests.api.operations import Operation, document, each_operation, resolved
from tests.api.problems import any_problem, problem
from tests.database import Database

SECRET = "Zq7Doe"  # noqa: S105
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 5e-324, 2**31, 2**63 - 1, 2**63, -(2**63) - 1,
    10**400, "", " \t\n ", "0", "1", "1_000", "٣", "true", "NaN", "Infinity", "9" * 400,
    SECRET * 2000, f"{SECRET}'; DROP TABLE claim; --", f"{SECRET} %s %(x)s {{0}} ${{x}} \\",
    "\u202e\u200b\ufeff", "2026-02-30", "0001-01-01", "9999-12-31", "-4713-01-01", "infinity",
    [], [SECRET], [[]], {}, {SECRET: SECRET}, {"$ne": None}, {"id": 1},
]  # fmt: skip
# Not a word about those: bodies that are refused before any field is looked at.
UNREADABLE: list[Any] = ["a\0b", "\ud800", float("nan"), float("inf"), ["\0"]]


@pytest.fixture(autouse=True)
def fast_passwords(settings: Settings) -> None:
    """Signing in isn't what takes the time here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="module")
def scene(owner: Database, worker: Database) -> Archive:
    """A customer to be changed."""
    return Archive(owner, worker)


def is_documented(field: dict[str, Any], value: Any) -> bool:
    """Whether the document allows a value."""
    schema = {**field, "components": document()["components"]}
    return bool(Draft202012Validator(schema).is_valid(value))


def blames(answer: Answer, field: str) -> bool:
    return any(name.split(".")[0] == field for name in answer.blamed())


@each_operation
def test_a_hostile_value_is_answered_as_documented_and_leaks_nothing(
    scene: Archive, superuser: Api, caplog: pytest.LogCaptureFixture, operation: Operation
) -> None:
    caplog.set_level(logging.INFO)
    valid = operation.valid(scene)
    for field, schema in operation.fields.items():
        for value in HOSTILE:
            case = (field, str(value)[:60])
            answer = operation.send(scene, superuser, {**valid, field: value})
            assert answer.status < 500, case
            if answer.status >= 400:
                any_problem(answer, secret=SECRET if value != {SECRET: SECRET} else "")
            if not is_documented(schema, value) and answer.status != 429:
                assert (answer.status, answer.code) == (400, "validation_error"), case
                assert blames(answer, field), case
        for value in UNREADABLE:
            answer = operation.send(scene, superuser, {**valid, field: value})
            problem(answer, 400, "parse_error")
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@each_operation
def test_a_field_that_there_isnt_is_refused_by_name(
    scene: Archive, superuser: Api, operation: Operation
) -> None:
    valid = operation.valid(scene)
    for field in ("colour", "Name", "a.b", "a/b~c", "__class__", "customer_id", "is_superuser"):
        answer = operation.send(scene, superuser, {**valid, field: 1})
        problem(answer, 400, "validation_error")
        [error] = answer.json["errors"]
        assert (error["field"], error["code"]) == (field, "unknown")
        pointer = field.replace("~", "~0").replace("/", "~1")
        assert error["pointer"] == f"#/{pointer}"
        named = error["detail"].split(": ")[1].rstrip(".").split(", ")
        assert named == list(operation.fields)


@each_operation
def test_what_can_only_be_read_is_refused_by_name(
    scene: Archive, superuser: Api, operation: Operation
) -> None:
    """Also the customer: nobody moves a thing to another by naming it."""
    valid = operation.valid(scene)
    for field in shown_by(operation) - set(operation.fields):
        answer = operation.send(scene, superuser, {**valid, field: 1})
        problem(answer, 400, "validation_error")
        [error] = answer.json["errors"]
        assert error["field"] == field
        assert error["code"] in {"read_only", "unknown"}


def shown_by(operation: Operation) -> set[str]:
    """The fields of the operation's answer."""
    responses = document()["paths"][f"/api/v1{operation.path}"][operation.method.lower()][
        "responses"
    ]
    [content] = [
        response["content"]["application/json"]
        for status, response in responses.items()
        if status.startswith("2")
    ]
    return set(resolved(content["schema"])["properties"])


@each_operation
def test_what_is_required_is_asked_for_all_at_once(
    scene: Archive, superuser: Api, operation: Operation
) -> None:
    required = set(operation.body.get("required", ()))
    assert operation.method == "POST" or not required
    if required:
        answer = operation.send(scene, superuser, {})
        problem(answer, 400, "validation_error")
        assert answer.blamed() == required
        assert {error["code"] for error in answer.json["errors"]} == {"required"}


def numbers(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (s for s in (schema, *schema.get("oneOf", ())) if "maximum" in s or "minimum" in s)


@each_operation
def test_numbers_are_taken_up_to_their_limits_and_no_further(
    scene: Archive, superuser: Api, operation: Operation
) -> None:
    valid = operation.valid(scene)
    for field, schema in operation.fields.items():
        for limits in numbers(resolved(schema)):
            step = 1 if "integer" in limits["type"] else 1e-6
            for name, beyond in (("minimum", -step), ("maximum", step)):
                at = operation.send(scene, superuser, {**valid, field: limits[name]})
                assert not (at.status == 400 and blames(at, field)), (field, name, at.content)
                past = operation.send(scene, superuser, {**valid, field: limits[name] + beyond})
                problem(past, 400, "validation_error")
                assert past.blamed() == {field}


@each_operation
def test_text_is_taken_up_to_its_length_and_no_further(
    scene: Archive, superuser: Api, operation: Operation
) -> None:
    valid = operation.valid(scene)
    for field, schema in operation.fields.items():
        longest = resolved(schema).get("maxLength")
        if longest and schema.get("format") not in {"email", "uri"}:
            letter = "a" if "a-z" in schema.get("pattern", "") else "A"
            at = operation.send(scene, superuser, {**valid, field: letter * longest})
            assert not (at.status == 400 and blames(at, field)), (field, at.content)
            past = operation.send(scene, superuser, {**valid, field: letter * (longest + 1)})
            problem(past, 400, "validation_error")
            assert past.blamed() == {field}


# Single fields


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("0", "0.00"), ("12.5", "12.50"), ("9999999999.99", "9999999999.99"), (None, None)],
)
def test_money_is_a_number_as_text(archive: Archive, sent: Any, kept: Any) -> None:
    alert = archive.parents["alerts"]
    body = {"verdict": "real", "recovered_amount": sent}

    answer = archive.member.post(f"/alerts/{alert}/judgments", body)
    assert (answer.status, answer.json["recovered_amount"]) == (200, kept)


@pytest.mark.parametrize(
    "sent",
    [
        "-0.01", -1, 1, 0.5, "0.001", "10000000000", "9" * 30, "1e3", "1_000", "٣", " 5", "5 ",
        "+5", ".5", "5.", "1,5", "$5", "0x10", "NaN", "Infinity", "-Infinity", "sNaN", "", " ",
        "5\n",
    ],
)  # fmt: skip
def test_money_is_nothing_else(archive: Archive, sent: Any) -> None:
    alert = archive.parents["alerts"]
    body = {"verdict": "real", "recovered_amount": sent}

    answer = archive.member.post(f"/alerts/{alert}/judgments", body)
    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"recovered_amount"}


@pytest.mark.parametrize("reference", ["payer", "cpt_group"])
def test_a_reference_to_nothing_and_to_somebody_elses_are_one_mistake(
    office: Office, neighbour: Office, reference: str
) -> None:
    foreign = {"payer": neighbour.payer("Aetna"), "cpt_group": neighbour.group("99213")}[reference]
    answers = [
        office.admin.post("/alert-rules", {"name": "x", reference: number})
        for number in (foreign, 10**15, 0, -1, 2**63, 2**64)
    ]

    for answer in answers:
        assert problem(answer, 400, "validation_error")["errors"] == [
            {
                "field": reference,
                "pointer": f"#/{reference}",
                "code": "does_not_exist",
                "detail": "There is no such object.",
            }
        ]


def test_a_choice_names_all_its_words(office: Office) -> None:
    answer = office.admin.post("/alert-rules", {"name": "x", "direction": SECRET, "level": ""})

    problem(answer, 400, "validation_error", secret=SECRET)
    assert {error["field"]: error["detail"] for error in answer.json["errors"]} == {
        "direction": "Give one of worse, better, any.",
        "level": "Give one of info, warning, critical.",
    }


def test_an_unknown_time_zone_is_blamed(office: Office, superuser: Api) -> None:
    answer = superuser.patch(f"/customers/{office.customer_id}", {"time_zone": "Mars/Olympus"})

    found = problem(answer, 400, "validation_error")
    assert answer.blamed() == {"time_zone"}
    assert "IANA" in found["errors"][0]["detail"]


def test_all_mistakes_are_shown_at_once(office: Office) -> None:
    answer = office.admin.post(
        "/alert-rules", {"name": "", "direction": 5, "threshold": "x", "enabled": "yes"}
    )

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"name", "direction", "threshold", "enabled"}


def test_text_is_trimmed_and_kept_as_it_is_otherwise(office: Office) -> None:
    answer = office.admin.post("/payers", {"name": "  Aetna  of\tX "})

    assert answer.json["name"] == "Aetna  of\tX"
