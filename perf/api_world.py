"""A tenant with a million claims among fifty small ones, for api_bench."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from psycopg2.extensions import connection as Connection

from perf.bench import run

SEED: Final = 20260601
AS_OF: Final = date(2026, 6, 1)
DAYS: Final = 400
NEIGHBOURS: Final = 50

# Volumes fall by a fifth from payer to payer and from code to code: the last ones are rare. Rows
# come in the order in which they were submitted, give or take the days until they were uploaded.
# One payer's contract ended after 150 days; one denial code is new: their claims lie together, far
# from the list's beginning or end.
CLAIMS: Final = """
    INSERT INTO claim (customer_id, claim_number, line_number, payer_id, payer_name, cpt,
        cpt_group_id, submitted_date, decided_date, outcome, first_decided_date, first_outcome,
        billed_amount, allowed_amount, paid_amount, denial_code, upload_id)
    WITH drawn AS MATERIALIZED (
        SELECT
            n,
            %(start)s::date + (n * (%(days)s::bigint - 8) / %(claims)s)::int AS submitted,
            least(floor(-ln(1 - random()) * 4)::int, 39) AS payer,
            floor(power(random(), 2) * 300)::int AS cpt,
            (5 + power(random(), 3) * 40)::int AS days,
            random() AS luck,
            floor(-ln(1 - random()) * 2.5)::int AS code,
            round((40 + random() * 800)::numeric, 2) AS billed,
            random() AS late
        FROM generate_series(0, %(claims)s - 1) AS n
    ),
    decided AS (
        SELECT
            d.*,
            CASE
                WHEN d.payer = 8 AND d.submitted >= %(start)s::date + 150 THEN 9 ELSE d.payer
            END AS payer_number,
            CASE
                WHEN d.submitted + d.days >= %(as_of)s::date OR d.luck > 0.999 THEN 'PENDING'
                WHEN d.luck < 0.1 THEN 'DENIED'
                ELSE 'PAID'
            END AS outcome,
            CASE
                WHEN d.code = 1 AND d.submitted >= %(start)s::date + 300 THEN 'CO-197'
                ELSE 'CO-' || least(d.code, 19)
            END AS denial_code
        FROM drawn AS d
    )
    SELECT
        %(customer)s, 'CLM' || 10000000 + d.n / 2 * 3, 1 + d.n %% 2, p.id, p.name,
        (99000 + d.cpt)::text, g.id, d.submitted,
        CASE WHEN d.outcome <> 'PENDING' THEN d.submitted + d.days END,
        d.outcome,
        CASE WHEN d.outcome <> 'PENDING' THEN d.submitted + d.days END,
        nullif(d.outcome, 'PENDING'),
        d.billed,
        CASE WHEN d.outcome = 'PAID' THEN d.billed * 0.6 END,
        CASE d.outcome WHEN 'PAID' THEN d.billed * 0.6 WHEN 'DENIED' THEN 0 END,
        CASE WHEN d.outcome = 'DENIED' THEN d.denial_code END,
        u.first + d.n * u.n / %(claims)s
    FROM decided AS d
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS i FROM payer
        WHERE customer_id = %(customer)s) AS p ON p.i = d.payer_number
    JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS i FROM cpt_group
        WHERE customer_id = %(customer)s) AS g ON g.i = d.cpt %% %(groups)s
    CROSS JOIN (SELECT min(id) AS first, count(*) AS n FROM upload
        WHERE customer_id = %(customer)s) AS u
    ORDER BY d.submitted + d.late * interval '5 days'
"""

# What a tenant has without its claims. Uploads, groups and payers are named in order of their ids.
BASICS: Final = """
    INSERT INTO payer (customer_id, name)
        SELECT %(customer)s, 'Payer ' || lpad(n::text, 2, '0') || ' Health Plan'
        FROM generate_series(1, 40) AS n;
    INSERT INTO cpt_group (customer_id, name)
        SELECT %(customer)s, 'Group ' || lpad(n::text, 3, '0')
        FROM generate_series(1, %(groups)s) AS n;
    INSERT INTO upload (customer_id, filename, sha256, size_bytes, status, created_at)
        SELECT %(customer)s, 'claims-' || n || '.csv',
            encode(sha256((%(customer)s || '-' || n)::text::bytea), 'hex'), 43000,
            CASE WHEN n %% 400 = 7 THEN 'failed' WHEN n %% 40 = 3 THEN 'repeated'
                ELSE 'completed' END,
            %(start)s::date + n * interval '1 day' * %(days)s / %(uploads)s
        FROM generate_series(1, %(uploads)s) AS n;
"""

FIGURES: Final = """
    f.payer, f.cpt_group, f.metric, f.direction,
    f.as_of - 239, f.as_of - 57, f.as_of - 14, f.as_of - 1, 1800, 140, 180, 28, 0.1, 0.2, 0.1, 1,
    0.04, 0.17, 4.1, 1.1, 14, 1e-5, 1e-3, f.severity, 0.999
"""
FIGURE_COLUMNS: Final = """
    payer_id, cpt_group_id, metric, direction,
    baseline_start, baseline_end, current_start, current_end, baseline_n, current_n, baseline_x,
    current_x, baseline_value, current_value, delta, relative_delta, ci_low, ci_high, z, dispersion,
    window_days, p_value, q_value, severity, confidence
"""

# Groups with a number, for one payer after the other; group 0 is the payer as a whole.
RESULTS: Final = f"""
    CREATE TEMP TABLE pair AS
        SELECT
            row_number() OVER (ORDER BY p.i, g.i) - 1 AS n,
            p.id AS payer,
            g.id AS cpt_group
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS i FROM payer
            WHERE customer_id = %(customer)s) AS p
        CROSS JOIN (
            SELECT id, row_number() OVER (ORDER BY id) AS i FROM cpt_group
            WHERE customer_id = %(customer)s
            UNION ALL SELECT NULL, 0
        ) AS g
        WHERE g.i < 25;
    CREATE TEMP TABLE figure AS
        SELECT
            d AS day,
            %(as_of)s::date - d AS as_of,
            p.*,
            m.metric,
            CASE WHEN (p.n + d) %% 9 = 0 THEN 'down' ELSE 'up' END AS direction,
            power((p.n * 7 + d * 13) %% 100 / 100.0, 2) AS severity
        FROM pair AS p
        CROSS JOIN (VALUES ('DENIAL_RATE'), ('DECISION_DAYS')) AS m (metric)
        CROSS JOIN generate_series(0, %(days)s - 1) AS d
        WHERE d < 30 OR (p.n * 11 + d) %% 27 = 0;

    INSERT INTO drift_run (customer_id, as_of, trigger, status, is_look, applied, started_at)
        SELECT %(customer)s, %(as_of)s::date - d,
            CASE WHEN d %% 10 = 4 THEN 'manual' ELSE 'nightly' END,
            CASE WHEN d = 17 THEN 'failed' ELSE 'completed' END, d <> 17, d <> 17,
            %(as_of)s::date - d + interval '7 hours'
        FROM generate_series(%(days)s - 1, 0, -1) AS d;
    INSERT INTO drift_measurement (customer_id, run_id, sufficient, drifted, {FIGURE_COLUMNS})
        SELECT %(customer)s, r.id, f.n %% 10 > 0, f.n %% 50 = 1, {FIGURES}
        FROM figure AS f JOIN drift_run AS r USING (as_of)
        WHERE r.customer_id = %(customer)s AND f.day < 30
        ORDER BY f.as_of, f.n;
    INSERT INTO drift_event (customer_id, run_id, withdrawn, {FIGURE_COLUMNS})
        SELECT %(customer)s, r.id, f.n %% 100 = 3, {FIGURES}
        FROM figure AS f JOIN drift_run AS r USING (as_of)
        WHERE r.customer_id = %(customer)s AND (f.n * 11 + f.day) %% 27 = 0
        ORDER BY f.as_of, f.n;

    INSERT INTO alert (customer_id, payer_id, cpt_group_id, metric, direction, rule_id, status,
        level, peak_severity, opened_as_of, last_seen_as_of, episode_as_of, window_start,
        baseline_start, baseline_end, baseline_n, baseline_x, baseline_value, opening_delta,
        opening_share_delta, rule_definition, resolved_as_of, resolved_by, muted, muted_until)
        SELECT %(customer)s, a.payer, a.cpt_group, a.metric, a.direction, r.id, a.status,
            CASE WHEN a.severity < 0.4 THEN 'info' WHEN a.severity < 0.7 THEN 'warning'
                ELSE 'critical' END,
            a.severity, a.as_of, a.as_of + 7, a.as_of, a.as_of - 14, a.as_of - 239, a.as_of - 57,
            1800, 180, 0.1, 0.1, 0.1, '{{}}',
            CASE WHEN a.status = 'resolved' THEN a.as_of + 30 END,
            CASE WHEN a.status = 'resolved' THEN 'cleared' END,
            a.n %% 200 = 3, CASE WHEN a.n %% 200 = 3 THEN a.as_of + interval '90 days' END
        FROM (
            SELECT *, CASE
                WHEN row_number() OVER (PARTITION BY n, metric, direction ORDER BY day) > 1
                    OR n %% 15 > 0 THEN 'resolved'
                WHEN n %% 30 = 0 THEN 'acknowledged'
                ELSE 'open'
            END AS status
            FROM figure WHERE day %% 5 = 0 AND (n + day / 5) %% 9 = 0
        ) AS a
        CROSS JOIN (SELECT id FROM alert_rule WHERE customer_id = %(customer)s ORDER BY id LIMIT 1)
            AS r
        ORDER BY a.as_of, a.n;
    INSERT INTO alert_transition (customer_id, alert_id, version, kind, from_status, to_status,
        level, severity, as_of)
        SELECT a.customer_id, a.id, v, CASE WHEN v = 1 THEN 'opened' ELSE 'escalated' END,
            CASE WHEN v > 1 THEN 'open' END, 'open', 'info', 0.2, a.opened_as_of
        FROM (SELECT *, row_number() OVER (ORDER BY id) AS i FROM alert
            WHERE customer_id = %(customer)s) AS a
        CROSS JOIN LATERAL generate_series(1, CASE WHEN a.i = 1 THEN 300 ELSE 2 END) AS v;
    DROP TABLE figure, pair;
"""

# What people set. `member` is the one who asks.
PEOPLE: Final = """
    WITH people AS (
        INSERT INTO "user" (email, name, password)
            SELECT 'user-' || n || '@example.org', 'User ' || n, '!'
            FROM generate_series(1, 60) AS n
            RETURNING id
    )
    INSERT INTO membership (customer_id, user_id, role)
        SELECT %(customer)s, id,
            CASE WHEN row_number() OVER (ORDER BY id) <= 3 THEN 'admin' ELSE 'member' END
        FROM people;
    INSERT INTO api_token (customer_id, user_id, name, prefix, digest, scope, expires_at)
        SELECT %(customer)s, m.user_id, 'token ' || n, 'cd_' || n,
            encode(sha256(('token ' || m.user_id || '-' || n)::bytea), 'hex'),
            CASE WHEN n %% 10 = 0 THEN 'write' ELSE 'read' END, now() + interval '90 days'
        FROM membership AS m CROSS JOIN generate_series(1, 20) AS n
        WHERE m.customer_id = %(customer)s;
    INSERT INTO alert_judgment (customer_id, alert_id, user_id, verdict, note)
        SELECT a.customer_id, a.id, m.user_id, CASE WHEN m.user_id %% 9 = 0 THEN 'real'
            ELSE 'noise' END, 'note ' || m.user_id
        FROM (SELECT * FROM alert WHERE customer_id = %(customer)s ORDER BY id LIMIT 100) AS a
        JOIN membership AS m ON m.customer_id = a.customer_id;
    INSERT INTO payer_alias (customer_id, alias, payer_id)
        SELECT p.customer_id, p.name || ' alias ' || n, p.id
        FROM payer AS p CROSS JOIN generate_series(1, 10) AS n WHERE p.customer_id = %(customer)s;
    INSERT INTO cpt_mapping (customer_id, cpt, cpt_group_id)
        SELECT g.customer_id, (99000 + n)::text, g.id
        FROM (SELECT *, row_number() OVER (ORDER BY id) - 1 AS i FROM cpt_group
            WHERE customer_id = %(customer)s) AS g
        JOIN generate_series(0, 299) AS n ON n %% %(groups)s = g.i;
    INSERT INTO alert_rule (customer_id, name, payer_id, metric, direction, level)
        SELECT p.customer_id, 'Rule for ' || p.name, p.id, 'DENIAL_RATE', 'worse', 'info'
        FROM payer AS p WHERE p.customer_id = %(customer)s;
    INSERT INTO upload_error (customer_id, upload_id, line, "column", message)
        SELECT u.customer_id, u.id, n, CASE WHEN n %% 500 = 0 THEN 'payer' ELSE 'paid_amount' END,
            CASE WHEN n %% 500 = 0 THEN 'is empty' ELSE 'is no number' END
        FROM (SELECT * FROM upload WHERE customer_id = %(customer)s ORDER BY id DESC LIMIT 2) AS u
        CROSS JOIN generate_series(2, 20001) AS n;
    INSERT INTO audit_entry (customer_id, table_name, row_id, operation, login, changes, at)
        SELECT %(customer)s, CASE WHEN n %% 50 = 0 THEN 'drift_settings' ELSE 'cpt_mapping' END, n,
            CASE n %% 20 WHEN 0 THEN 'delete' WHEN 1 THEN 'insert' ELSE 'update' END,
            'claimdrift_web', '{"cpt_group_id": [1, 2]}',
            %(as_of)s::date - 5000 * interval '1 hour' + n * interval '1 hour'
        FROM generate_series(1, 5000) AS n;
"""


@dataclass(frozen=True)
class World:
    """The tenant that is asked, and with which tokens."""

    customer_id: int
    claims: int
    token: str
    superuser_token: str


def build(owner: Connection, scale: int) -> World:
    """Fill an empty database; with `scale` 10, a tenth of the claims."""
    run(owner, "SELECT setseed(%s)", (SEED % 1000) / 1000)
    claims = 1_000_000 // scale
    for n in range(NEIGHBOURS):
        if n == NEIGHBOURS // 2:
            tenant = _tenant(owner, "bench", claims, groups=120, uploads=2000)
        _tenant(owner, f"neighbour-{n}", 20_000 // scale, groups=20, uploads=40)
    # Events raise alerts by trigger; these alerts are made up.
    run(owner, "ALTER TABLE drift_event DISABLE TRIGGER USER")
    _fill(owner, RESULTS, tenant)
    run(owner, "ALTER TABLE drift_event ENABLE TRIGGER USER")
    _fill(owner, PEOPLE, tenant)
    run(owner, "VACUUM (ANALYZE)")
    return _world(owner, int(tenant["customer"]), claims)


def find(owner: Connection) -> World:
    """The world that an earlier run has left."""
    [[customer_id, claims]] = run(
        owner,
        "SELECT c.id, (SELECT count(*) FROM claim WHERE customer_id = c.id)"
        " FROM customer AS c WHERE c.slug = 'bench'",
    )
    return _world(owner, customer_id, claims)


def _tenant(
    owner: Connection, slug: str, claims: int, *, groups: int, uploads: int
) -> Mapping[str, Any]:
    [[customer_id]] = run(
        owner, "INSERT INTO customer (name, slug) VALUES (%s, %s) RETURNING id", slug, slug
    )
    tenant = {
        "customer": customer_id,
        "claims": claims,
        "groups": groups,
        "uploads": uploads,
        "as_of": AS_OF,
        "days": DAYS,
        "start": date.fromordinal(AS_OF.toordinal() - DAYS),
    }
    _fill(owner, BASICS, tenant)
    _fill(owner, CLAIMS, tenant)
    return tenant


def _fill(owner: Connection, sql: str, tenant: Mapping[str, Any]) -> None:
    with owner.cursor() as cursor:
        cursor.execute(sql, tenant)


def _world(owner: Connection, customer_id: int, claims: int) -> World:
    """Give a member without tokens one, and a new superuser another."""
    [[member]] = run(
        owner,
        "SELECT max(user_id) FROM membership WHERE customer_id = %s AND role = 'member'",
        customer_id,
    )
    [[superuser]] = run(
        owner,
        'INSERT INTO "user" (email, password, is_superuser) VALUES (%s, %s, true) RETURNING id',
        f"root-{secrets.token_hex(4)}@example.org",
        "!",
    )
    return World(
        customer_id,
        claims,
        _token(owner, customer_id, member),
        _token(owner, None, superuser),
    )


def _token(owner: Connection, customer_id: int | None, user_id: int) -> str:
    token = "cd_" + secrets.token_urlsafe(32)
    run(
        owner,
        "INSERT INTO api_token (customer_id, user_id, name, prefix, digest, scope, expires_at)"
        " VALUES (%s, %s, 'bench', %s, %s, 'read', now() + interval '1 day')",
        customer_id,
        user_id,
        token[:11],
        hashlib.sha256(token.encode()).hexdigest(),
    )
    return token
