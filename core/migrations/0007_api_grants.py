from django.db import migrations

from core.schemas import grant_sign_in


class Migration(migrations.Migration):
    dependencies = [("core", "0006_api")]

    operations = [grant_sign_in()]
