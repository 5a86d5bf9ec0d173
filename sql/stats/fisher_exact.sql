CREATE OR REPLACE FUNCTION stats.fisher_exact(
    p_x1 int,
    p_n1 int,
    p_x2 int,
    p_n2 int
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    -- The table, turned so that a lies below its mode; the tables with the same
    -- margins are those shifted by s: (a + s, b - s; c - s, d + s).
    v_a bigint := p_x1;
    v_b bigint := p_n1::bigint - p_x1;
    v_c bigint := p_x2;
    v_d bigint := p_n2::bigint - p_x2;
    v_mode bigint;
    v_low bigint;
    v_middle bigint;
    v_high bigint;
    v_log double precision;
    v_limit double precision;
    v_other double precision;
    v_sum double precision;
BEGIN
    PERFORM stats.assert_counts(p_x1 => p_x1, p_n1 => p_n1, p_x2 => p_x2, p_n2 => p_n2);

    v_mode := (v_a + v_b + 1) * (v_a + v_c + 1) / (v_a + v_b + v_c + v_d + 2);
    IF v_a = v_mode THEN
        RETURN 1;
    ELSIF v_a > v_mode THEN
        v_mode := p_n1 - v_mode;
        SELECT v_b, v_a, v_d, v_c INTO v_a, v_b, v_c, v_d;
    END IF;
    v_log := stats.log_hypergeometric(v_a, v_b, v_c, v_d);
    v_limit := v_log + ln(1 + 1e-7::double precision);
    v_sum := stats.hypergeometric_tail(v_a, v_b, v_c, v_d);

    -- The other tail begins at the first table beyond the mode that isn't likelier
    -- than ours; mirror images are equally likely, but only up to rounding, hence
    -- the factor 1 + 1e-7 (as in R). v_low is always likelier, v_high never.
    v_low := v_mode - v_a;
    v_high := least(v_b, v_c) + 1;
    IF stats.log_hypergeometric(v_a + v_low, v_b - v_low, v_c - v_low, v_d + v_low) <= v_limit THEN
        RETURN 1;
    END IF;
    WHILE v_high - v_low > 1 LOOP
        v_middle := (v_low + v_high) / 2;
        v_other := stats.log_hypergeometric(
            v_a + v_middle, v_b - v_middle, v_c - v_middle, v_d + v_middle
        );
        IF v_other <= v_limit THEN
            v_high := v_middle;
        ELSE
            v_low := v_middle;
        END IF;
    END LOOP;
    IF v_high <= least(v_b, v_c) THEN
        v_other := stats.log_hypergeometric(
            v_a + v_high, v_b - v_high, v_c - v_high, v_d + v_high
        );
        v_sum := v_sum + exp(v_other - v_log) * stats.hypergeometric_tail(
            v_b - v_high, v_a + v_high, v_d + v_high, v_c - v_high
        );
    END IF;

    -- exp raises an error where the result would underflow.
    RETURN least(1, greatest(exp(greatest(v_log + ln(v_sum), -700)), 1e-300));
END;
$function$;

COMMENT ON FUNCTION stats.fisher_exact(int, int, int, int) IS
'Two-sided p-value of Fisher''s exact test of x1 of n1 against x2 of n2: the probability of all '
'tables with these margins that are at most 1 + 1e-7 times as likely as the observed one (as '
'R''s fisher.test), never below 1e-300; NULL when an argument is; PD010 unless 0 <= x <= n and n '
'>= 1.';

REVOKE ALL ON FUNCTION stats.fisher_exact(int, int, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.fisher_exact(int, int, int, int)
TO claimdrift_tenant, claimdrift_platform;
