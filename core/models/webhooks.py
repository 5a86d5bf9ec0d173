"""Webhooks: who is told what happened, the deliveries and what became of each attempt.

All but what an endpoint's admin edits is written by the functions of schema `webhooks` alone.
"""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from core.constraints import refers_to, tenant_table
from core.models.tenancy import TenantModel, audit_triggers
from core.triggers import StatementTrigger


class EventType(models.TextChoices):
    ALERT_OPENED = "alert.opened"
    ALERT_ESCALATED = "alert.escalated"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_REOPENED = "alert.reopened"
    ALERT_RESOLVED = "alert.resolved"
    DRIFT_RUN_COMPLETED = "drift_run.completed"
    DRIFT_RUN_FAILED = "drift_run.failed"
    UPLOAD_COMPLETED = "upload.completed"
    UPLOAD_FAILED = "upload.failed"
    ENDPOINT_DISABLED = "endpoint.disabled"
    WEBHOOK_TEST = "webhook.test"


# Written by the worker all the time, and nobody's decision: left out of the audit trail.
HEALTH = ("unavailable_count", "failing_since", "blocked_until", "last_success_at")


class WebhookEndpoint(TenantModel):
    """Where a customer's events are sent.

    `event_types` empty: all of them. Health: `failing_since` is the first failure since the last
    success; `unavailable_count` counts attempts in a row that were not answered, or with a server's
    error; from five on, the breaker keeps the endpoint alone until `blocked_until`, then lets one
    attempt through.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        DISABLED = "disabled"

    url = models.TextField()
    description = models.CharField(max_length=200, db_default="", blank=True)
    event_types = ArrayField(
        models.CharField(max_length=30, choices=EventType), db_default=[], blank=True
    )
    max_in_flight = models.SmallIntegerField(db_default=10)
    status = models.CharField(max_length=8, choices=Status, db_default=Status.ACTIVE)
    status_reason = models.TextField(db_default="", blank=True)
    status_at = models.DateTimeField(db_default=Now(), editable=False)
    unavailable_count = models.IntegerField(db_default=0)
    failing_since = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "webhook_endpoint"
        constraints = [
            *tenant_table(
                "webhook_endpoint",
                tenant="SELECT, UPDATE (url, description, event_types, max_in_flight)",
                platform="SELECT, UPDATE (url, description, event_types, max_in_flight)",
            ),
            UniqueConstraint(fields=["customer", "url"], name="webhook_endpoint_customer_url_key"),
            CheckConstraint(
                # No user and password, no fragment, nothing that could end a header's line.
                condition=Q(
                    url__regex=r"^https?://[^/?#@[:space:][:cntrl:]]+([/?][^#[:space:][:cntrl:]]*)?$"
                )
                & Q(LessThanOrEqual(Length("url"), 2000)),
                name="webhook_endpoint_url_check",
            ),
            CheckConstraint(
                condition=Q(event_types__contained_by=EventType.values),
                name="webhook_endpoint_types_check",
            ),
            CheckConstraint(
                condition=Q(status__in=["active", "paused", "disabled"]),
                name="webhook_endpoint_status_check",
            ),
            CheckConstraint(
                condition=Q(max_in_flight__range=(1, 50)), name="webhook_endpoint_in_flight_check"
            ),
        ]
        triggers = audit_triggers("webhook_endpoint", leave_out=HEALTH)

    def __str__(self) -> str:
        return f"endpoint {self.id}"


class WebhookSecret(TenantModel):
    """A signing secret, encrypted under the key `key_id` of the settings. No request reads it."""

    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    ciphertext = models.BinaryField()
    key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_secret"
        constraints = [
            *tenant_table("webhook_secret", tenant=""),
            refers_to("webhook_secret", "endpoint_id", "webhook_endpoint"),
        ]
        indexes = [
            models.Index(fields=["customer", "endpoint", "-id"], name="webhook_secret_endpoint_idx")
        ]
        triggers = audit_triggers("webhook_secret", leave_out=("ciphertext",))

    def __str__(self) -> str:
        return f"secret {self.id}"


class WebhookEvent(TenantModel):
    """Something that happened, as it is told: `payload` is the request's body.

    `message_id` is the webhook-id of every attempt to deliver it, to whichever endpoint.
    """

    type = models.CharField(max_length=30, choices=EventType)
    payload = models.JSONField()
    occurred_at = models.DateTimeField(db_default=Now(), editable=False)
    message_id = models.CharField(max_length=40)
    dedup_key = models.CharField(max_length=100)

    class Meta:
        db_table = "webhook_event"
        constraints = [
            *tenant_table("webhook_event"),
            UniqueConstraint(
                fields=["customer", "dedup_key"], name="webhook_event_customer_dedup_key"
            ),
            CheckConstraint(
                condition=Q(type__in=EventType.values), name="webhook_event_type_check"
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer", "occurred_at", "id"], name="webhook_event_occurred_idx"
            ),
        ]
        triggers = [
            StatementTrigger(
                name="fan_out",
                operation=pgtrigger.Insert,
                call="webhooks.fan_out((SELECT array_agg(c.id ORDER BY c.id) FROM changed AS c))",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class WebhookDelivery(TenantModel):
    """An event on its way to an endpoint.

    `attempts` counts all attempts ever begun and is what fences them: only the latest may finish.
    `failures` counts those that failed since it was created or replayed: the place in the schedule.
    While pending, it is due at `next_attempt_at`; `job_id` is the queue's job that waits for it, if
    there is one; `leased_until` is set while an attempt is under way.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        CANCELLED = "cancelled"

    event = models.ForeignKey(
        WebhookEvent,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    status = models.CharField(max_length=9, choices=Status, db_default=Status.PENDING)
    attempts = models.IntegerField(db_default=0)
    failures = models.IntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())
    leased_until = models.DateTimeField(null=True)
    job_id = models.BigIntegerField(null=True)
    last_status_code = models.IntegerField(null=True)
    last_error = models.TextField(db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_delivery"
        constraints = [
            *tenant_table("webhook_delivery"),
            UniqueConstraint(
                fields=["customer", "event", "endpoint"], name="webhook_delivery_customer_event_key"
            ),
            refers_to("webhook_delivery", "event_id", "webhook_event"),
            refers_to("webhook_delivery", "endpoint_id", "webhook_endpoint"),
            CheckConstraint(
                condition=Q(
                    status="pending", next_attempt_at__isnull=False, finished_at__isnull=True
                )
                | Q(
                    status__in=["delivered", "failed", "cancelled"],
                    next_attempt_at__isnull=True,
                    leased_until__isnull=True,
                    job_id__isnull=True,
                    finished_at__isnull=False,
                ),
                name="webhook_delivery_status_check",
            ),
            CheckConstraint(
                condition=Q(failures__gte=0, attempts__gte=models.F("failures")),
                name="webhook_delivery_counters_check",
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer", "endpoint", "-id"], name="webhook_delivery_endpoint_idx"
            ),
            models.Index(fields=["customer", "status", "-id"], name="webhook_delivery_status_idx"),
            # What waits for an endpoint, next first; all of it, and what has no job.
            models.Index(
                fields=["customer", "endpoint", "next_attempt_at", "id"],
                condition=Q(status="pending"),
                name="webhook_delivery_pending_idx",
            ),
            models.Index(
                fields=["customer", "endpoint", "next_attempt_at", "id"],
                condition=Q(status="pending", job_id__isnull=True, leased_until__isnull=True),
                name="webhook_delivery_waiting_idx",
            ),
            # Over all customers: maintenance.requeue_deliveries and prune_webhooks.
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status="pending"),
                name="webhook_delivery_due_idx",
            ),
            models.Index(
                fields=["finished_at"],
                condition=Q(finished_at__isnull=False),
                name="webhook_delivery_finished_idx",
            ),
            models.Index(
                fields=["customer", "endpoint"],
                condition=Q(leased_until__isnull=False),
                name="webhook_delivery_leased_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} delivery {self.id}"


class WebhookAttempt(TenantModel):
    """One attempt at a delivery, and what came of it. Append-only.

    `duration_ms` is NULL where the worker was lost; `status_code` where there was no answer.
    """

    delivery = models.ForeignKey(
        WebhookDelivery,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    number = models.IntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.IntegerField(null=True)
    status_code = models.IntegerField(null=True)
    error = models.TextField(db_default="", blank=True)
    response = models.TextField(db_default="", blank=True)

    class Meta:
        db_table = "webhook_attempt"
        constraints = [
            *tenant_table("webhook_attempt"),
            UniqueConstraint(
                fields=["customer", "delivery", "number"],
                name="webhook_attempt_customer_number_key",
            ),
            refers_to("webhook_attempt", "delivery_id", "webhook_delivery"),
            CheckConstraint(condition=Q(number__gte=1), name="webhook_attempt_number_check"),
            CheckConstraint(
                condition=Q(status_code__range=(100, 999)), name="webhook_attempt_code_check"
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"
