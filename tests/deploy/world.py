"""An installation of its own, in use: database, HAProxy, supervisord, customers, a receiver.

Everything lies in one directory, and nothing is left of it: no process, file or database.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import psycopg2

from tests.acceptance.delivering import shared_keys
from tests.conftest import SERVER
from tests.database import Database
from tests.deploy import findings
from tests.deploy.events import Book, Practice, Stream
from tests.deploy.findings import Expected
from tests.deploy.installation import OWN_DATABASE, Installation, alone, own_database
from tests.deploy.load import Answered, Load
from tests.deploy.releases import Release, first_release, next_release
from tests.deploy.rollout import Rollout
from tests.deploy.state import State, processes_of, state_of
from tests.webhooks.receiver import Receiver

# Until what was under way when a deploy ended has ended too, slow requests included.
SETTLE_SECONDS: Final = 4.0
LIMIT: Final = 60.0


class World:
    """A release that is live and used, and the deployer that is to replace it."""

    def __init__(
        self,
        installation: Installation,
        live: Release,
        practices: list[Practice],
        book: Book,
        databases: tuple[Database, Database],
    ) -> None:
        self.installation = installation
        self.live = live
        self.practices = practices
        self.book = book
        self.superuser, self.worker = databases
        self.load = Load(installation.port, [practice.client for practice in practices])
        self.stream = Stream(practices)
        self._numbers = iter(range(1, 1000))

    @property
    def victim(self) -> Practice:
        """The customer whose requests a release may fail that fails nobody else's."""
        return self.practices[1]

    def release(self, label: str) -> Release:
        """Another release, like the live one."""
        return next_release(self.live, f"{label}-{next(self._numbers)}")

    def state(self) -> State:
        return state_of(self.superuser, OWN_DATABASE)

    def says(self, condition: str) -> bool:
        """Whether the database finds that a condition holds."""
        return bool(self.superuser.value(f"SELECT {condition}"))

    def deploy(self, release: Release) -> list[str]:
        """Deploy a good release; findings."""
        return self.judge_good(self.installation.deployer.deploy(release))

    def judge_good(self, rollout: Rollout) -> list[str]:
        """What is wrong after a deploy that had to go well; its release is the live one then."""
        print(rollout)
        if rollout.code:
            return [f"{findings.EXIT}: {rollout.code}, not 0\n{rollout}"]
        former, self.live = self.live, rollout.release
        left = list(self._left_of(former))
        time.sleep(SETTLE_SECONDS)
        answers = self._answers(rollout)
        found = findings.examine_good(answers, rollout, former.name)
        return [*left, *found, *self._undelivered()]

    def roll_back(self, release: Release, expected: Expected) -> list[str]:
        """Deploy a bad release; findings."""
        before = self.state()
        return self.judge_bad(self.installation.deployer.deploy(release), before, expected)

    def judge_bad(self, rollout: Rollout, before: State, expected: Expected) -> list[str]:
        """What is wrong after a deploy that had to be rolled back."""
        print(rollout)
        found = [
            *findings.judge(rollout, expected),
            *findings.compare(before, self.state()),
            *self._left_of(rollout.release),
        ]
        time.sleep(SETTLE_SECONDS)
        answers = self._answers(rollout)
        found += findings.examine(answers, rollout, self.live.name, expected)
        if rollout.code == 0:
            self.live = rollout.release
        if expected.is_gated and (sent := self.book.sent.get(rollout.release.name)):
            found.append(f"{findings.WORK}: {len(sent)}")
        return [*found, *self._undelivered()]

    def _answers(self, rollout: Rollout) -> list[Answered]:
        """What clients got since it began; pytest shows the figures where a test fails."""
        answers = self.load.since(rollout.began)
        failed = [answer.ended for answer in answers if answer.has_failed]
        seconds = max(failed) - min(failed) if failed else 0.0
        print(f"{len(failed)} of {len(answers)} requests failed, within {seconds:.1f} s")
        return answers

    def _left_of(self, release: Release) -> Iterator[str]:
        """Processes that a release has left."""
        if left := processes_of(release.path):
            yield f"{findings.PROCESSES}: {left}"

    def _undelivered(self) -> Iterator[str]:
        """Of all that was accepted so far, what doesn't arrive."""
        accepted = set(self.stream.accepted)
        due = self._deliveries()
        deadline = time.monotonic() + LIMIT
        while (missing := due - set(self.book.receipts)) and time.monotonic() < deadline:
            time.sleep(0.1)
        if missing:
            yield f"{findings.EVENTS}: {len(missing)} of {len(due)} didn't arrive"
        if lost := accepted - {key.partition("/")[0] for key in due}:
            yield f"{findings.EVENTS}: {len(lost)} were accepted and are gone"
        if self.book.refused or self.stream.errors:
            yield f"{findings.EVENTS}: {self.book.refused[:3]}, {self.stream.errors[:3]}"

    def _deliveries(self) -> set[str]:
        """What is to arrive, in the receiver's words."""
        return {
            f"{message_id}/{slug}/{url[-1]}"
            for message_id, slug, url in self.worker.execute(
                "SELECT e.message_id, c.slug, w.url FROM webhook_delivery AS d"
                " JOIN webhook_event AS e ON e.customer_id = d.customer_id AND e.id = d.event_id"
                " JOIN webhook_endpoint AS w"
                " ON w.customer_id = d.customer_id AND w.id = d.endpoint_id"
                " JOIN customer AS c ON c.id = d.customer_id WHERE d.customer_id = ANY(%s)",
                [practice.customer_id for practice in self.practices],
            )
        }

    def come_to_rest(self) -> None:
        """No more requests and events."""
        self.load.stop()
        self.stream.stop()

    def reckon(self) -> list[str]:
        """Once load and events have stopped: whether all of it was done, and done once."""
        found = list(self._undelivered())
        if unexpected := set(self.book.receipts) - self._deliveries():
            found.append(f"{findings.EVENTS}: {len(unexpected)} arrived that nobody sent")
        # What is sent twice is an attempt that the worker that made it never finished.
        repeated = self.book.total - len(self.book.receipts)
        lost = self.worker.value("SELECT count(*) FROM webhook_attempt WHERE status_code IS NULL")
        if repeated > lost:
            found.append(f"{findings.EVENTS}: {repeated} came twice, {lost} attempts were lost")
        for practice in self.practices:
            sent = sum(
                answer.status == 202 and answer.client == practice.slug
                for answer in self.load.answers
            )
            if sent != (done := self._done(practice)):
                found.append(f"{findings.EVENTS}: {sent} files were accepted, {done} were loaded")
        return found

    def _done(self, practice: Practice) -> int:
        """How many files were loaded; waits for those that a job is there for."""
        deadline = time.monotonic() + LIMIT
        while True:
            [[loaded, waiting]] = self.worker.execute(
                "SELECT count(*) FILTER (WHERE u.status = 'completed'),"
                " count(*) FILTER (WHERE u.status = 'received' AND j.status IN ('todo', 'doing'))"
                " FROM upload AS u LEFT JOIN procrastinate_jobs AS j"
                " ON j.task_name = 'core.tasks.load_upload'"
                " AND (j.args ->> 'upload_id')::bigint = u.id"
                " WHERE u.customer_id = %s AND u.filename <> 'portfolio.csv'",
                practice.customer_id,
            )
            if not waiting or time.monotonic() > deadline:
                return int(loaded)
            time.sleep(0.1)


@contextmanager
def open_world() -> Iterator[World]:
    """An installation with its first release, in use until it is closed."""
    book = Book()
    with ExitStack() as stack:
        stack.enter_context(alone())
        stack.enter_context(own_database())
        # Short, since sockets lie in it; pytest keeps its own after the test.
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="claimdrift-")))
        stack.enter_context(shared_keys())
        receiver = stack.enter_context(Receiver(book))
        superuser, worker, owner = (
            Database(stack.enter_context(_connected(login)))
            for login in ("postgres", "claimdrift_worker", "claimdrift_migrator")
        )
        practices = [Practice(owner, worker, receiver, book) for _ in range(2)]
        installation = Installation(directory, receiver.port)
        first = first_release(installation.releases / "first")
        stack.enter_context(installation.supervised())
        rollout = installation.deployer.deploy(first)
        assert rollout.code == 0, f"{rollout}\n{installation.logs()}"
        world = World(installation, first, practices, book, (superuser, worker))
        with world.load, world.stream:
            yield world


@contextmanager
def _connected(login: str) -> Iterator[psycopg2.extensions.connection]:
    with closing(psycopg2.connect(SERVER.url(login, OWN_DATABASE))) as connection:
        connection.autocommit = True
        yield connection
