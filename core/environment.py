"""Read settings from environment variables named CLAIMDRIFT_*, loudly.

Each variable is parsed once; a value that can't be parsed, or a CLAIMDRIFT_* variable that no
setting reads (a typo, most likely), stops the process with a sentence that names it.
"""

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg2
from django.core.exceptions import ImproperlyConfigured
from psycopg2.extensions import parse_dsn

PREFIX = "CLAIMDRIFT_"
# Named the way every PostgreSQL platform names it, hence without our prefix.
UNPREFIXED = frozenset({"DATABASE_URL"})
# What nobody should see in an environment can lie in a file, which NAME_FILE names: that is how
# containers and systemd hand out secrets.
SECRETS: Final = frozenset(
    {
        "DATABASE_URL",
        "METRICS_TOKEN",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "WEBHOOK_KEYS",
        "WORKER_DATABASE_URL",
    }
)


class Environment:
    """Typed access to the environment; remembers which variables were read."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self._variables = variables
        self.known: set[str] = set()

    def _read(self, name: str) -> str | None:
        variable = name if name in UNPREFIXED else PREFIX + name
        self.known.add(variable)
        file = self.file(name) if name in SECRETS else None
        if file is None:
            return self._variables.get(variable)
        if self._variables.get(variable):
            raise ImproperlyConfigured(f"Set {variable} or {variable}_FILE, not both.")
        return read_secret(file, f"{variable}_FILE")

    def file(self, name: str) -> Path | None:
        """Where a secret lies; None if it isn't in a file."""
        variable = (name if name in UNPREFIXED else PREFIX + name) + "_FILE"
        self.known.add(variable)
        path = self._variables.get(variable)
        return Path(path) if path else None

    def text(self, name: str, *, default: str) -> str:
        value = self._read(name)
        return default if value is None else value.strip()

    def words(self, name: str, *, default: str) -> list[str]:
        """Whitespace- or comma-separated."""
        return self.text(name, default=default).replace(",", " ").split()

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name, default="true" if default else "false").lower()
        if value not in {"true", "false", "1", "0"}:
            raise ImproperlyConfigured(f"{PREFIX}{name} must be true or false.")
        return value in {"true", "1"}

    def boolean_or_ports(self, name: str, *, default: bool) -> bool | frozenset[int]:
        """true or false; or ports, whitespace- or comma-separated."""
        words = self.words(name, default="true" if default else "false")
        # 0 and 1 are what `boolean` takes them for.
        if words and all(w.isdecimal() and 1 < int(w) <= 65535 for w in words):
            return frozenset(map(int, words))
        if len(words) != 1 or words[0].lower() not in {"true", "false", "1", "0"}:
            raise ImproperlyConfigured(f"{PREFIX}{name} must be true, false or port numbers.")
        return words[0].lower() in {"true", "1"}

    def integer(self, name: str, *, default: int, minimum: int) -> int:
        value = self.text(name, default=str(default))
        if not value.isdecimal() or int(value) < minimum:
            raise ImproperlyConfigured(
                f"{PREFIX}{name} must be a whole number of at least {minimum}."
            )
        return int(value)

    def integers(self, name: str, *, default: str, minimum: int) -> list[int]:
        """At least one, whitespace- or comma-separated."""
        values = self.words(name, default=default)
        if not values or not all(v.isdecimal() and int(v) >= minimum for v in values):
            raise ImproperlyConfigured(
                f"{PREFIX}{name} must be whole numbers of at least {minimum}, such as: {default}"
            )
        return [int(v) for v in values]

    def keys(self, name: str, *, length: int) -> list[str]:
        """Base64 of so many bytes each, whitespace-separated; [] when it is unset."""
        values = self.text(name, default="").split()
        for value in values:
            try:
                found = len(base64.b64decode(value, validate=True))
            except ValueError:  # not base64, not even ASCII
                found = 0
            if found != length:
                raise ImproperlyConfigured(
                    f"{PREFIX}{name} must hold keys of {length} bytes in base64, each made with:"
                    f" openssl rand -base64 {length}"
                )
        return values

    def choice(self, name: str, *, default: str, choices: Sequence[str]) -> str:
        value = self.text(name, default=default)
        if value not in choices:
            raise ImproperlyConfigured(f"{PREFIX}{name} must be one of {', '.join(choices)}.")
        return value

    def secret(self, name: str, *, minimum_length: int) -> str:
        """Return the secret, or a random one for this process alone when it is unset."""
        value = self.text(name, default="")
        if not value:
            return secrets.token_urlsafe(minimum_length)
        if len(value) < minimum_length:
            raise ImproperlyConfigured(
                f"{PREFIX}{name} must have at least {minimum_length} characters."
            )
        return value

    def refuse_unknown(self) -> None:
        """Raise for a CLAIMDRIFT_* variable that no setting has read."""
        unknown = sorted(v for v in self._variables if v.startswith(PREFIX) and v not in self.known)
        if unknown:
            raise ImproperlyConfigured(
                f"Unknown settings in the environment: {', '.join(unknown)}. "
                f"docs/settings.md lists those that exist."
            )


def read_secret(file: Path, variable: str) -> str:
    """What the file holds. Raises ImproperlyConfigured, naming the variable, when it holds none."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise ImproperlyConfigured(f"{variable}: {file} can't be read ({reason}).") from None
    if not text:
        raise ImproperlyConfigured(f"{variable}: {file} is empty.")
    return text


def database_from_url(url: str) -> dict[str, Any]:
    """Turn a libpq URI into Django's DATABASES entry; libpq itself does the parsing.

    Raises ImproperlyConfigured, without the URI and its password, when it isn't one.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    try:
        parts = parse_dsn(url)
    except psycopg2.ProgrammingError:
        raise ImproperlyConfigured(
            "DATABASE_URL isn't a libpq URI: postgresql://user:password@host:port/database"
        ) from None
    if not parts.get("dbname"):
        raise ImproperlyConfigured("DATABASE_URL names no database: postgresql://.../database")
    return {
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": {"application_name": "claimdrift", **parts},
    }
