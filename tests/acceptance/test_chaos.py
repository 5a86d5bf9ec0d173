"""Everybody at once, and sessions killed at random: what must never happen doesn't.

What each actor tries, and in which order, follows from the seed; what it meets depends on the
others. A failure prints the seed. The data follow from the seed alone.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import psycopg2
import pytest

from tests.acceptance.together import DatabaseUrl
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

FIRST_DAY = date(2026, 6, 1)
GROUPS = ("99213", "99214", "99215")
PER_DAY = 12
RATES = (0.1, 0.1, 0.2, 0.3, 0.6)
KILLED = "killed"
EXPECTED_ERRORS = {
    KILLED,
    "PD006",  # the alert isn't there: nothing has opened one yet
    "PD007",  # the alert isn't in a state to be moved like this
}


class Chaos:
    """Customers, their shared clock, and the actors that work on them."""

    def __init__(self, portfolios: list[Portfolio], url: DatabaseUrl, seed: int) -> None:
        self.portfolios = portfolios
        self.seed = seed
        self.outcomes: Counter[str] = Counter()
        self.pids: set[int] = set()
        self.is_over = threading.Event()
        self._url = url
        self._days = dict.fromkeys((p.customer_id for p in portfolios), 0)
        self._guard = threading.Lock()

    def next_day(self, customer_id: int) -> int:
        with self._guard:
            self._days[customer_id] += 1
            return self._days[customer_id]

    def today(self, customer_id: int) -> int:
        with self._guard:
            return self._days[customer_id]

    def count(self, outcome: str) -> None:
        with self._guard:
            self.outcomes[outcome] += 1

    def run(self, name: str, step: Callable[["Actor"], None], steps: int) -> threading.Thread:
        thread = threading.Thread(target=Actor(self, name, self._url).work, args=(step, steps))
        thread.start()
        return thread


class Actor:
    """One connection, made anew whenever it was killed, and one sequence of random choices."""

    def __init__(self, chaos: Chaos, name: str, url: DatabaseUrl) -> None:
        self.chaos = chaos
        self.random = random.Random(f"{chaos.seed} {name}")  # noqa: S311
        login = "claimdrift_migrator" if name.startswith("producer") else "claimdrift_worker"
        self._name = name
        self._url = url(login)
        self._database: Database | None = None

    def database(self) -> Database:
        if self._database is None:
            self._database = Database(psycopg2.connect(self._url))
            self._database.connection.autocommit = True
            self.chaos.pids.add(self._database.connection.info.backend_pid)
        return self._database

    def work(self, step: Callable[["Actor"], None], steps: int) -> None:
        for _ in range(steps):
            try:
                step(self)
                self.chaos.count(self._name.split()[0])
            except (psycopg2.Error, AssertionError) as error:
                self.chaos.count(self._outcome(error))
        self._disconnect()

    def _outcome(self, error: Exception) -> str:
        code = getattr(error, "pgcode", None)
        is_gone = self._database is None or self._database.connection.closed
        if code == "57P01" or (is_gone and code is None and isinstance(error, psycopg2.Error)):
            self._disconnect()
            return KILLED
        return code or repr(error)

    def _disconnect(self) -> None:
        if self._database:
            self.chaos.pids.discard(self._database.connection.info.backend_pid)
            self._database.connection.close()
        self._database = None

    def customer(self) -> Portfolio:
        return self.random.choice(self.chaos.portfolios)

    def alert_id(self, customer_id: int) -> int:
        """Some alert, mostly of the newest, whatever there are."""
        position = int(self.random.expovariate(0.7))
        rows = self.database().execute(
            "SELECT id FROM alert WHERE customer_id = %s ORDER BY id DESC OFFSET %s LIMIT 1",
            customer_id,
            position,
        )
        return int(rows[0][0]) if rows else 0


def insert_day(database: Database, portfolio: Portfolio, day: int, seed: int) -> None:
    """A day's claims of each group, as a week's rate has it."""
    for group in GROUPS:
        week = random.Random(f"{seed} {portfolio.slug[-1]} {group} {day // 7}")  # noqa: S311
        rate = week.choice(RATES)
        database.execute(
            """
            INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
                submitted_date, decided_date, outcome, first_decided_date, first_outcome, upload_id)
            SELECT %s, format('D%%s-%%s-%%s', %s, %s, n), %s, 'Aetna', '1', %s, d - 10, d, o, d, o,
                %s
            FROM generate_series(0, %s) AS n,
                LATERAL (VALUES (%s::date, CASE WHEN n < %s THEN 'DENIED' ELSE 'PAID' END))
                    AS v (d, o)
            """,
            portfolio.customer_id,
            group,
            day,
            portfolio.payer("Aetna"),
            portfolio.group(group),
            portfolio.upload_id,
            PER_DAY - 1,
            FIRST_DAY + timedelta(day - 1),
            round(rate * PER_DAY),
        )


def produce(actor: Actor) -> None:
    """Load the next day, in one transaction, then detect as of its end."""
    portfolio = actor.customer()
    day = actor.chaos.next_day(portfolio.customer_id)
    database = actor.database()
    database.execute("BEGIN")
    insert_day(database, portfolio, day, actor.chaos.seed)
    database.execute("COMMIT")
    detect(database, portfolio, day)


def detect(database: Database, portfolio: Portfolio, day: int) -> None:
    as_of = FIRST_DAY + timedelta(day)
    database.execute("SELECT drift.detect(%s, %s)", portfolio.customer_id, as_of)


def detect_again(actor: Actor) -> None:
    portfolio = actor.customer()
    back = actor.random.choice((0, 0, 0, 1, 5))
    today = actor.chaos.today(portfolio.customer_id)
    detect(actor.database(), portfolio, max(today - back, 0))


def move(name: str, arguments: str = "") -> Callable[[Actor], None]:
    def step(actor: Actor) -> None:
        customer_id = actor.customer().customer_id
        alert_id = actor.alert_id(customer_id)
        actor.database().execute(
            f"SELECT alerts.{name}(%s, %s, NULL{arguments})", customer_id, alert_id
        )

    return step


def judge(user_id: int) -> Callable[[Actor], None]:
    def step(actor: Actor) -> None:
        customer_id = actor.customer().customer_id
        verdict = actor.random.choice(("noise", "noise", "real", "needs_followup"))
        alert_id = actor.alert_id(customer_id)
        actor.database().execute(
            "SELECT alerts.judge(%s, %s, %s, %s)", customer_id, alert_id, user_id, verdict
        )

    return step


def prune(actor: Actor) -> None:
    actor.database().execute("SELECT maintenance.prune(interval '0', 100)")


def verify(actor: Actor) -> None:
    """Must be clean at any moment, not only at the end."""
    customer_ids = [portfolio.customer_id for portfolio in actor.chaos.portfolios]
    found = actor.database().execute(
        "SELECT * FROM maintenance.verify() WHERE customer_id = ANY(%s)", customer_ids
    )
    assert found == []


def kill_until_over(chaos: Chaos, superuser: Database) -> None:
    choices = random.Random(f"{chaos.seed} killer")  # noqa: S311
    while not chaos.is_over.wait(choices.uniform(0.02, 0.15)):
        if pids := sorted(chaos.pids):
            superuser.execute("SELECT pg_terminate_backend(%s)", choices.choice(pids))


@pytest.fixture
def portfolios(owner: Database, worker: Database) -> list[Portfolio]:
    """Two customers with a quiet past and a short cooldown, so that both its sides are met."""
    portfolios = []
    for _ in range(2):
        portfolio = Portfolio(owner, worker)
        portfolio.settings(cooldown_hours=72, baseline_days=84, guard_days=14)
        for group in GROUPS:
            start = FIRST_DAY - timedelta(120)
            portfolio.decide_period(start, FIRST_DAY, per_day=PER_DAY, rate=0.1, group=group)
        portfolios.append(portfolio)
    return portfolios


@pytest.fixture
def user_id(owner: Database, portfolios: list[Portfolio]) -> int:
    user_id: int = owner.value(
        "INSERT INTO \"user\" (email, password) VALUES (%s, '') RETURNING id",
        f"{portfolios[0].slug}@example.org",
    )
    return user_id


# All written anew here, apart from the functions that they judge. Once a user has declared a level
# normal, any drift is news: but not what that day's run finds, which still knew the former level.
LIVE_TWICE = """
    SELECT payer_id, cpt_group_id, metric, direction FROM alert
    WHERE customer_id = ANY(%s) AND status <> 'resolved'
    GROUP BY customer_id, payer_id, cpt_group_id, metric, direction HAVING count(*) > 1
"""
IN_COOLDOWN = """
    SELECT former.id, later.id FROM alert AS former JOIN alert AS later
        USING (customer_id, payer_id, cpt_group_id, metric, direction)
    WHERE customer_id = ANY(%s) AND former.id < later.id
        AND later.opened_as_of
            <= former.resolved_as_of + CASE WHEN former.new_normal THEN 0 ELSE 3 END
"""
# Whatever drifted since an identity's newest alert began its episode, its level tells.
LOST_ESCALATION = """
    SELECT a.id, a.level, a.peak_severity, e.id, e.severity
    FROM (
        SELECT DISTINCT ON (customer_id, payer_id, cpt_group_id, metric, direction)
            *, width_bucket(peak_severity, ARRAY[0.4, 0.7]) AS band
        FROM alert WHERE customer_id = ANY(%s)
        ORDER BY customer_id, payer_id, cpt_group_id, metric, direction, id DESC
    ) AS a
    JOIN drift_event AS e USING (customer_id, payer_id, cpt_group_id, metric, direction)
    WHERE NOT e.withdrawn AND e.current_end + 1 >= a.episode_as_of
        AND NOT (a.new_normal AND e.current_end + 1 <= a.resolved_as_of)
        AND (
            width_bucket(e.severity, ARRAY[0.4, 0.7]) > a.band
            OR a.level <> (ARRAY['info', 'warning', 'critical'])[1 + a.band]
        )
"""
UNSEEN = """
    SELECT e.id FROM drift_event AS e
    WHERE e.customer_id = ANY(%s) AND e.direction = 'up' AND NOT e.withdrawn AND e.may_open
        AND NOT EXISTS (
            SELECT FROM alert AS a
            WHERE (a.customer_id, a.payer_id, a.metric, a.direction)
                = (e.customer_id, e.payer_id, e.metric, e.direction)
                AND a.cpt_group_id IS NOT DISTINCT FROM e.cpt_group_id
                AND a.opened_as_of <= e.current_end + 1
        )
"""


def play(
    portfolios: list[Portfolio],
    user_id: int,
    database_url: DatabaseUrl,
    superuser: Database,
    *,
    seed: int,
    rounds: int,
) -> None:
    chaos = Chaos(portfolios, database_url, seed)
    killer = threading.Thread(target=kill_until_over, args=(chaos, superuser))
    killer.start()
    actors = [
        *[chaos.run(f"producer {n}", produce, rounds) for n in range(2)],
        *[chaos.run(f"detector {n}", detect_again, rounds) for n in range(2)],
        chaos.run("acknowledger", move("acknowledge"), 2 * rounds),
        chaos.run("resolver", move("resolve"), 2 * rounds),
        chaos.run("normaliser", move("resolve", ", NULL, true"), rounds // 8),
        chaos.run("reopener", move("reopen"), rounds),
        chaos.run("judge", judge(user_id), rounds),
        chaos.run("pruner", prune, rounds),
        chaos.run("verifier", verify, rounds // 16),
    ]
    for actor in actors:
        actor.join()
    chaos.is_over.set()
    killer.join()

    context = f"seed {seed}: {dict(chaos.outcomes)}"
    errors = {name for name in chaos.outcomes if name.isupper() or name == KILLED or "(" in name}
    assert errors <= EXPECTED_ERRORS, context
    # It was chaos, and work was done.
    assert chaos.outcomes[KILLED] > 0, context
    assert min(chaos.outcomes[name] for name in ("producer", "resolver", "acknowledger")) > 0
    assert_nothing_impossible(portfolios, context)

    # Who comes after it finds everything usable.
    for portfolio in portfolios:
        detect(portfolio.worker, portfolio, chaos.next_day(portfolio.customer_id))
    assert_nothing_impossible(portfolios, context)
    kinds = {kind for portfolio in portfolios for kind in portfolio.kinds()}
    assert kinds >= {"opened", "escalated", "acknowledged", "resolved", "reopened"}, context


def assert_nothing_impossible(portfolios: list[Portfolio], context: str) -> None:
    owner = portfolios[0].owner
    ids = [portfolio.customer_id for portfolio in portfolios]
    for query in (LIVE_TWICE, IN_COOLDOWN, LOST_ESCALATION, UNSEEN):
        assert owner.execute(query, ids) == [], context
    verified = owner.execute("SELECT * FROM maintenance.verify() WHERE customer_id = ANY(%s)", ids)
    assert verified == [], context


def test_chaos_breaks_nothing(
    portfolios: list[Portfolio], user_id: int, database_url: DatabaseUrl, connect: Connect
) -> None:
    superuser = Database(connect("postgres"))
    play(portfolios, user_id, database_url, superuser, seed=1, rounds=80)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_long_chaos_breaks_nothing(
    portfolios: list[Portfolio],
    user_id: int,
    database_url: DatabaseUrl,
    connect: Connect,
    seed: int,
) -> None:
    superuser = Database(connect("postgres"))
    play(portfolios, user_id, database_url, superuser, seed=seed, rounds=400)
