"""Deliveries against a model of them: whatever happens in whichever order, both agree.

Each example is a customer with three endpoints, on the real database. Jobs are carried out by the
rules, as a worker would: a job is over once its attempt was decided on. In the end, time passes and
all that waits must come to an end by jobs and the sweep alone.
"""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch
from tests.webhooks.model import CUSTOMER_CAPACITY, LEASE, SCHEDULE, Delivery, Endpoint, Model

NUMBERS = st.integers(0, 10**6)
# Of each size of what there is to wait for, but so that sums of them end on no boundary.
PERIODS = st.sampled_from([11, 67, 370, 2_300, 9_000, 180_000]).map(lambda s: timedelta(seconds=s))
ANSWERS = st.sampled_from([200, 200, 200, 204, 404, 503, 503, 503, 429, None, None, 410])
WAITS = st.sampled_from([None, None, None, 20, 1000])


class Webhooks(RuleBasedStateMachine):
    """Ids are picked by a number, modulo how many there are, so that any number is a valid one."""

    make: MakeDispatch

    def __init__(self) -> None:
        super().__init__()
        self.dispatch: Dispatch = self.make()
        self.model = Model()

    @initialize(limits=st.tuples(st.integers(1, 3), st.integers(1, 3), st.just(50)))
    def endpoints(self, limits: tuple[int, ...]) -> None:
        for limit in limits:
            self.model.endpoints[self.dispatch.create(max_in_flight=limit)] = Endpoint(limit)
        self.publish(3)

    # What is told, and who is

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self.dispatch.publish()
        self.take_new()

    def take_new(self) -> None:
        """Events that were added, with a delivery to each endpoint that isn't disabled."""
        new = {
            event["id"]: event["payload"]["data"].get("endpoint_id")
            for event in self.dispatch.events()
            if event["id"] not in self.model.events
        }
        self.model.events |= new
        found = self.take_deliveries()
        assert sorted((d.event_id, d.endpoint_id) for d in found) == sorted(
            (event_id, endpoint_id)
            for event_id in new
            for endpoint_id, endpoint in self.model.endpoints.items()
            if endpoint.status != "disabled"
        )

    def take_deliveries(self) -> list[Delivery]:
        found = [
            row
            for row in self.dispatch.portfolio.rows("webhook_delivery")
            if row["id"] not in self.model.deliveries
        ]
        for row in found:
            self.model.deliveries[row["id"]] = Delivery(
                row["endpoint_id"], row["event_id"], row["next_attempt_at"]
            )
        return [self.model.deliveries[row["id"]] for row in found]

    # What workers do

    @rule(number=NUMBERS)
    def begin(self, number: int) -> None:
        if delivery_id := self.pick(number):
            self.begin_one(delivery_id)

    @rule(number=NUMBERS, count=st.integers(1, 5))
    def begin_waiting(self, number: int, count: int) -> None:
        waiting = self.waiting(self.pick_endpoint(number))
        for delivery_id in waiting[number % 3 :][:count]:
            self.begin_one(delivery_id)

    @rule(number=NUMBERS, answers=st.lists(st.tuples(ANSWERS, WAITS), min_size=1, max_size=6))
    def attempt(self, number: int, answers: list[tuple[int | None, int | None]]) -> None:
        """One after the other, as they come."""
        waiting = self.waiting(self.pick_endpoint(number))
        for delivery_id, (status, wait) in zip(waiting, answers, strict=False):
            if self.begin_one(delivery_id) == "send":
                attempt = self.model.deliveries[delivery_id].attempts
                self.finish_one(delivery_id, attempt, status, wait)

    @rule(number=NUMBERS, by=PERIODS, count=st.integers(3, 7), status=st.sampled_from([None, 503]))
    def fall_silent(self, number: int, by: timedelta, count: int, status: int | None) -> None:
        """An endpoint is away for a while."""
        endpoint_id = self.pick_endpoint(number)
        for _ in range(count):
            for delivery_id in self.waiting(endpoint_id)[:3]:
                if self.begin_one(delivery_id) == "send":
                    attempt = self.model.deliveries[delivery_id].attempts
                    self.finish_one(delivery_id, attempt, status, None)
            self.pass_time(by)

    def begin_one(self, delivery_id: int) -> str:
        """Carry out the job of a delivery, or what is left of it."""
        job_id = self.dispatch.delivery(delivery_id)["job_id"]
        before = self.now()
        decision: str = self.dispatch.begin(delivery_id)["decision"]
        assert decision == self.model.begin(delivery_id, before)
        self.end_job(job_id)
        row = self.dispatch.delivery(delivery_id)
        if decision == "send":
            assert before <= row["leased_until"] - LEASE <= self.now()
            self.model.deliveries[delivery_id].leased_until = row["leased_until"]
        assert row["job_id"] is None
        return decision

    @rule(number=NUMBERS, status=ANSWERS, wait=WAITS)
    def finish(self, number: int, status: int | None, wait: int | None) -> None:
        leased = [i for i, delivery in self.model.deliveries.items() if delivery.leased_until]
        if leased:
            delivery_id = leased[number % len(leased)]
            latest = self.model.deliveries[delivery_id].attempts
            self.finish_one(delivery_id, latest, status, wait)

    @rule(number=NUMBERS, earlier=st.integers(0, 3), status=ANSWERS, wait=WAITS)
    def finish_whichever(
        self, number: int, earlier: int, status: int | None, wait: int | None
    ) -> None:
        """Also one that is over, by a worker that doesn't know."""
        if delivery_id := self.pick(number):
            attempt = self.model.deliveries[delivery_id].attempts - earlier
            self.finish_one(delivery_id, attempt, status, wait)

    def finish_one(
        self, delivery_id: int, number: int, status: int | None, wait: int | None
    ) -> None:
        may_finish = self.model.may_finish(delivery_id, number)
        before = self.now()
        outcome = self.dispatch.finish(
            delivery_id,
            number,
            status,
            retry_after=None if wait is None else str(wait),
            schedule=SCHEDULE,
        )
        after = self.now()
        if not may_finish:
            assert outcome == "stale"
            return
        if status in (200, 204):
            assert outcome == self.model.succeed(delivery_id)
            return
        delivery = self.model.deliveries[delivery_id]
        expected, blocked = self.model.fail(delivery_id, status, wait, before)
        assert outcome == expected
        row = self.dispatch.delivery(delivery_id)
        if delivery.status == "pending":
            shortest, longest = self.model.delay(delivery, status, wait)
            assert before + timedelta(seconds=shortest) <= row["next_attempt_at"]
            assert row["next_attempt_at"] <= after + timedelta(seconds=longest)
            delivery.due = row["next_attempt_at"]
        self.take_health(delivery.endpoint_id, blocked, before, after)
        self.take_new()

    def take_health(
        self, endpoint_id: int, blocked: timedelta | None, before: datetime, after: datetime
    ) -> None:
        endpoint, row = self.model.endpoints[endpoint_id], self.dispatch.endpoint(endpoint_id)
        if blocked is not None and row["blocked_until"] != endpoint.blocked_until:
            assert before <= row["blocked_until"] - blocked <= after
            assert endpoint.blocked_until is None or endpoint.blocked_until < row["blocked_until"]
            endpoint.blocked_until = row["blocked_until"]
        if endpoint.failing_since == before:
            assert before <= row["failing_since"] <= after
            endpoint.failing_since = row["failing_since"]

    # What admins do

    @rule(number=NUMBERS)
    def replay(self, number: int) -> None:
        delivery_id = self.pick(number)
        if not delivery_id:
            return
        delivery = self.model.deliveries[delivery_id]
        if self.model.endpoints[delivery.endpoint_id].status == "disabled":
            with refused("PD017", "Resume it"):
                self.dispatch.replay(delivery_id)
            return
        before = self.now()
        self.dispatch.replay(delivery_id)
        self.model.restart(delivery_id)
        self.take_restarted([delivery_id], before)

    @rule(number=NUMBERS)
    def recover(self, number: int) -> None:
        endpoint_id = self.pick_endpoint(number)
        if self.model.endpoints[endpoint_id].status == "disabled":
            with refused("PD017", "Resume it"):
                self.dispatch.recover(endpoint_id)
            return
        undelivered = self.model.undelivered(endpoint_id)
        missed = self.model.missed(endpoint_id)
        before = self.now()
        assert self.dispatch.recover(endpoint_id) == len(undelivered) + len(missed)
        for delivery_id in undelivered:
            self.model.restart(delivery_id)
        self.take_restarted(undelivered, before)
        found = self.take_deliveries()
        assert {d.event_id for d in found} == missed
        assert {d.endpoint_id for d in found} <= {endpoint_id}

    def take_restarted(self, delivery_ids: list[int], before: datetime) -> None:
        after = self.now()
        for delivery_id in delivery_ids:
            delivery, row = self.model.deliveries[delivery_id], self.dispatch.delivery(delivery_id)
            if delivery.leased_until is None:
                assert before <= row["next_attempt_at"] <= after
                delivery.due = row["next_attempt_at"]

    @rule(number=NUMBERS)
    def pause(self, number: int) -> None:
        endpoint_id = self.pick_endpoint(number)
        self.dispatch.pause(endpoint_id)
        endpoint = self.model.endpoints[endpoint_id]
        if endpoint.status == "active":
            endpoint.status = "paused"

    @rule(number=NUMBERS)
    def resume(self, number: int) -> None:
        self.resume_one(self.pick_endpoint(number))

    @rule()
    def resume_disabled(self) -> None:
        for endpoint_id, endpoint in self.model.endpoints.items():
            if endpoint.status == "disabled":
                self.resume_one(endpoint_id)

    def resume_one(self, endpoint_id: int) -> None:
        self.dispatch.resume(endpoint_id)
        endpoint = self.model.endpoints[endpoint_id]
        if endpoint.status != "active":
            endpoint.status = "active"
            endpoint.heal()
        # That a job is lost is for the sweep to find out.
        self.check_queued(endpoint_id, self.with_job("true"))

    # What time does

    @rule(by=PERIODS)
    def pass_time(self, by: timedelta) -> None:
        self.dispatch.age(by)
        self.dispatch.owner.execute(
            "UPDATE webhook_endpoint SET failing_since = failing_since - %s WHERE customer_id = %s",
            by,
            self.dispatch.customer_id,
        )
        # What a job waits for comes nearer as well.
        self.dispatch.owner.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - %s"
            " WHERE (args ->> 'customer_id')::bigint = %s",
            by,
            self.dispatch.customer_id,
        )
        self.model.pass_time(by)

    @rule()
    def sweep(self) -> None:
        now = self.now()
        self.dispatch.worker.execute("SELECT maintenance.requeue_deliveries()")
        self.model.sweep(now)
        for endpoint_id in self.model.endpoints:
            self.check_queued(endpoint_id, self.with_job())

    @rule(number=NUMBERS)
    def lose_a_job(self, number: int) -> None:
        jobs = [job["id"] for job in self.dispatch.jobs() if job["status"] == "todo"]
        if jobs:
            self.end_job(jobs[number % len(jobs)])

    def check_queued(self, endpoint_id: int, having: set[int]) -> None:
        """Of what is due, as much has a job as there is room for."""
        now = self.now()
        due = [
            delivery_id
            for delivery_id, delivery in self.model.deliveries.items()
            if delivery.endpoint_id == endpoint_id
            and delivery.is_waiting()
            and delivery.due is not None
            and delivery.due <= now
        ]
        assert len(having & set(due)) >= min(len(due), self.model.room(endpoint_id, now))

    # What always holds

    @invariant()
    def agrees(self) -> None:
        deliveries = {
            row["id"]: Delivery(
                row["endpoint_id"],
                row["event_id"],
                row["next_attempt_at"],
                row["status"],
                row["attempts"],
                row["failures"],
                row["leased_until"],
                0,
            )
            for row in self.dispatch.portfolio.rows("webhook_delivery")
        }
        for row in self.dispatch.portfolio.rows("webhook_attempt"):
            deliveries[row["delivery_id"]].rows += 1
        assert deliveries == self.model.deliveries
        assert {
            row["id"]: Endpoint(
                row["max_in_flight"],
                row["status"],
                row["unavailable_count"],
                row["failing_since"],
                row["blocked_until"],
            )
            for row in self.dispatch.portfolio.rows("webhook_endpoint")
        } == self.model.endpoints

    @invariant()
    def counts_add_up(self) -> None:
        for delivery in self.model.deliveries.values():
            assert delivery.rows == delivery.attempts - (delivery.leased_until is not None)
        for endpoint_id, endpoint in self.model.endpoints.items():
            assert self.model.under_way(endpoint_id) <= endpoint.max_in_flight
        assert self.model.under_way() <= CUSTOMER_CAPACITY

    def teardown(self) -> None:
        """In the end everything comes to an end, by itself but for who is paused or disabled."""
        if self.model.endpoints:
            self.agrees()
            for endpoint_id in self.model.endpoints:
                self.resume_one(endpoint_id)
            self.pass_time(timedelta(days=2))
            self.work_off()

    def work_off(self) -> None:
        # The sweep once: what follows is queued by those who make room.
        self.sweep()
        while due := self.with_job():
            for delivery_id in sorted(due):
                if self.begin_one(delivery_id) == "send":
                    attempt = self.model.deliveries[delivery_id].attempts
                    self.finish_one(delivery_id, attempt, 200, None)
        assert {d.status for d in self.model.deliveries.values()} <= {
            *("delivered", "failed", "cancelled")
        }
        self.agrees()

    # How they are found

    def now(self) -> datetime:
        now: datetime = self.dispatch.owner.value("SELECT clock_timestamp()")
        return now

    def waiting(self, endpoint_id: int) -> list[int]:
        return [
            delivery_id
            for delivery_id, delivery in self.model.deliveries.items()
            if delivery.endpoint_id == endpoint_id and delivery.is_waiting()
        ]

    def pick(self, number: int) -> int | None:
        ids = list(self.model.deliveries)
        return ids[number % len(ids)] if ids else None

    def pick_endpoint(self, number: int) -> int:
        ids = list(self.model.endpoints)
        return ids[number % len(ids)]

    def with_job(self, condition: str = "j.status IN ('todo', 'doing')") -> set[int]:
        """The deliveries that wait for a job, by default one that is yet to end."""
        rows = self.dispatch.owner.execute(
            "SELECT d.id FROM webhook_delivery AS d JOIN procrastinate_jobs AS j ON j.id = d.job_id"
            f" WHERE d.customer_id = %s AND {condition}",
            self.dispatch.customer_id,
        )
        return {delivery_id for [delivery_id] in rows}

    def end_job(self, job_id: int | None) -> None:
        self.dispatch.owner.execute(
            "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", job_id
        )
