"""Tell a connection to PostgreSQL from one to a pooler in front of it."""

from django.core.management.base import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Whether something in between shares this connection's sessions among its clients.

    Whoever answers says, for cancelling, which process it is. A pooler makes that up: it can't
    know yet in whose session statements will be executed.
    """
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_backend_pid()")
        [pid] = cursor.fetchone()
    announced: int = connection.connection.get_backend_pid()
    return bool(pid != announced)


def refuse_pooler(connection: BaseDatabaseWrapper, program: str) -> None:
    """Raise CommandError if the connection leads to a pooler."""
    if is_pooled(connection):
        raise CommandError(
            f"{program} needs sessions of its own, for locks, settings or notifications that last "
            "longer than a transaction: this DATABASE_URL leads to a pooler, such as PgBouncer. "
            "Name the PostgreSQL server itself. Only the API may go through a pooler."
        )
