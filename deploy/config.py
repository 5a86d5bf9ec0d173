"""The deployer's configuration: a TOML file, refused loudly where something is wrong with it."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SLOTS: Final = ("blue", "green")
# A Unix socket's path may have 107 bytes, and two of ours lie below it.
_ROOT_LENGTH: Final = 80
_ROOT: Final = re.compile(r"/[A-Za-z0-9._/-]+")
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.:\[\]*-]+:\d{1,5}")
_REQUIRED: Final = object()


class ConfigError(Exception):
    """The configuration can't be used; the message names the file, the key and what it must be."""


@dataclass(frozen=True)
class Ports:
    """Where HAProxy, the two slots and the smoke's receiver of webhooks listen."""

    public: str
    preview: int
    blue: int
    green: int
    receiver: int

    def of(self, slot: str) -> int:
        return self.blue if slot == "blue" else self.green


@dataclass(frozen=True)
class EnvironmentFiles:
    """Files of KEY=VALUE lines: the environments of the processes."""

    common: Path | None
    web: Path
    worker: Path
    migrator: Path


@dataclass(frozen=True)
class Smoke:
    """Who the smoke is, and how long one may take."""

    customer: str
    host: str
    seconds: float


@dataclass(frozen=True)
class Times:
    """Seconds."""

    check: float
    migrate: float
    healthy: float
    canary: float
    drain: float
    stop: float
    bake: float
    poll: float


@dataclass(frozen=True)
class Limits:
    """What the bake puts up with."""

    errors: int
    failed_jobs: int


@dataclass(frozen=True)
class Email:
    """How to send mail."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    starttls: bool
    user: str
    password_file: Path | None


@dataclass(frozen=True)
class Config:
    """All of it."""

    file: Path
    root: Path
    postgres_bin: Path | None
    ports: Ports
    environment: EnvironmentFiles
    smoke: Smoke
    times: Times
    limits: Limits
    tls_pem: Path | None
    proxy_trusted: bool
    slack_url_file: Path | None
    email: Email | None


class _Table:
    """A table of the file; every key is read once, and what nobody read is refused."""

    def __init__(self, file: Path, values: Any, path: str = "") -> None:
        self._file, self._path = file, path
        if not isinstance(values, dict):
            raise ConfigError(f"{file}: {path} must be a table: [{path}]")
        self._values = dict(values)

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def refuse(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self._file}: {self._name(key)} must be {what}.")

    def _take(self, key: str, default: Any, kind: type | tuple[type, ...], what: str) -> Any:
        value = self._values.pop(key, default)
        if value is _REQUIRED:
            raise ConfigError(f"{self._file}: {self._name(key)} is missing: {what}.")
        # True is an int to Python.
        is_wrong = isinstance(value, bool) and kind is not bool
        if value is not default and (is_wrong or not isinstance(value, kind)):
            raise self.refuse(key, what)
        return value

    def table(self, key: str) -> "_Table":
        return _Table(self._file, self._values.pop(key, {}), self._name(key))

    def optional(self, key: str) -> "_Table | None":
        return self.table(key) if key in self._values else None

    def text(self, key: str, default: Any = _REQUIRED, what: str = "text") -> str:
        value: str = self._take(key, default, str, what)
        return value

    def matching(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        value = self.text(key, what=what)
        if not pattern.fullmatch(value):
            raise self.refuse(key, what)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._take(key, _REQUIRED, list, 'a list such as ["oncall@example.com"]')
        if not values or not all(isinstance(value, str) for value in values):
            raise self.refuse(key, 'a list such as ["oncall@example.com"]')
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        value: bool = self._take(key, default, bool, "true or false")
        return value

    def count(self, key: str, default: Any) -> int:
        value: int = self._take(key, default, int, "a whole number of at least 0")
        if value < 0:
            raise self.refuse(key, "a whole number of at least 0")
        return value

    def port(self, key: str, default: Any = _REQUIRED) -> int:
        value: int = self._take(key, default, int, "a port")
        if not 0 < value < 65536:
            raise self.refuse(key, "a port")
        return value

    def seconds(self, key: str, default: float) -> float:
        value = float(self._take(key, default, (int, float), "seconds, more than 0"))
        if value <= 0:
            raise self.refuse(key, "seconds, more than 0")
        return value

    # Whether a file is there is for whoever needs it to say: a release must be able to start
    # again though a file that is for notifications is gone. Relative paths are below the folder
    # of the configuration.
    def optional_file(self, key: str) -> Path | None:
        return self.file(key) if key in self._values else None

    def file(self, key: str) -> Path:
        return self._file.parent / self.text(key, what="a path")

    def finish(self) -> None:
        if self._values:
            names = ", ".join(sorted(map(self._name, self._values)))
            raise ConfigError(
                f"{self._file}: unknown keys: {names}. docs/deployment.md lists those that exist."
            )


def read_config(file: Path) -> Config:
    """The configuration. Raises ConfigError."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} isn't TOML: {error}") from error
    top = _Table(file.resolve(), values)
    tables = {
        name: top.table(name)
        for name in ("ports", "environment", "smoke", "times", "limits", "tls", "proxy", "notify")
    }
    email = tables["notify"].optional("email")
    config = Config(
        file=file.resolve(),
        root=_root(top),
        postgres_bin=top.optional_file("postgres_bin"),
        ports=_ports(tables["ports"]),
        environment=EnvironmentFiles(
            common=tables["environment"].optional_file("common"),
            web=tables["environment"].file("web"),
            worker=tables["environment"].file("worker"),
            migrator=tables["environment"].file("migrator"),
        ),
        smoke=Smoke(
            customer=tables["smoke"].matching("customer", _SLUG, "a slug such as deploy-smoke"),
            host=tables["smoke"].text("host", "localhost"),
            seconds=tables["smoke"].seconds("seconds", 60),
        ),
        times=_times(tables["times"]),
        limits=Limits(
            errors=tables["limits"].count("errors", 0),
            failed_jobs=tables["limits"].count("failed_jobs", 0),
        ),
        tls_pem=tables["tls"].optional_file("pem"),
        proxy_trusted=tables["proxy"].flag("trusted", False),
        slack_url_file=tables["notify"].optional_file("slack_url_file"),
        email=None if email is None else _email(email),
    )
    for table in (top, *tables.values(), *filter(None, [email])):
        table.finish()
    return config


def _root(top: _Table) -> Path:
    what = (
        f"an absolute path of at most {_ROOT_LENGTH} letters, digits, dots, hyphens, underscores "
        "and slashes"
    )
    root = top.matching("root", _ROOT, what)
    if len(root) > _ROOT_LENGTH:
        raise top.refuse("root", what)
    return Path(root)


def _ports(table: _Table) -> Ports:
    ports = Ports(
        public=table.matching("public", _ADDRESS, "HOST:PORT, such as 0.0.0.0:443"),
        preview=table.port("preview"),
        blue=table.port("blue"),
        green=table.port("green"),
        receiver=table.port("receiver"),
    )
    numbers = [ports.preview, ports.blue, ports.green, ports.receiver]
    numbers.append(int(ports.public.rpartition(":")[2]))
    if len(set(numbers)) < len(numbers):
        raise table.refuse("public, preview, blue, green and receiver", "ports of their own")
    return ports


def _times(table: _Table) -> Times:
    return Times(
        check=table.seconds("check", 120),
        migrate=table.seconds("migrate", 3600),
        healthy=table.seconds("healthy", 60),
        canary=table.seconds("canary", 60),
        drain=table.seconds("drain", 30),
        stop=table.seconds("stop", 40),
        bake=table.seconds("bake", 120),
        poll=table.seconds("poll", 0.5),
    )


def _email(table: _Table) -> Email:
    return Email(
        host=table.text("host"),
        port=table.port("port", 25),
        sender=table.text("from"),
        to=table.texts("to"),
        starttls=table.flag("starttls", False),
        user=table.text("user", ""),
        password_file=table.optional_file("password_file"),
    )
