"""`tenancy.remove_member`: the membership goes, with the tokens; the user and an admin stay."""

from core.functions import tenancy_remove_member
from tests.acceptance.together import Background, DatabaseUrl, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused
from tests.tenancy.members import ADD, CHANGE, REMOVE, add, address, give_token, roles, user_of


def test_the_membership_goes_and_the_user_stays(portfolio: Portfolio, owner: Database) -> None:
    admin, member = add(portfolio, "admin"), add(portfolio)
    user_id = user_of(portfolio, member)

    tenancy_remove_member(customer_id=portfolio.customer_id, membership_id=member)

    assert roles(portfolio) == {admin: "admin"}
    assert owner.execute('SELECT is_active FROM "user" WHERE id = %s', user_id) == [(True,)]
    deleted = portfolio.rows("audit_entry")[-1]
    assert (deleted["table_name"], deleted["operation"]) == ("membership", "delete")
    assert (deleted["row_id"], deleted["changes"]["user_id"]) == (member, [user_id, None])


def test_the_tokens_for_this_customer_go_with_it(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    email = address()
    member = add(portfolio, email=email)
    elsewhere = add(other, email=email)
    colleague = add(portfolio)
    give_token(portfolio, member)
    kept = [give_token(portfolio, colleague), give_token(other, elsewhere)]

    worker.execute(REMOVE, portfolio.customer_id, member)

    assert [t["id"] for t in portfolio.rows("api_token") + other.rows("api_token")] == kept
    # It isn't theirs again when they are.
    worker.value(ADD, portfolio.customer_id, email, "", "member")
    assert [token["id"] for token in portfolio.rows("api_token")] == kept[:1]


def test_the_last_admin_can_not_be_removed(portfolio: Portfolio, worker: Database) -> None:
    admin, member = add(portfolio, "admin"), add(portfolio)

    with refused("PD013", "somebody else"):
        worker.execute(REMOVE, portfolio.customer_id, admin)
    worker.execute(CHANGE, portfolio.customer_id, member, "admin")
    worker.execute(REMOVE, portfolio.customer_id, admin)
    assert roles(portfolio) == {member: "admin"}


def test_memberships_of_others_are_unknown(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    member = add(other)

    for membership_id in (member, 0, None):
        with refused("PD016", "Look the id up"):
            worker.execute(REMOVE, portfolio.customer_id, membership_id)
    assert roles(other) == {member: "member"}


def test_a_tenant_removes_its_own_members_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    own, foreign = add(portfolio), add(other)
    token_id = give_token(portfolio, own)
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        assert tenant.execute("SELECT id FROM api_token") == [(token_id,)]
        tenant.execute(REMOVE, portfolio.customer_id, own)
        tenant.execute("SAVEPOINT s")
        with refused("PD003"):
            tenant.execute(REMOVE, other.customer_id, foreign)
        tenant.execute("ROLLBACK TO s")
        tenant.execute("COMMIT")

    assert (roles(portfolio), roles(other)) == ({}, {foreign: "member"})
    assert portfolio.rows("api_token") == []


def test_a_token_that_is_just_made_is_revoked_too(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect
) -> None:
    member = add(portfolio)
    maker = Database(connect())
    with open_connections(database_url, 1) as [remover]:
        maker.execute("BEGIN")
        give_token(portfolio, member, maker)
        removing = Background(remover, lambda d: d.execute(REMOVE, portfolio.customer_id, member))
        try:
            removing.wait_until_blocked(portfolio.worker)
        finally:
            maker.execute("COMMIT")
        removing.join()
    assert (roles(portfolio), portfolio.rows("api_token")) == ({}, [])
