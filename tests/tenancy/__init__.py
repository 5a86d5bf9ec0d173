"""Tests of schema `tenancy`: transactions in which the web login becomes somebody."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.database import Database


@contextmanager
def transaction(
    database: Database,
    *,
    role: str | None = None,
    customer_id: int | str | None = None,
    actor_id: int | None = None,
) -> Iterator[None]:
    """A transaction with this role and context; rolled back when it fails."""
    database.execute("BEGIN")
    try:
        if customer_id is not None:
            database.execute("SELECT set_config('app.customer_id', %s, true)", str(customer_id))
        if actor_id is not None:
            database.execute("SELECT set_config('app.actor_id', %s, true)", str(actor_id))
        if role is not None:
            database.execute(f"SET LOCAL ROLE {role}")
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
