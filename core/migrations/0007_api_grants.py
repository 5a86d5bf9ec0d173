from django.db import migrations

from core.schemas import grant_monitoring, grant_sign_in, index_failed_jobs


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0006_api"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]
    # The admin's log refers to our user. On its own Django only asks that our first migration went
    # before, which doesn't make that table yet.
    run_before = [("admin", "0001_initial")]

    operations = [grant_sign_in(), grant_monitoring(), index_failed_jobs()]
