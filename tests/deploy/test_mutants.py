"""These tests can fail: whatever a deployer leaves out, the check meant for it finds out.

Each mutant is a copy of the deployer with a text replaced, on an installation of its own: what it
leaves behind is nothing to go on with.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.deploy import broken, findings
from tests.deploy.findings import Expected, caught_in
from tests.deploy.releases import Release
from tests.deploy.world import World, open_world

pytestmark = pytest.mark.long

Change = Callable[[Release], object]


@dataclass(frozen=True)
class Mutant:
    """What is left out of a file of deploy/, and which check finds that out."""

    name: str
    file: str
    old: str
    new: str
    change: Callable[[World], Change]
    expected: Callable[[World], Expected]
    finding: str


def gated(
    change: Change, stage: str
) -> tuple[Callable[[World], Change], Callable[[World], Expected]]:
    return lambda world: change, lambda world: caught_in(stage)


def treacherous() -> tuple[Callable[[World], Change], Callable[[World], Expected]]:
    return (
        lambda world: broken.fails_for(world.victim.customer_id),
        lambda world: caught_in("bake", victim=world.victim.slug),
    )


MUTANTS = [
    Mutant(
        "no map restore",
        "rollback.py",
        "        host.traffic.lead_to(live)\n",
        "",
        *treacherous(),
        finding=findings.LIVE,
    ),
    Mutant(
        "no reverse migration",
        "rollback.py",
        "                return self._reverse(before)\n",
        '                return ""\n',
        *gated(broken.is_never_ready, "healthy"),
        finding=findings.MIGRATIONS,
    ),
    Mutant(
        "no function restore",
        "rollback.py",
        "restored = self._host.database.restore_functions(snapshot.functions)\n",
        "restored = []\n",
        *gated(broken.forgets_to_restore, "healthy"),
        finding=findings.SCHEMA,
    ),
    Mutant(
        "always healthy",
        "stages.py",
        'is_well = answer == "200" and host.traffic.counters(slot).is_up\n',
        "is_well = True\n",
        *gated(broken.is_never_ready, "healthy"),
        finding=findings.STAGE,
    ),
    Mutant(
        "no smoke",
        "smoke.py",
        '        api.call("GET", "/auth/me")\n',
        '        return ""\n',
        *gated(broken.finds_nothing, "smoke_old"),
        finding=findings.EXIT,
    ),
    Mutant(
        "health polled only",
        "bake.py",
        "if counters.errors - before.errors > host.config.limits.errors:\n",
        "if False:\n",
        *treacherous(),
        finding=findings.EXIT,
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_deployer_that_leaves_something_out_is_found_out(mutant: Mutant) -> None:
    with open_world() as world:
        world.installation.deployer = world.installation.copy_deployer("mutant")
        file = world.installation.deployer.directory / "deploy" / mutant.file
        text = file.read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        release = world.release("bad")
        mutant.change(world)(release)
        found = world.roll_back(release, mutant.expected(world))
        assert mutant.finding in {text.partition(":")[0] for text in found}, found
