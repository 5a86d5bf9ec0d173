"""One customer's webhooks, as the API, the worker and the clock treat them."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extras import Json

from tests.database import Database
from tests.portfolio import Portfolio

_urls = itertools.count(1)

CREATE = (
    "SELECT webhooks.create_endpoint(p_customer_id => %s, p_url => %s, p_description => %s,"
    " p_event_types => %s::text[], p_max_in_flight => %s, p_ciphertext => %s, p_key_id => %s)"
)
BEGIN = "SELECT * FROM webhooks.begin_attempt(p_customer_id => %s, p_delivery_id => %s)"
FINISH = (
    "SELECT webhooks.finish_attempt(p_customer_id => %s, p_delivery_id => %s, p_attempt => %s,"
    " p_duration_ms => 12, p_status_code => %s, p_error => %s, p_response => %s,"
    " p_retry_after => %s{schedule})"
)
WRITTEN = ("webhook_endpoint", "webhook_secret", "webhook_event", "webhook_delivery")


class Dispatch:
    """Events are inserted as the owner, for speed; everything else goes the real way."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.owner = portfolio.owner
        self.worker = portfolio.worker
        self.customer_id = portfolio.customer_id
        self._events = itertools.count(1)

    # What admins do

    def create(self, **changes: Any) -> int:
        """A new endpoint."""
        values = {
            "url": f"https://receiver-{next(_urls)}.example.org/hook",
            "description": "Ours",
            "event_types": [],
            "max_in_flight": None,
            "ciphertext": b"secret",
            "key_id": "key",
            **changes,
        }
        endpoint_id: int = self.worker.value(CREATE, self.customer_id, *values.values())
        return endpoint_id

    def call(self, function: str, row_id: int, *arguments: Any) -> Any:
        """Call a function of the schema with the customer, an id, and what else it takes."""
        places = "".join(", %s" for _ in arguments)
        return self.worker.value(
            f"SELECT webhooks.{function}(%s, %s{places})", self.customer_id, row_id, *arguments
        )

    def pause(self, endpoint_id: int) -> None:
        self.call("pause", endpoint_id)

    def resume(self, endpoint_id: int) -> None:
        self.call("resume", endpoint_id)

    def delete(self, endpoint_id: int) -> None:
        self.call("delete_endpoint", endpoint_id)

    def replay(self, delivery_id: int) -> None:
        self.call("replay", delivery_id)

    def recover(self, endpoint_id: int, since: datetime | str = "-infinity") -> int:
        count: int = self.call("recover", endpoint_id, since)
        return count

    def disable(self, endpoint_id: int) -> None:
        """Have it answer 410 to a test."""
        delivery_id = self.call("send_test", endpoint_id)
        assert self.attempt(delivery_id, 410) == "disabled"

    # What happens

    def publish(self, event_type: str = "alert.opened", occurred_at: str = "now()") -> int:
        """An event; its id."""
        event_id: int = self.owner.value(
            "INSERT INTO webhook_event"
            " (customer_id, type, payload, occurred_at, message_id, dedup_key)"
            f" VALUES (%s, %s, %s, {occurred_at}, webhooks.new_message_id(), %s) RETURNING id",
            self.customer_id,
            event_type,
            Json({"type": event_type, "data": {"name": "Ætna"}}),
            f"made up:{next(self._events)}",
        )
        return event_id

    def deliveries(
        self, count: int = 1, event_type: str = "alert.opened", **changes: Any
    ) -> list[int]:
        """So many deliveries that wait for a new endpoint; earlier ones get them as well."""
        endpoint_id = self.create(**changes)
        for _ in range(count):
            self.publish(event_type)
        return self.ids_of(endpoint_id)

    # What the worker does

    def begin(self, delivery_id: int, database: Database | None = None) -> dict[str, Any]:
        return (database or self.worker).one(BEGIN, self.customer_id, delivery_id)

    def start(self, delivery_id: int) -> int:
        """Begin an attempt that is let through; its number."""
        begun = self.begin(delivery_id)
        assert begun["decision"] == "send", begun
        number: int = begun["attempt"]
        return number

    def finish(
        self,
        delivery_id: int,
        number: int,
        status: int | None = 200,
        *,
        error: str | None = None,
        retry_after: str | None = None,
        schedule: list[int] | None = None,
        response: str = "ok",
        database: Database | None = None,
    ) -> str:
        if error is None:
            error = "" if status is not None and 200 <= status < 300 else f"It answered {status}."
        outcome: str = (database or self.worker).value(
            FINISH.format(schedule="" if schedule is None else ", p_schedule => %s::int[]"),
            self.customer_id,
            delivery_id,
            number,
            status,
            error,
            response,
            retry_after,
            *([] if schedule is None else [schedule]),
        )
        return outcome

    def attempt(self, delivery_id: int, status: int | None = 200, **more: Any) -> str:
        """A whole attempt; what finish_attempt says."""
        return self.finish(delivery_id, self.start(delivery_id), status, **more)

    def requeue(self) -> int:
        """Have the sweep run; how many jobs this customer got by it."""
        before = {job["id"] for job in self.jobs()}
        self.worker.execute("SELECT maintenance.requeue_deliveries()")
        return len([job for job in self.jobs() if job["id"] not in before])

    # What there is

    def endpoint(self, endpoint_id: int) -> dict[str, Any]:
        return self.owner.one("SELECT * FROM webhook_endpoint WHERE id = %s", endpoint_id)

    def delivery(self, delivery_id: int) -> dict[str, Any]:
        return self.owner.one("SELECT * FROM webhook_delivery WHERE id = %s", delivery_id)

    def statuses(self, endpoint_id: int) -> list[str]:
        return [self.delivery(delivery_id)["status"] for delivery_id in self.ids_of(endpoint_id)]

    def ids_of(self, endpoint_id: int) -> list[int]:
        """An endpoint's deliveries, oldest first."""
        rows = self.portfolio.rows("webhook_delivery")
        return [row["id"] for row in rows if row["endpoint_id"] == endpoint_id]

    def events(self) -> list[dict[str, Any]]:
        return self.portfolio.rows("webhook_event")

    def types(self) -> list[str]:
        """The types of all events, in order."""
        return [event["type"] for event in self.events()]

    def attempts(self, delivery_id: int) -> list[dict[str, Any]]:
        rows = self.portfolio.rows("webhook_attempt")
        return [row for row in rows if row["delivery_id"] == delivery_id]

    def jobs(self, delivery_id: int | None = None) -> list[dict[str, Any]]:
        """The jobs that deliver, of all deliveries or of one."""
        return self.owner.dicts(
            "SELECT * FROM procrastinate_jobs WHERE task_name = 'core.tasks.deliver'"
            " AND (args ->> 'customer_id')::bigint = %s"
            " AND (%s IS NULL OR (args ->> 'delivery_id')::bigint = %s) ORDER BY id",
            self.customer_id,
            delivery_id,
            delivery_id,
        )

    def waits_for_job(self, delivery_id: int) -> bool:
        """Whether its job_id names a job that is yet to run, or running."""
        job_id = self.delivery(delivery_id)["job_id"]
        return any(
            job["id"] == job_id and job["status"] in ("todo", "doing")
            for job in self.jobs(delivery_id)
        )

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        return self.portfolio.snapshot((*WRITTEN, "webhook_attempt"))

    # What time does

    def age(self, by: timedelta = timedelta(days=2)) -> None:
        """Let time pass for what is to happen."""
        for table, columns in (
            ("webhook_delivery", ("next_attempt_at", "leased_until")),
            ("webhook_endpoint", ("blocked_until",)),
        ):
            self.owner.execute(
                f"UPDATE {table} SET {', '.join(f'{c} = {c} - %s' for c in columns)}"
                " WHERE customer_id = %s",
                *[by] * len(columns),
                self.customer_id,
            )

    def set_delivery(self, delivery_id: int, **values: Any) -> None:
        self._set("webhook_delivery", delivery_id, values)

    def set_endpoint(self, endpoint_id: int, **values: Any) -> None:
        self._set("webhook_endpoint", endpoint_id, values)

    def _set(self, table: str, row_id: int, values: dict[str, Any]) -> None:
        assignments = ", ".join(f"{column} = %s" for column in values)
        self.owner.execute(
            f"UPDATE {table} SET {assignments} WHERE id = %s", *values.values(), row_id
        )


MakeDispatch = Callable[[], Dispatch]
