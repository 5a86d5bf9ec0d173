"""A release that is caught before anybody sees it, a good one, and one that only users find out.

Each is deployed by the real deployer while customers read, send files (some of them so slowly that
everything happens in the middle of it) and are told by webhooks. The order matters: each test finds
the installation as the one before has left it.
"""

from tests.deploy import broken
from tests.deploy.findings import caught_in
from tests.deploy.world import World


def test_a_release_that_answers_500_is_never_heard_of(world: World) -> None:
    release = world.release("broken")
    broken.answers_500(release)
    assert world.roll_back(release, caught_in("preview")) == []


def test_a_good_release_takes_over_right_afterwards_and_no_request_fails(world: World) -> None:
    release = world.release("good")
    broken.add_table(release)
    assert world.deploy(release) == []


def test_a_release_that_fails_real_traffic_only_is_taken_back(world: World) -> None:
    release = world.release("treacherous")
    broken.fails_for(world.victim.customer_id)(release)
    assert world.roll_back(release, caught_in("bake", victim=world.victim.slug)) == []
    assert world.deploy(world.release("good")) == []


def test_all_that_was_accepted_was_done_and_done_once(world: World) -> None:
    world.come_to_rest()
    assert world.reckon() == []
