"""Isolation holds twice over: without the ORM's filters, and without row-level security."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from rest_framework.serializers import RelatedField

import core.context
from api.fields import ReferenceField
from api.views import ResourceView
from tests.api.callers import Callers
from tests.api.client import Answer, without_request_id
from tests.api.rbac import NOTHING, OPERATIONS, SUPERUSER
from tests.api.routes import ROUTES
from tests.api.sweep import LISTS, READS, about_the_other, plainly, read, sweep
from tests.api.worlds import MISSING, Fingerprints

Break = Callable[[pytest.MonkeyPatch], None]

WRITES_TO_ONE = [
    name for name, operation in OPERATIONS.items() if operation.is_write and operation.target
]
REFERENCES = {
    name: ROUTES[name].fields & {"payer", "cpt_group", "into"}
    for name in OPERATIONS
    if ROUTES[name].fields & {"payer", "cpt_group", "into"}
}


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    yield base
    for child in base.__subclasses__():
        yield from subclasses(child)


def forget_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the ORM ask for the rows of all customers."""
    for view in subclasses(ResourceView):
        if "own" in vars(view):
            monkeypatch.setattr(view, "own", lambda self, queryset: queryset)
    monkeypatch.setattr(ReferenceField, "get_queryset", RelatedField.get_queryset)


def forget_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests work as claimdrift_platform, to which policies show every row."""
    enter = core.context.ENTER
    monkeypatch.setattr(
        core.context, "ENTER", enter.replace("claimdrift_tenant", "claimdrift_platform")
    )


def forget_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """And have the database not know either whom they work for: stored functions take anybody."""
    forget_policies(monkeypatch)
    monkeypatch.setattr(
        core.context,
        "ENTER",
        core.context.ENTER.replace(
            "set_config('app.customer_id', %s, true)",
            "set_config('app.customer_id', left(%s, 0), true)",
        ),
    )


def forget_all(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_filters(monkeypatch)
    forget_context(monkeypatch)


each_loss = pytest.mark.parametrize(
    "forget", [forget_filters, forget_policies, forget_context], ids=lambda forget: forget.__name__
)


@each_loss
def test_no_list_and_no_object_shows_a_foreign_row(
    callers: Callers, monkeypatch: pytest.MonkeyPatch, forget: Break
) -> None:
    forget(monkeypatch)
    for who, asking in (("admin", about_the_other), ("member", plainly)):
        for asked in sweep(callers.named(who), callers.ours, callers.theirs, asking):
            assert asked.answer.status == 200, (asked, asked.answer.content)
            assert callers.theirs.traces_in(asked.answer) == [], asked


def test_every_question_names_the_customer(callers: Callers) -> None:
    """Even one whose answer isn't shown. What is written was found so."""
    asked: set[str] = set()

    def note(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        asked.add(sql)
        return execute(sql, *arguments)

    admin, ours = callers.named("admin"), callers.ours
    with connection.execute_wrapper(note):
        for _ in sweep(admin, ours, callers.theirs, plainly):
            pass
        for name, operation in OPERATIONS.items():
            if operation.is_write and NOTHING < operation.need < SUPERUSER and operation.body:
                target_id = ours.fresh(operation.target) if operation.target else None
                admin.api.request(
                    ROUTES[name].method,
                    ROUTES[name].path(target_id),
                    operation.body(ours),
                    content_type=operation.content_type,
                )

    tables = set()
    for sql in asked:
        if selected := re.search(r'^SELECT .*? FROM "(\w+)"', sql):
            tables.add(selected[1])
            column = "id" if selected[1] == "customer" else "customer_id"
            assert f'"{selected[1]}"."{column}" = ' in sql, sql
    assert tables >= {"alert", "api_token", "claim", "customer", "drift_run", "payer", "upload"}


def foreign_objects(callers: Callers) -> Iterator[tuple[str, Answer, Answer]]:
    """What is answered about an object of theirs, and about a missing one."""
    admin = callers.named("admin")
    for route in READS:
        if target := OPERATIONS[route.operation_id].target:
            theirs, missing = (
                read(admin, route.path(target_id), {})
                for target_id in (callers.theirs.ids[target], MISSING)
            )
            yield route.operation_id, theirs, missing


@each_loss
def test_foreign_objects_are_still_missing(
    callers: Callers, monkeypatch: pytest.MonkeyPatch, forget: Break
) -> None:
    forget(monkeypatch)
    for name, theirs, missing in foreign_objects(callers):
        assert theirs.status == 404, name
        assert without_request_id(theirs) == without_request_id(missing), name


@each_loss
def test_foreign_objects_still_cannot_be_changed(
    callers: Callers, fingerprints: Fingerprints, monkeypatch: pytest.MonkeyPatch, forget: Break
) -> None:
    forget(monkeypatch)
    admin, theirs = callers.named("admin"), callers.theirs
    for name in WRITES_TO_ONE:
        operation, route = OPERATIONS[name], ROUTES[name]
        target_id = theirs.fresh(operation.target)
        before = fingerprints.take()
        body = operation.body(theirs) if operation.body else None
        answer = admin.api.request(route.method, route.path(target_id), body)

        assert answer.status == (403 if name == "customers_partial_update" else 404), name
        assert fingerprints.take() == before, name


@each_loss
def test_foreign_references_are_still_refused(
    callers: Callers, fingerprints: Fingerprints, monkeypatch: pytest.MonkeyPatch, forget: Break
) -> None:
    forget(monkeypatch)
    for name, answer, is_unchanged in refer_to_theirs(callers, fingerprints):
        assert answer.status == 400, name
        assert is_unchanged, name


def refer_to_theirs(
    callers: Callers, fingerprints: Fingerprints
) -> Iterator[tuple[str, Answer, bool]]:
    """The answers to valid requests but for one reference, and whether nothing was changed."""
    admin, ours, theirs = callers.named("admin"), callers.ours, callers.theirs
    for name, fields in REFERENCES.items():
        operation, route = OPERATIONS[name], ROUTES[name]
        assert operation.body is not None
        for field in fields:
            target_id = ours.fresh(operation.target) if operation.target else None
            reference = theirs.ids["payer" if field == "into" else field]
            before = fingerprints.take()
            answer = admin.api.request(
                route.method, route.path(target_id), operation.body(ours) | {field: reference}
            )
            yield f"{name} {field}", answer, fingerprints.take() == before


def test_composite_references_stop_what_neither_layer_saw(
    callers: Callers, fingerprints: Fingerprints, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_all(monkeypatch)
    for name, answer, is_unchanged in refer_to_theirs(callers, fingerprints):
        # A stored function looks for the payer to merge into, by itself.
        assert answer.status == (404 if name.startswith("payers_merge") else 400), name
        assert answer.json["errors"] == [], name
        assert is_unchanged, name


def test_without_both_everything_would_show(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the tests above can fail."""
    forget_all(monkeypatch)
    admin, theirs = callers.named("admin"), callers.theirs
    # These are counted by a stored function, which is told for whom.
    counted = {"claims_payer_summary_list"}
    hidden = set()
    for route in LISTS:
        if "{id}" in route.template:
            continue
        pages = [read(admin, route.path(None), query) for query in ({"search": theirs.mark}, {})]
        if not any(map(theirs.traces_in, pages)):
            hidden.add(route.operation_id)
    assert hidden == counted

    for name, answer, _ in foreign_objects(callers):
        assert (answer.status, bool(theirs.traces_in(answer))) == (200, True), name
