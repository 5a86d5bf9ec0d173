"""Fixtures of the alert tests."""

from tests.drift.conftest import make_portfolio

__all__ = ["make_portfolio"]
