"""No answer to one customer has a byte of another, however it is asked for."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps

from api.fields import ReferenceField, StrictSerializer
from tests.api.callers import Caller, Callers
from tests.api.client import Api, Office, without_request_id
from tests.api.rbac import NOTHING, OPERATIONS
from tests.api.routes import ROUTES, Route
from tests.api.sweep import LISTS, READS, REFERENCES, path_of, plainly, read, sweep
from tests.api.worlds import MISSING, Fingerprints
from tests.database import Database

# Texts of ours, not of a customer.
OUR_TEXTS = {
    ("audit_entry", "login"),
    ("audit_entry", "operation"),
    ("audit_entry", "table_name"),
    ("customer", "time_zone"),
    ("webhook_endpoint", "event_types"),
}
# Other fields of bodies that name an object.
IN_BODIES = {"payer", "cpt_group", "into"}
# Lists in which a customer finds one row: itself.
ALONE = {("customers_list", False), ("customers_list", True)}


def test_every_text_that_a_customer_can_have_is_marked(owner: Database, callers: Callers) -> None:
    words = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if field.choices
    }
    columns = {
        (table, column)
        for table, column in owner.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns AS c"
            " WHERE c.table_schema = 'public'"
            " AND c.data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')"
            " AND c.udt_name NOT IN ('_int4', '_int8')"
            " AND (c.table_name IN ('customer', 'user') OR EXISTS (SELECT"
            " FROM information_schema.columns AS o WHERE o.table_schema = 'public'"
            " AND o.table_name = c.table_name AND o.column_name = 'customer_id'))"
        )
    }
    assert columns
    for world in (callers.ours, callers.theirs):
        for table, column in columns - words - OUR_TEXTS:
            ids = {
                "customer": "id = %s",
                "user": f"id IN {tuple(world.people.values())} OR id = %s",
            }
            is_marked = world.owner.value(
                f"""SELECT coalesce(bool_or(strpos(lower(convert_from(
                    CASE pg_typeof("{column}")::text WHEN 'bytea' THEN "{column}"::text::bytea
                    ELSE convert_to("{column}"::text, 'UTF8') END, 'UTF8')), %s) > 0), false)
                FROM "{table}" WHERE {ids.get(table, "customer_id = %s")}""",
                world.mark,
                world.customer_id,
            )
            assert is_marked, f"{table}.{column} has no text of its own"


@pytest.mark.parametrize("reader", ["admin", "their admin"])
def test_nothing_of_the_other_is_in_any_answer(callers: Callers, reader: str) -> None:
    mine, other = callers.ours, callers.theirs
    if reader == "their admin":
        mine, other = other, mine
    seen = set()
    for asked in sweep(callers.named(reader), mine, other):
        assert asked.answer.status == 200, (asked, asked.answer.content)
        assert other.traces_in(asked.answer) == [], asked
        if asked.is_for_others:
            assert asked.answer.json["count"] == 0, asked
        if mine.traces_in(asked.answer):
            seen.add(asked.operation_id)

    # Which says something only where there was something to be seen.
    assert seen == {route.operation_id for route in READS}


@pytest.mark.parametrize("reader", ["member", "reading member", "superuser, narrowed"])
def test_nor_is_it_for_other_readers(callers: Callers, reader: str) -> None:
    ours, theirs = callers.ours, callers.theirs
    for asked in sweep(callers.named(reader), ours, theirs, plainly):
        assert asked.answer.status == 200, (asked, asked.answer.content)
        assert theirs.traces_in(asked.answer) == [], asked


def test_a_superuser_sees_both(callers: Callers) -> None:
    """What the other tests look for can be found."""
    for route in LISTS:
        if OPERATIONS[route.operation_id].without_customer or "{id}" in route.template:
            continue
        for world in (callers.ours, callers.theirs):
            what = {"search": world.mark}
            if "actor" in route.parameters:
                what = {"actor": str(world.ids["user"])}
            answer = read(callers.named("superuser"), route.template, what)
            assert world.traces_in(answer), route.operation_id


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.operation_id)
def test_a_filter_by_the_others_object_finds_what_a_missing_one_does(
    callers: Callers, route: Route
) -> None:
    admin, ours, theirs = callers.named("admin"), callers.ours, callers.theirs
    path = path_of(route, ours)
    for name in REFERENCES.keys() & route.parameters.keys():
        kind = REFERENCES[name]
        by_theirs = read(admin, path, {name: str(theirs.ids[kind])})
        by_missing = read(admin, path, {name: str(MISSING)})
        by_ours = read(admin, path, {name: str(ours.ids[kind])})

        assert by_theirs.json == {
            "count": 0,
            "count_exact": True,
            "next": None,
            "previous": None,
            "results": [],
        }, name
        assert without_request_id(by_theirs) == without_request_id(by_missing), name
        assert by_ours.json["count"] > 0, name


def test_every_reference_in_a_body_is_known() -> None:
    def all_serializers(base: type[Any]) -> list[type[Any]]:
        return [base] + [c for child in base.__subclasses__() for c in all_serializers(child)]

    found = {
        name
        for serializer in all_serializers(StrictSerializer)
        if not getattr(getattr(serializer, "Meta", None), "abstract", False)
        for name, field in serializer._declared_fields.items()
        if isinstance(field, ReferenceField) and not field.read_only
    }
    assert found == IN_BODIES


@pytest.mark.parametrize(
    ("who", "operation_id"),
    [
        (who, name)
        for name, route in ROUTES.items()
        for who in ("admin", "superuser, narrowed", "superuser")
        # Of a new object a superuser has to say whose it is.
        if route.fields & IN_BODIES and (who != "superuser" or OPERATIONS[name].target)
    ],
)
def test_a_body_can_refer_to_nothing_of_the_other(
    callers: Callers, fingerprints: Fingerprints, who: str, operation_id: str
) -> None:
    operation, route = OPERATIONS[operation_id], ROUTES[operation_id]
    caller, ours = callers.named(who), callers.ours
    assert operation.body is not None
    for field in route.fields & IN_BODIES:
        kind = "payer" if field == "into" else field
        answers = []
        for reference in (callers.theirs.ids[kind], MISSING):
            path = caller.path(route.path(ours.fresh(operation.target) if operation.target else 0))
            before = fingerprints.take()
            answers.append(
                caller.api.request(route.method, path, operation.body(ours) | {field: reference})
            )
            assert fingerprints.take() == before

        assert answers[0].status == 400
        assert answers[0].blamed() == {field}
        assert without_request_id(answers[0]) == without_request_id(answers[1])


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.operation_id)
def test_a_cursor_is_good_for_its_customer_alone(callers: Callers, route: Route) -> None:
    admin, their_admin = callers.named("admin"), callers.named("their admin")
    narrowed, superuser = callers.named("superuser, narrowed"), callers.named("superuser")
    path = path_of(route, callers.ours)
    asks = [admin, narrowed]
    # What belongs to an object is one list, whoever reads it.
    if not OPERATIONS[route.operation_id].without_customer and "{id}" not in route.template:
        asks.append(superuser)
    for owner in asks:
        first = read(owner, path, {"page_size": "1"})
        if first.json["next"] is None:
            # A customer sees itself only.
            assert (route.operation_id, owner.is_superuser) in ALONE
            continue
        cursor = parse_qs(urlsplit(first.json["next"]).query)["cursor"][0]
        for caller in (*asks, their_admin):
            if caller is owner:
                continue
            answer = read(caller, path, {"page_size": "1", "cursor": cursor})
            if caller is their_admin and "{id}" in route.template:
                assert answer.status == 404
            else:
                assert answer.status == 400, (owner.name, caller.name)
            assert callers.ours.traces_in(answer) == []


@pytest.mark.parametrize(
    "operation_id", [name for name, route in ROUTES.items() if OPERATIONS[name].need > NOTHING]
)
def test_only_superusers_hear_whether_a_customer_exists(
    callers: Callers, fingerprints: Fingerprints, operation_id: str
) -> None:
    operation, route = OPERATIONS[operation_id], ROUTES[operation_id]
    path = route.path(callers.ours.ids["customer"])
    before = fingerprints.take()
    for who in ("member", "admin", "superuser as member"):
        answers = [
            without_request_id(
                callers.named(who).api.request(
                    route.method,
                    f"{path}?customer={name}",
                    operation.body(callers.ours) if operation.body else None,
                    content_type=operation.content_type,
                )
            )
            for name in (
                callers.ours.slug,
                callers.ours.customer_id,
                callers.theirs.slug,
                callers.theirs.customer_id,
                "nobody",
                MISSING,
            )
        ]
        assert answers[0][0] == 403
        assert all(answer == answers[0] for answer in answers[1:])
    assert fingerprints.take() == before


def test_a_name_that_the_other_uses_is_free(callers: Callers, office: Office) -> None:
    mark = callers.theirs.mark
    payer_id, group_id = office.payer("Aetna"), office.group("Visits")
    for path, body in {
        "/payers": {"name": f"Payer {mark}"},
        "/payer-aliases": {"alias": f"Alias {mark}", "payer": payer_id},
        "/cpt-groups": {"name": mark.upper()},
        "/cpt-mappings": {"cpt": mark.upper(), "cpt_group": group_id},
        "/alert-rules": {"name": f"Rule {mark}{mark}"},
    }.items():
        answer = office.admin.post(path, body)

        assert answer.status == 201, (path, answer.content)


@pytest.mark.parametrize("route", READS, ids=lambda route: route.operation_id)
def test_head_says_what_get_says(callers: Callers, route: Route) -> None:
    target = OPERATIONS[route.operation_id].target
    ids = {world.ids[target] for world in (callers.ours, callers.theirs) if target} | {MISSING}
    for who in ("anonymous", "admin"):
        for target_id in ids:
            got, head = (
                read(callers.named(who), route.path(target_id), {}, method)
                for method in ("GET", "HEAD")
            )

            assert head.content == b""
            (status, _, headers), (head_status, _, head_headers) = (
                without_request_id(answer) for answer in (got, head)
            )
            assert (head_status, head_headers) == (status, headers)


def test_other_methods_tell_nobody_anything(callers: Callers) -> None:
    templates = {route.template: route for route in ROUTES.values()}
    for template, route in templates.items():
        target = OPERATIONS[route.operation_id].target
        ids = [world.ids.get(target, MISSING) for world in (callers.ours, callers.theirs)]
        for method in ("OPTIONS", "PUT", "TRACE"):
            answers = [
                without_request_id(callers.named(who).api.request(method, route.path(target_id)))
                for who in ("anonymous", "admin", "superuser")
                for target_id in (*ids, MISSING)
            ]
            assert answers[0][0] == 405, (method, template)
            assert all(answer == answers[0] for answer in answers[1:]), (method, template)


def test_whoever_works_for_both_sees_one_at_a_time(callers: Callers, worker: Database) -> None:
    ours, theirs = callers.ours, callers.theirs
    user_id = ours.join("admin")
    worker.execute(
        "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, %s, 'member')",
        theirs.customer_id,
        user_id,
    )
    caller = Caller("both", Api(ours.token(user_id)), ours, "admin", user_id=user_id)
    assert Api(theirs.token(user_id)).get("/auth/me").json["role"] == "member"

    for asked in sweep(caller, ours, theirs, plainly):
        assert theirs.traces_in(asked.answer) == [], asked
    assert len(caller.api.get(f"/tokens?user={user_id}").results) == 1
    assert len(caller.api.get(f"/memberships?user={user_id}").results) == 1


def test_a_member_sees_the_own_tokens_only(callers: Callers) -> None:
    ours = callers.ours
    user_id = ours.join("member")
    api = Api(ours.token(user_id))
    colleagues = ours.fresh("api_token")

    assert {token["user"] for token in api.pages("/tokens")} == {user_id}
    assert api.get(f"/tokens?user={ours.people['admin']}").json["count"] == 0
    for method in ("GET", "DELETE"):
        answers = [api.request(method, f"/tokens/{pk}") for pk in (colleagues, MISSING)]
        assert answers[0].status == 404
        assert without_request_id(answers[0]) == without_request_id(answers[1])
    assert callers.named("admin").api.delete(f"/tokens/{colleagues}").status == 204


def test_superusers_tokens_are_hidden_from_customers(callers: Callers) -> None:
    superuser, admin = callers.named("superuser"), callers.named("admin")

    assert None not in {token["customer"] for token in admin.api.pages("/tokens")}
    for method in ("GET", "DELETE"):
        answer = admin.api.request(method, f"/tokens/{superuser.token_id}")
        assert answer.status == 404
    assert superuser.api.get("/auth/me").status == 200
