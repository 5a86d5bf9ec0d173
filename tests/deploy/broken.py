"""What can be wrong with a release: each breaks one that is good otherwise.

Most of them bring a migration as well, so that there is something to reverse.
"""

from collections.abc import Callable

from tests.deploy.releases import Release

Break = Callable[[Release], object]

# What detection goes through, and nothing else.
_RECORD = "sql/drift/record_measurements.sql"
_EXAMINED = "FROM drift.examine(p_customer_id => p_customer_id, p_as_of => p_as_of) AS m\n"


def add_table(release: Release) -> None:
    """A good migration. No model knows the table: the project's checks find nothing amiss."""
    _add_table(release, "")


def add_table_slowly(release: Release, seconds: int) -> None:
    """A good migration that takes its time before it changes anything."""
    _add_table(release, f"migrations.RunSQL('SELECT pg_sleep({seconds})', ''), ")


def _add_table(release: Release, before: str) -> None:
    # After a good release the table stays.
    table = f"public.note_{release.newest_migration()[:4]}"
    release.add_migration(
        "note",
        f"{before}migrations.RunSQL("
        f"'CREATE TABLE {table} (id bigint PRIMARY KEY, note text NOT NULL);"
        f" GRANT SELECT ON {table} TO claimdrift_tenant', 'DROP TABLE {table}')",
    )


def replace_function(
    release: Release,
    file: str,
    old: str,
    new: str,
    *,
    more: str = "",
    reverse: bool = True,
) -> str:
    """The migration that `makemigrations` would write for an edited file in sql/."""
    former = (release.path / file).read_text(encoding="utf-8")
    release.patch(file, old, new)
    changed = (release.path / file).read_text(encoding="utf-8")
    name = file.removeprefix("sql/").removesuffix(".sql").replace("/", ".")
    return release.add_migration(
        "logic",
        f"django_migrate_sql.operations.AlterSQL(name={name!r}, sql={changed!r},"
        f" reverse_sql={former if reverse else 'SELECT 1'!r},"
        f" state_reverse_sql='DROP FUNCTION IF EXISTS {name};'), {more}",
    )


def cannot_be_imported(release: Release) -> None:
    add_table(release)
    release.patch(
        "api/urls.py", "from api.claims import ClaimViewSet\n", "import nowhere_to_be_found\n"
    )


def cannot_be_served(release: Release) -> None:
    """Its code can be imported; gunicorn doesn't start with it."""
    add_table(release)
    release.patch(
        "core/gunicorn.py", "import shutil\n", "import nowhere_to_be_found\nimport shutil\n"
    )


def is_never_ready(release: Release) -> None:
    add_table(release)
    release.patch(
        "api/health.py", '    check = "database"\n', '    return "database"\n    check = ""\n'
    )


def hangs_at_start(release: Release) -> None:
    """gunicorn starts, and what it starts does nothing, not even end when it is told to."""
    add_table(release)
    release.patch(
        "core/gunicorn.py",
        "def child_exit(",
        "def post_fork(server: Any, worker: Any) -> None:\n"
        "    import time\n\n    time.sleep(3600)\n\n\ndef child_exit(",
    )


def answers_500(release: Release) -> None:
    """All of the API; its health is fine."""
    add_table(release)
    release.patch(
        "api/views.py",
        "            self.prepare(request)\n            for attempt",
        "            raise RuntimeError('broken')\n            for attempt",
    )


def has_no_worker(release: Release) -> None:
    add_table(release)
    release.patch(
        "core/working.py",
        "    running: list[asyncio.Task[None]] = []\n",
        "    raise RuntimeError\n",
    )


def fails_for(customer_id: int) -> Break:
    """One customer's requests fail: nobody else's do, nor does a check."""

    def fail(release: Release) -> None:
        add_table(release)
        release.patch(
            "api/views.py",
            "        self.customer_id = actor.customer_id\n",
            "        self.customer_id = actor.customer_id\n"
            f"        if self.customer_id == {customer_id}:\n"
            "            raise RuntimeError('broken')\n",
        )

    return fail


def loads_nothing_for(customer_id: int) -> Break:
    """One customer's files are never loaded: only the queue shows it."""

    def fail(release: Release) -> None:
        release.patch(
            "core/tasks.py",
            '    """Load a file that the API received."""\n',
            '    """Load a file that the API received."""\n'
            f"    if customer_id == {customer_id}:\n"
            "        raise RuntimeError('broken')\n",
        )

    return fail


def migrates_half(release: Release) -> None:
    """An atomic migration that fails in its middle, after one that didn't."""
    add_table(release)
    replace_function(
        release,
        _RECORD,
        _EXAMINED,
        f"{_EXAMINED}        WHERE true\n",
        more="migrations.RunSQL('SELECT 1 / 0', '')",
    )


def migrates_half_without_transaction(release: Release) -> None:
    """Leaves an index, and another that is INVALID, behind: both can be made and dropped again."""
    add_table(release)
    release.add_migration(
        "index",
        "migrations.RunSQL('CREATE INDEX CONCURRENTLY IF NOT EXISTS claim_deploy_idx"
        " ON public.claim (customer_id, denial_code)',"
        " 'DROP INDEX CONCURRENTLY IF EXISTS public.claim_deploy_idx'),"
        "migrations.RunSQL('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS customer_deploy_key"
        " ON public.customer (time_zone)',"
        " 'DROP INDEX CONCURRENTLY IF EXISTS public.customer_deploy_key')",
        atomic=False,
    )


def breaks_detection(release: Release) -> None:
    """A function that PostgreSQL takes and that fails when it is called, with a self-test."""
    name = _break_detection(release, more="core.online.SelfTest()")
    release.patch(
        f"core/migrations/{name}.py",
        "import django_migrate_sql.operations\n",
        "import core.online\nimport django_migrate_sql.operations\n",
    )


def breaks_detection_untested(release: Release) -> None:
    """The same, and nothing tries it as it is migrated."""
    _break_detection(release)


def _break_detection(release: Release, more: str = "") -> str:
    return replace_function(
        release,
        _RECORD,
        _EXAMINED,
        f"{_EXAMINED}        WHERE 1 / (m.baseline_n - m.baseline_n) > 0\n",
        more=more,
    )


def finds_nothing(release: Release) -> None:
    """Detection that raises nothing, and finds nothing either."""
    replace_function(release, _RECORD, _EXAMINED, f"{_EXAMINED}        WHERE false\n")


def forgets_to_restore(release: Release) -> None:
    """Its migration, reversed, leaves a function's new body and lost rights behind."""
    replace_function(
        release,
        _RECORD,
        _EXAMINED,
        f"{_EXAMINED}        WHERE true\n",
        more="migrations.RunSQL('REVOKE EXECUTE ON FUNCTION drift.measure(bigint, date)"
        " FROM claimdrift_tenant', '')",
        reverse=False,
    )
    release.patch(
        "api/health.py", '    check = "database"\n', '    return "database"\n    check = ""\n'
    )
