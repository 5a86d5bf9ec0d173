"""The documentation lists what there is: settings, error codes, targets, decisions."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from core.settings import env

ROOT: Path = settings.BASE_DIR
CODE = re.compile(r"\bPD\d{3}\b")
RAISED = re.compile(r"ERRCODE = '(PD\d{3})'")


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def table_of(path: str) -> dict[str, list[str]]:
    """The rows of the document's first table, by what the first column has between backticks."""
    lines = read(path).split("|---|", 1)[1].split("\n\n")[0].splitlines()[1:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row[1:] for row in rows}


RAISED_BY = {
    code: file.relative_to(ROOT)
    for file in sorted((ROOT / "sql").glob("*/*.sql"))
    for code in RAISED.findall(file.read_text(encoding="utf-8"))
}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    assert set(table_of("docs/settings.md")) == env.known


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    assert set(table_of("docs/errors.md")) == set(RAISED_BY)


def test_every_code_that_a_comment_promises_is_raised_somewhere() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "sql").glob("*/*.sql"))

    assert set(CODE.findall(text)) == set(RAISED_BY)


def test_every_error_has_a_status_a_meaning_and_a_remedy() -> None:
    for code, (status, meaning, remedy) in table_of("docs/errors.md").items():
        assert re.fullmatch(r"400|403|404|409|500", status), code
        assert len(meaning) > 10, code
        assert len(remedy) > 10, code


@pytest.mark.parametrize("code", sorted(RAISED_BY))
def test_every_error_code_is_raised_in_a_test(code: str) -> None:
    tests = [
        file.relative_to(ROOT)
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if file != Path(__file__) and code in file.read_text(encoding="utf-8")
    ]

    assert tests, f"No test provokes {code} ({RAISED_BY[code]})."


def test_make_help_lists_every_target() -> None:
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony

    assert re.findall(r"^([a-z-]+):.*## \S", makefile, re.M) == phony[1].split()


def test_the_page_on_detection_says_what_was_measured() -> None:
    page = read("docs/detection.md")
    worlds = json.loads(read("perf/results/worlds.json"))

    for row in worlds["rows"]:
        low, high = row["interval"]
        share = f"{row['false_runs']:g} % ({low:g}-{high:g})"
        assert f"| {share} | {row['weekly']:g} | {row['daily']:g} |" in page, row
    for size in (30, 60, 150, 500):
        cells = [
            " / ".join(f"{row[when]:g}" for when in ("day_14", "week_4", "week_8"))
            for row in worlds["power"]
            if (row["method"], row["n"]) == ("significance", size)
        ]
        assert f"| {size} | {' | '.join(cells)} |" in page, size
    for row in json.loads(read("perf/results/flights.json"))["rows"]:
        raised = row["opened"] + row["reopened"]
        figures = f"{row['flagged_%']} | {raised} | {row['carriers']}"
        assert f"| {row['world']} | {row['method']} | {figures} |" in page, row


def test_requirements_are_pinned_exactly() -> None:
    for path in ("requirements.txt", "requirements-dev.txt"):
        for line in read(path).splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z]+\])?==[0-9][0-9A-Za-z.]*", line), line


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "sql/README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.relative_to(ROOT)}: {link}"
