CREATE OR REPLACE FUNCTION drift.severity(
    p_method text,
    p_metric text,
    p_delta double precision,
    p_relative_delta double precision
)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- least() passes over NULL: at a baseline of 0 the relative part counts as infinite.
    SELECT
        least(
            1,
            CASE
                WHEN p_metric = 'DECISION_DAYS' THEN abs(p_delta) / 10
                WHEN p_metric = 'SILENCE' THEN abs(p_delta) / 28
                WHEN p_method = 'threshold' THEN 2 * abs(p_delta)
                ELSE
                    greatest(
                        2 * abs(p_delta),
                        least(abs(p_relative_delta) / 2.5, 6 * abs(p_delta))
                    )
            END
        )
    WHERE p_delta IS NOT NULL;
$function$;

COMMENT ON FUNCTION drift.severity(text, text, double precision, double precision) IS
'How grave a change is, 0 to 1, by its size alone: 10 -> 20 % denied is 0.4, 10 -> 30 % is 0.8, 0.5 -> 2 % is 0.09; ten days slower or faster is 1, four weeks longer silent than ever is 1. Method threshold: twice the change of the rate. NULL without a delta; a NULL relative delta (baseline 0) counts as infinite: six times the change of the rate.';

REVOKE ALL ON FUNCTION drift.severity(text, text, double precision, double precision) FROM public;
GRANT EXECUTE ON FUNCTION drift.severity(text, text, double precision, double precision)
TO claimdrift_tenant, claimdrift_platform;
