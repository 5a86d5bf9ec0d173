"""The tables: who owns the data, then ingest, claims, drift, alerts, webhooks as it flows."""

from core.models.access import ApiToken, LoginThrottle
from core.models.alerts import Alert, AlertJudgment, AlertRule, AlertTransition
from core.models.claims import Claim, CptGroup, CptMapping, Payer, PayerAlias
from core.models.drift import DriftEvent, DriftMeasurement, DriftRun, DriftSettings
from core.models.ingest import Upload, UploadChunk, UploadError
from core.models.tenancy import AuditEntry, Customer, ErasureReceipt, Membership, User
from core.models.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookSecret,
)

__all__ = [
    "Alert",
    "AlertJudgment",
    "AlertRule",
    "AlertTransition",
    "ApiToken",
    "AuditEntry",
    "Claim",
    "CptGroup",
    "CptMapping",
    "Customer",
    "DriftEvent",
    "DriftMeasurement",
    "DriftRun",
    "DriftSettings",
    "ErasureReceipt",
    "LoginThrottle",
    "Membership",
    "Payer",
    "PayerAlias",
    "Upload",
    "UploadChunk",
    "UploadError",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookSecret",
]
