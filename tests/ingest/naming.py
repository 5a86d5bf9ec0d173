"""Names of payers and groups, and where claims under them are."""

from typing import Any

from core.functions import ingest_remap_claims
from tests.portfolio import Portfolio


def payers(portfolio: Portfolio) -> dict[str, str]:
    """The payer that each claim is with, by its number."""
    return _names(portfolio, "payer")


def groups(portfolio: Portfolio) -> dict[str, str]:
    """The CPT group that each claim is in, by its number."""
    return _names(portfolio, "cpt_group")


def _names(portfolio: Portfolio, table: str) -> dict[str, str]:
    return dict(
        portfolio.owner.execute(
            f"SELECT c.claim_number, t.name FROM claim AS c JOIN {table} AS t"
            f" ON t.id = c.{table}_id WHERE c.customer_id = %s",
            portfolio.customer_id,
        )
    )


def aliases(portfolio: Portfolio) -> dict[str, int]:
    """The payer that each alias leads to."""
    return {row["alias"]: row["payer_id"] for row in portfolio.rows("payer_alias")}


def mappings(portfolio: Portfolio) -> dict[str, int]:
    """The group that each mapped code leads to."""
    return {row["cpt"]: row["cpt_group_id"] for row in portfolio.rows("cpt_mapping")}


def id_of(portfolio: Portfolio, table: str, name: str) -> int:
    """The id of the payer or cpt_group of that name."""
    found: int = portfolio.owner.value(
        f"SELECT id FROM {table} WHERE customer_id = %s AND name = %s", portfolio.customer_id, name
    )
    return found


def add_alias(portfolio: Portfolio, alias: str, payer_id: int) -> int:
    alias_id: int = portfolio.worker.value(
        "INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES (%s, %s, %s) RETURNING id",
        portfolio.customer_id,
        alias,
        payer_id,
    )
    return alias_id


def rename(portfolio: Portfolio, table: str, row_id: int, name: str) -> None:
    """Rename a payer or cpt_group as the API does."""
    portfolio.worker.execute(
        f"UPDATE {table} SET name = %s WHERE customer_id = %s AND id = %s",
        name,
        portfolio.customer_id,
        row_id,
    )


def merge(portfolio: Portfolio, payer_id: int, into_payer_id: int, actor_id: Any = None) -> None:
    portfolio.worker.execute(MERGE, portfolio.customer_id, payer_id, into_payer_id, actor_id)


MERGE = (
    "SELECT ingest.merge_payers(p_customer_id => %s, p_payer_id => %s, p_into_payer_id => %s,"
    " p_actor_id => %s)"
)


def merged_into(portfolio: Portfolio) -> dict[int, int]:
    """Which payer each merged one was merged into."""
    return {p["id"]: p["merged_into_id"] for p in portfolio.rows("payer") if p["merged_into_id"]}


def queued(portfolio: Portfolio, task: str = "remap") -> int:
    """How many of these jobs wait for the worker."""
    jobs: int = portfolio.owner.value(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'"
        " AND args ->> 'customer_id' = %s",
        f"core.tasks.{task}",
        str(portfolio.customer_id),
    )
    return jobs


def remap(portfolio: Portfolio) -> int:
    """Do what the worker does with the job."""
    return ingest_remap_claims(customer_id=portfolio.customer_id)
