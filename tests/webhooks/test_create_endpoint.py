"""`webhooks.create_endpoint`: where events are sent to, with its first secret."""

from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.database import Database
from tests.ingest.receiving import suspend
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import CREATE, Dispatch, MakeDispatch

VALUES: tuple[Any, ...] = ("https://example.org/tenant", "Ours", [], None, b"secret", "key")


def test_it_is_active_and_healthy(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(
        url="https://example.org/hook",
        description="Ours",
        event_types=["alert.opened"],
        max_in_flight=3,
        ciphertext=b"\0\xff",
        key_id="k1",
    )

    endpoint = dispatch.endpoint(endpoint_id)
    assert (endpoint["url"], endpoint["description"]) == ("https://example.org/hook", "Ours")
    assert (endpoint["event_types"], endpoint["max_in_flight"]) == (["alert.opened"], 3)
    assert (endpoint["status"], endpoint["unavailable_count"]) == ("active", 0)
    [secret] = dispatch.portfolio.rows("webhook_secret")
    assert (secret["endpoint_id"], bytes(secret["ciphertext"])) == (endpoint_id, b"\0\xff")
    assert (secret["key_id"], secret["expires_at"]) == ("k1", None)


def test_what_is_left_out_has_a_default(dispatch: Dispatch) -> None:
    endpoint = dispatch.endpoint(
        dispatch.create(description=None, event_types=None, max_in_flight=None)
    )

    assert (endpoint["description"], endpoint["event_types"]) == ("", [])
    assert endpoint["max_in_flight"] == 10


def test_a_customer_may_have_fifty(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    ids = [dispatch.create() for _ in range(50)]

    with refused("PD018", "Delete one"):
        dispatch.create()
    make_dispatch().create()
    dispatch.delete(ids[0])
    dispatch.create()


def test_many_at_once_are_no_more_than_fifty(dispatch: Dispatch, database_url: DatabaseUrl) -> None:
    for _ in range(47):
        dispatch.create()

    def create(number: int) -> object:
        url = f"https://example.org/{number}"
        return lambda d: d.value(CREATE, dispatch.customer_id, url, *VALUES[1:])

    with open_connections(database_url, 8) as connections:
        results = do_together(connections, [create(number) for number in range(8)])  # type: ignore[misc]

    errors = [result.pgcode for result in results if isinstance(result, psycopg2.Error)]
    assert errors == ["PD018"] * 5
    assert len(dispatch.portfolio.rows("webhook_endpoint")) == 50


def test_a_suspended_customer_gets_none(dispatch: Dispatch) -> None:
    suspend(dispatch.portfolio)

    with refused("PD005"):
        dispatch.create()


def test_a_customer_has_each_url_once(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    url = "https://example.org/same"
    dispatch.create(url=url)

    with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
        dispatch.create(url=url)
    assert caught.value.diag.constraint_name == "webhook_endpoint_customer_url_key"
    make_dispatch().create(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "https://",
        "https:///hook",
        "https://user:word@example.org/",
        "https://example.org/#part",
        "https://example.org/a b",
        "https://example.org/\r\nHost: other",
        "https://example.org/\x7f",
        " https://example.org/",
        "https://example.org/" + "a" * 1981,
    ],
)
def test_what_is_no_url_is_refused(dispatch: Dispatch, url: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        dispatch.create(url=url)
    assert caught.value.diag.constraint_name == "webhook_endpoint_url_check"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://127.0.0.1:8000/",
        "https://[::1]:8443/a/b?c=d&e=@f",
        "https://example.org?a",
        "https://example.org/" + "a" * 1980,
    ],
)
def test_what_is_one_is_taken(dispatch: Dispatch, url: str) -> None:
    assert dispatch.endpoint(dispatch.create(url=url))["url"] == url


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"event_types": ["alert.opened", "alert.exploded"]}, "webhook_endpoint_types_check"),
        ({"max_in_flight": 0}, "webhook_endpoint_in_flight_check"),
        ({"max_in_flight": 51}, "webhook_endpoint_in_flight_check"),
    ],
)
def test_nonsense_is_refused(
    dispatch: Dispatch, changes: dict[str, object], constraint: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        dispatch.create(**changes)
    assert caught.value.diag.constraint_name == constraint
    assert dispatch.portfolio.rows("webhook_secret") == []


def test_the_audit_trail_holds_no_secret(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(ciphertext=b"top secret")
    dispatch.call("rotate_secret", endpoint_id, b"newer secret", "key")

    entries = dispatch.portfolio.rows("audit_entry")
    assert "webhook_secret" in {entry["table_name"] for entry in entries}
    assert not [entry for entry in entries if "ciphertext" in str(entry["changes"])]


def test_a_tenant_adds_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database
) -> None:
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        tenant.value(CREATE, dispatch.customer_id, *VALUES)
    with as_tenant(web.connection, dispatch.customer_id) as tenant, refused("PD003"):
        tenant.value(CREATE, make_dispatch().customer_id, *VALUES)
    for statement in (
        "SELECT FROM webhook_secret",
        "INSERT INTO webhook_endpoint (customer_id, url) VALUES (1, 'https://example.org')",
    ):
        with (
            as_tenant(web.connection, dispatch.customer_id) as tenant,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
        ):
            tenant.execute(statement)
