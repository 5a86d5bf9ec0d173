"""The database backend: starts the embedded server when it is needed, refuses an old one."""

from typing import Any

import psycopg2
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base

from core.embedded import EmbeddedServer

MINIMUM_VERSION = 18


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server: EmbeddedServer | None = settings.EMBEDDED_SERVER
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg2.OperationalError:
            if server is None:
                raise
            server.start()
            server.ensure_database()
            connection = super().get_new_connection(conn_params)
        if connection.server_version < MINIMUM_VERSION * 10_000:
            version = connection.server_version // 10_000
            connection.close()
            raise ImproperlyConfigured(
                f"claimdrift needs PostgreSQL {MINIMUM_VERSION} or newer; this server is {version}."
            )
        return connection
