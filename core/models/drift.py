"""Drift: settings, runs, measurements and events. What runs find: `drift.complete_run` alone."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.db.models.functions import Now

from core.constraints import Reference, refers_to, tenant_table
from core.models.claims import CptGroup, Payer
from core.models.tenancy import TenantModel, User, audit_triggers
from core.triggers import StatementTrigger


class Metric(models.TextChoices):
    DENIAL_RATE = "DENIAL_RATE"
    DECISION_DAYS = "DECISION_DAYS"
    SILENCE = "SILENCE"


class Direction(models.TextChoices):
    UP = "up"
    DOWN = "down"


class DriftSettings(TenantModel):
    """How drift is detected for a customer; one row each, created with it."""

    class Method(models.TextChoices):
        SIGNIFICANCE = "significance"
        THRESHOLD = "threshold"

    method = models.CharField(max_length=12, choices=Method, db_default=Method.SIGNIFICANCE)
    baseline_days = models.IntegerField(db_default=182)
    guard_days = models.IntegerField(db_default=56)
    min_volume = models.IntegerField(db_default=30)
    false_discovery_rate = models.FloatField(db_default=0.05)
    min_rate_delta = models.FloatField(db_default=0.05)
    min_rate_relative = models.FloatField(db_default=0.5)
    min_days_delta = models.FloatField(db_default=3.0)
    min_days_relative = models.FloatField(db_default=0.5)
    clear_odds = models.FloatField(db_default=20.0)
    cooldown_hours = models.IntegerField(db_default=168)

    class Meta:
        db_table = "drift_settings"
        constraints = [
            *tenant_table("drift_settings", tenant="SELECT, UPDATE", platform="SELECT, UPDATE"),
            UniqueConstraint(fields=["customer"], name="drift_settings_customer_key"),
            CheckConstraint(
                condition=Q(method__in=["significance", "threshold"]),
                name="drift_settings_method_check",
            ),
            *[
                CheckConstraint(
                    condition=Q(**{f"{column}__range": (low, high)}),
                    name=f"drift_settings_{column}_check",
                )
                for column, low, high in (
                    ("baseline_days", 28, 730),
                    ("guard_days", 14, 180),
                    ("min_volume", 1, 1_000_000),
                    ("false_discovery_rate", 0.000001, 0.5),
                    ("min_rate_delta", 0, 1),
                    ("min_rate_relative", 0, 100),
                    ("min_days_delta", 0, 365),
                    ("min_days_relative", 0, 100),
                    ("clear_odds", 2, 1_000_000),
                    ("cooldown_hours", 0, 8760),
                )
            ],
        ]
        triggers = audit_triggers("drift_settings")

    def __str__(self) -> str:
        return f"drift settings of customer {self.customer_id}"


class DriftRun(TenantModel):
    """One run of detection.

    One that was asked for is queued, then running, and at last completed or failed. Only completed
    ones have found anything: a repeated run for the same as_of shares the measurements of the first
    one (`measurement_run`). A run older than the newest applied as_of records measurements only.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    as_of = models.DateField()
    trigger = models.CharField(max_length=40, db_default="manual")
    status = models.CharField(max_length=10, choices=Status, db_default=Status.RUNNING)
    is_look = models.BooleanField(db_default=False)
    applied = models.BooleanField(db_default=False)
    measurement_run = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    groups_measured = models.IntegerField(db_default=0)
    groups_insufficient = models.IntegerField(db_default=0)
    events_found = models.IntegerField(db_default=0)
    parameters = models.JSONField(db_default={})
    error = models.TextField(db_default="", blank=True)
    requested_by = models.ForeignKey(
        User,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "drift_run"
        constraints = [
            *tenant_table("drift_run"),
            refers_to("drift_run", "measurement_run_id", "drift_run"),
            Reference(
                name="drift_run_requested_by_fk",
                columns=["requested_by_id"],
                to="user",
                to_columns=["id"],
            ),
            # Asked for twice, it runs once.
            UniqueConstraint(
                fields=["customer", "as_of"],
                condition=Q(status="queued"),
                name="drift_run_customer_queued_key",
            ),
            CheckConstraint(
                condition=Q(status__in=["queued", "running", "completed", "failed"]),
                name="drift_run_status_check",
            ),
            CheckConstraint(
                condition=Q(trigger__regex=r"^[a-z][a-z0-9_-]*$"), name="drift_run_trigger_check"
            ),
            CheckConstraint(
                condition=Q(
                    groups_measured__gte=0, groups_insufficient__gte=0, events_found__gte=0
                ),
                name="drift_run_counts_check",
            ),
            CheckConstraint(
                condition=Q(applied=False, is_look=False, measurement_run__isnull=True)
                | Q(status="completed"),
                name="drift_run_found_check",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-as_of", "-id"], name="drift_run_as_of_idx"),
            models.Index(
                fields=["customer", "measurement_run"],
                condition=Q(measurement_run__isnull=False),
                name="drift_run_measurement_run_idx",
            ),
            # Over all customers: maintenance.metrics.
            models.Index(fields=["requested_at"], name="drift_run_requested_idx"),
        ]
        triggers = [
            StatementTrigger(
                name="publish",
                operation=pgtrigger.Update,
                call=(
                    "webhooks.publish_runs(array_agg(c.id ORDER BY c.id))"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE c.status IN ('completed', 'failed') AND c.status <> f.status"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.id} as of {self.as_of}"


class DriftFigures(TenantModel):
    """What measurement and event have in common: the group and its numbers.

    Rates are shares of 1, DECISION_DAYS values are medians in days. All dates are inclusive.
    Where DECISION_DAYS drifted, two parallel arrays hold its baseline: days, and lines decided
    within them; where a payer as a whole (cpt_group NULL) drifted, `strata` holds those of its
    groups. Figures, `dispersion` and `z` are those of the window that won; `nu` are the degrees of
    freedom of its test. `may_open` says that the change is unlikely enough to open an alert.
    """

    payer = models.ForeignKey(
        Payer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    cpt_group = models.ForeignKey(
        CptGroup,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    metric = models.CharField(max_length=13, choices=Metric)
    direction = models.CharField(max_length=4, choices=Direction, null=True)  # noqa: DJ001
    baseline_start = models.DateField(null=True)
    baseline_end = models.DateField(null=True)
    current_start = models.DateField()
    current_end = models.DateField()
    baseline_n = models.BigIntegerField()
    current_n = models.BigIntegerField()
    baseline_x = models.BigIntegerField(null=True)
    current_x = models.BigIntegerField(null=True)
    baseline_value = models.FloatField(null=True)
    current_value = models.FloatField(null=True)
    delta = models.FloatField(null=True)
    relative_delta = models.FloatField(null=True)
    ci_low = models.FloatField(null=True)
    ci_high = models.FloatField(null=True)
    z = models.FloatField(null=True)
    dispersion = models.FloatField(null=True)
    nu = models.FloatField(null=True)
    window_days = models.IntegerField(db_default=14)
    p_value = models.FloatField(null=True)
    q_value = models.FloatField(null=True)
    severity = models.FloatField(null=True)
    confidence = models.FloatField(null=True)
    may_open = models.BooleanField(db_default=True)
    baseline_days = ArrayField(models.IntegerField(), null=True)
    baseline_counts = ArrayField(models.BigIntegerField(), null=True)
    strata = models.JSONField(null=True)

    class Meta:
        abstract = True


def figure_checks(table: str) -> list[CheckConstraint]:
    """Guard the enums and ranges of DriftFigures."""
    shares = ("p_value", "q_value", "severity", "confidence")
    return [
        CheckConstraint(
            condition=Q(metric__in=["DENIAL_RATE", "DECISION_DAYS", "SILENCE"]),
            name=f"{table}_metric_check",
        ),
        CheckConstraint(condition=Q(direction__in=["up", "down"]), name=f"{table}_direction_check"),
        CheckConstraint(
            condition=Q(current_end__gte=F("current_start"))
            & Q(baseline_end__gte=F("baseline_start"))
            & Q(current_start__gt=F("baseline_end")),
            name=f"{table}_dates_check",
        ),
        CheckConstraint(
            condition=Q(baseline_n__gte=0, current_n__gte=0)
            & Q(baseline_x__gte=0, current_x__gte=0)
            & Q(baseline_x__lte=F("baseline_n"), current_x__lte=F("current_n")),
            name=f"{table}_counts_check",
        ),
        *[
            CheckConstraint(
                condition=Q(**{f"{column}__range": (0, 1)}), name=f"{table}_{column}_check"
            )
            for column in shares
        ],
    ]


class DriftMeasurement(DriftFigures):
    """One group and metric as one run measured it: why an alert, or why none. Kept 400 days.

    `phi_own` is the group's own dispersion, `phi_prior` that of the customer's groups like it,
    worth `d0` degrees of freedom. `windows` holds each window's test, shortest first: days, weight,
    x, n, delta, has_effect, phi, z, p_t, p_fisher, p and p_combined. On a day that is no look only
    a tenth of the false discovery rate opens an alert.
    """

    run = models.ForeignKey(
        DriftRun, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    sufficient = models.BooleanField()
    drifted = models.BooleanField()
    is_look = models.BooleanField(db_default=True)
    frozen_alert_id = models.BigIntegerField(null=True)
    phi_own = models.FloatField(null=True)
    phi_prior = models.FloatField(null=True)
    d0 = models.FloatField(null=True)
    windows = models.JSONField(null=True)

    class Meta:
        db_table = "drift_measurement"
        constraints = [
            *tenant_table("drift_measurement"),
            UniqueConstraint(
                fields=["customer", "run", "payer", "cpt_group", "metric"],
                nulls_distinct=False,
                name="drift_measurement_customer_group_key",
            ),
            refers_to("drift_measurement", "run_id", "drift_run"),
            refers_to("drift_measurement", "payer_id", "payer"),
            refers_to("drift_measurement", "cpt_group_id", "cpt_group"),
            *figure_checks("drift_measurement"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of payer {self.payer_id}, group {self.cpt_group_id}"


class DriftEvent(DriftFigures):
    """A group and metric that drifted as of a day, in either direction."""

    run = models.ForeignKey(
        DriftRun, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    withdrawn = models.BooleanField(db_default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "drift_event"
        constraints = [
            *tenant_table("drift_event"),
            UniqueConstraint(
                fields=["customer", "payer", "cpt_group", "metric", "current_end"],
                nulls_distinct=False,
                name="drift_event_customer_group_key",
            ),
            refers_to("drift_event", "run_id", "drift_run"),
            refers_to("drift_event", "payer_id", "payer"),
            refers_to("drift_event", "cpt_group_id", "cpt_group"),
            *figure_checks("drift_event"),
            CheckConstraint(
                condition=Q(direction__isnull=False, severity__isnull=False),
                name="drift_event_complete_check",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-current_end", "-id"], name="drift_event_end_idx")
        ]
        triggers = [
            StatementTrigger(
                name=f"apply_events_{name}",
                operation=operation,
                # One day after the other, should a statement bring several.
                call=(
                    "alerts.apply_events(g.customer_id, g.ids) FROM ("
                    "SELECT c.customer_id, array_agg(c.id ORDER BY c.id) AS ids FROM changed AS c"
                    " GROUP BY c.customer_id, c.current_end ORDER BY c.customer_id, c.current_end"
                    ") AS g"
                ),
            )
            for name, operation in (("insert", pgtrigger.Insert), ("update", pgtrigger.Update))
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.direction} of payer {self.payer_id}"
