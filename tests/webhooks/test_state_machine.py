"""Deliveries against a model of them: whatever happens in whichever order, both agree."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.webhooks.dispatch import MakeDispatch
from tests.webhooks.machine import Webhooks

HOW: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}
Run = Callable[[int, int], None]


@pytest.fixture
def run(make_dispatch: MakeDispatch) -> Run:
    """So many examples, of so many steps each."""

    def run(examples: int, steps: int) -> None:
        machine = type("Machine", (Webhooks,), {"make": staticmethod(make_dispatch)})
        how = settings(max_examples=examples, stateful_step_count=steps, **HOW)
        run_state_machine_as_test(machine, settings=how)

    return run


def test_the_database_does_what_the_model_says(run: Run) -> None:
    run(60, 40)


@pytest.mark.long
def test_it_does_so_for_longer(run: Run) -> None:
    run(300, 100)
