"""The database as the deployer sees it: through psql and pg_dump, as the migrator or the worker."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.commands import run
from deploy.config import Config, ConfigError
from deploy.environment import Environments, for_tools

Functions = dict[str, dict[str, Any]]

_SECONDS: Final = 60.0
# A dump with the same schema has the same text only with the same key.
_KEY: Final = "claimdrift"

# Nobody waits long for it: it reads catalogues, and gives up where a lock takes more.
_SETTINGS: Final = "SET lock_timeout = '10s'; SET statement_timeout = '60s';\n"
_OURS: Final = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
"""
_FUNCTIONS: Final = f"""
SELECT coalesce(json_object_agg(f.signature, f.properties ORDER BY f.signature), '{{}}')
FROM (
    SELECT
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
            AS signature,
        json_build_object(
            'kind', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
            'definition', pg_get_functiondef(p.oid),
            'owner', format('%I', pg_get_userbyid(p.proowner)),
            'comment', quote_nullable(obj_description(p.oid, 'pg_proc')),
            'grants', (
                SELECT coalesce(json_agg(granted.sql ORDER BY granted.place), '[]')
                FROM (
                    SELECT
                        a.place,
                        CASE a.grantee WHEN 0 THEN 'PUBLIC'
                        ELSE format('%I', pg_get_userbyid(a.grantee)) END
                        || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS sql
                    FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
                        WITH ORDINALITY AS a (grantor, grantee, privilege, is_grantable, place)
                ) AS granted
            )
        ) AS properties
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE
        {_OURS}
        AND p.prokind IN ('f', 'p', 'w')
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        )
) AS f
"""  # noqa: S608 (no input)
# psql's own conditions: in a new database there is no such table.
_MIGRATIONS: Final = r"""
SELECT to_regclass('public.django_migrations') IS NOT NULL AS found \gset
\if :found
    SELECT coalesce(json_agg(json_build_array(app, name) ORDER BY app, name), '[]')
    FROM public.django_migrations;
\else
    SELECT '[]';
\endif
"""
_INVALID: Final = f"""
SELECT coalesce(json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND {_OURS}
"""  # noqa: S608


class Database:
    """One database. Raises StageFailed, saying what couldn't be done."""

    def __init__(self, config: Config, environments: Environments, root: Path) -> None:
        self._psql = tool("psql", config)
        self._pg_dump = tool("pg_dump", config)
        self._environments = environments
        self._secrets = environments.secrets()
        self._root = root

    def query(self, sql: str, *, what: str, worker: bool = False, **variables: str) -> str:
        """What psql prints for it: no headers, unaligned; as the migrator, or as the worker.

        A variable is `:'name'` in the SQL.
        """
        command = [self._psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        environments = self._environments
        environment = environments.worker if worker else environments.migrator
        return self._run(environment, [*command, "-d"], [], what, _SETTINGS + sql).strip()

    def dump(self) -> str:
        """The schema with its privileges, as SQL; the same for the same schema."""
        options = ["--schema-only", f"--restrict-key={_KEY}", "--lock-wait-timeout=10s"]
        return self._run(
            self._environments.migrator, [self._pg_dump, "-d"], options, "Dumping the schema", ""
        )

    def functions(self) -> Functions:
        """All stored functions by signature, with what is granted on each."""
        found: Functions = json.loads(self.query(_FUNCTIONS, what="Reading the stored functions"))
        return found

    def migrations(self) -> set[tuple[str, str]]:
        """What django_migrations has."""
        rows = json.loads(self.query(_MIGRATIONS, what="Reading django_migrations"))
        return {(app, name) for app, name in rows}

    def invalid_indexes(self) -> list[str]:
        """Indexes that a broken CREATE INDEX CONCURRENTLY left behind."""
        found: list[str] = json.loads(self.query(_INVALID, what="Looking for invalid indexes"))
        return found

    def clock(self) -> str:
        """The server's time, in text."""
        return self.query("SELECT clock_timestamp()", what="Asking the time", worker=True)

    def failed_jobs(self, since: str, customer: str = "") -> list[str]:
        """The tasks of jobs that have failed for good since a time of the server's.

        Of all customers, or of the one with this slug.
        """
        sql = """
            SELECT coalesce(json_agg(j.task_name), '[]')
            FROM procrastinate_events AS e
            JOIN procrastinate_jobs AS j ON j.id = e.job_id
            WHERE
                e.type IN ('failed', 'aborted') AND e.at >= :'since'
                AND (:'slug' = '' OR (j.args ->> 'customer_id')::bigint = (
                    SELECT c.id FROM customer AS c WHERE c.slug = :'slug'
                ))
        """
        found: list[str] = json.loads(
            self.query(sql, what="Counting failed jobs", worker=True, since=since, slug=customer)
        )
        return found

    def retry_failed_jobs(self, since: str) -> int:
        """Queue the jobs again that have failed for good since a time; how many it were.

        Unless one with the same queueing_lock waits already: it does the same.
        """
        sql = """
            SELECT count(*)
            FROM (
                SELECT procrastinate_retry_job_v2(j.id, clock_timestamp(), NULL, NULL, NULL)
                FROM (
                    SELECT DISTINCT ON (coalesce(f.queueing_lock, f.id::text)) f.*
                    FROM procrastinate_jobs AS f
                    JOIN procrastinate_events AS e
                        ON e.job_id = f.id AND e.type = 'failed' AND e.at >= :'since'
                    WHERE f.status = 'failed'
                ) AS j
                WHERE NOT EXISTS (
                    SELECT FROM procrastinate_jobs AS waiting
                    WHERE waiting.queueing_lock = j.queueing_lock AND waiting.status = 'todo'
                )
            ) AS retried
        """
        what = "Queueing failed jobs again"
        return int(self.query(sql, what=what, worker=True, since=since))

    def end_sessions(self, application_name: str) -> int:
        """End what an earlier deployer's commands left running on the server; how many it were."""
        # As the login itself: the owner, which the migrator becomes as it logs in, may not.
        sql = """
            SET ROLE NONE;
            SELECT count(*)
            FROM (
                SELECT pg_terminate_backend(pid, 10000)
                FROM pg_stat_activity
                WHERE application_name = :'name' AND pid <> pg_backend_pid()
            ) AS ended
        """
        what = "Ending an interrupted migration's sessions"
        return int(self.query(sql, what=what, name=application_name))

    def restore_functions(self, before: Functions) -> list[str]:
        """Make them what they were; the signatures of those that weren't."""
        now = self.functions()
        changed = sorted(s for s in before if before[s] != now.get(s))
        added = sorted(set(now) - set(before))
        if not changed and not added:
            return []
        statements = [f"DROP {now[s]['kind']} {s};" for s in added]
        for signature in changed:
            statements += _restore(signature, before[signature], now.get(signature))
        self.query(
            "BEGIN;\nSET LOCAL check_function_bodies = off;\n"
            + "\n".join(statements)
            + "\nCOMMIT;\n",
            what="Restoring the stored functions",
        )
        return changed + added

    def _run(
        self,
        environment: Mapping[str, str],
        command: list[str],
        options: list[str],
        what: str,
        text: str,
    ) -> str:
        url, variables = for_tools(environment)
        return run(
            [*command, url, *options],
            what=what,
            environment=variables,
            cwd=self._root,
            seconds=_SECONDS,
            text=text,
            secrets=self._secrets,
        )


def _restore(signature: str, before: dict[str, Any], now: dict[str, Any] | None) -> list[str]:
    """SQL that makes a function what it was."""
    thing = f"{before['kind']} {signature}"
    granted = {grant.removesuffix(" WITH GRANT OPTION") for grant in (now or before)["grants"]}
    return [
        f"{before['definition']};",
        f"ALTER {thing} OWNER TO {before['owner']};",
        f"COMMENT ON {thing} IS {before['comment']};",
        *(f"REVOKE ALL ON {thing} FROM {who};" for who in sorted({*granted, "PUBLIC"})),
        *(f"GRANT EXECUTE ON {thing} TO {grant};" for grant in before["grants"]),
    ]


def tool(name: str, config: Config) -> str:
    """The path of one of PostgreSQL's programs. Raises ConfigError."""
    folder = str(config.postgres_bin) if config.postgres_bin else None
    found = shutil.which(name, path=folder)
    if found is None:
        raise ConfigError(
            f"{name} isn't {f'in {folder}' if folder else 'on the PATH'}. Install PostgreSQL's "
            "client programs of the server's version, and name their folder in postgres_bin."
        )
    return found
