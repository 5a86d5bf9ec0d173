"""A connection as the web login."""

import pytest

from tests.conftest import Connect
from tests.database import Database


@pytest.fixture
def web(connect: Connect) -> Database:
    """A fresh connection as claimdrift_web, which has no rights until it becomes somebody."""
    return Database(connect("claimdrift_web"))
