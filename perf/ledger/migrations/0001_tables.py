"""The table, what refers to it, and who may use them."""

from django.db import migrations, models

from core.constraints import Reference


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Entry",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("customer_id", models.BigIntegerField()),
                ("number", models.TextField()),
                ("amount", models.DecimalField(max_digits=9, decimal_places=2, db_default=0)),
                ("text", models.TextField(db_default="")),
            ],
            {
                "db_table": "ledger_entry",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["customer_id", "id"], name="ledger_entry_customer_id_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("customer_id", models.BigIntegerField()),
                ("entry_id", models.BigIntegerField()),
            ],
            {
                "db_table": "ledger_note",
                "constraints": [
                    Reference(
                        name="ledger_note_entry_fk",
                        columns=["customer_id", "entry_id"],
                        to="ledger_entry",
                        to_columns=["customer_id", "id"],
                    )
                ],
                "indexes": [models.Index(fields=["entry_id"], name="ledger_note_entry_idx")],
            },
        ),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_entry, ledger_note"
            " TO claimdrift_platform",
            migrations.RunSQL.noop,
        ),
    ]
