"""Webhook endpoints, as somebody with a token works with them; test_deliveries.py has the rest."""

from typing import Any

import pytest

from core.models.webhooks import EventType
from tests.api.client import Api, Office
from tests.api.problems import problem
from tests.api.webhooks import (
    COUNTERS,
    LONG_AGO,
    URL,
    attempt,
    create,
    happen,
    path,
    secrets_of,
    signing,
    text_of,
)


def test_an_endpoint_is_made_with_its_secret_and_read_without(office: Office) -> None:
    answer = office.admin.post(
        "/webhook-endpoints",
        {
            "url": URL,
            "description": "Pages whoever is on call.",
            "event_types": ["alert.opened", "alert.escalated", "alert.opened"],
            "max_in_flight": 3,
        },
    )

    assert answer.status == 201
    created = answer.json
    assert answer.headers["location"].endswith(path(created))
    assert answer.headers["cache-control"] == "no-store"
    shown = {name: value for name, value in created.items() if name != "secret"}
    assert shown == {
        "id": created["id"],
        "customer": office.customer_id,
        "url": URL,
        "description": "Pages whoever is on call.",
        "event_types": ["alert.opened", "alert.escalated"],
        "max_in_flight": 3,
        "status": "active",
        "status_reason": "",
        "status_at": created["created_at"],
        "failing_since": None,
        "blocked_until": None,
        "last_success_at": None,
        "created_at": created["created_at"],
    }
    assert office.member.get(path(created)).json == shown
    assert office.member.get("/webhook-endpoints").results == [shown]
    [row] = office.rows("webhook_endpoint")
    assert (row["url"], row["event_types"]) == (URL, ["alert.opened", "alert.escalated"])
    assert [text_of(secret) for secret in secrets_of(office)] == [created["secret"]]


def test_what_is_left_out_has_defaults(office: Office) -> None:
    created = create(office)

    assert (created["description"], created["event_types"]) == ("", [])
    assert created["max_in_flight"] == 10


def test_a_change_is_of_what_is_named_and_of_nothing_else(office: Office) -> None:
    created = create(office, description="before", event_types=["upload.failed"])
    [before] = office.rows("webhook_endpoint")

    answer = office.admin.patch(
        path(created),
        {"url": f"{URL}/2", "event_types": ["drift_run.failed"] * 2, "max_in_flight": 50},
    )

    assert answer.status == 200
    changes = {"url": f"{URL}/2", "event_types": ["drift_run.failed"], "max_in_flight": 50}
    assert answer.json == {k: v for k, v in created.items() if k != "secret"} | changes
    assert office.rows("webhook_endpoint") == [before | changes]
    assert office.admin.patch(path(created), {"event_types": []}).json["event_types"] == []


def test_health_and_status_are_not_set_by_anybody(office: Office) -> None:
    created = create(office)
    [before] = office.rows("webhook_endpoint")
    for field, value in {
        "status": "disabled",
        "status_reason": "x",
        "secret": "whsec_mine",
        "failing_since": None,
        "blocked_until": None,
        "last_success_at": LONG_AGO,
    }.items():
        for answer in (
            office.admin.patch(path(created), {field: value}),
            office.admin.post("/webhook-endpoints", {"url": f"{URL}/2", field: value}),
        ):
            problem(answer, 400, "validation_error")
            assert answer.blamed() == {field}
    assert office.rows("webhook_endpoint") == [before]


def test_a_deleted_endpoint_takes_all_its_own_along(office: Office) -> None:
    created, other = create(office), create(office, f"{URL}/2")
    happen(office)
    deliveries = office.rows("webhook_delivery")
    attempt(office, deliveries[0]["id"], 500)

    assert office.admin.delete(path(created)).status == 204

    problem(office.admin.get(path(created)), 404, "not_found")
    problem(office.admin.get(path(created, "/deliveries")), 404, "not_found")
    problem(office.admin.get(f"/webhook-deliveries/{deliveries[0]['id']}"), 404, "not_found")
    assert [row["id"] for row in office.rows("webhook_endpoint")] == [other["id"]]
    assert [row["endpoint_id"] for row in office.rows("webhook_delivery")] == [other["id"]]
    assert [row["endpoint_id"] for row in office.rows("webhook_secret")] == [other["id"]]
    assert office.rows("webhook_attempt") == []
    assert len(office.rows("webhook_event")) == 1


# URLs


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"{URL}?{'x' * 2000}", "It has more than 2000 characters."),
        ("https://ex ample.com/", "It holds a space or another character that a URL can't:"),
        ("https://example.com/\u00e9", "It holds a space or another character that a URL can't:"),
        ("https://example.com\\@10.0.0.1/", "It holds a space or another character that a URL"),
        ("example.com/hook", "It isn't a URL, such as https://example.com/webhooks."),
        ("ftp://example.com/", "It isn't a URL, such as https://example.com/webhooks."),
        ("https:///hook", "It isn't a URL, such as https://example.com/webhooks."),
        ("https://example.com:99999/", "It isn't a URL, such as https://example.com/webhooks."),
        ("https://[]@", "It isn't a URL, such as https://example.com/webhooks."),
        ("HTTPS://example.com/", "It isn't a URL, such as https://example.com/webhooks."),
        ("https://jane:pw@example.com/", "It holds a user or password:"),
        ("https://jane@example.com/", "It holds a user or password:"),
        ("https://example.com/#part", "It has a fragment (#...), which is never sent."),
        ("https://2130706433/", "Its host is a number: write the address or a name."),
        ("https://0x7f.1/", "Its host is a number: write the address or a name."),
        ("https://127.0.0.1/", "Its host isn't public."),
        ("https://10.1.2.3/", "Its host isn't public."),
        ("https://169.254.169.254/latest/meta-data", "Its host isn't public."),
        ("https://[::1]/", "Its host isn't public."),
        ("https://[::ffff:10.0.0.1]/", "Its host isn't public."),
        ("https://localhost/", "Its host isn't public."),
        ("https://printer.local/", "Its host isn't public."),
        ("https://intranet/", "Its host isn't public."),
        ("http://example.com/", "It must start with https://"),
    ],
)
def test_a_url_that_nothing_is_sent_to_is_refused_in_a_sentence(
    office: Office, url: str, sentence: str
) -> None:
    created = create(office)
    for answer in (
        office.admin.post("/webhook-endpoints", {"url": url}),
        office.admin.patch(path(created), {"url": url}),
    ):
        problem(answer, 400, "validation_error")
        [error] = answer.json["errors"]
        assert error["field"] == "url"
        assert error["detail"].startswith(sentence)
    assert [row["url"] for row in office.rows("webhook_endpoint")] == [URL]


@pytest.mark.parametrize("url", [None, 5, "", " ", [], {}, True])
def test_a_url_is_text(office: Office, url: Any) -> None:
    answer = office.admin.post("/webhook-endpoints", {"url": url})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"url"}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/a/b?c=d&e=%20",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]/hook",
        "https://xn--bcher-kva.example/",
        "https://example.com/" + "x" * 1980,
    ],
)
def test_a_url_is_kept_as_it_was_written(office: Office, url: str) -> None:
    created = create(office, url)

    assert created["url"] == url
    assert [row["url"] for row in office.rows("webhook_endpoint")] == [url]


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        ({"event_types": ["alert.closed"]}, "event_types.0"),
        ({"event_types": ["alert.opened", 5]}, "event_types.1"),
        ({"event_types": "alert.opened"}, "event_types"),
        ({"event_types": None}, "event_types"),
        ({"event_types": {"0": "alert.opened"}}, "event_types"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"max_in_flight": 51}, "max_in_flight"),
        ({"max_in_flight": "5"}, "max_in_flight"),
        ({"max_in_flight": None}, "max_in_flight"),
        ({"description": "x" * 201}, "description"),
        ({"description": None}, "description"),
    ],
)
def test_a_bad_value_is_refused_by_name(office: Office, body: dict[str, Any], blamed: str) -> None:
    answer = office.admin.post("/webhook-endpoints", {"url": URL, **body})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {blamed}
    assert office.rows("webhook_endpoint") == []


def test_every_type_of_event_can_be_chosen(office: Office) -> None:
    created = create(office, event_types=EventType.values)

    assert created["event_types"] == EventType.values


def test_the_same_url_twice_is_a_conflict(office: Office, neighbour: Office) -> None:
    create(office)
    other = create(office, f"{URL}/2")
    for answer in (
        office.admin.post("/webhook-endpoints", {"url": URL}),
        office.admin.patch(path(other), {"url": URL}),
    ):
        found = problem(answer, 409, "conflict")
        assert found["detail"] == "There is an endpoint with this URL."
        [error] = found["errors"]
        assert (error["field"], error["code"]) == ("url", "unique")
    assert len(office.rows("webhook_secret")) == 2
    # Somebody else's is none of their business.
    create(neighbour)


def test_the_fifty_first_endpoint_is_a_conflict(office: Office) -> None:
    office.owner.execute(
        "INSERT INTO webhook_endpoint (customer_id, url)"
        " SELECT %s, 'https://example.com/' || n FROM generate_series(1, 49) AS n",
        office.customer_id,
    )
    created = create(office)

    # PD018
    found = problem(office.admin.post("/webhook-endpoints", {"url": f"{URL}/2"}), 409, "conflict")
    assert found["detail"] == (
        "Too many webhook endpoints. Delete one that is not needed any more."
    )
    assert office.admin.delete(path(created)).status == 204
    create(office, f"{URL}/2")


# Who


def test_members_read_and_admins_write(office: Office) -> None:
    created = create(office)
    happen(office)
    [delivery] = office.rows("webhook_delivery")
    before = office.rows("webhook_endpoint") + office.rows("webhook_delivery")
    reads = (
        "/webhook-endpoints",
        path(created),
        path(created, "/deliveries"),
        "/webhook-deliveries",
        f"/webhook-deliveries/{delivery['id']}",
        f"/webhook-deliveries/{delivery['id']}/attempts",
    )
    for where in reads:
        assert office.member.get(where).status == 200
    for method, where, body in (
        ("POST", "/webhook-endpoints", {"url": f"{URL}/2"}),
        ("PATCH", path(created), {"description": "x"}),
        ("DELETE", path(created), None),
        ("POST", path(created, "/test"), None),
        ("POST", path(created, "/pause"), None),
        ("POST", path(created, "/resume"), None),
        ("POST", path(created, "/rotate-secret"), {}),
        ("POST", path(created, "/recover"), {"since": LONG_AGO}),
        ("POST", f"/webhook-deliveries/{delivery['id']}/replay", None),
    ):
        problem(office.member.request(method, where, body), 403, "permission_denied")
    assert office.rows("webhook_endpoint") + office.rows("webhook_delivery") == before


def test_a_superuser_says_whose_a_new_endpoint_is_and_handles_the_rest_without(
    office: Office, superuser: Api
) -> None:
    answer = superuser.post("/webhook-endpoints", {"url": URL})
    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"customer"}

    created = superuser.post(f"/webhook-endpoints?customer={office.slug}", {"url": URL}).json
    assert created["customer"] == office.customer_id
    assert [text_of(secret) for secret in secrets_of(office)] == [created["secret"]]
    rotated = superuser.post(path(created, "/rotate-secret"), {"overlap_hours": 1}).json
    assert signing(office)[0] == rotated["secret"]
    for action in ("/test", "/pause", "/resume"):
        assert superuser.post(path(created, action)).status in {200, 202}
    assert superuser.patch(path(created), {"max_in_flight": 1}).json["max_in_flight"] == 1
    assert superuser.get(path(created, "/deliveries")).json["count"] == 2
    assert superuser.delete(path(created)).status == 204


@pytest.mark.parametrize("action", ["test", "pause", "resume"])
def test_what_takes_no_body_refuses_one(office: Office, action: str) -> None:
    created = create(office)
    before = office.rows("webhook_endpoint"), office.rows("webhook_delivery")

    answer = office.admin.post(path(created, f"/{action}"), {"force": True})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"force"}
    problem(office.admin.post(path(created, f"/{action}"), ["force"]), 400, "parse_error")
    assert (office.rows("webhook_endpoint"), office.rows("webhook_delivery")) == before


def test_who_changed_an_endpoint_is_on_the_record_and_its_health_is_not(office: Office) -> None:
    created = create(office)
    office.admin.patch(path(created), {"description": "changed"})
    office.admin.post(path(created, "/pause"))
    office.admin.post(path(created, "/resume"))
    happen(office)
    attempt(office, office.rows("webhook_delivery")[0]["id"], 500)
    who = office.admin.get("/auth/me").json["user"]

    entries = office.admin.get(
        f"/audit?table_name=webhook_endpoint&row_id={created['id']}&ordering=id"
    ).results
    assert [(e["operation"], e["actor"]) for e in entries] == [
        ("insert", who),
        ("update", who),
        ("update", who),
        ("update", who),
    ]
    assert entries[1]["changes"] == {"description": ["", "changed"]}
    assert not [name for entry in entries for name in entry["changes"] if name in COUNTERS]
