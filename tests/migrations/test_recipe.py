"""The whole recipe under traffic: every phase is killed, there and back, and gone on with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from perf.ledger.database import ARCHIVE, MOVES, Ledger, faults
from perf.ledger.traffic import Traffic
from tests.conftest import DATABASE, SERVER

WAITS = (
    "SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
    " WHERE a.usename = 'claimdrift_migrator' AND a.datname = current_database()"
    " AND NOT l.granted AND l.locktype = '{}'"
)
WRITE = "UPDATE ledger_entry SET amount = amount WHERE id = 2"


@dataclass(frozen=True)
class Phase:
    """Where to be killed: what holds it up, and what is true when it has come so far."""

    start: str
    target: str
    hold: str
    reached: str


BUILD = (WRITE, WAITS.format("virtualxid"))
LOCK = (WRITE, WAITS.format("relation"))
FORWARDS = [
    Phase("0001", "0002", *BUILD),
    Phase("0002", "0003", *LOCK),
    Phase(
        "0003",
        "0004",
        "SELECT FROM ledger_entry WHERE id = 1 FOR UPDATE",
        f"SELECT coalesce(pg_relation_size(to_regclass('{ARCHIVE}')), 0) > 65536",
    ),
    Phase("0004", "0005", *BUILD),
    Phase("0005", "0006", *LOCK),
    Phase("0006", "0007", *LOCK),
    Phase("0007", "0008", *BUILD),
]
BACKWARDS = [
    Phase("0008", "0007", *BUILD),
    Phase("0007", "0006", *LOCK),
    Phase("0006", "0005", *BUILD),
    Phase("0005", "0004", *BUILD),
    Phase(
        "0004",
        "0003",
        f"SELECT FROM ledger_note WHERE id = (SELECT child_id FROM {MOVES}"
        " ORDER BY from_id DESC LIMIT 1) FOR UPDATE",
        f"SELECT count(*) > 0 AND count(*) < (SELECT archived FROM so_far) FROM {ARCHIVE}",
    ),
    Phase("0003", "0002", *LOCK),
    Phase("0002", "0001", *BUILD),
]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger(SERVER, f"{DATABASE}_ledger")
    yield ledger
    ledger.close()


def kill_inside(ledger: Ledger, phase: Phase) -> None:
    """SIGKILL the migrate that is in the middle of the phase."""
    with ledger.transaction(phase.hold):
        process = ledger.start(phase.target)
        ledger.await_value(phase.reached, True, process)
        process.kill()
        process.communicate()


def kill_before_it_is_noted(ledger: Ledger, phase: Phase) -> None:
    """SIGKILL the migrate that has done all of the phase but say so."""
    with ledger.transaction("LOCK django_migrations IN SHARE MODE"):
        process = ledger.start(phase.target)
        ledger.await_value(WAITS.format("relation"), True, process)
        process.kill()
        process.communicate()


def go_there_and_back(
    ledger: Ledger, rows: int, kill: Callable[[Ledger, Phase], None], only: str, seconds: float = 0
) -> None:
    """The phases are killed once each, and gone on with by the next migrate.

    Behind a transaction that has written and stays open for so many seconds. `only` says which of
    them are killed by their numbers, forwards and backwards.
    """
    numbers = ledger.fill(rows)
    with Traffic(ledger.connect, numbers=numbers) as there:
        kill_each(ledger, there, FORWARDS, kill, only, seconds)
        behind(ledger, "0008", seconds)
    assert faults(ledger, there) == {}
    assert there.count["refused"] > 0
    assert ledger.applied()[-1] == "0008_drop_key_index"
    archived = ledger.value(f"SELECT count(*) FROM {ARCHIVE}")
    assert archived >= rows // 20

    ledger.run("CREATE TABLE so_far AS SELECT %s AS archived", archived)
    with Traffic(ledger.connect, numbers=numbers, name="b", former=there) as back:
        kill_each(ledger, back, BACKWARDS, kill, only, seconds)
        behind(ledger, "0001", seconds)
    assert faults(ledger, back) == {}
    assert ledger.applied() == ["0001_tables"]


def kill_each(
    ledger: Ledger,
    traffic: Traffic,
    phases: Sequence[Phase],
    kill: Callable[[Ledger, Phase], None],
    only: str,
    seconds: float,
) -> None:
    """Nor does a duplicate get in between the guard's migration and its reverse."""
    accepted: int | None = None
    for phase in phases:
        if max(phase.start, phase.target)[-1] not in only:
            continue
        behind(ledger, phase.start, seconds)
        kill(ledger, phase)
        if min(phase.start, phase.target) >= "0003":
            before, accepted = accepted, traffic.count["duplicates"]
            assert before in (None, accepted)


def behind(ledger: Ledger, target: str, seconds: float) -> None:
    with ledger.transaction(WRITE, seconds):
        process = ledger.start(target)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def test_killed_inside_the_phases_it_goes_on_and_loses_nothing(ledger: Ledger) -> None:
    go_there_and_back(ledger, 20_000, kill_inside, only="456")


@pytest.mark.long
@pytest.mark.parametrize("kill", [kill_inside, kill_before_it_is_noted])
def test_every_phase_may_be_killed(ledger: Ledger, kill: Callable[[Ledger, Phase], None]) -> None:
    go_there_and_back(ledger, 20_000, kill, only="2345678")


@pytest.mark.long
def test_a_million_rows_behind_a_long_transaction(ledger: Ledger) -> None:
    go_there_and_back(ledger, 1_000_000, kill_inside, only="2345678", seconds=8)


@pytest.mark.long
@pytest.mark.parametrize(("phase", "former"), [("0005", "0004"), ("0006", "0005")])
def test_half_way_it_can_be_noted_as_applied_and_reversed(
    ledger: Ledger, phase: str, former: str
) -> None:
    """What docs/migrations.md says to do to go back from where one was killed."""
    ledger.fill(1000)
    before = ledger.value(INDEXES)
    ledger.migrate(former)
    kill_inside(ledger, next(p for p in FORWARDS if p.target == phase))

    ledger.migrate(phase, "--fake")
    ledger.migrate(former)
    assert ledger.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    ledger.migrate("0001")
    assert ledger.value(INDEXES) == before


INDEXES = (
    "SELECT string_agg(pg_get_indexdef(indexrelid), '; ' ORDER BY indexrelid) FROM pg_index"
    " WHERE indrelid = 'ledger_entry'::regclass"
)
