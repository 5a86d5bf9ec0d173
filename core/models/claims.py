"""Payers, procedure groups and the claim lines that payers decided."""

import pgtrigger
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.db.models.functions import Lower, Now

from core.constraints import EDIT, READ, refers_to, tenant_table
from core.models.ingest import Upload
from core.models.tenancy import TenantModel, audit_triggers
from core.triggers import StatementTrigger


def remap_triggers() -> list[StatementTrigger]:
    """Have claims that are there already follow a changed alias or mapping, by the worker."""
    call = "ingest.queue_remap(t.id) FROM (SELECT DISTINCT r.customer_id FROM ROWS AS r) AS t (id)"
    return [
        StatementTrigger(
            name=f"queue_remap_{name}", operation=operation, call=call.replace("ROWS", rows)
        )
        for name, operation, rows in (
            ("insert", pgtrigger.Insert, "changed"),
            ("update", pgtrigger.Update, "changed"),
            ("delete", pgtrigger.Delete, "former"),
        )
    ]


class Payer(TenantModel):
    """An insurer that decides this customer's claims.

    A renamed one keeps its former name as an alias. One that was merged into another keeps its
    history; its claims follow the alias.
    """

    name = models.CharField(max_length=200)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "payer"
        constraints = [
            *tenant_table("payer", tenant=EDIT, platform=EDIT),
            refers_to("payer", "merged_into_id", "payer"),
            UniqueConstraint("customer", Lower("name"), name="payer_customer_name_key"),
            CheckConstraint(condition=~Q(name=""), name="payer_name_check"),
        ]
        triggers = [
            # Files bring new ones, which are no edits.
            *audit_triggers("payer", ("update", "delete")),
            StatementTrigger(
                name="check_payer_insert",
                operation=pgtrigger.Insert,
                call=(
                    "ingest.check_payer(c.customer_id, c.id, c.name, NULL, c.merged_into_id)"
                    " FROM changed AS c"
                ),
            ),
            StatementTrigger(
                name="check_payer_update",
                operation=pgtrigger.Update,
                call=(
                    "ingest.check_payer("
                    "c.customer_id, c.id, c.name, f.merged_into_id, c.merged_into_id)"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE (f.name, f.merged_into_id) IS DISTINCT FROM (c.name, c.merged_into_id)"
                ),
            ),
            StatementTrigger(
                name="keep_former_name",
                operation=pgtrigger.Update,
                call=(
                    "ingest.keep_former_name(c.customer_id, c.id, f.name)"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE lower(f.name) <> lower(c.name)"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PayerAlias(TenantModel):
    """Another name under which a billing system writes a payer."""

    alias = models.CharField(max_length=200)
    payer = models.ForeignKey(
        Payer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "payer_alias"
        constraints = [
            *tenant_table("payer_alias", tenant=EDIT, platform=EDIT),
            UniqueConstraint("customer", Lower("alias"), name="payer_alias_customer_alias_key"),
            refers_to("payer_alias", "payer_id", "payer"),
            CheckConstraint(condition=~Q(alias=""), name="payer_alias_alias_check"),
        ]
        indexes = [models.Index(fields=["customer", "payer"], name="payer_alias_payer_idx")]
        triggers = [
            *audit_triggers("payer_alias"),
            *remap_triggers(),
            *[
                StatementTrigger(
                    name=f"check_unmerged_{name}",
                    operation=operation,
                    call="ingest.check_unmerged(c.customer_id, c.payer_id) FROM changed AS c",
                )
                for name, operation in (("insert", pgtrigger.Insert), ("update", pgtrigger.Update))
            ],
        ]

    def __str__(self) -> str:
        return self.alias


class CptGroup(TenantModel):
    """Procedures whose claims are watched together. An unmapped CPT code is one of its own.

    A renamed one that was named after a code keeps that code, by a mapping.
    """

    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "cpt_group"
        constraints = [
            *tenant_table("cpt_group", tenant=EDIT, platform=EDIT),
            UniqueConstraint("customer", Lower("name"), name="cpt_group_customer_name_key"),
            CheckConstraint(condition=~Q(name=""), name="cpt_group_name_check"),
        ]
        triggers = [
            *audit_triggers("cpt_group", ("update", "delete")),
            StatementTrigger(
                name="keep_former_code",
                operation=pgtrigger.Update,
                call=(
                    "ingest.keep_former_code(c.customer_id, c.id, f.name)"
                    " FROM former AS f JOIN changed AS c USING (id)"
                    " WHERE lower(f.name) <> lower(c.name)"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CptMapping(TenantModel):
    """Which group a CPT or HCPCS code belongs to."""

    cpt = models.CharField(max_length=20)
    cpt_group = models.ForeignKey(
        CptGroup, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "cpt_mapping"
        constraints = [
            *tenant_table("cpt_mapping", tenant=EDIT, platform=EDIT),
            UniqueConstraint(fields=["customer", "cpt"], name="cpt_mapping_customer_cpt_key"),
            refers_to("cpt_mapping", "cpt_group_id", "cpt_group"),
            CheckConstraint(
                condition=Q(cpt__regex=r"^[A-Z0-9][A-Z0-9.-]{0,19}$"), name="cpt_mapping_cpt_check"
            ),
        ]
        indexes = [models.Index(fields=["customer", "cpt_group"], name="cpt_mapping_group_idx")]
        triggers = [*audit_triggers("cpt_mapping"), *remap_triggers()]

    def __str__(self) -> str:
        return self.cpt


class Claim(TenantModel):
    """One line of a claim and what its payer decided. Written by `ingest.merge_v2` alone.

    `outcome` and `decided_date` hold the latest decision. `first_outcome` and
    `first_decided_date` hold the first determination, which detection reads: it never changes,
    so that an overturned denial stays in the window in which the payer denied it.
    """

    class Outcome(models.TextChoices):
        PAID = "PAID"
        DENIED = "DENIED"
        PENDING = "PENDING"

    # The billing system that numbered it; practices may have several. Sorted as bytes, like the
    # number, so that a search for what numbers begin with can use the key's index.
    source = models.TextField(db_default="", blank=True, db_collation="C")
    claim_number = models.CharField(max_length=64, db_collation="C")
    line_number = models.IntegerField(db_default=1)
    payer = models.ForeignKey(
        Payer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    payer_name = models.CharField(max_length=200)
    cpt = models.CharField(max_length=20)
    cpt_group = models.ForeignKey(
        CptGroup, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    submitted_date = models.DateField()
    decided_date = models.DateField(null=True)
    outcome = models.CharField(max_length=7, choices=Outcome)
    first_decided_date = models.DateField(null=True)
    first_outcome = models.CharField(max_length=7, choices=Outcome, null=True)  # noqa: DJ001
    billed_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    allowed_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    paid_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    denial_code = models.CharField(max_length=20, null=True)  # noqa: DJ001
    upload = models.ForeignKey(
        Upload, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        db_table = "claim"
        constraints = [
            # Its customer is checked through the payer's: one check less for each line.
            *[c for c in tenant_table("claim", tenant=READ) if c.name != "claim_customer_fk"],
            UniqueConstraint(
                fields=["customer", "source", "claim_number", "line_number"],
                name="claim_customer_source_line_key",
            ),
            CheckConstraint(
                condition=Q(source__regex=r"^[^[:cntrl:]]{0,64}$"), name="claim_source_check"
            ),
            refers_to("claim", "payer_id", "payer"),
            refers_to("claim", "cpt_group_id", "cpt_group"),
            CheckConstraint(
                condition=Q(outcome__in=["PAID", "DENIED", "PENDING"]), name="claim_outcome_check"
            ),
            CheckConstraint(
                condition=Q(outcome="PENDING", decided_date__isnull=True)
                | (~Q(outcome="PENDING") & Q(decided_date__isnull=False)),
                name="claim_decided_check",
            ),
            CheckConstraint(
                condition=Q(
                    first_outcome__isnull=True, first_decided_date__isnull=True, outcome="PENDING"
                )
                | Q(first_outcome__in=["PAID", "DENIED"], first_decided_date__isnull=False),
                name="claim_first_determination_check",
            ),
            CheckConstraint(
                condition=Q(decided_date__gte=F("submitted_date"))
                & Q(first_decided_date__gte=F("submitted_date")),
                name="claim_date_order_check",
            ),
            CheckConstraint(
                condition=Q(billed_amount__range=(0, 9_999_999.99))
                & Q(allowed_amount__range=(0, 9_999_999.99))
                & Q(paid_amount__range=(0, 9_999_999.99)),
                name="claim_amounts_check",
            ),
            CheckConstraint(condition=Q(line_number__range=(1, 9999)), name="claim_line_check"),
        ]
        indexes = [
            # Detection reads nothing but this index; lists find most claims in it, too. The order
            # of what it includes leaves no gaps.
            models.Index(
                fields=["customer", "first_decided_date"],
                include=[
                    "submitted_date",
                    "payer",
                    "cpt_group",
                    "id",
                    "first_outcome",
                    "outcome",
                ],
                name="claim_detection_idx",
            ),
            # For filters by any of these, since PostgreSQL skips from one payer to the next: each
            # has few values. Without an id at the end equal keys share their space.
            models.Index(
                fields=["customer", "payer", "cpt_group", "cpt", "outcome"],
                name="claim_filter_idx",
            ),
            models.Index(fields=["customer", "submitted_date"], name="claim_submitted_idx"),
            models.Index(
                fields=["customer", "denial_code"],
                condition=Q(denial_code__isnull=False),
                name="claim_denial_code_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.claim_number}/{self.line_number}"
