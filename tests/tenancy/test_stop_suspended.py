"""`tenancy.stop_suspended`: whoever is suspended stops at once, and nobody else."""

import psycopg2.errors
import pytest

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction
from tests.tenancy.access import AUTHENTICATE, member, suspend, token_ids, token_of

QUEUE = "SELECT drift.queue_detection(p_customer_id => %s)"


def jobs(portfolio: Portfolio) -> list[str]:
    """The states of a customer's jobs."""
    rows = portfolio.worker.execute(
        "SELECT status::text FROM procrastinate_jobs"
        " WHERE (args ->> 'customer_id')::bigint = %s ORDER BY id",
        portfolio.customer_id,
    )
    return [status for [status] in rows]


@pytest.fixture
def other(owner: Database, worker: Database) -> Portfolio:
    return Portfolio(owner, worker)


def test_tokens_are_revoked_and_waiting_jobs_cancelled(
    web: Database, owner: Database, portfolio: Portfolio, other: Portfolio
) -> None:
    token, theirs = token_of(portfolio, member(portfolio)), token_of(other, member(other))
    for practice in (portfolio, other):
        practice.worker.execute(QUEUE, practice.customer_id)

    suspend(portfolio)

    assert token_ids(owner, token.user_id) == []
    assert web.execute(AUTHENTICATE, token.digest) == []
    assert jobs(portfolio) == ["cancelled"]
    assert len(web.execute(AUTHENTICATE, theirs.digest)) == 1
    assert jobs(other) == ["todo"]


def test_a_job_that_has_started_is_refused_by_what_it_calls(portfolio: Portfolio) -> None:
    portfolio.worker.execute(QUEUE, portfolio.customer_id)
    portfolio.worker.execute(
        "UPDATE procrastinate_jobs SET status = 'doing'"
        " WHERE (args ->> 'customer_id')::bigint = %s",
        portfolio.customer_id,
    )

    suspend(portfolio)

    assert jobs(portfolio) == ["doing"]
    with refused("PD005"):
        portfolio.worker.execute("SELECT drift.detect(p_customer_id => %s)", portfolio.customer_id)
    portfolio.worker.execute(
        "DELETE FROM procrastinate_jobs WHERE (args ->> 'customer_id')::bigint = %s",
        portfolio.customer_id,
    )


def test_the_revocation_is_in_the_audit_trail(portfolio: Portfolio) -> None:
    token = token_of(portfolio, member(portfolio))
    suspend(portfolio)

    entries = [row for row in portfolio.rows("audit_entry") if row["table_name"] == "api_token"]
    assert [(row["operation"], row["row_id"]) for row in entries] == [
        ("insert", token.token_id),
        ("delete", token.token_id),
    ]


def test_what_was_stopped_does_not_come_back(
    web: Database, portfolio: Portfolio, worker: Database
) -> None:
    token = token_of(portfolio, member(portfolio))
    suspend(portfolio)
    worker.execute("UPDATE customer SET status = 'active' WHERE id = %s", portfolio.customer_id)

    assert web.execute(AUTHENTICATE, token.digest) == []
    assert token_of(portfolio, token.user_id).token_id != token.token_id


def test_other_changes_of_a_customer_stop_nothing(
    owner: Database, portfolio: Portfolio, worker: Database
) -> None:
    token = token_of(portfolio, member(portfolio))
    worker.execute(QUEUE, portfolio.customer_id)
    worker.execute("UPDATE customer SET name = 'New' WHERE id = %s", portfolio.customer_id)

    assert token_ids(owner, token.user_id) == [token.token_id]
    assert jobs(portfolio) == ["todo"]


def test_several_suspended_by_one_statement_all_stop(
    owner: Database, worker: Database, portfolio: Portfolio, other: Portfolio
) -> None:
    users = [member(practice) for practice in (portfolio, other)]
    for practice, user_id in zip((portfolio, other), users, strict=True):
        token_of(practice, user_id)
    worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = ANY(%s)",
        [portfolio.customer_id, other.customer_id],
    )

    assert [token_ids(owner, user_id) for user_id in users] == [[], []]


def test_called_by_hand_it_spares_the_active(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    token = token_of(portfolio, member(portfolio))
    for customer_ids in ([portfolio.customer_id], [0], [], None):
        worker.execute("SELECT tenancy.stop_suspended(%s::bigint[])", customer_ids)

    assert token_ids(owner, token.user_id) == [token.token_id]


def test_a_tenant_may_not_call_it(web: Database, portfolio: Portfolio) -> None:
    with (
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute("SELECT tenancy.stop_suspended(ARRAY[1::bigint])")
