"""Django's own connection as the migrator's, and a table to try operations on."""

from collections.abc import Iterator

import pytest
from django.db import connections

from tests.migrations.tables import Table


@pytest.fixture
def migrator() -> Iterator[None]:
    """Django's connection is the migrator's to the test database, while the test lasts."""
    connection = connections["default"]
    login = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = "claimdrift_migrator"
    yield
    connection.close()
    connection.settings_dict["USER"] = login


@pytest.fixture
def table(migrator: None) -> Iterator[Table]:
    table = Table()
    yield table
    table.drop()
