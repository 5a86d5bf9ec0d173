"""/health/live and /health/ready: whether to restart this process, whether to send it requests."""

import logging
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from procrastinate.contrib.django.models import ProcrastinateJob

from api.errors import problem_response
from core.context import platform_context
from core.embedded import EmbeddedServerError

logger = logging.getLogger(__name__)

CHECKS = ("database", "migrations", "queue")
RETRY_SECONDS = 5
_TIMEOUT = "3s"


@csrf_exempt
def live(request: HttpRequest) -> HttpResponse:
    """GET /health/live: this process answers. It asks nobody else."""
    return _only_get(request) or JsonResponse({"status": "live"})


@csrf_exempt
def ready(request: HttpRequest) -> HttpResponse:
    """GET /health/ready: database, migrations and queue are there; else 503 says which isn't."""
    if refusal := _only_get(request):
        return refusal
    if failed := failed_check():
        return problem_response(
            request,
            503,
            "unavailable",
            f"Not ready: {failed}.",
            {"Retry-After": str(RETRY_SECONDS)},
        )
    return JsonResponse({"status": "ready", "checks": dict.fromkeys(CHECKS, "ok")})


def failed_check() -> str | None:
    """The first of the checks that fails; None if all is well."""
    check = "database"
    try:
        with transaction.atomic(), platform_context(None):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_TIMEOUT])
            check = "migrations"
            applied = set(MigrationRecorder.Migration.objects.values_list("app", "name"))
            # Newer ones do no harm: releases are migrated before they are started.
            if missing := newest_migrations() - applied:
                logger.warning("not ready: %d migrations to apply", len(missing))
                return check
            check = "queue"
            ProcrastinateJob.objects.exists()
    except (Error, ImproperlyConfigured, EmbeddedServerError) as error:
        logger.warning("not ready: %s", check, exc_info=error)
        return check
    return None


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """The migrations that this code needs: the last of each app, which come after all others."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _only_get(request: HttpRequest) -> HttpResponse | None:
    if request.method in {"GET", "HEAD"}:
        return None
    return problem_response(
        request, 405, "method_not_allowed", "Only GET works here.", {"Allow": "GET, HEAD"}
    )
