"""The database backend: starts the embedded server when it is needed, refuses an old one."""

from typing import Any

import psycopg2
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base

from core.embedded import EmbeddedServer
from core.environment import database_from_url, read_secret

MINIMUM_VERSION = 18


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server: EmbeddedServer | None = settings.EMBEDDED_SERVER
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg2.OperationalError:
            if server is not None:
                server.start()
                server.ensure_database()
            self.read_url_again()
            params = self.get_connection_params()
            if server is None and params == conn_params:
                raise
            connection = super().get_new_connection(params)
        if connection.server_version < MINIMUM_VERSION * 10_000:
            version = connection.server_version // 10_000
            connection.close()
            raise ImproperlyConfigured(
                f"claimdrift needs PostgreSQL {MINIMUM_VERSION} or newer; this server is {version}."
            )
        return connection

    def read_url_again(self) -> None:
        """Take over what DATABASE_URL_FILE says by now, if that is where the URL is.

        So a password can be changed while this process runs: first in the file, then in the
        database. Until then the former one is right, and nobody looks at the file.
        """
        if settings.DATABASE_URL_FILE is not None:
            url = read_secret(settings.DATABASE_URL_FILE, "DATABASE_URL_FILE")
            # All threads of the process share these settings.
            self.settings_dict |= database_from_url(url)
