CREATE OR REPLACE FUNCTION webhooks.publish_uploads(
    p_upload_ids bigint[]
)
RETURNS void
LANGUAGE sql
VOLATILE
AS $function$
    INSERT INTO public.webhook_event (
        customer_id, type, payload, occurred_at, message_id, dedup_key
    )
    SELECT
        u.customer_id,
        'upload.' || u.status,
        webhooks.payload(
            p_type => 'upload.' || u.status,
            p_at => coalesce(u.finished_at, clock_timestamp()),
            -- Without the file's name and the error's text, which may name a patient.
            p_data => jsonb_build_object(
                'upload_id', u.id,
                'status', u.status,
                'sha256', u.sha256,
                'rows_total', u.rows_total,
                'rows_inserted', u.rows_inserted,
                'rows_updated', u.rows_updated,
                'rows_unchanged', u.rows_unchanged,
                'rows_stale', u.rows_stale,
                'rows_rejected', u.rows_rejected,
                'link', format('/api/v1/uploads/%s', u.id)
            )
        ),
        coalesce(u.finished_at, clock_timestamp()),
        webhooks.new_message_id(),
        format('upload:%s:%s', u.id, u.status)
    FROM public.upload AS u
    WHERE u.id = ANY(p_upload_ids)
    ORDER BY u.id
    ON CONFLICT (customer_id, dedup_key) DO NOTHING;
$function$;

COMMENT ON FUNCTION webhooks.publish_uploads(bigint[]) IS
'Writes one event, upload.completed or upload.failed, for each of these finished uploads; none for NULL. Called by trigger on upload, in its transaction.';

REVOKE ALL ON FUNCTION webhooks.publish_uploads(bigint[]) FROM public;
