"""Keep new duplicates out of a busy table that still has old ones, by a trigger.

Unique indexes can't be built while there are duplicates, and removing them is no use while new ones
come in. The guard is what a unique index would be for new rows only: a side table with the keys of
rows that were written since holds a real unique index, for which transactions wait as they would
for the final one; what was there before is looked up.
"""

from typing import Any

from django.db import transaction
from django.db.models import Model, UniqueConstraint

from core.online_catalogue import OnlineChangeError, ends_as_index, fetch, with_suffix
from core.online_unique import UniqueOperation

# With this the reverse of ArchiveDuplicates puts duplicates back. For the table's owner only.
RESTORING = "claimdrift.restoring"

_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $guard$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {side};
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND ({old_keys}) IS NOT DISTINCT FROM ({new_keys}) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM {side} AS s WHERE s.{id} = OLD.{id};
    END IF;
    IF TG_OP = 'DELETE' OR {is_exempt} THEN
        RETURN NULL;
    END IF;
    IF current_setting('{restoring}', true) = 'on' AND pg_has_role(
        session_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = TG_RELID), 'MEMBER'
    ) THEN
        RETURN NULL;
    END IF;
    -- Waits for a transaction that has written the same key and not ended yet.
    INSERT INTO {side} ({id}, {keys}) VALUES (NEW.{id}, {new_keys}) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        -- A row that somebody is deleting is waited for, too.
        PERFORM FROM {table} AS t
        WHERE {same_key} AND t.{id} <> NEW.{id}
        LIMIT 1
        FOR KEY SHARE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION 'duplicate key value violates unique constraint "%"', {name}
        USING
            ERRCODE = 'unique_violation',
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME,
            CONSTRAINT = {name};
END;
$guard$
"""


def key_columns(model: type[Model], constraint: UniqueConstraint) -> list[str]:
    columns: list[Any] = [model._meta.get_field(name) for name in constraint.fields]
    return [field.column for field in columns]


def pk_column(model: type[Model]) -> str:
    options: Any = model._meta
    return str(options.pk.column)


def check_guardable(constraint: UniqueConstraint) -> None:
    if ends_as_index(constraint):
        raise TypeError(
            f"{constraint.name} has a condition, an expression or the like: such duplicates are"
            " neither guarded against nor archived. Remove them by hand, then AddUniqueIndex."
        )


def install_guard(editor: Any, model: type[Model], constraint: UniqueConstraint) -> None:
    """Create side table, function and triggers, or replace them, in one short transaction."""
    quote = editor.quote_name
    table, name = model._meta.db_table, constraint.name
    keys = [quote(column) for column in key_columns(model, constraint)]
    side, function = with_suffix(name, "guard_keys"), with_suffix(name, "guard")
    pk = quote(pk_column(model))
    if constraint.nulls_distinct is False:
        exempt = "false"
        same = [
            f"(t.{key} = NEW.{key} OR t.{key} IS NULL AND NEW.{key} IS NULL)"
            if model._meta.get_field(field).null
            else f"t.{key} = NEW.{key}"
            for field, key in zip(constraint.fields, keys, strict=True)
        ]
    else:
        exempt = f"num_nulls({', '.join(f'NEW.{key}' for key in keys)}) > 0"
        same = [f"t.{key} = NEW.{key}" for key in keys]
    nulls = " NULLS NOT DISTINCT" if constraint.nulls_distinct is False else ""
    text = _FUNCTION.format(
        function=f"public.{quote(function)}",
        side=f"public.{quote(side)}",
        table=f"public.{quote(table)}",
        id=pk,
        keys=", ".join(keys),
        old_keys=", ".join(f"OLD.{key}" for key in keys),
        new_keys=", ".join(f"NEW.{key}" for key in keys),
        is_exempt=exempt,
        same_key=" AND ".join(same),
        restoring=RESTORING,
        name=editor.quote_value(name),
    )
    statements = [
        # First the table and then the side table, as writers come to them; or some would deadlock.
        f"LOCK TABLE {quote(table)} IN SHARE ROW EXCLUSIVE MODE",
        # What it holds matters only while the transactions that wrote it last: a crash ends them.
        f"CREATE UNLOGGED TABLE IF NOT EXISTS {quote(side)} AS"  # noqa: S608 (quoted)
        f" SELECT {pk}, {', '.join(keys)} FROM {quote(table)} WITH NO DATA",
        f"CREATE UNIQUE INDEX IF NOT EXISTS {quote(with_suffix(side, 'id'))}"
        f" ON {quote(side)} ({pk})",
        f"CREATE UNIQUE INDEX IF NOT EXISTS {quote(with_suffix(side, 'key'))}"
        f" ON {quote(side)} ({', '.join(keys)}){nulls}",
        text,
        f"REVOKE ALL ON FUNCTION {quote(function)}() FROM PUBLIC",
        f"CREATE OR REPLACE TRIGGER {quote(function)}"
        f" AFTER INSERT OR UPDATE OF {', '.join(keys)} OR DELETE ON {quote(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION {quote(function)}()",
        f"CREATE OR REPLACE TRIGGER {quote(with_suffix(function, 'truncate'))}"
        f" AFTER TRUNCATE ON {quote(table)}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {quote(function)}()",
    ]
    with transaction.atomic(using=editor.connection.alias):
        for statement in statements:
            editor.execute(statement, params=None)


def remove_guard(editor: Any, table: str, name: str) -> None:
    """In one short transaction; nothing happens where there is none."""
    quote = editor.quote_name
    function = with_suffix(name, "guard")
    with transaction.atomic(using=editor.connection.alias):
        for trigger in (function, with_suffix(function, "truncate")):
            editor.execute(
                f"DROP TRIGGER IF EXISTS {quote(trigger)} ON {quote(table)}", params=None
            )
        editor.execute(f"DROP FUNCTION IF EXISTS {quote(function)}()", params=None)
        editor.execute(
            f"DROP TABLE IF EXISTS {quote(with_suffix(name, 'guard_keys'))}", params=None
        )


def has_guard(connection: Any, table: str, name: str) -> bool:
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM pg_trigger"
            " WHERE tgname = %s AND tgrelid = %s::regclass AND tgenabled <> 'D'",
            with_suffix(name, "guard"),
            connection.ops.quote_name(table),
        )
    )


def check_key_index(connection: Any, table: str, columns: list[str]) -> None:
    """Raise OnlineChangeError unless an index finds rows by the key: each insert will ask it."""
    rows = fetch(
        connection,
        """
        SELECT 1 FROM pg_index AS i
        WHERE
            i.indrelid = %s::regclass AND i.indisvalid AND i.indpred IS NULL
            AND (
                SELECT array_agg(a.attname::text ORDER BY a.attname)
                FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
                JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE k.n <= %s
            ) = %s
        """,
        connection.ops.quote_name(table),
        len(columns),
        sorted(columns),
    )
    if not rows:
        raise OnlineChangeError(
            f"{table} has no index on ({', '.join(columns)}), so each insert would read the whole"
            " table to find its duplicates. Add one first, with SaferAddIndexConcurrently."
        )


class GuardUnique(UniqueOperation):
    """Phase 0 where there are duplicates: refuse new ones from now on, as the constraint would.

    With SQLSTATE 23505 and the constraint's name. It needs an index on the key's columns.
    """

    def __init__(self, model_name: str, constraint: UniqueConstraint) -> None:
        check_guardable(constraint)
        super().__init__(model_name, constraint)

    def describe(self) -> str:
        return f"Refuse new duplicates of {self.constraint.name} in {self.model_name}"

    def forwards(self, editor: Any, model: type[Model]) -> None:
        if not editor.collect_sql:
            columns = key_columns(model, self.constraint)
            check_key_index(editor.connection, model._meta.db_table, columns)
        install_guard(editor, model, self.constraint)

    def backwards(self, editor: Any, model: type[Model]) -> None:
        remove_guard(editor, model._meta.db_table, self.constraint.name)
