"""docs/webhooks.md: its events are those that the database writes, its limits those of the code."""

import json
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from core import functions
from core.models.webhooks import EventType
from core.webhooks import addresses, secrets, sender
from tests.alerts.stories import CRITICAL, DAY, INFO, tell, week
from tests.conftest import Connect
from tests.core.webhooks_page import PAGE, block, table
from tests.database import Database
from tests.drift.requested import request
from tests.ingest.loading import ROW, load
from tests.portfolio import Portfolio

# Retries


def say(seconds: int) -> str:
    for name, size in (("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {name if number != 1 else name[:-1]}"
    raise AssertionError


def test_the_retry_table_is_the_schedule_by_default() -> None:
    assert "CLAIMDRIFT_WEBHOOK_SCHEDULE" not in os.environ

    *rows, last = table("When it fails")

    assert rows == [
        [str(number), say(delay)] for number, delay in enumerate(settings.WEBHOOK_SCHEDULE, start=1)
    ]
    hours = sum(settings.WEBHOOK_SCHEDULE) / 3600
    assert last[0] == str(len(rows) + 1)
    assert f"{hours:.0f} to {hours * 1.2:.0f} hours" in last[1]


# Once, and in order


def test_the_statements_keep_the_newest_of_what_comes_twice_and_in_any_order(
    connect: Connect,
) -> None:
    text = re.sub(r":(\w+)", r"%(\1)s", block("sql", "webhook_seen"))
    tables, statements = re.split(r"^-- .*\n", text, flags=re.MULTILINE)
    versions = {1: "open", 2: "acknowledged", 3: "resolved"}
    with connect("claimdrift_migrator").cursor() as cursor:
        cursor.execute("SET search_path = pg_temp")
        cursor.execute(tables)
        for version in (2, 1, 3, 2, 1, 3):
            event = {"id": f"msg_{version}", "alert_id": 5, "version": version}
            cursor.execute(statements, event | {"status": versions[version]})
        cursor.execute(
            "SELECT version, status, (SELECT count(*) FROM webhook_seen) FROM their_alert"
        )
        assert cursor.fetchall() == [(3, "resolved", 3)]


# Events


@pytest.fixture(scope="module")
def told(owner: Database, worker: Database) -> dict[str, Any]:
    """An event of each type, as the database wrote it."""
    portfolio = Portfolio(owner, worker)
    customer_id = portfolio.customer_id
    tell(portfolio, (DAY, INFO), (week(2), CRITICAL))
    portfolio.detect(DAY)
    portfolio.acknowledge()
    portfolio.detect(week(2))
    portfolio.resolve()
    portfolio.reopen()
    load(portfolio, ROW)
    load(portfolio, ROW.replace("PAID", "LOST"))
    run_id = request(portfolio, DAY - timedelta(days=1))
    functions.drift_fail_run(customer_id=customer_id, run_id=run_id, error="It took too long.")
    endpoint_id, _ = [
        worker.value(
            "SELECT webhooks.create_endpoint(%s, %s, 'Ours', NULL, NULL, 'secret', 'key')",
            customer_id,
            f"https://{name}.example.com/webhooks",
        )
        for name in ("former", "other")
    ]
    delivery_id = functions.webhooks_send_test(customer_id=customer_id, endpoint_id=endpoint_id)
    worker.value("SELECT decision FROM webhooks.begin_attempt(%s, %s)", customer_id, delivery_id)
    worker.value(
        "SELECT webhooks.finish_attempt(%s, %s, 1, 12, 410, 'Gone')", customer_id, delivery_id
    )
    return {row["type"]: row["payload"] for row in portfolio.rows("webhook_event")}


EXAMPLES: dict[str, Any] = {
    example["type"]: example
    for example in map(json.loads, re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S))
}


def shape(value: Any, other: Any) -> Any:
    """Keys and types; a value that may be null is what the other one is."""
    if isinstance(value, dict):
        given = other if isinstance(other, dict) else {}
        return {key: shape(found, given.get(key)) for key, found in value.items()}
    found = other if value is None else value
    return "number" if isinstance(found, int | float) else type(found).__name__


def test_every_type_of_event_has_an_example(told: dict[str, Any]) -> None:
    assert set(EXAMPLES) == set(EventType.values) == set(told)
    assert re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE) == EventType.values


@pytest.mark.parametrize("event_type", EventType.values)
def test_an_example_is_as_the_database_writes_it(told: dict[str, Any], event_type: str) -> None:
    example, real = EXAMPLES[event_type], told[event_type]

    assert shape(example, real) == shape(real, example)
    assert example["type"] == event_type
    # jsonb has its own order of keys, in which they are sent.
    assert list(example) == list(real)
    assert list(example["data"]) == list(real["data"])


# What the page says of settings and limits


@pytest.mark.parametrize(
    ("said", "sql"),
    [
        ("at most 40 requests", "SELECT webhooks.customer_capacity() = 40"),
        ("24 hours at most", "SELECT webhooks.retry_after('999999', now()) = interval '24 hours'"),
    ],
)
def test_a_limit_in_the_database_is_what_the_page_says(
    owner: Database, said: str, sql: str
) -> None:
    assert said in PAGE
    assert owner.value(sql)


def test_the_senders_limits_are_what_the_page_says() -> None:
    assert f"within {sender.DEADLINE_SECONDS:.0f} seconds" in PAGE
    assert f"its first {sender.MAX_RESPONSE_BYTES // 1000} kB" in PAGE
    assert f"at most {addresses.MAX_LENGTH} characters" in PAGE
    assert sender.USER_AGENT.startswith("claimdrift/")


def test_the_requests_name_operations_that_the_api_has() -> None:
    paths = yaml.safe_load((settings.BASE_DIR / "api/openapi.yaml").read_text())["paths"]
    operations = {
        (method, re.sub(r"\{\w+\}", "{id}", path))
        for path, item in paths.items()
        for method in item
    }
    requests = re.findall(r"^curl (.*?)$(?!\n )", block("bash", "API="), re.M | re.S)

    assert len(requests) >= 9
    for text in requests:
        [path] = re.findall(r'"\$API(/[^"]*)"', text)
        method = "post" if "-X POST" in text or " -d " in text else "get"
        assert (method, "/api/v1" + re.sub(r"\d+", "{id}", path)) in operations, text


# What the page on operations says


def operations(language: str) -> list[str]:
    page = (settings.BASE_DIR / "docs/operations.md").read_text(encoding="utf-8")
    section = page.split("\n## Webhooks\n", 1)[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def test_the_queries_for_operators_run_as_the_worker(worker: Database) -> None:
    statements = [sql for text in operations("sql") for sql in re.findall(r"[^;]+;", text)]

    assert len(statements) == 4
    for statement in statements:
        worker.execute(statement)


def test_the_id_of_a_key_is_what_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [script] = operations("sh")
    result = subprocess.run(  # noqa: S603 (the page's own text)
        ["sh", "-euc", script],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    key = (tmp_path / "new.key").read_text(encoding="ascii").strip()
    monkeypatch.setattr(settings, "WEBHOOK_KEYS", [key])
    secrets._keys.cache_clear()
    try:
        assert secrets.create(customer_id=1).key_id == result.stdout.strip()
    finally:
        secrets._keys.cache_clear()
