CREATE OR REPLACE FUNCTION drift.has_effect(
    p_settings public.drift_settings,
    p_metric text,
    p_delta double precision,
    p_relative_delta double precision
)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    -- The tolerance keeps 0.15 - 0.10 from missing a minimum of 0.05.
    SELECT
        CASE
            WHEN p_metric = 'DECISION_DAYS'
                THEN
                    abs(p_delta) >= p_settings.min_days_delta - 1e-12
                    OR coalesce(abs(p_relative_delta) >= p_settings.min_days_relative - 1e-12, false)
            ELSE
                abs(p_delta) >= p_settings.min_rate_delta - 1e-12
                OR coalesce(abs(p_relative_delta) >= p_settings.min_rate_relative - 1e-12, false)
        END
        AND p_delta <> 0;
$function$;

COMMENT ON FUNCTION drift.has_effect(public.drift_settings, text, double precision, double precision) IS
'Whether a change is large enough to matter: its absolute or its relative size reaches the customer''s minimum (within 1e-12). A NULL relative delta (baseline 0) leaves the absolute one; NULL for a NULL delta; no change is never an effect.';

REVOKE ALL ON FUNCTION drift.has_effect(
    public.drift_settings, text, double precision, double precision
) FROM public;
GRANT EXECUTE ON FUNCTION drift.has_effect(
    public.drift_settings, text, double precision, double precision
)
TO claimdrift_tenant, claimdrift_platform;
