"""Who may do what: every operation, classified by hand.

Nothing here is taken from the views, which have to agree with it.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.contrib.auth.hashers import make_password

from api.access import Need
from tests.api.callers import Caller
from tests.api.client import PASSWORD
from tests.api.worlds import World

NOTHING, MEMBER, ADMIN, SUPERUSER = Need

_numbers = itertools.count(1)

Body = Callable[[World], Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """What an operation needs, how a valid request looks like, and what it leaves behind.

    `target` is the kind of object that the path names (worlds.World.fresh). `table` is where the
    effect shows: on the row that the path names or, if there is none or it is of another table, on
    the one that the answer names. `leaves` are columns of it; by default, those of the body.
    `by` is the column that must name the caller's user.
    """

    need: Need = MEMBER
    status: int = 200
    target: str = ""
    body: Body | None = None
    content_type: str = "application/json"
    table: str = ""
    names: str = "id"
    leaves: Callable[[Row], Row] | None = None
    by: str = ""
    is_for_readers: bool = False
    ends_token: bool = False
    # What a superuser gets who names no customer, or who does, where that isn't the usual.
    without_customer: int | None = None
    narrowed: int | None = None

    @property
    def is_write(self) -> bool:
        return bool(self.table)

    def status_for(self, caller: Caller, world: World | None) -> int:
        """What a caller must get; the object in the path is `world`'s, None: there is none."""
        if self.need == NOTHING:
            # Nothing to narrow there.
            return self.narrowed or 400 if caller.is_narrowed else self.status
        if not caller.is_known:
            return 401
        if caller.scope == "read" and self.is_write and not self.is_for_readers:
            return 403
        if not caller.may(self.need):
            return 403
        if caller.is_narrowed and self.need == SUPERUSER:
            return 400
        if self.target:
            return self.status if world is not None and caller.sees(world) else 404
        if caller.is_narrowed:
            return self.narrowed or self.status
        if caller.is_superuser:
            return self.without_customer or (400 if self.is_write else self.status)
        return self.status

    def leaves_behind(self, body: Any) -> Row:
        """Columns of the row that the effect shows on."""
        if self.leaves is not None:
            return self.leaves(body)
        renamed = {"payer": "payer_id", "cpt_group": "cpt_group_id"}
        return {renamed.get(name, name): value for name, value in (body or {}).items()}


def new(text: str = "new") -> str:
    """A name that nothing has yet."""
    return f"{text} {next(_numbers)}"


def new_number() -> int:
    return next(_numbers) + 1000


def named(world: World) -> Row:
    return {"name": new()}


def alias(world: World) -> Row:
    return {"alias": new(), "payer": world.ids["payer"]}


def mapping(world: World) -> Row:
    return {"cpt": f"N{new_number()}", "cpt_group": world.ids["cpt_group"]}


def rule(world: World) -> Row:
    return {
        "name": new(),
        "payer": world.ids["payer"],
        "cpt_group": world.ids["cpt_group"],
        "metric": "DENIAL_RATE",
        "threshold": 0.25,
    }


def customer(world: World) -> Row:
    return {"name": new(), "slug": f"new-{world.mark}-{next(_numbers)}"}


def run(world: World) -> Row:
    # Each on a day of its own: one that waits already would be the answer.
    return {"as_of": str(date(2001, 1, 1) + timedelta(next(_numbers)))}


def endpoint(world: World) -> Row:
    return {
        "url": f"https://hooks.example/{next(_numbers)}",
        "description": new(),
        "event_types": ["alert.opened", "alert.resolved"],
        "max_in_flight": 3,
    }


def upload(world: World) -> bytes:
    return (
        "claim_number,payer,cpt,submitted_date,decided_date,outcome\n"
        f"N-{next(_numbers)},Aetna,99213,2026-05-02,2026-05-15,PAID\n"
    ).encode()


def sign_in(world: World) -> Row:
    # All come from the same address, and others may have tried already.
    world.owner.execute("DELETE FROM login_throttle")
    email = f"signs-in-{next(_numbers)}@example.org"
    user_id = world.insert("user", email=email, password=make_password(PASSWORD))
    world.insert("membership", customer_id=world.customer_id, user_id=user_id)
    return {"email": email, "password": PASSWORD, "scope": "read"}


LIST: Final = Operation()
PUBLIC: Final = Operation(NOTHING)
# For monitors, which ask with whatever parameters they like.
MONITORED: Final = Operation(NOTHING, narrowed=200)

OPERATIONS: Final[dict[str, Operation]] = {
    "schema": PUBLIC,
    "docs": PUBLIC,
    "redoc": PUBLIC,
    "health_live": MONITORED,
    "health_ready": MONITORED,
    "metrics": MONITORED,
    "auth_login": Operation(
        NOTHING,
        body=sign_in,
        table="api_token",
        names="token_id",
        leaves=lambda body: {"scope": body["scope"]},
    ),
    "auth_logout": Operation(
        status=204,
        table="api_token",
        is_for_readers=True,
        ends_token=True,
        without_customer=204,
        narrowed=400,
    ),
    "auth_me": Operation(),
    "tokens_list": LIST,
    "tokens_retrieve": Operation(target="api_token"),
    # A superuser's token is no customer's; one at a customer is for its members.
    "tokens_create": Operation(
        status=201,
        body=lambda world: {"name": new(), "scope": "write", "days": 7},
        table="api_token",
        leaves=lambda body: {"name": body["name"], "scope": "write"},
        by="user_id",
        without_customer=201,
        narrowed=403,
    ),
    "tokens_destroy": Operation(status=204, target="api_token", table="api_token"),
    "customers_list": LIST,
    "customers_retrieve": Operation(target="customer"),
    "customers_create": Operation(
        SUPERUSER, 201, body=customer, table="customer", without_customer=201
    ),
    "customers_partial_update": Operation(
        SUPERUSER,
        target="customer",
        body=lambda world: {"name": new(world.mark)},
        table="customer",
    ),
    "customers_drift_settings_retrieve": Operation(target="customer"),
    "customers_drift_settings_partial_update": Operation(
        ADMIN,
        target="customer",
        body=lambda world: {"min_volume": new_number()},
        table="drift_settings",
    ),
    "memberships_list": LIST,
    "memberships_retrieve": Operation(target="membership"),
    "memberships_create": Operation(
        ADMIN,
        201,
        body=lambda world: {"email": f"new-{next(_numbers)}@example.org", "role": "admin"},
        table="membership",
        leaves=lambda body: {"role": "admin"},
    ),
    "memberships_partial_update": Operation(
        ADMIN, target="membership", body=lambda world: {"role": "admin"}, table="membership"
    ),
    "memberships_destroy": Operation(ADMIN, 204, target="membership", table="membership"),
    "payers_list": LIST,
    "payers_retrieve": Operation(target="payer"),
    "payers_create": Operation(ADMIN, 201, body=named, table="payer"),
    "payers_partial_update": Operation(ADMIN, target="payer", body=named, table="payer"),
    "payers_destroy": Operation(ADMIN, 204, target="payer", table="payer"),
    "payers_merge_create": Operation(
        ADMIN,
        202,
        target="payer",
        body=lambda world: {"into": world.ids["payer"]},
        table="payer",
        leaves=lambda body: {"merged_into_id": body["into"]},
    ),
    "payer_aliases_list": LIST,
    "payer_aliases_retrieve": Operation(target="payer_alias"),
    "payer_aliases_create": Operation(ADMIN, 201, body=alias, table="payer_alias"),
    "payer_aliases_partial_update": Operation(
        ADMIN, target="payer_alias", body=alias, table="payer_alias"
    ),
    "payer_aliases_destroy": Operation(ADMIN, 204, target="payer_alias", table="payer_alias"),
    "cpt_groups_list": LIST,
    "cpt_groups_retrieve": Operation(target="cpt_group"),
    "cpt_groups_create": Operation(ADMIN, 201, body=named, table="cpt_group"),
    "cpt_groups_partial_update": Operation(
        ADMIN, target="cpt_group", body=named, table="cpt_group"
    ),
    "cpt_groups_destroy": Operation(ADMIN, 204, target="cpt_group", table="cpt_group"),
    "cpt_mappings_list": LIST,
    "cpt_mappings_retrieve": Operation(target="cpt_mapping"),
    "cpt_mappings_create": Operation(ADMIN, 201, body=mapping, table="cpt_mapping"),
    "cpt_mappings_partial_update": Operation(
        ADMIN, target="cpt_mapping", body=mapping, table="cpt_mapping"
    ),
    "cpt_mappings_destroy": Operation(ADMIN, 204, target="cpt_mapping", table="cpt_mapping"),
    "uploads_list": LIST,
    "uploads_retrieve": Operation(target="upload"),
    "uploads_errors_list": Operation(target="upload"),
    "uploads_create": Operation(
        status=202,
        body=upload,
        content_type="text/csv",
        table="upload",
        leaves=lambda body: {"status": "received", "size_bytes": len(body)},
        by="uploaded_by_id",
    ),
    "claims_list": LIST,
    "claims_retrieve": Operation(target="claim"),
    "claims_payer_summary_list": Operation(without_customer=400),
    "drift_runs_list": LIST,
    "drift_runs_retrieve": Operation(target="drift_run"),
    "drift_runs_measurements_list": Operation(target="drift_run"),
    "drift_runs_create": Operation(
        ADMIN,
        202,
        body=run,
        table="drift_run",
        leaves=lambda body: {"as_of": body["as_of"], "status": "queued"},
        by="requested_by_id",
    ),
    "drift_events_list": LIST,
    "drift_events_active_list": Operation(without_customer=400),
    "drift_events_retrieve": Operation(target="drift_event"),
    "alert_rules_list": LIST,
    "alert_rules_retrieve": Operation(target="alert_rule"),
    "alert_rules_create": Operation(ADMIN, 201, body=rule, table="alert_rule"),
    "alert_rules_partial_update": Operation(
        ADMIN, target="alert_rule", body=rule, table="alert_rule"
    ),
    "alert_rules_destroy": Operation(ADMIN, 204, target="alert_rule", table="alert_rule"),
    "alerts_list": LIST,
    "alerts_retrieve": Operation(target="alert"),
    "alerts_explanation_retrieve": Operation(target="alert"),
    "alerts_history_list": Operation(target="alert"),
    "alerts_acknowledge_create": Operation(
        target="open alert",
        body=lambda world: {"note": new()},
        table="alert",
        leaves=lambda body: {"status": "acknowledged"},
    ),
    "alerts_resolve_create": Operation(
        target="open alert",
        body=lambda world: {"note": new(), "new_normal": True},
        table="alert",
        leaves=lambda body: {"status": "resolved", "resolved_by": "user", "new_normal": True},
    ),
    "alerts_reopen_create": Operation(
        target="resolved alert",
        body=lambda world: {"note": new()},
        table="alert",
        leaves=lambda body: {"status": "open"},
    ),
    "alerts_judgments_list": Operation(target="alert"),
    "alerts_judge": Operation(
        target="open alert",
        body=lambda world: {"verdict": "needs_followup", "note": new()},
        table="alert_judgment",
        by="user_id",
    ),
    "webhook_endpoints_list": LIST,
    "webhook_endpoints_retrieve": Operation(target="webhook_endpoint"),
    "webhook_endpoints_deliveries_list": Operation(target="webhook_endpoint"),
    "webhook_endpoints_create": Operation(ADMIN, 201, body=endpoint, table="webhook_endpoint"),
    "webhook_endpoints_partial_update": Operation(
        ADMIN, target="webhook_endpoint", body=endpoint, table="webhook_endpoint"
    ),
    "webhook_endpoints_destroy": Operation(
        ADMIN, 204, target="webhook_endpoint", table="webhook_endpoint"
    ),
    # Its effect is on what nobody is shown: test_webhooks.py looks there.
    "webhook_endpoints_rotate_secret": Operation(
        ADMIN,
        target="webhook_endpoint",
        body=lambda world: {"overlap_hours": 2},
        table="webhook_endpoint",
        leaves=lambda body: {},
    ),
    "webhook_endpoints_test": Operation(
        ADMIN,
        202,
        target="webhook_endpoint",
        table="webhook_delivery",
        leaves=lambda body: {"status": "pending"},
    ),
    "webhook_endpoints_pause": Operation(
        ADMIN,
        target="webhook_endpoint",
        table="webhook_endpoint",
        leaves=lambda body: {"status": "paused"},
    ),
    "webhook_endpoints_resume": Operation(
        ADMIN,
        target="paused webhook_endpoint",
        table="webhook_endpoint",
        leaves=lambda body: {"status": "active"},
    ),
    "webhook_endpoints_recover": Operation(
        ADMIN,
        202,
        target="webhook_endpoint",
        body=lambda world: {"since": "2026-11-20T00:00:00Z"},
        table="webhook_endpoint",
        leaves=lambda body: {},
    ),
    "webhook_deliveries_list": LIST,
    "webhook_deliveries_retrieve": Operation(target="webhook_delivery"),
    "webhook_deliveries_attempts_list": Operation(target="webhook_delivery"),
    "webhook_deliveries_replay_create": Operation(
        ADMIN,
        202,
        target="webhook_delivery",
        table="webhook_delivery",
        leaves=lambda body: {"status": "pending"},
    ),
    "audit_list": LIST,
    "audit_retrieve": Operation(target="audit_entry"),
}  # fmt: skip

# Routed, but no part of the API: it has a sign-in and sessions of its own.
ADMIN_SITE: Final = "/admin/"
