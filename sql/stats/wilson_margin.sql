CREATE OR REPLACE FUNCTION stats.wilson_margin(
    p_x int,
    p_n int
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_x double precision := p_x;
    v_n double precision := p_n;
    -- 0.975 quantile of the normal distribution: 95 % two-sided.
    v_z double precision := 1.959963984540054;
BEGIN
    -- Wilson (1927): bounds (2np + z^2 -+ z sqrt(z^2 + 4np(1-p))) / (2(n + z^2)),
    -- here p minus the lower one. It is exactly 0 at x = 0.
    RETURN v_z * (
        sqrt(v_z * v_z + 4 * v_x * (v_n - v_x) / v_n) - v_z * ((v_n - 2 * v_x) / v_n)
    ) / (2 * (v_n + v_z * v_z));
END;
$function$;

COMMENT ON FUNCTION stats.wilson_margin(int, int) IS
'How far the lower end of the 95 % Wilson interval of the rate x / n lies below the rate, as a '
'share of 1 (call it with n - x for the upper end); NULL when an argument is; its callers check '
'the counts.';

REVOKE ALL ON FUNCTION stats.wilson_margin(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.wilson_margin(int, int)
TO claimdrift_tenant, claimdrift_platform;
