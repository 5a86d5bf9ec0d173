"""The schemas of the stored logic, and the one function that the tables' policies call."""

import django_migrate_sql.operations
from django.db import migrations

from core.schemas import create_schema

SCHEMAS = ["tenancy", "stats", "ingest", "drift", "alerts", "maintenance"]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        *[create_schema(schema) for schema in SCHEMAS],
        django_migrate_sql.operations.CreateSQL(
            name="tenancy.current_customer_id",
            sql="CREATE OR REPLACE FUNCTION tenancy.current_customer_id()\nRETURNS bigint\nLANGUAGE plpgsql\nSTABLE\nPARALLEL SAFE\nAS $function$\nDECLARE\n    -- A setting that was used once in a session reads '' afterwards, hence nullif.\n    v_setting CONSTANT text := nullif(current_setting('app.customer_id', true), '');\nBEGIN\n    IF v_setting IS NULL OR v_setting !~ '^[0-9]{1,18}$' THEN\n        RAISE EXCEPTION 'no customer context'\n            USING\n                ERRCODE = 'PD002',\n                DETAIL = 'app.customer_id isn''t set to the id of a customer.',\n                HINT = 'Set app.customer_id and the role in the same transaction (core.context does).';\n    END IF;\n    RETURN v_setting::bigint;\nEND;\n$function$;\n\nCOMMENT ON FUNCTION tenancy.current_customer_id() IS\n'The customer whose context this transaction is in (setting app.customer_id). Raises PD002 without one, so that a forgotten context is an error and not an empty page.';\n\nREVOKE ALL ON FUNCTION tenancy.current_customer_id() FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION tenancy.current_customer_id()\nTO claimdrift_tenant, claimdrift_platform;\n",
            reverse_sql="DROP FUNCTION IF EXISTS tenancy.current_customer_id;",
        ),
    ]
