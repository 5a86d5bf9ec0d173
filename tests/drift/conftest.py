"""Fixtures of the detection tests."""

from collections.abc import Callable

import pytest

from tests.database import Database
from tests.portfolio import Portfolio


@pytest.fixture
def make_portfolio(owner: Database, worker: Database) -> Callable[[], Portfolio]:
    """As many new customers as a test needs."""
    return lambda: Portfolio(owner, worker)
