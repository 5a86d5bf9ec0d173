"""Time writers and readers while a busy table gets a unique key, and lose it again.

    python -m perf.migration_bench [--quick]

1M rows, each twentieth a duplicate, 4 writers and 2 readers (perf/ledger). For each phase of the
recipe in docs/migrations.md, forwards and backwards, each a `manage.py migrate` of its own: the
longest insert and read while it ran, beside the longest with nothing going on, and beside what
Django's own AddConstraint does on the same table once its duplicates are gone. Then index and
constraint, phases and AddConstraint alike, behind a transaction that has written and stays open for
8 seconds. Bars: no phase's longest insert or read above half of AddConstraint's, or above one and a
half times what it takes with nothing going on (reads scan the table where it has no index on the
key); behind the transaction not above a quarter, which is what lock_timeout is for. What is wrong
with the rows in the end, if anything, is an error. Exit 1 when a bar is missed.
"""

import argparse
import os
import sys
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

from django.conf import settings

from core.embedded import EmbeddedServer
from perf.bench import save
from perf.ledger.database import Ledger, faults
from perf.ledger.key import KEY
from perf.ledger.traffic import Traffic

ROWS = 1_000_000
BEHIND_SECONDS = 8.0
IDLE_SECONDS = 10.0
BAR_ALONE = 0.5  # of AddConstraint
BAR_BEHIND = 0.25
BAR_IDLE = 1.5  # of nothing
WRITE = "UPDATE ledger_entry SET amount = amount WHERE id = 1"
PHASES = {
    "0002": "plain index",
    "0003": "guard",
    "0004": "archive",
    "0005": "unique index",
    "0006": "constraint",
    "0007": "unguard",
    "0008": "drop plain index",
}
NAIVE = f"ALTER TABLE ledger_entry ADD CONSTRAINT {KEY.name} UNIQUE (customer_id, number)"


class Measurement:
    """What the traffic waited for, step by step."""

    def __init__(self, ledger: Ledger, traffic: Traffic) -> None:
        self.ledger, self.traffic = ledger, traffic
        self.rows: list[dict[str, Any]] = []

    def step(self, name: str, work: Any, *, behind: float = 0.0) -> None:
        """Do it, behind a transaction that has written if `behind` seconds are given."""
        self.traffic.longest_ms()
        start = time.perf_counter()
        if behind:
            with self.ledger.transaction(WRITE, behind):
                ended = work(wait=False)
            ended()
        else:
            work(wait=True)
        seconds = time.perf_counter() - start
        # What waited until the end is noted when it is through.
        time.sleep(0.5)
        longest = self.traffic.longest_ms()
        self.rows.append(
            {
                "step": name,
                "behind_s": behind,
                "seconds": round(seconds, 1),
                "longest_insert_ms": longest["insert"],
                "longest_read_ms": longest["read"],
            }
        )

    def migrate(self, target: str, name: str, *, behind: float = 0.0) -> None:
        def work(*, wait: bool) -> Any:
            if wait:
                return self.ledger.migrate(target)
            process = self.ledger.start(target)

            def ended() -> None:
                output, _ = process.communicate()
                assert process.returncode == 0, output

            return ended

        self.step(name, work, behind=behind)

    def naive(self, *, behind: float = 0.0) -> None:
        """Django's AddConstraint, without the time that its process takes to start."""

        def work(*, wait: bool) -> Any:
            if wait:
                return self.ledger.run(NAIVE)
            process = self.ledger.statement(NAIVE)
            return process.join

        self.step("AddConstraint", work, behind=behind)
        self.ledger.run(f"ALTER TABLE ledger_entry DROP CONSTRAINT {KEY.name}")


def measure(ledger: Ledger, traffic: Traffic) -> list[dict[str, Any]]:
    taken = Measurement(ledger, traffic)

    def idle(*, wait: bool) -> None:
        time.sleep(IDLE_SECONDS)

    time.sleep(2)
    taken.step("nothing", idle)
    for target, name in PHASES.items():
        taken.migrate(target, name)
    names = list(PHASES)
    for target in reversed(names[2:-1]):
        taken.migrate(target, f"{PHASES[names[names.index(target) + 1]]}, backwards")
    taken.naive()
    taken.naive(behind=BEHIND_SECONDS)
    taken.migrate("0005", PHASES["0005"], behind=BEHIND_SECONDS)
    taken.migrate("0006", PHASES["0006"], behind=BEHIND_SECONDS)
    taken.migrate("0005", f"{PHASES['0006']}, backwards", behind=BEHIND_SECONDS)
    ledger.migrate("0004")
    taken.migrate("0003", f"{PHASES['0004']}, backwards")
    taken.migrate("0002", f"{PHASES['0003']}, backwards")
    taken.migrate("0001", f"{PHASES['0002']}, backwards")
    return taken.rows


def ratios(rows: list[dict[str, Any]]) -> list[str]:
    """Give each row its shares of AddConstraint's; the bars that were missed."""
    naive = {row["behind_s"]: row for row in rows if row["step"] == "AddConstraint"}
    [idle] = [row for row in rows if row["step"] == "nothing"]
    missed = []
    for row in rows:
        bar = BAR_BEHIND if row["behind_s"] else BAR_ALONE
        for kind in ("insert", "read"):
            key = f"longest_{kind}_ms"
            share = round(row[key] / naive[row["behind_s"]][key], 3)
            row[f"{kind}_to_add_constraint"] = share
            is_slow = share > bar and row[key] > BAR_IDLE * idle[key]
            if is_slow and row["step"] != "AddConstraint":
                missed.append(f"{row['step']}, {kind}: {share:g} of AddConstraint's, not {bar:g}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the volumes, no bars")
    scale = 10 if parser.parse_args().quick else 1
    server = EmbeddedServer.for_clone(settings.BASE_DIR)
    started = server.start()
    ledger = Ledger(server, "perf_migration")
    try:
        numbers = ledger.fill(ROWS // scale)
        with Traffic(ledger.connect, numbers=numbers) as traffic:
            rows = measure(ledger, traffic)
        wrong = faults(ledger, traffic)
        count = dict(traffic.count)
    finally:
        ledger.close()
        if started:
            server.stop()
    missed = ratios(rows)
    save(
        "migration",
        rows,
        keep=scale == 1,
        table_rows=ROWS // scale,
        duplicates=ROWS // scale // 20,
        lock_timeout_ms=settings.MIGRATE_LOCK_TIMEOUT,
        traffic=count,
        faults=wrong,
        bars={"alone": BAR_ALONE, "behind": BAR_BEHIND, "idle": BAR_IDLE},
    )
    if wrong:
        missed.insert(0, f"a ledger without faults: {wrong}")
    elif scale > 1:
        return 0
    for bar in missed:
        print(f"missed: {bar}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
