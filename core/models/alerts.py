"""Alerts: the rules that raise them, their life and what people said of them.

Alerts and transitions are written by the functions of schema `alerts` alone.
"""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.db.models.functions import Lower, Now

from core.constraints import EDIT, Reference, refers_to, tenant_table
from core.models.claims import CptGroup, Payer
from core.models.drift import Direction, Metric
from core.models.tenancy import TenantModel, User, audit_triggers
from core.triggers import StatementTrigger


class Level(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


LEVELS = Level.values
METRICS = Metric.values


class AlertRule(TenantModel):
    """Which drift events become alerts, and how loud."""

    class Direction(models.TextChoices):
        WORSE = "worse"
        BETTER = "better"
        ANY = "any"

    class Measure(models.TextChoices):
        SEVERITY = "severity"
        DELTA = "delta"
        RELATIVE_DELTA = "relative_delta"

    class Comparison(models.TextChoices):
        GTE = "gte"
        GT = "gt"
        LTE = "lte"
        LT = "lt"

    name = models.CharField(max_length=200)
    payer = models.ForeignKey(
        Payer,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    cpt_group = models.ForeignKey(
        CptGroup,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    metric = models.CharField(max_length=13, choices=Metric, null=True, blank=True)  # noqa: DJ001
    direction = models.CharField(max_length=6, choices=Direction, db_default=Direction.WORSE)
    measure = models.CharField(max_length=14, choices=Measure, db_default=Measure.SEVERITY)
    comparison = models.CharField(max_length=3, choices=Comparison, db_default=Comparison.GTE)
    threshold = models.FloatField(db_default=0.0)
    level = models.CharField(max_length=8, choices=Level, null=True, blank=True)  # noqa: DJ001
    enabled = models.BooleanField(db_default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_rule"
        constraints = [
            *tenant_table("alert_rule", tenant=EDIT, platform=EDIT),
            UniqueConstraint("customer", Lower("name"), name="alert_rule_customer_name_key"),
            refers_to("alert_rule", "payer_id", "payer"),
            refers_to("alert_rule", "cpt_group_id", "cpt_group"),
            CheckConstraint(condition=~Q(name=""), name="alert_rule_name_check"),
            CheckConstraint(condition=Q(metric__in=METRICS), name="alert_rule_metric_check"),
            CheckConstraint(
                condition=Q(direction__in=["worse", "better", "any"]),
                name="alert_rule_direction_check",
            ),
            CheckConstraint(
                condition=Q(measure__in=["severity", "delta", "relative_delta"]),
                name="alert_rule_measure_check",
            ),
            CheckConstraint(
                condition=Q(comparison__in=["gte", "gt", "lte", "lt"]),
                name="alert_rule_comparison_check",
            ),
            CheckConstraint(
                condition=Q(threshold__range=(0, 10_000)), name="alert_rule_threshold_check"
            ),
            CheckConstraint(condition=Q(level__in=LEVELS), name="alert_rule_level_check"),
        ]
        triggers = [
            *audit_triggers("alert_rule"),
            StatementTrigger(
                name="check_unmerged_insert",
                operation=pgtrigger.Insert,
                call=(
                    "ingest.check_unmerged(c.customer_id, c.payer_id)"
                    " FROM changed AS c WHERE c.payer_id IS NOT NULL"
                ),
            ),
            # A rule that a merge left on its payer may still be renamed.
            StatementTrigger(
                name="check_unmerged_update",
                operation=pgtrigger.Update,
                call=(
                    "ingest.check_unmerged(c.customer_id, c.payer_id)"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE c.payer_id IS NOT NULL AND c.payer_id IS DISTINCT FROM f.payer_id"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Alert(TenantModel):
    """One thing that happened: a payer's group that drifted, from opening to resolution.

    `baseline_*` and `opening_*` are frozen when an episode begins (opened or reopened): a rolling
    baseline would absorb the drift and clear it. For DECISION_DAYS the histogram of days is kept
    as two parallel arrays, `baseline_x` counts the lines slower than the frozen median, and
    `opening_share_delta` is how much their share had moved; for rates it is `opening_delta`.
    For a payer as a whole (cpt_group NULL) `baseline_strata` keeps its groups' baselines.

    `recovered_as_of` is when a resolved alert's drift was seen to be gone: what was before is no
    news any more. An alert is muted for a time (`muted_until`), or while one on the payer as a
    whole speaks for it (`muted_by_alert`).
    """

    class Status(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    class ResolvedBy(models.TextChoices):
        USER = "user"
        CLEARED = "cleared"
        RULE = "rule"

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
    direction = models.CharField(max_length=4, choices=Direction)
    rule = models.ForeignKey(
        AlertRule,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    previous_alert = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    status = models.CharField(max_length=12, choices=Status, db_default=Status.OPEN)
    level = models.CharField(max_length=8, choices=Level)
    peak_severity = models.FloatField()
    occurrences = models.IntegerField(db_default=1)
    opened_as_of = models.DateField()
    last_seen_as_of = models.DateField()
    episode_as_of = models.DateField()
    window_start = models.DateField()
    baseline_start = models.DateField()
    baseline_end = models.DateField()
    baseline_n = models.BigIntegerField()
    baseline_x = models.BigIntegerField()
    baseline_value = models.FloatField()
    baseline_dispersion = models.FloatField(db_default=1.0)
    baseline_days = ArrayField(models.IntegerField(), null=True)
    baseline_counts = ArrayField(models.BigIntegerField(), null=True)
    baseline_nu = models.FloatField(db_default=60.0)
    baseline_strata = models.JSONField(null=True)
    opening_delta = models.FloatField()
    opening_share_delta = models.FloatField()
    rule_definition = models.JSONField()
    muted = models.BooleanField(db_default=False)
    muted_until = models.DateTimeField(null=True)
    muted_by_alert = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    resolved_as_of = models.DateField(null=True)
    resolved_by = models.CharField(max_length=7, choices=ResolvedBy, null=True)  # noqa: DJ001
    former_resolved_as_of = models.DateField(null=True)
    recovered_as_of = models.DateField(null=True)
    former_recovered_as_of = models.DateField(null=True)
    former_new_normal = models.BooleanField(db_default=False)
    new_normal = models.BooleanField(db_default=False)
    rearmed = models.BooleanField(db_default=False)
    version = models.IntegerField(db_default=1)
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert"
        constraints = [
            *tenant_table("alert"),
            UniqueConstraint(
                fields=["customer", "payer", "cpt_group", "metric", "direction"],
                condition=Q(status__in=["open", "acknowledged"]),
                nulls_distinct=False,
                name="alert_customer_live_key",
            ),
            refers_to("alert", "payer_id", "payer"),
            refers_to("alert", "cpt_group_id", "cpt_group"),
            refers_to("alert", "rule_id", "alert_rule"),
            refers_to("alert", "previous_alert_id", "alert"),
            refers_to("alert", "muted_by_alert_id", "alert"),
            CheckConstraint(condition=Q(metric__in=METRICS), name="alert_metric_check"),
            CheckConstraint(
                condition=Q(direction__in=["up", "down"]), name="alert_direction_check"
            ),
            CheckConstraint(condition=Q(level__in=LEVELS), name="alert_level_check"),
            CheckConstraint(
                condition=Q(
                    status__in=["open", "acknowledged"],
                    resolved_as_of__isnull=True,
                    resolved_by__isnull=True,
                )
                | Q(
                    status="resolved",
                    resolved_as_of__isnull=False,
                    resolved_by__in=["user", "cleared", "rule"],
                ),
                name="alert_status_check",
            ),
            CheckConstraint(condition=Q(peak_severity__range=(0, 1)), name="alert_severity_check"),
            CheckConstraint(
                condition=Q(occurrences__gte=1, version__gte=1), name="alert_counters_check"
            ),
            CheckConstraint(
                condition=Q(baseline_end__gte=F("baseline_start"))
                & Q(episode_as_of__gt=F("baseline_end"))
                & Q(opened_as_of__gt=F("window_start"))
                & Q(episode_as_of__gte=F("opened_as_of"))
                & Q(last_seen_as_of__gte=F("episode_as_of")),
                name="alert_dates_check",
            ),
            CheckConstraint(
                condition=Q(baseline_n__gte=1, baseline_x__gte=0)
                & Q(baseline_x__lte=F("baseline_n")),
                name="alert_baseline_check",
            ),
            CheckConstraint(
                condition=Q(muted=False)
                | Q(muted_until__isnull=False)
                | Q(muted_by_alert__isnull=False),
                name="alert_muted_check",
            ),
        ]
        indexes = [
            # The last alert of an identity; also what is left out of a baseline.
            models.Index(
                fields=["customer", "payer", "cpt_group", "metric", "direction", "-id"],
                name="alert_identity_idx",
            ),
            models.Index(fields=["customer", "status", "id"], name="alert_status_idx"),
            models.Index(fields=["customer", "last_seen_as_of", "id"], name="alert_last_seen_idx"),
            models.Index(fields=["customer", "peak_severity", "id"], name="alert_severity_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.status} alert {self.id}"


class AlertTransition(TenantModel):
    """One change of an alert's state. Append-only."""

    class Kind(models.TextChoices):
        OPENED = "opened"
        ESCALATED = "escalated"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"
        REOPENED = "reopened"
        CLEARED = "cleared"

    alert = models.ForeignKey(
        Alert, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    version = models.IntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    from_status = models.CharField(max_length=12, choices=Alert.Status, null=True)  # noqa: DJ001
    to_status = models.CharField(max_length=12, choices=Alert.Status)
    level = models.CharField(max_length=8, choices=Level)
    severity = models.FloatField()
    as_of = models.DateField()
    actor = models.ForeignKey(
        User,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    note = models.TextField(db_default="", blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_transition"
        constraints = [
            *tenant_table("alert_transition"),
            UniqueConstraint(
                fields=["customer", "alert", "version"],
                name="alert_transition_customer_version_key",
            ),
            refers_to("alert_transition", "alert_id", "alert"),
            Reference(
                name="alert_transition_actor_fk",
                columns=["actor_id"],
                to="user",
                to_columns=["id"],
            ),
            CheckConstraint(
                condition=Q(kind="opened", from_status__isnull=True, to_status="open", version=1)
                | Q(kind="escalated", from_status=F("to_status"), version__gt=1)
                | Q(
                    kind="acknowledged",
                    from_status="open",
                    to_status="acknowledged",
                    version__gt=1,
                )
                | Q(
                    kind__in=["resolved", "cleared"],
                    from_status__in=["open", "acknowledged"],
                    to_status="resolved",
                    version__gt=1,
                )
                | Q(kind="reopened", from_status="resolved", to_status="open", version__gt=1),
                name="alert_transition_kind_check",
            ),
            CheckConstraint(condition=Q(level__in=LEVELS), name="alert_transition_level_check"),
        ]
        triggers = [
            StatementTrigger(
                name="publish",
                operation=pgtrigger.Insert,
                call=(
                    "webhooks.publish_transitions("
                    "(SELECT array_agg(c.id ORDER BY c.id) FROM changed AS c))"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} (version {self.version})"


class AlertJudgment(TenantModel):
    """What a user says an alert was worth; the latest verdict of each user counts."""

    class Verdict(models.TextChoices):
        NOISE = "noise"
        REAL = "real"
        NEEDS_FOLLOWUP = "needs_followup"

    alert = models.ForeignKey(
        Alert, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    verdict = models.CharField(max_length=14, choices=Verdict)
    recovered_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    note = models.TextField(db_default="", blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alert_judgment"
        constraints = [
            *tenant_table("alert_judgment"),
            UniqueConstraint(
                fields=["customer", "alert", "user"], name="alert_judgment_customer_user_key"
            ),
            refers_to("alert_judgment", "alert_id", "alert"),
            Reference(
                name="alert_judgment_user_fk", columns=["user_id"], to="user", to_columns=["id"]
            ),
            CheckConstraint(
                condition=Q(verdict__in=["noise", "real", "needs_followup"]),
                name="alert_judgment_verdict_check",
            ),
            CheckConstraint(
                # A range: NaN is greater than any number.
                condition=Q(recovered_amount__range=(0, 9_999_999_999.99)),
                name="alert_judgment_amount_check",
            ),
        ]

    def __str__(self) -> str:
        return self.verdict
