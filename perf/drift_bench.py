"""Time `drift.detect` beside the simple method and a bare count over the same index range.

    python -m perf.drift_bench [--quick]

One customer with 10k, 100k and 1M claims in its windows, and one with 10k among 5M of others.
The simple method (`threshold`) knows neither dispersion nor tests nor payers as a whole. Bars: at
most twice its time at each size; the neighbours' rows cost nothing. Exit 1 when one is missed.
"""

import argparse
import os
import statistics
import sys
from datetime import date

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

from psycopg2.extensions import connection as Connection

from perf.bench import BenchDatabase, milliseconds, run, save

AS_OF = date(2026, 6, 1)
SEED = 20260601
BAR_SIMPLE = 2.0  # times the simple method
BAR_NEIGHBOURS = 1.5  # times the same customer alone


def add_customer(owner: Connection, slug: str, claims: int, groups: int, days: int = 238) -> int:
    """A customer whose `claims` were decided in the last `days`: 238 with the guard band."""
    [[customer_id]] = run(
        owner, "INSERT INTO customer (name, slug) VALUES (%s, %s) RETURNING id", slug, slug
    )
    payers = max(1, groups // 40)
    run(owner, "SELECT setseed(%s)", (SEED % 1000) / 1000)
    run(
        owner,
        """
        INSERT INTO payer (customer_id, name) SELECT %(c)s, 'Payer ' || n
            FROM generate_series(1, %(p)s) AS n;
        INSERT INTO cpt_group (customer_id, name) SELECT %(c)s, 'Group ' || n
            FROM generate_series(1, %(g)s) AS n;
        INSERT INTO upload (customer_id, filename, sha256, size_bytes)
            VALUES (%(c)s, 'bench.csv', repeat('0', 64), 0);
        """.replace("%(c)s", str(customer_id))
        .replace("%(p)s", str(payers))
        .replace("%(g)s", str(groups // payers)),
    )
    run(
        owner,
        """
        WITH drawn AS MATERIALIZED (
            SELECT
                n,
                %s::date - 1 - (random() * %s)::int AS decided,
                (5 + random() * random() * 40)::int AS days,
                CASE WHEN random() < 0.1 THEN 'DENIED' ELSE 'PAID' END AS outcome,
                1 + floor(power(random(), 2) * %s)::int AS payer,
                1 + floor(random() * %s)::int AS cpt
            FROM generate_series(1, %s) AS n
        )
        INSERT INTO claim (customer_id, claim_number, payer_id, payer_name, cpt, cpt_group_id,
            submitted_date, decided_date, outcome, first_decided_date, first_outcome,
            billed_amount, upload_id)
        SELECT p.customer_id, 'C' || r.n, p.id, 'Payer', '99213', g.id, r.decided - r.days,
            r.decided, r.outcome, r.decided, r.outcome, 120, u.id
        FROM drawn AS r
        JOIN (SELECT *, row_number() OVER (ORDER BY id) AS i FROM payer WHERE customer_id = %s)
            AS p ON p.i = r.payer
        JOIN (SELECT id, row_number() OVER (ORDER BY id) AS i FROM cpt_group WHERE customer_id = %s)
            AS g ON g.i = r.cpt
        CROSS JOIN (SELECT id FROM upload WHERE customer_id = %s) AS u
        ORDER BY r.decided
        """,
        AS_OF,
        days - 1,
        payers,
        groups // payers,
        claims,
        customer_id,
        customer_id,
        customer_id,
    )
    return int(customer_id)


def measure(connection: Connection, customer_id: int) -> dict[str, float]:
    """Milliseconds of measure by either method and of detect, with their ratios."""
    count = (
        "SELECT count(*) FROM claim WHERE customer_id = %s"
        " AND first_decided_date >= %s::date - 238 AND first_decided_date < %s"
    )
    bare = milliseconds(lambda: run(connection, count, customer_id, AS_OF, AS_OF))
    # Turn by turn, so that whatever else the machine does meets both.
    times: dict[str, list[float]] = {"threshold": [], "significance": []}
    for _ in range(5):
        for method, results in times.items():
            run(
                connection,
                "UPDATE drift_settings SET method = %s WHERE customer_id = %s",
                method,
                customer_id,
            )
            results.append(
                milliseconds(
                    lambda: run(
                        connection,
                        "SELECT count(*) FROM drift.measure(%s, %s)",
                        customer_id,
                        AS_OF,
                    ),
                    repeat=1,
                )
            )
    simple, measured = (statistics.median(results) for results in times.values())
    # The first run writes; the others find nothing to change.
    first = milliseconds(
        lambda: run(connection, "SELECT drift.detect(%s, %s)", customer_id, AS_OF), repeat=1
    )
    again = milliseconds(lambda: run(connection, "SELECT drift.detect(%s, %s)", customer_id, AS_OF))
    return {
        "bare_count_ms": round(bare, 1),
        "simple_ms": round(simple, 1),
        "measure_ms": round(measured, 1),
        "to_simple": round(measured / simple, 2),
        "detect_first_ms": round(first, 1),
        "detect_again_ms": round(again, 1),
        "detect_to_count": round(first / bare, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the volumes, no bars")
    scale = 10 if parser.parse_args().quick else 1
    database = BenchDatabase("perf_drift")
    try:
        owner = database.connect("claimdrift_migrator")
        worker = database.connect()
        rows: list[dict[str, float]] = []
        for claims, groups in ((10_000, 100), (100_000, 400), (1_000_000, 2000)):
            customer = add_customer(owner, f"alone-{claims}", claims // scale, groups)
            run(owner, "VACUUM (ANALYZE) claim")
            rows.append({"claims": claims // scale, "groups": groups, "others": 0})
            rows[-1] |= measure(worker, customer)
        for n in range(5):
            add_customer(owner, f"neighbour-{n}", 1_000_000 // scale, 2000)
        small = add_customer(owner, "small", 10_000 // scale, 100)
        run(owner, "VACUUM (ANALYZE) claim")
        rows.append({"claims": 10_000 // scale, "groups": 100, "others": 6_110_000 // scale})
        rows[-1] |= measure(worker, small)
    finally:
        database.close()
    save(
        "drift",
        rows,
        keep=scale == 1,
        seed=SEED,
        bars={"to_simple": BAR_SIMPLE, "neighbours": BAR_NEIGHBOURS},
    )
    if scale > 1:
        return 0
    missed = [
        name
        for name, ok in (
            *(
                (
                    f"{row['claims']} claims in {BAR_SIMPLE:g} times the simple method's time",
                    row["to_simple"] <= BAR_SIMPLE,
                )
                for row in rows[:3]
            ),
            (
                "independent of the neighbours' rows",
                rows[3]["detect_first_ms"] < BAR_NEIGHBOURS * rows[0]["detect_first_ms"],
            ),
        )
        if not ok
    ]
    for bar in missed:
        print(f"missed: {bar}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
