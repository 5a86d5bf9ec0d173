"""`ingest.check_merge`: which payers can be merged, also when several are at once."""

from typing import Any

import pytest

from tests.acceptance.together import DatabaseUrl, Work, do_together, open_connections
from tests.ingest.naming import MERGE, aliases, merge, merged_into
from tests.portfolio import Portfolio
from tests.refusal import refused


def test_what_can_not_be_merged_is_refused(portfolio: Portfolio) -> None:
    old, new, other = (portfolio.payer(name) for name in ("Old", "New", "Other"))
    merge(portfolio, old, new)
    before = portfolio.snapshot(("payer", "payer_alias"))

    for payer_id, into_id, hint in (
        (new, new, "into another one"),
        (old, old, "into another one"),
        (other, old, "the other was merged into"),
        (new, old, "the other was merged into"),
        (old, other, "that it was merged into"),
        (old, new, "that it was merged into"),
    ):
        with refused("PD014", hint):
            merge(portfolio, payer_id, into_id)
    assert portfolio.snapshot(("payer", "payer_alias")) == before


def doing(statement: str, *parameters: Any) -> Work:
    return lambda database: database.execute(statement, *parameters)


@pytest.mark.parametrize("rounds", range(3))
def test_merges_in_all_directions_leave_no_chain_and_no_ring(
    portfolio: Portfolio, database_url: DatabaseUrl, rounds: int
) -> None:
    ids = [portfolio.payer(f"Payer {n}") for n in range(8)]
    ring = list(zip(ids, ids[1:] + ids[:1], strict=True))
    with open_connections(database_url, len(ring)) as databases:
        results = do_together(
            databases, [doing(MERGE, portfolio.customer_id, *pair, None) for pair in ring]
        )

    errors = {getattr(result, "pgcode", None) for result in results} - {None}
    assert errors == {"PD014"}
    targets = merged_into(portfolio)
    assert targets
    assert not set(targets.values()) & set(targets)
    assert aliases(portfolio) == {
        f"Payer {ids.index(payer_id)}": target for payer_id, target in targets.items()
    }
