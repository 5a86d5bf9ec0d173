"""`alerts.rule_covers`: whether a rule is about this payer, group, metric and direction."""

from typing import Any

import psycopg2.extras
import pytest

from tests.database import Database


def covers(worker: Database, way: str, group_id: int | None = 2, **rule: Any) -> bool:
    answer: bool = worker.value(
        """
        SELECT alerts.rule_covers(
            jsonb_populate_record(NULL::alert_rule, %s),
            p_payer_id => 1, p_cpt_group_id => %s, p_metric => 'DENIAL_RATE', p_direction => %s
        )
        """,
        psycopg2.extras.Json({"direction": "any", **rule}),
        group_id,
        way,
    )
    return answer


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"payer_id": 1}, True),
        ({"payer_id": 3}, False),
        ({"cpt_group_id": 2}, True),
        ({"cpt_group_id": 3}, False),
        ({"metric": "DENIAL_RATE"}, True),
        ({"metric": "DECISION_DAYS"}, False),
        ({"payer_id": 1, "cpt_group_id": 2, "metric": "DENIAL_RATE"}, True),
        ({"payer_id": 1, "cpt_group_id": 3}, False),
    ],
)
def test_each_part_of_the_scope_counts(
    worker: Database, rule: dict[str, Any], expected: bool
) -> None:
    assert covers(worker, "up", **rule) is expected


@pytest.mark.parametrize(
    ("rule_direction", "covered"),
    [("worse", ["up"]), ("better", ["down"]), ("any", ["up", "down"])],
)
def test_up_is_worse(worker: Database, rule_direction: str, covered: list[str]) -> None:
    assert [
        way for way in ("up", "down") if covers(worker, way, direction=rule_direction)
    ] == covered


def test_the_payer_as_a_whole_is_no_group(worker: Database) -> None:
    assert covers(worker, "up", group_id=None) is True
    assert covers(worker, "up", group_id=None, cpt_group_id=2) is False
