"""`maintenance.prune_access`: what nobody can sign in with any more goes."""

import hashlib
from collections.abc import Callable

import pytest

from core import functions
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

PRUNE = "SELECT * FROM maintenance.prune(p_batch => %s)"


@pytest.fixture
def add_token(portfolio: Portfolio, owner: Database) -> Callable[[int], int]:
    """`add_token(days)`: a token that expired so many days ago; its id."""
    user_id = portfolio.user()
    numbers = iter(range(100))

    def add_token(days: int) -> int:
        digest = hashlib.sha256(f"{portfolio.slug}-{next(numbers)}".encode()).hexdigest()
        token_id: int = owner.value(
            "INSERT INTO api_token (customer_id, user_id, name, prefix, digest, scope, created_at,"
            " expires_at) VALUES (%s, %s, 'old', 'cd_', %s, 'read', now() - interval '1 year',"
            " now() - make_interval(days => %s)) RETURNING id",
            portfolio.customer_id,
            user_id,
            digest,
            days,
        )
        return token_id

    return add_token


def prune(database: Database, batch: int = 50_000) -> dict[str, int]:
    return dict(database.execute(PRUNE, batch))


def test_tokens_go_a_month_after_their_expiry(
    portfolio: Portfolio, worker: Database, add_token: Callable[[int], int]
) -> None:
    while functions.maintenance_prune():
        pass
    kept = [add_token(-1), add_token(0), add_token(29)]
    gone = [add_token(31), add_token(300), add_token(31)]

    assert [prune(worker, 2)["api_token"] for _ in range(3)] == [2, 1, 0]
    assert [token["id"] for token in portfolio.rows("api_token")] == kept
    assert [
        entry["row_id"]
        for entry in portfolio.rows("audit_entry")
        if (entry["table_name"], entry["operation"]) == ("api_token", "delete")
    ] == gone


def test_counts_of_attempts_go_after_a_day(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    add = "INSERT INTO login_throttle VALUES (%s, now() - make_interval(hours => %s), 3)"
    owner.execute(add, f"{portfolio.slug}-new", 23)
    owner.execute(add, f"{portfolio.slug}-old", 25)

    assert prune(worker)["login_throttle"] >= 1

    assert owner.execute("SELECT key FROM login_throttle WHERE key ^@ %s", portfolio.slug) == [
        (f"{portfolio.slug}-new",)
    ]


def test_what_somebody_works_on_is_skipped(
    portfolio: Portfolio,
    owner: Database,
    worker: Database,
    add_token: Callable[[int], int],
    connect: Connect,
) -> None:
    held, gone = add_token(31), add_token(31)
    owner.execute("BEGIN")
    owner.execute("SELECT FROM api_token WHERE id = %s FOR UPDATE", held)
    worker.execute("SET lock_timeout = '1ms'")
    try:
        prune(worker)
    finally:
        worker.execute("RESET lock_timeout")
        owner.execute("COMMIT")

    assert [token["id"] for token in portfolio.rows("api_token")] == [held]
    assert gone != held


@pytest.mark.parametrize("function", ["prune_access(1)", "prune_jobs(now(), 1)"])
def test_only_prune_calls_its_parts(worker: Database, function: str) -> None:
    with refused("42501"):
        worker.execute(f"SELECT * FROM maintenance.{function}")
