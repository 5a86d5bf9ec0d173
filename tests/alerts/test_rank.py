"""`alerts.rank`: the order of levels."""

from tests.database import Database


def test_levels_rise_from_info_to_critical(worker: Database) -> None:
    assert worker.execute(
        "SELECT alerts.rank(level) FROM unnest(ARRAY['info', 'warning', 'critical', 'x', NULL])"
        " WITH ORDINALITY AS l (level, i) ORDER BY i"
    ) == [(1,), (2,), (3,), (None,), (None,)]
