"""Uploads and why rows of them were rejected, to be read."""

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
