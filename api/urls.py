"""The root of all routes."""

from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import SimpleRouter

from api.alerts import AlertRuleViewSet, AlertViewSet
from api.claims import ClaimViewSet
from api.customers import AuditViewSet, CustomerViewSet, MembershipViewSet
from api.deliveries import WebhookDeliveryViewSet
from api.docs import RedocView, SchemaView, SwaggerView
from api.drift import DriftEventViewSet, DriftRunViewSet
from api.health import live, ready
from api.metrics import metrics
from api.payers import (
    CptGroupViewSet,
    CptMappingViewSet,
    PayerAliasViewSet,
    PayerViewSet,
)
from api.sign_in import LoginView, LogoutView, MeView
from api.tokens import TokenViewSet
from api.uploads import UploadViewSet
from api.webhooks import WebhookEndpointViewSet

router = SimpleRouter(trailing_slash=False)
for prefix, viewset in (
    ("tokens", TokenViewSet),
    ("customers", CustomerViewSet),
    ("memberships", MembershipViewSet),
    ("payers", PayerViewSet),
    ("payer-aliases", PayerAliasViewSet),
    ("cpt-groups", CptGroupViewSet),
    ("cpt-mappings", CptMappingViewSet),
    ("uploads", UploadViewSet),
    ("claims", ClaimViewSet),
    ("drift-runs", DriftRunViewSet),
    ("drift-events", DriftEventViewSet),
    ("alert-rules", AlertRuleViewSet),
    ("alerts", AlertViewSet),
    ("webhook-endpoints", WebhookEndpointViewSet),
    ("webhook-deliveries", WebhookDeliveryViewSet),
    ("audit", AuditViewSet),
):
    router.register(prefix, viewset, basename=prefix)

v1 = [
    path("auth/login", LoginView.as_view(), name="login"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/me", MeView.as_view(), name="me"),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", SwaggerView.as_view(), name="docs"),
    path("redoc", RedocView.as_view(), name="redoc"),
    *router.urls,
]
urlpatterns = [
    path("api/v1/", include(v1)),
    path("admin/", admin.site.urls),
    path("health/live", live),
    path("health/ready", ready),
    path("metrics", metrics),
]

handler400 = "api.errors.bad_request"
handler403 = "api.errors.permission_denied"
handler404 = "api.errors.not_found"
handler500 = "api.errors.server_error"
