"""`drift.live_baselines`: what was normal for groups with an alert when the day began."""

import pytest

from tests.drift.former_alerts import EPISODES, Stretch, ask, day, insert
from tests.portfolio import Portfolio


def frozen(portfolio: Portfolio) -> list[int]:
    return [row["alert_id"] for row in ask(portfolio, "live_baselines")]


@pytest.mark.parametrize(("episodes", "live", "_days_out"), EPISODES)
def test_alerts_that_were_live_as_the_day_began_freeze(
    portfolio: Portfolio, episodes: list[Stretch], live: bool, _days_out: int
) -> None:
    alert_id = insert(portfolio, *episodes)

    assert frozen(portfolio) == ([alert_id] if live else [])


def test_what_was_frozen_is_what_the_alert_kept(portfolio: Portfolio) -> None:
    insert(portfolio, (20, None))
    insert(portfolio, (20, None), group=None)
    insert(portfolio, (20, None), metric="DECISION_DAYS")
    insert(portfolio, (20, None), group=None, metric="SILENCE")

    rows = {(row["cpt_group_id"], row["metric"]): row for row in ask(portfolio, "live_baselines")}

    group = portfolio.group("99213")
    assert set(rows) == {
        (group, "DENIAL_RATE"),
        (None, "DENIAL_RATE"),
        (group, "DECISION_DAYS"),
        (None, "SILENCE"),
    }
    for row in rows.values():
        assert row["payer_id"] == portfolio.payer("Aetna")
        assert (row["baseline_start"], row["baseline_end"]) == (day(300), day(200))
        assert (row["baseline_n"], row["dispersion"], row["nu"]) == (40, 1.5, 17)
    rate, days = rows[group, "DENIAL_RATE"], rows[group, "DECISION_DAYS"]
    assert (rate["baseline_x"], rate["baseline_value"], rate["strata"]) == (4, 0.1, None)
    assert (days["baseline_value"], days["baseline_days"], days["baseline_counts"]) == (
        5,
        [5],
        [40],
    )
    assert rows[None, "DENIAL_RATE"]["strata"] == [
        {"cpt_group_id": group, "n": 40, "x": 4, "dispersion": 1.5}
    ]


def test_of_two_directions_the_older_alert_counts(portfolio: Portfolio) -> None:
    first, second = insert(portfolio, (30, None)), insert(portfolio, (20, 10))
    portfolio.owner.execute(
        "UPDATE alert SET direction = 'down', status = 'open', resolved_as_of = NULL,"
        " resolved_by = NULL WHERE id = %s",
        second,
    )

    assert frozen(portfolio) == [first]
    portfolio.owner.execute(
        "UPDATE alert SET status = 'resolved', resolved_as_of = %s, resolved_by = 'user'"
        " WHERE id = %s",
        day(5),
        first,
    )
    assert frozen(portfolio) == [second]


def test_other_customers_are_not_asked(portfolio: Portfolio, make_portfolio: object) -> None:
    insert(make_portfolio(), (20, None))  # type: ignore[operator]

    assert frozen(portfolio) == []
