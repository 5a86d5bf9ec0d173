"""What a database error means: whether to try again, and what may be said of it."""

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from core.errors import explain, is_transient, reason, sqlstate


def raised(sqlstate: str, message: str = "Jane Doe", detail: str = "Jane Doe") -> Exception:
    """The error that Django raises for one of the server's."""
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute(
            "DO $do$ BEGIN RAISE EXCEPTION USING"
            f" ERRCODE = '{sqlstate}', MESSAGE = '{message}', DETAIL = '{detail}'; END $do$"
        )
    return caught.value


@pytest.mark.parametrize("code", ["40P01", "40001", "55P03", "57P01", "57P03", "08006"])
def test_what_may_pass_is_tried_again(code: str) -> None:
    assert is_transient(raised(code))


@pytest.mark.parametrize("code", ["23505", "PD005", "57014", "22P02", "XX000", "53100"])
def test_what_stays_is_not(code: str) -> None:
    assert not is_transient(raised(code))


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_a_connection_that_has_gone_is_tried_again(error: Exception) -> None:
    assert is_transient(error)
    assert reason(error) == "The connection to the database was lost."


@pytest.mark.parametrize("error", [ValueError("Jane Doe"), DatabaseError("Jane Doe")])
def test_a_mistake_of_our_own_is_not(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("23505", "The database refused it: unique violation (23505)."),
        ("40P01", "The database refused it: deadlock detected (40P01)."),
        ("ZZ999", "The database refused it: unknown (ZZ999)."),
    ],
)
def test_a_reason_names_the_error_and_no_value(code: str, expected: str) -> None:
    assert reason(raised(code)) == expected


def test_a_reason_of_ours_is_its_message() -> None:
    error = raised("PD005", message="customer suspended")

    assert reason(error) == "Customer suspended (PD005)."


def test_a_reason_that_is_no_databases_names_its_type() -> None:
    assert reason(ValueError("Jane Doe")) == "Something unexpected happened (ValueError)."


def test_only_our_own_errors_are_explained() -> None:
    ours, theirs = raised("PD005", message="customer suspended"), raised("23505")
    assert isinstance(ours, DatabaseError)
    assert isinstance(theirs, DatabaseError)

    assert sqlstate(ours) == "PD005"
    assert explain(ours) == "Customer suspended. Jane Doe"
    with pytest.raises(DatabaseError):
        explain(theirs)
