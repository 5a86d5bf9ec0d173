"""Customers (the tenants), users, memberships, the audit trail, receipts of erasure."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.db.models.functions import Lower, Now

from core.constraints import READ, Reference, TableAccess, tenant_table
from core.triggers import StatementTrigger


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, is_staff=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in, by e-mail address (kept in lower case). Global: see Membership."""

    email = models.EmailField(unique=True, max_length=254)
    name = models.CharField(max_length=150, blank=True, db_default="")
    is_active = models.BooleanField(default=True, db_default=True)
    is_superuser = models.BooleanField(default=False, db_default=False)
    is_staff = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        db_table = "user"
        constraints = [
            CheckConstraint(
                condition=Q(email=Lower("email")), name="user_email_is_lower_case_check"
            ),
            TableAccess(
                name="user_access",
                tenant=READ,
                platform="SELECT, INSERT, UPDATE",
                visible_if="id IN (SELECT m.user_id FROM public.membership m)",
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Customer(models.Model):
    """A practice: the tenant. Its drift settings and default rule arrive by trigger."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=60, unique=True)
    time_zone = models.CharField(max_length=64, db_default="UTC")
    status = models.CharField(max_length=10, choices=Status, db_default=Status.ACTIVE)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "customer"
        constraints = [
            CheckConstraint(
                condition=Q(status__in=["active", "suspended"]), name="customer_status_check"
            ),
            CheckConstraint(condition=~Q(name=""), name="customer_name_check"),
            CheckConstraint(
                condition=Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"), name="customer_slug_check"
            ),
            TableAccess(
                name="customer_access",
                tenant=READ,
                platform="SELECT, INSERT, UPDATE",
                visible_if="id = (SELECT tenancy.current_customer_id())",
            ),
        ]
        triggers = [
            StatementTrigger(
                name="create_defaults",
                operation=pgtrigger.Insert,
                call=(
                    "tenancy.create_defaults("
                    "(SELECT array_agg(c.id ORDER BY c.id) FROM changed AS c))"
                ),
            ),
            StatementTrigger(
                name="check_time_zone_insert",
                operation=pgtrigger.Insert,
                call="tenancy.check_time_zone(c.time_zone) FROM changed AS c",
            ),
            StatementTrigger(
                name="check_time_zone_update",
                operation=pgtrigger.Update,
                call="tenancy.check_time_zone(c.time_zone) FROM changed AS c",
            ),
            StatementTrigger(
                name="stop_suspended",
                operation=pgtrigger.Update,
                call=(
                    "tenancy.stop_suspended("
                    "(SELECT array_agg(c.id ORDER BY c.id) FROM changed AS c))"
                ),
            ),
            # A customer's entries are its own. New ones are in nobody's trail yet.
            StatementTrigger(
                name="audit_update",
                operation=pgtrigger.Update,
                call=(
                    "tenancy.record_audit('customer', 'update',"
                    " (SELECT jsonb_agg(to_jsonb(f) || jsonb_build_object('customer_id', f.id))"
                    " FROM former AS f),"
                    " (SELECT jsonb_agg(to_jsonb(c) || jsonb_build_object('customer_id', c.id))"
                    " FROM changed AS c))"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class TenantModel(models.Model):
    """A row of one customer. The database checks the reference: see `tenant_table`."""

    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True


def audit_triggers(
    table: str,
    operations: Sequence[str] = ("insert", "update", "delete"),
    leave_out: Sequence[str] = (),
) -> list[StatementTrigger]:
    """Record changes of `table` in audit_entry, with the columns that changed.

    Not those of `leave_out`, which are secret, or nobody's decision.
    """
    less = f" - '{{{','.join(leave_out)}}}'::text[]" if leave_out else ""
    former = f"(SELECT jsonb_agg(to_jsonb(f){less} ORDER BY f.id) FROM former AS f)"  # noqa: S608
    changed = f"(SELECT jsonb_agg(to_jsonb(c){less} ORDER BY c.id) FROM changed AS c)"  # noqa: S608
    return [
        StatementTrigger(
            name=f"audit_{name}",
            operation=operation,
            call=f"tenancy.record_audit('{table}', '{name}', {old}, {new})",
        )
        for name, operation, old, new in (
            ("insert", pgtrigger.Insert, "NULL", changed),
            ("update", pgtrigger.Update, former, changed),
            ("delete", pgtrigger.Delete, former, "NULL"),
        )
        if name in operations
    ]


class Membership(TenantModel):
    """What a user may do at a customer."""

    class Role(models.TextChoices):
        ADMIN = "admin"
        MEMBER = "member"

    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, db_constraint=False, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role, db_default=Role.MEMBER)
    # What this customer calls the person: what another one does is none of their business.
    name = models.CharField(max_length=150, db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "membership"
        constraints = [
            *tenant_table("membership", platform="SELECT, INSERT, UPDATE, DELETE"),
            UniqueConstraint(fields=["customer", "user"], name="membership_customer_user_key"),
            Reference(name="membership_user_fk", columns=["user_id"], to="user", to_columns=["id"]),
            CheckConstraint(
                condition=Q(role__in=["admin", "member"]), name="membership_role_check"
            ),
        ]
        triggers = [
            *audit_triggers("membership"),
            StatementTrigger(
                name="revoke_tokens",
                operation=pgtrigger.Delete,
                call="tenancy.revoke_tokens(f.customer_id, f.user_id) FROM former AS f",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id}"


class AuditEntry(TenantModel):
    """Who changed which setting, rule, mapping or membership. Append-only."""

    table_name = models.CharField(max_length=63)
    row_id = models.BigIntegerField()
    operation = models.CharField(max_length=10)
    actor = models.ForeignKey(
        User,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    login = models.CharField(max_length=63)
    changes = models.JSONField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "audit_entry"
        constraints = [
            *tenant_table("audit_entry"),
            CheckConstraint(
                condition=Q(operation__in=["insert", "update", "delete"]),
                name="audit_entry_operation_check",
            ),
        ]
        indexes = [models.Index(fields=["customer", "-at", "-id"], name="audit_entry_at_idx")]

    def __str__(self) -> str:
        return f"{self.operation} {self.table_name} {self.row_id}"


class ErasureReceipt(models.Model):
    """What `maintenance.erase_customer` removed. Names nobody: the customer's row is gone."""

    erased_customer_id = models.BigIntegerField(unique=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)
    rows_deleted = models.JSONField(db_default={})

    class Meta:
        db_table = "erasure_receipt"
        constraints = [
            TableAccess(
                name="erasure_receipt_access", tenant="", platform=READ, visible_if="false"
            ),
        ]

    def __str__(self) -> str:
        return f"erasure of customer {self.erased_customer_id}"
