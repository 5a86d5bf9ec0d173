"""The secrets of webhook endpoints: shown once, and while they overlap both in use."""

import base64
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.webhooks import secrets
from tests.api.client import Api, Office
from tests.api.problems import problem
from tests.api.webhooks import URL, create, path, secrets_of, signing, text_of
from tests.database import Database


def test_a_secret_is_shown_once_and_found_nowhere_else(
    office: Office, superuser: Api, owner: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        created = create(office)
        rotated = office.admin.post(path(created, "/rotate-secret")).json
        office.admin.patch(path(created), {"description": "changed"})
        office.admin.post("/webhook-endpoints", {"url": URL})
        delivery = office.admin.post(path(created, "/test")).json
    shown = [created["secret"], rotated["secret"]]
    kept = [bytes(row["ciphertext"]) for row in office.rows("webhook_secret")]
    assert [text_of(secret) for secret in secrets_of(office)] == shown

    hidden = [text.removeprefix(secrets.PREFIX) for text in shown]
    hidden += [form for content in kept for form in (content.hex(), str(content))]
    hidden += [base64.b64encode(content).decode() for content in kept]
    texts = [
        api.get(where).content.decode()
        for api in (office.member, office.admin, superuser)
        for where in (
            "/webhook-endpoints",
            path(created),
            path(created, "/deliveries"),
            "/webhook-deliveries",
            f"/webhook-deliveries/{delivery['id']}",
            f"/webhook-deliveries/{delivery['id']}/attempts",
            "/audit?page_size=100",
        )
    ]
    texts += [caplog.text, str(office.rows("audit_entry")), str(office.rows("webhook_event"))]
    texts += [str(owner.execute("SELECT args FROM procrastinate_jobs"))]
    assert not [text for text in texts for secret in hidden if secret in text]
    assert not [text for text in texts if secrets.PREFIX in text or "ciphertext" in text]
    assert "webhook_secret" in str(office.rows("audit_entry"))


def test_while_secrets_overlap_both_sign(office: Office) -> None:
    first = create(office)["secret"]
    [endpoint] = office.rows("webhook_endpoint")
    before = datetime.now(UTC)

    answer = office.admin.post(path(endpoint, "/rotate-secret"), {"overlap_hours": 2})

    assert answer.status == 200
    assert set(answer.json) == {"secret", "former_secret_expires_at"}
    second = answer.json["secret"]
    expires_at = datetime.fromisoformat(answer.json["former_secret_expires_at"])
    assert timedelta(0) <= expires_at - before - timedelta(hours=2) < timedelta(minutes=5)
    former, present = office.rows("webhook_secret")
    assert (former["expires_at"], present["expires_at"]) == (expires_at, None)
    assert signing(office) == [second, first]

    third = office.admin.post(path(endpoint, "/rotate-secret")).json["secret"]
    # The first is void at once: two signatures are enough.
    assert signing(office) == [third, second]


def test_without_an_overlap_the_former_secret_is_void_at_once(office: Office) -> None:
    created = create(office)

    second = office.admin.post(path(created, "/rotate-secret"), {"overlap_hours": 0}).json

    assert signing(office) == [second["secret"]]


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "24", None, True])
def test_an_overlap_is_of_whole_hours_and_a_week_at_most(office: Office, hours: Any) -> None:
    created = create(office)
    before = office.rows("webhook_secret")

    answer = office.admin.post(path(created, "/rotate-secret"), {"overlap_hours": hours})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"overlap_hours"}
    assert office.rows("webhook_secret") == before
