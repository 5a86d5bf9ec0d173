"""Time the import of claims beside a bare COPY of the same file, and weigh the process.

    python -m perf.ingest_bench [--quick]

`core.ingest.load_claims` with 100k and 1M rows against COPY into a table of text columns without an
index; the same file again with --force, of which every row is unchanged; and the peak memory of the
`manage.py ingest` process with 2M rows. `insert` is what the table itself costs: one INSERT of the
same rows, with their types already, into a table with claim's indexes and checks but no foreign
keys. The phases are those of one load. Bars: at most 6 times the bare COPY; under 200 MB. Exit 1
when one is missed.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

import django
from django.conf import settings
from django.db import connections
from psycopg2.extensions import connection as Connection

from perf.bench import BenchDatabase, milliseconds, run, save

SEED = 20260601
REPEAT = 3
BAR_RATIO = 6.0
BAR_MB = 200.0
COLUMNS = (
    "claim_number,line_number,payer,cpt,submitted_date,decided_date,outcome,"
    "billed_amount,allowed_amount,paid_amount,denial_code"
)
# Runs manage.py as it is and prints the peak of its memory when it ends.
WEIGH = """
import atexit, pathlib, re, runpy, sys
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search("VmHWM.*", status.read_text())[0]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def write_claims(path: Path, rows: int) -> None:
    """A file as a billing system exports it: by submission, one to three lines for a claim."""
    rng = random.Random(SEED)  # noqa: S311 (repeatable)
    payers = [f"Payer {n} Health Plan" for n in range(40)]
    cpts = [str(99000 + n) for n in range(400)]
    start = date(2025, 6, 1)
    days = [(start + timedelta(n)).isoformat() for n in range(420)]
    number, line = 1_000_000, 1
    with path.open("w", encoding="utf-8") as file:
        file.write(COLUMNS + "\n")
        for row in range(rows):
            if line == 3 or rng.random() < 0.6:
                number, line = number + rng.randrange(1, 4), 1
            else:
                line += 1
            submitted = row * 360 // rows
            key = f"CLM{number},{line},{rng.choice(payers)},{rng.choice(cpts)},{days[submitted]}"
            billed = rng.randrange(4000, 90_000) / 100
            drawn = rng.random()
            if drawn < 0.05:
                file.write(f"{key},,PENDING,{billed:.2f},,,\n")
                continue
            decided = days[submitted + rng.randrange(3, 60)]
            if drawn < 0.15:
                file.write(f"{key},{decided},DENIED,{billed:.2f},,0.00,CO-{rng.randrange(200)}\n")
            else:
                paid = f"{billed * 0.6:.2f}"
                file.write(f"{key},{decided},PAID,{billed:.2f},{paid},{paid},\n")


def copy_bare(connection: Connection, path: Path) -> None:
    with path.open("rb") as file, connection.cursor() as cursor:
        cursor.copy_expert("COPY bare FROM STDIN (FORMAT csv, HEADER)", file)


def add_customer(connection: Connection, slug: str) -> int:
    [[customer_id]] = run(
        connection, "INSERT INTO customer (name, slug) VALUES (%s, %s) RETURNING id", slug, slug
    )
    return int(customer_id)


def load(path: Path, customer_id: int, **expected: int) -> None:
    """Load the file, loaded before or not; what became of its rows is `expected`."""
    from core.ingest import load_claims

    with path.open("rb") as file:
        upload = load_claims(file, customer_id=customer_id, filename=path.name, force=True)
    assert upload.status == "completed"
    assert {name: getattr(upload, name) for name in expected} == expected


def measure(database: BenchDatabase, path: Path, rows: int) -> dict[str, Any]:
    """Rows a second of the load and of the bare COPY, both into a table that was empty."""
    owner = database.connect("claimdrift_migrator")
    write_claims(path, rows)
    columns = ", ".join(f"{name} text" for name in COLUMNS.split(","))
    copies: list[float] = []
    loads: list[float] = []
    agains: list[float] = []
    for _ in range(REPEAT):
        run(owner, "DROP TABLE IF EXISTS bare")
        run(owner, f"CREATE TABLE bare ({columns})")
        run(owner, "TRUNCATE claim")
        copies.append(milliseconds(partial(copy_bare, owner, path), repeat=1))
        customer_id = add_customer(owner, f"bench-{rows}-{len(loads)}")
        inserted = partial(load, path, customer_id, rows_inserted=rows)
        loads.append(milliseconds(inserted, repeat=1))
        run(owner, "VACUUM (ANALYZE) claim")
        unchanged = partial(load, path, customer_id, rows_unchanged=rows)
        agains.append(milliseconds(unchanged, repeat=1))
    floor = insert_floor(owner)
    run(owner, "TRUNCATE claim")
    steps = phases(owner, path, add_customer(owner, f"phases-{rows}"))
    owner.close()
    copy, loaded, again = (statistics.median(times) for times in (copies, loads, agains))
    return {
        "rows": rows,
        "mb": round(path.stat().st_size / 1e6, 1),
        "copy_ms": round(copy),
        "load_ms": round(loaded),
        "load_rows_per_s": round(rows / loaded * 1000),
        "load_to_copy": round(loaded / copy, 2),
        "unchanged_ms": round(again),
        "unchanged_to_copy": round(again / copy, 2),
        "insert_to_copy": round(floor / copy, 2),
        **{f"{name}_phase_ms": time for name, time in steps.items()},
    }


def insert_floor(owner: Connection) -> float:
    """Milliseconds of the INSERT alone, for the claims that are there."""
    run(owner, "CREATE TABLE floor (LIKE claim INCLUDING ALL)")
    try:
        return milliseconds(
            partial(run, owner, "INSERT INTO floor OVERRIDING SYSTEM VALUE SELECT * FROM claim"),
            repeat=1,
        )
    finally:
        run(owner, "DROP TABLE floor")


def phases(owner: Connection, path: Path, customer_id: int) -> dict[str, int]:
    """Milliseconds of each step of one load into a customer without claims."""
    from core.ingest import ClaimFile

    run(owner, "BEGIN; SET LOCAL work_mem = '128MB'; SELECT ingest.create_staging()")
    [[upload_id]] = run(
        owner,
        "INSERT INTO upload (customer_id, filename, sha256, size_bytes)"
        " VALUES (%s, 'phases.csv', repeat('0', 64), 0) RETURNING id",
        customer_id,
    )
    with path.open("rb") as file, owner.cursor() as cursor:
        claim_file = ClaimFile(file)
        columns = ", ".join(("line", "fault_column", "fault", *claim_file.header.columns))
        rows = claim_file.rows()

        class Source:
            def read(self, _size: int = -1) -> bytes:
                return next(rows, b"")

        source: Any = Source()
        copy = f"COPY pg_temp.staging ({columns}) FROM STDIN (FORMAT csv)"
        steps = {
            "copy": lambda: cursor.copy_expert(copy, source),
            "validate": lambda: run(
                owner, "SELECT ingest.validate_staging(%s, %s)", customer_id, upload_id
            ),
            "resolve": lambda: run(
                owner, "SELECT ingest.resolve_staging(%s), ingest.create_typed('')", customer_id
            ),
            "write": lambda: run(
                owner, "SELECT ingest.write_claims(%s, %s, false)", customer_id, upload_id
            ),
            "commit": lambda: run(owner, "COMMIT"),
        }
        return {name: round(milliseconds(step, repeat=1)) for name, step in steps.items()}


def peak_mb(database: BenchDatabase, path: Path, rows: int) -> float:
    """VmHWM of `manage.py ingest`."""
    write_claims(path, rows)
    slug = f"memory-{rows}"
    with closing(database.connect()) as connection:
        add_customer(connection, slug)
    manage = str(settings.BASE_DIR / "manage.py")
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-c", WEIGH, manage, "ingest", str(path), "--customer", slug],
        env={**os.environ, "DATABASE_URL": database.url("claimdrift_worker")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert re.search(rf"inserted +{rows:,}\b", process.stdout), process.stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", process.stdout)
    assert peak
    return int(peak[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the volumes, no bars")
    scale = 10 if parser.parse_args().quick else 1
    django.setup()
    database = BenchDatabase("perf_ingest")
    connections["default"].settings_dict |= {"NAME": database.name, "USER": "claimdrift_worker"}
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "claims.csv"
            rows = [measure(database, path, n // scale) for n in (100_000, 1_000_000)]
            memory = round(peak_mb(database, path, 2_000_000 // scale), 1)
    finally:
        connections.close_all()
        database.close()
    save(
        "ingest",
        rows,
        keep=scale == 1,
        seed=SEED,
        memory={"rows": 2_000_000 // scale, "peak_mb": memory},
        bars={"load_to_copy": BAR_RATIO, "peak_mb": BAR_MB},
    )
    print(f"peak memory with {2_000_000 // scale:,} rows: {memory} MB")
    if scale > 1:
        return 0
    missed = [
        f"{row['rows']:,} rows within {BAR_RATIO:.0f} times the bare COPY"
        for row in rows
        if row["load_to_copy"] > BAR_RATIO
    ]
    if memory >= BAR_MB:
        missed.append(f"2 million rows under {BAR_MB:.0f} MB")
    for bar in missed:
        print(f"missed: {bar}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
