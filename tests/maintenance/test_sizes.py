"""`maintenance.sizes`: every table once, the largest first."""

from datetime import date

from tests.database import Database
from tests.portfolio import Portfolio


def test_every_table_comes_once_and_the_largest_first(worker: Database) -> None:
    rows = worker.dicts("SELECT * FROM maintenance.sizes()")

    totals = [row["total_bytes"] for row in rows]
    assert totals == sorted(totals, reverse=True)
    assert sorted(row["table_name"] for row in rows) == [
        name
        for [name] in worker.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
    ]


def test_the_parts_add_up(worker: Database, portfolio: Portfolio) -> None:
    portfolio.decide(date(2026, 6, 1), paid=1000)
    portfolio.owner.execute("VACUUM (ANALYZE) claim")

    [row] = [
        row
        for row in worker.dicts("SELECT * FROM maintenance.sizes()")
        if row["table_name"] == "claim"
    ]

    assert row["table_bytes"] > 0
    assert row["index_bytes"] > 0
    assert row["toast_bytes"] >= 0
    assert row["total_bytes"] == row["table_bytes"] + row["index_bytes"] + row["toast_bytes"]
    assert row["total_bytes"] == worker.value("SELECT pg_total_relation_size('claim')")
    assert row["total"] == worker.value("SELECT pg_size_pretty(pg_total_relation_size('claim'))")
    assert row["rows_estimate"] >= 1000
    assert row["dead_rows"] >= 0
    assert row["last_vacuum"] is not None
    assert row["last_analyze"] is not None
