"""The API of one slot, as a customer with a token sees it."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Final

from deploy.commands import StageFailed

_SECONDS: Final = 30.0
PREFIX: Final = "/api/v1"
_PAGE: Final = {"count", "count_exact", "next", "previous", "results"}
_PROBLEM: Final = {"type", "title", "status", "code", "detail", "request_id", "errors"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Api:
    """Requests to a port of this machine, as the proxy in front would send them.

    Raises StageFailed where an answer isn't what was expected, naming the request and the status.
    """

    port: int
    host: str
    token: str

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        csv: bytes = b"",
        token: str | None = None,
        seconds: float = _SECONDS,
    ) -> Answer:
        """Send a request, whatever its answer."""
        headers = {
            "Host": self.host,
            # Whoever terminates TLS says so; without it, CLAIMDRIFT_HTTPS would redirect.
            "X-Forwarded-Proto": "https",
            "User-Agent": "claimdrift-deploy",
            "Connection": "close",
        }
        if credentials := self.token if token is None else token:
            headers["Authorization"] = f"Bearer {credentials}"
        content = csv
        if body is not None:
            content = json.dumps(body).encode()
        if content:
            headers["Content-Type"] = "text/csv" if csv else "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, content or None, headers)
            response = connection.getresponse()
            return Answer(
                response.status, response.getheader("Content-Type", ""), response.read(4_000_000)
            )
        except (OSError, http.client.HTTPException) as error:
            raise StageFailed(
                f"{method} {path} on port {self.port} got no answer: {error!r}"
            ) from error
        finally:
            connection.close()

    def call(
        self, method: str, path: str, body: Any = None, *, csv: bytes = b"", expect: int = 200
    ) -> Any:
        """Send a request; its answer's JSON. Raises StageFailed unless it has this status."""
        answer = self.ask(method, PREFIX + path, body, csv=csv)
        if answer.status != expect:
            raise StageFailed(
                f"{method} {PREFIX}{path} answered {answer.status} instead of {expect}: "
                f"{_summary(answer)}"
            )
        try:
            return answer.json()
        except ValueError:
            raise StageFailed(f"{method} {PREFIX}{path} didn't answer with JSON.") from None

    def page(self, path: str) -> list[Any]:
        """A list's first page, and that it has the shape that every list has."""
        found = self.call("GET", path)
        if not isinstance(found, dict) or not set(found) >= _PAGE:
            raise StageFailed(f"GET {PREFIX}{path} isn't a page of a list.")
        results: list[Any] = found["results"]
        return results

    def refuses(self, path: str, status: int, *, token: str | None = None) -> None:
        """Raise StageFailed unless it answers with this problem, in the shape that all have."""
        answer = self.ask("GET", PREFIX + path, token=token)
        if answer.status != status or not _is_problem(answer):
            raise StageFailed(
                f"GET {PREFIX}{path} had to be refused with {status} and a problem; it answered "
                f"{answer.status}."
            )


def _is_problem(answer: Answer) -> bool:
    try:
        return answer.content_type.startswith("application/problem+json") and (
            set(answer.json()) >= _PROBLEM
        )
    except (ValueError, TypeError):
        return False


def _summary(answer: Answer) -> str:
    """A problem's code and detail; nothing of another body, which could be anything."""
    if not _is_problem(answer):
        return f"no problem of the API's ({answer.content_type or 'no content type'})"
    problem = answer.json()
    return f"{problem['code']}: {problem['detail']} (request {problem['request_id']})"
