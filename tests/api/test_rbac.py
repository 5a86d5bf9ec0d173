"""Every operation, asked for by every kind of caller, about objects of every origin."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from tests.api.callers import Caller, Callers
from tests.api.client import Answer, without_request_id
from tests.api.rbac import ADMIN_SITE, NOTHING, OPERATIONS, PUBLIC, Operation
from tests.api.routes import ROUTES, routed_paths
from tests.api.session import CLEAN, session
from tests.api.worlds import MISSING, Fingerprints, World
from tests.database import Database

pytestmark = pytest.mark.usefixtures("cheap_passwords")

# The document takes a while to make, for whomever.
PUBLIC_IS_FOR = {"anonymous", "unknown token", "admin", "superuser, narrowed"}
PROBLEM = {"type", "title", "status", "code", "detail", "request_id", "errors"}


def test_every_documented_operation_is_classified() -> None:
    assert set(OPERATIONS) == set(ROUTES)
    # Where its effect shows, if it should have one.
    assert {name for name, operation in OPERATIONS.items() if operation.is_write} == {
        name for name, route in ROUTES.items() if route.method != "GET"
    }


def test_everything_that_is_routed_is_documented() -> None:
    routed = {path for path, _ in routed_paths() if not path.startswith(ADMIN_SITE)}

    assert routed == {route.template for route in ROUTES.values()}


def test_the_admin_site_takes_no_token(callers: Callers) -> None:
    for caller in callers.everybody:
        for path in (ADMIN_SITE, f"{ADMIN_SITE}core/customer/"):
            answer = Client().get(path, headers=caller.headers)

            assert answer.status_code == 302, caller.name
            assert answer.headers["location"].startswith(f"{ADMIN_SITE}login/")


@dataclass(frozen=True)
class Cell:
    """One caller, and whose object it asks for; None: there is no such object."""

    caller: Caller
    place: str
    world: World | None
    status: int

    def __str__(self) -> str:
        return f"{self.caller.name}{': ' if self.place else ''}{self.place}"


class Matrix:
    """One operation, to be asked for by callers about objects."""

    def __init__(self, operation_id: str, callers: Callers, fingerprints: Fingerprints) -> None:
        self.operation = OPERATIONS[operation_id]
        self.route = ROUTES[operation_id]
        self.callers = callers
        self.fingerprints = fingerprints
        self._standing: dict[str, int] = {}

    def cells(self) -> Iterator[Cell]:
        ours, theirs = self.callers.ours, self.callers.theirs
        for caller in self.callers.everybody:
            if self.operation == PUBLIC and caller.name not in PUBLIC_IS_FOR:
                continue
            places: dict[str, World | None] = {"ours": ours, "theirs": theirs, "missing": None}
            if not self.operation.target:
                # Whose a new object will be.
                is_theirs = caller.home is not None and caller.sees(theirs)
                places = {"": theirs if is_theirs else ours}
            for place, world in places.items():
                yield Cell(caller, place, world, self.operation.status_for(caller, world))

    def ask(self, cell: Cell, target_id: int | None) -> tuple[Answer, Any]:
        """The answer, and the body that was sent."""
        operation = self.operation
        body = operation.body(cell.world or self.callers.ours) if operation.body else None
        answer = cell.caller.api.request(
            self.route.method,
            cell.caller.path(self.route.path(target_id)),
            body,
            content_type=operation.content_type,
        )
        assert session() == CLEAN, cell
        return answer, body

    def fresh(self, cell: Cell) -> int | None:
        """A new object to act on; a token is the caller's own where that can be."""
        if not self.operation.target:
            return None
        assert cell.world is not None
        is_own = cell.caller.home is not None and cell.caller.sees(cell.world)
        return cell.world.fresh(self.operation.target, cell.caller.user_id if is_own else None)

    def standing(self, cell: Cell) -> int | None:
        """An object that nobody gets to change: the same one each time."""
        if not self.operation.target:
            return None
        if cell.world is None:
            return MISSING
        if cell.place not in self._standing:
            self._standing[cell.place] = cell.world.fresh(self.operation.target)
        return self._standing[cell.place]


@pytest.fixture
def matrix(
    request: pytest.FixtureRequest, callers: Callers, fingerprints: Fingerprints
) -> Iterator[Matrix]:
    matrix = Matrix(request.param, callers, fingerprints)
    yield matrix
    if matrix.operation.ends_token:
        callers.renew()


each_operation = pytest.mark.parametrize("matrix", OPERATIONS, indirect=True)


@each_operation
def test_who_may_not_changes_nothing_and_learns_nothing(matrix: Matrix) -> None:
    cells = [cell for cell in matrix.cells() if cell.status >= 400]
    answers: dict[Cell, Answer] = {}
    may_sign_in = matrix.operation.need == NOTHING
    for cell in cells:
        matrix.standing(cell)
    before = matrix.fingerprints.take()
    for cell in cells:
        answers[cell], _ = matrix.ask(cell, matrix.standing(cell))
        if matrix.operation.is_write and cell.caller.is_known and not may_sign_in:
            assert matrix.fingerprints.take() == before, str(cell)
    # That of all others together: a request to sign in is counted, and its user was added for it.
    assert may_sign_in or matrix.fingerprints.take() == before

    assert {str(cell): answer.status for cell, answer in answers.items()} == {
        str(cell): cell.status for cell in cells
    }
    for cell, answer in answers.items():
        assert answer.headers["content-type"] == "application/problem+json", cell
        assert set(answer.json) == PROBLEM, cell
        assert answer.json["status"] == answer.status, cell
        assert ("www-authenticate" in answer.headers) == (answer.status == 401), cell
        for world in (matrix.callers.ours, matrix.callers.theirs):
            assert world.traces_in(answer) == [], cell
    compare(answers)


def compare(answers: dict[Cell, Answer]) -> None:
    """Whose an object is, and whether it exists, makes no difference to a refusal.

    Nor does it why a token isn't good.
    """
    alike: dict[Any, Any] = {}
    for cell, answer in answers.items():
        is_known = cell.caller.is_known or cell.caller.name == "anonymous"
        who = cell.caller.name if is_known else "not good"
        expected = alike.setdefault(who, without_request_id(answer))
        assert without_request_id(answer) == expected, str(cell)


@each_operation
def test_who_may_gets_it_and_it_takes_effect(matrix: Matrix, owner: Database) -> None:
    operation, callers = matrix.operation, matrix.callers
    cells = [cell for cell in matrix.cells() if cell.status < 400]
    assert cells
    powerful = superusers(owner)
    for cell in cells:
        assert cell.world is not None
        other = callers.theirs if cell.world is callers.ours else callers.ours
        target_id = matrix.fresh(cell)
        before = matrix.fingerprints.take()
        answer, body = matrix.ask(cell, target_id)
        after = matrix.fingerprints.take()

        assert answer.status == operation.status, (str(cell), answer.content)
        is_for_nobody = operation.need == NOTHING and not operation.is_write
        for world in (callers.ours, callers.theirs):
            if is_for_nobody or (cell.caller.home is not None and world is other):
                assert world.traces_in(answer) == [], str(cell)
        assert changed(before, after, other) == set(), str(cell)
        if not operation.is_write:
            assert before == after, str(cell)
        elif operation.status == 204:
            row_id = cell.caller.token_id if target_id is None else target_id
            assert row(owner, operation.table, row_id) is None, str(cell)
        else:
            check_effect(operation, cell, target_id, answer, body)
    assert superusers(owner) == powerful


def superusers(owner: Database) -> list[Any]:
    return owner.execute('SELECT id FROM "user" WHERE is_superuser OR is_staff ORDER BY id')


def changed(
    before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any], world: World
) -> set[str]:
    """The tables in which rows of a customer were added, changed or removed."""
    return {
        table
        for table, mark in before.keys() | after.keys()
        if mark == world.mark and before.get((table, mark)) != after.get((table, mark))
    }


def row(owner: Database, table: str, row_id: int | None) -> dict[str, Any] | None:
    found = owner.dicts(f"SELECT * FROM {table} WHERE id = %s", row_id)
    return found[0] if found else None


def check_effect(
    operation: Operation, cell: Cell, target_id: int | None, answer: Answer, body: Any
) -> None:
    """The row that was written has the values that were sent, and the right customer and user."""
    caller, world = cell.caller, cell.world
    assert world is not None
    is_target = target_id is not None and operation.target.split()[-1] == operation.table
    row_id = target_id if is_target else answer.json[operation.names]
    found = row(world.owner, operation.table, row_id)
    assert found is not None
    expected = operation.leaves_behind(body)
    if operation.by:
        expected[operation.by] = caller.user_id
    if operation.table != "customer":
        is_nobodys = operation.table == "api_token" and operation.by != "" and caller.is_superuser
        expected["customer_id"] = None if is_nobodys else world.customer_id
    written = {name: str(found[name]) if name == "as_of" else found[name] for name in expected}
    assert written == expected, str(cell)
    if answer.status in {201, 202} and not operation.target:
        # Where it is, and that it is there, for whoever made it.
        location = answer.headers["location"]
        assert location.endswith(f"/{found['id']}")
        assert caller.api.get(caller.path(location)).status == 200
