"""`tenancy.queue_job`: one waiting job for each lock; drift.queue_detection tests the rest."""

import pytest

from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio
from tests.refusal import refused

QUEUE = "SELECT tenancy.queue_job(%s, 'detection', 'core.tasks.remap', %s, '{\"note\": 1}')"


def test_the_customer_is_among_the_arguments(portfolio: Portfolio, owner: Database) -> None:
    job_id = owner.value(QUEUE, portfolio.customer_id, portfolio.slug)

    args = owner.value("SELECT args FROM procrastinate_jobs WHERE id = %s", job_id)
    assert args == {"customer_id": portfolio.customer_id, "note": 1}
    assert owner.value(QUEUE, portfolio.customer_id, portfolio.slug) is None


@pytest.mark.parametrize("login", ["claimdrift_worker", "claimdrift_web"])
def test_only_functions_of_ours_may_call_it(
    portfolio: Portfolio, connect: Connect, login: str
) -> None:
    with refused("42501"):
        Database(connect(login)).execute(QUEUE, portfolio.customer_id, portfolio.slug)
