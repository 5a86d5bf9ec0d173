"""What the rollback tests' own checks say of rollouts that are made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.deploy import findings
from tests.deploy.findings import caught_in, compare, examine, examine_good, judge
from tests.deploy.load import Answered
from tests.deploy.releases import Release
from tests.deploy.rollout import Rollout
from tests.deploy.state import State

# Begun at 0, switched at 10, over at 20.
BAD = Rollout(
    Release(Path("bad")),
    code=1,
    output="",
    began=0.0,
    ended=20.0,
    entries=[
        {"stage": "switch", "status": "done", "at": "1970-01-01T00:00:10+00:00"},
        {"stage": "bake", "status": "failed", "at": "1970-01-01T00:00:15+00:00"},
    ],
)
GOOD = replace(BAD, release=Release(Path("new")), code=0, entries=BAD.entries[:1])
READ = Answered("read", "victim", "/", began=25.0, ended=25.1, status=200, release="old")
SLOW = Answered("slow", "other", "/", began=8.0, ended=12.0, status=202, release="old")
STATE = State("CREATE TABLE a;", [("function", "f()", None)], [], [("core", "0001", None)])
GATED = caught_in("bake")
LIVE = caught_in("bake", victim="victim")
LEAKED = replace(READ, release="bad", began=12.0, ended=12.1)


def names(found: list[str]) -> list[str]:
    return [text.partition(":")[0] for text in found]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert list(judge(BAD, GATED)) == []
    assert list(compare(STATE, STATE)) == []
    assert list(examine([READ, SLOW], BAD, "old", GATED)) == []
    assert list(examine([READ, SLOW, replace(LEAKED, status=500)], BAD, "old", LIVE)) == []
    after = replace(READ, release="new")
    assert list(examine_good([after, SLOW], GOOD, "old")) == []


@pytest.mark.parametrize(
    ("rollout", "name"),
    [(replace(BAD, code=0), findings.EXIT), (replace(BAD, entries=[]), findings.STAGE)],
)
def test_another_end_than_expected_is_found(rollout: Rollout, name: str) -> None:
    assert names(list(judge(rollout, GATED))) == [name]


@pytest.mark.parametrize(
    ("after", "name"),
    [
        (replace(STATE, schema="CREATE TABLE b;"), findings.SCHEMA),
        (replace(STATE, rights=[]), findings.RIGHTS),
        (replace(STATE, invalid_indexes=["i"]), findings.INDEXES),
        (replace(STATE, migrations=[]), findings.MIGRATIONS),
    ],
)
def test_a_database_that_is_not_as_before_is_found(after: State, name: str) -> None:
    assert names(list(compare(STATE, after))) == [name]


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (LEAKED, findings.GATE),
        (replace(READ, status=500), findings.REQUESTS),
        (replace(READ, status=0, release="old"), findings.REQUESTS),
        (replace(LEAKED, release="older"), findings.LIVE),
        (replace(READ, release="older"), findings.LIVE),
    ],
)
def test_what_clients_notice_of_a_gated_release_is_found(answer: Answered, name: str) -> None:
    assert name in names(list(examine([READ, SLOW, answer], BAD, "old", GATED)))


@pytest.mark.parametrize(
    "answer",
    [
        replace(LEAKED, status=500, client="other"),
        replace(LEAKED, status=503),
        replace(LEAKED, status=0, release=""),
        replace(LEAKED, status=500, ended=21.0),
    ],
)
def test_more_failures_than_the_release_may_cause_are_found(answer: Answered) -> None:
    assert names(list(examine([READ, SLOW, answer], BAD, "old", LIVE))) == [findings.REQUESTS]


def test_failures_without_end_are_found() -> None:
    many = [replace(LEAKED, status=500)] * (findings.MOST_FAILURES + 1)
    assert names(list(examine([READ, SLOW, *many], BAD, "old", LIVE))) == [findings.REQUESTS]


@pytest.mark.parametrize("slow", [[], [replace(SLOW, status=0, release="")]])
def test_slow_requests_that_were_cut_off_are_found(slow: list[Answered]) -> None:
    assert findings.SLOW in names(list(examine([READ, *slow], BAD, "old", LIVE)))
    after = replace(READ, release="new")
    assert findings.SLOW in names(list(examine_good([after, *slow], GOOD, "old")))
