"""Fixtures of the webhook tests."""

import pytest

from tests.database import Database
from tests.drift.conftest import make_portfolio
from tests.portfolio import Portfolio
from tests.tenancy.conftest import web
from tests.webhooks.dispatch import Dispatch, MakeDispatch

__all__ = ["make_portfolio", "web"]


@pytest.fixture
def dispatch(portfolio: Portfolio) -> Dispatch:
    """A new customer's webhooks; it has no endpoints yet."""
    return Dispatch(portfolio)


@pytest.fixture
def make_dispatch(owner: Database, worker: Database) -> MakeDispatch:
    """As many new customers as a test needs."""
    return lambda: Dispatch(Portfolio(owner, worker))
