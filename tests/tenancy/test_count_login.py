"""`tenancy.count_login`: ten attempts for an account, a hundred for an address, in 15 minutes."""

import os
from itertools import count

import psycopg2.errors
import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.database import Database
from tests.tenancy import transaction

CALL = "SELECT tenancy.count_login(p_account => %s, p_address => %s)"
WINDOW = 15 * 60
_numbers = count(1)


def somebody() -> tuple[str, str]:
    """An account and an address that no other test uses."""
    number = next(_numbers)
    return f"person-{os.getpid()}-{number}@example.org", f"2001:db8::{os.getpid():x}:{number:x}"


def rows(owner: Database, *names: str) -> list[dict[str, object]]:
    return owner.dicts(
        "SELECT * FROM login_throttle WHERE key = ANY("
        " SELECT encode(sha256(convert_to(name, 'UTF8')), 'hex') FROM unnest(%s) AS name)"
        " ORDER BY attempts",
        list(names),
    )


def test_the_eleventh_attempt_of_an_account_has_to_wait(web: Database) -> None:
    account, _ = somebody()

    waits = [web.value(CALL, account, somebody()[1]) for _ in range(12)]

    assert waits[:10] == [0] * 10
    assert all(WINDOW - 60 < wait <= WINDOW for wait in waits[10:])


def test_upper_case_is_the_same_account(web: Database) -> None:
    account, address = somebody()
    for number in range(10):
        web.execute(CALL, account.upper() if number % 2 else account, address)

    assert web.value(CALL, account.title(), somebody()[1]) > 0


def test_one_account_does_not_lock_another(web: Database) -> None:
    account, address = somebody()
    for _ in range(11):
        web.execute(CALL, account, address)

    assert web.value(CALL, somebody()[0], address) == 0


def test_the_hundred_and_first_attempt_from_an_address_has_to_wait(web: Database) -> None:
    _, address = somebody()

    waits = [web.value(CALL, somebody()[0], address) for _ in range(102)]

    assert waits[:100] == [0] * 100
    assert min(waits[100:]) > 0
    assert web.value(CALL, somebody()[0], somebody()[1]) == 0


def test_an_account_and_an_address_of_one_name_are_two(web: Database, owner: Database) -> None:
    name, _ = somebody()
    web.execute(CALL, name, name)

    assert [row["attempts"] for row in rows(owner, f"account:{name}", f"address:{name}")] == [1, 1]


def test_after_the_window_it_starts_again(web: Database, owner: Database) -> None:
    account, address = somebody()
    for _ in range(11):
        web.execute(CALL, account, address)
    owner.execute(
        "UPDATE login_throttle SET started_at = started_at - interval '15 minutes'"
        " WHERE key = encode(sha256(convert_to(%s, 'UTF8')), 'hex')",
        f"account:{account}",
    )

    assert web.value(CALL, account, address) == 0
    assert [row["attempts"] for row in rows(owner, f"account:{account}")] == [1]


def test_attempts_while_locked_do_not_prolong_it(web: Database, owner: Database) -> None:
    account, address = somebody()
    web.execute(CALL, account, address)
    [first] = rows(owner, f"account:{account}")
    for _ in range(15):
        web.execute(CALL, account, address)
    [last] = rows(owner, f"account:{account}")

    assert last["started_at"] == first["started_at"]


def test_it_is_counted_even_if_the_request_is_rolled_back(web: Database, owner: Database) -> None:
    account, address = somebody()

    web.execute(CALL, account, address)
    with pytest.raises(psycopg2.errors.DivisionByZero), transaction(web):
        web.execute("SELECT 1 / 0")

    assert [row["attempts"] for row in rows(owner, f"account:{account}")] == [1]


def test_fifty_attempts_at_once_are_let_through_ten_times(
    database_url: DatabaseUrl, owner: Database
) -> None:
    account, address = somebody()

    def guess_twice(database: Database) -> list[int]:
        return [database.value(CALL, account, address) for _ in range(2)]

    with open_connections(database_url, 25, "claimdrift_web") as databases:
        results = do_together(databases, [guess_twice] * 25)

    assert sum(wait == 0 for waits in results for wait in waits) == 10
    assert [row["attempts"] for row in rows(owner, f"account:{account}")] == [50]


def test_crossed_accounts_and_addresses_do_not_deadlock(database_url: DatabaseUrl) -> None:
    names = [somebody()[0] for _ in range(2)]

    def attempt(turn: int) -> object:
        def work(database: Database) -> int:
            for number in range(20):
                # Each name is an account here and an address there.
                first = names[(turn + number) % 2]
                second = names[(turn + number + 1) % 2]
                database.execute(CALL, first, second)
            return turn

        return work

    with open_connections(database_url, 8, "claimdrift_web") as databases:
        results = do_together(databases, [attempt(turn) for turn in range(8)])  # type: ignore[misc]

    assert results == list(range(8))


def test_neither_account_nor_address_is_kept(web: Database, owner: Database) -> None:
    account, address = somebody()
    web.execute(CALL, account, address)

    text = str(owner.execute("SELECT * FROM login_throttle"))
    assert account not in text
    assert address not in text


def test_nobody_else_may_count_or_look(web: Database, worker: Database) -> None:
    for statement in ("SELECT tenancy.count_login('a', 'b')", "SELECT FROM login_throttle"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            worker.execute(statement)
        for role in ("claimdrift_tenant", "claimdrift_platform"):
            with (
                pytest.raises(psycopg2.errors.InsufficientPrivilege),
                transaction(web, role=role, customer_id=1),
            ):
                web.execute(statement)
