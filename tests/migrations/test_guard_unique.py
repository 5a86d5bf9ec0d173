"""GuardUnique: new duplicates are refused while old ones are still there."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db.models import UniqueConstraint
from django.db.models.functions import Lower
from psycopg2.errors import UniqueViolation

from core.online import GuardUnique, OnlineChangeError
from tests.conftest import Connect
from tests.database import Database
from tests.migrations.meanwhile import await_waiter, meanwhile
from tests.migrations.tables import Table
from tests.refusal import refused


@pytest.fixture
def guarded(table: Table) -> Table:
    """With an old duplicate."""
    table.insert("old", "old", "once")
    table.index_key()
    table.apply(GuardUnique("entry", table.key))
    return table


@pytest.fixture
def session(guarded: Table, connect: Connect) -> Database:
    return Database(connect("claimdrift_migrator"))


def add(table: Table) -> str:
    return f"INSERT INTO {table.name} (customer_id, number) VALUES (1, %s)"


def test_a_duplicate_of_an_old_row_or_a_new_one_is_refused_by_the_constraints_name(
    guarded: Table, session: Database
) -> None:
    session.execute(add(guarded), "new")

    for number in ("old", "once", "new"):
        with refused("23505"):
            session.execute(add(guarded), number)
    with pytest.raises(UniqueViolation) as raised:
        session.execute(add(guarded), "old")
    diagnosis = raised.value.diag
    assert (diagnosis.constraint_name, diagnosis.table_name) == (guarded.key_name, guarded.name)
    assert diagnosis.message_detail is None
    assert guarded.in_state() == []


def test_two_in_one_statement_are_refused(guarded: Table, session: Database) -> None:
    with refused("23505"):
        session.execute(
            f"INSERT INTO {guarded.name} (customer_id, number) VALUES (1, 'x'), (1, 'x')"
        )


def test_old_duplicates_can_be_changed_but_not_into_another_key(
    guarded: Table, session: Database
) -> None:
    session.execute(f"UPDATE {guarded.name} SET amount = 5, number = number WHERE number = 'old'")

    with refused("23505"):
        session.execute(f"UPDATE {guarded.name} SET number = 'once' WHERE number = 'old'")
    session.execute(f"UPDATE {guarded.name} SET number = 'free' WHERE number = 'once'")
    session.execute(add(guarded), "once")
    with refused("23505"):
        session.execute(add(guarded), "free")


@pytest.mark.parametrize("number", ["new", "once"])
def test_a_key_is_free_again_when_its_row_is_gone(
    guarded: Table, session: Database, number: str
) -> None:
    if number == "new":
        session.execute(add(guarded), number)
    session.execute(f"DELETE FROM {guarded.name} WHERE number = %s", number)

    session.execute(add(guarded), number)


def test_truncating_frees_all(guarded: Table, session: Database) -> None:
    session.execute(add(guarded), "new")
    session.execute(f"TRUNCATE {guarded.name} CASCADE")

    session.execute(add(guarded), "new")


@pytest.mark.parametrize(("end", "refusal"), [("COMMIT", True), ("ROLLBACK", False)])
def test_who_writes_the_same_key_waits_for_the_others_end(
    guarded: Table, session: Database, connect: Connect, end: str, refusal: bool
) -> None:
    second, other = (Database(connect("claimdrift_migrator")) for _ in range(2))
    session.execute("BEGIN")
    session.execute(add(guarded), "new")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.execute, add(guarded), "new")
        await_waiter(other, "transactionid")
        session.execute(end)
        error = waiting.exception(timeout=60)

    assert getattr(error, "pgcode", None) == ("23505" if refusal else None)
    assert other.value(f"SELECT count(*) FROM {guarded.name} WHERE number = 'new'") == 1


def test_a_row_that_somebody_is_deleting_is_waited_for(
    guarded: Table, session: Database, connect: Connect
) -> None:
    second, other = (Database(connect("claimdrift_migrator")) for _ in range(2))
    session.execute("BEGIN")
    session.execute(f"DELETE FROM {guarded.name} WHERE number = 'once'")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.execute, add(guarded), "once")
        await_waiter(other, "transactionid")
        session.execute("COMMIT")
        assert waiting.exception(timeout=60) is None


def test_sixteen_writers_of_the_same_keys_leave_one_row_of_each(
    guarded: Table, connect: Connect
) -> None:
    sessions = [Database(connect("claimdrift_migrator")) for _ in range(16)]

    def write(session: Database) -> int:
        written = 0
        for number in range(20):
            try:
                session.execute(add(guarded), f"n{number}")
                written += 1
            except UniqueViolation:
                continue
        return written

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(write, sessions)) == 20


def test_an_older_snapshot_sees_no_duplicate_and_is_refused_all_the_same(
    guarded: Table, session: Database, connect: Connect
) -> None:
    older = Database(connect("claimdrift_migrator"))
    older.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    older.execute("SELECT 1")
    session.execute(add(guarded), "new")

    with refused("40001"):
        older.execute(add(guarded), "new")


def test_a_bulk_insert_takes_no_lock_for_each_row(guarded: Table, session: Database) -> None:
    """Locks of so many rows wouldn't fit into the server's memory."""
    session.execute("BEGIN")
    session.execute(
        f"INSERT INTO {guarded.name} (customer_id, number)"
        " SELECT 2, n::text FROM generate_series(1, 5000) AS n"
    )
    assert session.value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()") < 50
    session.execute("ROLLBACK")


@pytest.mark.parametrize("distinct", [True, False])
def test_keys_with_nulls_are_no_duplicates_unless_the_constraint_says_so(
    table: Table, connect: Connect, distinct: bool
) -> None:
    session = Database(connect("claimdrift_migrator"))
    add = f"INSERT INTO {table.name} (customer_id, number, amount) VALUES (1, 'a', %s)"
    table.sql(f"CREATE INDEX ON {table.name} (amount, number)")
    session.execute(add, None)
    key = UniqueConstraint(
        fields=["number", "amount"], nulls_distinct=distinct, name=table.key_name
    )
    table.apply(GuardUnique("entry", key))

    session.execute(add, 1)
    with refused("23505"):
        session.execute(add, 1)
    if distinct:
        session.execute(add, None)
    else:
        with refused("23505"):
            session.execute(add, None)


def test_nobody_can_switch_it_off_by_a_setting(guarded: Table, connect: Connect) -> None:
    session = Database(connect())
    Database(connect("claimdrift_migrator")).execute(
        f"GRANT ALL ON {guarded.name} TO claimdrift_platform;"
        f"GRANT USAGE ON SEQUENCE {guarded.name}_id_seq TO claimdrift_platform"
    )
    session.execute("SET claimdrift.restoring = 'on'")

    with refused("23505"):
        session.execute(add(guarded), "old")


def test_it_can_be_run_again_and_back_without_a_trace(guarded: Table) -> None:
    operation = GuardUnique("entry", guarded.key)
    guarded.again(operation)
    for _ in range(2):
        guarded.reverse(operation)

    guarded.insert("old")
    for catalogue, name in (("pg_proc", "proname"), ("pg_class", "relname")):
        assert guarded.sql(
            f"SELECT count(*) FROM {catalogue} WHERE {name} LIKE %s",
            f"{guarded.key_name}%guard%",
        ) == [(0,)]


def test_without_an_index_on_the_key_it_is_refused(table: Table) -> None:
    with pytest.raises(OnlineChangeError, match="SaferAddIndexConcurrently"):
        table.apply(GuardUnique("entry", table.key))


def test_an_expression_is_refused_when_the_migration_is_read() -> None:
    with pytest.raises(TypeError, match="neither guarded against nor archived"):
        GuardUnique("entry", UniqueConstraint(Lower("number"), name="key"))


def test_run_again_beside_a_writer_it_waits_before_it_locks_anything(
    guarded: Table, session: Database, connect: Connect
) -> None:
    """Or the writer, who needs what it has locked, would be in a deadlock with it."""
    other = Database(connect("claimdrift_migrator"))
    session.execute("BEGIN")
    session.execute(add(guarded), "first")

    with meanwhile(lambda: guarded.again(GuardUnique("entry", guarded.key))):
        await_waiter(other, "relation")
        session.execute(add(guarded), "second")
        session.execute("COMMIT")

    with refused("23505"):
        session.execute(add(guarded), "second")
