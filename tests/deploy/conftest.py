"""One installation for all tests of a module, in use from beginning to end."""

from collections.abc import Iterator

import pytest

from tests.deploy.world import World, open_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A first release that is live, and under load."""
    with open_world() as world:
        yield world
