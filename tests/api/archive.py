"""A customer with something of everything, so that each filter has what to choose from.

Rows are written straight into the tables, in more variety than a history of claims would bring
about. Values repeat, for ties, and nullable columns are null here and there.
"""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.models.webhooks import EventType
from tests.api.client import Office
from tests.database import Database

DAY = date(2026, 3, 1)
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
# What LIKE, SQL, URLs and JSON each find special, and what they don't.
NAMES = (
    "100% Health", "1000 Health", "Under_Score", "UnderxScore", "Back\\slash", "O'Brien; DROP",
    'Quoted "Q"', "Größe & Söhne", "plain one", "plain two", "Tab (x) [y] {z}", "a.b*c?d+e^f$g|h",
)  # fmt: skip
METRICS = ("DENIAL_RATE", "DECISION_DAYS", "SILENCE")
LEVELS = ("info", "warning", "critical")


def insert(database: Database, table: str, rows: list[dict[str, Any]]) -> list[int]:
    """Insert rows, all with the same columns; their ids."""
    columns = ", ".join(f'"{name}"' for name in rows[0])
    values = ", ".join(f"({', '.join(['%s'] * len(row))})" for row in rows)
    parameters = [value for row in rows for value in row.values()]
    sql = f"INSERT INTO {table} ({columns}) VALUES {values} RETURNING id"
    return [row[0] for row in database.execute(sql, *parameters)]


class Archive(Office):
    """The customer. `parents` are the objects whose nested lists have rows."""

    def __init__(self, owner: Database, worker: Database) -> None:
        super().__init__(owner, worker)
        self._random = random.Random(20261124)  # noqa: S311
        self.people = [self.join(("member", "admin")[n % 2]) for n in range(8)]
        for number, person in enumerate(self.people):
            worker.execute(
                "UPDATE membership SET name = %s WHERE customer_id = %s AND user_id = %s",
                f"{NAMES[number]} {number}",
                self.customer_id,
                person,
            )
        self.parents: dict[str, int] = {}
        # Made now, so that nothing is added later, when somebody looks.
        self.api("member")
        self.api("admin")
        for status in ("active", "suspended"):
            worker.execute(
                "INSERT INTO customer (name, slug, status) VALUES (%s, %s, %s)",
                f"A_B 100% {status}",
                f"{status}-{self.slug}",
                status,
            )
        self._add_names()
        self._add_tokens()
        self._add_uploads()
        self._add_claims()
        self._add_drift()
        self._add_rules()
        self._add_alerts()
        self._add_webhooks()

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> list[int]:
        return insert(self.owner, table, [{"customer_id": self.customer_id, **row} for row in rows])

    def _act_as(self, user_id: str) -> None:
        self.owner.execute("SELECT set_config('app.actor_id', %s, false)", user_id)

    def _any(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def _add_names(self) -> None:
        self.payers = self._insert("payer", [{"name": f"{name} Payer"} for name in NAMES])
        self.groups = self._insert("cpt_group", [{"name": f"{name} group"} for name in NAMES])
        for number, name in enumerate(NAMES):
            # Each in a statement of its own, for the audit trail's times and actors.
            self._act_as("" if number % 3 else str(self.people[number % 2]))
            self._insert(
                "payer_alias", [{"alias": f"alias {name}", "payer_id": self.payers[number % 5]}]
            )
            cpt = f"{99200 + number % 7}.{number}"
            self._insert("cpt_mapping", [{"cpt": cpt, "cpt_group_id": self.groups[number % 5]}])
        self._act_as("")
        self.owner.execute(
            "UPDATE payer SET merged_into_id = %s WHERE id = ANY(%s)",
            self.payers[0],
            self.payers[9:11],
        )
        self.owner.execute(
            "DELETE FROM payer_alias WHERE customer_id = %s AND alias LIKE 'alias plain%%'",
            self.customer_id,
        )

    def _add_tokens(self) -> None:
        for number, person in enumerate(self.people):
            self.token(person, ("read", "write")[number // 2 % 2])
        for number, name in enumerate(NAMES):
            self.owner.execute(
                "UPDATE api_token SET name = %s WHERE id = (SELECT id FROM api_token"
                " WHERE customer_id = %s ORDER BY id OFFSET %s LIMIT 1)",
                name,
                self.customer_id,
                number,
            )

    def _add_uploads(self) -> None:
        statuses = ("received", "completed", "failed", "repeated", "superseded")
        uploads = self._insert(
            "upload",
            [
                {
                    "filename": f"{NAMES[n % len(NAMES)]}.csv",
                    "sha256": f"{n % 9:064x}",
                    "size_bytes": n,
                    # A file can be complete only once.
                    "status": statuses[n % 5] if n < 9 else "repeated",
                    "created_at": MOMENT + timedelta(microseconds=n // 4),
                }
                for n in range(24)
            ],
        )
        self.parents["uploads"] = uploads[0]
        self._insert(
            "upload_error",
            [
                {
                    "upload_id": uploads[n % 10 // 9],
                    "line": 2 + n // 3,
                    "column": self._any("", "decided_date", "outcome", "payer"),
                    "message": f"can't be {NAMES[n % len(NAMES)]}",
                }
                for n in range(40)
            ],
        )

    def _add_claims(self) -> None:
        rows = []
        for number in range(60):
            submitted = DAY + timedelta(days=number % 9)
            decided = submitted + timedelta(days=number % 4) if number % 5 else None
            outcome = self._any("PAID", "DENIED")
            rows.append(
                {
                    "source": ("", "athena", "ecw")[number % 3],
                    "claim_number": f"{('A%', 'A_', 'a_', 'B-')[number % 4]}{number:03}",
                    "payer_id": self.payers[number % 4],
                    "payer_name": "as it was written",
                    "cpt": f"9921{number % 3}",
                    "cpt_group_id": self.groups[number % 3],
                    "submitted_date": submitted,
                    "decided_date": decided,
                    "outcome": outcome if decided else "PENDING",
                    "first_decided_date": decided,
                    "first_outcome": outcome if decided else None,
                    "denial_code": self._any(None, "CO-50", "CO-97"),
                    "upload_id": self.upload_id,
                }
            )
        self._insert("claim", rows)

    def _figures(self, number: int) -> dict[str, Any]:
        """A group's figures; each number is another identity."""
        return {
            "payer_id": self.payers[number % 4],
            "cpt_group_id": (None, *self.groups[:3])[number // 4 % 4],
            "metric": METRICS[number // 16 % 3],
            "direction": self._any("up", "down"),
            "current_start": DAY + timedelta(days=number % 3),
            "current_end": DAY + timedelta(days=13 + number % 3),
            "baseline_n": number,
            "current_n": number,
            "severity": self._any(0.0, 0.1 + 0.2, 0.5, 1.0),
        }

    def _add_drift(self) -> None:
        self.owner.execute(
            "UPDATE alert_rule SET enabled = false WHERE customer_id = %s", self.customer_id
        )
        applied = {8, 9, 28}
        runs = self._insert(
            "drift_run",
            [
                {
                    "as_of": DAY + timedelta(days=number // 2),
                    "trigger": self._any("nightly", "upload", "manual", "api_1", "api-1"),
                    "status": (
                        "completed"
                        if number in applied
                        else self._any("running", "completed", "failed")
                    ),
                    "applied": number in applied,
                }
                for number in range(30)
            ],
        )
        self.parents["drift-runs"] = runs[0]
        self._insert(
            "drift_measurement",
            [
                {
                    **self._figures(number),
                    "run_id": runs[number % 11 // 10],
                    "sufficient": self._any(True, False),
                    "drifted": self._any(True, False),
                }
                for number in range(44)
            ],
        )
        self._insert(
            "drift_event",
            [
                {
                    **self._figures(number),
                    "run_id": runs[number // 4 % 3],
                    "withdrawn": self._any(True, False, False),
                }
                for number in range(48)
            ],
        )

    def _add_rules(self) -> None:
        self._insert(
            "alert_rule",
            [
                {
                    "name": f"{name} rule",
                    "payer_id": self._any(None, *self.payers[:3]),
                    "cpt_group_id": self._any(None, *self.groups[:3]),
                    "metric": self._any(None, *METRICS),
                    "direction": self._any("worse", "better", "any"),
                    "level": self._any(None, *LEVELS),
                    # Seen by nobody: alerts are inserted below.
                    "enabled": False,
                }
                for name in NAMES
            ],
        )
        self.owner.execute(
            "UPDATE alert_rule SET enabled = true WHERE customer_id = %s AND id %% 3 = 0",
            self.customer_id,
        )

    def _add_alerts(self) -> None:
        rules = [row["id"] for row in self.rows("alert_rule")]
        rows = []
        for number in range(40):
            figures = self._figures(number)
            opened = DAY + timedelta(days=number % 6)
            resolved = number % 3 == 2
            rows.append(
                {
                    name: figures[name]
                    for name in ("payer_id", "cpt_group_id", "metric", "direction")
                }
                | {
                    "rule_id": self._any(*rules[:4]),
                    "status": ("open", "acknowledged", "resolved")[number % 3],
                    "level": self._any(*LEVELS),
                    "peak_severity": figures["severity"],
                    "opened_as_of": opened,
                    "episode_as_of": opened,
                    "last_seen_as_of": opened + timedelta(days=number % 4),
                    "window_start": DAY - timedelta(days=20),
                    "baseline_start": DAY - timedelta(days=200),
                    "baseline_end": DAY - timedelta(days=60),
                    "baseline_n": 1000,
                    "baseline_x": 100,
                    "baseline_value": 0.1,
                    "opening_delta": 0.2,
                    "opening_share_delta": 0.2,
                    "rule_definition": "{}",
                    "version": 30 if number < 2 else 1,
                    "muted": number % 4 == 0,
                    "muted_until": MOMENT if number % 4 == 0 else None,
                    "resolved_as_of": opened + timedelta(days=5) if resolved else None,
                    "resolved_by": self._any("user", "cleared") if resolved else None,
                }
            )
        alerts = self._insert("alert", rows)
        self.parents["alerts"] = alerts[0]
        moves = (
            ("opened", None, "open"),
            ("escalated", "open", "open"),
            ("acknowledged", "open", "acknowledged"),
            ("resolved", "acknowledged", "resolved"),
            ("reopened", "resolved", "open"),
            ("cleared", "open", "resolved"),
        )
        self._insert(
            "alert_transition",
            [
                {
                    "alert_id": alert,
                    "version": version,
                    "kind": moves[0 if version == 1 else version % 5 + 1][0],
                    "from_status": moves[0 if version == 1 else version % 5 + 1][1],
                    "to_status": moves[0 if version == 1 else version % 5 + 1][2],
                    "level": "info",
                    "severity": 0.5,
                    "as_of": DAY,
                    "note": f"note {NAMES[version % len(NAMES)]}",
                }
                for alert in alerts[:2]
                for version in range(1, 31)
            ],
        )
        self._insert(
            "alert_judgment",
            [
                {
                    "alert_id": alert,
                    "user_id": person,
                    "verdict": self._any("noise", "real", "needs_followup"),
                    "note": f"note {NAMES[number]}",
                }
                for alert in alerts[:2]
                for number, person in enumerate(self.people)
            ],
        )

    def _add_webhooks(self) -> None:
        # Events first: of later ones these endpoints would get deliveries by themselves.
        types = EventType.values
        events = self._insert(
            "webhook_event",
            [
                {
                    "type": types[number % len(types)],
                    "payload": "{}",
                    "message_id": f"msg {number} {NAMES[number % len(NAMES)]}",
                    "dedup_key": str(number),
                }
                for number in range(16)
            ],
        )
        endpoints = self._insert(
            "webhook_endpoint",
            [
                {
                    "url": f"https://{('A_', 'a-', 'b%25')[number % 3]}.example/{number}",
                    "description": f"for {name}",
                    "event_types": types[: number % 4],
                    "status": ("active", "paused", "disabled")[number % 3],
                }
                for number, name in enumerate(NAMES)
            ],
        )
        self.parents["webhook-endpoints"] = endpoints[0]
        rows = []
        for number in range(48):
            status = ("pending", "delivered", "failed", "cancelled")[number * 7 // 3 % 4]
            is_pending = status == "pending"
            rows.append(
                {
                    "event_id": events[number % 16],
                    "endpoint_id": endpoints[number // 16],
                    "status": status,
                    "next_attempt_at": MOMENT if is_pending else None,
                    "finished_at": None if is_pending else MOMENT,
                    "last_error": self._any("", f"It is {NAMES[number % len(NAMES)]}."),
                    "created_at": MOMENT + timedelta(microseconds=number // 4),
                }
            )
        deliveries = self._insert("webhook_delivery", rows)
        self.parents["webhook-deliveries"] = deliveries[0]
        self._insert(
            "webhook_attempt",
            [
                {
                    "delivery_id": deliveries[number % 9 // 8],
                    "number": number + 1,
                    "started_at": MOMENT + timedelta(microseconds=number // 4),
                    "status_code": self._any(None, 200, 429, 503),
                    "error": self._any("", "It answered 503."),
                    "response": f"is {NAMES[number % len(NAMES)]}",
                }
                for number in range(36)
            ],
        )
