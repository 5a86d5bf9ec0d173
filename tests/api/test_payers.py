"""Payers under the names that files know them by, and groups of procedures."""

from tests.api.client import Office
from tests.api.lists import ids
from tests.api.problems import problem


def test_a_merged_payer_names_the_one_that_it_became(office: Office) -> None:
    kept, merged = office.payer("Aetna"), office.payer("AETNA INC.")
    answer = office.admin.post(f"/payers/{merged}/merge", {"into": kept})

    assert (answer.status, answer.json["merged_into"]) == (202, kept)
    assert office.member.get(f"/payers/{merged}").json == answer.json
    assert ids(office.member.get("/payers?merged=true").results) == [merged]
    assert ids(office.member.get("/payers?merged=false").results) == [kept]
    [alias] = office.member.get(f"/payer-aliases?payer={kept}").results
    assert (alias["alias"], alias["payer_name"]) == ("AETNA INC.", "Aetna")


def test_a_merge_that_makes_no_sense_is_a_conflict(office: Office) -> None:
    kept, merged, third = (office.payer(name) for name in ("Aetna", "AETNA INC.", "Cigna"))
    office.admin.post(f"/payers/{merged}/merge", {"into": kept})

    for payer, into in ((kept, kept), (merged, third), (third, merged)):
        answer = office.admin.post(f"/payers/{payer}/merge", {"into": into})
        assert len(problem(answer, 409, "conflict")["detail"]) > 20
    assert office.admin.post(f"/payers/{third}/merge", {"into": kept}).status == 202


def test_a_merge_into_somebody_elses_payer_is_no_such_object(
    office: Office, neighbour: Office
) -> None:
    payer, foreign = office.payer("Aetna"), neighbour.payer("Aetna")

    answer = office.admin.post(f"/payers/{payer}/merge", {"into": foreign})
    problem(answer, 400, "validation_error")
    assert answer.blamed() == {"into"}
    problem(office.admin.post(f"/payers/{foreign}/merge", {"into": payer}), 404, "not_found")


def test_a_renamed_payer_is_known_by_its_former_name(office: Office) -> None:
    payer = office.payer("Aetna")
    office.admin.patch(f"/payers/{payer}", {"name": "Aetna Health"})

    [alias] = office.member.get("/payer-aliases").results
    assert (alias["alias"], alias["payer"]) == ("Aetna", payer)
    problem(office.admin.post("/payers", {"name": "AETNA"}), 409, "conflict")


def test_names_are_compared_without_their_case_and_kept_with_it(office: Office) -> None:
    row = office.admin.post("/payers", {"name": "AeTnA"}).json

    assert row["name"] == "AeTnA"
    problem(office.admin.post("/payers", {"name": "aetna"}), 409, "conflict")
    assert office.admin.patch(f"/payers/{row['id']}", {"name": "Aetna"}).json["name"] == "Aetna"


def test_another_customer_may_use_the_same_names(office: Office, neighbour: Office) -> None:
    for customer in (office, neighbour):
        assert customer.admin.post("/payers", {"name": "Aetna"}).status == 201
        assert customer.admin.post("/cpt-groups", {"name": "Visits"}).status == 201


def test_a_code_is_mapped_to_one_group_at_a_time(office: Office) -> None:
    first, second = office.group("Office visit"), office.group("Therapy")
    row = office.admin.post("/cpt-mappings", {"cpt": "97110", "cpt_group": first}).json

    problem(
        office.admin.post("/cpt-mappings", {"cpt": "97110", "cpt_group": second}), 409, "conflict"
    )
    moved = office.admin.patch(f"/cpt-mappings/{row['id']}", {"cpt_group": second}).json
    assert (moved["cpt"], moved["cpt_group_name"]) == ("97110", "Therapy")
    problem(office.admin.delete(f"/cpt-groups/{second}"), 409, "conflict")
    assert office.admin.delete(f"/cpt-mappings/{row['id']}").status == 204
    assert office.admin.delete(f"/cpt-groups/{second}").status == 204


def test_codes_are_written_in_capitals(office: Office) -> None:
    group = office.group("Office visit")
    for cpt in ("g0101", "99 213", "-99213", "99213!", "", "Ａ0101"):  # noqa: RUF001
        answer = office.admin.post("/cpt-mappings", {"cpt": cpt, "cpt_group": group})
        problem(answer, 400, "validation_error")
        assert answer.blamed() == {"cpt"}
    for cpt in ("G0101", "99213-25", "0001U", "A.1"):
        assert (
            office.admin.post("/cpt-mappings", {"cpt": cpt, "cpt_group": group}).json["cpt"] == cpt
        )
