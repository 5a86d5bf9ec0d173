"""Access: the tokens that requests carry, and how often somebody tried to sign in."""

import pgtrigger
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.db.models.functions import Now

from core.constraints import OWN_CUSTOMER, Reference, TableAccess
from core.models.tenancy import Customer, User
from core.triggers import StatementTrigger

# Everything but the digest.
READABLE = (
    "SELECT (id, customer_id, user_id, name, prefix, scope, created_at, expires_at, last_used_at)"
)


class ApiTokenManager(models.Manager["ApiToken"]):
    def get_queryset(self) -> models.QuerySet["ApiToken"]:
        return super().get_queryset().defer("digest")


class ApiToken(models.Model):
    """What a client shows instead of a password. Written by functions of `tenancy` alone.

    A member's token works at one customer, a superuser's (customer NULL) at all of them. What its
    bearer may do follows from the membership as it is at each request. Of the token itself only
    the SHA-256 digest is kept, which no runtime role can read.
    """

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"

    customer = models.ForeignKey(
        Customer,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=5, choices=Scope)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    objects = ApiTokenManager()

    class Meta:
        db_table = "api_token"
        constraints = [
            UniqueConstraint(fields=["customer", "id"], name="api_token_customer_id_key"),
            Reference(
                name="api_token_customer_fk",
                columns=["customer_id"],
                to="customer",
                to_columns=["id"],
            ),
            Reference(name="api_token_user_fk", columns=["user_id"], to="user", to_columns=["id"]),
            TableAccess(
                name="api_token_access",
                tenant=READABLE,
                platform=READABLE,
                visible_if=OWN_CUSTOMER,
            ),
            CheckConstraint(condition=Q(scope__in=["read", "write"]), name="api_token_scope_check"),
            CheckConstraint(condition=~Q(name=""), name="api_token_name_check"),
            CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="api_token_digest_check"
            ),
            CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="api_token_expiry_check"
            ),
        ]
        indexes = [models.Index(fields=["user", "customer"], name="api_token_user_idx")]
        triggers = [
            StatementTrigger(
                name=f"audit_{name}",
                operation=operation,
                call=f"tenancy.record_audit('api_token', '{name}', {old}, {new})",
            )
            for name, operation, old, new in (
                (
                    "insert",
                    pgtrigger.Insert,
                    "NULL",
                    "(SELECT jsonb_agg(to_jsonb(c) - 'digest' ORDER BY c.id) FROM changed AS c)",
                ),
                (
                    "delete",
                    pgtrigger.Delete,
                    "(SELECT jsonb_agg(to_jsonb(f) - 'digest' ORDER BY f.id) FROM former AS f)",
                    "NULL",
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name


class LoginThrottle(models.Model):
    """How often one account, or one address, tried to sign in since `started_at`.

    `key` is a digest: neither accounts nor addresses are kept.
    """

    key = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField()
    attempts = models.IntegerField()

    class Meta:
        db_table = "login_throttle"
        constraints = [
            TableAccess(name="login_throttle_access", tenant="", platform="", visible_if="false"),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} attempts"
