"""`ingest.queue_remap`: a changed alias or mapping reaches the claims that are there."""

from core import tasks
from tests.database import Database
from tests.ingest.loading import load, row
from tests.portfolio import Portfolio

WAITING = """
    SELECT count(*) FROM procrastinate_jobs
    WHERE task_name = 'core.tasks.remap' AND status = 'todo' AND args ->> 'customer_id' = %s
"""


def waiting(portfolio: Portfolio) -> int:
    count: int = portfolio.worker.value(WAITING, str(portfolio.customer_id))
    return count


def map_code(portfolio: Portfolio, group_id: int) -> None:
    portfolio.worker.execute(
        "INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id) VALUES (%s, '99213', %s)",
        portfolio.customer_id,
        group_id,
    )


def test_a_new_mapping_queues_one_job_and_the_job_moves_the_claims(portfolio: Portfolio) -> None:
    load(portfolio, row())
    group_id = portfolio.group("Office visit")
    map_code(portfolio, group_id)
    portfolio.worker.execute(
        "UPDATE cpt_mapping SET cpt = '99214' WHERE customer_id = %s", portfolio.customer_id
    )
    portfolio.worker.execute(
        "UPDATE cpt_mapping SET cpt = '99213' WHERE customer_id = %s", portfolio.customer_id
    )

    assert waiting(portfolio) == 1
    tasks.remap(customer_id=portfolio.customer_id)
    [claim] = portfolio.rows("claim")
    assert claim["cpt_group_id"] == group_id


def test_an_alias_queues_a_job_when_it_comes_and_when_it_goes(
    portfolio: Portfolio, owner: Database
) -> None:
    portfolio.worker.execute(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, 'AETNA INC', %s)",
        portfolio.customer_id,
        portfolio.payer("Aetna"),
    )
    assert waiting(portfolio) == 1

    owner.execute(
        "DELETE FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    )
    portfolio.worker.execute(
        "DELETE FROM payer_alias WHERE customer_id = %s", portfolio.customer_id
    )
    assert waiting(portfolio) == 1


def test_a_suspended_customer_has_nothing_queued(portfolio: Portfolio) -> None:
    portfolio.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", portfolio.customer_id
    )
    map_code(portfolio, portfolio.group("Office visit"))

    assert waiting(portfolio) == 0
