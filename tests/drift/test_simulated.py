"""Detection in simulated worlds whose truth is known; perf/worlds_bench.py does it at length.

Seeds are fixed, so that a bound is either held or not. It is set where a detector that keeps its
promise would miss it with one seed in a hundred.
"""

from typing import Any

import numpy as np
import pytest

from perf.worlds import HISTORY, WORLDS, Portfolio, World, draw
from perf.worlds_scenarios import Changing, Scale
from perf.worlds_tenant import Tenant
from perf.worlds_textbook import Textbook
from tests.database import Database

pytestmark = pytest.mark.long

QUARTER = range(HISTORY, HISTORY + 85, 7)  # 13 weekly looks


@pytest.fixture
def tenant(owner: Database, worker: Database) -> Tenant:
    """A new customer with 20 payers and 10 CPT groups."""
    return Tenant(owner.connection, worker.connection)


def look_up(rows: list[dict[str, Any]], **key: Any) -> dict[str, Any]:
    """The one row with these values."""
    [row] = [row for row in rows if key.items() <= row.items()]
    return row


@pytest.mark.parametrize("world", WORLDS)
def test_a_portfolio_in_which_nothing_changes_stays_quiet(tenant: Tenant, world: World) -> None:
    rng = np.random.default_rng([2, WORLDS.index(world)])
    portfolio = Portfolio.mixed(rng)
    lines = draw(world, rng, portfolio, portfolio.rates(QUARTER[-1]))
    tenant.write(lines)
    tenant.vacuum()

    # At 6 % more than 3 of 13 runs would be false in 0.5 % of quarters.
    false_runs = sum(bool(tenant.drifted(day)) for day in QUARTER)
    assert false_runs <= 3

    # At 4 alerts a year a quarter would bring more than 4 in 0.4 % of cases.
    tenant.detect(QUARTER)
    assert len(tenant.episodes()) <= 4

    # The noisy worlds aren't harmless: the textbook's test breaks the promise on the same lines.
    if world != "independent":
        book = Textbook(lines, QUARTER[-1])
        assert sum(bool(book.flags(day)[0].any()) for day in QUARTER) > 3


def test_real_changes_are_found_stay_open_and_clear_when_they_are_over(
    tenant: Tenant,
) -> None:
    changing = Changing(tenant, "independent", Scale(replicates=2, after=112))

    # 10 groups of each size rise from 10 to 20 %.
    power, endings = changing.power_and_endings()
    found = {size: look_up(power, method="significance", n=size)["day_14"] for size in (150, 500)}
    # Of 10 with a chance of 95 %, fewer than 8 are found in 1.2 % of cases; with 50 %, fewer than
    # 2 in 1.1 %.
    assert found[500] >= 80
    assert found[150] >= 20

    # 12 weeks after the eighth: what lasts is alerted still, and what passed is cleared.
    for size in (150, 500):
        lasting = look_up(endings, change="lasting", n=size)
        passing = look_up(endings, change="passing", n=size)
        assert lasting["by_week_8"] >= 5
        assert passing["by_week_8"] >= 5
        assert lasting["live_56_days_on"] >= 90
        assert passing["live_0_days_on"] >= 80
        assert passing["live_56_days_on"] <= 20
