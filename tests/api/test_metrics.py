"""/metrics: text that Prometheus' own parser reads, with nobody's name in it."""

import re

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import FROM_DATABASE
from tests.api.test_health import without_database
from tests.database import Database
from tests.portfolio import Portfolio

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Values by name and labels; that each comes once is part of the format."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def scrape(browser: Client) -> Samples:
    response = browser.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    return samples(response.content.decode())


def test_requests_are_counted_by_method_route_and_status(browser: Client) -> None:
    key = ("claimdrift_http_requests_total",
           (("method", "GET"), ("route", "/health/live"), ("status", "200")))  # fmt: skip
    before = scrape(browser).get(key, 0)
    for _ in range(3):
        browser.get("/health/live?Jane=Doe")
    after = scrape(browser)

    assert after[key] == before + 3
    assert after[("claimdrift_http_request_seconds_count",
                  (("method", "GET"), ("route", "/health/live")))] >= 3  # fmt: skip
    assert not any("Jane" in str(key) for key in after)


def test_made_up_paths_and_methods_make_no_series(browser: Client) -> None:
    for number in range(3):
        browser.get(f"/no/such/page/{number}")
        browser.generic(f"MADEUP{number}", "/nowhere")
    text = str(scrape(browser))

    assert "/no/such/page" not in text
    assert "MADEUP" not in text
    assert "('route', 'unmatched'), ('status', '404')" in text


def test_all_that_the_database_tells_is_there(browser: Client, portfolio: Portfolio) -> None:
    portfolio.worker.execute(
        "SELECT drift.queue_detection(p_customer_id => %s)", portfolio.customer_id
    )
    found = scrape(browser)
    names = {name for name, _ in found}

    assert found["claimdrift_database_up", ()] == 1
    assert {
        "claimdrift_drift_runs",
        "claimdrift_drift_run_age_hours",
        "claimdrift_alerts",
        "claimdrift_uploads_waiting",
        "claimdrift_jobs",
        "claimdrift_oldest_job_seconds",
        "claimdrift_workers",
    } < names
    assert found["claimdrift_jobs", (("queue", "detection"), ("status", "todo"))] >= 1


def test_no_customer_is_named(browser: Client, portfolio: Portfolio, owner: Database) -> None:
    text = browser.get("/metrics").content.decode()

    assert portfolio.slug not in text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert not {"customer", "customer_id", "id", "slug", "user"} & set(sample.labels)


def test_without_a_database_the_rest_is_still_told(browser: Client) -> None:
    with without_database():
        found = scrape(browser)

    assert found["claimdrift_database_up", ()] == 0
    assert any(name == "claimdrift_http_requests_total" for name, _ in found)
    assert not any(name == "claimdrift_jobs" for name, _ in found)


@pytest.mark.parametrize(
    "header", ["", "Bearer wrong", "Bearer ", "right-token", "Basic right-token", "Bearer käse"]
)
def test_a_token_is_asked_for_where_one_is_set(
    browser: Client, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setattr(settings, "METRICS_TOKEN", "right-token")

    response = browser.get("/metrics", headers={"Authorization": header})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json()["code"] == "not_authenticated"
    assert "claimdrift_" not in response.content.decode()

    right = browser.get("/metrics", headers={"Authorization": "Bearer right-token"})
    assert right.status_code == 200


def test_the_page_on_operations_describes_every_metric() -> None:
    page = (settings.BASE_DIR / "docs/operations.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `(claimdrift_\w+)` \|", page, re.MULTILINE))

    assert described == {
        "claimdrift_http_requests_total",
        "claimdrift_http_request_seconds",
        "claimdrift_database_up",
        *(f"claimdrift_{name}" for name in FROM_DATABASE),
    }
