"""The detector's figures as its designers computed them, and how figures are compared."""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.drift.oracle import Line
from tests.drift.worlds import AS_OF

# Their names, and ours.
VECTORS = json.loads(Path(__file__).with_name("detector_vectors.json").read_text())["vectors"]
FIGURES = {
    "phi_own": "phi_own",
    "phi_prior": "phi_prior",
    "d0": "d0",
    "nu": "nu",
    "x0": "baseline_x",
    "n0": "baseline_n",
    "chosen": "window_days",
    "phi": "dispersion",
    "z": "z",
    "p_value": "p_value",
    "q_value": "q_value",
    "delta": "delta",
    "drifted": "drifted",
}
WINDOW_FIGURES = {
    "win": "days",
    "weight": "weight",
    "x1": "x",
    "n1": "n",
    "delta": "delta",
    "phi": "phi",
    "z": "z",
    "p_t": "p_t",
    "p_fisher_effective": "p_fisher",
    "p_win": "p",
    "effect": "has_effect",
    "pc": "p_combined",
}


def vector_lines(vector: dict[str, Any]) -> list[Line]:
    """The claim lines of a vector: its cells, each on its newest, a middle and its oldest day.

    Every group is a payer of its own, and all days from submission to decision are tied, and so
    no members of the family of tests.
    """
    return [
        Line(
            group=(number, 0),
            decided=AS_OF - timedelta(newest + 14 * cell + (0, 13, 5)[line % 3]),
            days=10,
            denied=line < x,
        )
        for number, group in enumerate(vector["input"]["groups"])
        for newest, cells in ((1, group["current"]), (57, group["baseline"]))
        for cell, (x, n) in enumerate(cells)
        for line in range(n)
    ]


def assert_as_designed(expected: dict[str, Any], row: dict[str, Any]) -> None:
    """Compare a row, whoever computed it, with the figures of a vector's group."""
    assert row["sufficient"] is not expected.get("insufficient", False)
    if row["sufficient"]:
        wanted = {ours: expected[name] for name, ours in FIGURES.items()}
        wanted["windows"] = [
            {ours: window[name] for name, ours in WINDOW_FIGURES.items()}
            for window in expected["windows"]
        ]
        assert not differences(row, wanted)


def differences(
    found: dict[str, Any], expected: dict[str, Any], place: str = ""
) -> dict[str, tuple[Any, Any]]:
    """What was found and what was expected, by name, wherever they differ."""
    differing: dict[str, tuple[Any, Any]] = {}
    for name, wanted in expected.items():
        here, got = f"{place}{name}", found[name]
        if isinstance(wanted, list) and isinstance(got, list) and len(got) == len(wanted):
            for number, (a, b) in enumerate(zip(got, wanted, strict=True)):
                inner = f"{here}[{number}]"
                if isinstance(b, dict):
                    differing |= differences(a, b, f"{inner}.")
                else:
                    differing |= differences({inner: a}, {inner: b})
        elif differs(name, got, wanted):
            differing[here] = (got, wanted)
    return differing


def differs(name: str, found: Any, expected: Any) -> bool:
    """Whether two figures are apart by more than 1e-9 of their size."""
    if isinstance(found, bool) or not isinstance(found, int | float) or expected is None:
        return bool(found != expected)
    # What cancels to 0 does so only nearly in floating point; a p doesn't cancel, however small.
    is_p = name in ("p", "q_value") or name.startswith("p_")
    zero = 0 if is_p else 1e-9 if name == "phi_own" else 1e-12
    return not math.isclose(found, expected, rel_tol=1e-9, abs_tol=zero)
