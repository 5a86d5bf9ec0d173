"""One migration autodetector for models, django-pgtrigger's triggers and stored logic."""

from django_migrate_sql.autodetector import MigrationAutodetector as SqlAutodetector
from pgtrigger.migrations import MigrationAutodetectorMixin


class Autodetector(MigrationAutodetectorMixin, SqlAutodetector):  # type: ignore[misc]
    """Detects changes of `core.models` and of the files in `sql/`."""
