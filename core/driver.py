"""Pin Django to psycopg2 while procrastinate, which needs psycopg 3, is installed beside it.

Django and django-pgtrigger both prefer psycopg 3 as soon as it can be imported. They decide once,
at import time, so both are imported here while psycopg 3 is hidden; afterwards it is visible again
and procrastinate's own worker connection uses it.
"""

import importlib
import sys
from typing import Any


def pin_psycopg2() -> None:
    """Make `django.db` and `pgtrigger` use psycopg2. Call before anything else imports them."""
    modules: dict[str, Any] = sys.modules
    if "django.db.backends.postgresql.base" in modules:
        return
    hidden = modules.pop("psycopg", None)
    modules["psycopg"] = None
    try:
        importlib.import_module("django.db.backends.postgresql.base")
        importlib.import_module("pgtrigger.utils")
    finally:
        del modules["psycopg"]
        if hidden is not None:
            modules["psycopg"] = hidden
