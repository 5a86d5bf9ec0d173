CREATE OR REPLACE FUNCTION drift.explain_verdict(
    p_figures public.drift_measurement,
    p_parameters jsonb
)
RETURNS text
LANGUAGE sql
STABLE
AS $function$
    SELECT
        CASE
            WHEN p_figures.metric = 'SILENCE' AND p_figures.current_n > 0
                THEN 'Verdict: not silent.'
            WHEN NOT p_figures.sufficient AND p_figures.metric = 'SILENCE'
                THEN 'Verdict: unknown, since no other payer decided anything either.'
            WHEN NOT p_figures.sufficient
                THEN
                    format(
                        'Verdict: insufficient, with %s lines in the baseline and %s in the last %s '
                        'days; %s are needed in both.',
                        p_figures.baseline_n,
                        p_figures.current_n,
                        p_figures.window_days,
                        p_parameters ->> 'min_volume'
                    )
            WHEN p_figures.drifted
                THEN
                    format(
                        'Verdict: drifted %s, severity %s%s.%s',
                        p_figures.direction,
                        drift.say_number(p_number => p_figures.severity),
                        CASE
                            WHEN p_figures.confidence IS NOT NULL
                                THEN ', confidence ' || drift.say_number(p_number => p_figures.confidence)
                            ELSE ''
                        END,
                        CASE
                            WHEN p_figures.may_open THEN ''
                            ELSE ' The day is no look, and not even a tenth of the limit was '
                                || 'undercut: no alert opens for it until the next look.'
                        END
                    )
            WHEN p_figures.metric = 'SILENCE'
                THEN 'Verdict: no drift, it has been silent for as long before.'
            WHEN p_figures.p_value = 1 AND p_figures.cpt_group_id IS NULL
                THEN
                    'Verdict: no drift, the change is too small to matter, or no more than one '
                    'group''s.'
            WHEN p_figures.p_value = 1 OR p_figures.p_value IS NULL
                THEN 'Verdict: no drift, the change is too small to matter.'
            ELSE 'Verdict: no drift, chance and the usual ups and downs explain the change.'
        END;
$function$;

COMMENT ON FUNCTION drift.explain_verdict(public.drift_measurement, jsonb) IS
'One sentence on what a measurement came to, and why. p_parameters: the run''s.';

REVOKE ALL ON FUNCTION drift.explain_verdict(public.drift_measurement, jsonb) FROM public;
GRANT EXECUTE ON FUNCTION drift.explain_verdict(public.drift_measurement, jsonb)
TO claimdrift_tenant, claimdrift_platform;
