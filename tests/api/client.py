"""Requests to the API, each as the bearer of one token."""

import hashlib
import itertools
import json
import os
import secrets
from dataclasses import dataclass
from typing import Any

from django.test import Client

from tests.database import Database
from tests.portfolio import Portfolio

BASE = "/api/v1"
# Paths that don't begin below it.
WHOLE = (BASE, "/health/", "/metrics", "/admin/")
PASSWORD = "correct horse battery staple"  # noqa: S105

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def results(self) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = self.json["results"]
        return results

    @property
    def code(self) -> str:
        return str(self.json["code"])

    def blamed(self) -> set[str]:
        """The fields and parameters that a problem blames."""
        return {error["field"] for error in self.json["errors"]}


def without_request_id(answer: Answer) -> tuple[int, Any, dict[str, str]]:
    """All that two answers can have in common."""
    body: Any = answer.content
    if answer.content and answer.headers["content-type"] == "application/problem+json":
        body = {**answer.json, "request_id": ""}
    headers = {name: text for name, text in answer.headers.items() if name != "x-request-id"}
    return answer.status, body, headers


class Api:
    """The API as the bearer of a token sees it, None for nobody, from an address."""

    def __init__(self, token: str | None = None, address: str = "127.0.0.1") -> None:
        self.token = token
        self._client = Client(raise_request_exception=False, REMOTE_ADDR=address)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        url = path.removeprefix("http://testserver")
        if not url.startswith(WHOLE):
            url = BASE + url
        response = self._client.generic(
            method,
            url,
            b"" if body is None else content,
            content_type=content_type if body is not None else "",
            headers=sent,
        )
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            b"".join(response) if response.streaming else response.content,
        )

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path.removeprefix("http://testserver"), headers=headers)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, {} if body is None else body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.request("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def pages(self, path: str) -> list[dict[str, Any]]:
        """All results of a list, page by page."""
        found: list[dict[str, Any]] = []
        url: str | None = path
        while url:
            answer = self.get(url)
            assert answer.status == 200, answer.json
            found += answer.results
            url = answer.json["next"]
        return found


class Office(Portfolio):
    """A customer with people who have tokens."""

    def __init__(self, owner: Database, worker: Database) -> None:
        super().__init__(owner, worker)
        self._apis: dict[tuple[str, str], Api] = {}

    def join(self, role: str = "member") -> int:
        """A new member; their id."""
        user_id = self.user()
        self.worker.execute(
            "INSERT INTO membership (customer_id, user_id, role) VALUES (%s, %s, %s)",
            self.customer_id,
            user_id,
            role,
        )
        return user_id

    def token(self, user_id: int, scope: str = "write") -> str:
        """A new token of a member."""
        return new_token(self.worker, self.customer_id, user_id, scope)

    def api(self, role: str = "member", scope: str = "write") -> Api:
        """The API as a member with this role sees it; the same one each time."""
        if (role, scope) not in self._apis:
            self._apis[role, scope] = Api(self.token(self.join(role), scope))
        return self._apis[role, scope]

    @property
    def member(self) -> Api:
        return self.api("member")

    @property
    def admin(self) -> Api:
        return self.api("admin")


def new_token(worker: Database, customer_id: int | None, user_id: int, scope: str = "write") -> str:
    """A token of a member, or of a superuser (customer None)."""
    token = "cd_" + secrets.token_urlsafe(32)
    what = (user_id, token[:11], hashlib.sha256(token.encode()).hexdigest(), scope)
    if customer_id is None:
        worker.execute(
            "SELECT tenancy.create_superuser_token(p_user_id => %s, p_name => 'test',"
            " p_prefix => %s, p_digest => %s, p_scope => %s,"
            " p_expires_at => now() + interval '1 day')",
            *what,
        )
    else:
        worker.execute(
            "SELECT tenancy.create_token(p_customer_id => %s, p_user_id => %s, p_name => 'test',"
            " p_prefix => %s, p_digest => %s, p_scope => %s,"
            " p_expires_at => now() + interval '1 day')",
            customer_id,
            *what,
        )
    return token


def new_superuser(worker: Database) -> Api:
    """The API as a new superuser sees it."""
    email = f"root-{os.getpid()}-{next(_numbers)}@example.org"
    user_id = worker.value(
        'INSERT INTO "user" (email, password, is_superuser) VALUES (%s, %s, true) RETURNING id',
        email,
        "!",
    )
    return Api(new_token(worker, None, user_id))
