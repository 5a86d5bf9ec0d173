CREATE OR REPLACE FUNCTION drift.explain_figures(
    p_figures public.drift_measurement,
    p_parameters jsonb
)
RETURNS text[]
LANGUAGE sql
STABLE
AS $function$
    SELECT
        ARRAY[
            CASE
                WHEN p_figures.metric = 'SILENCE'
                    THEN
                        format(
                            'Silence: %s lines decided from %s to %s, %s in the last %s days.',
                            p_figures.baseline_n,
                            p_figures.baseline_start,
                            p_figures.baseline_end,
                            p_figures.current_n,
                            p_figures.window_days
                        )
                ELSE
                    format(
                        '%s: %s in the baseline (%s, %s%s), %s in the last %s days.',
                        CASE p_figures.metric
                            WHEN 'DENIAL_RATE' THEN 'Denial rate' ELSE 'Median days to a decision'
                        END,
                        drift.say_number(
                            p_number => p_figures.baseline_value, p_metric => p_figures.metric
                        ),
                        CASE
                            WHEN p_figures.metric = 'DENIAL_RATE'
                                THEN format('%s of %s lines', p_figures.baseline_x, p_figures.baseline_n)
                            ELSE format('%s lines', p_figures.baseline_n)
                        END,
                        CASE
                            WHEN p_figures.baseline_start IS NULL THEN 'none: too short a history'
                            ELSE format('%s to %s', p_figures.baseline_start, p_figures.baseline_end)
                        END,
                        CASE
                            WHEN p_figures.frozen_alert_id IS NOT NULL
                                THEN format('; frozen when alert %s opened', p_figures.frozen_alert_id)
                            ELSE ''
                        END,
                        drift.say_number(
                            p_number => p_figures.current_value, p_metric => p_figures.metric
                        ),
                        p_figures.window_days
                    )
            END,
            CASE
                WHEN p_figures.metric = 'SILENCE' AND p_figures.current_value IS NOT NULL
                    THEN
                        format(
                            'Nothing decided for %s; the longest time in the baseline was %s.',
                            drift.say_number(
                                p_number => p_figures.current_value, p_metric => 'SILENCE'
                            ),
                            drift.say_number(
                                p_number => p_figures.baseline_value, p_metric => 'SILENCE'
                            )
                        )
            END,
            CASE
                WHEN p_figures.phi_prior IS NOT NULL
                    THEN
                        format(
                            'Its own ups and downs from fortnight to fortnight %s; those of similar '
                            'groups are %s times as large, which counts for %s fortnights. Tests use '
                            'a t distribution with %s degrees of freedom.%s',
                            CASE
                                WHEN p_figures.phi_own IS NULL THEN 'can''t be told'
                                ELSE
                                    format(
                                        'are %s times as large as chance alone would make them',
                                        drift.say_number(p_number => p_figures.phi_own)
                                    )
                            END,
                            drift.say_number(p_number => p_figures.phi_prior),
                            drift.say_number(p_number => p_figures.d0),
                            drift.say_number(p_number => p_figures.nu),
                            CASE WHEN p_figures.dispersion > 5 THEN ' It is unstable.' ELSE '' END
                        )
            END
        ]
        || ARRAY(
            SELECT
                drift.explain_window(
                    p_metric => p_figures.metric,
                    -- A live alert is followed in one window, which has the error rate to itself.
                    p_window => CASE
                        WHEN p_figures.frozen_alert_id IS NULL THEN w.test ELSE w.test - 'weight'
                    END,
                    p_min_volume => (p_parameters ->> 'min_volume')::bigint
                )
            FROM jsonb_array_elements(p_figures.windows) WITH ORDINALITY AS w (test, number)
            ORDER BY w.number
        )
        || ARRAY[
            CASE
                WHEN p_figures.frozen_alert_id IS NOT NULL AND p_figures.p_value IS NOT NULL
                    THEN format('p = %s, outside the family of groups that compete for alerts.',
                        drift.say_number(p_number => p_figures.p_value))
                WHEN p_figures.q_value IS NOT NULL
                    THEN
                        format(
                            'The %s days window counts: p = %s, and among all %s q = %s, limit %s.',
                            p_figures.window_days,
                            drift.say_number(p_number => p_figures.p_value),
                            CASE WHEN p_figures.cpt_group_id IS NULL THEN 'payers' ELSE 'groups' END,
                            drift.say_number(p_number => p_figures.q_value),
                            drift.say_number(
                                p_number => CASE
                                    WHEN p_figures.cpt_group_id IS NULL
                                        THEN
                                            least(
                                                0.01,
                                                (p_parameters ->> 'false_discovery_rate')
                                                ::double precision
                                            )
                                    ELSE
                                        (p_parameters ->> 'false_discovery_rate')::double precision
                                END
                            )
                        )
            END,
            drift.explain_verdict(p_figures => p_figures, p_parameters => p_parameters)
        ];
$function$;

COMMENT ON FUNCTION drift.explain_figures(public.drift_measurement, jsonb) IS
'What a measurement says, as sentences in order; NULL elements are to be left out. p_parameters: the run''s.';

REVOKE ALL ON FUNCTION drift.explain_figures(public.drift_measurement, jsonb) FROM public;
GRANT EXECUTE ON FUNCTION drift.explain_figures(public.drift_measurement, jsonb)
TO claimdrift_tenant, claimdrift_platform;
