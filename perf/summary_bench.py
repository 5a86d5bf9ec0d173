"""Time `drift.payer_summary` as a tenant, beside a bare count over the same index range.

    python -m perf.summary_bench [--quick]

One customer with 1M claims in a year, 50 payers, the last 90 days and the 90 before: alone, and
among 2M of others. Bars: at most 2.5 times the count's time, since both read the same index entries
and medians come from a histogram; the neighbours' rows cost nothing. Exit 1 when one is missed.
"""

import argparse
import os
import statistics
import sys
from datetime import timedelta
from functools import partial
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

from psycopg2.extensions import connection as Connection

from core.context import ENTER
from perf.bench import BenchDatabase, milliseconds, run, save
from perf.drift_bench import AS_OF, SEED, add_customer

DAYS = 90
BAR_COUNT = 2.5  # times the bare count
BAR_NEIGHBOURS = 1.5  # times the same customer alone


def measure(web: Connection, customer_id: int) -> dict[str, float]:
    """Milliseconds of the summary and of the count, within a tenant's transaction."""
    web.autocommit = False
    run(web, ENTER, str(customer_id), "")
    start, end = AS_OF - timedelta(DAYS), AS_OF - timedelta(1)
    count = (
        "SELECT count(*) FROM claim WHERE customer_id = %s"
        " AND first_decided_date >= %s AND first_decided_date <= %s"
    )
    calls: dict[str, tuple[Any, ...]] = {
        count: (customer_id, start - timedelta(DAYS), end),
        "SELECT * FROM drift.payer_summary(%s, %s, %s)": (customer_id, start, end),
    }
    # Turn by turn, so that whatever else the machine does meets both.
    times: dict[str, list[float]] = {sql: [] for sql in calls}
    for sql, parameters in 15 * list(calls.items()):
        times[sql].append(milliseconds(partial(run, web, sql, *parameters), repeat=1))
    bare, summary = (statistics.median(results) for results in times.values())
    web.rollback()
    return {
        "bare_count_ms": round(bare, 1),
        "summary_ms": round(summary, 1),
        "to_count": round(summary / bare, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the volumes, no bars")
    scale = 10 if parser.parse_args().quick else 1
    claims = 1_000_000 // scale
    database = BenchDatabase("perf_summary")
    try:
        owner = database.connect("claimdrift_migrator")
        customer = add_customer(owner, "year", claims, 2000, days=365)
        run(owner, "VACUUM (ANALYZE) claim")
        rows = [
            {"claims": claims, "others": 0} | measure(database.connect("claimdrift_web"), customer)
        ]
        for number in range(2):
            add_customer(owner, f"neighbour-{number}", claims, 2000, days=365)
        run(owner, "VACUUM (ANALYZE) claim")
        rows.append({"claims": claims, "others": 2 * claims})
        rows[1] |= measure(database.connect("claimdrift_web"), customer)
    finally:
        database.close()
    save(
        "summary",
        rows,
        keep=scale == 1,
        seed=SEED,
        bars={"to_count": BAR_COUNT, "neighbours": BAR_NEIGHBOURS},
    )
    if scale > 1:
        return 0
    missed = [
        name
        for name, ok in (
            (f"{BAR_COUNT:g} times a bare count", rows[0]["to_count"] <= BAR_COUNT),
            (
                "independent of the neighbours' rows",
                rows[1]["summary_ms"] < BAR_NEIGHBOURS * rows[0]["summary_ms"],
            ),
        )
        if not ok
    ]
    for bar in missed:
        print(f"missed: {bar}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
