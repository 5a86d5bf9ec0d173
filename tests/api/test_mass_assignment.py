"""Nobody sets what isn't theirs to set, by naming it in a body."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.callers import Callers
from tests.api.rbac import NOTHING, OPERATIONS
from tests.api.routes import ROUTES
from tests.api.worlds import Fingerprints

pytestmark = pytest.mark.usefixtures("cheap_passwords")

TAKING_A_BODY = [name for name, route in ROUTES.items() if route.fields]


def coveted(callers: Callers) -> dict[str, Any]:
    """What somebody would like to set, and to what."""
    theirs = callers.theirs
    return {
        "customer": theirs.customer_id,
        "customer_id": theirs.customer_id,
        "role": "admin",
        "is_superuser": True,
        "is_staff": True,
        "is_active": True,
        "user": theirs.people["admin"],
        "user_id": theirs.people["admin"],
        "id": theirs.ids["payer"],
        "pk": theirs.ids["payer"],
        "status": "active",
        "version": 99,
        "digest": "0" * 64,
        "prefix": "cd_",
        "token": "cd_mine",
        "password": "a new password",
        "created_at": "2020-01-01T00:00:00Z",
        "payer_id": theirs.ids["payer"],
        "merged_into": theirs.ids["payer"],
        "actor": theirs.people["admin"],
        "rows_total": 5,
        "__class__": "User",
    }


@pytest.mark.parametrize("operation_id", TAKING_A_BODY)
def test_what_cannot_be_set_is_refused_and_nothing_is_changed(
    callers: Callers, fingerprints: Fingerprints, operation_id: str
) -> None:
    operation, route = OPERATIONS[operation_id], ROUTES[operation_id]
    assert operation.body is not None
    caller = callers.named("superuser" if operation.need > 2 else "admin")
    ours = callers.ours
    target_id = ours.fresh(operation.target, caller.user_id) if operation.target else None
    valid: Any = operation.body(ours)
    before = fingerprints.take()
    for field, value in coveted(callers).items():
        if field in route.fields:
            continue
        if operation.content_type == "text/csv":
            content_type, body = "multipart/form-data; boundary=b", form(valid, field, str(value))
        else:
            content_type, body = operation.content_type, valid | {field: value}
        answer = caller.api.request(
            route.method, route.path(target_id), body, content_type=content_type
        )

        assert answer.status == 400, (field, answer.content)
        assert answer.blamed() == {field}
        assert callers.theirs.traces_in(answer) == []
        assert fingerprints.take() == before, field


def form(content: bytes, field: str, value: str) -> bytes:
    """A form with a file and a field."""
    return (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="claims.csv"\r\n\r\n'
        + content
        + f'\r\n--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        + b"--b--\r\n"
    )


@pytest.mark.parametrize("operation_id", [n for n, o in OPERATIONS.items() if o.is_write])
def test_nor_does_a_query_set_it(
    callers: Callers, fingerprints: Fingerprints, operation_id: str
) -> None:
    operation, route = OPERATIONS[operation_id], ROUTES[operation_id]
    caller = callers.named("superuser" if operation.need > 2 else "admin")
    ours = callers.ours
    target_id = ours.fresh(operation.target, caller.user_id) if operation.target else None
    body: Any = operation.body(ours) if operation.body else None
    before = fingerprints.take()
    for field, value in coveted(callers).items():
        answer = caller.api.request(
            route.method,
            f"{route.path(target_id)}?{urlencode({field: value})}",
            body,
            content_type=operation.content_type,
        )

        is_narrowing = field == "customer" and operation.need not in {NOTHING, 3}
        assert answer.status == (403 if is_narrowing else 400), (field, answer.content)
        assert fingerprints.take() == before, field
