"""What deliveries are meant to do, in plain Python: the model that the database is compared with.

Times are the database's own. Where it draws lots, the model takes what was drawn, if it is one of
the possible ones.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SCHEDULE = [5, 300, 7200]
LEASE = timedelta(seconds=60)
CUSTOMER_CAPACITY = 40
WITH_RETRY_AFTER = (429, 502, 503, 504)


@dataclass
class Endpoint:
    max_in_flight: int
    status: str = "active"
    unavailable: int = 0
    failing_since: datetime | None = None
    blocked_until: datetime | None = None

    def is_blocked(self, now: datetime) -> bool:
        return self.blocked_until is not None and self.blocked_until > now

    def capacity(self, now: datetime) -> int:
        if self.status != "active" or self.is_blocked(now):
            return 0
        return 1 if self.unavailable >= 5 else self.max_in_flight

    def heal(self) -> None:
        self.unavailable, self.failing_since, self.blocked_until = 0, None, None

    def block(self, status: int | None, wait: int | None, now: datetime) -> timedelta | None:
        """Note a failed attempt; for how long the endpoint is left alone then, if for longer."""
        if status is not None and status < 500 and status not in (408, 429):
            self.unavailable, self.blocked_until = 0, None
            return None
        waits = [] if wait is None else [min(wait, 600)]
        if not self.is_blocked(now):
            self.blocked_until = None
            self.unavailable += 1
        if self.unavailable >= 5 and self.blocked_until is None:
            waits.append(min(15 * 2 ** (self.unavailable - 5), 600))
        return timedelta(seconds=max(waits)) if waits else None


@dataclass
class Delivery:
    endpoint_id: int
    event_id: int
    due: datetime | None
    status: str = "pending"
    attempts: int = 0
    failures: int = 0
    leased_until: datetime | None = None
    rows: int = 0

    def is_waiting(self) -> bool:
        return self.status == "pending" and self.leased_until is None

    def end(self, status: str) -> None:
        self.status, self.due, self.leased_until = status, None, None
        if status == "failed":
            self.failures += 1


@dataclass
class Model:
    endpoints: dict[int, Endpoint] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    # Each with the endpoint whose end it tells of, if it does.
    events: dict[int, int | None] = field(default_factory=dict)

    def under_way(self, endpoint_id: int | None = None) -> int:
        return sum(
            delivery.leased_until is not None
            for delivery in self.deliveries.values()
            if endpoint_id in (None, delivery.endpoint_id)
        )

    def end_lost(self, delivery: Delivery, now: datetime) -> None:
        if delivery.leased_until is not None and delivery.leased_until <= now:
            delivery.leased_until = None
            delivery.rows += 1
            if delivery.failures >= 19:
                delivery.end("failed")
            else:
                delivery.failures += 1

    def begin(self, delivery_id: int, now: datetime) -> str:
        """The decision, and what follows from it, but for the end of the lease."""
        delivery = self.deliveries[delivery_id]
        endpoint = self.endpoints[delivery.endpoint_id]
        self.end_lost(delivery, now)
        if not delivery.is_waiting():
            return "drop"
        if endpoint.status == "disabled":
            delivery.end("cancelled")
            return "drop"
        assert delivery.due is not None
        if (
            delivery.due > now + timedelta(seconds=1)
            or self.under_way(delivery.endpoint_id) >= endpoint.capacity(now)
            or self.under_way() >= CUSTOMER_CAPACITY
        ):
            if endpoint.blocked_until is not None and endpoint.is_blocked(now):
                delivery.due = max(delivery.due, endpoint.blocked_until)
            return "postpone"
        delivery.attempts += 1
        return "send"

    def may_finish(self, delivery_id: int, number: int) -> bool:
        delivery = self.deliveries[delivery_id]
        return delivery.leased_until is not None and delivery.attempts == number

    def succeed(self, delivery_id: int) -> str:
        delivery = self.deliveries[delivery_id]
        delivery.rows += 1
        delivery.end("delivered")
        self.endpoints[delivery.endpoint_id].heal()
        return "delivered"

    def fail(
        self, delivery_id: int, status: int | None, wait: int | None, now: datetime
    ) -> tuple[str, timedelta | None]:
        """What follows, and for how long the endpoint is left alone.

        A retry's time is the caller's to fill in: see `delay`.
        """
        delivery = self.deliveries[delivery_id]
        endpoint = self.endpoints[delivery.endpoint_id]
        delivery.rows += 1
        wait = wait if status in WITH_RETRY_AFTER else None
        endpoint.failing_since = endpoint.failing_since or now
        blocked = endpoint.block(status, wait, now)
        if endpoint.status == "disabled":
            delivery.end("cancelled")
            return "cancelled", blocked
        outcome = "retry"
        if status == 410 or delivery.failures >= len(SCHEDULE):
            outcome = "failed"
            delivery.end("failed")
        else:
            delivery.failures += 1
            delivery.leased_until = None
        if status == 410 or endpoint.failing_since < now - timedelta(days=5):
            self.disable(delivery.endpoint_id)
            return "disabled", blocked
        return outcome, blocked

    def delay(
        self, delivery: Delivery, status: int | None, wait: int | None
    ) -> tuple[float, float]:
        """The shortest and the longest time until it is tried again."""
        wait = wait if wait is not None and status in WITH_RETRY_AFTER else 0
        seconds = SCHEDULE[delivery.failures - 1]
        return max(seconds, wait), max(seconds * 1.2, wait)

    def disable(self, endpoint_id: int) -> None:
        self.endpoints[endpoint_id].status = "disabled"
        for delivery in self.deliveries.values():
            if delivery.endpoint_id == endpoint_id and delivery.is_waiting():
                delivery.end("cancelled")

    def restart(self, delivery_id: int) -> None:
        delivery = self.deliveries[delivery_id]
        if delivery.leased_until is None:
            delivery.status, delivery.failures = "pending", 0

    def undelivered(self, endpoint_id: int) -> list[int]:
        return [
            delivery_id
            for delivery_id, delivery in self.deliveries.items()
            if delivery.endpoint_id == endpoint_id and delivery.status in ("failed", "cancelled")
        ]

    def missed(self, endpoint_id: int) -> set[int]:
        """Without its own end, which is over when it could be told of it."""
        others = {event_id for event_id, ended in self.events.items() if ended != endpoint_id}
        return others - {
            delivery.event_id
            for delivery in self.deliveries.values()
            if delivery.endpoint_id == endpoint_id
        }

    def room(self, endpoint_id: int, now: datetime) -> int:
        """How many more attempts at an endpoint may be queued; one where only others are many."""
        return min(
            self.endpoints[endpoint_id].capacity(now) - self.under_way(endpoint_id),
            max(CUSTOMER_CAPACITY - self.under_way(), 1),
        )

    def sweep(self, now: datetime) -> None:
        for delivery in self.deliveries.values():
            self.end_lost(delivery, now)
        for delivery in self.deliveries.values():
            if self.endpoints[delivery.endpoint_id].status == "disabled" and delivery.is_waiting():
                delivery.end("cancelled")

    def pass_time(self, by: timedelta) -> None:
        for delivery in self.deliveries.values():
            delivery.due = delivery.due and delivery.due - by
            delivery.leased_until = delivery.leased_until and delivery.leased_until - by
        for endpoint in self.endpoints.values():
            endpoint.blocked_until = endpoint.blocked_until and endpoint.blocked_until - by
            endpoint.failing_since = endpoint.failing_since and endpoint.failing_since - by
