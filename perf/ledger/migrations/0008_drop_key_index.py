"""What helped goes."""

from django.db import migrations
from django_pg_migration_tools.operations import SaferRemoveIndexConcurrently

from perf.ledger.key import KEY_INDEX


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0007_unguard")]
    operations = [SaferRemoveIndexConcurrently("entry", KEY_INDEX.name)]
