"""Endpoints, their secrets and deliveries, for tests: what the worker does, but for the HTTP."""

import base64
from typing import Any

from core.webhooks import secrets
from tests.api.client import Office

URL = "https://hooks.example.com/claimdrift"
LONG_AGO = "2020-01-01T00:00:00Z"
COUNTERS = ("unavailable_count", "failing_since", "blocked_until", "last_success_at")


def create(office: Office, url: str = URL, **body: Any) -> dict[str, Any]:
    """A new endpoint, as it is answered."""
    answer = office.admin.post("/webhook-endpoints", {"url": url, **body})
    assert answer.status == 201, answer.content
    created: dict[str, Any] = answer.json
    return created


def path(endpoint: dict[str, Any], action: str = "") -> str:
    return f"/webhook-endpoints/{endpoint['id']}{action}"


def secrets_of(office: Office) -> list[bytes]:
    """What the customer's secrets are, oldest first, as the worker reads them."""
    return [
        secrets.decrypt(
            customer_id=office.customer_id,
            ciphertext=bytes(row["ciphertext"]),
            key_id=row["key_id"],
        )
        for row in office.rows("webhook_secret")
    ]


def text_of(secret: bytes) -> str:
    return secrets.PREFIX + base64.b64encode(secret).decode()


def happen(office: Office, event_type: str = "alert.opened", at: str = "now") -> int:
    """Something happens, of which the endpoints are told; the event's id."""
    event_id: int = office.owner.value(
        "INSERT INTO webhook_event (customer_id, type, payload, occurred_at, message_id, dedup_key)"
        ' VALUES (%s, %s, \'{"data": {"alert_id": 21}}\', %s, gen_random_uuid(),'
        " gen_random_uuid()) RETURNING id",
        office.customer_id,
        event_type,
        at,
    )
    return event_id


def attempt(office: Office, delivery_id: int, status_code: int, **more: Any) -> str:
    """An attempt, without the HTTP in it; what came of it."""
    begun = office.worker.one(
        "SELECT decision, reason, attempt FROM webhooks.begin_attempt(%s, %s)",
        office.customer_id,
        delivery_id,
    )
    assert begun["decision"] == "send", begun
    outcome: str = office.worker.value(
        "SELECT webhooks.finish_attempt(p_customer_id => %s, p_delivery_id => %s, p_attempt => %s,"
        " p_duration_ms => 84, p_status_code => %s, p_error => %s, p_response => %s)",
        office.customer_id,
        delivery_id,
        begun["attempt"],
        status_code,
        "" if status_code < 300 else f"It answered {status_code}.",
        more.get("response", ""),
    )
    return outcome


def jobs(office: Office) -> list[int]:
    """The deliveries for which a job waits."""
    return [
        number
        for (number,) in office.owner.execute(
            "SELECT (args ->> 'delivery_id')::bigint FROM procrastinate_jobs"
            " WHERE task_name = 'core.tasks.deliver' AND status = 'todo'"
            " AND (args ->> 'customer_id')::bigint = %s ORDER BY 1",
            office.customer_id,
        )
    ]


def disable(office: Office, endpoint: dict[str, Any]) -> int:
    """Have an endpoint say that it is gone; the delivery that it said so to."""
    happen(office)
    delivery_id: int = office.rows("webhook_delivery")[-1]["id"]
    assert attempt(office, delivery_id, 410) == "disabled"
    return delivery_id


def signing(office: Office) -> list[str]:
    """The secrets that the next attempt is signed with, newest first."""
    delivery = office.admin.post(path(office.rows("webhook_endpoint")[0], "/test")).json
    begun = office.worker.one(
        "SELECT * FROM webhooks.begin_attempt(%s, %s)", office.customer_id, delivery["id"]
    )
    assert begun["decision"] == "send"
    return [
        text_of(
            secrets.decrypt(
                customer_id=office.customer_id, ciphertext=bytes(ciphertext), key_id=key_id
            )
        )
        for ciphertext, key_id in zip(begun["ciphertexts"], begun["key_ids"], strict=True)
    ]
