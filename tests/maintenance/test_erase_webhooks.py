"""`maintenance.erase_customer` while a webhook of the customer's is being delivered."""

import time
from concurrent.futures import ThreadPoolExecutor

from core import functions
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE pid = %s AND NOT granted"


def test_an_attempt_that_ends_meanwhile_neither_stops_the_erasure_nor_is_stopped_by_it(
    portfolio: Portfolio, owner: Database, worker: Database, connect: Connect
) -> None:
    customer_id = portfolio.customer_id
    endpoint_id = worker.value(
        "SELECT webhooks.create_endpoint(%s, 'https://a.example.com', NULL, NULL, NULL, 's', 'k')",
        customer_id,
    )
    delivery_id = functions.webhooks_send_test(customer_id=customer_id, endpoint_id=endpoint_id)
    begun = worker.value(
        "SELECT decision FROM webhooks.begin_attempt(%s, %s)", customer_id, delivery_id
    )
    assert begun == "send"
    erasing, finishing = Database(connect("claimdrift_migrator")), Database(connect())
    pid = finishing.value("SELECT pg_backend_pid()")

    erasing.execute("BEGIN")
    # The erasure's first step, so that the attempt ends in the middle of it.
    erasing.execute("SELECT FROM customer WHERE id = %s FOR UPDATE", customer_id)
    with ThreadPoolExecutor() as pool:
        finished = pool.submit(
            finishing.value,
            "SELECT webhooks.finish_attempt(%s, %s, 1, 12, 204)",
            customer_id,
            delivery_id,
        )
        while not owner.value(WAITS, pid):
            assert not finished.done(), finished.result()
            time.sleep(0.01)
        erasing.execute("SELECT * FROM maintenance.erase_customer(%s)", customer_id)
        erasing.execute("COMMIT")

        assert finished.result() == "stale"
    assert portfolio.rows("webhook_delivery") == []
