"""What the worker may do with procrastinate's queue; how the planner and autovacuum treat claims."""

from django.db import migrations

from core.schemas import grant_queue


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_tables"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        grant_queue(),
        # Without it the planner sorts millions of rows instead of hashing a few thousand groups.
        migrations.RunSQL(
            sql=(
                "CREATE STATISTICS public.claim_group_statistics (ndistinct)"
                " ON payer_id, cpt_group_id, (first_decided_date - submitted_date)"
                " FROM public.claim"
            ),
            reverse_sql="DROP STATISTICS public.claim_group_statistics",
        ),
        # A share of a table that all customers fill leaves the current window unvacuumed, and
        # index-only scans then visit the heap.
        migrations.RunSQL(
            sql=(
                "ALTER TABLE public.claim SET ("
                " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,"
                " autovacuum_vacuum_insert_scale_factor = 0,"
                " autovacuum_vacuum_insert_threshold = 20000,"
                " autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000)"
            ),
            reverse_sql=(
                "ALTER TABLE public.claim RESET ("
                " autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,"
                " autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold,"
                " autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)"
            ),
        ),
    ]
