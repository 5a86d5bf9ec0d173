"""`webhooks.replay`: a delivery is sent again."""

import pytest

from tests.acceptance.together import DatabaseUrl, do_together, open_connections
from tests.database import Database
from tests.ingest.receiving import suspend
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch

REPLAY = "SELECT webhooks.replay(%s, %s)"
# How each comes to be, by answers and a schedule.
ENDED: dict[str, tuple[int, list[int] | None]] = {"delivered": (200, None), "failed": (500, [])}


@pytest.mark.parametrize("status", ENDED)
def test_one_that_ended_starts_anew(dispatch: Dispatch, status: str) -> None:
    [delivery_id] = dispatch.deliveries()
    answer, schedule = ENDED[status]
    message_id = dispatch.events()[0]["message_id"]
    dispatch.attempt(delivery_id, answer, schedule=schedule)
    assert dispatch.delivery(delivery_id)["status"] == status

    dispatch.replay(delivery_id)

    delivery = dispatch.delivery(delivery_id)
    assert (delivery["status"], delivery["failures"], delivery["attempts"]) == ("pending", 0, 1)
    assert delivery["finished_at"] is None
    assert dispatch.waits_for_job(delivery_id)
    begun = dispatch.begin(delivery_id)
    assert (begun["decision"], begun["attempt"]) == ("send", 2)
    # Receivers know by it that they have it already.
    assert begun["message_id"] == message_id
    assert dispatch.finish(delivery_id, 2, 404) == "retry"
    assert [row["number"] for row in dispatch.attempts(delivery_id)] == [1, 2]


def test_one_that_waits_is_sent_at_once_and_from_the_start_of_the_schedule(
    dispatch: Dispatch,
) -> None:
    [delivery_id] = dispatch.deliveries()
    for _ in range(4):
        dispatch.attempt(delivery_id, 404)
        dispatch.age()
    assert dispatch.attempt(delivery_id, 404) == "retry"
    assert dispatch.delivery(delivery_id)["job_id"] is None

    dispatch.replay(delivery_id)

    assert dispatch.delivery(delivery_id)["failures"] == 0
    assert dispatch.waits_for_job(delivery_id)
    assert dispatch.jobs(delivery_id)[-1]["scheduled_at"] is None
    assert dispatch.start(delivery_id) == 6


def test_one_that_is_under_way_is_left_alone(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    number = dispatch.start(delivery_id)
    before = dispatch.snapshot(), dispatch.jobs()

    dispatch.replay(delivery_id)

    assert (dispatch.snapshot(), dispatch.jobs()) == before
    assert dispatch.finish(delivery_id, number) == "delivered"


def test_the_jobs_of_before_and_after_send_it_once(
    dispatch: Dispatch, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    for _ in range(3):
        dispatch.replay(delivery_id)
    jobs = len(dispatch.jobs(delivery_id))
    assert jobs == 4
    with open_connections(database_url, jobs) as connections:
        begun = do_together(connections, [lambda d: dispatch.begin(delivery_id, d)] * jobs)

    assert sorted(each["decision"] for each in begun) == ["drop"] * (jobs - 1) + ["send"]


def test_a_paused_endpoints_waits_until_it_is_resumed(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.attempt(delivery_id)
    dispatch.pause(endpoint_id)

    dispatch.replay(delivery_id)
    assert dispatch.delivery(delivery_id)["job_id"] is None

    dispatch.resume(endpoint_id)
    assert dispatch.waits_for_job(delivery_id)


def test_a_disabled_endpoints_is_refused(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.disable(dispatch.delivery(delivery_id)["endpoint_id"])

    with refused("PD017", "Resume it first"):
        dispatch.replay(delivery_id)
    assert dispatch.delivery(delivery_id)["status"] == "cancelled"


def test_an_unknown_one_is_refused(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    other = make_dispatch()
    [others] = other.deliveries()
    other.attempt(others)
    for delivery_id in (-1, others):
        with refused("PD016", "webhook_delivery"):
            dispatch.replay(delivery_id)
    assert other.delivery(others)["status"] == "delivered"


def test_a_suspended_customers_is_refused(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    suspend(dispatch.portfolio)

    with refused("PD005"):
        dispatch.replay(delivery_id)


def test_a_tenant_replays_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database
) -> None:
    [delivery_id] = dispatch.deliveries()
    other = make_dispatch()
    [others] = other.deliveries()
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        tenant.execute(REPLAY, dispatch.customer_id, delivery_id)
        with refused("PD003"):
            tenant.execute(REPLAY, other.customer_id, others)
