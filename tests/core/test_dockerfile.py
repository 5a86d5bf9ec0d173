"""The Dockerfile: what the official parser reads in it, and what hadolint says."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import dockerfile
import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
FINAL = ["application", "pgbouncer"]


@dataclass
class Stage:
    """A stage: what it is built from, and its instructions with their arguments."""

    base: str
    instructions: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)

    def all(self, name: str) -> list[tuple[str, ...]]:
        return [values for instruction, values, _ in self.instructions if instruction == name]

    def last(self, name: str) -> tuple[str, ...]:
        return self.all(name)[-1]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for command in dockerfile.parse_file(str(ROOT / "Dockerfile")):
        if command.cmd.upper() == "FROM":
            base, _, name = command.value
            found[name] = Stage(base)
            continue
        stage = list(found.values())[-1]
        values = tuple(command.flags) + tuple(command.value)
        stage.instructions.append((command.cmd.upper(), values, command.json))
    return found


STAGES = stages()


def test_hadolint_finds_nothing() -> None:
    result = subprocess.run(  # noqa: S603
        [
            str(Path(sys.executable).with_name("hadolint")),
            "--no-color",
            "--strict-labels",
            "Dockerfile",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_is_run_is_the_last_stage_that_is_built() -> None:
    assert list(STAGES) == ["packages", "pgbouncer", "application"]


@pytest.mark.parametrize("name", STAGES)
def test_bases_are_pinned_to_a_release(name: str) -> None:
    assert re.fullmatch(r"(python:3\.11\.\d+|debian:12\.\d+)-slim(-bookworm)?", STAGES[name].base)


@pytest.mark.parametrize("name", FINAL)
def test_they_run_as_a_user_by_number_without_a_shell(name: str) -> None:
    stage = STAGES[name]

    assert re.fullmatch(r"1000\d:1000\d", stage.last("USER")[0])
    [(_, command, is_exec)] = [i for i in stage.instructions if i[0] == "CMD"]
    assert is_exec
    assert command[0] != "sh"
    # A signal reaches the program itself.
    assert stage.last("STOPSIGNAL") == ("SIGTERM",)
    assert stage.all("ENTRYPOINT") == []
    # Nothing is changed after that.
    order = [instruction for instruction, _, _ in stage.instructions]
    assert "RUN" not in order[order.index("USER") :]


def test_the_packages_are_the_pinned_ones_and_no_others() -> None:
    [install] = [values[0] for values in STAGES["packages"].all("RUN")]

    assert "-r packages.txt" in install
    assert "requirements-dev" not in install
    # requirements.txt names all that its packages need: nothing else is looked for, or compiled.
    assert {"--no-deps", "--no-cache-dir", ":all:"} <= set(install.split())


def test_the_image_can_install_and_build_nothing() -> None:
    stage = STAGES["application"]
    runs = " ".join(values[0] for values in stage.all("RUN"))

    assert "apt-get" not in runs
    assert "pip uninstall --yes" in runs
    assert stage.all("COPY")[0] == ("--from=packages", "/srv/claimdrift/.venv", "./.venv")


def test_it_gets_the_product_and_nothing_else() -> None:
    copied = [values[:-1] for stage in STAGES.values() for values in stage.all("COPY")]
    sources = {
        source for values in copied if not values[0].startswith("--from") for source in values
    }
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert sources == {"requirements.txt", "manage.py", "sql", "core", "api"}
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == sources


def test_no_secret_is_built_in() -> None:
    for stage in STAGES.values():
        for instruction, values, _ in stage.instructions:
            if instruction in {"ENV", "ARG"}:
                assert not re.search("SECRET|PASSWORD|TOKEN|KEY|URL", " ".join(values))


def test_what_compose_mounts_is_where_the_image_looks() -> None:
    command = STAGES["pgbouncer"].last("CMD")

    assert command == ("/usr/sbin/pgbouncer", "/etc/pgbouncer/pgbouncer.ini")
    assert f":{command[1]}:ro" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
