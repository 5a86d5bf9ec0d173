"""Validate the checks of 0012 and build the wider key, while everybody goes on."""

from django.db import migrations, models

import core.online

KEY = models.UniqueConstraint(
    fields=('customer', 'source', 'claim_number', 'line_number'),
    name='claim_customer_source_line_key',
)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('core', '0012_claim_source'),
    ]

    operations = [
        core.online.Validate(model_name='claim', name='claim_source_check'),
        core.online.Validate(model_name='upload', name='upload_source_check'),
        core.online.AddUniqueIndex(model_name='claim', constraint=KEY),
        core.online.AttachUniqueIndex(model_name='claim', constraint=KEY),
    ]
