CREATE OR REPLACE FUNCTION webhooks.publish_runs(
    p_run_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    INSERT INTO public.webhook_event (
        customer_id, type, payload, occurred_at, message_id, dedup_key
    )
    SELECT
        r.customer_id,
        'drift_run.' || r.status,
        webhooks.payload(
            p_type => 'drift_run.' || r.status,
            p_at => coalesce(r.finished_at, clock_timestamp()),
            p_data => jsonb_build_object(
                'drift_run_id', r.id,
                'as_of', r.as_of,
                'trigger', r.trigger,
                'status', r.status,
                'groups_measured', r.groups_measured,
                'groups_insufficient', r.groups_insufficient,
                'events_found', r.events_found,
                'error', r.error,
                'link', format('/api/v1/drift-runs/%s', r.id)
            )
        ),
        coalesce(r.finished_at, clock_timestamp()),
        webhooks.new_message_id(),
        format('drift_run:%s:%s', r.id, r.status)
    FROM public.drift_run AS r
    WHERE r.id = ANY(p_run_ids)
    ORDER BY r.id
    ON CONFLICT (customer_id, dedup_key) DO NOTHING;
$function$;

COMMENT ON FUNCTION webhooks.publish_runs(bigint[]) IS
'Writes one event, drift_run.completed or drift_run.failed, for each of these finished runs; none for NULL. Called by trigger on drift_run, in its transaction.';

REVOKE ALL ON FUNCTION webhooks.publish_runs(bigint[]) FROM public;
