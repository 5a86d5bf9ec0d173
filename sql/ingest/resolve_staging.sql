CREATE OR REPLACE FUNCTION ingest.resolve_staging(
    p_customer_id bigint
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_has_rejected CONSTANT boolean := EXISTS (
        SELECT FROM pg_temp.staging AS s WHERE s.state = 'rejected'
    );
BEGIN
    -- Only for valid rows: a rejected one must not create its payer.
    UPDATE pg_temp.payer_map AS m
    SET payer_id = r.payer_id
    FROM ingest.resolve_payers(
        p_customer_id,
        (
            SELECT array_agg(DISTINCT used.name)
            FROM pg_temp.payer_map AS used
            WHERE
                NOT v_has_rejected
                OR used.raw IN (SELECT s.payer FROM pg_temp.staging AS s WHERE s.state IS NULL)
        )
    ) AS r
    WHERE m.name = r.wanted_name;

    UPDATE pg_temp.cpt_map AS m
    SET cpt_group_id = r.cpt_group_id
    FROM ingest.resolve_groups(
        p_customer_id,
        (
            SELECT array_agg(DISTINCT used.cpt)
            FROM pg_temp.cpt_map AS used
            WHERE
                NOT v_has_rejected
                OR used.raw IN (SELECT s.cpt FROM pg_temp.staging AS s WHERE s.state IS NULL)
        )
    ) AS r
    WHERE m.cpt = r.wanted_cpt;
END;
$function$;

COMMENT ON FUNCTION ingest.resolve_staging(bigint) IS
'Fills in the payers and groups of pg_temp.payer_map and cpt_map that valid staged rows name, and creates those that are missing.';

REVOKE ALL ON FUNCTION ingest.resolve_staging(bigint) FROM public;
