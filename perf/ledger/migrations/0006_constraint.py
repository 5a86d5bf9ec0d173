"""A constraint."""

from django.db import migrations

from core.online import AttachUniqueIndex
from perf.ledger.key import KEY


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0005_unique_index")]
    operations = [AttachUniqueIndex("entry", KEY)]
