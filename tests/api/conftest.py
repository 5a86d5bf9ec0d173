"""The API under test works as it does in production: with the web login, its own rights only."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.db import connections
from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from core.environment import database_from_url
from tests.api.archive import Archive
from tests.api.callers import Callers
from tests.api.client import Api, Office, new_superuser
from tests.api.worlds import Fingerprints, World
from tests.database import Database
from tests.pooling import Pooler

_addresses = iter(ip_network("10.0.0.0/8").hosts())


@pytest.fixture(scope="session")
def _web_login(django_db_setup: None) -> None:
    """A fixture to depend on: the database exists."""


@pytest.fixture(autouse=True)
def as_web(
    _web_login: None, django_db_blocker: DjangoDbBlocker, in_between: Pooler | None
) -> Iterator[None]:
    """Django's own connection is the web login's."""
    connection = connections["default"]
    former = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict["USER"] = "claimdrift_web"
    if in_between is not None:
        connection.settings_dict |= database_from_url(in_between.url())
    with django_db_blocker.unblock():
        yield
        connection.close()
    connection.settings_dict |= former


@pytest.fixture
def office(owner: Database, worker: Database) -> Office:
    """A new customer."""
    return Office(owner, worker)


@pytest.fixture
def neighbour(owner: Database, worker: Database) -> Office:
    """Another customer."""
    return Office(owner, worker)


@pytest.fixture(scope="module")
def archive(owner: Database, worker: Database) -> Archive:
    """A customer with something of everything; to be looked at, not changed.

    For a module: tests of retention delete what is old, whoever's it is.
    """
    return Archive(owner, worker)


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


@pytest.fixture(scope="module")
def callers(owner: Database, worker: Database) -> Callers:
    """Everybody that an API can be asked by, and two customers with one of everything."""
    return Callers(World(owner, worker), World(owner, worker), Office(owner, worker))


@pytest.fixture(scope="module")
def fingerprints(owner: Database, callers: Callers) -> Fingerprints:
    """To tell whether anything of those two customers has changed."""
    return Fingerprints(owner, callers.ours, callers.theirs)


@pytest.fixture
def cheap_passwords() -> Iterator[None]:
    """For many sign-ins: a real password takes its time."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield
