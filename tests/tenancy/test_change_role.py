"""`tenancy.change_role`: admins and members, and always an admin."""

from typing import Any

import pytest

from core.functions import tenancy_change_role
from tests.acceptance.together import Background, DatabaseUrl, do_together, open_connections
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio, as_tenant
from tests.refusal import refused
from tests.tenancy.members import CHANGE, REMOVE, add, disable, roles, user_of


def test_a_member_becomes_an_admin_and_an_admin_a_member(portfolio: Portfolio) -> None:
    one, two = add(portfolio, "admin"), add(portfolio, "member")

    tenancy_change_role(customer_id=portfolio.customer_id, membership_id=two, role="admin")
    assert roles(portfolio) == {one: "admin", two: "admin"}
    tenancy_change_role(customer_id=portfolio.customer_id, membership_id=one, role="member")
    assert roles(portfolio) == {one: "member", two: "admin"}

    changes = [
        (entry["row_id"], entry["changes"])
        for entry in portfolio.rows("audit_entry")
        if (entry["table_name"], entry["operation"]) == ("membership", "update")
    ]
    assert changes == [(two, {"role": ["member", "admin"]}), (one, {"role": ["admin", "member"]})]


def test_the_last_admin_can_not_be_demoted(portfolio: Portfolio, worker: Database) -> None:
    admin = add(portfolio, "admin")
    add(portfolio, "member")

    with refused("PD013", "somebody else"):
        worker.execute(CHANGE, portfolio.customer_id, admin, "member")
    worker.execute(CHANGE, portfolio.customer_id, admin, "admin")
    assert roles(portfolio)[admin] == "admin"


def test_admins_of_other_customers_do_not_count(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    admin = add(portfolio, "admin")
    add(Portfolio(owner, worker), "admin")

    with refused("PD013"):
        worker.execute(CHANGE, portfolio.customer_id, admin, "member")


def test_an_admin_who_is_disabled_does_not_count(portfolio: Portfolio, worker: Database) -> None:
    active, disabled = add(portfolio, "admin"), add(portfolio, "admin")
    disable(worker, user_of(portfolio, disabled))

    with refused("PD013"):
        worker.execute(CHANGE, portfolio.customer_id, active, "member")
    worker.execute(CHANGE, portfolio.customer_id, disabled, "member")
    assert roles(portfolio) == {active: "admin", disabled: "member"}


@pytest.mark.parametrize("role", [None, "", "owner"])
def test_other_roles_are_refused(portfolio: Portfolio, worker: Database, role: str | None) -> None:
    member = add(portfolio)

    with refused("PD008", "admin or member"):
        worker.execute(CHANGE, portfolio.customer_id, member, role)


def test_memberships_of_others_are_unknown(
    portfolio: Portfolio, owner: Database, worker: Database
) -> None:
    other = Portfolio(owner, worker)
    member = add(other)

    for membership_id in (member, 0, None):
        with refused("PD016", "Look the id up"):
            worker.execute(CHANGE, portfolio.customer_id, membership_id, "admin")
    assert roles(other) == {member: "member"}


def test_a_tenant_changes_its_own_members_only(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    own, foreign = add(portfolio), add(other)
    with as_tenant(connect("claimdrift_web"), portfolio.customer_id) as tenant:
        tenant.execute(CHANGE, portfolio.customer_id, own, "admin")
        tenant.execute("SAVEPOINT s")
        for customer_id, code in ((portfolio.customer_id, "PD016"), (other.customer_id, "PD003")):
            with refused(code):
                tenant.execute(CHANGE, customer_id, foreign, "admin")
            tenant.execute("ROLLBACK TO s")
        tenant.execute("COMMIT")

    assert (roles(portfolio), roles(other)) == ({own: "admin"}, {foreign: "member"})


def test_another_isolation_level_is_refused(portfolio: Portfolio, connect: Connect) -> None:
    member = add(portfolio)
    database = Database(connect())
    database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")

    with refused("PD001"):
        database.execute(CHANGE, portfolio.customer_id, member, "admin")


@pytest.mark.parametrize("rounds", range(5))
def test_of_admins_who_demote_or_remove_each_other_one_is_left(
    portfolio: Portfolio, database_url: DatabaseUrl, rounds: int
) -> None:
    admins = [add(portfolio, "admin") for _ in range(8)]

    def oust(membership_id: int) -> Any:
        statement = REMOVE if membership_id % 2 else CHANGE
        more = () if membership_id % 2 else ("member",)
        return lambda d: d.execute(statement, portfolio.customer_id, membership_id, *more)

    with open_connections(database_url, len(admins)) as databases:
        results = do_together(databases, [oust(admin) for admin in admins])

    assert list(roles(portfolio).values()).count("admin") == 1
    [refusal] = [result for result in results if isinstance(result, Exception)]
    assert getattr(refusal, "pgcode", None) == "PD013"


def test_the_second_of_two_waits_and_sees_what_the_first_did(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect
) -> None:
    one, two = add(portfolio, "admin"), add(portfolio, "admin")
    first = Database(connect())
    with open_connections(database_url, 1) as [second]:
        first.execute("BEGIN")
        first.execute(CHANGE, portfolio.customer_id, one, "member")
        changing = Background(
            second, lambda d: d.execute(CHANGE, portfolio.customer_id, two, "member")
        )
        try:
            changing.wait_until_blocked(portfolio.worker)
        finally:
            first.execute("COMMIT")
        with refused("PD013"):
            changing.join()
    assert roles(portfolio) == {one: "member", two: "admin"}


def test_other_customers_do_not_wait(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    other = Portfolio(owner, worker)
    member, foreign = add(portfolio), add(other)
    first, second = Database(connect()), Database(connect())
    first.execute("BEGIN")
    first.execute(CHANGE, portfolio.customer_id, member, "admin")
    second.execute("SET lock_timeout = '100ms'")

    second.execute(CHANGE, other.customer_id, foreign, "admin")
    first.execute("ROLLBACK")
