"""Time webhooks: one real worker process, a receiver in another, commits that are durable.

    python -m perf.webhook_bench [--quick] [--profile FILE]

Throughput: a backlog for 20 endpoints of 4 customers, whose receiver answers at once or after
100 ms; deliveries a second between the first and the last tenth, and the CPU time that the worker
and PostgreSQL spend on each. Latency: one event at a time, from just before its COMMIT to the
request at the receiver. Isolation: the same while another customer's endpoint hangs and thousands
wait for it. Bars: 200 deliveries a second, half of all within 50 ms when nothing else goes on, and
a 95th percentile that a neighbour at most doubles. Exit 1 when one is missed. With --profile the
backlog is delivered once more by a worker under cProfile, which is for `python -m pstats FILE`.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
os.environ["CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK"] = "true"

from django.conf import settings
from psycopg2.extensions import connection as Connection

from core.webhooks import secrets
from perf.bench import BenchDatabase, run, save

CUSTOMERS, ENDPOINTS, PORTS = 4, 5, 4  # endpoints of each customer
BAR_PER_SECOND = 200
BAR_IDLE_MS = 50.0
BAR_NEIGHBOUR = 2.0  # times the 95th percentile without
LIMIT_SECONDS: Final = 180.0

# The size of what is sent for an alert.
ADD_EVENTS = """
    INSERT INTO webhook_event (customer_id, type, payload, message_id, dedup_key)
    SELECT
        c, 'alert.opened',
        webhooks.payload('alert.opened', clock_timestamp(), jsonb_build_object(
            'alert_id', n, 'version', 1, 'status', 'open', 'level', 'warning', 'severity', 0.467,
            'metric', 'DENIAL_RATE', 'direction', 'up', 'as_of', current_date,
            'payer', '{"id": 1, "name": "UnitedHealthcare"}'::jsonb,
            'cpt_group', '{"id": 1, "name": "Office visit"}'::jsonb, 'opened_as_of', current_date,
            'baseline_value', 0.11868, 'current_value', 0.25714, 'delta', 0.13846,
            'baseline_n', 1820, 'current_n', 140, 'resolved_by', NULL, 'link', '/api/v1/alerts/1'
        )),
        webhooks.new_message_id(), uuidv7()::text
    FROM unnest(%s::bigint[]) AS c, generate_series(1, %s) AS n
    RETURNING message_id
"""


@dataclass
class Process:
    """What /proc says of one."""

    pid: int

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far, as user and in the kernel, with children that have ended."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        user, system, *ended = map(int, stat.rpartition(")")[2].split()[11:15])
        ticks = os.sysconf("SC_CLK_TCK")
        return (user + ended[0]) / ticks, (system + ended[1]) / ticks

    def parent(self) -> "Process":
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        return Process(int(stat.rpartition(")")[2].split()[1]))

    def children(self) -> list["Process"]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="utf-8")
        return [Process(int(pid)) for pid in children.split()]

    def megabytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


@dataclass
class Receiver:
    """The receiver's process."""

    process: "subprocess.Popen[str]"
    ports: Sequence[str]

    def get(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.ports[0]}/{path}", timeout=30) as answer:
            return json.load(answer)

    def url(self, number: int, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.ports[number % len(self.ports)]}/{behaviour}/{number}"


@contextmanager
def receiving() -> Iterator[Receiver]:
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-m", "perf.webhook_receiver", str(PORTS)],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield Receiver(process, process.stdout.readline().split())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def working(database: BenchDatabase, profile: str | None = None) -> Iterator[Process]:
    """A worker process, told to end at the end."""
    command = [str(settings.BASE_DIR / "manage.py"), "procrastinate", "worker"]
    if profile:
        command = ["-m", "cProfile", "-o", profile, *command]
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, *command],
        env={**os.environ, "DATABASE_URL": database.url("claimdrift_worker")},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Process(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


class Bench:
    """The database, the receiver, and what is measured with them."""

    def __init__(self, database: BenchDatabase, receiver: Receiver) -> None:
        self.database = database
        self.receiver = receiver
        self.owner: Connection = database.connect("claimdrift_migrator")
        self.worker: Connection = database.connect("claimdrift_worker")
        for setting in ("synchronous_commit", "fsync"):
            assert run(self.worker, f"SHOW {setting}") == [("on",)]
        [[backend]] = run(self.owner, "SELECT pg_backend_pid()")
        self.server = Process(backend).parent()
        self.endpoints = 0

    def customer(self, name: str, endpoints: int, behaviour: str) -> int:
        """A customer with so many endpoints."""
        [[customer_id]] = run(
            self.worker,
            "INSERT INTO customer (name, slug) VALUES (%s, %s) RETURNING id",
            name,
            name,
        )
        for _ in range(endpoints):
            secret = secrets.create(customer_id=customer_id)
            run(
                self.worker,
                "SELECT webhooks.create_endpoint(%s, %s, NULL, NULL, NULL, %s, %s)",
                customer_id,
                self.receiver.url(self.endpoints, behaviour),
                secret.ciphertext,
                secret.key_id,
            )
            self.endpoints += 1
        return int(customer_id)

    def server_cpu(self) -> float:
        """CPU seconds of PostgreSQL so far, backends that have ended included."""
        return sum(self.server.cpu()) + sum(sum(child.cpu()) for child in self.server.children())

    def wait_for_answers(self, count: int) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while (answered := self.receiver.get("count")) < count:
            assert time.monotonic() < deadline, f"{answered} of {count} answered"
            time.sleep(0.02)

    def throughput(self, delay_ms: int, events: int, profile: str | None = None) -> dict[str, Any]:
        """A backlog of so many events for each customer, delivered by one worker."""
        prefix = f"{'profile' if profile else 'load'}-{delay_ms}"
        customers = [
            self.customer(f"{prefix}-{n}", ENDPOINTS, str(delay_ms)) for n in range(CUSTOMERS)
        ]
        deliveries = events * CUSTOMERS * ENDPOINTS
        # One customer after the other, as their detection would.
        for customer in customers:
            run(self.owner, ADD_EVENTS, [customer], events)
        run(self.owner, "ANALYZE webhook_event, webhook_delivery, procrastinate_jobs")
        self.receiver.get("take")
        before = self.receiver.get("count")
        with working(self.database, profile) as worker:
            self.wait_for_answers(before + deliveries // 10)
            began, cpu, server = time.monotonic(), worker.cpu(), self.server_cpu()
            first = self.receiver.get("count")
            self.wait_for_answers(before + deliveries * 9 // 10)
            last = self.receiver.get("count")
            took, now = time.monotonic() - began, worker.cpu()
            server = self.server_cpu() - server
            memory = worker.megabytes()
            self.wait_for_answers(before + deliveries)
        came = [(path, message) for path, message, _ in self.receiver.get("take")]
        assert len(came) == len(set(came)) == deliveries, "each was sent once"
        [[delivered]] = run(
            self.owner,
            "SELECT count(*) FROM webhook_delivery"
            " WHERE customer_id = ANY(%s) AND status = 'delivered' AND attempts = 1",
            customers,
        )
        assert delivered == deliveries, "and is known to have arrived"
        user, system = (then - former for then, former in zip(now, cpu, strict=True))
        return {
            "what": f"backlog, answered after {delay_ms} ms",
            "deliveries": deliveries,
            "per_s": round((last - first) / took),
            "worker_cpu_ms": round((user + system) / (last - first) * 1000, 2),
            "of_it_system_ms": round(system / (last - first) * 1000, 2),
            "postgres_cpu_ms": round(server / (last - first) * 1000, 2),
            "worker_mb": memory,
        }

    def latency(self, what: str, customer: int, samples: int) -> dict[str, Any]:
        """One event after the other, each once the one before has arrived."""
        draw = random.Random(5)  # noqa: S311 (pauses)
        times: list[float] = []
        self.owner.autocommit = False
        for _ in range(samples):
            time.sleep(draw.uniform(0.02, 0.06))
            [[message_id]] = run(self.owner, ADD_EVENTS, [customer], 1)
            committed = time.monotonic()
            self.owner.commit()
            times.append(self._arrival(message_id) - committed)
        self.owner.autocommit = True
        p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
        return {
            "what": what,
            "events": samples,
            "p50_ms": round(statistics.median(times) * 1000, 1),
            "p95_ms": round(p95 * 1000, 1),
            "max_ms": round(max(times) * 1000, 1),
        }

    def _arrival(self, message_id: str) -> float:
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            for _, found, at in self.receiver.get("take"):
                if found == message_id:
                    return float(at)
            time.sleep(0.005)
        raise AssertionError(f"{message_id} didn't arrive")

    def latencies(self, samples: int, backlog: int) -> list[dict[str, Any]]:
        """Of a customer with one endpoint: alone, and beside one whose endpoint hangs."""
        customer = self.customer("quiet", 1, "0")
        neighbour = self.customer("hanging", 1, "hang")
        with working(self.database):
            self.latency("warm-up", customer, 10)
            rows = [self.latency("nothing else to do", customer, samples)]
            run(self.owner, ADD_EVENTS, [neighbour], backlog)
            rows.append(
                self.latency(f"a neighbour hangs, {backlog} wait for it", customer, samples)
            )
            [[waiting]] = run(
                self.owner,
                "SELECT count(*) FROM webhook_delivery"
                " WHERE customer_id = %s AND status = 'pending'",
                neighbour,
            )
            assert waiting == backlog, "none of them arrived"
            self.receiver.process.kill()  # or the worker would wait for its answers
        return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the volumes, no bars")
    parser.add_argument("--profile", metavar="FILE", help="and a profile of the worker")
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    database = BenchDatabase("perf_webhooks")
    try:
        with receiving() as receiver:
            bench = Bench(database, receiver)
            backlogs = [bench.throughput(delay, 250 // scale) for delay in (0, 100)]
            if options.profile:
                profiled = bench.throughput(0, 100, str(Path(options.profile).resolve()))
                print(f"under cProfile: {profiled}")
            latencies = bench.latencies(200 // scale, 5000 // scale)
    finally:
        database.close()
    idle, beside = latencies
    neighbour = round(beside["p95_ms"] / idle["p95_ms"], 2)
    save(
        "webhooks",
        backlogs,
        keep=not options.quick,
        latencies=latencies,
        neighbour=neighbour,
        bars={
            "per_s": BAR_PER_SECOND,
            "idle_p50_ms": BAR_IDLE_MS,
            "neighbour": BAR_NEIGHBOUR,
        },
    )
    for row in latencies:
        print(row)
    print(f"the 95th percentile beside the neighbour: {neighbour} times that alone")
    if options.quick:
        return 0
    bars = {
        f"{BAR_PER_SECOND} deliveries/s": all(r["per_s"] >= BAR_PER_SECOND for r in backlogs),
        f"half within {BAR_IDLE_MS:g} ms": idle["p50_ms"] < BAR_IDLE_MS,
        f"a neighbour costs at most {BAR_NEIGHBOUR:g} times": neighbour <= BAR_NEIGHBOUR,
    }
    missed = [name for name, held in bars.items() if not held]
    for name in missed:
        print(f"missed: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
