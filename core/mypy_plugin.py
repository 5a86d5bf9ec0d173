"""mypy's Django plugin, with Django pinned to psycopg2 before the plugin loads it."""

import sys
from pathlib import Path

# mypy puts only this file's own folder on the path, and wants it to stay the first.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from core.driver import pin_psycopg2

pin_psycopg2()

from mypy_django_plugin.main import plugin  # noqa: E402

__all__ = ["plugin"]
