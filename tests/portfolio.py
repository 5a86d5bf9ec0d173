"""A customer of its own for each test, and claims written straight into its table."""

import itertools
import os
from datetime import date, timedelta
from typing import Any

from tests.database import Database

_numbers = itertools.count(1)


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

    def detect(self, as_of: date, trigger: str = "manual") -> int:
        """Run detection as the worker does."""
        run_id: int = self.worker.value(
            "SELECT drift.detect(p_customer_id => %s, p_as_of => %s, p_trigger => %s)",
            self.customer_id,
            as_of,
            trigger,
        )
        return run_id

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
