"""Production settings: what the environment turns on, and that Django's own check agrees."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core.environment import PREFIX, SECRETS, UNPREFIXED

PRODUCTION = {
    "CLAIMDRIFT_ALLOWED_HOSTS": "claims.example.com",
    "CLAIMDRIFT_HTTPS": "true",
    "CLAIMDRIFT_PROXIES": "1",
    "CLAIMDRIFT_METRICS_TOKEN": "a-token-for-prometheus",
    "CLAIMDRIFT_SECRET_KEY": "HGBYjyGWnvUOHsVYW0FL1vFp1Yc2tGm0qg8v5l2SxYk3tq6kQH0nVw",
}
SHOW = """
import json
from core import settings
print(json.dumps({k: v for k, v in vars(settings).items() if k.isupper()}, default=str))
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(database_url: Callable[[str], str]) -> Run:
    """Run Python with these settings and no others."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CLAIMDRIFT_")}
        return subprocess.run(  # noqa: S603 (our own commands)
            [sys.executable, *arguments],
            env={**environment, "DATABASE_URL": database_url("claimdrift_web"), **variables},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def shown(run: Run, **variables: str) -> dict[str, Any]:
    result = run("-c", SHOW, **variables)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_djangos_check_for_production_finds_nothing(run: Run) -> None:
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert result.returncode == 0, result.stderr


def test_it_would_find_something(run: Run) -> None:
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert result.returncode == 1
    assert "security.W008" in result.stderr


def test_https_turns_on_all_that_belongs_to_it(run: Run) -> None:
    found = shown(run, **PRODUCTION)

    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is found["SECURE_HSTS_PRELOAD"] is True
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert found["REST_FRAMEWORK"]["NUM_PROXIES"] == 1
    assert found["DEBUG"] is False


def test_a_developer_needs_none_of_it(run: Run) -> None:
    found = shown(run)

    assert found["SECURE_SSL_REDIRECT"] is found["SESSION_COOKIE_SECURE"] is False
    assert found["SECURE_HSTS_SECONDS"] == 0
    # Without a proxy of ours, nobody may say that a request came over HTTPS.
    assert found["SECURE_PROXY_SSL_HEADER"] is None
    assert found["REST_FRAMEWORK"]["NUM_PROXIES"] == 0
    assert found["MAX_BODY_BYTES"] == 1_000_000
    assert found["MAX_UPLOAD_BYTES"] == 1_000_000_000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CLAIMDRIFT_HTTPS", "yes", "CLAIMDRIFT_HTTPS must be true or false."),
        ("CLAIMDRIFT_PROXIES", "-1", "CLAIMDRIFT_PROXIES must be a whole number"),
        ("CLAIMDRIFT_MAX_BODY_BYTES", "1MB", "CLAIMDRIFT_MAX_BODY_BYTES must be a whole number"),
        ("CLAIMDRIFT_WEB_THREADS", "0", "CLAIMDRIFT_WEB_THREADS must be a whole number"),
        ("CLAIMDRIFT_SECRET_KEY", "hunter2", "CLAIMDRIFT_SECRET_KEY must have at least 50"),
    ],
)
def test_a_value_that_can_not_be_is_refused(run: Run, name: str, value: str, message: str) -> None:
    result = run("manage.py", "check", **{name: value})

    assert result.returncode != 0
    assert message in result.stderr.splitlines()[-1]
    assert "hunter2" not in result.stderr


def test_every_secret_may_lie_in_a_file(
    run: Run, tmp_path: Path, database_url: Callable[[str], str]
) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    secrets = {
        "DATABASE_URL": database_url("claimdrift_web"),
        "CLAIMDRIFT_METRICS_TOKEN": "a-token-for-prometheus",
        "CLAIMDRIFT_SECRET_KEY": PRODUCTION["CLAIMDRIFT_SECRET_KEY"],
        "CLAIMDRIFT_SECRET_KEY_FALLBACKS": "a-former-key another-one",
        "CLAIMDRIFT_WEBHOOK_KEYS": f"{key} {key}",
        "CLAIMDRIFT_WORKER_DATABASE_URL": database_url("claimdrift_worker"),
    }
    files = {}
    for name, secret in secrets.items():
        file = tmp_path / name
        file.write_text(f"{secret}\n", encoding="utf-8")
        files[f"{name}_FILE"] = str(file)
    found = shown(run, **files, DATABASE_URL="")

    assert found["DATABASE_URL"] == secrets["DATABASE_URL"]
    assert found["DATABASES"]["default"]["USER"] == "claimdrift_web"
    assert found["METRICS_TOKEN"] == secrets["CLAIMDRIFT_METRICS_TOKEN"]
    assert found["SECRET_KEY"] == PRODUCTION["CLAIMDRIFT_SECRET_KEY"]
    assert found["SECRET_KEY_FALLBACKS"] == ["a-former-key", "another-one"]
    assert found["WEBHOOK_KEYS"] == [key, key]
    assert found["WORKER_DATABASE_URL"] == secrets["CLAIMDRIFT_WORKER_DATABASE_URL"]
    assert {f"{PREFIX}{name}" if name not in UNPREFIXED else name for name in SECRETS} == set(
        secrets
    )
