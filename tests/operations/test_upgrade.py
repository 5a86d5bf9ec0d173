"""pg_upgrade, as docs/operations.md has it. There is one version at hand: to itself."""

from datetime import date

import pytest

from tests.core.test_embedded import temporary_server
from tests.operations.installation import connected, counted, folder, installed, schema
from tests.operations.page import block, done
from tests.operations.test_point_in_time import make_room
from tests.portfolio import Portfolio

TITLE = "Upgrading PostgreSQL"


@pytest.mark.long
def test_an_upgrade_keeps_all_of_it() -> None:
    with (
        installed() as old,
        folder() as place,
        temporary_server(place / "clone") as new,
        folder(old) as workplace,
    ):
        with (
            connected(old, "claimdrift_migrator") as owner,
            connected(old, "claimdrift_worker") as worker,
        ):
            portfolio = Portfolio(owner, worker)
            portfolio.decide_period(date(2025, 1, 1), date(2025, 3, 1), per_day=4, rate=0.1)
            before = counted(owner)
        former = schema(old)
        old.stop()
        make_room(new)

        done(
            new,
            block(TITLE, holding="pg_upgrade"),
            cwd=workplace,
            OLD=old.bin_dir,
            NEW=new.bin_dir,
            OLD_DATA=old.data_dir,
            NEW_DATA=new.data_dir,
        )
        new.start()

        assert done(new, block(TITLE, holding="vacuumdb")) == ""
        with connected(new, "postgres") as superuser:
            assert counted(superuser) == before
        assert schema(new) == former
        with connected(new, "claimdrift_worker") as worker:
            assert worker.value("SELECT drift.detect(%s, %s)", portfolio.customer_id, date.today())
