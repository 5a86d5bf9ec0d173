"""`drift.measure`: against the oracle on random portfolios, and its edges one by one."""

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.drift import oracle
from tests.drift.worlds import AS_OF, World
from tests.portfolio import Portfolio

FIGURES = (
    "baseline_x",
    "current_x",
    "baseline_value",
    "current_value",
    "delta",
    "relative_delta",
    "direction",
    "z",
    "p_value",
    "q_value",
    "ci_low",
    "ci_high",
    "severity",
    "confidence",
)
IN_ONE_GO = 25


def differs(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, int | float):
        return not math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found != expected)


def compare(portfolio: Portfolio, seed: int) -> None:
    world = World(seed)
    built = world.build(portfolio)
    expected = {
        (*built.ids[payer, group], metric): measurement
        for (payer, group, metric), measurement in oracle.measure(
            world.lines, world.settings, world.alerts, AS_OF
        ).items()
    }

    rows = portfolio.measure(AS_OF)

    assert len(rows) == len(expected)
    for row in rows:
        measurement = expected[row["payer_id"], row["cpt_group_id"], row["metric"]]
        names = ["sufficient", "drifted", "baseline_n", "current_n"]
        names += FIGURES if measurement.sufficient else ["z", "p_value", "q_value", "severity"]
        frozen = measurement.frozen_alert_id
        assert row["frozen_alert_id"] == (frozen and built.alert_ids[frozen]), seed
        assert not {
            name: (row[name], getattr(measurement, name))
            for name in names
            if differs(row[name], getattr(measurement, name))
        }, (seed, row["metric"])


@pytest.mark.parametrize("first_seed", range(0, 100, IN_ONE_GO))
def test_random_portfolios_measure_as_the_oracle_says(
    make_portfolio: Any, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)


@pytest.mark.long
@pytest.mark.parametrize("first_seed", range(1000, 3000, IN_ONE_GO))
def test_many_random_portfolios_measure_as_the_oracle_says(
    make_portfolio: Any, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)
