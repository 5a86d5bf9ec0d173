"""`webhooks.queue` and `queue_due`: jobs for deliveries, and who goes first."""

from datetime import timedelta

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch


def queue(dispatch: Dispatch, *delivery_ids: int) -> int:
    queued: int = dispatch.owner.value("SELECT webhooks.queue(%s::bigint[])", list(delivery_ids))
    return queued


def priorities(dispatch: Dispatch, *delivery_ids: int) -> list[int]:
    return [dispatch.jobs(delivery_id)[-1]["priority"] for delivery_id in delivery_ids]


def test_a_job_says_what_is_to_be_delivered(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()

    [job] = dispatch.jobs(delivery_id)
    assert (job["queue_name"], job["task_name"]) == ("webhooks", "core.tasks.deliver")
    assert job["args"] == {"customer_id": dispatch.customer_id, "delivery_id": delivery_id}
    assert (job["status"], job["scheduled_at"]) == ("todo", None)
    # Either would keep the queue waiting.
    assert (job["lock"], job["queueing_lock"]) == (None, None)
    assert dispatch.delivery(delivery_id)["job_id"] == job["id"]


def test_it_is_for_when_the_delivery_is_due(dispatch: Dispatch) -> None:
    [delivery_id] = dispatch.deliveries()
    due = dispatch.owner.value("SELECT now() + interval '1 hour'")
    dispatch.set_delivery(delivery_id, next_attempt_at=due)

    assert queue(dispatch, delivery_id) == 1
    assert dispatch.jobs(delivery_id)[-1]["scheduled_at"] == due


def test_each_ten_that_wait_make_the_next_less_urgent(dispatch: Dispatch) -> None:
    deliveries = dispatch.deliveries(25)

    assert priorities(dispatch, *deliveries) == [0] * 10 + [-1] * 10 + [-2] * 5
    # Another endpoint has its own ladder, and so do many that come at once.
    assert priorities(dispatch, *dispatch.deliveries(2)) == [0, 0]
    dispatch.owner.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'core.tasks.deliver'")
    assert queue(dispatch, *deliveries) == 25
    assert priorities(dispatch, *deliveries) == [0] * 10 + [-1] * 10 + [-2] * 5


def test_what_was_sent_makes_room_on_the_ladder(dispatch: Dispatch) -> None:
    deliveries = dispatch.deliveries(12)
    for delivery_id in deliveries[:5]:
        dispatch.attempt(delivery_id)
    dispatch.publish()

    assert priorities(dispatch, deliveries[11], deliveries[11] + 1) == [-1, 0]


def test_what_is_due_later_is_in_nobodys_way(dispatch: Dispatch) -> None:
    deliveries = dispatch.deliveries(15)
    later = dispatch.owner.value("SELECT now() + interval '1 hour'")
    for delivery_id in deliveries:
        dispatch.set_delivery(delivery_id, next_attempt_at=later)
    dispatch.publish()

    assert priorities(dispatch, deliveries[-1] + 1) == [0]


def test_the_ladder_has_an_end(dispatch: Dispatch) -> None:
    """Counting what waits must not take the longer the more there is."""
    [delivery_id] = dispatch.deliveries()
    endpoint_id = dispatch.delivery(delivery_id)["endpoint_id"]
    dispatch.owner.execute(
        "INSERT INTO webhook_event (customer_id, type, payload, message_id, dedup_key)"
        " SELECT %s, 'alert.opened', '{}', 'msg_' || n, n FROM generate_series(1, 1200) AS n",
        dispatch.customer_id,
    )
    dispatch.publish()

    newest = dispatch.ids_of(endpoint_id)[-1]
    assert priorities(dispatch, newest) == [-100]


def test_only_what_waits_for_an_active_endpoint_is_queued(
    dispatch: Dispatch, make_dispatch: MakeDispatch
) -> None:
    done, waiting = dispatch.deliveries(2)
    [paused] = dispatch.deliveries()
    dispatch.attempt(done)
    dispatch.pause(dispatch.delivery(paused)["endpoint_id"])

    assert queue(dispatch, done, waiting, paused) == 1
    assert len(dispatch.jobs(waiting)) == 2


@pytest.mark.parametrize("ids", ["NULL", "'{}'", "'{-1}'"])
def test_nothing_is_nothing(owner: Database, ids: str) -> None:
    assert owner.value(f"SELECT webhooks.queue({ids}::bigint[])") == 0


def test_queue_due_fills_up_each_endpoint(dispatch: Dispatch) -> None:
    small = dispatch.deliveries(3, event_types=["alert.opened"], max_in_flight=1)
    large = dispatch.deliveries(3, "upload.failed", event_types=["upload.failed"])
    paused = dispatch.deliveries(2, "drift_run.failed", event_types=["drift_run.failed"])
    dispatch.pause(dispatch.delivery(paused[0])["endpoint_id"])
    for delivery_id in (*small, *large, *paused):
        dispatch.set_delivery(delivery_id, job_id=None)
    # The first in line is the one that is due the longest.
    due = dispatch.delivery(small[2])["next_attempt_at"] - timedelta(hours=1)
    dispatch.set_delivery(small[2], next_attempt_at=due)

    assert dispatch.worker.value("SELECT webhooks.queue_due(%s)", dispatch.customer_id) == 4

    assert [dispatch.waits_for_job(d) for d in small] == [False, False, True]
    assert [dispatch.waits_for_job(d) for d in large] == [True] * 3
    assert dispatch.worker.value("SELECT webhooks.queue_due(%s)", dispatch.customer_id) == 0


def test_queue_due_is_for_ones_own_customer(
    dispatch: Dispatch, make_dispatch: MakeDispatch, connect: Connect
) -> None:
    database = Database(connect())
    database.execute("SELECT set_config('app.customer_id', %s, false)", f"{dispatch.customer_id}")
    with refused("PD003"):
        database.execute("SELECT webhooks.queue_due(%s)", make_dispatch().customer_id)
