"""The schema of the functions that the tables' triggers call."""

from django.db import migrations

from core.schemas import create_schema


class Migration(migrations.Migration):
    dependencies = [("core", "0008_admin_grants")]

    operations = [create_schema("webhooks")]
