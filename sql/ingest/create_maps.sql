CREATE OR REPLACE FUNCTION ingest.create_maps(
    p_latest date
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- A small sample tells how many rows there are, and that few values fill these columns.
SET default_statistics_target = '10'
AS $function$
BEGIN
    -- Without it the plans are for a hundred rows.
    ANALYZE pg_temp.staging (
        line, fault, state, is_last, claim_number, payer, cpt, submitted_date, decided_date
    );

    -- Few values fill these columns: each is checked and resolved once, rows are joined.
    CREATE TEMPORARY TABLE payer_map ON COMMIT DROP AS
    SELECT
        distinct_value.raw,
        cleaned.name,
        CASE
            WHEN cleaned.name IS NULL THEN 'is missing'
            WHEN cleaned.name ~ '[[:cntrl:]]' THEN 'contains a control character'
            WHEN length(cleaned.name) > 200 THEN 'is longer than 200 characters'
        END AS problem,
        NULL::bigint AS payer_id
    FROM (
        SELECT DISTINCT s.payer AS raw
        FROM pg_temp.staging AS s
        WHERE s.fault IS NULL AND s.payer IS NOT NULL
    ) AS distinct_value
    CROSS JOIN LATERAL (
        SELECT ingest.trimmed(regexp_replace(distinct_value.raw, '\s+', ' ', 'g')) AS name
    ) AS cleaned;

    CREATE TEMPORARY TABLE cpt_map ON COMMIT DROP AS
    SELECT
        distinct_value.raw,
        cleaned.cpt,
        CASE
            WHEN cleaned.cpt IS NULL THEN 'is missing'
            WHEN cleaned.cpt !~ '^[A-Z0-9][A-Z0-9.-]{0,19}$'
                THEN 'isn''t a procedure code: 1 to 20 letters, digits, dots or hyphens'
        END AS problem,
        NULL::bigint AS cpt_group_id
    FROM (
        SELECT DISTINCT s.cpt AS raw
        FROM pg_temp.staging AS s
        WHERE s.fault IS NULL AND s.cpt IS NOT NULL
    ) AS distinct_value
    CROSS JOIN LATERAL (SELECT upper(ingest.trimmed(distinct_value.raw)) AS cpt) AS cleaned;

    CREATE TEMPORARY TABLE date_map ON COMMIT DROP AS
    SELECT
        distinct_value.raw,
        parsed.day,
        CASE
            WHEN parsed.day IS NULL THEN 'isn''t a calendar date written YYYY-MM-DD'
            WHEN parsed.day < '1990-01-01' THEN 'is before 1990-01-01'
            WHEN parsed.day > p_latest THEN 'is more than a year ahead'
        END AS problem
    FROM (
        SELECT DISTINCT s.submitted_date AS raw
        FROM pg_temp.staging AS s
        WHERE s.fault IS NULL AND s.submitted_date IS NOT NULL
        UNION
        SELECT DISTINCT s.decided_date
        FROM pg_temp.staging AS s
        WHERE s.fault IS NULL AND s.decided_date IS NOT NULL
    ) AS distinct_value
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN
                distinct_value.raw ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
                AND pg_input_is_valid(distinct_value.raw, 'date')
                THEN distinct_value.raw::date
        END AS day
    ) AS parsed;

    ANALYZE pg_temp.payer_map, pg_temp.cpt_map, pg_temp.date_map;
END;
$function$;

COMMENT ON FUNCTION ingest.create_maps(date) IS
'Creates, for the staged rows of this transaction, pg_temp.payer_map, cpt_map and date_map (each distinct value, what it means or why it is refused). p_latest is the last day that a date may name.';

REVOKE ALL ON FUNCTION ingest.create_maps(date) FROM public;
