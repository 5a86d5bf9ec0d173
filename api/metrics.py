"""/metrics: what Prometheus scrapes. It names no customer."""

import hmac
import logging
import os
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api.errors import problem_response
from core.functions import maintenance_metrics

logger = logging.getLogger(__name__)

REQUESTS: Final = Counter(
    "claimdrift_http_requests", "HTTP requests answered.", ["method", "route", "status"]
)
SECONDS: Final = Histogram(
    "claimdrift_http_request_seconds",
    "Seconds until a request's answer was ready.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
# By the names that maintenance.metrics gives them.
FROM_DATABASE: Final = {
    "drift_runs": "Runs of detection that were requested within a day, by status.",
    "drift_run_age_hours": "Hours since the last completed run, of whoever waits longest.",
    "alerts": "Alerts that are open or acknowledged, by level.",
    "uploads_waiting": "Uploads that wait for the worker.",
    "jobs": "Jobs that wait (todo), run (doing) or failed, by queue.",
    "oldest_job_seconds": "Seconds for which the oldest job that is due has waited.",
    "webhook_deliveries_pending": "Webhooks that are to be delivered.",
    "webhook_oldest_due_seconds": "Seconds for which the oldest webhook that is due has waited.",
    "webhook_endpoints": "Webhook endpoints by status.",
    "workers": "Workers that gave a sign of life within 30 seconds.",
}


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)


class DatabaseCollector(Collector):
    """Asks the database at each scrape. When it is down, the scrape says so and goes on."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("claimdrift_database_up", "Whether the database answered.")
        try:
            rows = maintenance_metrics()
        except Error as error:
            logger.warning("no metrics from the database", exc_info=error)
            rows = []
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        yield up
        for name, description in FROM_DATABASE.items():
            mine = [row for row in rows if row.name == name]
            labels = sorted(mine[0].labels) if mine else []
            family = GaugeMetricFamily(f"claimdrift_{name}", description, labels=labels)
            for row in mine:
                family.add_metric([row.labels[label] for label in labels], row.value)
            yield family


@csrf_exempt
def metrics(request: HttpRequest) -> HttpResponse:
    """GET /metrics, with METRICS_TOKEN as bearer token where one is set."""
    if request.method not in {"GET", "HEAD"}:
        return problem_response(
            request, 405, "method_not_allowed", "Only GET works here.", {"Allow": "GET, HEAD"}
        )
    shown = request.headers.get("Authorization", "").encode("utf-8", "replace")
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    if settings.METRICS_TOKEN and not hmac.compare_digest(shown, wanted):
        return problem_response(
            request,
            401,
            "not_authenticated",
            "Send the metrics token as Authorization: Bearer.",
            {"WWW-Authenticate": "Bearer"},
        )
    # Under gunicorn the processes count into files, which are added up here (core/gunicorn.py).
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    database = CollectorRegistry()
    database.register(DatabaseCollector())
    body = generate_latest(registry) + generate_latest(database)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)
