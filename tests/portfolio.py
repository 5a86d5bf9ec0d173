"""A customer of its own for each test, and claims written straight into its table."""

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from core.context import ENTER
from tests.database import Database

_numbers = itertools.count(1)

# All that detection and users write but for the run log.
WRITTEN = ("drift_measurement", "drift_event", "alert", "alert_transition", "alert_judgment")


@contextmanager
def as_tenant(web: Connection, customer_id: int, actor_id: int | None = None) -> Iterator[Database]:
    """One transaction of the web login as claimdrift_tenant, for one customer; rolled back."""
    web.autocommit = False
    try:
        database = Database(web)
        database.execute(ENTER, str(customer_id), "" if actor_id is None else str(actor_id))
        yield database
    finally:
        web.rollback()
        web.autocommit = True


class Portfolio:
    """One customer. Claims are inserted as the owner; everything else goes the real way."""

    def __init__(self, owner: Database, worker: Database, time_zone: str = "UTC") -> None:
        self.owner = owner
        self.worker = worker
        self.slug = f"practice-{os.getpid()}-{next(_numbers)}"
        self.customer_id: int = worker.value(
            "INSERT INTO customer (name, slug, time_zone) VALUES (%s, %s, %s) RETURNING id",
            f"Practice {self.slug}",
            self.slug,
            time_zone,
        )
        self.upload_id: int = owner.value(
            "INSERT INTO upload (customer_id, filename, sha256, size_bytes)"
            " VALUES (%s, 'portfolio.csv', repeat('0', 64), 0) RETURNING id",
            self.customer_id,
        )
        self._claims = itertools.count(1)
        self._ids: dict[tuple[str, str], int] = {}

    def settings(self, **changes: Any) -> None:
        """Change drift settings."""
        assignments = ", ".join(f"{column} = %s" for column in changes)
        self.worker.execute(
            f"UPDATE drift_settings SET {assignments} WHERE customer_id = %s",
            *changes.values(),
            self.customer_id,
        )

    def _id(self, table: str, name: str) -> int:
        if (table, name) not in self._ids:
            self._ids[table, name] = self.owner.value(
                f"INSERT INTO {table} (customer_id, name) VALUES (%s, %s) RETURNING id",
                self.customer_id,
                name,
            )
        return self._ids[table, name]

    def payer(self, name: str) -> int:
        return self._id("payer", name)

    def group(self, name: str) -> int:
        return self._id("cpt_group", name)

    def decide(
        self,
        on: date,
        *,
        denied: int = 0,
        paid: int = 0,
        days: int = 10,
        payer: str = "Aetna",
        group: str = "99213",
    ) -> None:
        """Insert claims that `payer` decided `on` a day, `days` after their submission."""
        self.owner.execute(
            """
            INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
                submitted_date, decided_date, outcome, first_decided_date, first_outcome, upload_id)
            SELECT %s, 'C' || %s + n, %s, %s, %s, %s, %s, %s, o, %s, o, %s
            FROM generate_series(0, %s - 1) AS n,
                LATERAL (VALUES (CASE WHEN n < %s THEN 'DENIED' ELSE 'PAID' END)) AS v (o)
            """,
            self.customer_id,
            next(self._claims) * 1_000_000,
            self.payer(payer),
            payer,
            group,
            self.group(group),
            on - timedelta(days=days),
            on,
            on,
            self.upload_id,
            denied + paid,
            denied,
        )

    def decide_period(
        self,
        start: date,
        end: date,
        *,
        per_day: int,
        rate: float,
        days: int = 10,
        payer: str = "Aetna",
        group: str = "99213",
    ) -> None:
        """Decide `per_day` claims each day from `start` up to, without, `end`.

        Denials are spread evenly, so that every window has `rate` of them as exactly as whole
        claims allow: no randomness, no flaky test.
        """
        self.owner.execute(
            """
            INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
                submitted_date, decided_date, outcome, first_decided_date, first_outcome, upload_id)
            SELECT %s, 'C' || %s + n, %s, %s, %s, %s, d - %s, d, o, d, o, %s
            FROM generate_series(0, (%s::date - %s::date) * %s - 1) AS n,
                LATERAL (VALUES (
                    %s::date + n / %s,
                    CASE WHEN floor((n + 1) * %s + 1e-9) > floor(n * %s + 1e-9)
                        THEN 'DENIED' ELSE 'PAID' END
                )) AS v (d, o)
            """,
            self.customer_id,
            next(self._claims) * 1_000_000,
            self.payer(payer),
            payer,
            group,
            self.group(group),
            days,
            self.upload_id,
            end,
            start,
            per_day,
            start,
            per_day,
            rate,
            rate,
        )

    def decide_lines(self, lines: dict[tuple[int, int, date, int, bool], int]) -> None:
        """Insert claims: (payer id, group id, decided, days, denied) and how many of each."""
        self.owner.execute(
            """
            INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
                submitted_date, decided_date, outcome, first_decided_date, first_outcome, upload_id)
            SELECT %s, 'C' || %s + row_number() OVER (), payer, 'payer', '99213', cpt_group,
                decided - days, decided, o, decided, o, %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::int[], %s::bool[], %s::int[])
                    AS u (payer, cpt_group, decided, days, denied, lines),
                generate_series(1, lines),
                LATERAL (VALUES (CASE WHEN denied THEN 'DENIED' ELSE 'PAID' END)) AS v (o)
            """,
            self.customer_id,
            next(self._claims) * 1_000_000,
            self.upload_id,
            *([key[column] for key in lines] for column in range(5)),
            list(lines.values()),
        )

    def decide_steps(
        self,
        start: date,
        steps: list[tuple[date, float]],
        *,
        per_day: int = 10,
        days: int = 10,
        payer: str = "Aetna",
        group: str = "99213",
    ) -> None:
        """Decide from `start` on with rates that last up to, without, each date."""
        for end, rate in steps:
            self.decide_period(
                start, end, per_day=per_day, rate=rate, days=days, payer=payer, group=group
            )
            start = end

    def detect(self, as_of: date, trigger: str = "manual") -> int:
        """Run detection as the worker does."""
        run_id: int = self.worker.value(
            "SELECT drift.detect(p_customer_id => %s, p_as_of => %s, p_trigger => %s)",
            self.customer_id,
            as_of,
            trigger,
        )
        return run_id

    def detect_weekly(self, start: date, end: date) -> None:
        """Run detection on `start` and every seventh day up to and with `end`."""
        for days in range(0, (end - start).days + 1, 7):
            self.detect(start + timedelta(days))

    def measure(self, as_of: date) -> list[dict[str, Any]]:
        """What detection would measure."""
        return self.worker.dicts(
            "SELECT * FROM drift.measure(p_customer_id => %s, p_as_of => %s)",
            self.customer_id,
            as_of,
        )

    def measured(
        self, as_of: date, metric: str = "DENIAL_RATE", payer: str = "Aetna", group: str = "99213"
    ) -> dict[str, Any]:
        """The measurement of one group and metric."""
        key = (self.payer(payer), self.group(group), metric)
        [row] = [
            row
            for row in self.measure(as_of)
            if (row["payer_id"], row["cpt_group_id"], row["metric"]) == key
        ]
        return row

    def user(self) -> int:
        """A new user."""
        user_id: int = self.worker.value(
            'INSERT INTO "user" (email, password) VALUES (%s, %s) RETURNING id',
            f"user-{os.getpid()}-{next(_numbers)}@example.org",
            "!",
        )
        return user_id

    def rule(self, name: str, **columns: Any) -> int:
        """Add an alert rule."""
        names = ["customer_id", "name", *columns]
        rule_id: int = self.worker.value(
            f"INSERT INTO alert_rule ({', '.join(names)})"
            f" VALUES ({', '.join(['%s'] * len(names))}) RETURNING id",
            self.customer_id,
            name,
            *columns.values(),
        )
        return rule_id

    def default_rule(self) -> int:
        """The rule that every customer is born with."""
        [rule] = [row for row in self.rows("alert_rule") if row["name"] == "Any worsening"]
        rule_id: int = rule["id"]
        return rule_id

    def edit_rule(self, rule_id: int, **changes: Any) -> None:
        """Change an alert rule."""
        assignments = ", ".join(f"{column} = %s" for column in changes)
        self.worker.execute(
            f"UPDATE alert_rule SET {assignments} WHERE customer_id = %s AND id = %s",
            *changes.values(),
            self.customer_id,
            rule_id,
        )

    def _move(self, function: str, alert_id: int | None, **arguments: Any) -> int:
        arguments = {"p_actor_id": None, **arguments}
        named = "".join(f", {name} => %s" for name in arguments)
        version: int = self.worker.value(
            f"SELECT alerts.{function}(p_customer_id => %s, p_alert_id => %s{named})",
            self.customer_id,
            self.alert()["id"] if alert_id is None else alert_id,
            *arguments.values(),
        )
        return version

    def acknowledge(self, alert_id: int | None = None, **arguments: Any) -> int:
        """Acknowledge an alert (by default the only one) as a user."""
        return self._move("acknowledge", alert_id, **arguments)

    def resolve(self, alert_id: int | None = None, **arguments: Any) -> int:
        """Resolve an alert (by default the only one) as a user."""
        return self._move("resolve", alert_id, **arguments)

    def reopen(self, alert_id: int | None = None, **arguments: Any) -> int:
        """Reopen an alert (by default the only one) as a user."""
        return self._move("reopen", alert_id, **arguments)

    def judge(self, alert_id: int, user_id: int | None, verdict: str | None, **more: Any) -> int:
        """Say what an alert was worth."""
        named = "".join(f", {name} => %s" for name in more)
        judgment_id: int = self.worker.value(
            "SELECT alerts.judge(p_customer_id => %s, p_alert_id => %s, p_user_id => %s,"
            f" p_verdict => %s{named})",
            self.customer_id,
            alert_id,
            user_id,
            verdict,
            *more.values(),
        )
        return judgment_id

    def snapshot(self, tables: Iterable[str] = WRITTEN) -> dict[str, list[dict[str, Any]]]:
        """All that detection and users wrote, every column, but for the run log."""
        return {table: self.rows(table) for table in tables}

    def rows(self, table: str, order_by: str = "id") -> list[dict[str, Any]]:
        """All rows of a table that belong to this customer."""
        return self.owner.dicts(
            f"SELECT * FROM {table} WHERE customer_id = %s ORDER BY {order_by}", self.customer_id
        )

    def alert(self) -> dict[str, Any]:
        """The one alert there is."""
        [alert] = self.rows("alert")
        return alert

    def kinds(self) -> list[str]:
        """The kinds of all transitions, in order."""
        return [row["kind"] for row in self.rows("alert_transition")]
