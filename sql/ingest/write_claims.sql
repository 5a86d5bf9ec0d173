CREATE OR REPLACE FUNCTION ingest.write_claims(
    p_customer_id bigint,
    p_upload_id bigint,
    p_correct boolean,
    OUT inserted bigint,
    OUT updated bigint,
    OUT unchanged bigint,
    OUT stale bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
AS $function$
DECLARE
    v_rows bigint;
    v_claim_lines bigint;
    v_folded record;
    v_kept bigint;
    v_stale bigint := 0;
    v_has_claims CONSTANT boolean := EXISTS (
        SELECT FROM public.claim AS c WHERE c.customer_id = p_customer_id
    );
    v_source CONSTANT text := (
        SELECT u.source
        FROM public.upload AS u
        WHERE u.customer_id = p_customer_id AND u.id = p_upload_id
    );
BEGIN
    -- A hash of the claim line is enough to see whether any occurs twice.
    SELECT
        count(*),
        count(DISTINCT hashtextextended(
            s.claim_number,
            coalesce(s.line_number::integer, 1)
            + CASE
                WHEN s.source IS NOT NULL AND s.source <> v_source
                    THEN hashtextextended(s.source, 1)
                ELSE 0
            END
        ))
    INTO v_rows, v_claim_lines
    FROM pg_temp.staging AS s
    WHERE s.state IS NULL;
    IF v_claim_lines < v_rows THEN
        PERFORM ingest.fold_repeated(p_customer_id, p_correct);
    END IF;

    updated := CASE
        WHEN v_has_claims THEN ingest.update_claims(p_customer_id, p_upload_id, p_correct) ELSE 0
    END;
    inserted := ingest.insert_claims(p_customer_id, p_upload_id);

    -- Rows of repeated claim lines have been judged; of the others, those that weren't written are
    -- stale or unchanged.
    SELECT
        count(*) FILTER (WHERE s.state IS NULL) AS others,
        count(*) FILTER (WHERE s.is_last) AS written,
        count(*) FILTER (WHERE s.state = 'inserted') AS inserted,
        count(*) FILTER (WHERE s.state = 'updated') AS updated,
        count(*) FILTER (WHERE s.state = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE s.state = 'stale') AS stale
    INTO v_folded
    FROM pg_temp.staging AS s;
    v_kept := v_folded.others - (inserted + updated - v_folded.written);
    IF v_kept > 0 AND NOT p_correct THEN
        v_stale := ingest.count_stale(p_customer_id);
    END IF;
    updated := updated - (v_folded.written - v_folded.inserted) + v_folded.updated;
    unchanged := v_kept - v_stale + v_folded.unchanged;
    stale := v_stale + v_folded.stale;
END;
$function$;

COMMENT ON FUNCTION ingest.write_claims(bigint, bigint, boolean) IS
'Applies the valid staged rows, whose payers and groups are resolved, to claim. Returns what became of them, row by row.';

REVOKE ALL ON FUNCTION ingest.write_claims(bigint, bigint, boolean) FROM public;
