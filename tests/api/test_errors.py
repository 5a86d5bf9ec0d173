"""Every error, wherever it comes from, has one shape, says what to do, and gives nothing away."""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.test import Client
from django.urls import path
from pytest_django import Settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import Need
from api.errors import CHECKS, CODES, OURS, UNIQUE, Problem, problem_of
from api.urls import handler400, handler403, handler404, handler500
from api.views import ContextView
from core.context import platform_context
from tests.api.client import Answer, Api, Office
from tests.api.operations import paths
from tests.api.problems import any_problem, problem
from tests.core.test_docs import table_of
from tests.database import Database

SECRET = "Zq7Doe"  # noqa: S105
DAY = date(2026, 3, 1)


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What is written with an exception."""
    return [record for record in caplog.records if record.exc_info]


# Before a view


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/", "/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nope", "/api/v2/claims",
        "/api/v1/claims/1/x", "/api/v1/claims/x/1", "/api/v1/claims/abc", "/api/v1/claims/-1",
        "/api/v1/claims/1.5", "/api/v1/claims/1x", "/api/v1/claims/%D9%A3", "/api/v1/claims/1%0A",
        "/api/v1/claims/9999999999999999999", "/api/v1/claims/%00", "/api/v1/claims/..",
        "/api/v1//claims", "/api/v1/CLAIMS", "/api/v1/claims.json", "/api/v1/" + "x" * 5000,
        "/api/v1/alerts/1/nope", "/api/v1/claims/%FF%FE", f"/{SECRET}",
    ],
)  # fmt: skip
def test_an_unknown_route_is_not_found(office: Office, nobody: Api, path: str) -> None:
    for api in (office.member, nobody):
        response = Client(raise_request_exception=False).get(
            path, headers={"Authorization": f"Bearer {api.token}"} if api.token else {}
        )
        answer = Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.content,
        )
        problem(answer, 404, "not_found", secret=SECRET)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "testserver.evil.example", "testserver:x", "", "a b", "127.0.0.1@evil", "é"],
)
def test_another_host_is_refused(office: Office, host: str) -> None:
    for where in ("/auth/me", "/nope"):
        answer = office.member.get(where, Host=host)
        problem(answer, 400, "parse_error", secret="evil")  # noqa: S106


def test_a_thousand_parameters_are_refused(office: Office) -> None:
    query = "&".join(f"p{number}={SECRET}" for number in range(1001))

    problem(office.member.get(f"/claims?{query}"), 400, "parse_error", secret=SECRET)


# Who


@pytest.mark.parametrize(
    "header", ["", " ", "Basic ZGFuYTp4", "Bearerx", "Token cd_x", "bearer", "Bearer", "Bearer  "]
)
def test_no_token_is_asked_for_one(nobody: Api, header: str) -> None:
    answer = nobody.get("/claims", Authorization=header)

    assert answer.code in {"not_authenticated", "authentication_failed"}
    problem(answer, 401, answer.code)


@pytest.mark.parametrize(
    "token",
    [
        "cd_" + "x" * 43, "x", "null", "cd_a cd_b", "'", "\xff\xfe", "cd_" + "x" * 8000, "%s", ",",
    ],
)  # fmt: skip
def test_a_token_of_nobody_is_refused(nobody: Api, token: str) -> None:
    answer = nobody.get("/claims", Authorization=f"Bearer {token}")

    problem(answer, 401, "authentication_failed", secret=token if len(token) > 6 else "")


def test_the_scheme_is_a_word_in_any_case(office: Office, nobody: Api) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = nobody.get("/auth/me", Authorization=f"{scheme} {office.member.token}")
        assert answer.status == 200


def test_what_needs_an_admin_is_denied_to_members(office: Office) -> None:
    found = problem(office.member.post("/payers", {"name": "x"}), 403, "permission_denied")

    assert found["detail"] == "This needs the role admin."


# What and how

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")


def routes() -> list[tuple[str, set[str]]]:
    """Every documented path, and its methods."""
    return [
        (path.replace("{id}", "1"), {method.upper() for method in methods})
        for path, methods in paths()
    ]


@pytest.mark.parametrize(("where", "methods"), routes(), ids=[where for where, _ in routes()])
def test_another_method_is_refused_and_those_that_there_are_are_named(
    office: Office, nobody: Api, where: str, methods: set[str]
) -> None:
    allowed = methods | ({"HEAD"} if "GET" in methods else set())
    for method in set(METHODS) - allowed:
        for api in (office.admin, nobody):
            answer = api.request(method, where)
            if method != "HEAD":
                problem(answer, 405, "method_not_allowed")
            assert answer.status == 405
            assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "text/csv", "x"])
def test_another_format_is_refused(office: Office, accept: str) -> None:
    for where in ("/claims", "/payers/1"):
        problem(office.member.get(where, Accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "text/html, */*;q=0.1", "application/json; indent=4"]
)
def test_json_is_acceptable_under_each_of_its_names(office: Office, accept: str) -> None:
    answer = office.member.get("/auth/me", Accept=accept)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")


def test_head_is_a_get_without_its_body(office: Office) -> None:
    for where in ("/auth/me", "/claims", f"/customers/{office.customer_id}"):
        head = office.member.request("HEAD", where)
        get = office.member.get(where)
        assert (head.status, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


# Conflicts


def test_a_name_that_is_taken_is_a_conflict_that_names_the_field(office: Office) -> None:
    payer, group = office.payer("Aetna"), office.group("Office visit")
    for where, body, blamed in (
        ("/payers", {"name": "AETNA"}, "name"),
        ("/cpt-groups", {"name": "office VISIT"}, "name"),
        ("/alert-rules", {"name": "any WORSENING"}, "name"),
        ("/payer-aliases", {"alias": "Aet", "payer": payer}, "alias"),
        ("/cpt-mappings", {"cpt": "99213", "cpt_group": group}, "cpt"),
    ):
        office.admin.post(where, body)
        answer = office.admin.post(where, body)
        found = problem(answer, 409, "conflict", secret=str(body[blamed]))
        [error] = found["errors"]
        assert (error["field"], error["code"]) == (blamed, "unique")


def test_what_others_refer_to_is_not_deleted(office: Office) -> None:
    office.decide(DAY, paid=1)
    office.detect(DAY)
    payer, group = office.payer("Aetna"), office.group("99213")
    for where in (f"/payers/{payer}", f"/cpt-groups/{group}"):
        problem(office.admin.delete(where), 409, "conflict")
    assert [row["id"] for row in office.rows("payer")] == [payer]


def test_every_unique_constraint_that_is_mapped_exists(owner: Database) -> None:
    names = {
        row[0]
        for row in owner.execute(
            "SELECT c.relname FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid"
            " WHERE i.indisunique"
        )
    }

    assert set(UNIQUE) <= names


def test_every_check_that_is_mapped_exists(owner: Database) -> None:
    names = {row[0] for row in owner.execute("SELECT conname FROM pg_constraint")}

    assert set(CHECKS) <= names


# Our own SQLSTATEs


def test_the_documented_status_of_each_of_our_codes_is_the_one_that_is_answered() -> None:
    documented = {code: int(row[0]) for code, row in table_of("docs/errors.md").items()}

    assert {code: CODES[OURS[code]][0] if code in OURS else 500 for code in documented} == (
        documented
    )
    assert set(OURS) <= set(documented)


def raised(sql: str) -> DatabaseError:
    """The error that a statement ends with, as Django raises it."""
    with (
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(),
        platform_context(None),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    return caught.value


@pytest.mark.parametrize("code", sorted(OURS))
def test_each_of_our_codes_becomes_its_problem_without_its_detail(code: str) -> None:
    sql = (
        f"DO $$ BEGIN RAISE EXCEPTION 'it is wrong' USING ERRCODE = '{code}',"
        f" DETAIL = '{SECRET}', HINT = 'Do it right.'; END $$"
    )
    found = problem_of(raised(sql))

    assert found is not None
    assert found.code == OURS[code]
    assert SECRET not in json.dumps(found.body())
    if found.status == 404:
        # Looks like any other missing object.
        assert found.body() == Problem("not_found").body()
    else:
        assert found.detail == "It is wrong. Do it right."


@pytest.mark.parametrize(
    ("sql", "method", "code"),
    [
        ("UPDATE drift_settings SET min_volume = 0", "PATCH", "validation_error"),
        ("INSERT INTO customer (name, slug) VALUES ('', 'x')", "POST", "validation_error"),
        ("INSERT INTO customer (name) VALUES (NULL)", "POST", "validation_error"),
        (f"SELECT '{SECRET}'::int", "GET", "validation_error"),
        ("SELECT 3000000000::int", "GET", "validation_error"),
        ("SELECT '2026-02-30'::date", "GET", "validation_error"),
        ("SELECT 1 / 0", "GET", "validation_error"),
        ("INSERT INTO payer (customer_id, name) VALUES (-1, 'x')", "POST", "validation_error"),
        ("INSERT INTO payer (customer_id, name) VALUES (-1, 'x')", "DELETE", "conflict"),
        ("INSERT INTO customer (name, slug) SELECT name, slug FROM customer", "POST", "conflict"),
        ("SELECT drift.detect(p_customer_id => NULL)", "POST", "not_found"),
    ],
)
def test_what_the_database_refuses_becomes_a_problem_without_values(
    office: Office, sql: str, method: str, code: str
) -> None:
    found = problem_of(raised(sql), method)

    assert found is not None
    assert found.code == code
    assert not re.search(f"{SECRET}|constraint|violates|customer_|payer", found.detail)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {SECRET} FROM nothing",
        "SELEC",
        "SELECT nothing()",
        "DELETE FROM alert_transition",
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'PD001'; END $$",
    ],
)
def test_a_mistake_of_ours_is_no_problem_of_the_clients(sql: str) -> None:
    assert problem_of(raised(sql)) is None


# Django's and DRF's exceptions, and ours


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Http404(SECRET), "not_found"),
        (exceptions.NotFound(SECRET), "not_found"),
        (PermissionDenied(SECRET), "permission_denied"),
        (SuspiciousOperation(SECRET), "parse_error"),
        (UnreadablePostError(SECRET), "parse_error"),
        (exceptions.ParseError("Say it again."), "parse_error"),
        (exceptions.NotAuthenticated(), "not_authenticated"),
        (exceptions.AuthenticationFailed(), "authentication_failed"),
        (exceptions.PermissionDenied(), "permission_denied"),
        (exceptions.MethodNotAllowed("PUT"), "method_not_allowed"),
        (exceptions.NotAcceptable(), "not_acceptable"),
        (exceptions.UnsupportedMediaType("x/y"), "unsupported_media_type"),
        (exceptions.Throttled(0.2), "throttled"),
        (exceptions.Throttled(), "throttled"),
        (exceptions.APIException(), "server_error"),
    ],
)
def test_each_exception_has_its_problem(error: Exception, code: str) -> None:
    found = problem_of(error)

    assert found is not None
    assert found.code == code
    assert SECRET not in json.dumps(found.body())


@pytest.mark.parametrize("wait", [None, 0, 0.2, 1, 59.5])
def test_a_throttled_client_is_told_whole_seconds_above_none(wait: float | None) -> None:
    found = problem_of(exceptions.Throttled(wait))

    assert found is not None
    [(name, seconds)] = found.headers
    assert name == "Retry-After"
    assert seconds.isdecimal()
    assert int(seconds) >= max(1, int(wait or 0))


def test_nested_mistakes_lead_to_their_place() -> None:
    detail = {"contacts": [{}, {"e/mail~": ["Enter it."], "non_field_errors": ["Both."]}]}
    found = problem_of(exceptions.ValidationError(detail))

    assert found is not None
    assert [(error["field"], error["pointer"], error["detail"]) for error in found.errors] == [
        ("contacts.1.e/mail~", "#/contacts/1/e~1mail~0", "Enter it."),
        ("contacts.1", "#/contacts/1", "Both."),
    ]


def test_a_mistake_of_the_whole_blames_no_field() -> None:
    found = problem_of(exceptions.ValidationError(["No."]))

    assert found is not None
    assert found.errors == ({"field": "", "pointer": "", "code": "invalid", "detail": "No."},)


# Mistakes of ours: the routes of this module instead of the API's


class Faulty(ContextView):
    """Fails in the way that its URL names."""

    needs = {"get": Need.MEMBER}

    def get(self, request: Request, how: str) -> Response:
        FAULTS[how]()
        return Response({})


def faulty(request: HttpRequest, how: str) -> HttpResponse:
    """The same outside of DRF."""
    FAULTS[how]()
    return HttpResponse()


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def execute(sql: str) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return run


FAULTS: dict[str, Callable[[], None]] = {
    "bug": fail(RuntimeError(SECRET)),
    "key": fail(KeyError(SECRET)),
    "recursion": fail(RecursionError(SECRET)),
    "memory": fail(MemoryError(SECRET)),
    "assertion": fail(AssertionError(SECRET)),
    "table": execute(f"SELECT '{SECRET}' FROM nothing"),
    "rights": execute(f"DELETE FROM audit_entry WHERE table_name = '{SECRET}'"),
    "value": fail(ValueError(SECRET)),
}
__all__ = ["handler400", "handler403", "handler404", "handler500"]
urlpatterns = [path("v/<how>", Faulty.as_view()), path("d/<how>", faulty)]


@pytest.mark.parametrize("how", FAULTS)
def test_a_bug_is_a_500_that_says_nothing_and_is_logged(
    office: Office, settings: Settings, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    settings.ROOT_URLCONF = sys.modules[__name__]
    token = office.member.token
    client = Client(raise_request_exception=False)
    where = ["/v/" + how] + ([] if how in {"table", "rights"} else ["/d/" + how])

    for url in where:
        caplog.clear()
        response = client.get(url, headers={"Authorization": f"Bearer {token}"})
        answer = Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.content,
        )
        found = problem(answer, 500, "server_error", secret=SECRET)
        assert found["detail"].endswith("It has been logged under the request id.")
        assert len(logged(caplog)) == 1
        assert not any(SECRET in record.getMessage() for record in caplog.records)


def test_the_next_request_is_served_as_if_nothing_had_been(
    office: Office, settings: Settings
) -> None:
    member = office.member
    settings.ROOT_URLCONF = sys.modules[__name__]
    client = Client(raise_request_exception=False)
    for how in ("bug", "table"):
        client.get("/v/" + how, headers={"Authorization": f"Bearer {member.token}"})
    settings.ROOT_URLCONF = "api.urls"

    assert member.get("/auth/me").json["customer"] == office.customer_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('app.customer_id', true)")
        user, customer = cursor.fetchone()
    assert (user, customer or "") == ("claimdrift_web", "")


# Missing objects


def test_what_is_missing_and_what_is_somebody_elses_are_answered_alike(
    office: Office, neighbour: Office
) -> None:
    foreign = {
        "payers": neighbour.payer("Aetna"),
        "cpt-groups": neighbour.group("99213"),
        "alert-rules": neighbour.default_rule(),
        "uploads": neighbour.upload_id,
        "customers": neighbour.customer_id,
        "memberships": neighbour.rows("membership")[0]["id"] if neighbour.join() else 0,
    }
    for prefix, number in foreign.items():
        missing, others = (office.admin.get(f"/{prefix}/{n}") for n in (10**15, number))
        found = problem(missing, 404, "not_found")
        assert found["detail"] == "There is no such thing here."
        assert any_problem(others) | {"request_id": ""} == found | {"request_id": ""}
        for answer in (missing, others):
            answer.headers.pop("x-request-id", None)
        assert others.headers == missing.headers
