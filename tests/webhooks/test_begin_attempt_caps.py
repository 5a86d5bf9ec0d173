"""`webhooks.begin_attempt`, `capacity`, `customer_capacity`: how many are under way at once."""

from functools import partial

import pytest

from tests.acceptance.together import Background, DatabaseUrl, do_together, open_connections
from tests.database import Database
from tests.webhooks.dispatch import Dispatch, MakeDispatch


def test_no_more_than_an_endpoint_wants_are_under_way(dispatch: Dispatch) -> None:
    deliveries = dispatch.deliveries(3, max_in_flight=2)
    [elsewhere] = dispatch.deliveries()

    decisions = [dispatch.begin(d)["decision"] for d in (*deliveries, elsewhere)]

    assert decisions == ["send", "send", "postpone", "send"]
    assert dispatch.delivery(deliveries[2])["job_id"] is None


def test_no_more_than_forty_of_a_customer_are_under_way(
    dispatch: Dispatch, make_dispatch: MakeDispatch
) -> None:
    deliveries = dispatch.deliveries(41, max_in_flight=50)

    decisions = [dispatch.begin(d)["decision"] for d in deliveries]

    assert decisions == ["send"] * 40 + ["postpone"]
    assert dispatch.begin(deliveries[40])["reason"] == "enough is under way"
    other = make_dispatch()
    [others] = other.deliveries()
    assert other.begin(others)["decision"] == "send"


@pytest.mark.parametrize("expected", ["endpoint", "customer"])
def test_the_caps_hold_however_many_begin_at_once(
    dispatch: Dispatch, database_url: DatabaseUrl, expected: str
) -> None:
    if expected == "endpoint":
        deliveries, cap = dispatch.deliveries(40, max_in_flight=7), 7
    else:
        deliveries, cap = dispatch.deliveries(30, max_in_flight=50), 40
        deliveries += dispatch.deliveries(30, max_in_flight=50)
    with open_connections(database_url, 20) as connections:
        decisions = do_together(
            connections,
            [
                lambda d, own=deliveries[number::20]: [  # type: ignore[misc]
                    dispatch.begin(delivery_id, d)["decision"] for delivery_id in own
                ]
                for number in range(20)
            ],
        )

    assert sum(each.count("send") for each in decisions) == cap
    assert sum(each.count("postpone") for each in decisions) == len(deliveries) - cap
    leased = [row for row in dispatch.portfolio.rows("webhook_delivery") if row["leased_until"]]
    assert len(leased) == cap


def test_of_many_who_begin_the_same_one_sends(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    with open_connections(database_url, 8) as connections:
        for delivery_id in dispatch.deliveries(10):
            begun = do_together(connections, [partial(dispatch.begin, delivery_id)] * 8)

            assert sorted(each["decision"] for each in begun) == ["drop"] * 7 + ["send"]
            assert dispatch.delivery(delivery_id)["attempts"] == 1
            dispatch.finish(delivery_id, 1)


def test_whoever_comes_second_waits_for_the_first_and_drops_it(
    dispatch: Dispatch, worker: Database, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    with open_connections(database_url, 2) as [first, second]:
        first.execute("BEGIN")
        assert dispatch.begin(delivery_id, first)["decision"] == "send"
        waiting = Background(second, lambda d: dispatch.begin(delivery_id, d)["decision"])
        waiting.wait_until_blocked(worker)
        first.execute("COMMIT")

        assert waiting.join() == "drop"


def test_customers_do_not_wait_for_each_other(
    dispatch: Dispatch, make_dispatch: MakeDispatch, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    other = make_dispatch()
    [others] = other.deliveries()
    with open_connections(database_url, 2) as [first, second]:
        first.execute("BEGIN")
        dispatch.begin(delivery_id, first)
        second.execute("SET lock_timeout = '1ms'")

        assert other.begin(others, second)["decision"] == "send"
