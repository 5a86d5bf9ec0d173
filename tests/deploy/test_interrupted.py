"""Deployers that are killed in the middle of it, and what another one makes of it."""

from signal import SIGKILL, SIGTERM

import pytest

from tests.deploy import broken
from tests.deploy.findings import Expected, caught_in
from tests.deploy.world import World

pytestmark = pytest.mark.long

# Had it gone on, it would have gone well: nobody's requests may fail.
NOBODY = "nobody"
AT_ONCE = "true"
# So that what the killed one has started is still at it.
MIGRATING = "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg\\_sleep%')"


@pytest.mark.parametrize(
    ("stage", "when", "expected"),
    [
        ("migrate", MIGRATING, caught_in(None)),
        ("preview", AT_ONCE, caught_in(None)),
        ("bake", AT_ONCE, caught_in(None, victim=NOBODY)),
    ],
    ids=["migrate", "preview", "bake"],
)
def test_a_killed_deploy_is_rolled_back_when_told(
    world: World, stage: str, when: str, expected: Expected
) -> None:
    deployer = world.installation.deployer
    release = world.release("killed")
    broken.add_table_slowly(release, seconds=5)
    before = world.state()
    killed = deployer.interrupt(release, stage, SIGKILL, lambda: world.says(when))
    assert killed.code == -SIGKILL
    # Not before somebody has looked after it.
    refused = deployer.deploy(world.release("good"))
    assert refused.code == 3, refused
    recovered = deployer.recover(release)
    assert world.judge_bad(killed.followed_by(recovered), before, expected) == []
    assert world.deploy(world.release("good")) == []


def test_a_deploy_killed_after_its_bake_is_completed(world: World) -> None:
    release = world.release("late")
    broken.add_table(release)
    killed = world.installation.deployer.interrupt(release, "retire", SIGKILL)
    assert killed.code == -SIGKILL
    recovered = world.installation.deployer.recover(release)
    assert world.judge_good(killed.followed_by(recovered)) == []
    assert world.deploy(world.release("good")) == []


def test_a_deploy_that_is_told_to_end_rolls_back(world: World) -> None:
    release = world.release("stopped")
    broken.add_table(release)
    before = world.state()
    stopped = world.installation.deployer.interrupt(release, "preview", SIGTERM)
    assert world.judge_bad(stopped, before, caught_in("preview")) == []
    assert world.deploy(world.release("good")) == []


def test_all_that_was_accepted_was_done_and_done_once(world: World) -> None:
    world.come_to_rest()
    assert world.reckon() == []
