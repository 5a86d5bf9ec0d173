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
def test_random_portfolios_measure_as_the_oracle_says(make_portfolio: Any, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)


@pytest.mark.long
@pytest.mark.parametrize("first_seed", range(1000, 3000, IN_ONE_GO))
def test_many_random_portfolios_measure_as_the_oracle_says(
    make_portfolio: Any, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)


# Edges


def decide(
    portfolio: Portfolio, before: tuple[int, int], now: tuple[int, int], **more: Any
) -> None:
    """Denied and all lines in the baseline, and in the current window, of a long history."""
    portfolio.decide(AS_OF - timedelta(300), paid=1, payer="Old")
    portfolio.decide(AS_OF - timedelta(100), denied=before[0], paid=before[1] - before[0], **more)
    portfolio.decide(AS_OF - timedelta(1), denied=now[0], paid=now[1] - now[0], **more)


@pytest.mark.parametrize(
    ("before", "now", "sufficient"),
    [((0, 30), (0, 30), True), ((0, 29), (0, 30), False), ((0, 30), (0, 29), False)],
)
def test_the_minimum_volume_is_enough(
    portfolio: Portfolio, before: tuple[int, int], now: tuple[int, int], sufficient: bool
) -> None:
    decide(portfolio, before, now)

    for metric in oracle.METRICS:
        row = portfolio.measured(AS_OF, metric)
        assert row["sufficient"] is sufficient
        assert (row["baseline_n"], row["current_n"]) == (before[1], now[1])
        assert row["drifted"] is False
        if not sufficient:
            assert row["p_value"] is row["q_value"] is row["severity"] is row["confidence"] is None


@pytest.mark.parametrize(
    ("before", "now", "drifted"),
    [
        # 10 -> 15 %, which floating point makes a little less than 5 points.
        ((1000, 10_000), (1500, 10_000), True),
        ((1000, 10_000), (1499, 10_000), False),
        # Half as much again of a small rate.
        ((200, 10_000), (300, 10_000), True),
        ((200, 10_000), (299, 10_000), False),
        ((1000, 10_000), (500, 10_000), True),
        # From nothing only the points count.
        ((0, 10_000), (499, 10_000), False),
        ((0, 10_000), (500, 10_000), True),
        ((10_000, 10_000), (9500, 10_000), True),
        ((10_000, 10_000), (9501, 10_000), False),
    ],
)
def test_the_smallest_effect_is_enough(
    portfolio: Portfolio, before: tuple[int, int], now: tuple[int, int], drifted: bool
) -> None:
    decide(portfolio, before, now)

    row = portfolio.measured(AS_OF)
    assert row["drifted"] is drifted
    assert (row["p_value"] == 1) is not drifted


@pytest.mark.parametrize("age", [57, 238, 14, 1])
def test_windows_hold_their_first_and_last_day(portfolio: Portfolio, age: int) -> None:
    portfolio.decide(AS_OF - timedelta(300), paid=1, payer="Old")
    portfolio.decide(AS_OF - timedelta(age), denied=7)

    row = portfolio.measured(AS_OF)
    assert (row["baseline_n"], row["current_n"]) == ((0, 7) if age < 15 else (7, 0))
    assert row["current_start"] == AS_OF - timedelta(14)
    assert row["current_end"] == AS_OF - timedelta(1)
    assert row["baseline_start"] == AS_OF - timedelta(238)
    assert row["baseline_end"] == AS_OF - timedelta(57)


@pytest.mark.parametrize("age", [0, 15, 56, 239])
def test_days_between_and_beyond_the_windows_count_nowhere(portfolio: Portfolio, age: int) -> None:
    portfolio.decide(AS_OF - timedelta(300), paid=1, payer="Old")
    portfolio.decide(AS_OF - timedelta(age), denied=7)

    assert portfolio.measure(AS_OF) == []


def test_days_that_are_all_tied_are_no_drift(portfolio: Portfolio) -> None:
    decide(portfolio, (0, 100), (0, 100), days=0)

    row = portfolio.measured(AS_OF, "DECISION_DAYS")
    assert (row["baseline_value"], row["current_value"]) == (0, 0)
    assert (row["relative_delta"], row["z"], row["p_value"], row["drifted"]) == (None, 0, 1, False)


def test_a_live_alert_stays_out_of_the_family(portfolio: Portfolio) -> None:
    for payer in ("One", "Two"):
        decide(portfolio, (100, 1000), (30, 100), payer=payer)
    portfolio.detect(AS_OF)
    decide(portfolio, (100, 1000), (25, 100), payer="Three")

    rows = {
        (row["payer_id"], row["metric"]): row
        for row in portfolio.measure(AS_OF + timedelta(1))
        if row["sufficient"]
    }

    three = rows[portfolio.payer("Three"), "DENIAL_RATE"]
    # One rate and three groups' days, whose p is 1.
    assert three["q_value"] == pytest.approx(4 * three["p_value"], rel=1e-9)
    one = rows[portfolio.payer("One"), "DENIAL_RATE"]
    assert one["frozen_alert_id"] is not None
    assert one["q_value"] == one["p_value"] < 0.001


def test_it_writes_nothing(portfolio: Portfolio) -> None:
    decide(portfolio, (100, 1000), (30, 100))
    portfolio.worker.execute("SET default_transaction_read_only = on")
    try:
        assert any(row["drifted"] for row in portfolio.measure(AS_OF))
    finally:
        portfolio.worker.execute("RESET default_transaction_read_only")
    assert portfolio.rows("drift_run") == []
