"""`webhooks.rotate_secret`: a new secret, and the former one for a while."""

from datetime import datetime, timedelta

import pytest

from tests.database import Database
from tests.portfolio import as_tenant
from tests.refusal import refused
from tests.webhooks.dispatch import Dispatch, MakeDispatch

ROTATE = "SELECT webhooks.rotate_secret(%s, %s, 'x', 'key')"


def rotate(dispatch: Dispatch, endpoint_id: int, secret: bytes, *overlap: str | None) -> datetime:
    until: datetime = dispatch.call("rotate_secret", endpoint_id, secret, "key", *overlap)
    return until


def in_use(dispatch: Dispatch) -> list[bytes]:
    """What a delivery to all endpoints is signed with."""
    dispatch.publish()
    delivery_id = dispatch.portfolio.rows("webhook_delivery")[-1]["id"]
    return [bytes(ciphertext) for ciphertext in dispatch.begin(delivery_id)["ciphertexts"]]


def test_the_former_one_signs_for_another_day(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(ciphertext=b"old")
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")

    until = rotate(dispatch, endpoint_id, b"new")

    after: datetime = dispatch.owner.value("SELECT clock_timestamp()")
    assert before <= until - timedelta(hours=24) <= after
    assert [row["expires_at"] for row in dispatch.portfolio.rows("webhook_secret")] == [until, None]
    assert in_use(dispatch) == [b"new", b"old"]


def test_two_are_in_use_at_most(dispatch: Dispatch) -> None:
    endpoint_id = dispatch.create(ciphertext=b"0")
    for number in (1, 2, 3):
        rotate(dispatch, endpoint_id, f"{number}".encode(), "7 days")

        assert in_use(dispatch) == [f"{number}".encode(), f"{number - 1}".encode()]
        assert len(dispatch.portfolio.rows("webhook_secret")) == 2


@pytest.mark.parametrize(
    ("overlap", "kept"),
    [
        ("1 hour", timedelta(hours=1)),
        ("168 hours", timedelta(days=7)),
        ("169 hours", timedelta(days=7)),
        ("1000 years", timedelta(days=7)),
        ("0", timedelta(0)),
        ("-1 hour", timedelta(0)),
        (None, timedelta(0)),
    ],
)
def test_the_overlap_has_its_bounds(
    dispatch: Dispatch, overlap: str | None, kept: timedelta
) -> None:
    endpoint_id = dispatch.create(ciphertext=b"old")
    before: datetime = dispatch.owner.value("SELECT clock_timestamp()")

    until = rotate(dispatch, endpoint_id, b"new", overlap)

    assert before <= until - kept <= dispatch.owner.value("SELECT clock_timestamp()")
    assert in_use(dispatch) == ([b"new", b"old"] if kept else [b"new"])


def test_other_endpoints_keep_theirs(dispatch: Dispatch) -> None:
    endpoint_id, other = dispatch.create(), dispatch.create(ciphertext=b"theirs")

    rotate(dispatch, endpoint_id, b"new")

    [secret] = [r for r in dispatch.portfolio.rows("webhook_secret") if r["endpoint_id"] == other]
    assert (bytes(secret["ciphertext"]), secret["expires_at"]) == (b"theirs", None)


def test_an_unknown_endpoint_is_refused(dispatch: Dispatch, make_dispatch: MakeDispatch) -> None:
    for endpoint_id in (-1, make_dispatch().create()):
        with refused("PD016", "webhook_endpoint"):
            rotate(dispatch, endpoint_id, b"new")


def test_a_tenant_rotates_its_own(
    dispatch: Dispatch, make_dispatch: MakeDispatch, web: Database
) -> None:
    endpoint_id, other = dispatch.create(), make_dispatch()
    with as_tenant(web.connection, dispatch.customer_id) as tenant:
        tenant.value(ROTATE, dispatch.customer_id, endpoint_id)
        with refused("PD003"):
            tenant.value(ROTATE, other.customer_id, other.create())
