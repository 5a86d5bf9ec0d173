"""Enter a customer's context: the tenant role and whom it works for.

Role and settings are local to the transaction, never to the session: behind PgBouncer the next
client of the same session would inherit them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

# The reads come from a query of their own, so that they're done before anything is set.
ENTER = """
    WITH former AS MATERIALIZED (
        SELECT
            current_setting('role') AS role,
            coalesce(current_setting('app.customer_id', true), '') AS customer_id,
            coalesce(current_setting('app.actor_id', true), '') AS actor_id
    )
    SELECT
        former.role,
        former.customer_id,
        former.actor_id,
        set_config('app.customer_id', %s, true),
        set_config('app.actor_id', %s, true),
        set_config('role', 'claimdrift_tenant', true)
    FROM former
"""
LEAVE = """
    SELECT
        set_config('role', %s, true),
        set_config('app.customer_id', %s, true),
        set_config('app.actor_id', %s, true)
"""


PLATFORM = ENTER.replace("claimdrift_tenant", "claimdrift_platform")


@contextmanager
def tenant_context(
    customer_id: int, actor_id: int | None, *, using: str = DEFAULT_DB_ALIAS
) -> Iterator[None]:
    """Work as claimdrift_tenant for one customer; afterwards, as whoever it was before.

    `actor_id` is the user that the audit trail names, None for nobody. Contexts nest. Raises
    TransactionManagementError outside of a transaction, where the settings would be gone at once.
    """
    with _context(ENTER, str(customer_id), actor_id, using, "tenant_context"):
        yield


@contextmanager
def platform_context(actor_id: int | None, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Work as claimdrift_platform, across customers; otherwise like `tenant_context`."""
    with _context(PLATFORM, "", actor_id, using, "platform_context"):
        yield


@contextmanager
def _context(
    enter: str, customer_id: str, actor_id: int | None, using: str, name: str
) -> Iterator[None]:
    connection = connections[using]
    if not connection.in_atomic_block:
        raise TransactionManagementError(f"{name} needs a transaction around it.")
    with connection.cursor() as cursor:
        cursor.execute(enter, [customer_id, "" if actor_id is None else str(actor_id)])
        former: tuple[str, str, str] = cursor.fetchone()[:3]
    # A transaction that is bound to be rolled back needs no leaving: that restores the settings.
    try:
        yield
    except BaseException:
        # It may be aborted already; what must reach the caller is the error that did it.
        with suppress(DatabaseError):
            _leave(connection, former)
        raise
    else:
        if not connection.needs_rollback:
            _leave(connection, former)


def _leave(connection: BaseDatabaseWrapper, former: tuple[str, str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LEAVE, former)
