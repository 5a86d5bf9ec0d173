CREATE OR REPLACE FUNCTION stats.hypergeometric_tail(
    p_a bigint,
    p_b bigint,
    p_c bigint,
    p_d bigint
)
RETURNS double precision
LANGUAGE plpgsql
IMMUTABLE
STRICT
PARALLEL SAFE
AS $function$
DECLARE
    v_a double precision := p_a;
    v_b double precision := p_b;
    v_c double precision := p_c;
    v_d double precision := p_d;
    v_term double precision := 1;
    v_sum double precision := 1;
BEGIN
    -- A loop, since each term is made from the one before; it ends where the
    -- terms, which fall ever faster, no longer change the sum.
    WHILE v_term > 1e-16 * v_sum LOOP
        v_term := v_term * ((v_a / (v_b + 1)) * (v_d / (v_c + 1)));
        v_sum := v_sum + v_term;
        v_a := v_a - 1;
        v_b := v_b + 1;
        v_c := v_c + 1;
        v_d := v_d - 1;
    END LOOP;
    RETURN v_sum;
END;
$function$;

COMMENT ON FUNCTION stats.hypergeometric_tail(bigint, bigint, bigint, bigint) IS
'Probability of the 2 x 2 table (a, b; c, d) and of all tables with the same margins and a '
'smaller a, as a multiple of that table''s own; the table must lie at or below the mode; NULL '
'when an argument is.';

REVOKE ALL ON FUNCTION stats.hypergeometric_tail(bigint, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stats.hypergeometric_tail(bigint, bigint, bigint, bigint)
TO claimdrift_tenant, claimdrift_platform;
