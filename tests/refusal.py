"""Our refusals: an SQLSTATE of ours, and a hint that says what to do instead."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest


@contextmanager
def refused(code: str, hint: str = "") -> Iterator[None]:
    """Expect an error with this SQLSTATE; one of ours must carry a hint, with `hint` in it."""
    with pytest.raises(psycopg2.Error) as caught:
        yield
    assert caught.value.pgcode == code, caught.value
    if code.startswith("PD"):
        assert hint in (caught.value.diag.message_hint or "(no hint)")
