"""`tenancy.revoke_token`: ends one token at once."""

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction
from tests.tenancy.access import (
    AUTHENTICATE,
    member,
    superuser,
    superuser_token,
    token_ids,
    token_of,
)

CALL = "SELECT tenancy.revoke_token(p_customer_id => %s, p_token_id => %s)"


def test_it_is_void_at_once_and_the_others_are_not(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    user_id = member(portfolio)
    token, other = token_of(portfolio, user_id), token_of(portfolio, user_id)

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        assert web.value(CALL, portfolio.customer_id, token.token_id) is True

    assert web.execute(AUTHENTICATE, token.digest) == []
    assert token_ids(owner, user_id) == [other.token_id]


def test_a_token_that_is_gone_is_no_error(web: Database, portfolio: Portfolio) -> None:
    token = token_of(portfolio, member(portfolio))

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        results = [web.value(CALL, portfolio.customer_id, token.token_id) for _ in range(2)]

    assert results == [True, False]


def test_it_is_in_the_audit_trail_without_its_digest(portfolio: Portfolio) -> None:
    token = token_of(portfolio, member(portfolio))
    portfolio.worker.execute(CALL, portfolio.customer_id, token.token_id)

    entries = [row for row in portfolio.rows("audit_entry") if row["table_name"] == "api_token"]
    assert [row["operation"] for row in entries] == ["insert", "delete"]
    assert entries[1]["changes"]["name"] == ["test", None]
    assert token.digest not in str(entries)


def test_another_customers_token_is_out_of_reach(
    web: Database, owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    theirs = token_of(other, member(other))
    everybodys = superuser_token(portfolio, superuser(portfolio))

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        assert web.value(CALL, portfolio.customer_id, theirs.token_id) is False
        assert web.value(CALL, portfolio.customer_id, everybodys.token_id) is False
    with (
        refused("PD003"),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute(CALL, other.customer_id, theirs.token_id)
    with refused("PD002"), transaction(web, role="claimdrift_tenant"):
        web.execute(CALL, other.customer_id, theirs.token_id)
    with refused("PD004"):
        worker.execute(CALL, None, theirs.token_id)

    assert token_ids(owner, theirs.user_id) == [theirs.token_id]
    assert token_ids(owner, everybodys.user_id) == [everybodys.token_id]
