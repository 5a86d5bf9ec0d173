"""/health/live and /health/ready, in front of databases that are fine and that aren't."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from api import health
from tests.database import Database


def is_not_ready(browser: Client, check: str) -> bool:
    response = browser.get("/health/ready")
    problem = response.json()
    assert (response.status_code, problem["code"], response["Retry-After"]) == (
        503,
        "unavailable",
        "5",
    )
    assert response["Content-Type"] == "application/problem+json"
    return bool(problem["detail"] == f"Not ready: {check}.")


def test_ready_names_all_its_checks(browser: Client) -> None:
    assert browser.get("/health/ready").json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "queue": "ok"},
    }


def test_it_leaves_no_role_behind(browser: Client) -> None:
    browser.get("/health/ready")

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("none", "30s")


@contextmanager
def without_database() -> Iterator[None]:
    """Django's connection leads to a database that isn't there."""
    former = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = "there_is_no_such_database"
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = former


def test_without_a_database_it_lives_and_is_not_ready(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with without_database():
        assert browser.get("/health/live").json() == {"status": "live"}
        with caplog.at_level(logging.WARNING, "api.health"):
            assert is_not_ready(browser, "database")
    assert "not ready: database" in caplog.text
    assert browser.get("/health/ready").status_code == 200


def test_a_migration_that_was_not_applied(browser: Client, owner: Database) -> None:
    name = max(name for app, name in health.newest_migrations() if app == "core")
    owner.execute("DELETE FROM django_migrations WHERE app = 'core' AND name = %s", name)
    try:
        assert is_not_ready(browser, "migrations")
    finally:
        owner.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('core', %s, now())", name
        )
    assert browser.get("/health/ready").status_code == 200


def test_newer_migrations_than_ours_do_no_harm(browser: Client, owner: Database) -> None:
    owner.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('core', '9999_later', now())"
    )
    try:
        assert browser.get("/health/ready").status_code == 200
    finally:
        owner.execute("DELETE FROM django_migrations WHERE name = '9999_later'")


@pytest.mark.parametrize(
    ("table", "check"), [("django_migrations", "migrations"), ("procrastinate_jobs", "queue")]
)
def test_a_table_that_can_not_be_read(
    browser: Client, owner: Database, table: str, check: str
) -> None:
    owner.execute(f"REVOKE SELECT ON {table} FROM claimdrift_platform")
    try:
        assert is_not_ready(browser, check)
    finally:
        owner.execute(f"GRANT SELECT ON {table} TO claimdrift_platform")


def test_a_table_that_is_locked_is_not_waited_for_long(
    browser: Client, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_TIMEOUT", "50ms")
    owner.execute("BEGIN")
    owner.execute("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
    try:
        assert is_not_ready(browser, "queue")
    finally:
        owner.execute("ROLLBACK")


def test_health_is_for_reading(browser: Client) -> None:
    for url in ("/health/live", "/health/ready", "/metrics"):
        response = browser.delete(url)

        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
        assert response.json()["code"] == "method_not_allowed"
        assert browser.head(url).status_code == 200
