"""A customer of the simulated worlds, in the real tables and detected by the real functions."""

import io
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg2.extensions import connection as Connection

from perf.bench import run
from perf.worlds import CPT_GROUPS, PAYERS, Integers, Lines

START = date(2024, 1, 1)  # day 0, a Monday
# What detection writes and reads again.
WRITTEN = ("alert", "drift_event", "drift_measurement")


@dataclass(frozen=True)
class Episode:
    """An alert from its opening, or reopening, to its end (None: it lives); in days from START."""

    group: int | None  # None: the payer as a whole
    metric: str
    direction: str
    opened: int
    closed: int | None


class Tenant:
    """One customer. Claims are written as the owner; detection runs as the worker.

    In long trials that are undone autovacuum sees none of the alerts and measurements, so that
    plans stay what they were for none; with `analyze` the worker, which needs the right, looks.
    """

    _numbers = itertools.count(1)

    def __init__(self, owner: Connection, worker: Connection, *, analyze: bool = False) -> None:
        self.owner = owner
        self.worker = worker
        self.analyze = analyze
        name = f"world-{os.getpid()}-{next(self._numbers)}"
        [[self.id]] = run(
            owner, "INSERT INTO customer (name, slug) VALUES (%s, %s) RETURNING id", name, name
        )
        self.payers = self._name("payer", PAYERS)
        self.cpt_groups = self._name("cpt_group", CPT_GROUPS)
        [[self.upload]] = run(
            owner,
            "INSERT INTO upload (customer_id, filename, sha256, size_bytes)"
            " VALUES (%s, 'world.csv', repeat('0', 64), 0) RETURNING id",
            self.id,
        )
        self._written = 0

    def _name(self, table: str, count: int) -> list[int]:
        rows = run(
            self.owner,
            f"INSERT INTO {table} (customer_id, name) SELECT %s, 'No. ' || n"
            " FROM generate_series(1, %s) AS n ORDER BY n RETURNING id",
            self.id,
            count,
        )
        return [row[0] for row in rows]

    def write(self, lines: Lines) -> None:
        """Insert the lines into `claim`."""
        columns = (lines.group.tolist(), lines.day.tolist(), lines.delay.tolist(), lines.denied)
        rows = "".join(f"{g}\t{d}\t{n}\t{x:d}\n" for g, d, n, x in zip(*columns, strict=True))
        run(self.owner, "CREATE TEMP TABLE line (cell int, day int, delay int, denied int)")
        with self.owner.cursor() as cursor:
            cursor.copy_expert("COPY line FROM STDIN", io.StringIO(rows))
        run(
            self.owner,
            """
            INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
                submitted_date, decided_date, outcome, first_decided_date, first_outcome, upload_id)
            SELECT %s, 'C' || %s + row_number() OVER (), (%s::bigint[])[1 + cell / %s], 'Payer',
                '99213', (%s::bigint[])[1 + cell %% %s], decided - delay, decided, o, decided, o, %s
            FROM line, LATERAL (
                VALUES (%s::date + day, CASE denied WHEN 1 THEN 'DENIED' ELSE 'PAID' END)
            ) AS v (decided, o)
            """,
            self.id,
            1_000_000_000 + self._written,
            self.payers,
            CPT_GROUPS,
            self.cpt_groups,
            CPT_GROUPS,
            self.upload,
            START,
        )
        run(self.owner, "DROP TABLE line")
        self._written += len(lines.day)

    def rewrite(self, lines: Lines, groups: Integers, first: int, last: int) -> None:
        """Replace what was decided for `groups` from day `first` to `last` by the lines."""
        run(
            self.owner,
            """
            DELETE FROM claim
            WHERE customer_id = %s AND first_decided_date BETWEEN %s AND %s
                AND (payer_id, cpt_group_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
            """,
            self.id,
            START + timedelta(first),
            START + timedelta(last),
            [self.payers[g // CPT_GROUPS] for g in groups],
            [self.cpt_groups[g % CPT_GROUPS] for g in groups],
        )
        self.write(lines)

    def vacuum(self) -> None:
        """What autovacuum would do in time: detection then reads nothing but the index."""
        run(self.owner, "VACUUM (ANALYZE) claim")

    @contextmanager
    def undone(self, method: str = "significance") -> Iterator[None]:
        """Detect by a method as long as it lasts, and then let it never have happened."""
        self.worker.autocommit = False
        try:
            run(
                self.worker,
                "UPDATE drift_settings SET method = %s WHERE customer_id = %s",
                method,
                self.id,
            )
            yield
        finally:
            self.worker.rollback()
            self.worker.autocommit = True

    def detect(self, days: Iterable[int]) -> None:
        """Run detection on each of the days."""
        for number, day in enumerate(days, 1):
            run(self.worker, "SELECT drift.detect(%s, %s)", self.id, START + timedelta(day))
            if self.analyze and number.bit_count() == 1:  # whenever their number has doubled
                run(self.worker, f"ANALYZE {', '.join(WRITTEN)}")

    def drifted(self, day: int) -> list[tuple[str, str]]:
        """Metric and direction of all that drift.measure calls drifted."""
        return run(
            self.worker,
            "SELECT metric, direction FROM drift.measure(%s, %s) WHERE drifted",
            self.id,
            START + timedelta(day),
        )

    def episodes(self) -> list[Episode]:
        """All that ever was alerted, in order."""
        rows = run(
            self.worker,
            """
            SELECT a.payer_id, a.cpt_group_id, a.metric, a.direction, t.as_of - %s,
                (SELECT min(e.as_of) FROM alert_transition AS e
                WHERE e.customer_id = t.customer_id AND e.alert_id = t.alert_id
                    AND e.version > t.version AND e.to_status = 'resolved') - %s
            FROM alert_transition AS t
            JOIN alert AS a ON a.customer_id = t.customer_id AND a.id = t.alert_id
            WHERE t.customer_id = %s AND t.kind IN ('opened', 'reopened')
            ORDER BY t.as_of, t.id
            """,
            START,
            START,
            self.id,
        )
        payer, cpt_group = (
            {identity: n for n, identity in enumerate(ids)}
            for ids in (self.payers, self.cpt_groups)
        )
        return [Episode(g and payer[p] * CPT_GROUPS + cpt_group[g], *rest) for p, g, *rest in rows]
