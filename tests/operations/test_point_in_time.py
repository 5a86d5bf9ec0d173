"""A base backup and the log, as docs/operations.md has them: back to before an accident."""

import shutil
import time
from contextlib import suppress
from datetime import date

import pytest

from core.embedded import EmbeddedServer, EmbeddedServerError
from tests.acceptance.service import LIMIT
from tests.core.test_embedded import temporary_server
from tests.database import Database
from tests.operations.installation import connected, counted, folder, installed
from tests.operations.page import block, done, owned
from tests.portfolio import Portfolio

TITLE = "To a moment"


def archive(superuser: Database) -> None:
    """Have all that was written so far archived."""
    wal = superuser.value("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + LIMIT
    while not superuser.value(
        "SELECT coalesce(last_archived_wal >= %s, false) FROM pg_stat_archiver", wal
    ):
        assert time.monotonic() < deadline, superuser.dicts("SELECT * FROM pg_stat_archiver")
        time.sleep(0.05)


def make_room(target: EmbeddedServer) -> None:
    """Programs without data, which go into an empty folder."""
    target.start()
    target.stop()
    shutil.rmtree(target.data_dir)
    target.data_dir.mkdir(mode=0o700)
    owned(target, target.data_dir)


def start_when_it_is_there(target: EmbeddedServer) -> None:
    """Nobody gets in before the recovery's end, which pg_ctl doesn't wait for."""
    with suppress(EmbeddedServerError):
        target.start()
    deadline = time.monotonic() + LIMIT
    while not target.is_running():
        assert time.monotonic() < deadline, target.log_file.read_text()
        time.sleep(0.05)


@pytest.mark.long
def test_the_moment_before_an_accident_comes_back() -> None:
    with (
        installed() as source,
        folder(source) as logs,
        folder(source) as backups,
        folder() as place,
        temporary_server(place / "clone") as target,
    ):
        done(source, block(TITLE, holding="archive_command"), ARCHIVE=logs)
        source.stop()
        source.start()
        with (
            connected(source, "claimdrift_migrator") as owner,
            connected(source, "claimdrift_worker") as worker,
        ):
            first = Portfolio(owner, worker)
            first.decide_period(date(2025, 1, 1), date(2025, 3, 1), per_day=4, rate=0.1)
            done(source, block(TITLE, holding="pg_basebackup"), BACKUPS=backups)
            second = Portfolio(owner, worker)
            second.decide_period(date(2025, 1, 1), date(2025, 3, 1), per_day=4, rate=0.1)
            before = counted(owner)
            moment = owner.value("SELECT clock_timestamp()::text")
            owner.execute("SELECT pg_sleep(0.1)")
            owner.execute("DELETE FROM claim")
            assert counted(owner) != before
        with connected(source, "postgres") as superuser:
            archive(superuser)
            [state] = superuser.dicts(block(TITLE, "sql"))
            assert (state["failed_count"], state["last_archived_wal"] is None) == (0, False)

        make_room(target)
        [base] = backups.iterdir()
        done(
            target,
            block(TITLE, holding="recovery.signal"),
            base=base,
            ARCHIVE=logs,
            PGDATA=target.data_dir,
            MOMENT=moment,
        )
        start_when_it_is_there(target)

        with connected(target, "postgres") as superuser:
            assert superuser.value("SELECT pg_is_in_recovery()") is False
            assert counted(superuser) == before
            assert before["claim"] == 2 * 59 * 4
            assert superuser.execute("SELECT * FROM maintenance.verify()") == []
            superuser.execute("INSERT INTO customer (name, slug) VALUES ('New', 'new')")
