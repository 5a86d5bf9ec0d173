"""One connection serves everybody in turn: nothing of a request stays behind in its session."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, close_old_connections, connection
from rest_framework.response import Response

from api.views import ResourceView
from tests.api.client import Api, Office
from tests.api.session import CLEAN, session
from tests.conftest import SERVER


class Boom(Exception):
    """A mistake of ours."""


def fail(*args: Any, **kwargs: Any) -> Response:
    raise Boom


def fail_in_the_database(*args: Any, **kwargs: Any) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    raise AssertionError("unreachable")


def swallow_an_error(*args: Any, **kwargs: Any) -> Response:
    try:
        fail_in_the_database()
    except DatabaseError:
        return Response({})
    raise AssertionError("unreachable")


def time_out(*args: Any, **kwargs: Any) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)")
    raise AssertionError("unreachable")


def lose_the_connection(*args: Any, **kwargs: Any) -> Response:
    with (
        closing(psycopg2.connect(SERVER.url("postgres", "postgres"))) as superuser,
        superuser.cursor() as cursor,
    ):
        pid = connection.connection.info.backend_pid
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    return fail_in_the_database()


MISHAPS: dict[Callable[..., Response], int] = {
    fail: 500,
    fail_in_the_database: 400,
    swallow_an_error: 500,
    time_out: 503,
    lose_the_connection: 503,
}


@pytest.fixture
def customers(office: Office, neighbour: Office) -> dict[str, Office]:
    office.payer("Aetna")
    neighbour.payer("Cigna")
    return {"Aetna": office, "Cigna": neighbour}


def check(customers: dict[str, Office]) -> None:
    """Each sees its own payer, one after the other."""
    for name, office in customers.items():
        for api in (office.member, office.admin):
            assert [payer["name"] for payer in api.get("/payers").results] == [name]
            assert session() == CLEAN


def test_customers_take_turns(customers: dict[str, Office], superuser: Api) -> None:
    office, neighbour = customers.values()
    check(customers)
    pid = connection.connection.info.backend_pid
    payer_id = neighbour.payer("Cigna")
    for api, method, path, body, status in (
        (office.member, "GET", f"/payers/{payer_id}", None, 404),
        (neighbour.admin, "POST", "/payers", {"name": "cigna"}, 409),
        (office.member, "POST", "/payers", {"name": "Cigna"}, 403),
        (neighbour.admin, "POST", "/payers", {"nam": "Cigna"}, 400),
        (Api("cd_unknown"), "GET", "/payers", None, 401),
        (superuser, "GET", "/payers", None, 200),
        (superuser, "GET", f"/payers?customer={neighbour.slug}", None, 200),
        (superuser, "POST", "/payers", {"name": "Aetna"}, 400),
        (superuser, "PATCH", f"/payers/{payer_id}", {"name": "Cigna"}, 200),
        (superuser, "GET", "/payers?customer=nobody", None, 400),
        (Api(), "POST", "/auth/login", {"email": "a@example.org", "password": "b"}, 401),
        (office.member, "OPTIONS", "/payers", None, 405),
        (office.member, "HEAD", "/payers", None, 200),
        (Api(), "GET", "/nothing", None, 404),
    ):
        assert api.request(method, path, body).status == status, (method, path)
        assert session() == CLEAN, (method, path)
        check(customers)
    assert connection.connection.info.backend_pid == pid


@pytest.mark.parametrize("mishap", MISHAPS, ids=lambda mishap: mishap.__name__)
@pytest.mark.parametrize("who", ["admin", "superuser", "superuser, narrowed"])
def test_a_mishap_leaves_neither_context_nor_rows(
    customers: dict[str, Office],
    superuser: Api,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    mishap: Callable[..., Response],
) -> None:
    office = customers["Aetna"]
    api = office.admin if who == "admin" else superuser
    query = f"?customer={office.slug}" if "narrowed" in who else ""
    check(customers)
    payer_id = office.payer("Aetna")

    with monkeypatch.context() as patch:
        # It has written by then.
        patch.setattr(ResourceView, "answer", mishap)
        answer = api.patch(f"/payers/{payer_id}{query}", {"name": "Other"})

    assert answer.status == MISHAPS[mishap]
    assert answer.headers["content-type"] == "application/problem+json"
    assert session() == CLEAN
    close_old_connections()  # what the server does after each request
    check(customers)


def test_an_answer_that_cannot_be_written_leaves_no_context(
    customers: dict[str, Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = customers["Aetna"]
    with monkeypatch.context() as patch:
        patch.setattr(ResourceView, "answer", lambda *args: Response({"x": object()}))
        answer = office.admin.patch(f"/payers/{office.payer('Aetna')}", {"name": "Aetna"})

    assert answer.status == 500
    assert session() == CLEAN
    check(customers)
