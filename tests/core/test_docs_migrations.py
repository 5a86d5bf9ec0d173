"""docs/migrations.md names every operation and gate; its examples work, its figures are ours."""

import json
import re
from typing import Any

from django.conf import settings

from core import online
from core.online_waiting import PATIENCE_SECONDS
from tests.core.test_docs import read
from tests.migrations.test_gate_rerunnable import once_only
from tests.migrations.test_gate_squawk import EXCLUDED

PAGE = read("docs/migrations.md")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_operation_is_described() -> None:
    operations = set(online.__all__) - {"OnlineChangeError"}

    assert [name for name in sorted(operations) if f"`{name}`" not in PAGE] == []


def test_every_gate_is_listed() -> None:
    gates = {file.name for file in (settings.BASE_DIR / "tests/migrations").glob("test_gate_*.py")}

    assert set(re.findall(r"^\| `(test_gate_\w+\.py)`", PAGE, re.MULTILINE)) == gates
    assert all(f"`{rule}`" in PAGE for rule in EXCLUDED)


def test_the_example_is_a_migration_that_can_be_run_again() -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLES[0], names)  # noqa: S102 (the page's own text)
    migration = names["Migration"]("0099_test", "core")

    assert len(migration.operations) == 2
    assert once_only(migration) == []


def test_the_exception_is_in_the_form_that_the_gate_reads() -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLES[1], names)  # noqa: S102 (the page's own text)

    assert all(len(reason) > 20 for reason in names["SQUAWK_EXCEPTIONS"].values())


def test_five_minutes_is_how_patient_it_is() -> None:
    assert PATIENCE_SECONDS == 300
    assert "five minutes in all" in PAGE


def test_the_figures_are_those_that_were_measured() -> None:
    result = json.loads(read("perf/results/migration.json"))

    assert result["faults"] == {}
    assert f"{result['table_rows']:,} rows" in PAGE
    for row in result["rows"]:
        behind = "8 s" if row["behind_s"] else "-"
        longest = f"{row['longest_insert_ms']:.0f} | {row['longest_read_ms']:.0f}"
        assert f"| {row['step']} | {behind} | {longest} |" in PAGE, row
