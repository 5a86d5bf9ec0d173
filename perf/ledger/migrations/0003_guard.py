"""No new duplicates from here on."""

from django.db import migrations

from core.online import GuardUnique
from perf.ledger.key import KEY


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0002_key_index")]
    operations = [GuardUnique("entry", KEY)]
