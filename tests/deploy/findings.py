"""What a deploy that should have been rolled back has left undone or let through.

Each finding begins with the name of a check: a test of the deployer expects none, a test of these
checks expects a certain one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.deploy.load import Answered
from tests.deploy.rollout import Rollout
from tests.deploy.state import State

STAGE: Final = "stage"
EXIT: Final = "exit code"
REQUESTS: Final = "failed requests"
SLOW: Final = "slow requests"
GATE: Final = "answers of a gated release"
WORK: Final = "webhooks of a gated release"
LIVE: Final = "live release"
SCHEMA: Final = "schema"
RIGHTS: Final = "rights"
INDEXES: Final = "invalid indexes"
MIGRATIONS: Final = "migrations"
EVENTS: Final = "events"
PROCESSES: Final = "processes"

# Far more than a bake may let through of the tests' load, far less than all of it.
MOST_FAILURES: Final = 150


@dataclass(frozen=True)
class Expected:
    """What is to become of a release that isn't kept: which stages may catch it (None: nobody did).

    `victim` is whose requests it may fail once it is live; None: it never is, it was gated.
    """

    stages: frozenset[str | None]
    victim: str | None = None

    @property
    def is_gated(self) -> bool:
        return self.victim is None


def caught_in(*stages: str | None, victim: str | None = None) -> Expected:
    return Expected(frozenset(stages), victim)


def judge(rollout: Rollout, expected: Expected) -> Iterator[str]:
    """Whether it was caught where it should be."""
    if rollout.caught_by not in expected.stages:
        yield f"{STAGE}: {rollout.caught_by}, not {sorted(map(str, expected.stages))}\n{rollout}"
    if rollout.code != 1:
        yield f"{EXIT}: {rollout.code}, not 1\n{rollout}"


def compare(before: State, after: State) -> Iterator[str]:
    """What differs between two states of the database."""
    if before.schema != after.schema:
        former, now = Counter(before.schema.split("\n")), Counter(after.schema.split("\n"))
        yield f"{SCHEMA}: lost {list(former - now)[:9]}, gained {list(now - former)[:9]}"
    if before.rights != after.rights:
        yield f"{RIGHTS}: {sorted(map(str, set(before.rights) ^ set(after.rights)))[:9]}"
    if after.invalid_indexes:
        yield f"{INDEXES}: {after.invalid_indexes}"
    if before.migrations != after.migrations:
        yield f"{MIGRATIONS}: {sorted(map(str, set(before.migrations) ^ set(after.migrations)))}"


def examine_good(answers: list[Answered], rollout: Rollout, former: str) -> Iterator[str]:
    """What clients noticed of a release that took over from another one."""
    if failed := [answer for answer in answers if answer.has_failed]:
        yield f"{REQUESTS}: {len(failed)}, such as {failed[:3]}"
    yield from _strangers(answers, {former, rollout.release.name})
    yield from _after(answers, rollout, rollout.release.name)
    switched = rollout.moment("switch", "done")
    spanning = [
        answer
        for answer in answers
        if answer.kind == "slow" and answer.began < switched < answer.ended
    ]
    # Whoever was asked before the switch has answered after it.
    if not any(answer.release == former for answer in spanning):
        yield f"{SLOW}: {spanning}"


def examine(
    answers: list[Answered], rollout: Rollout, live: str, expected: Expected
) -> Iterator[str]:
    """What clients noticed, from the moment the deploy began to well after it was taken back."""
    bad = rollout.release.name
    failed = [answer for answer in answers if answer.has_failed]
    if expected.is_gated:
        if failed:
            yield f"{REQUESTS}: {len(failed)}, such as {failed[:3]}"
        if leaked := [answer for answer in answers if answer.release == bad]:
            yield f"{GATE}: {len(leaked)}, such as {leaked[:3]}"
    else:
        undue = [
            answer
            for answer in failed
            if (answer.client, answer.release, answer.status) != (expected.victim, bad, 500)
            or answer.ended > rollout.ended
        ]
        if undue or len(failed) > MOST_FAILURES:
            yield f"{REQUESTS}: {len(failed)}, {len(undue)} of them undue, such as {undue[:3]}"
    slow = [answer for answer in answers if answer.kind == "slow"]
    # Unless it is the victim's, whose requests are refused whatever their speed.
    if not slow or any(answer.has_failed and answer.release != bad for answer in slow):
        yield f"{SLOW}: {[answer for answer in slow if answer.has_failed]} of {len(slow)}"
    yield from _strangers(answers, {live, bad})
    yield from _after(answers, rollout, live)


def _strangers(answers: list[Answered], known: set[str]) -> Iterator[str]:
    """Answers that none of these releases gave; none at all is a failed request."""
    others = Counter(answer.release for answer in answers if answer.status)
    if strangers := set(others) - known:
        yield f"{LIVE}: {sorted(strangers)} answered beside {sorted(known)}"


def _after(answers: list[Answered], rollout: Rollout, live: str) -> Iterator[str]:
    """Who answers once all is over."""
    others = Counter(answer.release for answer in answers if answer.began > rollout.ended)
    if set(others) != {live}:
        yield f"{LIVE}: {dict(others)} answered after the deploy, not {live} alone"
