"""`maintenance.erase_customer`: all of one customer, nothing of any other, in batches."""

from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.drift.former_alerts import insert
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)

# What Portfolio and detection don't write.
FURTHER_ROWS = """
    INSERT INTO "user" (email, password) VALUES ('erase-{c}@example.org', '');
    INSERT INTO membership (customer_id, user_id)
        SELECT {c}, id FROM "user" WHERE email = 'erase-{c}@example.org';
    INSERT INTO api_token (customer_id, user_id, name, prefix, digest, scope, expires_at)
        SELECT {c}, id, 'laptop', 'cd', lpad('{c}', 64, '0'), 'read', now() + interval '1 day'
        FROM "user" WHERE email = 'erase-{c}@example.org';
    INSERT INTO payer_alias (customer_id, alias, payer_id)
        SELECT {c}, 'alias', id FROM payer WHERE customer_id = {c} LIMIT 1;
    INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id)
        SELECT {c}, '99213', id FROM cpt_group WHERE customer_id = {c} LIMIT 1;
    INSERT INTO upload_error (customer_id, upload_id, line, message)
        SELECT {c}, id, 1, 'bad' FROM upload WHERE customer_id = {c};
    INSERT INTO upload_chunk (customer_id, upload_id, number, content)
        SELECT {c}, id, 0, 'x' FROM upload WHERE customer_id = {c};
    INSERT INTO alert_judgment (customer_id, alert_id, user_id, verdict)
        SELECT {c}, a.id, u.id, 'real' FROM alert AS a, "user" AS u
        WHERE a.customer_id = {c} AND u.email = 'erase-{c}@example.org';
    SELECT webhooks.create_endpoint({c}, 'https://example.org', '', NULL, NULL, 'secret', 'key');
    INSERT INTO webhook_event (customer_id, type, payload, message_id, dedup_key)
        VALUES ({c}, 'webhook.test', '{{}}', 'msg_' || {c}, 'erase');
    INSERT INTO webhook_delivery (customer_id, event_id, endpoint_id, attempts)
        SELECT {c}, e.id, w.id, 1 FROM webhook_event AS e, webhook_endpoint AS w
        WHERE e.customer_id = {c} AND e.dedup_key = 'erase' AND w.customer_id = {c};
    INSERT INTO webhook_attempt (customer_id, delivery_id, number, started_at)
        SELECT {c}, d.id, 1, now() FROM webhook_delivery AS d WHERE d.customer_id = {c};
"""


def fill(owner: Database, worker: Database) -> Portfolio:
    """A customer with rows in every table, references within a table included."""
    portfolio = Portfolio(owner, worker)
    portfolio.settings(cooldown_hours=0)
    start = AS_OF - timedelta(300)
    portfolio.decide_period(start, AS_OF - timedelta(14), per_day=10, rate=0.1)
    portfolio.decide_period(AS_OF - timedelta(14), AS_OF, per_day=20, rate=0.5)
    portfolio.decide_period(AS_OF, AS_OF + timedelta(28), per_day=10, rate=0.1)
    portfolio.decide_period(AS_OF + timedelta(28), AS_OF + timedelta(42), per_day=20, rate=0.5)
    portfolio.detect(AS_OF)
    portfolio.detect(AS_OF)
    worker.execute(
        "SELECT alerts.resolve(%s, %s, NULL)", portfolio.customer_id, portfolio.alert()["id"]
    )
    portfolio.detect(AS_OF + timedelta(28))
    portfolio.detect(AS_OF + timedelta(42))
    assert portfolio.rows("alert")[-1]["previous_alert_id"]
    owner.execute(FURTHER_ROWS.format(c=portfolio.customer_id))
    worker.execute("SELECT drift.queue_detection(%s)", portfolio.customer_id)
    return portfolio


def tenant_tables(owner: Database) -> list[str]:
    return [
        name
        for [name] in owner.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'customer_id'"
        )
    ]


def rows_of(portfolio: Portfolio) -> dict[str, list[dict[str, Any]]]:
    return {table: portfolio.rows(table) for table in tenant_tables(portfolio.owner)}


def erase(database: Database, customer_id: int, batch: int = 50_000) -> dict[str, tuple[int, bool]]:
    return {
        table: (rows, finished)
        for table, rows, finished in database.execute(
            "SELECT * FROM maintenance.erase_customer(%s, %s)", customer_id, batch
        )
    }


def test_all_of_one_customer_goes_and_nothing_of_another(owner: Database, worker: Database) -> None:
    doomed, other = fill(owner, worker), fill(owner, worker)
    counts = {table: len(rows) for table, rows in rows_of(doomed).items()}
    assert min(counts.values()) > 0, "a table without rows proves nothing"
    before = rows_of(other)
    customer = owner.execute("SELECT * FROM customer WHERE id = %s", other.customer_id)

    result = erase(owner, doomed.customer_id)

    # Erasing settings, rules and the like writes to the trail, which goes as well.
    assert result.pop("audit_entry")[0] >= counts.pop("audit_entry")
    # That its upload ended, as it was suspended, is an event.
    assert result.pop("webhook_event") == (counts.pop("webhook_event") + 1, True)
    assert result.pop("customer") == (1, True)
    # Gone already, as the customer was suspended.
    assert (counts.pop("api_token"), counts.pop("upload_chunk")) == (1, 1)
    assert result == {table: (count, True) for table, count in counts.items()}
    assert [table for table, rows in rows_of(doomed).items() if rows] == []
    assert owner.execute("SELECT FROM customer WHERE id = %s", doomed.customer_id) == []
    assert rows_of(other) == before
    assert owner.execute("SELECT * FROM customer WHERE id = %s", other.customer_id) == customer


def test_an_alert_that_a_younger_one_mutes_goes_in_any_batch(
    owner: Database, portfolio: Portfolio
) -> None:
    insert(portfolio, (20, None))
    insert(portfolio, (10, None), group=None)
    owner.execute("SELECT alerts.mute_groups(%s)", portfolio.customer_id)
    assert [row["muted"] for row in portfolio.rows("alert")] == [True, False]

    while not all(is_over for _, is_over in erase(owner, portfolio.customer_id, batch=1).values()):
        pass

    assert portfolio.rows("alert") == []


def test_a_payer_that_was_merged_into_a_younger_one_goes_in_any_batch(
    owner: Database, portfolio: Portfolio
) -> None:
    names = [portfolio.payer(name) for name in ("One", "Two", "Three")]
    for payer_id, into in ((names[0], names[1]), (names[2], names[1])):
        portfolio.worker.execute(
            "SELECT ingest.merge_payers(%s, %s, %s, NULL)", portfolio.customer_id, payer_id, into
        )

    while not all(is_over for _, is_over in erase(owner, portfolio.customer_id, batch=1).values()):
        pass

    assert portfolio.rows("payer") == []


def test_users_stay(owner: Database, worker: Database) -> None:
    portfolio = fill(owner, worker)

    erase(owner, portfolio.customer_id)

    email = f"erase-{portfolio.customer_id}@example.org"
    assert owner.execute('SELECT email FROM "user" WHERE email = %s', email) == [(email,)]


def test_the_receipt_adds_up_over_batches_and_interruptions(
    owner: Database, worker: Database, connect: Connect
) -> None:
    portfolio = fill(owner, worker)
    claims = len(portfolio.rows("claim"))
    connection = connect("claimdrift_migrator")
    connection.autocommit = False
    interrupted = Database(connection)
    calls, finished = 0, False
    while not finished:
        left = len(portfolio.rows("claim"))
        erase(interrupted, portfolio.customer_id, batch=1000)
        if calls % 2:
            connection.rollback()
            assert len(portfolio.rows("claim")) == left
        else:
            connection.commit()
            assert left - len(portfolio.rows("claim")) <= 1000
            finished = (
                owner.value(
                    "SELECT finished_at FROM erasure_receipt WHERE erased_customer_id = %s",
                    portfolio.customer_id,
                )
                is not None
            )
        calls += 1

    receipt = owner.one(
        "SELECT * FROM erasure_receipt WHERE erased_customer_id = %s", portfolio.customer_id
    )
    assert receipt["rows_deleted"]["claim"] == claims
    assert receipt["started_at"] < receipt["finished_at"]
    assert [table for table, rows in rows_of(portfolio).items() if rows] == []


def test_the_first_call_suspends_the_customer_and_cancels_its_jobs(
    owner: Database, worker: Database
) -> None:
    portfolio, other = fill(owner, worker), fill(owner, worker)

    result = erase(owner, portfolio.customer_id, batch=1)

    assert {finished for _, finished in result.values()} == {False}
    status = "SELECT status FROM customer WHERE id = %s"
    assert owner.value(status, portfolio.customer_id) == "suspended"
    assert owner.value(status, other.customer_id) == "active"
    jobs = (
        "SELECT status::text FROM procrastinate_jobs"
        " WHERE (args ->> 'customer_id')::bigint = %s AND task_name = 'core.tasks.detect'"
    )
    assert owner.execute(jobs, portfolio.customer_id) == [("cancelled",)]
    assert owner.execute(jobs, other.customer_id) == [("todo",)]
    with pytest.raises(psycopg2.Error) as error:
        portfolio.detect(AS_OF)
    assert error.value.pgcode == "PD005"


def test_one_that_is_activated_in_between_is_suspended_again(
    owner: Database, worker: Database
) -> None:
    portfolio = fill(owner, worker)
    erase(owner, portfolio.customer_id, batch=1)
    worker.execute("UPDATE customer SET status = 'active' WHERE id = %s", portfolio.customer_id)

    erase(owner, portfolio.customer_id, batch=1)

    assert (
        owner.value("SELECT status FROM customer WHERE id = %s", portfolio.customer_id)
        == "suspended"
    )


def test_a_customer_in_pieces_breaks_no_check(owner: Database, worker: Database) -> None:
    portfolio = fill(owner, worker)
    found = "SELECT * FROM maintenance.verify() WHERE customer_id = %s"
    for batch in (1, 10, 1, 10_000, 10_000):
        erase(owner, portfolio.customer_id, batch=batch)

        assert worker.execute(found, portfolio.customer_id) == []


def test_after_the_end_the_receipt_comes_again(owner: Database, worker: Database) -> None:
    portfolio = fill(owner, worker)
    first = erase(owner, portfolio.customer_id)
    receipt = owner.execute("SELECT * FROM erasure_receipt ORDER BY id")

    assert erase(owner, portfolio.customer_id) == first
    assert owner.execute("SELECT * FROM erasure_receipt ORDER BY id") == receipt


def test_it_waits_for_those_who_write(
    owner: Database, portfolio: Portfolio, connect: Connect
) -> None:
    for function in ("ingest.lock_customer", "drift.lock_customer"):
        writer = connect("claimdrift_migrator")
        writer.autocommit = False
        with writer.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [portfolio.customer_id])
        owner.execute("SET lock_timeout = '1ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            erase(owner, portfolio.customer_id)
        owner.execute("RESET lock_timeout")
        writer.rollback()
    assert owner.value("SELECT status FROM customer WHERE id = %s", portfolio.customer_id)


@pytest.mark.parametrize(
    ("customer_id", "batch", "code"),
    [(10**15, 1, "PD004"), (None, 1, "PD004"), (10**15, 0, "PD030")],
)
def test_nonsense_is_refused(
    owner: Database, customer_id: int | None, batch: int, code: str
) -> None:
    with pytest.raises(psycopg2.Error) as error:
        owner.execute("SELECT * FROM maintenance.erase_customer(%s, %s)", customer_id, batch)

    assert error.value.pgcode == code
    assert (
        owner.execute("SELECT FROM erasure_receipt WHERE erased_customer_id = %s", customer_id)
        == []
    )


def test_only_the_owner_may(connect: Connect, portfolio: Portfolio) -> None:
    for login, role in (
        ("claimdrift_worker", "claimdrift_worker"),
        ("claimdrift_web", "claimdrift_platform"),
        ("claimdrift_web", "claimdrift_tenant"),
    ):
        database = Database(connect(login))
        database.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            erase(database, portfolio.customer_id)


def test_every_table_of_a_customer_has_its_place_before_what_it_refers_to(owner: Database) -> None:
    order = [
        name
        for [name] in owner.execute(
            "SELECT table_name FROM maintenance.erasure_order() ORDER BY number"
        )
    ]

    assert sorted(order) == sorted(tenant_tables(owner))
    assert order[-1] == "audit_entry"
    for child, parent in owner.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid <> confrelid AND connamespace = 'public'::regnamespace"
    ):
        if child in order and parent in order:
            assert order.index(child) < order.index(parent)
