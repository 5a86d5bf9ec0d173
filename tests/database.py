"""A thin handle on one connection, for tests."""

from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor


class Database:
    """Run SQL on a connection; rows come back as lists, so that tests read like psql."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters: Any) -> Any:
        """The one value of the one row."""
        [[value]] = self.execute(sql, *parameters)
        return value

    def dicts(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(sql, parameters or None)
            return [dict(row) for row in cursor.fetchall()]

    def one(self, sql: str, *parameters: Any) -> dict[str, Any]:
        """The one row."""
        [row] = self.dicts(sql, *parameters)
        return row
