"""Alerts and their rules, as somebody with a token works with them."""

from datetime import date
from typing import Any

import pytest

from tests.api.client import Api, Office
from tests.api.problems import problem

AS_OF = date(2025, 11, 15)


@pytest.fixture
def alert(office: Office) -> int:
    """Aetna denies 40 % of what it denied 10 % of."""
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (AS_OF, 0.4)])
    office.detect(AS_OF)
    number: int = office.alert()["id"]
    return number


def test_which_payer_changed_and_why_can_be_found_and_acknowledged(
    office: Office, alert: int
) -> None:
    member = office.member
    [listed] = member.get("/alerts?status=open&search=aet").results
    assert (listed["id"], listed["payer_name"], listed["cpt_group_name"]) == (
        alert,
        "Aetna",
        "99213",
    )
    assert (listed["metric"], listed["direction"]) == ("DENIAL_RATE", "up")
    assert listed["opening_delta"] == pytest.approx(0.3, abs=0.01)
    assert listed == member.get(f"/alerts/{alert}").json

    why = member.get(f"/alerts/{alert}/explanation").json
    assert (why["alert"], why["as_of"]) == (alert, "2025-11-15")
    assert "Aetna" in why["lines"][0]
    assert any("10.0 % in the baseline" in line for line in why["lines"]), why["lines"]

    answer = member.post(f"/alerts/{alert}/acknowledge", {"note": "Asked them."})
    assert (answer.status, answer.json["status"], answer.json["version"]) == (
        200,
        "acknowledged",
        2,
    )
    assert member.get(f"/alerts/{alert}").json == answer.json
    assert member.get("/alerts?status=open").results == []


def test_the_history_says_who_did_what_in_order(office: Office, alert: int) -> None:
    member, admin = office.member, office.admin
    member.post(f"/alerts/{alert}/acknowledge", {"note": "looking"})
    admin.post(f"/alerts/{alert}/resolve", {"note": "their new policy", "new_normal": True})
    member.post(f"/alerts/{alert}/reopen")
    who = {api: api.get("/auth/me").json["user"] for api in (member, admin)}

    history = member.get(f"/alerts/{alert}/history").results
    assert [(t["version"], t["kind"], t["to_status"], t["actor"], t["note"]) for t in history] == [
        (1, "opened", "open", None, ""),
        (2, "acknowledged", "acknowledged", who[member], "looking"),
        (3, "resolved", "resolved", who[admin], "their new policy"),
        (4, "reopened", "open", who[member], ""),
    ]
    newest_first = member.get(f"/alerts/{alert}/history?ordering=-version").results
    assert newest_first == history[::-1]


def test_a_new_normal_is_declared_with_the_resolution_only(office: Office, alert: int) -> None:
    for body, expected in (({}, False), ({"new_normal": True}, True)):
        answer = office.member.post(f"/alerts/{alert}/resolve", body)
        assert (answer.json["status"], answer.json["resolved_by"]) == ("resolved", "user")
        assert answer.json["new_normal"] is expected
        office.member.post(f"/alerts/{alert}/reopen")


@pytest.mark.parametrize(
    ("moves", "hint"),
    [
        (["reopen"], "Only a resolved alert can be reopened."),
        (["acknowledge", "acknowledge"], "Only an open alert can be acknowledged."),
        (["resolve", "resolve"], "Only an open or acknowledged alert can be resolved."),
        (["resolve", "acknowledge"], "Only an open alert can be acknowledged."),
    ],
)
def test_an_illegal_move_is_a_conflict_that_says_what_is_legal(
    office: Office, alert: int, moves: list[str], hint: str
) -> None:
    *legal, illegal = [f"/alerts/{alert}/{move}" for move in moves]
    for path in legal:
        assert office.member.post(path).status == 200
    before = office.member.get(f"/alerts/{alert}").json

    found = problem(office.member.post(illegal), 409, "conflict")
    assert found["detail"] == f"Illegal move. {hint}"
    assert office.member.get(f"/alerts/{alert}").json == before


def test_a_verdict_takes_the_place_of_the_same_users_former_one(office: Office, alert: int) -> None:
    path = f"/alerts/{alert}/judgments"
    first = office.member.post(path, {"verdict": "needs_followup"})
    second = office.member.post(path, {"verdict": "real", "recovered_amount": "1240.00"})
    other = office.admin.post(path, {"verdict": "noise", "note": "a batch of duplicates"})

    assert [answer.status for answer in (first, second, other)] == [200, 200, 200]
    assert first.json["id"] == second.json["id"]
    listed = office.member.get(f"{path}?ordering=id").results
    assert [(j["verdict"], j["recovered_amount"], j["note"]) for j in listed] == [
        ("real", "1240.00", ""),
        ("noise", None, "a batch of duplicates"),
    ]


def test_a_superuser_handles_an_alert_without_naming_its_customer(
    office: Office, alert: int, superuser: Api
) -> None:
    assert superuser.post(f"/alerts/{alert}/acknowledge").json["status"] == "acknowledged"
    assert superuser.post(f"/alerts/{alert}/judgments", {"verdict": "real"}).status == 200
    path = f"/alerts/{alert}/history?customer={office.slug}"
    assert superuser.get(path).json["count"] == 2


def test_a_rule_with_alerts_stays_but_can_be_silenced(office: Office, alert: int) -> None:
    rule = office.member.get(f"/alerts/{alert}").json["rule"]

    problem(office.admin.delete(f"/alert-rules/{rule}"), 409, "conflict")
    assert office.admin.patch(f"/alert-rules/{rule}", {"enabled": False}).status == 200
    office.detect(date(2025, 11, 16))
    assert office.kinds() == ["opened"]


def test_a_rule_made_here_raises_the_alerts_that_it_describes(office: Office) -> None:
    office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (AS_OF, 0.4)])
    body: dict[str, Any] = {
        "name": "Aetna's denials",
        "payer": office.payer("Aetna"),
        "metric": "DENIAL_RATE",
        "measure": "delta",
        "comparison": "gte",
        "threshold": 0.2,
        "level": "info",
    }
    rule = office.admin.post("/alert-rules", body).json
    office.detect(AS_OF)

    [alert] = office.member.get(f"/alerts?rule={rule['id']}").results
    assert alert["rule_name"] == "Aetna's denials"


def test_an_alert_on_a_payer_as_a_whole_names_no_group(office: Office) -> None:
    for group in ("99213", "99214", "99215"):
        office.decide_steps(date(2025, 1, 1), [(date(2025, 11, 1), 0.1), (AS_OF, 0.4)], group=group)
    office.detect(AS_OF)

    [whole] = office.member.get("/alerts?whole_payer=true").results
    assert (whole["cpt_group"], whole["cpt_group_name"]) == (None, None)
    groups = office.member.get("/alerts?whole_payer=false").results
    assert {alert["cpt_group_name"] for alert in groups} == {"99213", "99214", "99215"}
