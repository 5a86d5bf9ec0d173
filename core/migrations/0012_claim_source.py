"""Add `claim.source`: practices have several billing systems, which may use the same numbers.

The key follows in steps, so that functions of before and after work at each of them: 0013 adds the
wider one beside the old, 0014 the functions that know it, 0015 drops the old one.
"""

from django.db import migrations, models

import core.online


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0011_webhook_logic'),
    ]

    operations = [
        migrations.AddField(
            model_name='claim',
            name='source',
            field=models.TextField(blank=True, db_collation='C', db_default=''),
        ),
        migrations.AddField(
            model_name='upload',
            name='source',
            field=models.TextField(blank=True, db_default=''),
        ),
        core.online.AddNotValid(
            model_name='claim',
            constraint=models.CheckConstraint(
                condition=models.Q(('source__regex', '^[^[:cntrl:]]{0,64}$')), name='claim_source_check'
            ),
        ),
        core.online.AddNotValid(
            model_name='upload',
            constraint=models.CheckConstraint(
                condition=models.Q(('source__regex', '^[^[:cntrl:]]{0,64}$')), name='upload_source_check'
            ),
        ),
    ]
