"""The real `manage.py ingest` killed in the middle, and weighed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.acceptance.together import DatabaseUrl
from tests.conftest import Connect
from tests.database import Database
from tests.ingest.loading import HEADER, row
from tests.ingest.processes import (
    ended,
    start_ingest,
    wait_for_copy,
    wait_for_waiters,
    wait_until_gone,
)
from tests.portfolio import Portfolio

ROWS = [row(claim_number=f"C{n}", payer=f"Payer {n % 5}") for n in range(2000)]
FILE = "\n".join([HEADER, *ROWS, row(outcome="?"), ""]).encode()
TABLES = ("upload", "upload_error", "claim", "payer", "cpt_group")

# Runs manage.py as it is and prints the peak of its memory when it ends.
WEIGH = """
import atexit, pathlib, re, runpy, sys
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search("VmHWM.*", status.read_text())[0]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def stored(portfolio: Portfolio) -> dict[str, int]:
    return {table: len(portfolio.rows(table)) for table in TABLES}


def queued(portfolio: Portfolio) -> int:
    jobs: int = portfolio.owner.value(
        "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'customer_id' = %s",
        str(portfolio.customer_id),
    )
    return jobs


def check_that_a_rerun_completes(
    portfolio: Portfolio, database_url: DatabaseUrl, file: Path
) -> None:
    rerun = start_ingest(file, portfolio, database_url)
    stdout, stderr = rerun.communicate()
    assert (rerun.returncode, stderr) == (0, b"")
    assert b"  inserted         2,000\n" in stdout
    # One upload is the portfolio's own.
    assert stored(portfolio) == {
        "upload": 2,
        "upload_error": 1,
        "claim": 2000,
        "payer": 5,
        "cpt_group": 1,
    }
    assert queued(portfolio) == 1


def test_killed_while_streaming_it_leaves_nothing(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect, tmp_path: Path
) -> None:
    before = stored(portfolio)
    superuser = Database(connect("postgres"))
    process = start_ingest("-", portfolio, database_url)
    with ended(process):
        assert process.stdin
        # The pipe stays open: for the process there is more to come.
        process.stdin.write(FILE * 3)
        process.stdin.flush()
        session = wait_for_copy(superuser, process)
        process.kill()
        wait_until_gone(superuser, session)

    assert stored(portfolio) == before
    file = tmp_path / "claims.csv"
    file.write_bytes(FILE)
    check_that_a_rerun_completes(portfolio, database_url, file)


# At its first write, while payers are created, before the claims, and after all of them: where
# detection is queued.
@pytest.mark.parametrize("table", ["upload", "payer", "claim", "procrastinate_jobs"])
def test_killed_while_merging_it_leaves_nothing(
    portfolio: Portfolio,
    database_url: DatabaseUrl,
    owner: Database,
    connect: Connect,
    tmp_path: Path,
    table: str,
) -> None:
    before = stored(portfolio)
    file = tmp_path / "claims.csv"
    file.write_bytes(FILE)
    holder = Database(connect("claimdrift_migrator"))
    holder.execute("BEGIN")
    holder.execute(f"LOCK TABLE {table} IN SHARE MODE")
    process = start_ingest(file, portfolio, database_url)
    with ended(process):
        [session] = wait_for_waiters(holder, 1, process)
        process.kill()
        # The server notices by itself, although the session still waits for the lock.
        wait_until_gone(owner, session)
    holder.execute("COMMIT")

    assert (stored(portfolio), queued(portfolio)) == (before, 0)
    check_that_a_rerun_completes(portfolio, database_url, file)


def test_a_rerun_need_not_wait_until_the_server_has_noticed(
    portfolio: Portfolio, database_url: DatabaseUrl, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "claims.csv"
    file.write_bytes(FILE)
    holder = Database(connect("claimdrift_migrator"))
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE claim IN SHARE MODE")
    killed = start_ingest(file, portfolio, database_url)
    with ended(killed):
        wait_for_waiters(holder, 1, killed)
        killed.kill()
    holder.execute("COMMIT")

    rerun = start_ingest(file, portfolio, database_url)
    stdout, stderr = rerun.communicate()

    # The killed one's session may have been so far that it could commit; never in part.
    assert (rerun.returncode, stderr) == (0, b"")
    assert b"  inserted         2,000\n" in stdout or b"so nothing was done" in stdout
    assert stored(portfolio)["claim"] == 2000
    assert stored(portfolio)["upload"] == 2


def peak_kb(portfolio: Portfolio, database_url: DatabaseUrl, file: Path, rows: int) -> int:
    """VmHWM of `manage.py ingest` with a file of so many rows."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write(HEADER + "\n")
        for n in range(rows):
            # Some rows are quoted: both ways of the reader are weighed.
            payer = '"Aetna, Inc."' if n % 5000 == 0 else "Aetna"
            stream.write(row(claim_number=f"{rows}-{n}", payer=payer) + "\n")
    manage = str(settings.BASE_DIR / "manage.py")
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-c", WEIGH, manage, "ingest", str(file), "--customer", portfolio.slug],
        env={**os.environ, "DATABASE_URL": database_url("claimdrift_worker")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(rf"inserted +{rows:,}\n", process.stdout)
    peak = re.search(r"VmHWM:\s+(\d+) kB", process.stdout)
    assert peak
    return int(peak[1])


def test_memory_does_not_grow_with_the_file(
    portfolio: Portfolio, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    file = tmp_path / "claims.csv"
    small = peak_kb(portfolio, database_url, file, 20_000)
    large = peak_kb(portfolio, database_url, file, 200_000)

    # The larger file itself has 14 MB more; 2 million rows at this slope would be 50 MB.
    assert large - small < 5 * 1024, (small, large)
