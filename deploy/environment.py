"""The environments of the releases' processes, from files that hold secrets."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from deploy.config import Config, ConfigError

# What a process gets of the deployer's own environment; all else is in the files.
KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOOPBACK: Final = "CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK"
# Both slots must have the same, or the one wouldn't know what the other has signed.
_NEEDED: Final = ("DATABASE_URL", "CLAIMDRIFT_SECRET_KEY", "CLAIMDRIFT_WEBHOOK_KEYS")
_SECRET: Final = re.compile(r"URL|KEY|TOKEN|PASSWORD|SECRET")


def read_secret(file: Path) -> str:
    """A file's text, without the space around it. Raises ConfigError if everybody can read it."""
    try:
        if file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise ConfigError(f"{file} holds secrets and anybody can read it: chmod 640 {file}")
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error


def read_environment(file: Path) -> dict[str, str]:
    """The variables in a file of KEY=VALUE lines; # begins a comment line. Raises ConfigError."""
    variables = {}
    for number, line in enumerate(read_secret(file).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name):
            # Not the line: it may hold a secret.
            raise ConfigError(f"{file}: line {number} isn't KEY=VALUE.")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        variables[name] = value
    return variables


class Environments:
    """What each kind of process gets; read once. Raises ConfigError."""

    def __init__(self, config: Config) -> None:
        files = config.environment
        common = read_environment(files.common) if files.common else {}
        own = of_the_host()
        self.web = {**own, **common, **read_environment(files.web)}
        self.worker = {**own, **common, **read_environment(files.worker)}
        self.migrator = {**own, **common, **read_environment(files.migrator)}
        for file, variables in ((files.web, self.web), (files.worker, self.worker)):
            if missing := [name for name in _NEEDED if not variables.get(name)]:
                raise ConfigError(
                    f"{file} (or the common file) must say {', '.join(missing)}: both slots need "
                    "the same. docs/settings.md says what each is."
                )
            _allow_receiver(variables, config.ports.receiver)
        # Else it would take HAProxy for every client, and plain HTTP for what is spoken.
        self.web.setdefault("CLAIMDRIFT_PROXIES", "2" if config.proxy_trusted else "1")
        if not self.migrator.get("DATABASE_URL"):
            raise ConfigError(f"{files.migrator} must say DATABASE_URL: that of the migrator.")
        _allow_receiver(self.migrator, config.ports.receiver)

    def of_slot(self) -> dict[str, dict[str, str]]:
        """What a slot's processes are to get, by their kind, without what is the host's."""
        own = of_the_host()
        return {
            kind: {name: value for name, value in variables.items() if own.get(name) != value}
            for kind, variables in (("web", self.web), ("worker", self.worker))
        }

    def secrets(self) -> set[str]:
        """What no report may show."""
        found: set[str] = set()
        for variables in (self.web, self.worker, self.migrator):
            for name, value in variables.items():
                if name == "DATABASE_URL":
                    found.add(without_password(value)[1])
                if _SECRET.search(name):
                    found |= {value, *value.split()}
        return {secret for secret in found if len(secret) >= 4}


def of_the_host() -> dict[str, str]:
    """What every process gets."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _allow_receiver(variables: dict[str, str], port: int) -> None:
    """Let webhooks go to the smoke's receiver, whatever else they may do."""
    words = variables.get(_LOOPBACK, "").replace(",", " ").split()
    if words in (["true"], ["1"]):
        return
    ports = [word for word in words if word.isdecimal() and int(word) > 1]
    variables[_LOOPBACK] = " ".join([*ports, str(port)])


def without_password(url: str) -> tuple[str, str]:
    """A database's URL as anybody may see it in a list of processes, and the password."""
    parts = urlsplit(url)
    user, _, address = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    passwords = [unquote(password), *(value for key, value in query if key == "password")]
    rest = urlencode([pair for pair in query if pair[0] != "password"], quote_via=quote)
    netloc = f"{name}@{address}" if name else address
    # Not urlunsplit: it would drop the empty place of postgresql:///name.
    visible = f"{parts.scheme}://{netloc}{parts.path}{'?' + rest if rest else ''}"
    return visible, next((found for found in reversed(passwords) if found), "")


def with_application_name(url: str, name: str) -> str:
    """The same database, whose sessions can be recognised."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True)
             if pair[0] != "application_name"]  # fmt: skip
    query.append(("application_name", name))
    scheme, _, _ = url.partition("://")
    return f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query, quote_via=quote)}"


def for_tools(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The URL and the environment for psql and pg_dump: the password isn't in the URL."""
    visible, password = without_password(environment["DATABASE_URL"])
    variables = {name: environment[name] for name in KEPT if name in environment}
    if password:
        variables["PGPASSWORD"] = password
    return visible, variables
