"""The session that requests share, one after the other."""

from typing import Any, Final

from django.db import connection
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

# role, current_user, app.customer_id, app.actor_id
CLEAN: Final = ("none", "claimdrift_web", "", "")


def session() -> tuple[Any, ...]:
    """What a request has left of itself: the like of `CLEAN`, if it is nothing."""
    web = connection.connection
    if web is None or web.closed:
        return CLEAN
    assert web.info.transaction_status == TRANSACTION_STATUS_IDLE
    assert not connection.in_atomic_block
    with web.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('role'), current_user::text,"
            " coalesce(current_setting('app.customer_id', true), ''),"
            " coalesce(current_setting('app.actor_id', true), '')"
        )
        row: tuple[Any, ...] = cursor.fetchone()
        return row
