"""`maintenance.prune_webhooks`: what is over is deleted after thirty days."""

from datetime import timedelta

import pytest

from tests.acceptance.together import DatabaseUrl, open_connections
from tests.database import Database
from tests.portfolio import Portfolio
from tests.webhooks.dispatch import Dispatch

TABLES = ("webhook_secret", "webhook_attempt", "webhook_delivery", "webhook_event")
PRUNE = (
    "SELECT * FROM maintenance.prune_webhooks(p_before => now() - interval '30 days',"
    " p_batch => %s)"
)


def prune(database: Database, batch: int = 1000) -> list[int]:
    """How many rows of each table it deleted."""
    deleted = dict(database.execute(PRUNE, batch))
    assert list(deleted) == list(TABLES)
    return list(deleted.values())


@pytest.fixture
def dispatch(portfolio: Portfolio, owner: Database) -> Dispatch:
    """Nothing of any other test is old enough."""
    while any(prune(owner)):
        pass
    return Dispatch(portfolio)


def make_old(dispatch: Dispatch, by: timedelta = timedelta(days=31)) -> None:
    """Let everything have happened earlier."""
    for table, columns in {
        "webhook_event": ["occurred_at"],
        "webhook_delivery": ["created_at", "next_attempt_at", "finished_at"],
        "webhook_secret": ["expires_at"],
        "webhook_attempt": ["started_at"],
    }.items():
        dispatch.owner.execute(
            f"UPDATE {table} SET {', '.join(f'{c} = {c} - %s' for c in columns)}"
            " WHERE customer_id = %s",
            *[by] * len(columns),
            dispatch.customer_id,
        )


def left(dispatch: Dispatch) -> list[int]:
    return [len(dispatch.portfolio.rows(table)) for table in TABLES]


def test_what_ended_goes_with_its_attempts_and_its_event(
    dispatch: Dispatch, owner: Database
) -> None:
    delivered, failed, cancelled = dispatch.deliveries(3)
    dispatch.attempt(delivered, 404)
    dispatch.age()
    dispatch.attempt(delivered)
    dispatch.attempt(failed, 500, schedule=[])
    dispatch.owner.execute(
        "SELECT webhooks.end_delivery(%s, 'cancelled', NULL, 'the endpoint is disabled')", cancelled
    )
    make_old(dispatch, timedelta(days=29))
    assert prune(owner) == [0, 0, 0, 0]
    make_old(dispatch, timedelta(days=2))

    assert prune(owner) == [0, 3, 3, 3]

    assert left(dispatch) == [1, 0, 0, 0]
    assert len(dispatch.portfolio.rows("webhook_endpoint")) == 1


def test_what_waits_stays_with_its_event_however_old(dispatch: Dispatch, owner: Database) -> None:
    waiting, under_way = dispatch.deliveries(2)
    dispatch.attempt(waiting, 404)
    dispatch.start(under_way)
    make_old(dispatch, timedelta(days=1000))

    assert prune(owner) == [0, 0, 0, 0]
    assert left(dispatch) == [1, 1, 2, 2]


def test_an_event_stays_as_long_as_one_of_its_deliveries(
    dispatch: Dispatch, owner: Database
) -> None:
    dispatch.create()
    [delivered] = dispatch.deliveries()
    dispatch.attempt(delivered)
    make_old(dispatch)

    assert prune(owner) == [0, 1, 1, 0]
    assert left(dispatch) == [2, 0, 1, 1]


def test_an_event_that_nobody_was_told_of_goes(dispatch: Dispatch, owner: Database) -> None:
    dispatch.publish()
    make_old(dispatch)
    recent = dispatch.publish()

    assert prune(owner) == [0, 0, 0, 1]
    assert [event["id"] for event in dispatch.events()] == [recent]


def test_a_secret_that_was_replaced_goes(dispatch: Dispatch, owner: Database) -> None:
    endpoint_id = dispatch.create(ciphertext=b"old")
    dispatch.call("rotate_secret", endpoint_id, b"new", "key")
    assert prune(owner) == [0, 0, 0, 0]
    make_old(dispatch, timedelta(days=32))

    assert prune(owner) == [1, 0, 0, 0]
    [secret] = dispatch.portfolio.rows("webhook_secret")
    assert bytes(secret["ciphertext"]) == b"new"


def test_a_call_deletes_no_more_than_the_batch(dispatch: Dispatch, owner: Database) -> None:
    for delivery_id in dispatch.deliveries(5):
        dispatch.attempt(delivery_id)
    make_old(dispatch)

    assert [prune(owner, batch=2) for _ in range(4)] == [
        [0, 2, 2, 2],
        [0, 2, 2, 2],
        [0, 1, 1, 1],
        [0, 0, 0, 0],
    ]


def test_what_is_being_replayed_is_skipped(
    dispatch: Dispatch, owner: Database, database_url: DatabaseUrl
) -> None:
    [delivery_id] = dispatch.deliveries()
    dispatch.attempt(delivery_id)
    make_old(dispatch)
    with open_connections(database_url, 1) as [replaying]:
        replaying.execute("BEGIN")
        replaying.execute("SELECT webhooks.replay(%s, %s)", dispatch.customer_id, delivery_id)

        assert prune(owner) == [0, 0, 0, 0]
        replaying.execute("COMMIT")
    assert prune(owner) == [0, 0, 0, 0]
    assert dispatch.attempt(delivery_id) == "delivered"


def test_what_is_being_recovered_is_skipped(
    dispatch: Dispatch, owner: Database, database_url: DatabaseUrl
) -> None:
    dispatch.publish()
    make_old(dispatch)
    endpoint_id = dispatch.create()
    with open_connections(database_url, 1) as [recovering]:
        recovering.execute("BEGIN")
        recovering.execute(
            "SELECT webhooks.recover(%s, %s, '-infinity')", dispatch.customer_id, endpoint_id
        )

        assert prune(owner) == [0, 0, 0, 0]
        recovering.execute("COMMIT")
    assert len(dispatch.ids_of(endpoint_id)) == 1


def test_it_is_part_of_maintenance_prune(dispatch: Dispatch, worker: Database) -> None:
    dispatch.publish()
    make_old(dispatch)

    deleted = dict(worker.execute("SELECT * FROM maintenance.prune()"))

    assert {table: deleted[table] for table in TABLES} == dict.fromkeys(TABLES, 0) | {
        "webhook_event": 1
    }
