CREATE OR REPLACE FUNCTION maintenance.check_claims()
RETURNS TABLE (
    check_name text,
    customer_id bigint,
    object_id bigint,
    detail text
)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        'claim_first_determination',
        c.customer_id,
        c.id,
        format(
            'first %s on %s, now %s on %s, submitted on %s',
            coalesce(c.first_outcome, '(undecided)'),
            coalesce(c.first_decided_date::text, '(no day)'),
            c.outcome,
            coalesce(c.decided_date::text, '(no day)'),
            c.submitted_date
        )
    FROM public.claim AS c
    WHERE
        -- The first of several decisions is the oldest, and where there is one there is a first.
        (c.outcome = 'PENDING') <> (c.first_outcome IS NULL)
        OR (c.outcome = 'PENDING') <> (c.decided_date IS NULL)
        OR (c.first_outcome IS NULL) <> (c.first_decided_date IS NULL)
        OR c.first_outcome = 'PENDING'
        OR c.first_decided_date > c.decided_date
        OR c.first_decided_date < c.submitted_date

    UNION ALL
    SELECT
        'upload_counts',
        u.customer_id,
        u.id,
        format(
            '%s rows, but %s inserted, %s updated, %s unchanged, %s stale and %s rejected',
            u.rows_total,
            u.rows_inserted,
            u.rows_updated,
            u.rows_unchanged,
            u.rows_stale,
            u.rows_rejected
        )
    FROM public.upload AS u
    WHERE
        u.status = 'completed'
        AND u.rows_total
        <> u.rows_inserted + u.rows_updated + u.rows_unchanged + u.rows_stale + u.rows_rejected

    UNION ALL
    SELECT
        'upload_unfinished',
        u.customer_id,
        u.id,
        format('is %s, finished %s', u.status, coalesce(u.finished_at::text, '(never)'))
    FROM public.upload AS u
    WHERE (u.status = 'received') <> (u.finished_at IS NULL)

    UNION ALL
    -- Claims follow a merge by one step.
    SELECT
        'payer_chain',
        p.customer_id,
        p.id,
        format('was merged into payer %s, which was merged into payer %s', m.id, m.merged_into_id)
    FROM public.payer AS p
    JOIN public.payer AS m ON m.customer_id = p.customer_id AND m.id = p.merged_into_id
    WHERE m.merged_into_id IS NOT NULL

    UNION ALL
    SELECT
        'alias_of_merged',
        a.customer_id,
        a.id,
        format('is an alias of payer %s, which was merged into payer %s', p.id, p.merged_into_id)
    FROM public.payer_alias AS a
    JOIN public.payer AS p ON p.customer_id = a.customer_id AND p.id = a.payer_id
    WHERE p.merged_into_id IS NOT NULL;
$function$;

COMMENT ON FUNCTION maintenance.check_claims() IS
'What is wrong with claims, uploads and payers: claim_first_determination (missing, or later than the latest decision), upload_counts (a completed upload whose counts don''t add up to its rows), upload_unfinished (finished without the time at which it was, or the other way round), payer_chain (merged into one that was merged itself), alias_of_merged (leads to a payer that was merged). Reads every claim. Part of maintenance.verify.';

REVOKE ALL ON FUNCTION maintenance.check_claims() FROM public;
GRANT EXECUTE ON FUNCTION maintenance.check_claims() TO claimdrift_platform;
