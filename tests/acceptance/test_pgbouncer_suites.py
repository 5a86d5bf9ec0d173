"""What the API's tests ask of it, asked through PgBouncer.

Its two sessions are used all the time by clients of another customer, with transactions that are
committed, rolled back and failed (tests/pooling.py), and in the end nothing may be left in them.
"""

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings

# Tests that cut or watch a session of their own, which nobody has here, and those that wait for
# timeouts which they shorten for it.
NOT_HERE = {
    "test_session": "not lose_the_connection",
    "test_demotion": "not while_another_request_is_running",
}


def run(suite: str, name: str = "") -> None:
    """Run a suite of tests/api, or one test of it, in a process of its own."""
    selected = ["-k", name or NOT_HERE[suite]] if name or suite in NOT_HERE else []
    result = subprocess.run(  # noqa: S603 (our own tests)
        [
            sys.executable,
            "-m",
            "pytest",
            "--quiet",
            "--through-pgbouncer",
            "-p",
            "no:cacheprovider",
            *selected,
            f"tests/api/{suite}.py",
        ],
        # A database of its own.
        env={
            **os.environ,
            "PYTEST_XDIST_WORKER": f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_pooled",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert re.search(r"^[1-9]\d* passed", result.stdout, re.M), result.stdout


def test_no_list_and_no_object_shows_a_foreign_row() -> None:
    run("test_independence", "test_no_list_and_no_object_shows_a_foreign_row")


@pytest.mark.long
@pytest.mark.parametrize(
    "suite",
    [
        "test_concurrent_writes",
        "test_demotion",
        "test_escalation",
        "test_independence",
        "test_isolation",
        "test_mass_assignment",
        "test_rbac",
        "test_session",
        "test_sign_in",
        "test_tokens",
        "test_writes",
    ],
)
def test_the_suite_passes(suite: str) -> None:
    run(suite)
