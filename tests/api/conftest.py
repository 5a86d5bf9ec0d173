"""The API under test works as it does in production: with the web login, its own rights only."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.db import connections
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.api.client import Api, Office, new_superuser
from tests.database import Database

_addresses = iter(ip_network("10.0.0.0/8").hosts())


@pytest.fixture(scope="session")
def _web_login(django_db_setup: None) -> None:
    """A fixture to depend on: the database exists."""


@pytest.fixture(autouse=True)
def as_web(_web_login: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Django's own connection is the web login's."""
    connection = connections["default"]
    former = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = "claimdrift_web"
    with django_db_blocker.unblock():
        yield
        connection.close()
    connection.settings_dict["USER"] = former


@pytest.fixture
def office(owner: Database, worker: Database) -> Office:
    """A new customer."""
    return Office(owner, worker)


@pytest.fixture
def neighbour(owner: Database, worker: Database) -> Office:
    """Another customer."""
    return Office(owner, worker)


@pytest.fixture(scope="session")
def superuser(worker: Database) -> Api:
    """The API as a superuser sees it."""
    return new_superuser(worker)


@pytest.fixture
def nobody() -> Api:
    """The API without a token."""
    return Api()


@pytest.fixture
def browser(as_web: None) -> Client:
    """A client that checks CSRF, as browsers make servers do, and shows errors as answers."""
    return Client(
        enforce_csrf_checks=True,
        raise_request_exception=False,
        # Attempts to sign in are counted by address, too.
        REMOTE_ADDR=str(next(_addresses)),
    )
