"""Unique."""

from django.db import migrations

from core.online import AddUniqueIndex
from perf.ledger.key import KEY


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0004_archive")]
    operations = [AddUniqueIndex("entry", KEY)]
