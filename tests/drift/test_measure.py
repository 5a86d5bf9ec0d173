"""`drift.examine` and `drift.measure`: against the oracle on random portfolios, and by hand."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from tests.drift import oracle
from tests.drift.oracle import Measurement
from tests.drift.vectors import differences
from tests.drift.worlds import AS_OF, Built, World
from tests.portfolio import Portfolio

IN_ONE_GO = 25
COLUMNS = {field.name for field in fields(Measurement)} - {"has_effect", "is_tied"}


def row_of(built: Built, measurement: Measurement) -> dict[str, Any]:
    """The oracle's row with the ids of the database."""
    row = {name: getattr(measurement, name) for name in COLUMNS}
    if measurement.frozen_alert_id is not None:
        row["frozen_alert_id"] = built.alert_ids[measurement.frozen_alert_id]
    if measurement.strata is not None:
        row["strata"] = sorted(
            (s | {"cpt_group_id": built.cpt_groups[s["cpt_group_id"]]} for s in measurement.strata),
            key=lambda s: int(s["cpt_group_id"]),
        )
    return row


def examine(portfolio: Portfolio) -> dict[tuple[int, int | None, str], dict[str, Any]]:
    rows = portfolio.worker.dicts(
        "SELECT * FROM drift.examine(p_customer_id => %s, p_as_of => %s)",
        portfolio.customer_id,
        AS_OF,
    )
    found = {(row["payer_id"], row["cpt_group_id"], row["metric"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def compare(portfolio: Portfolio, seed: int) -> None:
    world = World(seed)
    built = world.build(portfolio)
    expected = {
        (*built.ids[payer, group], metric): row_of(built, measurement)
        for (payer, group, metric), measurement in world.run().measure().items()
    }

    found = examine(portfolio)

    assert set(found) == set(expected), seed
    for key, row in expected.items():
        assert not differences(found[key], row), (seed, key)


@pytest.mark.parametrize("first_seed", range(0, 100, IN_ONE_GO))
def test_random_portfolios_measure_as_the_oracle_says(make_portfolio: Any, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)


@pytest.mark.long
@pytest.mark.parametrize("first_seed", range(1000, 1600, IN_ONE_GO))
def test_many_random_portfolios_measure_as_the_oracle_says(
    make_portfolio: Any, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + IN_ONE_GO):
        compare(make_portfolio(), seed)


def test_measuring_shows_what_examining_does(make_portfolio: Any) -> None:
    for seed in range(10):
        portfolio = make_portfolio()
        World(seed).build(portfolio)
        examined = examine(portfolio)

        rows = portfolio.measure(AS_OF)

        assert len(rows) == len(examined)
        for row in rows:
            whole = examined[row["payer_id"], row["cpt_group_id"], row["metric"]]
            assert row == {name: whole[name] for name in row}


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


@pytest.mark.parametrize(
    ("age", "counted"),
    [
        (1, [7, 7, 7]),
        (14, [7, 7, 7]),
        (15, [0, 7, 7]),
        (28, [0, 7, 7]),
        (29, [0, 0, 7]),
        (56, [0, 0, 7]),
        (57, [0, 0, 0]),
        (238, [0, 0, 0]),
    ],
)
def test_windows_hold_their_first_and_last_day(
    portfolio: Portfolio, age: int, counted: list[int]
) -> None:
    portfolio.decide(AS_OF - timedelta(300), paid=1, payer="Old")
    portfolio.decide(AS_OF - timedelta(age), denied=7)

    row = examine(portfolio)[portfolio.payer("Aetna"), portfolio.group("99213"), "DENIAL_RATE"]
    assert [window["n"] for window in row["windows"]] == counted
    assert (row["baseline_n"], row["current_n"]) == (7 if age > 56 else 0, counted[0])
    assert row["current_start"] == AS_OF - timedelta(14)
    assert row["current_end"] == AS_OF - timedelta(1)
    assert row["baseline_start"] == AS_OF - timedelta(238)
    assert row["baseline_end"] == AS_OF - timedelta(57)


@pytest.mark.parametrize("age", [0, 239])
def test_days_beyond_the_windows_count_nowhere(portfolio: Portfolio, age: int) -> None:
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
    # Days are all tied, and stand outside too.
    assert three["q_value"] == three["p_value"] < 0.05
    one = rows[portfolio.payer("One"), "DENIAL_RATE"]
    assert one["frozen_alert_id"] is not None
    assert one["q_value"] == one["p_value"] < 0.01


@pytest.mark.parametrize(
    ("last_look", "rate_by_q", "may_open"),
    [
        (None, 1.001, True),
        (None, 0.999, False),
        # A week later, and again on the look's own day, is a look.
        (7, 1.001, True),
        (0, 1.001, True),
        (6, 1.001, False),
        (6, 9.999, False),
        (6, 10.001, True),
    ],
)
def test_between_looks_a_tenth_of_the_rate_opens(
    portfolio: Portfolio, last_look: int | None, rate_by_q: float, may_open: bool
) -> None:
    decide(portfolio, (100, 1000), (30, 100))
    if last_look is not None:
        portfolio.owner.execute(
            "INSERT INTO drift_run (customer_id, as_of, status, is_look, applied)"
            " VALUES (%s, %s, 'completed', true, true)",
            portfolio.customer_id,
            AS_OF - timedelta(last_look),
        )
    portfolio.settings(
        false_discovery_rate=rate_by_q * portfolio.measured(AS_OF)["q_value"],
    )

    row = examine(portfolio)[portfolio.payer("Aetna"), portfolio.group("99213"), "DENIAL_RATE"]
    assert row["is_look"] is (last_look != 6)
    assert row["drifted"] is (rate_by_q > 1)
    assert row["may_open"] is may_open


def test_it_writes_nothing(portfolio: Portfolio) -> None:
    decide(portfolio, (100, 1000), (30, 100))
    portfolio.worker.execute("SET default_transaction_read_only = on")
    try:
        assert any(row["drifted"] for row in portfolio.measure(AS_OF))
    finally:
        portfolio.worker.execute("RESET default_transaction_read_only")
    assert portfolio.rows("drift_run") == []
