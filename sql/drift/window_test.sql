CREATE OR REPLACE FUNCTION drift.window_test(
    p_days int,
    p_weight double precision,
    p_x bigint,
    p_n bigint,
    p_delta double precision,
    p_has_effect boolean,
    p_phi double precision,
    p_z double precision,
    p_p_t double precision,
    p_p_fisher double precision,
    p_p_combined double precision
)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $function$
    SELECT
        jsonb_build_object(
            'days', p_days,
            'weight', p_weight,
            'x', p_x,
            'n', p_n,
            'delta', p_delta,
            'has_effect', p_has_effect,
            'phi', CASE WHEN p_z IS NOT NULL THEN p_phi END,
            'z', p_z,
            'p_t', p_p_t,
            'p_fisher', p_p_fisher,
            'p', greatest(p_p_t, p_p_fisher),
            'p_combined', p_p_combined
        );
$function$;

COMMENT ON FUNCTION drift.window_test(int, double precision, bigint, bigint, double precision, boolean, double precision, double precision, double precision, double precision, double precision) IS
'The test of one window, as drift_measurement.windows keeps it: its length and weight, denied (or slow) lines of all, the change and whether it matters, dispersion, z, p by t, by Fisher (NULL where it doesn''t join in), the larger of both, and with the other windows in view. Tests are NULL where there were too few lines.';

REVOKE ALL ON FUNCTION drift.window_test(
    int, double precision, bigint, bigint, double precision, boolean, double precision,
    double precision, double precision, double precision, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION drift.window_test(
    int, double precision, bigint, bigint, double precision, boolean, double precision,
    double precision, double precision, double precision, double precision
)
TO claimdrift_tenant, claimdrift_platform;
