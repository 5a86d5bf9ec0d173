from django.db import migrations

from core.schemas import grant_administration


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0007_api_grants"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [grant_administration()]
