CREATE OR REPLACE FUNCTION drift.explain(
    p_customer_id bigint,
    p_as_of date,
    p_payer_id bigint,
    p_cpt_group_id bigint
)
RETURNS TABLE (
    line_number int,
    line text
)
LANGUAGE plpgsql
STABLE
ROWS 10
AS $function$
DECLARE
    v_run public.drift_run;
    v_parameters jsonb;
    v_figures public.drift_measurement[];
    v_lines text[];
    v_is_applied boolean;
    v_is_look boolean;
    v_metrics CONSTANT text[] := '{DENIAL_RATE,DECISION_DAYS,SILENCE}';
BEGIN
    PERFORM tenancy.authorize(p_customer_id);

    SELECT r.*
    INTO v_run
    FROM public.drift_run AS r
    WHERE
        r.customer_id = p_customer_id
        AND r.as_of = p_as_of
        AND r.status = 'completed'
        AND r.measurement_run_id IS NULL
    ORDER BY r.id
    LIMIT 1;
    SELECT bool_or(r.applied), bool_or(r.is_look)
    INTO v_is_applied, v_is_look
    FROM public.drift_run AS r
    WHERE r.customer_id = p_customer_id AND r.as_of = p_as_of AND r.status = 'completed';
    IF v_run.id IS NOT NULL THEN
        v_parameters := v_run.parameters;
        SELECT array_agg(m ORDER BY array_position(v_metrics, m.metric::text))
        INTO v_figures
        FROM public.drift_measurement AS m
        WHERE
            m.customer_id = p_customer_id
            AND m.run_id = v_run.id
            AND m.payer_id = p_payer_id
            AND m.cpt_group_id IS NOT DISTINCT FROM p_cpt_group_id;
    ELSE
        v_parameters := to_jsonb(drift.settings_of(p_customer_id => p_customer_id));
        SELECT
            array_agg(
                jsonb_populate_record(
                    NULL::public.drift_measurement,
                    to_jsonb(e) || jsonb_build_object('customer_id', p_customer_id)
                )
                ORDER BY array_position(v_metrics, e.metric)
            )
        INTO v_figures
        FROM drift.examine(p_customer_id => p_customer_id, p_as_of => p_as_of) AS e
        WHERE e.payer_id = p_payer_id AND e.cpt_group_id IS NOT DISTINCT FROM p_cpt_group_id;
    END IF;

    v_lines := ARRAY[
        format(
            '%s, %s, as of %s (%s).',
            coalesce(
                (
                    SELECT p.name
                    FROM public.payer AS p
                    WHERE p.customer_id = p_customer_id AND p.id = p_payer_id
                ),
                format('Payer %s', p_payer_id)
            ),
            CASE
                WHEN p_cpt_group_id IS NULL THEN 'all groups together'
                ELSE
                    coalesce(
                        (
                            SELECT g.name
                            FROM public.cpt_group AS g
                            WHERE g.customer_id = p_customer_id AND g.id = p_cpt_group_id
                        ),
                        format('group %s', p_cpt_group_id)
                    )
            END,
            p_as_of,
            CASE
                WHEN v_run.id IS NULL THEN 'measured now, there was no run'
                WHEN NOT v_is_applied THEN 'measured only'
                WHEN v_is_look THEN 'a look'
                ELSE 'between two looks'
            END
        )
    ];
    IF v_figures IS NULL THEN
        v_lines := v_lines
            || (
                'Nothing was measured: no line of it was decided in the baseline or lately, or the '
                'payer has one group only, which is measured for it.'
            )::text;
    END IF;

    RETURN QUERY
    SELECT
        (row_number() OVER (ORDER BY s.number, s.part))::int,
        s.line
    FROM (
        SELECT 0::bigint AS number, l.part, l.line
        FROM unnest(v_lines) WITH ORDINALITY AS l (line, part)
        UNION ALL
        SELECT f.number, l.part, l.line
        FROM generate_subscripts(v_figures, 1) AS f (number)
        CROSS JOIN LATERAL unnest(
            drift.explain_figures(
                p_figures => v_figures[f.number], p_parameters => v_parameters
            )
        ) WITH ORDINALITY AS l (line, part)
        UNION ALL
        SELECT 1000000, row_number() OVER (ORDER BY a.id), format(
            'Alert %s (%s, %s) opened as of %s and is %s.',
            a.id, lower(replace(a.metric, '_', ' ')), a.direction, a.opened_as_of,
            a.status || CASE WHEN a.muted THEN ', muted' ELSE '' END
        )
        FROM public.alert AS a
        WHERE
            a.customer_id = p_customer_id
            AND a.payer_id = p_payer_id
            AND a.cpt_group_id IS NOT DISTINCT FROM p_cpt_group_id
            AND a.opened_as_of <= p_as_of
            AND (a.resolved_as_of IS NULL OR a.resolved_as_of >= p_as_of)
    ) AS s
    WHERE s.line IS NOT NULL
    ORDER BY s.number, s.part;
END;
$function$;

COMMENT ON FUNCTION drift.explain(bigint, date, bigint, bigint) IS
'Why there was an alert on a payer''s group as of a day, or why none: sentences in order, with all the numbers, from the measurements of that day''s run, or measured now if there was none. p_cpt_group_id NULL: the payer as a whole. Raises PD002 to PD004.';

REVOKE ALL ON FUNCTION drift.explain(bigint, date, bigint, bigint) FROM public;
GRANT EXECUTE ON FUNCTION drift.explain(bigint, date, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
