"""One row of each key; the others in the archive."""

from django.db import migrations

from core.online import ArchiveDuplicates
from perf.ledger.key import KEY


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0003_guard")]
    operations = [ArchiveDuplicates("entry", KEY)]
