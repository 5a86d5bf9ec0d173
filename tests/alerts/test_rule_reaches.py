"""`alerts.rule_reaches`: whether a change is of the size that a rule asks for."""

import pytest

from tests.database import Database


@pytest.mark.parametrize(
    ("measure", "comparison", "threshold", "reaches"),
    [
        ("severity", "gte", 0.4, True),
        ("severity", "gt", 0.4, False),
        ("severity", "lte", 0.4, True),
        ("severity", "lt", 0.4, False),
        ("severity", "lt", 0.5, True),
        ("severity", "gte", 0.5, False),
        ("severity", "gte", 0, True),
        # Sizes are unsigned: the delta is -0.25.
        ("delta", "gte", 0.25, True),
        ("delta", "gt", 0.25, False),
        ("delta", "lte", 0, False),
        ("relative_delta", "gte", 2, True),
        ("relative_delta", "gte", 2.5, False),
    ],
)
def test_the_size_is_compared_as_the_rule_says(
    worker: Database, measure: str, comparison: str, threshold: float, reaches: bool
) -> None:
    assert reaches is worker.value(
        """
        SELECT alerts.rule_reaches(
            jsonb_populate_record(NULL::alert_rule, jsonb_build_object(
                'measure', %s, 'comparison', %s, 'threshold', %s)),
            p_severity => 0.4, p_delta => -0.25, p_relative_delta => -2.0
        )
        """,
        measure,
        comparison,
        threshold,
    )


@pytest.mark.parametrize("comparison", ["gte", "gt", "lte", "lt"])
def test_at_a_baseline_of_zero_a_relative_rule_is_not_reached(
    worker: Database, comparison: str
) -> None:
    assert (
        worker.value(
            """
            SELECT alerts.rule_reaches(
                jsonb_populate_record(NULL::alert_rule, jsonb_build_object(
                    'measure', 'relative_delta', 'comparison', %s, 'threshold', 1)),
                p_severity => 0.4, p_delta => 0.25, p_relative_delta => NULL
            )
            """,
            comparison,
        )
        is False
    )
