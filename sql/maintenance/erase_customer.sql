CREATE OR REPLACE FUNCTION maintenance.erase_customer(
    p_customer_id bigint,
    p_batch int DEFAULT 50000
)
RETURNS TABLE (
    table_name text,
    rows_deleted bigint,
    finished boolean
)
LANGUAGE plpgsql
VOLATILE
-- procrastinate's triggers name its tables without a schema, hence public.
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_receipt public.erasure_receipt;
    v_table text;
    v_deleted bigint;
    v_is_more boolean := false;
BEGIN
    PERFORM tenancy.authorize(p_customer_id);
    PERFORM maintenance.check_batch(p_batch);
    PERFORM ingest.lock_customer(p_customer_id);
    PERFORM drift.lock_customer(p_customer_id);

    SELECT r.*
    INTO v_receipt
    FROM public.erasure_receipt AS r
    WHERE r.erased_customer_id = p_customer_id;

    IF v_receipt.finished_at IS NULL THEN
        PERFORM tenancy.find_customer(p_customer_id => p_customer_id);
        -- Nobody can add rows to a customer whose row is locked like this.
        PERFORM FROM public.customer AS c WHERE c.id = p_customer_id FOR UPDATE;
        -- With each call: somebody may have activated it again in between.
        UPDATE public.customer AS c
        SET status = 'suspended'
        WHERE c.id = p_customer_id AND c.status <> 'suspended';
        UPDATE public.procrastinate_jobs AS j
        SET status = 'cancelled'
        WHERE j.status = 'todo' AND j.args ->> 'customer_id' = p_customer_id::text;
        IF v_receipt.id IS NULL THEN
            INSERT INTO public.erasure_receipt (erased_customer_id, started_at)
            VALUES (p_customer_id, clock_timestamp())
            RETURNING * INTO STRICT v_receipt;
        END IF;

        -- An alert may be muted by a younger one.
        UPDATE public.alert AS a
        SET muted_by_alert_id = NULL, muted = false
        WHERE a.customer_id = p_customer_id AND a.muted_by_alert_id IS NOT NULL;

        -- A payer may have been merged into a younger one.
        UPDATE public.payer AS p
        SET merged_into_id = NULL
        WHERE p.customer_id = p_customer_id AND p.merged_into_id IS NOT NULL;

        FOR v_table IN SELECT o.table_name FROM maintenance.erasure_order() AS o ORDER BY o.number
        LOOP
            -- Rows that refer to others of their table are the younger ones.
            EXECUTE format(
                'DELETE FROM public.%1$I AS t WHERE t.customer_id = $1 AND t.id IN ('
                'SELECT d.id FROM public.%1$I AS d WHERE d.customer_id = $1'
                ' ORDER BY d.id DESC LIMIT $2)',
                v_table
            )
            USING p_customer_id, p_batch;
            GET DIAGNOSTICS v_deleted = ROW_COUNT;
            IF v_deleted > 0 THEN
                v_receipt.rows_deleted := v_receipt.rows_deleted || jsonb_build_object(
                    v_table, coalesce((v_receipt.rows_deleted ->> v_table)::bigint, 0) + v_deleted
                );
            END IF;
            -- There may be more, and the tables it refers to must wait for them.
            v_is_more := v_deleted = p_batch;
            EXIT WHEN v_is_more;
        END LOOP;

        IF NOT v_is_more THEN
            DELETE FROM public.customer AS c WHERE c.id = p_customer_id;
            v_receipt.rows_deleted := v_receipt.rows_deleted || '{"customer": 1}'::jsonb;
            v_receipt.finished_at := clock_timestamp();
        END IF;
        UPDATE public.erasure_receipt AS r
        SET rows_deleted = v_receipt.rows_deleted, finished_at = v_receipt.finished_at
        WHERE r.id = v_receipt.id;
    END IF;

    RETURN QUERY
    SELECT
        d.key,
        d.value::bigint,
        v_receipt.finished_at IS NOT NULL
    FROM jsonb_each_text(v_receipt.rows_deleted) AS d
    ORDER BY d.key;
END;
$function$;

COMMENT ON FUNCTION maintenance.erase_customer(bigint, int) IS
'Removes a customer and all its rows for good, at most p_batch rows of a table per call: call it, each time in a transaction of its own, until finished is true. The first call suspends the customer and cancels its waiting jobs. Returns how many rows of each table were deleted so far, as public.erasure_receipt keeps them; after the end it changes nothing and returns that again. Memberships go, users stay: they may belong to other customers, and have their own right to be deleted. For the owner only. Raises PD001 to PD004, PD030 (p_batch below 1).';

REVOKE ALL ON FUNCTION maintenance.erase_customer(bigint, int) FROM public;
