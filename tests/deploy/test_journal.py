"""The deployer's journal: what is in it survives a crash, and what a crash tore isn't in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from deploy.journal import Journal, JournalError, has


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def test_a_new_journal_has_nothing_to_recover(journal: Journal) -> None:
    assert journal.read() == []
    assert journal.unfinished() == []


def test_records_come_back_in_order(journal: Journal) -> None:
    journal.write("1", "deploy", "begin", release="/srv/r1")
    journal.write("1", "check", "begin")
    journal.write("1", "check", "failed", reason="é\nof two lines")

    records = journal.read()

    assert [(r["stage"], r["status"]) for r in records] == [
        ("deploy", "begin"),
        ("check", "begin"),
        ("check", "failed"),
    ]
    assert records[2]["reason"] == "é\nof two lines"
    assert has(records, "check", "failed")
    assert not has(records, "check", "done")


@pytest.mark.parametrize("torn", [b"{", b'{"deploy": "1", "stage": "migr', b'{"a": "\xc3', b"\0\0"])
def test_a_torn_line_is_as_if_never_written(journal: Journal, torn: bytes) -> None:
    journal.write("1", "deploy", "begin")
    with journal.file.open("ab") as file:
        file.write(torn)

    assert [r["stage"] for r in journal.read()] == ["deploy"]

    journal.write("1", "recover", "begin")

    assert [r["stage"] for r in journal.read()] == ["deploy", "recover"]
    assert journal.file.read_bytes().count(b"\n") == 2


def test_a_complete_line_without_its_end_is_torn_too(journal: Journal) -> None:
    """Whoever wrote it hadn't come to where it counts: on return of `write`."""
    journal.write("1", "deploy", "begin")
    journal.write("1", "bake", "done")
    content = journal.file.read_bytes()
    journal.file.write_bytes(content.removesuffix(b"\n"))

    assert [r["stage"] for r in journal.read()] == ["deploy"]


@pytest.mark.parametrize("line", ["no json", "[1]", "7", '{"deploy": "1"}', ""])
def test_damage_in_the_middle_is_refused_by_its_line(journal: Journal, line: str) -> None:
    journal.write("1", "deploy", "begin")
    with journal.file.open("a") as file:
        file.write(f"{line}\n")
    journal.write("1", "deploy", "done")

    with pytest.raises(JournalError, match=r"journal\.jsonl: line 2 "):
        journal.unfinished()


@pytest.mark.parametrize("ending", ["done", "rolled_back"])
def test_a_deploy_that_ended_is_finished(journal: Journal, ending: str) -> None:
    journal.write("1", "deploy", "begin")
    journal.write("1", "deploy", ending)

    assert journal.unfinished() == []


def test_a_deploy_without_an_end_is_unfinished(journal: Journal) -> None:
    journal.write("1", "deploy", "begin")
    journal.write("1", "deploy", "done")
    journal.write("2", "deploy", "begin")
    journal.write("2", "migrate", "begin")

    assert {r["deploy"] for r in journal.unfinished()} == {"2"}


def test_a_stuck_deploy_is_unfinished_until_it_was_recovered(journal: Journal) -> None:
    journal.write("1", "deploy", "begin")
    journal.write("1", "deploy", "stuck")
    assert journal.unfinished()

    journal.write("1", "recover", "begin")
    journal.write("1", "deploy", "rolled_back")
    assert journal.unfinished() == []


def test_what_was_written_is_there_when_the_writer_is_killed(journal: Journal) -> None:
    script = (
        "import sys, pathlib, deploy.journal\n"
        "journal = deploy.journal.Journal(pathlib.Path(sys.argv[1]))\n"
        "number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    journal.write(str(number), 'deploy', 'begin', text='x' * 5000)\n"
        "    print(number, flush=True)\n"
    )
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script, str(journal.file)],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said = [process.stdout.readline() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    confirmed = [int(line) for line in said if line.endswith("\n")]

    written = [int(record["deploy"]) for record in journal.read()]

    assert written[: len(confirmed)] == confirmed
