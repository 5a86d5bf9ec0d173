"""How the worker tries again."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, OperationalError

from core import attempts
from core.attempts import JobFailed, attempt


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAUSES", (0.0, 0.0, 0.0))


def failing(*errors: Exception) -> tuple[Callable[[], None], list[Exception]]:
    """Work that raises these errors, one at each call, and then succeeds; and those left."""
    left = list(errors)

    def work() -> None:
        if left:
            raise left.pop(0)

    return work, left


def test_what_succeeds_is_done_once() -> None:
    calls: list[int] = []

    attempt(lambda: calls.append(1))

    assert calls == [1]


def test_what_may_pass_is_tried_again() -> None:
    work, left = failing(OperationalError("gone"), OperationalError("gone"))
    given_up: list[str] = []

    attempt(work, give_up=given_up.append)

    assert (left, given_up) == ([], [])


def test_what_does_not_pass_is_given_up() -> None:
    work, left = failing(*[OperationalError("gone")] * 5)
    given_up: list[str] = []

    with pytest.raises(JobFailed, match="The connection to the database was lost"):
        attempt(work, give_up=given_up.append)

    assert len(left) == 1
    assert given_up == ["The connection to the database was lost."]


@pytest.mark.parametrize("error", [ValueError("Jane Doe"), DatabaseError("Jane Doe")])
def test_what_stays_is_given_up_at_once(error: Exception) -> None:
    work, left = failing(error, error)
    given_up: list[str] = []

    with pytest.raises(JobFailed) as failed:
        attempt(work, give_up=given_up.append)

    assert len(left) == 1
    assert given_up == [str(failed.value)]
    assert "Jane" not in str(failed.value)
    assert failed.value.__context__ is None
