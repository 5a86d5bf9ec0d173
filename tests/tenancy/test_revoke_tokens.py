"""`tenancy.revoke_tokens`: all of a user's, or of everybody's, at one customer."""

from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused
from tests.tenancy import transaction
from tests.tenancy.access import member, token_ids, token_of

CALL = "SELECT tenancy.revoke_tokens(p_customer_id => %s, p_user_id => %s)"


def test_all_of_a_user_go_and_those_of_others_stay(
    web: Database, owner: Database, portfolio: Portfolio
) -> None:
    leaving, staying = member(portfolio), member(portfolio)
    for user_id in (leaving, leaving, staying):
        token_of(portfolio, user_id)

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        web.execute(CALL, portfolio.customer_id, leaving)

    assert (len(token_ids(owner, leaving)), len(token_ids(owner, staying))) == (0, 1)


def test_without_a_user_all_go_but_those_at_other_customers(
    owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    user_id = member(portfolio)
    member(other, user_id=user_id)
    token_of(portfolio, user_id)
    elsewhere = token_of(other, user_id)
    second = member(portfolio)
    token_of(portfolio, second)

    worker.execute(CALL, portfolio.customer_id, None)

    assert token_ids(owner, user_id) == [elsewhere.token_id]
    assert token_ids(owner, second) == []


def test_a_membership_that_ends_takes_its_tokens_along(
    web: Database, owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    user_id = member(portfolio)
    member(other, user_id=user_id)
    token_of(portfolio, user_id)
    elsewhere = token_of(other, user_id)

    with transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id):
        web.execute("SELECT tenancy.revoke_tokens(%s, %s)", portfolio.customer_id, user_id)
    token_of(portfolio, user_id)
    worker.execute(
        "DELETE FROM membership WHERE customer_id = %s AND user_id = %s",
        portfolio.customer_id,
        user_id,
    )

    assert token_ids(owner, user_id) == [elsewhere.token_id]


def test_another_customers_are_out_of_reach(
    web: Database, owner: Database, worker: Database, portfolio: Portfolio
) -> None:
    other = Portfolio(owner, worker)
    theirs = token_of(other, member(other))

    with (
        refused("PD003"),
        transaction(web, role="claimdrift_tenant", customer_id=portfolio.customer_id),
    ):
        web.execute(CALL, other.customer_id, None)
    with refused("PD004"):
        worker.execute(CALL, None, None)

    assert token_ids(owner, theirs.user_id) == [theirs.token_id]
