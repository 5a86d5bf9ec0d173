"""`tenancy.create_token`: for members, within their customer, on the record."""

from datetime import UTC, datetime, timedelta

import psycopg2.errors
import pytest

from tests.acceptance.together import Background
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction
from tests.tenancy.access import CREATE, arguments, member, suspend, token_ids, token_of


def test_a_tenant_makes_a_token_for_its_member(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio)
    values = arguments(scope="read")

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        token_id = web.value(CREATE, portfolio.customer_id, user_id, *values)

    row = owner.one("SELECT * FROM api_token WHERE id = %s", token_id)
    assert (row["customer_id"], row["user_id"]) == (portfolio.customer_id, user_id)
    assert [row[n] for n in ("name", "prefix", "digest", "scope", "expires_at")] == values
    assert row["last_used_at"] is None


def test_it_is_in_the_audit_trail_without_its_digest(web: Database, portfolio: Portfolio) -> None:
    user_id = member(portfolio)
    values = arguments()
    with transaction(
        web, role="claimdrift_tenant", customer_id=portfolio.customer_id, actor_id=user_id
    ):
        token_id = web.value(CREATE, portfolio.customer_id, user_id, *values)

    [entry] = [row for row in portfolio.rows("audit_entry") if row["table_name"] == "api_token"]
    assert (entry["operation"], entry["row_id"], entry["actor_id"]) == ("insert", token_id, user_id)
    assert entry["changes"]["name"] == [None, "test"]
    assert "digest" not in entry["changes"]
    assert values[2] not in str(entry)


def test_another_customers_context_is_refused(
    web: Database, owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    user_id = member(other)

    with (
        refused("PD003"),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute(CREATE, other.customer_id, user_id, *arguments())
    with refused("PD002"), transaction(web, role="claimdrift_tenant"):
        web.execute(CREATE, other.customer_id, user_id, *arguments())
    assert token_ids(owner, user_id) == []


def test_a_member_of_another_customer_gets_none(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    user_id = member(Portfolio(owner, worker))

    for nobody in (user_id, 0, None):
        with refused("PD012", "Add the user"):
            worker.execute(CREATE, portfolio.customer_id, nobody, *arguments())


def test_unknown_and_suspended_customers_are_refused(
    worker: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio)
    suspend(portfolio)

    with refused("PD005"):
        worker.execute(CREATE, portfolio.customer_id, user_id, *arguments())
    for customer_id in (0, None):
        with refused("PD004"):
            worker.execute(CREATE, customer_id, user_id, *arguments())


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"scope": "admin"}, "api_token_scope_check"),
        ({"name": ""}, "api_token_name_check"),
        ({"digest": "0" * 63}, "api_token_digest_check"),
        ({"digest": "A" * 64}, "api_token_digest_check"),
        ({"expires_at": datetime.now(UTC) - timedelta(days=1)}, "api_token_expiry_check"),
    ],
)
def test_impossible_tokens_are_refused(
    worker: Database, portfolio: Portfolio, changes: dict[str, object], constraint: str
) -> None:
    user_id = member(portfolio)

    with pytest.raises(psycopg2.errors.CheckViolation) as error:
        worker.execute(CREATE, portfolio.customer_id, user_id, *arguments(**changes))
    assert error.value.diag.constraint_name == constraint


def test_a_digest_exists_once_among_all_customers(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    digest = token_of(portfolio, member(portfolio)).digest
    other = Portfolio(owner, worker)

    with pytest.raises(psycopg2.errors.UniqueViolation):
        worker.execute(CREATE, other.customer_id, member(other), *arguments(digest=digest))


def test_a_membership_that_ends_meanwhile_takes_the_token_along(
    owner: Database, worker: Database, portfolio: Portfolio, connect: Connect
) -> None:
    user_id = member(portfolio)
    maker = Database(connect("claimdrift_worker"))
    maker.execute("BEGIN")
    maker.execute(CREATE, portfolio.customer_id, user_id, *arguments())
    ending = Background(
        Database(connect("claimdrift_worker")),
        lambda database: database.execute(
            "DELETE FROM membership WHERE customer_id = %s AND user_id = %s",
            portfolio.customer_id,
            user_id,
        ),
    )
    ending.wait_until_blocked(worker)
    maker.execute("COMMIT")
    ending.join()

    assert token_ids(owner, user_id) == []
