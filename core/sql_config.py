"""The stored logic for django-migrate-sql: every file of `sql/<schema>/` is one item.

Editing a file makes `makemigrations` freeze its new text into a migration; applying that replaces
the function, reversing it puts the former text back.
"""

import re
from pathlib import Path

from django.conf import settings
from django_migrate_sql.config import SQLItem

CALL = re.compile(r"\b([a-z_]+\.[a-z_0-9]+)\s*\(")


def item_name(file: Path) -> str:
    """`sql/drift/detect.sql` is the item, and the function, `drift.detect`."""
    return f"{file.parent.name}.{file.stem}"


def load_items(directory: Path) -> list[SQLItem]:
    """Items with the functions each one calls, and so must follow, as dependencies."""
    texts = {item_name(file): file.read_text() for file in sorted(directory.glob("*/*.sql"))}
    return [
        SQLItem(
            name,
            text,
            reverse_sql=f"DROP FUNCTION IF EXISTS {name};",
            dependencies=sorted(
                ("core", called) for called in set(CALL.findall(text)) & texts.keys() - {name}
            ),
            replace=True,
        )
        for name, text in texts.items()
    ]


sql_items = load_items(settings.SQL_DIR)
