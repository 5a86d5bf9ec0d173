"""Pin Django to psycopg2 while procrastinate, which needs psycopg 3, is installed beside it.

Django, django-pgtrigger and django-pg-migration-tools all prefer psycopg 3 as soon as it can be
imported. They decide once, at import time, so they are imported here while psycopg 3 is hidden;
afterwards it is visible again and procrastinate's own worker connection uses it.
"""

import importlib
import sys
from typing import Any


def pin_psycopg2() -> None:
    """Make all of them use psycopg2. Call before anything else imports them."""
    modules: dict[str, Any] = sys.modules
    if "django.db.backends.postgresql.base" in modules:
        return
    hidden = modules.pop("psycopg", None)
    modules["psycopg"] = None
    try:
        importlib.import_module("django.db.backends.postgresql.base")
        importlib.import_module("pgtrigger.utils")
        importlib.import_module("django_pg_migration_tools.operations")
    finally:
        del modules["psycopg"]
        if hidden is not None:
            modules["psycopg"] = hidden
