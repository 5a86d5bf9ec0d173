CREATE OR REPLACE FUNCTION drift.explain_window(
    p_metric text,
    p_window jsonb,
    p_min_volume bigint
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT
        CASE
            WHEN w.n < p_min_volume
                THEN
                    format(
                        'Last %s days: %s lines, fewer than %s: not tested.',
                        w.days, w.n, p_min_volume
                    )
            WHEN w.z IS NULL
                THEN format('Last %s days: %s lines, not tested.', w.days, w.n)
            ELSE
                format(
                    'Last %s days: %s of %s lines %s, %s %s%s; z = %s with dispersion %s, p = %s%s%s.',
                    w.days,
                    w.x,
                    w.n,
                    CASE p_metric WHEN 'DENIAL_RATE' THEN 'denied' ELSE 'slower than the median' END,
                    CASE
                        WHEN p_metric = 'DENIAL_RATE'
                            THEN to_char(100 * abs(w.delta), 'FM990.0') || ' points'
                        ELSE drift.say_number(p_number => abs(w.delta), p_metric => p_metric)
                    END,
                    CASE
                        WHEN w.delta > 0 THEN 'up'
                        WHEN w.delta < 0 THEN 'down'
                        ELSE '(no change)'
                    END,
                    CASE WHEN w.has_effect THEN '' ELSE ', too little to matter' END,
                    drift.say_number(p_number => w.z),
                    drift.say_number(p_number => w.phi),
                    drift.say_number(p_number => w.p),
                    CASE
                        WHEN w.p_fisher IS NOT NULL
                            THEN
                                format(
                                    ' (t %s, Fisher %s)',
                                    drift.say_number(p_number => w.p_t),
                                    drift.say_number(p_number => w.p_fisher)
                                )
                        ELSE ''
                    END,
                    CASE
                        WHEN w.has_effect AND w.weight < 1
                            THEN
                                format(
                                    ', with its share of %s of the error rate %s',
                                    drift.say_number(p_number => w.weight),
                                    drift.say_number(p_number => w.p_combined)
                                )
                        ELSE ''
                    END
                )
        END
    FROM jsonb_to_record(p_window) AS w (
        days int,
        weight double precision,
        x bigint,
        n bigint,
        delta double precision,
        has_effect boolean,
        phi double precision,
        z double precision,
        p_t double precision,
        p_fisher double precision,
        p double precision,
        p_combined double precision
    );
$function$;

COMMENT ON FUNCTION drift.explain_window(text, jsonb, bigint) IS
'One sentence on the test of one window, an element of drift_measurement.windows.';

REVOKE ALL ON FUNCTION drift.explain_window(text, jsonb, bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.explain_window(text, jsonb, bigint)
TO claimdrift_tenant, claimdrift_platform;
