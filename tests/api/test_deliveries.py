"""Deliveries of webhooks: tests, lists, replays, pauses and recoveries over the API."""

from datetime import date
from typing import Any

import pytest

from tests.api.client import Answer, Office
from tests.api.problems import problem
from tests.api.webhooks import LONG_AGO, URL, attempt, create, disable, happen, jobs, path


def test_a_test_is_a_delivery_that_can_be_followed(office: Office) -> None:
    created = create(office, event_types=["upload.failed"])

    answer = office.admin.post(path(created, "/test"))

    assert answer.status == 202
    delivery = answer.json
    [event] = office.rows("webhook_event")
    assert delivery == {
        "id": delivery["id"],
        "customer": office.customer_id,
        "endpoint": created["id"],
        "event": {
            "type": "webhook.test",
            "message_id": event["message_id"],
            "occurred_at": delivery["event"]["occurred_at"],
        },
        "status": "pending",
        "attempts": 0,
        "next_attempt_at": delivery["next_attempt_at"],
        "last_status_code": None,
        "last_error": "",
        "created_at": delivery["created_at"],
        "finished_at": None,
    }
    assert jobs(office) == [delivery["id"]]

    assert attempt(office, delivery["id"], 404, response="No such page.") == "retry"
    office.owner.execute(
        "UPDATE webhook_delivery SET next_attempt_at = now() WHERE id = %s", delivery["id"]
    )
    assert attempt(office, delivery["id"], 204) == "delivered"
    where = f"/webhook-deliveries/{delivery['id']}"
    detail = office.member.get(where).json
    assert (detail["status"], detail["attempts"], detail["last_status_code"]) == (
        "delivered",
        2,
        204,
    )
    assert detail["event"]["payload"] == event["payload"]
    [listed] = office.member.get("/webhook-deliveries").results
    assert listed == detail | {"event": delivery["event"]}
    attempts = office.member.get(f"{where}/attempts").results
    assert [(a["number"], a["status_code"], a["error"], a["response"]) for a in attempts] == [
        (1, 404, "It answered 404.", "No such page."),
        (2, 204, "", ""),
    ]
    assert all(a["duration_ms"] == 84 for a in attempts)
    endpoint = office.member.get(path(created)).json
    assert endpoint["failing_since"] is None
    assert endpoint["last_success_at"]


def test_an_alert_reaches_the_list_of_deliveries(office: Office) -> None:
    created = create(office, event_types=["alert.opened"])
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (date(2025, 11, 15), 0.4)])
    office.detect(date(2025, 11, 15))

    [delivery] = office.member.get(path(created, "/deliveries")).results
    assert delivery["event"]["type"] == "alert.opened"
    payload = office.member.get(f"/webhook-deliveries/{delivery['id']}").json["event"]["payload"]
    assert payload["data"]["alert_id"] == office.alert()["id"]
    assert office.member.get(payload["data"]["link"]).json["id"] == office.alert()["id"]


def test_deliveries_are_found_by_endpoint_status_and_type(office: Office) -> None:
    first, second = create(office), create(office, f"{URL}/2", event_types=["upload.failed"])
    happen(office, "alert.opened")
    happen(office, "upload.failed")
    rows = office.rows("webhook_delivery")
    attempt(office, rows[0]["id"], 200)

    def found(query: str) -> list[tuple[int, str]]:
        results = office.member.get(f"/webhook-deliveries?ordering=id&{query}").results
        return [(row["endpoint"], row["event"]["type"]) for row in results]

    opened = (first["id"], "alert.opened")
    failed = [(first["id"], "upload.failed"), (second["id"], "upload.failed")]
    assert found("page_size=9") == [opened, *failed]
    assert found(f"endpoint={second['id']}") == failed[1:]
    assert found("status=delivered") == [opened]
    assert found("status__in=pending,failed") == failed
    assert found("event_type=upload.failed") == failed
    assert found(f"event_type__in=alert.opened,upload.failed&endpoint={first['id']}") == [
        opened,
        failed[0],
    ]
    assert found(f"created_at_after={LONG_AGO}") == [opened, *failed]
    assert found(f"created_at_before={LONG_AGO}") == []
    message = office.rows("webhook_event")[0]["message_id"]
    assert found(f"search={message}") == [opened]


def test_one_failure_does_not_keep_an_endpoint_from_the_next_attempt(office: Office) -> None:
    created = create(office)
    delivery = office.admin.post(path(created, "/test")).json

    assert attempt(office, delivery["id"], 503) == "retry"

    shown = office.member.get(path(created)).json
    assert shown["failing_since"]
    assert shown["blocked_until"] is None


# Pausing, resuming, replaying, recovering


def test_while_paused_deliveries_wait_and_resuming_sends_them(office: Office) -> None:
    created = create(office)

    paused = office.admin.post(path(created, "/pause"))
    happen(office)

    assert (paused.status, paused.json["status"]) == (200, "paused")
    assert paused.json["status_at"] > created["status_at"]
    [delivery] = office.rows("webhook_delivery")
    assert (delivery["status"], jobs(office)) == ("pending", [])
    resumed = office.admin.post(path(created, "/resume"))
    assert (resumed.status, resumed.json["status"]) == (200, "active")
    assert jobs(office) == [delivery["id"]]


def test_pausing_and_resuming_twice_change_nothing_more(office: Office) -> None:
    created = create(office)
    for action in ("resume", "pause", "pause", "resume", "resume"):
        assert office.admin.post(path(created, f"/{action}")).status == 200
    assert office.member.get(path(created)).json["status"] == "active"


def test_a_disabled_endpoint_says_why_and_takes_nothing_until_resumed(office: Office) -> None:
    created = create(office)
    delivery_id = disable(office, created)
    shown = office.member.get(path(created)).json
    assert (shown["status"], shown["status_reason"]) == (
        "disabled",
        "It answered 410: whoever received there does not any more.",
    )
    # PD017
    for answer in (
        office.admin.post(path(created, "/test")),
        office.admin.post(path(created, "/recover"), {"since": LONG_AGO}),
        office.admin.post(f"/webhook-deliveries/{delivery_id}/replay"),
    ):
        found = problem(answer, 409, "conflict")
        assert found["detail"] == "The webhook endpoint takes nothing. Resume it first."
    assert office.admin.post(path(created, "/pause")).json["status"] == "disabled"

    resumed = office.admin.post(path(created, "/resume")).json
    assert (resumed["status"], resumed["status_reason"]) == ("active", "")
    assert (resumed["failing_since"], resumed["blocked_until"]) == (None, None)
    assert office.admin.post(path(created, "/test")).status == 202


def test_a_paused_endpoint_takes_no_test_but_what_waits(office: Office) -> None:
    created = create(office)
    happen(office)
    [delivery] = office.rows("webhook_delivery")
    assert attempt(office, delivery["id"], 200) == "delivered"
    office.admin.post(path(created, "/pause"))

    problem(office.admin.post(path(created, "/test")), 409, "conflict")
    replayed = office.admin.post(f"/webhook-deliveries/{delivery['id']}/replay")
    assert (replayed.status, replayed.json["status"]) == (202, "pending")
    assert office.admin.post(path(created, "/recover"), {"since": LONG_AGO}).status == 202
    assert jobs(office) == [delivery["id"]]


def test_a_replay_sends_the_same_message_again(office: Office) -> None:
    create(office)
    happen(office)
    [before] = office.rows("webhook_delivery")
    attempt(office, before["id"], 200)
    message = office.member.get(f"/webhook-deliveries/{before['id']}").json["event"]["message_id"]

    answer = office.admin.post(f"/webhook-deliveries/{before['id']}/replay")

    assert answer.status == 202
    assert (answer.json["status"], answer.json["finished_at"]) == ("pending", None)
    assert answer.json["event"]["message_id"] == message
    assert attempt(office, before["id"], 200) == "delivered"
    attempts = office.member.get(f"/webhook-deliveries/{before['id']}/attempts").results
    assert [a["number"] for a in attempts] == [1, 2]


def test_recovery_makes_up_for_what_was_missed_since_then(office: Office) -> None:
    happen(office, "alert.opened", at="2026-01-01")
    happen(office, "alert.opened", at="2026-02-01")
    happen(office, "upload.failed", at="2026-02-01")
    created = create(office, event_types=["alert.opened"])

    def recover(since: str) -> Answer:
        return office.admin.post(path(created, "/recover"), {"since": since})

    assert (recover("2026-03-01T00:00:00Z").json, jobs(office)) == ({"count": 0}, [])
    answer = recover("2026-02-01T00:00:00+00:00")
    assert (answer.status, answer.json) == (202, {"count": 1})
    [delivery] = office.rows("webhook_delivery")
    assert jobs(office) == [delivery["id"]]
    # What waits already isn't made up for once more.
    assert recover("2026-02-01T01:00:00+01:00").json == {"count": 0}
    assert recover(LONG_AGO).json == {"count": 1}
    assert recover("0001-01-01T00:00:00Z").json == {"count": 0}


@pytest.mark.parametrize(
    "since",
    [
        None, "", 5, 1767225600, "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z",
        "yesterday", "infinity", "0001-01-01T00:00:00+14:00", [], {}, True,
    ],
)  # fmt: skip
def test_recovery_is_from_a_moment_with_its_zone(office: Office, since: Any) -> None:
    created = create(office)

    answer = office.admin.post(path(created, "/recover"), {"since": since})

    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"since"}
    problem(office.admin.post(path(created, "/recover")), 400, "validation_error")
