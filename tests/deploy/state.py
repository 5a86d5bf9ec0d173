"""What a deploy must leave as it was: the schema with its rights, the migrations, the processes."""

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import SERVER
from tests.database import Database

# Rights that pg_dump shows as GRANTs and those it leaves out because they are the default.
_RIGHTS = """
    SELECT 'schema', n.nspname, n.nspacl::text FROM pg_namespace AS n
    WHERE n.nspname !~ '^pg_'
    UNION ALL
    SELECT 'relation', c.oid::regclass::text, c.relacl::text FROM pg_class AS c
    WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, p.proacl::text FROM pg_proc AS p
    WHERE p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT 'default', concat(d.defaclnamespace::regnamespace, ' ', d.defaclobjtype),
        d.defaclacl::text
    FROM pg_default_acl AS d
    ORDER BY 1, 2
"""


@dataclass(frozen=True)
class State:
    """The database but for its rows."""

    schema: str
    rights: list[tuple[str, str, str | None]]
    invalid_indexes: list[str]
    migrations: list[tuple[object, ...]]


def state_of(superuser: Database, database: str) -> State:
    dump = subprocess.run(  # noqa: S603
        [
            SERVER.bin_dir / "pg_dump",
            "--schema-only",
            # It is random otherwise, and every dump another.
            "--restrict-key=claimdrift",
            f"--dbname={SERVER.url('postgres', database)}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return State(
        schema=dump,
        rights=[(kind, name, acl) for kind, name, acl in superuser.execute(_RIGHTS)],
        invalid_indexes=[
            name
            for (name,) in superuser.execute(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
            )
        ],
        migrations=superuser.execute(
            "SELECT app, name, applied FROM django_migrations ORDER BY 1, 2"
        ),
    )


def processes_of(directory: Path) -> dict[int, str]:
    """Processes that work in a directory, or were told of it: their ids and command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (
                (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            place = Path(os.readlink(process / "cwd"))
            if place.is_relative_to(directory) or f"{directory}/" in command:
                found[int(process.name)] = command
    return found


def kill(*pids: int) -> None:
    """SIGKILL to those that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
