"""`alerts.window_drifts`: whether the window that alerted still drifts, by itself."""

import json
from typing import Any

import pytest

from tests.portfolio import Portfolio

WINDOW = {"days": 14, "has_effect": True, "delta": 0.2, "p": 0.05}


def drifts(
    portfolio: Portfolio,
    *windows: dict[str, Any],
    days: int = 14,
    direction: str = "up",
    limit: float = 0.05,
) -> bool:
    value: bool = portfolio.owner.value(
        "SELECT alerts.window_drifts(p_windows => %s, p_days => %s, p_direction => %s,"
        " p_limit => %s)",
        json.dumps(windows),
        days,
        direction,
        limit,
    )
    return value


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"p": 1e-300}, True),
        ({"p": 0.0500001}, False),
        ({"has_effect": False}, False),
        ({"delta": -0.2}, False),
        ({"delta": 0.0}, False),
        # Too few lines.
        ({"p": None, "has_effect": False, "delta": None}, True),
    ],
)
def test_it_takes_an_effect_in_the_direction_and_a_small_p(
    portfolio: Portfolio, change: dict[str, Any], expected: bool
) -> None:
    assert drifts(portfolio, WINDOW | change) is expected


def test_falling_is_a_direction_too(portfolio: Portfolio) -> None:
    assert drifts(portfolio, WINDOW | {"delta": -0.2}, direction="down")
    assert not drifts(portfolio, WINDOW, direction="down")


def test_the_other_windows_are_no_matter(portfolio: Portfolio) -> None:
    calm, moved = WINDOW | {"p": 0.9}, WINDOW | {"days": 28}

    assert not drifts(portfolio, calm, moved)
    assert drifts(portfolio, calm, moved, days=28)


def test_what_is_not_known_counts_as_drift(portfolio: Portfolio) -> None:
    assert drifts(portfolio)
    assert drifts(portfolio, WINDOW | {"p": 0.9}, days=56)
    assert portfolio.owner.value("SELECT alerts.window_drifts(NULL, 14, 'up', 0.05)") is True
