"""Releases that are bad in all kinds of ways: who catches each, and that nothing is left of it."""

from collections.abc import Callable

import pytest

from tests.deploy import broken
from tests.deploy.findings import Expected, caught_in
from tests.deploy.releases import Release
from tests.deploy.world import World

pytestmark = pytest.mark.long

GATED: dict[Callable[[Release], object], Expected] = {
    broken.cannot_be_imported: caught_in("check"),
    broken.cannot_be_served: caught_in("start", "healthy"),
    broken.migrates_half: caught_in("migrate"),
    broken.migrates_half_without_transaction: caught_in("migrate"),
    broken.breaks_detection: caught_in("migrate"),
    broken.breaks_detection_untested: caught_in("smoke_old"),
    broken.finds_nothing: caught_in("smoke_old"),
    broken.hangs_at_start: caught_in("healthy"),
    broken.answers_500: caught_in("preview"),
    broken.has_no_worker: caught_in("canary"),
    broken.forgets_to_restore: caught_in("healthy"),
}


@pytest.mark.parametrize(
    ("change", "expected"), GATED.items(), ids=[change.__name__ for change in GATED]
)
def test_a_bad_release_is_caught_before_anybody_sees_it(
    world: World, change: Callable[[Release], object], expected: Expected
) -> None:
    release = world.release("bad")
    change(release)
    assert world.roll_back(release, expected) == []
    assert world.deploy(world.release("good")) == []


def test_a_release_that_fails_one_customers_jobs_is_taken_back(world: World) -> None:
    release = world.release("jobless")
    broken.loads_nothing_for(world.victim.customer_id)(release)
    assert world.roll_back(release, caught_in("bake", victim=world.victim.slug)) == []
    assert world.deploy(world.release("good")) == []


def test_all_that_was_accepted_was_done_and_done_once(world: World) -> None:
    world.come_to_rest()
    assert world.reckon() == []
