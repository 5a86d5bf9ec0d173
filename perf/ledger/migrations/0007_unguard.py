"""What kept duplicates out goes."""

from django.db import migrations

from core.online import UnguardUnique
from perf.ledger.key import KEY


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0006_constraint")]
    operations = [UnguardUnique("entry", KEY)]
