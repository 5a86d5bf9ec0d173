"""The lists that api_bench asks, and with what: frequent and rare values, near and far."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from psycopg2.extensions import connection as Connection

from perf.api_requests import Ask, Listed
from perf.api_world import AS_OF
from perf.bench import run

NOBODY: Final = 10**17
HALF: Final = AS_OF - timedelta(182)


def all_requests(owner: Connection, customer_id: int) -> list[Ask]:
    """Every request of the benchmark."""
    lists = all_lists(owner, customer_id)
    _check_coverage(lists)
    asks = [ask for listed in lists for ask in listed.requests()]
    for name in ("claims", "drift-events", "alerts", "uploads", "audit"):
        asks.append(Ask("superuser", name, name, as_superuser=True, kind="first page"))
        asks.append(
            Ask("superuser", f"{name} of one", name, {"customer": "bench"}, as_superuser=True)
        )
    payer = next(iter(by_volume(owner, customer_id, "payer_id")))
    asks.append(
        Ask(
            "superuser",
            "claims by payer",
            "claims",
            {"payer": payer},
            as_superuser=True,
            kind="far",
        )
    )
    quarter = {"decided_after": AS_OF - timedelta(90), "decided_before": AS_OF - timedelta(1)}
    asks.append(
        Ask("claims/payer-summary", "90 days", "claims/payer-summary", quarter, kind="summary")
    )
    return asks


def _check_coverage(lists: list[Listed]) -> None:
    """A filter that nobody asks for is one that nobody has measured."""
    from api.urls import router

    asked = {listed.path.split("/")[0]: set[str]() for listed in lists}
    for listed in lists:
        for query in listed.asked:
            asked[listed.path.split("/")[0]] |= set(query)
    for prefix, viewset, _ in router.registry:
        filterset = getattr(viewset, "filterset_class", None)
        wanted = set(filterset.base_filters if filterset else ())
        assert wanted <= asked[prefix], (prefix, wanted - asked[prefix])


def by_volume(owner: Connection, customer_id: int, column: str) -> list[Any]:
    """The column's values in claims, frequent ones first."""
    return [
        value
        for [value] in run(
            owner,
            f"SELECT {column} FROM claim WHERE customer_id = %s AND {column} IS NOT NULL"
            f" GROUP BY {column} ORDER BY count(*) DESC, {column}",
            customer_id,
        )
    ]


def all_lists(owner: Connection, customer_id: int) -> list[Listed]:
    def one(sql: str) -> Any:
        [[value]] = run(owner, sql, customer_id)
        return value

    payers = by_volume(owner, customer_id, "payer_id")
    groups = by_volume(owner, customer_id, "cpt_group_id")
    upload = one("SELECT max(upload_id) FROM upload_error WHERE customer_id = %s")
    newest_run = one("SELECT max(run_id) FROM drift_measurement WHERE customer_id = %s")
    oldest_run = one("SELECT min(run_id) FROM drift_measurement WHERE customer_id = %s")
    alert = one("SELECT min(id) FROM alert WHERE customer_id = %s")
    user = one("SELECT max(user_id) FROM alert_judgment WHERE customer_id = %s")
    rule = one("SELECT min(id) FROM alert_rule WHERE customer_id = %s")
    figures: tuple[Mapping[str, Any], ...] = (
        *[{"payer": payer} for payer in (payers[0], payers[-1], NOBODY)],
        {"payer__in": _words(payers[:20])},
        *[{"cpt_group": group} for group in (groups[0], NOBODY)],
        {"whole_payer": "true"},
        {"whole_payer": "false"},
        *[{"metric": metric} for metric in ("DENIAL_RATE", "SILENCE")],
        {"metric__in": "DECISION_DAYS,SILENCE"},
        *[{"direction": direction} for direction in ("up", "down")],
        *[{"severity_min": share} for share in (0.1, 0.97)],
        {"severity_max": 0.001},
        *[{"search": text} for text in ("health", "payer 40", "nothing")],
        {"payer": payers[0], "metric": "DENIAL_RATE", "severity_min": 0.5},
    )
    return [
        Listed(
            "claims",
            "claim",
            ("id", "first_decided_date", "submitted_date"),
            tuple(_claims(owner, customer_id, payers, groups)),
            far=tuple(
                query | {"ordering": ordering}
                for query, orderings in (
                    ({"search": "CLM10"}, ("-id", "-submitted_date")),
                    ({"submitted_date_before": HALF}, ("-id", "-first_decided_date")),
                    ({"first_decided_date_before": HALF}, ("-id", "-submitted_date")),
                    ({"submitted_date_after": HALF}, ("first_decided_date",)),
                )
                for ordering in orderings
            ),
        ),
        Listed(
            "drift-events",
            "drift_event",
            ("id", "current_end"),
            (
                *figures,
                *[{"run": run} for run in (newest_run, oldest_run, NOBODY)],
                *[{"withdrawn": flag} for flag in ("true", "false")],
                {"current_end_after": "2026-05-25"},
                {"current_end_before": "2025-06-01"},
                {"current_end_before": "2025-06-01", "ordering": "-current_end"},
                {"current_end_after": "2027-01-01"},
            ),
        ),
        Listed("drift-events/active", "drift_event", (), ({"payer": payers[-1]},)),
        Listed(
            "drift-runs",
            "drift_run",
            ("id", "as_of"),
            (
                *[{"status": status} for status in ("completed", "failed", "queued")],
                *[{"trigger": trigger} for trigger in ("nightly", "manual")],
                {"applied": "false"},
                {"as_of_after": "2026-05-25"},
                {"as_of_before": "2025-06-01"},
                {"search": "night"},
            ),
        ),
        *[
            Listed(
                f"drift-runs/{run_id}/measurements",
                "drift_measurement",
                ("id",),
                (*figures, {"drifted": "true"}, {"sufficient": "false"}),
                f"run_id = {run_id}",
                "id",
                f"drift-runs/{which}/measurements",
            )
            for which, run_id in (("newest", newest_run), ("oldest", oldest_run))
        ],
        Listed(
            "alerts",
            "alert",
            ("id", "last_seen_as_of", "peak_severity"),
            (
                *figures,
                *[{"status": status} for status in ("resolved", "open")],
                {"status__in": "open,acknowledged"},
                *[{"level": level} for level in ("info", "critical")],
                {"level__in": "warning,critical"},
                *[{"rule": rule_id} for rule_id in (rule, NOBODY)],
                *[{"muted": flag} for flag in ("true", "false")],
                *[
                    {f"{column}_{end}": day}
                    for column in ("opened_as_of", "last_seen_as_of")
                    for end, day in (("after", "2026-05-25"), ("before", "2025-06-10"))
                ],
                {"status__in": "open,acknowledged", "ordering": "-peak_severity"},
            ),
        ),
        Listed(
            f"alerts/{alert}/history",
            "alert_transition",
            ("version",),
            ({"kind": "opened"}, {"search": "nothing"}),
            f"alert_id = {alert}",
            "version",
            "alerts/{id}/history",
        ),
        Listed(
            f"alerts/{alert}/judgments",
            "alert_judgment",
            (),
            ({"verdict": "real"}, {"user": user}),
            f"alert_id = {alert}",
            name="alerts/{id}/judgments",
        ),
        Listed(
            "alert-rules",
            "alert_rule",
            ("id",),
            (
                {"payer": payers[0]},
                {"cpt_group": groups[0]},
                {"metric": "DENIAL_RATE"},
                {"direction": "worse"},
                {"level": "info"},
                {"enabled": "true"},
                {"search": "payer 4"},
            ),
        ),
        Listed(
            "uploads",
            "upload",
            ("id", "created_at"),
            (
                *[{"status": status} for status in ("completed", "failed", "received")],
                {"status__in": "failed,repeated"},
                {"sha256": "0" * 64},
                {"created_at_after": f"{AS_OF}T00:00:00Z"},
                {"created_at_before": "2025-05-01T00:00:00Z"},
                *[{"search": text} for text in ("claims", "-1999", "nothing")],
            ),
        ),
        Listed(
            f"uploads/{upload}/errors",
            "upload_error",
            ("line",),
            (
                *[{"column": column} for column in ("paid_amount", "payer", "cpt")],
                {"line_min": 19_000},
                {"line_max": 50},
                *[{"search": text} for text in ("number", "empty", "nothing")],
            ),
            f"upload_id = {upload}",
            "line",
            "uploads/{id}/errors",
        ),
        Listed(
            "audit",
            "audit_entry",
            ("id", "at"),
            (
                *[{"table_name": name} for name in ("cpt_mapping", "drift_settings", "none")],
                {"row_id": 77},
                *[{"operation": word} for word in ("update", "delete")],
                {"actor": user},
                {"at_after": f"{AS_OF}T00:00:00Z"},
                {"at_before": "2025-11-10T00:00:00Z"},
                *[{"search": text} for text in ("cpt", "settings", "nothing")],
            ),
        ),
        Listed(
            "payers",
            "payer",
            ("id",),
            ({"merged": "true"}, *[{"search": text} for text in ("health", "payer 40", "no")]),
        ),
        Listed("payer-aliases", "payer_alias", ("id",), ({"payer": payers[0]}, {"search": "40"})),
        Listed("cpt-groups", "cpt_group", ("id",), ({"search": "Group 01"}, {"search": "no"})),
        Listed(
            "cpt-mappings",
            "cpt_mapping",
            ("id",),
            ({"cpt": "99200"}, {"cpt_group": groups[0]}, {"search": "99"}, {"search": "x"}),
        ),
        Listed(
            "memberships",
            "membership",
            ("id",),
            ({"user": user}, {"role": "admin"}, {"search": "user-5"}),
        ),
        Listed(
            "tokens", "api_token", ("id",), ({"user": user}, {"scope": "read"}, {"search": "bench"})
        ),
        Listed("customers", "customer", (), ({"status": "active"}, {"search": "bench"})),
    ]


def _claims(
    owner: Connection, customer_id: int, payers: list[Any], groups: list[Any]
) -> Iterator[Mapping[str, Any]]:
    """Claims' filters: what is frequent, what is rare, what lies together, what is nowhere."""
    [[ended]] = run(
        owner,
        "SELECT payer_id FROM claim WHERE customer_id = %s GROUP BY payer_id"
        " HAVING count(*) > 100 ORDER BY max(submitted_date) LIMIT 1",
        customer_id,
    )
    cpts = by_volume(owner, customer_id, "cpt")
    codes = by_volume(owner, customer_id, "denial_code")
    for payer in (payers[0], payers[12], payers[-10], payers[-1], NOBODY):
        yield {"payer": payer}
    yield {"payer__in": _words(payers[:3])}
    yield {"payer__in": _words(payers[-20:])}
    for group in (groups[0], groups[-1], NOBODY):
        yield {"cpt_group": group}
    yield {"cpt_group__in": _words(groups[-20:])}
    for cpt in (cpts[0], cpts[-1], "0000X"):
        yield {"cpt": cpt}
    for outcome in ("PAID", "DENIED", "PENDING"):
        yield {"outcome": outcome}
    yield {"outcome__in": "DENIED,PENDING"}
    for code in (codes[0], codes[-1], "CO-999"):
        yield {"denial_code": code}
    for text in ("CLM1", "CLM10012", "CLM100123450", "nothing"):
        yield {"search": text}
    # Together, far from one end.
    for ordering in ("-id", "-submitted_date", "first_decided_date"):
        for query in (
            {"payer": ended},
            {"denial_code": "CO-197"},
            {"outcome": "PENDING"},
            *[
                {f"{column}_{end}": day}
                for column in ("submitted_date", "first_decided_date")
                for end, day in (("before", "2025-05-15"), ("after", "2026-05-25"))
            ],
            {"first_decided_date_after": "2025-10-01", "first_decided_date_before": "2025-10-31"},
            {"submitted_date_after": "2025-10-01", "submitted_date_before": "2025-10-31"},
        ):
            yield query | {"ordering": ordering}
    for column in ("submitted_date", "first_decided_date"):
        yield {f"{column}_before": HALF, "ordering": f"-{column}"}
        yield {f"{column}_after": HALF, "ordering": column}
        yield {f"{column}_after": HALF}
    october = {"first_decided_date_after": "2025-10-01", "first_decided_date_before": "2025-10-31"}
    yield october | {"payer": payers[0], "outcome": "DENIED"}
    yield october | {"payer": payers[-10], "outcome": "DENIED"}
    yield october | {"payer": ended, "outcome": "DENIED"}
    yield october | {"outcome": "DENIED"}
    yield october | {"cpt_group": groups[0], "outcome": "PAID", "ordering": "first_decided_date"}
    yield {"payer": ended, "submitted_date_after": "2026-01-01"}
    yield {"payer": payers[0], "outcome": "DENIED"}
    yield {"payer": payers[0], "cpt_group": groups[0], "denial_code": codes[0]}
    yield {"payer": payers[0], "cpt": cpts[0], "cpt_group": groups[-1]}
    yield {"payer": payers[-1], "denial_code": codes[0]}
    yield {"outcome": "PENDING", "denial_code": codes[0]}
    yield {"first_decided_date_after": "2027-01-01"}
    yield {"submitted_date_before": "2020-01-01"}


def _words(values: list[Any]) -> str:
    return ",".join(map(str, values))
