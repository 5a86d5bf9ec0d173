"""Drop the key without a source: from now on two billing systems may use the same numbers.

Backwards it is built again, which needs that no two of them do.
"""

from django.db import migrations

import core.online

SQUAWK_EXCEPTIONS = {
    'ban-drop-constraint': (
        'The key with a source took its place two migrations before, and the functions that read'
        ' claims by their number name the source since 0014.'
    ),
}


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('core', '0014_claim_source_logic'),
    ]

    operations = [
        core.online.DropUniqueConstraint(model_name='claim', name='claim_customer_line_key'),
    ]
