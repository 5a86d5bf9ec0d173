"""Uploads: files of claims on their way into the claim table."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Now

from core.constraints import READ, refers_to, tenant_table
from core.models.tenancy import TenantModel, User
from core.triggers import StatementTrigger


class Upload(TenantModel):
    """One file of claims and what became of its rows.

    One that was received, and is complete since `queued_at`, has its bytes in upload_chunk until
    the worker has loaded it.
    """

    class Status(models.TextChoices):
        RECEIVED = "received"
        COMPLETED = "completed"
        FAILED = "failed"
        REPEATED = "repeated"
        SUPERSEDED = "superseded"

    filename = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status, db_default=Status.RECEIVED)
    strict = models.BooleanField(db_default=False)
    correct = models.BooleanField(db_default=False)
    force = models.BooleanField(db_default=False)
    # Of the rows that name none themselves.
    source = models.TextField(db_default="", blank=True)
    rows_total = models.BigIntegerField(db_default=0)
    rows_inserted = models.BigIntegerField(db_default=0)
    rows_updated = models.BigIntegerField(db_default=0)
    rows_unchanged = models.BigIntegerField(db_default=0)
    rows_stale = models.BigIntegerField(db_default=0)
    rows_rejected = models.BigIntegerField(db_default=0)
    ignored_columns = ArrayField(models.TextField(), db_default=[])
    patient_columns = ArrayField(models.TextField(), db_default=[])
    error = models.TextField(db_default="", blank=True)
    uploaded_by = models.ForeignKey(
        User,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    queued_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "upload"
        constraints = [
            *tenant_table("upload"),
            UniqueConstraint(
                fields=["customer", "sha256"],
                condition=Q(status="completed"),
                name="upload_customer_completed_key",
            ),
            CheckConstraint(
                condition=Q(
                    status__in=["received", "completed", "failed", "repeated", "superseded"]
                ),
                name="upload_status_check",
            ),
            CheckConstraint(
                condition=Q(source__regex=r"^[^[:cntrl:]]{0,64}$"), name="upload_source_check"
            ),
            CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="upload_sha256_check"
            ),
            CheckConstraint(
                condition=Q(
                    size_bytes__gte=0,
                    rows_inserted__gte=0,
                    rows_updated__gte=0,
                    rows_unchanged__gte=0,
                    rows_stale__gte=0,
                    rows_rejected__gte=0,
                ),
                name="upload_counts_check",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at", "-id"], name="upload_created_idx"),
            # Over all customers: maintenance.metrics.
            models.Index(
                fields=["created_at"],
                condition=Q(status="received"),
                name="upload_waiting_idx",
            ),
        ]
        triggers = [
            StatementTrigger(
                name="publish",
                operation=pgtrigger.Update,
                call=(
                    "webhooks.publish_uploads(array_agg(c.id ORDER BY c.id))"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE c.status IN ('completed', 'failed') AND c.status <> f.status"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.filename


class UploadError(TenantModel):
    """Why a row of an upload was rejected. Never holds the value: it may be a patient's."""

    upload = models.ForeignKey(
        Upload, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    line = models.BigIntegerField()
    column = models.CharField(max_length=63, db_default="")
    message = models.TextField()

    class Meta:
        db_table = "upload_error"
        constraints = [
            *tenant_table("upload_error"),
            refers_to("upload_error", "upload_id", "upload"),
        ]
        indexes = [
            models.Index(fields=["customer", "upload", "line", "id"], name="upload_error_line_idx")
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class UploadChunk(TenantModel):
    """Bytes of an upload that wait for the worker."""

    upload = models.ForeignKey(
        Upload, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    number = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        db_table = "upload_chunk"
        constraints = [
            *tenant_table("upload_chunk", tenant=READ),
            UniqueConstraint(
                fields=["customer", "upload", "number"], name="upload_chunk_customer_number_key"
            ),
            refers_to("upload_chunk", "upload_id", "upload"),
            CheckConstraint(condition=Q(number__gte=0), name="upload_chunk_number_check"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.number}"
