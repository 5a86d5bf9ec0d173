"""ArchiveDuplicates and UnguardUnique: one row of each key stays, the others can come back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import models
from django.db.models import UniqueConstraint
from django.db.models.functions import Lower
from psycopg2.extensions import connection as Connection

from core import online_archive, online_duplicates
from core.online import (
    AddUniqueIndex,
    ArchiveDuplicates,
    GuardUnique,
    OnlineChangeError,
    UnguardUnique,
)
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import await_true, await_waiter, meanwhile
from tests.migrations.tables import Table
from tests.refusal import refused


@pytest.fixture
def guarded(table: Table) -> Table:
    """Ids 1 to 6: a, a, b, c, c, c, each with one note."""
    table.index_key()
    for id in table.insert("a", "a", "b", "c", "c", "c"):
        table.sql(f"INSERT INTO {table.notes} (entry_id) VALUES (%s)", id)
    table.apply(GuardUnique("entry", table.key))
    return table


def entries(table: Table) -> list[int]:
    return [id for (id,) in table.sql(f"SELECT id FROM {table.name} ORDER BY id")]


def notes(table: Table) -> list[int]:
    """To which entry each note belongs."""
    return [id for (id,) in table.sql(f"SELECT entry_id FROM {table.notes} ORDER BY id")]


def archived(table: Table) -> dict[int, int]:
    """The removed rows' ids, with those of the rows that were kept."""
    return dict(table.sql(f"SELECT id, kept_id FROM {table.key_name}_archive"))


def everything(table: Table) -> Any:
    return (
        table.sql(f"SELECT * FROM {table.name} ORDER BY id"),
        table.sql(f"SELECT * FROM {table.notes} ORDER BY id"),
    )


def archive(table: Table, **options: Any) -> ArchiveDuplicates:
    return ArchiveDuplicates("entry", table.key, **options)


def test_the_newest_stays_and_the_others_notes_go_to_it(guarded: Table) -> None:
    guarded.apply(archive(guarded))

    assert entries(guarded) == [2, 3, 6]
    assert archived(guarded) == {1: 2, 4: 6, 5: 6}
    assert notes(guarded) == [2, 2, 3, 6, 6, 6]


def test_the_row_to_keep_can_be_declared(guarded: Table) -> None:
    guarded.sql(f"UPDATE {guarded.name} SET amount = id % 5")

    guarded.apply(archive(guarded, keep=["-amount", "id"]))

    assert archived(guarded) == {1: 2, 5: 4, 6: 4}


def test_one_without_a_value_is_kept_last(guarded: Table) -> None:
    guarded.sql(f"UPDATE {guarded.name} SET seen = now() WHERE id = 1")

    guarded.apply(archive(guarded, keep=["-seen"]))

    assert archived(guarded) == {2: 1, 4: 6, 5: 6}


def test_backwards_all_is_as_it_was(guarded: Table) -> None:
    guarded.sql(f"UPDATE {guarded.name} SET amount = 1.50, seen = clock_timestamp() WHERE id < 5")
    before = everything(guarded)
    operation = archive(guarded, batch_size=2)
    guarded.apply(operation)

    guarded.reverse(operation)

    assert everything(guarded) == before
    for catalogue, name in (("pg_proc", "proname"), ("pg_class", "relname")):
        assert guarded.sql(
            f"SELECT count(*) FROM {catalogue} WHERE {name} ~ %s",
            f"{guarded.key_name}.*(archive|moves|follow)",
        ) == [(0,)]
    guarded.reverse(operation)
    assert everything(guarded) == before


def test_backwards_a_note_that_moved_on_stays_where_it_is(guarded: Table) -> None:
    guarded.apply(archive(guarded))
    guarded.sql(f"UPDATE {guarded.notes} SET entry_id = 3 WHERE id = 4")
    guarded.sql(f"DELETE FROM {guarded.notes} WHERE id = 5")

    guarded.reverse(archive(guarded))

    assert notes(guarded) == [1, 2, 3, 3, 6]


def test_again_it_goes_on_where_it_was_killed(guarded: Table, connect: Connect) -> None:
    """Both ways: a batch is there or isn't."""
    before = everything(guarded)
    operation = archive(guarded, batch_size=1)
    batches = [0]

    def killed_after_one(work: Any) -> Any:
        def counted(self: Any, *arguments: Any) -> Any:
            batches[0] += 1
            if batches[0] > 1:
                raise KeyboardInterrupt
            return work(self, *arguments)

        return counted

    for method, run in (("remove", guarded.apply), ("restore", guarded.reverse)):
        batches[0] = 0
        with pytest.MonkeyPatch.context() as patch:
            cls = online_archive.Archive
            patch.setattr(cls, method, killed_after_one(getattr(cls, method)))
            with pytest.raises(KeyboardInterrupt):
                run(operation)
        assert 3 < len(entries(guarded)) < 6
        run(operation)
    assert everything(guarded) == before


def test_a_row_that_somebody_has_locked_is_left_until_it_is_free(
    guarded: Table, connect: Connect
) -> None:
    writer, other = Database(connect("claimdrift_migrator")), connect("claimdrift_migrator")
    writer.execute(f"BEGIN; UPDATE {guarded.name} SET amount = 7 WHERE id = 1")

    with meanwhile(lambda: guarded.apply(archive(guarded))):
        await_true(lambda: count(other, guarded) == 4)
        # The writer, whom nothing waits for, isn't kept from the rest either.
        writer.execute(f"UPDATE {guarded.name} SET amount = 7 WHERE id = 2; COMMIT")

    assert archived(guarded) == {1: 2, 4: 6, 5: 6}


def prepared(table: Table) -> None:
    """Let the triggers on the notes be there already, which are created between transactions."""
    model: Any = table.state.apps.get_model("core", "entry")
    with table.connection.schema_editor(atomic=False) as editor:
        online_duplicates.open_archive(editor, model, table.key, ()).create()


def count(connection: Connection, table: Table) -> int:
    return int(Database(connection).value(f"SELECT count(*) FROM {table.name}"))


def test_a_note_that_somebody_is_writing_is_waited_for(guarded: Table, connect: Connect) -> None:
    prepared(guarded)
    writer, other = Database(connect("claimdrift_migrator")), connect("claimdrift_migrator")
    writer.execute(f"BEGIN; UPDATE {guarded.notes} SET text = 'mine' WHERE entry_id = 1")

    with meanwhile(lambda: guarded.apply(archive(guarded, batch_size=1))):
        await_true(lambda: count(other, guarded) == 4)
        writer.execute("COMMIT")

    assert notes(guarded) == [2, 2, 3, 6, 6, 6]


def test_a_key_that_was_changed_meanwhile_is_no_duplicate_any_more(
    guarded: Table, connect: Connect
) -> None:
    writer, other = Database(connect("claimdrift_migrator")), connect("claimdrift_migrator")
    writer.execute(f"BEGIN; UPDATE {guarded.name} SET number = 'free' WHERE id = 1")

    with meanwhile(lambda: guarded.apply(archive(guarded))):
        await_true(lambda: count(other, guarded) == 4)
        writer.execute("COMMIT")

    assert archived(guarded) == {4: 6, 5: 6}


def test_locks_that_never_end_are_given_up_on(
    guarded: Table, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Database(connect("claimdrift_migrator"))
    writer.execute(f"BEGIN; UPDATE {guarded.name} SET amount = 7 WHERE id = 1")
    monkeypatch.setattr(online_duplicates, "PATIENCE_SECONDS", 0.1)

    with pytest.raises(OnlineChangeError, match="locked for 0 seconds"):
        guarded.apply(archive(guarded))

    writer.execute("ROLLBACK")
    assert archived(guarded) == {4: 6, 5: 6}


def test_a_new_note_for_a_removed_row_goes_to_the_one_kept(
    guarded: Table, connect: Connect
) -> None:
    operation = archive(guarded)
    guarded.apply(operation)
    session = Database(connect("claimdrift_migrator"))
    add = f"INSERT INTO {guarded.notes} (entry_id) VALUES (%s) RETURNING entry_id"
    assert session.value(add, 4) == 6
    assert session.value(add, 3) == 3
    with refused("23503"):
        session.execute(add, 99)

    unguard = UnguardUnique("entry", guarded.key)
    guarded.apply(AddUniqueIndex("entry", guarded.key))
    guarded.apply(unguard)
    guarded.again(unguard)
    with refused("23503"):
        session.execute(add, 4)
    guarded.reverse(unguard)
    guarded.reverse(unguard)
    assert session.value(add, 4) == 6
    with refused("23505"):
        session.execute(f"INSERT INTO {guarded.name} (customer_id, number) VALUES (1, 'a')")


def test_a_note_that_is_written_while_its_row_is_removed_goes_to_the_one_kept(
    guarded: Table, connect: Connect
) -> None:
    """It waits for the batch, which is held up here by a trigger of the test's."""
    holder, writer, other = (Database(connect("claimdrift_migrator")) for _ in range(3))
    guarded.sql(
        f"CREATE FUNCTION {guarded.name}_slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END'"
    )
    guarded.sql(
        f"CREATE TRIGGER slow AFTER DELETE ON {guarded.name}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {guarded.name}_slow()"
    )
    holder.execute("SELECT pg_advisory_lock(77)")
    add = f"INSERT INTO {guarded.notes} (entry_id) VALUES (1) RETURNING entry_id"

    with ThreadPoolExecutor(1) as pool, meanwhile(lambda: guarded.apply(archive(guarded))):
        await_waiter(other, "advisory")
        waiting = pool.submit(writer.value, add)
        await_waiter(other, "transactionid")
        holder.execute("SELECT pg_advisory_unlock(77)")
        assert waiting.result(timeout=60) == 2


def test_columns_without_a_foreign_key_follow_when_they_are_named(guarded: Table) -> None:
    soft = f"{guarded.name}_soft"
    guarded.sql(f"CREATE TABLE {soft} (id int PRIMARY KEY, entry_id bigint)")
    guarded.sql(f"INSERT INTO {soft} VALUES (1, 1), (2, NULL)")
    operation = archive(guarded, children=[(soft, "entry_id"), (guarded.notes, "entry_id")])

    guarded.apply(operation)
    assert guarded.sql(f"SELECT entry_id FROM {soft} ORDER BY id") == [(2,), (None,)]
    guarded.reverse(operation)
    assert guarded.sql(f"SELECT entry_id FROM {soft} ORDER BY id") == [(1,), (None,)]
    guarded.sql(f"DROP TABLE {soft}")


def test_a_child_that_can_not_follow_is_refused_before_anything_is_done(guarded: Table) -> None:
    guarded.sql(f"ALTER TABLE {guarded.name} ADD parent_id bigint REFERENCES {guarded.name}")

    with pytest.raises(OnlineChangeError, match="can't be made to follow"):
        guarded.apply(archive(guarded))

    assert len(entries(guarded)) == 6


def test_a_child_that_may_be_there_once_only_stops_it_without_values(guarded: Table) -> None:
    guarded.sql(f"CREATE UNIQUE INDEX {guarded.notes}_once ON {guarded.notes} (entry_id)")

    with pytest.raises(OnlineChangeError) as raised:
        guarded.apply(archive(guarded, batch_size=1))

    assert f"{guarded.notes}_once of {guarded.notes} is in the way" in str(raised.value)
    assert "Key (" not in str(raised.value)
    assert len(entries(guarded)) == 6


def test_without_the_guard_it_is_refused(table: Table) -> None:
    with pytest.raises(OnlineChangeError, match="GuardUnique comes first"):
        table.apply(archive(table))


def test_ids_that_are_no_numbers_are_refused(guarded: Table) -> None:
    state = guarded.state.clone()
    state.alter_field("core", "entry", "id", models.UUIDField(primary_key=True), True)
    guarded.state = state

    with pytest.raises(OnlineChangeError, match="aren't numbers"):
        guarded.apply(archive(guarded))


def test_keys_without_a_value_are_no_duplicates(table: Table) -> None:
    table.sql(f"CREATE INDEX ON {table.name} (number, amount)")
    key = UniqueConstraint(fields=["number", "amount"], name=table.key_name)
    table.insert("a", "a")
    table.apply(GuardUnique("entry", key))

    table.apply(ArchiveDuplicates("entry", key))

    assert archived(table) == {}


def test_an_expression_is_refused_when_the_migration_is_read() -> None:
    for operation in (ArchiveDuplicates, UnguardUnique):
        with pytest.raises(TypeError, match="neither guarded against nor archived"):
            operation("entry", UniqueConstraint(Lower("number"), name="key"))
