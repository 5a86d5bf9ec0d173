"""Runs, what they measured, and what drifts now."""

from datetime import date, timedelta

import pytest

from tests.api.client import Api, Office
from tests.api.lists import ids
from tests.api.problems import problem

AS_OF = date(2025, 11, 15)


@pytest.fixture
def drifted(office: Office) -> Office:
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (AS_OF, 0.4)])
    return office


def test_a_run_shows_what_it_measured(drifted: Office) -> None:
    run = drifted.detect(AS_OF)
    shown = drifted.member.get(f"/drift-runs/{run}").json
    assert (shown["as_of"], shown["status"], shown["applied"]) == ("2025-11-15", "completed", True)
    assert shown["parameters"]["method"] == "significance"

    measured = drifted.member.pages(f"/drift-runs/{run}/measurements")
    assert ids(measured) == ids(drifted.rows("drift_measurement"))
    [group] = drifted.member.get(
        f"/drift-runs/{run}/measurements?metric=DENIAL_RATE&whole_payer=false&drifted=true"
    ).results
    [row] = [r for r in drifted.rows("drift_measurement") if r["id"] == group["id"]]
    for name in ("baseline_value", "current_value", "delta", "p_value", "q_value", "z"):
        assert group[name] == row[name]


def test_a_repeated_run_shows_the_measurements_that_it_shares(drifted: Office) -> None:
    first, second = drifted.detect(AS_OF), drifted.detect(AS_OF)
    paths = [f"/drift-runs/{run}/measurements?page_size=100" for run in (first, second)]
    pages = [drifted.member.get(path).results for path in paths]

    assert pages[0] == pages[1] != []


def test_active_is_what_the_newest_applied_run_found(drifted: Office) -> None:
    assert drifted.member.get("/drift-events/active").results == []
    drifted.detect(AS_OF - timedelta(days=1))
    earlier = drifted.member.get("/drift-events/active").results
    drifted.detect(AS_OF)
    now = drifted.member.get("/drift-events/active").results
    drifted.detect(AS_OF - timedelta(days=2))

    assert {event["current_end"] for event in earlier} == {"2025-11-13"}
    assert {event["current_end"] for event in now} == {"2025-11-14"}
    assert drifted.member.get("/drift-events/active").results == now
    assert drifted.member.get("/drift-events").json["count"] > len(now)


def test_active_leaves_out_what_was_taken_back(drifted: Office) -> None:
    drifted.detect(AS_OF)
    before = drifted.member.get("/drift-events/active").results
    drifted.decide(AS_OF - timedelta(days=3), paid=400)
    drifted.detect(AS_OF)

    taken_back = [row["id"] for row in drifted.rows("drift_event") if row["withdrawn"]]
    assert taken_back
    assert set(ids(before)) >= set(taken_back)
    now = ids(drifted.member.get("/drift-events/active").results)
    assert set(now).isdisjoint(taken_back)


def test_a_superuser_says_whose_drift(drifted: Office, superuser: Api) -> None:
    drifted.detect(AS_OF)

    answer = superuser.get("/drift-events/active")
    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"customer"}
    assert superuser.get(f"/drift-events/active?customer={drifted.slug}").json["count"] > 0


def test_a_run_is_asked_for_and_can_be_polled(office: Office) -> None:
    answer = office.admin.post("/drift-runs", {"as_of": "2025-11-15"})

    assert answer.status == 202, answer.content
    assert (answer.json["status"], answer.json["trigger"]) == ("queued", "api")
    assert answer.json["requested_by"] == office.admin.get("/auth/me").json["user"]
    assert office.member.get(answer.headers["location"]).json == answer.json
    again = office.admin.post("/drift-runs", {"as_of": "2025-11-15"})
    assert (again.status, again.json) == (202, answer.json)
    other = office.admin.post("/drift-runs", {"as_of": "2025-11-16"})
    assert other.json["id"] != answer.json["id"]


@pytest.mark.parametrize("body", [None, {}, {"as_of": None}])
def test_a_run_without_a_day_is_for_today(office: Office, body: dict[str, None] | None) -> None:
    today = office.worker.value(
        "SELECT tenancy.local_date(p_customer_id => %s, p_at => now())", office.customer_id
    )

    assert office.admin.post("/drift-runs", body).json["as_of"] == today.isoformat()


@pytest.mark.parametrize("as_of", ["0001-01-01", "1800-01-01", "2999-12-31", "9999-12-31"])
def test_the_end_of_time_is_a_day_like_any_other(office: Office, as_of: str) -> None:
    """Its windows reach beyond what Python can hold; whatever comes of it can be read."""
    office.decide(date(2025, 11, 1), paid=50)
    answer = office.admin.post("/drift-runs", {"as_of": as_of})
    if answer.status == 400:
        assert answer.blamed() == {"as_of"}
        return
    run = office.detect(date.fromisoformat(as_of))
    assert office.member.get(f"/drift-runs/{run}").status == 200
    assert office.member.get(f"/drift-runs/{run}/measurements").status == 200
