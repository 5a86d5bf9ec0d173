"""`drift.window_test`: a window's test as a JSON object."""

from typing import Any

import pytest

from tests.database import Database


def window_test(worker: Database, z: float | None, p_t: float | None, fisher: float | None) -> Any:
    return worker.value(
        "SELECT drift.window_test(p_days => 28, p_weight => 0.2, p_x => 7, p_n => 40,"
        " p_delta => 0.05, p_has_effect => true, p_phi => 1.5, p_z => %s, p_p_t => %s,"
        " p_p_fisher => %s, p_p_combined => 0.1)",
        z,
        p_t,
        fisher,
    )


@pytest.mark.parametrize(
    ("p_t", "fisher", "p"), [(0.02, None, 0.02), (0.02, 0.01, 0.02), (0.02, 0.03, 0.03)]
)
def test_the_larger_p_holds(worker: Database, p_t: float, fisher: float | None, p: float) -> None:
    assert window_test(worker, 2.5, p_t, fisher) == {
        "days": 28,
        "weight": 0.2,
        "x": 7,
        "n": 40,
        "delta": 0.05,
        "has_effect": True,
        "phi": 1.5,
        "z": 2.5,
        "p_t": p_t,
        "p_fisher": fisher,
        "p": p,
        "p_combined": 0.1,
    }


def test_what_was_not_tested_has_no_dispersion(worker: Database) -> None:
    found = window_test(worker, None, None, None)

    assert (found["phi"], found["z"], found["p"]) == (None, None, None)
