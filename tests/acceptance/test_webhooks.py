"""Webhooks by real workers that are killed, replaced and cut off: nothing is lost.

The receiver keeps what it took by webhook-id and checks signatures as any customer's would. What it
takes twice is counted: each duplicate must be an attempt whose worker was killed under way.
"""

import random
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.delivering import (
    Ledger,
    add_endpoint,
    crew,
    has_ended,
    hire,
    kill,
    let_time_pass,
    publish,
    restart,
    shared_keys,
    under_way,
    unfinished,
    wait_for,
)
from tests.acceptance.working import connected, own_database, stop
from tests.database import Database
from tests.portfolio import Portfolio
from tests.webhooks.receiver import Receiver, hangs_after

IN_FLIGHT = 10
QUIET = {""}


@pytest.fixture(scope="module", autouse=True)
def _database() -> Iterator[None]:
    with own_database():
        yield


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    """The keys that the workers have as well."""
    with shared_keys():
        yield


@pytest.fixture(scope="module")
def owner(_database: None) -> Iterator[Database]:
    with connected("claimdrift_migrator") as database:
        yield database


@pytest.fixture(scope="module")
def worker(_database: None) -> Iterator[Database]:
    with connected("claimdrift_worker") as database:
        yield database


@pytest.fixture(scope="module")
def superuser(_database: None) -> Iterator[Database]:
    with connected("postgres") as database:
        yield database


@pytest.fixture(autouse=True)
def _clean(owner: Database, superuser: Database) -> Iterator[None]:
    """Each test finds nothing queued or going on, and leaves a sound database."""
    yield
    assert owner.execute("SELECT * FROM maintenance.verify()") == []
    superuser.execute("UPDATE customer SET status = 'suspended'")
    superuser.execute("DELETE FROM webhook_attempt")
    superuser.execute("DELETE FROM webhook_delivery")
    superuser.execute("DELETE FROM procrastinate_jobs")
    superuser.execute("DELETE FROM procrastinate_workers")
    superuser.execute("DELETE FROM procrastinate_periodic_defers")


class Traffic:
    """Customers with two endpoints each at one receiver, and all that happened at them."""

    def __init__(
        self, owner: Database, worker: Database, receiver: Receiver, ledger: Ledger, customers: int
    ) -> None:
        self.ledger = ledger
        self.expected: set[str] = set()
        self._worker = worker
        self._portfolios = [Portfolio(owner, worker) for _ in range(customers)]
        self._paths: dict[int, list[str]] = {}
        for portfolio in self._portfolios:
            for number in (1, 2):
                path = f"/{portfolio.slug}/{number}"
                url = f"http://127.0.0.1:{receiver.port}{path}"
                _, secret = add_endpoint(worker, portfolio, url, max_in_flight=IN_FLIGHT)
                ledger.expect(path, secret)
                self._paths.setdefault(portfolio.customer_id, []).append(path)

    def publish(self, events: int) -> None:
        """So many events at each customer, and twice as many deliveries."""
        for portfolio in self._portfolios:
            for message_id in publish(portfolio, events):
                self.expected |= {message_id + path for path in self._paths[portfolio.customer_id]}

    @property
    def capacity(self) -> int:
        """How many attempts are under way at most."""
        return 2 * IN_FLIGHT * len(self._portfolios)

    def wait_until_delivered(self) -> None:
        waiting = "SELECT NOT EXISTS (SELECT FROM webhook_delivery WHERE status = 'pending')"
        wait_for(lambda: bool(self._worker.value(waiting)), says=lambda: unfinished(self._worker))

    def check(self) -> tuple[int, int]:
        """All arrived and nothing else; how many arrived twice, and how many attempts were lost."""
        ledger = self.ledger
        assert ledger.refused == []
        assert set(ledger.receipts) == self.expected
        statuses = self._worker.execute("SELECT status, count(*) FROM webhook_delivery GROUP BY 1")
        assert statuses == [("delivered", len(self.expected))]
        attempts = self._worker.dicts(
            "SELECT number, status_code, error FROM webhook_attempt ORDER BY id"
        )
        lost = [attempt for attempt in attempts if attempt["status_code"] is None]
        assert len(attempts) - len(lost) == len(self.expected)
        assert {attempt["error"] for attempt in lost} <= {
            "Nothing is known of it: its worker ended in the middle."
        }
        # Whatever arrived was an attempt, and of each delivery one is known to have arrived.
        assert ledger.total <= len(attempts)
        return ledger.total - len(self.expected), len(lost)


def wait_until_received(traffic: Traffic, count: int) -> None:
    wait_for(
        lambda: traffic.ledger.total >= count,
        says=lambda: (traffic.ledger.total, count, unfinished(traffic._worker)),
    )


def be_killed(
    owner: Database, worker: Database, superuser: Database, *, seed: int, kills: int, events: int
) -> None:
    choices = random.Random(seed)  # noqa: S311
    ledger = Ledger(pause=0.02)
    at_risk = 0
    with Receiver(ledger) as receiver, crew() as workers:
        traffic = Traffic(owner, worker, receiver, ledger, customers=2)
        for _ in range(2):
            hire(workers, worker)
        for _ in range(kills):
            before = ledger.total
            traffic.publish(events)
            # In the middle of it, or just when all has arrived.
            wait_until_received(traffic, before + choices.randint(1, events * 4))
            time.sleep(choices.uniform(0, 0.03))
            victim = choices.choice(workers)
            kill(workers, victim)
            # Of these, the other one's end in a moment; what doesn't was the victim's.
            lost = under_way(worker)
            at_risk += len(lost)
            time.sleep(0.5)
            let_time_pass(superuser, lost, victim)
            hire(workers, worker)
        traffic.wait_until_delivered()
        logged = [stop(member.process) for member in workers]

    duplicates, lost_attempts = traffic.check()
    context = f"seed {seed}: {duplicates=} {lost_attempts=} {at_risk=} {logged=}"
    # A duplicate is an attempt that arrived and wasn't noted, for its worker was killed then.
    assert duplicates <= lost_attempts <= at_risk <= kills * traffic.capacity, context
    # It was chaos.
    assert lost_attempts > 0, context


def test_twenty_killed_workers_lose_none_of_2000_events(
    owner: Database, worker: Database, superuser: Database
) -> None:
    be_killed(owner, worker, superuser, seed=1, kills=20, events=50)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_any_number_of_killed_workers_lose_nothing(
    owner: Database, worker: Database, superuser: Database, seed: int
) -> None:
    be_killed(owner, worker, superuser, seed=seed, kills=40, events=100)


def test_deploys_lose_nothing_and_send_nothing_twice(owner: Database, worker: Database) -> None:
    ledger = Ledger(pause=0.05)
    with Receiver(ledger) as receiver, crew() as workers:
        traffic = Traffic(owner, worker, receiver, ledger, customers=2)
        hire(workers, worker)
        for _ in range(5):
            before = ledger.total
            traffic.publish(40)
            wait_until_received(traffic, before + 20)
            # The new one is there before the old one is told to go.
            hire(workers, worker)
            traffic.publish(40)
            wait_until_received(traffic, before + 180)
            assert stop(workers.pop(0).process) in QUIET
        traffic.wait_until_delivered()
        assert stop(workers.pop().process) in QUIET

    assert traffic.check() == (0, 0)
    assert worker.value("SELECT count(*) FROM procrastinate_workers") == 0
    assert worker.execute(
        "SELECT status::text FROM procrastinate_jobs WHERE queue_name = 'webhooks' GROUP BY 1"
    ) == [("succeeded",)]


def test_two_workers_send_each_delivery_once(owner: Database, worker: Database) -> None:
    ledger = Ledger()
    with Receiver(ledger) as receiver, crew() as workers:
        traffic = Traffic(owner, worker, receiver, ledger, customers=4)
        for _ in range(2):
            hire(workers, worker)
        for _ in range(5):
            traffic.publish(25)
        traffic.wait_until_delivered()
        assert {stop(member.process) for member in workers} == QUIET

    assert traffic.check() == (0, 0)


def test_a_database_that_restarts_in_the_middle_loses_nothing(
    owner: Database, worker: Database, superuser: Database
) -> None:
    """To its clients, that is: no session survives, and for a while nobody gets a new one."""
    ledger = Ledger(pause=0.05)
    with Receiver(ledger) as receiver, crew() as workers:
        traffic = Traffic(owner, worker, receiver, ledger, customers=2)
        for _ in range(2):
            hire(workers, worker)
        traffic.publish(100)
        wait_until_received(traffic, 50)
        restart(spared=[owner, worker, superuser], seconds=3)
        # Whoever gives up says so: service managers start again what has failed.
        ended = []
        for member in list(workers):
            if has_ended(member):
                ended.append(member.process.returncode)
                workers.remove(member)
                let_time_pass(superuser, under_way(worker), member)
                hire(workers, worker)
        traffic.publish(50)
        traffic.wait_until_delivered()
        for member in workers:
            stop(member.process)

    duplicates, lost = traffic.check()
    assert duplicates <= lost <= traffic.capacity
    assert 0 not in ended


def be_stuck(
    owner: Database, worker: Database, *, customers: int, endpoints: int, events: int
) -> None:
    """Whoever has much to send to who never answers, the others' arrives."""
    ledger = Ledger()
    with Receiver(hangs_after()) as hanging, Receiver(ledger) as receiver, crew() as workers:
        for _ in range(customers):
            stuck = Portfolio(owner, worker)
            for number in range(endpoints):
                add_endpoint(worker, stuck, f"{hanging.url}/{number}", max_in_flight=IN_FLIGHT)
            publish(stuck, events)
        queued = customers * endpoints * events
        hire(workers, worker)
        wait_for(
            lambda: len(hanging.requests) >= min(queued, IN_FLIGHT * endpoints) // 2,
            says=lambda: (len(hanging.requests), hanging.connections, under_way(worker)),
        )
        traffic = Traffic(owner, worker, receiver, ledger, customers=1)
        began = time.monotonic()
        traffic.publish(10)
        wait_until_received(traffic, 20)
        took = time.monotonic() - began
        [(waiting, tried)] = worker.execute(
            "SELECT count(*), max(attempts) FROM webhook_delivery AS d JOIN webhook_endpoint AS w"
            " ON w.id = d.endpoint_id WHERE w.url LIKE %s AND d.status = 'pending'",
            f"{hanging.url}/%",
        )

    assert set(ledger.receipts) == traffic.expected
    # Twice the time that an attempt may take: it isn't the queue that they waited for.
    assert (waiting, took < 30) == (queued, True)
    # Most of what it waited for hasn't been tried even once.
    assert tried <= 2
    assert len(hanging.requests) < queued / 2


def test_an_endpoint_that_hangs_holds_up_nobody_else(owner: Database, worker: Database) -> None:
    be_stuck(owner, worker, customers=1, endpoints=1, events=5000)


@pytest.mark.long
def test_more_that_hang_than_a_worker_has_room_for_hold_up_nobody_for_long(
    owner: Database, worker: Database
) -> None:
    be_stuck(owner, worker, customers=4, endpoints=4, events=1000)
