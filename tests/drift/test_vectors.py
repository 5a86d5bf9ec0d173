"""The designers' figures, to nine digits, through real tables and the way detection goes."""

from collections import Counter
from typing import Any

import pytest

from tests.drift.vectors import VECTORS, assert_as_designed, vector_lines
from tests.drift.worlds import AS_OF
from tests.portfolio import Portfolio


def build(portfolio: Portfolio, vector: dict[str, Any]) -> list[int]:
    """Write a vector's claims; the payer of each of its groups."""
    payers = [portfolio.payer(f"payer {i}") for i in range(len(vector["input"]["groups"]))]
    cpt_group = portfolio.group("99213")
    portfolio.decide_lines(
        Counter(
            (payers[line.group[0]], cpt_group, line.decided, line.days, line.denied)
            for line in vector_lines(vector)
        )
    )
    return payers


def assert_rows_as_designed(
    vector: dict[str, Any], payers: list[int], rows: list[dict[str, Any]]
) -> None:
    rates = {row["payer_id"]: row for row in rows if row["metric"] == "DENIAL_RATE"}
    assert set(rates) == set(payers)
    for expected in vector["expect"]:
        assert_as_designed(expected, rates[payers[expected["group"]]])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_examining_finds_the_designers_figures(
    portfolio: Portfolio, vector: dict[str, Any]
) -> None:
    payers = build(portfolio, vector)

    rows = portfolio.worker.dicts(
        "SELECT * FROM drift.examine(p_customer_id => %s, p_as_of => %s)",
        portfolio.customer_id,
        AS_OF,
    )

    assert_rows_as_designed(vector, payers, rows)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_detection_records_the_designers_figures(
    portfolio: Portfolio, vector: dict[str, Any]
) -> None:
    payers = build(portfolio, vector)

    portfolio.detect(AS_OF)

    measurements = portfolio.rows("drift_measurement")
    assert_rows_as_designed(vector, payers, measurements)
    drifted = {payers[e["group"]] for e in vector["expect"] if e.get("drifted")}
    events = portfolio.rows("drift_event")
    assert {event["payer_id"] for event in events} == drifted
    for event in events:
        [found] = [m for m in measurements if m["drifted"] and m["payer_id"] == event["payer_id"]]
        shared = (found.keys() & event.keys()) - {"id"}
        assert {name: event[name] for name in shared} == {name: found[name] for name in shared}
