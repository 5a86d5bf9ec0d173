"""An index to find duplicates by."""

from django.db import migrations
from django_pg_migration_tools.operations import SaferAddIndexConcurrently

from perf.ledger.key import KEY_INDEX


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0001_tables")]
    operations = [SaferAddIndexConcurrently("entry", KEY_INDEX)]
