"""docs/deployment.md says what the deployer does: its keys, defaults, stages and exit codes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from deploy import config, deployer
from deploy.config import Config, read_config
from deploy.host import Deployment, Host
from deploy.receiver import Receiver
from deploy.rollback import Rollback
from deploy.stages import Stages

PAGE = (settings.BASE_DIR / "docs" / "deployment.md").read_text(encoding="utf-8")
NUMBERS = ("times.", "limits.", "smoke.seconds")


def table_after(heading: str) -> dict[str, list[str]]:
    """The rows of the first table after a text, by their first column."""
    rows = PAGE.split(heading, 1)[1].split("|---|", 1)[1].split("\n\n")[0].splitlines()[1:]
    cells = [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]
    return {row[0].strip("` "): row[1:] for row in cells}


def flat(values: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found |= flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}"}
    return found


KEYS = table_after("## Configuration")
EXAMPLE = next(text for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def example(tmp_path: Path) -> Config:
    file = tmp_path / "deploy.toml"
    file.write_text(EXAMPLE)
    return read_config(file)


def test_every_key_is_documented_and_every_documented_one_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()
    take = config._Table._take

    def noting(table: config._Table, key: str, *arguments: Any) -> Any:
        read.add(table._name(key))
        return take(table, key, *arguments)

    monkeypatch.setattr(config._Table, "_take", noting)
    file = tmp_path / "deploy.toml"
    file.write_text(EXAMPLE)
    read_config(file)

    assert read == set(KEYS)


def test_the_example_has_every_key() -> None:
    assert flat(tomllib.loads(EXAMPLE)) == set(KEYS)


def test_the_defaults_are_those_of_the_code(tmp_path: Path) -> None:
    least = [line for line in EXAMPLE.splitlines() if not line.startswith(("[tls", "pem"))]
    text = "\n".join(least).split("[notify]")[0]
    for key in KEYS:
        if key.startswith(NUMBERS):
            text = re.sub(rf"^{key.split('.')[1]} = .*$", "", text, flags=re.MULTILINE)
    file = tmp_path / "deploy.toml"
    file.write_text(text)
    found = read_config(file)

    for key, (default, _) in KEYS.items():
        if key.startswith(NUMBERS):
            group, name = key.split(".")
            assert float(default.strip("`")) == getattr(getattr(found, group), name), key


def test_every_stage_is_documented_in_order(example: Config) -> None:
    deployment = Deployment("1", "/srv/r2", "green", "blue", "/srv/r1", None, repair=False)
    host = Host.__new__(Host)
    host.secrets = set()
    stages = Stages(host, deployment, Receiver.__new__(Receiver)).all()
    steps = Rollback(host, deployment, []).all()

    assert list(table_after("## Stages")) == [*(name for name, _ in stages), "retire"]
    assert list(table_after("takes these steps")) == [name for name, _ in steps]
    told = table_after("it does everything again")
    assert list(told) == [*(name for name, _ in steps), "retire"]


def test_every_exit_code_is_documented() -> None:
    codes = {deployer.DEPLOYED, deployer.ROLLED_BACK, deployer.STUCK, deployer.REFUSED}
    assert set(table_after("## Exit codes")) == {str(code) for code in codes}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(#([a-z0-9-]+)\)", PAGE))))
def test_links_within_the_page_lead_somewhere(link: str) -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert link in {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}
