"""`maintenance.verify`: clean where all is well, and each check notices what it is for."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg2.errors
import pytest

from tests.catalogue import rolled_back
from tests.conftest import Connect
from tests.database import Database
from tests.portfolio import Portfolio

AS_OF = date(2026, 6, 1)
Found = set[tuple[str, int | None, int | None]]


def day(number: int) -> date:
    return AS_OF + timedelta(days=number)


@dataclass(frozen=True)
class Scene:
    """A customer with a history, and the ids in it that breaches are about."""

    customer_id: int
    ids: dict[str, int]


@pytest.fixture(scope="module")
def superuser(connect: Connect) -> Database:
    return Database(connect("postgres"))


@pytest.fixture(scope="module")
def scene(owner: Database, worker: Database) -> Scene:
    """Two alerts of an identity, one after the other; the last day was measured twice.

    The first was acknowledged, escalated and resolved, then the group recovered.
    """
    portfolio = Portfolio(owner, worker)
    customer_id = portfolio.customer_id
    for start, end, rate in (
        (-300, -14, 0.1),
        (-14, 0, 0.2),
        (0, 7, 0.6),
        (7, 35, 0.1),
        (35, 49, 0.5),
    ):
        portfolio.decide_period(day(start), day(end), per_day=30, rate=rate)
    ids = {"customer": customer_id, "other_payer": Portfolio(owner, worker).payer("Aetna")}
    ids["run_opened"] = portfolio.detect(day(0))
    ids["first"] = portfolio.alert()["id"]
    worker.execute("SELECT alerts.acknowledge(%s, %s, NULL)", customer_id, ids["first"])
    ids["run_escalated"] = portfolio.detect(day(7))
    worker.execute("SELECT alerts.resolve(%s, %s, NULL)", customer_id, ids["first"])
    portfolio.detect(day(35))
    ids["run_newest"] = portfolio.detect(day(49))
    ids["run_repeated"] = portfolio.detect(day(49))
    assert portfolio.kinds() == ["opened", "acknowledged", "escalated", "resolved", "opened"]

    ids["second"] = portfolio.rows("alert")[-1]["id"]
    for transition in portfolio.rows("alert_transition"):
        prefix = "first" if transition["alert_id"] == ids["first"] else "second"
        ids[f"{prefix}_{transition['kind']}"] = transition["id"]
    ids["event_opened"] = portfolio.rows("drift_event")[0]["id"]
    ids["event_newest"] = portfolio.rows("drift_event")[-1]["id"]
    for measurement in portfolio.rows("drift_measurement"):
        if measurement["run_id"] == ids["run_newest"]:
            ids[f"newest_{measurement['metric']}"] = measurement["id"]
        if measurement["run_id"] == ids["run_opened"]:
            ids[f"opened_{measurement['metric']}"] = measurement["id"]
    ids["run_queued"] = worker.value("SELECT drift.request_run(%s, %s)", customer_id, day(56))
    for name, content in (("upload_queued", b"content"), ("upload_failed", b"")):
        ids[name] = worker.value(
            "SELECT ingest.receive_upload(%s, 'claims.csv', repeat('a', 64), %s, false, false,"
            " false)",
            customer_id,
            len(content),
        )
        worker.execute("SELECT ingest.add_chunk(%s, %s, 0, %s)", customer_id, ids[name], content)
        worker.execute("SELECT ingest.queue_upload(%s, %s)", customer_id, ids[name])
    worker.execute("SELECT ingest.fail_upload(%s, %s, 'No.')", customer_id, ids["upload_failed"])
    ids["endpoint"] = worker.value(
        "SELECT webhooks.create_endpoint(%s, 'https://example.com/', '', '{}', 10, 'x', 'key')",
        customer_id,
    )
    ids["delivery"] = worker.value(
        "SELECT webhooks.send_test(%s, %s)", customer_id, ids["endpoint"]
    )
    ids["claim"] = portfolio.rows("claim")[0]["id"]
    ids["payer"] = portfolio.payer("Aetna")
    ids["upload"] = portfolio.upload_id
    ids["missing"] = 10**15
    return Scene(customer_id, ids)


@dataclass(frozen=True)
class Breach:
    """Statements that break an invariant; the one row that `check` must find: whose, and which.

    `{name}` in statements is an id of the scene. `found` is a name among those ids, or a query.
    """

    check: str
    statements: str
    found: str
    customer: str = "customer"


BREACHES = [
    Breach(
        "alert_live_twice",
        """
        DROP INDEX alert_customer_live_key;
        UPDATE alert SET status = 'open', resolved_as_of = NULL, resolved_by = NULL,
            rearmed = false, version = version + 1 WHERE id = {first};
        INSERT INTO alert_transition (customer_id, alert_id, version, kind, from_status, to_status,
            level, severity, as_of)
        SELECT customer_id, id, version, 'reopened', 'resolved', status, level, peak_severity,
            opened_as_of
        FROM alert WHERE id = {first}
        """,
        "second",
    ),
    Breach(
        "alert_resolution",
        """
        ALTER TABLE alert DROP CONSTRAINT alert_status_check;
        UPDATE alert SET resolved_by = NULL WHERE id = {first}
        """,
        "first",
    ),
    Breach("alert_resolution", "UPDATE alert SET rearmed = true WHERE id = {second}", "second"),
    Breach(
        "alert_resolution",
        """
        ALTER TABLE alert DROP CONSTRAINT alert_dates_check;
        UPDATE alert SET episode_as_of = resolved_as_of + 1 WHERE id = {first}
        """,
        "first",
    ),
    Breach(
        "alert_previous", "UPDATE alert SET previous_alert_id = NULL WHERE id = {second}", "second"
    ),
    Breach(
        "alert_in_cooldown",
        """
        UPDATE alert SET resolved_as_of = '2026-07-13' WHERE id = {first};
        UPDATE alert_transition SET as_of = '2026-07-13' WHERE id = {first_resolved}
        """,
        "second",
    ),
    Breach(
        "transition_versions", "DELETE FROM alert_transition WHERE id = {first_escalated}", "first"
    ),
    Breach(
        "transition_versions",
        "UPDATE alert SET version = version + 1 WHERE id = {second}",
        "second",
    ),
    Breach(
        "transition_versions", "DELETE FROM alert_transition WHERE id = {second_opened}", "second"
    ),
    Breach(
        "transition_first",
        """
        ALTER TABLE alert_transition DROP CONSTRAINT alert_transition_kind_check;
        UPDATE alert_transition SET kind = 'reopened' WHERE id = {second_opened}
        """,
        "second_opened",
    ),
    Breach(
        "transition_chain",
        """
        ALTER TABLE alert_transition DROP CONSTRAINT alert_transition_kind_check;
        UPDATE alert_transition SET from_status = 'open' WHERE id = {first_escalated}
        """,
        "first_escalated",
    ),
    Breach("transition_replay", "UPDATE alert SET level = 'info' WHERE id = {second}", "second"),
    Breach(
        "transition_replay",
        "UPDATE alert SET status = 'acknowledged' WHERE id = {second}",
        "second",
    ),
    Breach(
        "transition_resolution",
        "UPDATE alert SET resolved_by = 'cleared' WHERE id = {first}",
        "first",
    ),
    Breach(
        "transition_resolution",
        "UPDATE alert SET resolved_as_of = resolved_as_of + 1 WHERE id = {first}",
        "first",
    ),
    Breach(
        "transition_escalation",
        "UPDATE alert SET peak_severity = 0.1 WHERE id = {second}",
        "second",
    ),
    Breach(
        "run_unfinished",
        "UPDATE drift_run SET finished_at = NULL WHERE id = {run_escalated}",
        "run_escalated",
    ),
    Breach(
        "run_unfinished",
        "UPDATE drift_run SET finished_at = now() WHERE id = {run_queued}",
        "run_queued",
    ),
    Breach(
        "run_forgotten",
        "UPDATE procrastinate_jobs SET status = 'cancelled'"
        " WHERE queueing_lock = 'run:{run_queued}'",
        "run_queued",
    ),
    Breach(
        "run_forgotten",
        """
        UPDATE drift_run SET status = 'running' WHERE id = {run_queued};
        DELETE FROM procrastinate_jobs WHERE queueing_lock = 'run:{run_queued}'
        """,
        "run_queued",
    ),
    Breach(
        "run_shared",
        """
        ALTER TABLE drift_run DROP CONSTRAINT drift_run_found_check;
        UPDATE drift_run SET status = 'failed', applied = false, is_look = false
        WHERE id = {run_newest};
        UPDATE drift_run SET status = 'completed', finished_at = now(),
            measurement_run_id = {run_newest}, as_of = '2026-07-20'
        WHERE id = {run_queued};
        DELETE FROM drift_run WHERE id = {run_repeated}
        """,
        "run_queued",
    ),
    Breach(
        "run_shared",
        "UPDATE drift_run SET measurement_run_id = {run_opened} WHERE id = {run_repeated}",
        "run_repeated",
    ),
    Breach(
        "run_measurements",
        "DELETE FROM drift_measurement WHERE id = {newest_DECISION_DAYS}",
        "run_newest",
    ),
    Breach(
        "event_missing",
        "UPDATE drift_event SET withdrawn = true WHERE id = {event_newest}",
        "newest_DENIAL_RATE",
    ),
    Breach(
        "event_run",
        "UPDATE drift_event SET run_id = {run_escalated} WHERE id = {event_newest}",
        "event_newest",
    ),
    Breach(
        "event_unmeasured",
        "UPDATE drift_measurement SET drifted = false WHERE id = {opened_DENIAL_RATE}",
        "event_opened",
    ),
    Breach(
        "claim_first_determination",
        """
        ALTER TABLE claim DROP CONSTRAINT claim_first_determination_check;
        UPDATE claim SET first_outcome = NULL, first_decided_date = NULL WHERE id = {claim}
        """,
        "claim",
    ),
    Breach(
        "claim_first_determination",
        "UPDATE claim SET first_decided_date = decided_date + 1 WHERE id = {claim}",
        "claim",
    ),
    Breach(
        "claim_first_determination",
        "UPDATE claim SET outcome = 'PENDING', decided_date = NULL WHERE id = {claim}",
        "claim",
    ),
    Breach(
        "upload_counts",
        "UPDATE upload SET status = 'completed', finished_at = now(), rows_total = 1"
        " WHERE id = {upload}",
        "upload",
    ),
    Breach(
        "upload_unfinished", "UPDATE upload SET status = 'completed' WHERE id = {upload}", "upload"
    ),
    Breach(
        "upload_unfinished",
        "UPDATE upload SET finished_at = now() WHERE id = {upload_queued}",
        "upload_queued",
    ),
    Breach(
        "upload_unfinished",
        "UPDATE upload SET finished_at = NULL WHERE id = {upload_failed}",
        "upload_failed",
    ),
    Breach(
        "upload_forgotten",
        "DELETE FROM procrastinate_jobs WHERE queueing_lock = 'upload:{upload_queued}'",
        "upload_queued",
    ),
    Breach(
        "upload_chunks",
        "INSERT INTO upload_chunk (customer_id, upload_id, number, content)"
        " VALUES ({customer}, {upload_failed}, 0, ''), ({customer}, {upload_failed}, 1, '')",
        "upload_failed",
    ),
    Breach(
        "delivery_forgotten",
        "UPDATE webhook_delivery SET job_id = NULL, next_attempt_at = now() - interval '11 min'"
        " WHERE id = {delivery}",
        "delivery",
    ),
    Breach(
        "delivery_attempts",
        "UPDATE webhook_delivery SET attempts = 1 WHERE id = {delivery}",
        "delivery",
    ),
    Breach(
        "endpoint_secret",
        "DELETE FROM webhook_secret WHERE endpoint_id = {endpoint}",
        "endpoint",
    ),
    Breach(
        "customer_unknown",
        "INSERT INTO payer (customer_id, name) VALUES ({missing}, 'a'), ({missing}, 'b')",
        "SELECT min(id) FROM payer WHERE customer_id = {missing}",
        customer="missing",
    ),
    Breach(
        "reference_broken", "UPDATE claim SET payer_id = {other_payer} WHERE id = {claim}", "claim"
    ),
    Breach(
        "reference_broken", "UPDATE claim SET upload_id = {missing} WHERE id = {claim}", "claim"
    ),
    Breach(
        "reference_broken", "UPDATE alert SET rule_id = {missing} WHERE id = {second}", "second"
    ),
    Breach(
        "reference_broken",
        "UPDATE alert_transition SET actor_id = {missing} WHERE id = {first_resolved}",
        "first_resolved",
    ),
    Breach(
        "reference_broken",
        "UPDATE drift_measurement SET frozen_alert_id = {missing} WHERE id = {newest_DENIAL_RATE}",
        "newest_DENIAL_RATE",
    ),
    Breach(
        "reference_broken",
        """
        INSERT INTO api_token (customer_id, user_id, name, prefix, digest, scope, expires_at)
        VALUES ({customer}, {missing}, 'lost', 'cd', repeat('a', 64), 'read', now() + '1 day')
        """,
        "SELECT id FROM api_token WHERE user_id = {missing}",
    ),
    Breach(
        "reference_broken",
        "UPDATE payer SET merged_into_id = {other_payer} WHERE id = {payer}",
        "payer",
    ),
    Breach(
        "payer_chain",
        """
        INSERT INTO payer (customer_id, name) VALUES ({customer}, 'b'), ({customer}, 'c');
        UPDATE payer AS p SET merged_into_id = t.id FROM payer AS t
        WHERE p.customer_id = {customer} AND t.customer_id = {customer}
            AND (p.name, t.name) IN (('Aetna', 'b'), ('b', 'c'))
        """,
        "payer",
    ),
    Breach(
        "alias_of_merged",
        """
        INSERT INTO payer (customer_id, name) VALUES ({customer}, 'b');
        UPDATE payer SET merged_into_id = (
            SELECT id FROM payer WHERE customer_id = {customer} AND name = 'b'
        ) WHERE id = {payer};
        INSERT INTO payer_alias (customer_id, alias, payer_id) VALUES ({customer}, 'a', {payer})
        """,
        "SELECT id FROM payer_alias WHERE customer_id = {customer}",
    ),
    Breach(
        "settings_missing", "DELETE FROM drift_settings WHERE customer_id = {customer}", "customer"
    ),
    Breach(
        "row_security_off",
        "ALTER TABLE claim DISABLE ROW LEVEL SECURITY",
        "SELECT 'claim'::regclass::oid",
        customer="",
    ),
    Breach(
        "row_security_off",
        "ALTER TABLE alert NO FORCE ROW LEVEL SECURITY",
        "SELECT 'alert'::regclass::oid",
        customer="",
    ),
    Breach(
        "owner_policy_missing",
        "DROP POLICY owner_all ON claim",
        "SELECT 'claim'::regclass::oid",
        customer="",
    ),
    Breach(
        "index_invalid",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'claim_detection_idx'::regclass",
        "SELECT 'claim_detection_idx'::regclass::oid",
        customer="",
    ),
    Breach(
        "constraint_not_enforced",
        "ALTER TABLE claim ADD CONSTRAINT hopeful CHECK (line_number > 0) NOT VALID",
        "SELECT oid FROM pg_constraint WHERE conname = 'hopeful'",
        customer="",
    ),
    Breach(
        "trigger_disabled",
        """
        DO $do$ BEGIN EXECUTE (
            SELECT format('ALTER TABLE drift_event DISABLE TRIGGER %I', tgname) FROM pg_trigger
            WHERE tgrelid = 'drift_event'::regclass AND tgname LIKE '%apply_events_insert%'
        ); END $do$
        """,
        "SELECT oid FROM pg_trigger WHERE tgrelid = 'drift_event'::regclass"
        " AND tgname LIKE '%apply_events_insert%'",
        customer="",
    ),
    Breach(
        "privilege_too_wide",
        "GRANT DELETE ON alert TO claimdrift_worker",
        "SELECT 'alert'::regclass::oid",
        customer="",
    ),
    Breach(
        "privilege_too_wide",
        "GRANT UPDATE (note) ON alert_transition TO claimdrift_web",
        "SELECT 'alert_transition'::regclass::oid",
        customer="",
    ),
    Breach(
        "privilege_too_wide",
        "GRANT UPDATE (expires_at) ON api_token TO claimdrift_platform",
        "SELECT 'api_token'::regclass::oid",
        customer="",
    ),
]


def verify(database: Database) -> Found:
    rows: list[tuple[Any, ...]] = database.execute(
        "SELECT check_name, customer_id, object_id FROM maintenance.verify()"
    )
    return {(row[0], row[1], row[2]) for row in rows}


def test_a_history_made_by_the_functions_is_clean(scene: Scene, worker: Database) -> None:
    assert [found for found in verify(worker) if found[1] == scene.customer_id] == []


@pytest.mark.parametrize(
    "breach",
    [pytest.param(b, id=f"{b.check} {n}") for n, b in enumerate(BREACHES, 1)],
)
def test_a_breach_is_the_one_row_found(scene: Scene, superuser: Database, breach: Breach) -> None:
    before = verify(superuser)
    with rolled_back(superuser):
        # Neither foreign keys nor our triggers react in this role.
        superuser.execute("SET LOCAL session_replication_role = 'replica'")
        superuser.execute(breach.statements.format_map(scene.ids))
        found = (
            superuser.value(breach.found.format_map(scene.ids))
            if breach.found.startswith("SELECT")
            else scene.ids[breach.found]
        )
        after = verify(superuser)

    customer_id = scene.ids[breach.customer] if breach.customer else None
    assert after - before == {(breach.check, customer_id, found)}


def test_a_superusers_token_belongs_to_no_customer(worker: Database, owner: Database) -> None:
    with rolled_back(owner):
        user_id = owner.value(
            'INSERT INTO "user" (email, password, is_superuser)'
            " VALUES ('root@example.org', '!', true) RETURNING id"
        )
        owner.execute(
            "SELECT tenancy.create_superuser_token(%s, 'all', 'cd', repeat('b', 64), 'read',"
            " now() + interval '1 day')",
            user_id,
        )

        assert [found for found in verify(owner) if found[1] is None] == []


def test_every_check_is_broken_on_purpose(owner: Database) -> None:
    named = owner.execute(
        r"""
        SELECT DISTINCT name[1] FROM pg_proc AS f
        CROSS JOIN LATERAL regexp_matches(f.prosrc, 'SELECT\s+''+([a-z_]+)''', 'g') AS name
        WHERE f.pronamespace = 'maintenance'::regnamespace AND f.proname LIKE 'check\_%'
        """
    )

    assert {name for [name] in named} == {breach.check for breach in BREACHES}


def test_a_cooldown_made_longer_later_accuses_nobody(scene: Scene, superuser: Database) -> None:
    before = verify(superuser)
    with rolled_back(superuser):
        superuser.execute(
            "UPDATE drift_settings SET cooldown_hours = 8760 WHERE customer_id = %s",
            scene.customer_id,
        )

        assert verify(superuser) == before


def test_another_alert_in_the_cooldown_of_a_new_normal_is_right(
    scene: Scene, superuser: Database
) -> None:
    before = verify(superuser)
    in_cooldown = next(b for b in BREACHES if b.check == "alert_in_cooldown")
    with rolled_back(superuser):
        superuser.execute("SET LOCAL session_replication_role = 'replica'")
        superuser.execute(in_cooldown.statements.format_map(scene.ids))
        superuser.execute("UPDATE alert SET new_normal = true WHERE id = %s", scene.ids["first"])

        assert verify(superuser) == before


def test_a_day_measured_again_when_it_was_old_accuses_nobody(
    owner: Database, worker: Database
) -> None:
    portfolio = Portfolio(owner, worker)
    portfolio.decide_period(day(-300), day(-14), per_day=20, rate=0.1)
    portfolio.decide_period(day(-14), day(7), per_day=20, rate=0.4)
    portfolio.detect(day(0))
    portfolio.detect(day(7))
    # What came in late takes the drift out of the older day.
    portfolio.decide(day(-1), paid=5000)
    portfolio.detect(day(0))
    portfolio.detect(day(7))

    assert any(not event["withdrawn"] for event in portfolio.rows("drift_event"))
    assert [found for found in verify(worker) if found[1] == portfolio.customer_id] == []


def test_it_sees_all_customers_and_is_not_for_tenants(connect: Connect, scene: Scene) -> None:
    tenant = Database(connect("claimdrift_web"))
    tenant.execute("SET ROLE claimdrift_tenant")
    tenant.execute("SELECT set_config('app.customer_id', %s, false)", str(scene.customer_id))

    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        tenant.execute("SELECT FROM maintenance.verify()")
