"""An operation that takes a body says so, or does without: none is nobody's server error."""

import pytest

from tests.api.client import Office
from tests.api.rbac import OPERATIONS
from tests.api.routes import ROUTES
from tests.api.worlds import MISSING

TAKING_A_BODY = [name for name, route in ROUTES.items() if route.fields]


@pytest.mark.parametrize("operation_id", TAKING_A_BODY)
def test_no_body_is_the_clients_affair(office: Office, operation_id: str) -> None:
    route = ROUTES[operation_id]
    path = route.path(office.customer_id if "customer" in operation_id else MISSING)
    for body, content_type in (
        (None, ""),
        ("", ""),
        ("", "application/json"),
        ("", "text/csv"),
        ("", "multipart/form-data"),
        ("", "multipart/form-data; boundary=b"),
        ("x", "multipart/form-data"),
        ("null", "application/json"),
        ("[]", "application/json"),
    ):
        answer = office.admin.request(route.method, path, body, content_type=content_type)

        assert answer.status < 500, (content_type, answer.content)
        if OPERATIONS[operation_id].status == 201:
            assert answer.status in {400, 403, 415}, (content_type, answer.content)
