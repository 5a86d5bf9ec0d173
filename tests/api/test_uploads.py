"""Uploads and why rows of them were rejected, to be read."""

from urllib.parse import urlencode

import pytest

from tests.api.archive import Archive
from tests.api.client import Office
from tests.api.lists import ids
from tests.api.problems import problem


def test_rejected_rows_are_listed_in_the_order_of_the_file(archive: Archive) -> None:
    upload = archive.parents["uploads"]
    rows = archive.admin.pages(f"/uploads/{upload}/errors?page_size=7")
    lines = [row["line"] for row in rows]

    assert lines == sorted(lines)
    assert len(set(lines)) < len(lines)
    assert set(rows[0]) == {"id", "line", "column", "message"}
    part = archive.admin.get(f"/uploads/{upload}/errors?line_min=4&line_max=6&page_size=100")
    assert {row["line"] for row in part.results} == {4, 5, 6}


def test_rejected_rows_of_another_customers_upload_are_not_found(
    archive: Archive, neighbour: Office
) -> None:
    path = f"/uploads/{archive.parents['uploads']}/errors"

    problem(neighbour.member.get(path), 404, "not_found")
    assert neighbour.member.get(f"/uploads/{neighbour.upload_id}/errors").results == []


def test_an_upload_is_neither_changed_nor_deleted(office: Office) -> None:
    path = f"/uploads/{office.upload_id}"

    assert ids([office.member.get(path).json]) == [office.upload_id]
    problem(office.admin.patch(path, {"status": "failed"}), 405, "method_not_allowed")
    problem(office.admin.delete(path), 405, "method_not_allowed")


CSV = b"claim_number,payer,cpt,submitted_date,decided_date,outcome\n"


@pytest.mark.parametrize("source", ["", "athena", "Epic East"])
def test_a_file_may_be_of_a_billing_system(office: Office, source: str) -> None:
    path = f"/uploads?{urlencode({'source': f' {source} '})}" if source else "/uploads"
    answer = office.member.request("POST", path, CSV, content_type="text/csv")

    assert (answer.status, answer.json["source"]) == (202, source)


@pytest.mark.parametrize("source", ["x" * 65, "a\tb", "a\0b"])
def test_what_cannot_be_a_billing_system_is_refused(office: Office, source: str) -> None:
    query = urlencode({"source": source})
    answer = office.member.request("POST", f"/uploads?{query}", CSV, content_type="text/csv")

    assert (answer.status, answer.blamed()) == (400, {"source"})
