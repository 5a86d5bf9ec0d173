"""django-pgtrigger triggers that no session can switch off.

pgtrigger's template asks the session setting `pgtrigger.ignore` first, and any role may set that:
no alert would be raised, and no audit entry written. The template here doesn't ask.
"""

from typing import Any

import pgtrigger
from pgtrigger import compiler


class TriggerSql(compiler.UpsertTriggerSql):
    """Version 1 of our template. Migrations refer to it: never edit it, add another class."""

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}()
            RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp;

            CREATE OR REPLACE TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE FUNCTION {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class CompiledTrigger(compiler.Trigger):
    """A trigger whose function goes when it goes; pgtrigger's own would stay behind."""

    @property
    def uninstall_sql(self) -> str:
        return f"{super().uninstall_sql} DROP FUNCTION IF EXISTS {self.sql.pgid}();"


class StatementTrigger(pgtrigger.Trigger):
    """An AFTER trigger, once per statement, whose body calls one function in `sql/`.

    `call` is that call; in it `changed` names the transition table of new rows, `former` that of
    old ones, where the operation has them.
    """

    when = pgtrigger.After
    level = pgtrigger.Statement

    def __init__(self, *, name: str, operation: pgtrigger.Operation, call: str) -> None:
        events = str(operation)
        super().__init__(
            name=name,
            operation=operation,
            referencing=pgtrigger.Referencing(  # type: ignore[no-untyped-call]
                new=None if events == "DELETE" else "changed",
                old=None if events == "INSERT" else "former",
            ),
            func=f"PERFORM {call}; RETURN NULL;",
        )

    def compile(self, model: Any) -> compiler.Trigger:
        compiled = super().compile(model)
        arguments: dict[str, Any] = dict(compiled.sql.kwargs)
        arguments.pop("ignore_func_name", None)
        return CompiledTrigger(name=compiled.name, sql=TriggerSql(**arguments))
