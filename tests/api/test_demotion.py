"""What a token is good for is asked anew at each request: what was taken away is gone at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from tests.api.client import Answer, Api, Office, new_superuser, new_token
from tests.conftest import Connect
from tests.database import Database

Change = Callable[[Office, int], object]


def demote(office: Office, user_id: int) -> None:
    office.worker.execute("UPDATE membership SET role = 'member' WHERE user_id = %s", user_id)


def remove(office: Office, user_id: int) -> None:
    office.worker.execute("DELETE FROM membership WHERE user_id = %s", user_id)


def disable(office: Office, user_id: int) -> None:
    office.worker.execute('UPDATE "user" SET is_active = false WHERE id = %s', user_id)


def suspend(office: Office, user_id: int) -> None:
    office.worker.execute(
        "UPDATE customer SET status = 'suspended' WHERE id = %s", office.customer_id
    )


def revoke(office: Office, user_id: int) -> None:
    office.worker.execute(
        "SELECT tenancy.revoke_tokens(p_customer_id => %s, p_user_id => %s)",
        office.customer_id,
        user_id,
    )


def expire(office: Office, user_id: int) -> None:
    office.owner.execute(
        "UPDATE api_token SET created_at = '2020-01-01', expires_at = '2020-01-02'"
        " WHERE user_id = %s",
        user_id,
    )


# What it does to an admin who reads, and to one who changes something.
CHANGES: dict[str, tuple[Change, int, int]] = {
    "demoted": (demote, 200, 403),
    "removed": (remove, 401, 401),
    "disabled": (disable, 401, 401),
    "suspended": (suspend, 401, 401),
    "revoked": (revoke, 401, 401),
    "expired": (expire, 401, 401),
}
each_change = pytest.mark.parametrize("change", CHANGES)


@each_change
def test_it_counts_from_the_next_request(office: Office, change: str) -> None:
    apply, reading, changing = CHANGES[change]
    user_id = office.join("admin")
    api = Api(office.token(user_id))
    assert api.get("/payers").status == 200
    assert api.post("/payers", {"name": "Aetna"}).status == 201

    apply(office, user_id)

    assert api.get("/payers").status == reading
    assert api.post("/payers", {"name": "Cigna"}).status == changing
    assert [payer["name"] for payer in office.rows("payer")] == ["Aetna"]


class Running:
    """A request in a thread, and so on a connection of its own."""

    def __init__(self, send: Callable[[], Answer]) -> None:
        self.send = send
        self.answer: Answer | None = None
        self.pid = 0
        self.is_connected = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.is_connected.wait()

    def run(self) -> None:
        try:
            connection.ensure_connection()
            self.pid = connection.connection.info.backend_pid
            self.is_connected.set()
            self.answer = self.send()
        finally:
            connection.close()

    def wait_until_blocked(self, watcher: Database) -> None:
        """Return once it waits for a lock; fail if it ends without having waited."""
        while not watcher.value(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", self.pid
        ):
            assert self.thread.is_alive(), "it didn't wait"
            # Gives the thread a chance; nothing depends on how long it is.
            watcher.execute("SELECT pg_sleep(0.001)")

    def join(self) -> Answer:
        self.thread.join()
        assert self.answer is not None
        return self.answer


@contextmanager
def held_up(office: Office, api: Api, holder: Database) -> Iterator[Running]:
    """A merge of payers that waits for somebody who holds the customer's lock."""
    payer_id, into_id = office.payer("Aetna Inc."), office.payer("Aetna")
    holder.execute("BEGIN")
    running = None
    try:
        holder.execute("SELECT drift.lock_customer(%s)", office.customer_id)
        running = Running(lambda: api.post(f"/payers/{payer_id}/merge", {"into": into_id}))
        running.wait_until_blocked(office.worker)
        yield running
    finally:
        holder.execute("COMMIT")
        if running:
            running.join()


@each_change
def test_it_counts_while_another_request_is_running(
    connect: Connect, office: Office, change: str
) -> None:
    apply, reading, changing = CHANGES[change]
    user_id = office.join("admin")
    api = Api(office.token(user_id))
    with held_up(office, api, Database(connect())) as running:
        apply(office, user_id)

        assert running.thread.is_alive()
        assert api.get("/payers").status == reading
        assert api.post("/cpt-groups", {"name": "Visits"}).status == changing

    # It was let in before. A suspension stops even that.
    assert running.join().status == (403 if change == "suspended" else 202)
    assert api.get("/payers").status == reading
    assert api.post("/cpt-groups", {"name": "Visits"}).status == changing
    merged = [payer["merged_into_id"] for payer in office.rows("payer")]
    assert any(merged) == (change != "suspended")
    assert office.rows("cpt_group") == []


def test_a_promotion_counts_as_well(office: Office) -> None:
    user_id = office.join("member")
    api = Api(office.token(user_id))
    assert api.post("/payers", {"name": "Aetna"}).status == 403

    office.worker.execute("UPDATE membership SET role = 'admin' WHERE user_id = %s", user_id)

    assert api.post("/payers", {"name": "Aetna"}).status == 201


def test_an_admin_takes_a_role_away(office: Office) -> None:
    user_id = office.join("admin")
    api = Api(office.token(user_id))
    [membership] = office.admin.get(f"/memberships?user={user_id}").results

    answer = office.admin.patch(f"/memberships/{membership['id']}", {"role": "member"})
    assert answer.status == 200
    assert api.post("/payers", {"name": "Aetna"}).status == 403

    assert office.admin.delete(f"/memberships/{membership['id']}").status == 204
    assert api.get("/payers").status == 401


def test_whoever_comes_back_needs_a_new_token(office: Office) -> None:
    user_id = office.join("member")
    api = Api(office.token(user_id))

    remove(office, user_id)
    office.worker.execute(
        "INSERT INTO membership (customer_id, user_id) VALUES (%s, %s)",
        office.customer_id,
        user_id,
    )

    assert api.get("/payers").status == 401
    assert Api(office.token(user_id)).get("/payers").status == 200


def test_a_disabled_user_who_is_enabled_again_goes_on(office: Office) -> None:
    user_id = office.join("member")
    api = Api(office.token(user_id))

    disable(office, user_id)
    assert api.get("/payers").status == 401
    office.worker.execute('UPDATE "user" SET is_active = true WHERE id = %s', user_id)

    assert api.get("/payers").status == 200


def test_a_suspended_customers_tokens_stay_void(office: Office) -> None:
    api = office.member
    suspend(office, 0)
    office.worker.execute("UPDATE customer SET status = 'active' WHERE id = %s", office.customer_id)

    assert api.get("/payers").status == 401
    assert Api(office.token(office.join())).get("/payers").status == 200


def test_a_revoked_token_is_void_and_others_go_on(office: Office) -> None:
    user_id = office.join("member")
    first, second = (Api(office.token(user_id)) for _ in range(2))
    [token_id] = {t["id"] for t in first.get("/tokens").results[1:]}

    assert office.admin.delete(f"/tokens/{token_id}").status == 204

    assert first.get("/payers").status == 401
    assert second.get("/payers").status == 200
    assert second.post("/auth/logout").status == 204
    assert second.get("/payers").status == 401


def test_a_former_superuser_is_nobody(worker: Database, office: Office) -> None:
    superuser = new_superuser(worker)
    user_id = superuser.get("/auth/me").json["user"]
    assert superuser.get("/customers").status == 200

    worker.execute('UPDATE "user" SET is_superuser = false WHERE id = %s', user_id)

    assert superuser.get("/customers").status == 401
    assert superuser.get(f"/payers?customer={office.slug}").status == 401


def test_a_new_superuser_gains_nothing_by_the_token_of_a_customer(
    worker: Database, office: Office, neighbour: Office
) -> None:
    user_id = office.join("member")
    api = Api(office.token(user_id))
    worker.execute('UPDATE "user" SET is_superuser = true WHERE id = %s', user_id)

    assert api.get("/auth/me").json["is_superuser"] is False
    assert [row["id"] for row in api.get("/customers").results] == [office.customer_id]
    assert api.get(f"/payers?customer={neighbour.slug}").status == 403
    assert api.post("/customers", {"name": "New", "slug": f"new-{office.slug}"}).status == 403
    remove(office, user_id)
    assert api.get("/auth/me").status == 401
    # The other kind of token is good for all.
    assert Api(new_token(worker, None, user_id)).get("/auth/me").json["is_superuser"] is True
