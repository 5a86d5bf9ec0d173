"""One shape for every error, of whatever origin: application/problem+json (RFC 9457).

Database errors are told apart by SQLSTATE and by constraint name, never by their text: that may
hold a row's values, which belong neither into an answer nor into a log.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from rest_framework import exceptions

from api.access import SCHEME
from core.errors import sqlstate
from core.logs import request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
TYPES: Final = "https://claimdrift.dev/problems/"

# code: status, title
CODES: Final[dict[str, tuple[int, str]]] = {
    "parse_error": (400, "Unreadable request"),
    "validation_error": (400, "Validation error"),
    "not_authenticated": (401, "Not authenticated"),
    "authentication_failed": (401, "Authentication failed"),
    "permission_denied": (403, "Permission denied"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "not_acceptable": (406, "Not acceptable"),
    "conflict": (409, "Conflict"),
    "length_required": (411, "Length required"),
    "payload_too_large": (413, "Payload too large"),
    "unsupported_media_type": (415, "Unsupported media type"),
    "throttled": (429, "Too many requests"),
    "server_error": (500, "Server error"),
    "unavailable": (503, "Temporarily unavailable"),
}
DETAILS: Final = {
    "validation_error": "The request is invalid.",
    "permission_denied": "You may not do this.",
    "not_found": "There is no such thing here.",
    "server_error": "Something went wrong on our side. It has been logged under the request id.",
    "unavailable": "The service can't answer right now. Try again.",
}

# Our SQLSTATEs; docs/errors.md lists them. Those that aren't here are mistakes of ours: 500.
OURS: Final = {
    "PD003": "not_found",
    "PD004": "not_found",
    "PD005": "permission_denied",
    "PD006": "not_found",
    "PD007": "conflict",
    "PD008": "validation_error",
    "PD009": "validation_error",
    "PD012": "permission_denied",
    "PD013": "conflict",
    "PD014": "conflict",
    "PD015": "conflict",
    "PD016": "not_found",
    "PD017": "conflict",
    "PD018": "conflict",
}
BLAMED: Final = {"PD009": "time_zone"}
# Constraint: the field to blame, and what to say.
UNIQUE: Final = {
    "payer_customer_name_key": ("name", "There is a payer with this name."),
    "payer_alias_customer_alias_key": ("alias", "This alias exists already."),
    "cpt_group_customer_name_key": ("name", "There is a group with this name."),
    "cpt_mapping_customer_cpt_key": ("cpt", "This code is mapped already."),
    "alert_rule_customer_name_key": ("name", "There is a rule with this name."),
    "membership_customer_user_key": ("email", "This person is a member already."),
    "customer_slug_key": ("slug", "There is a customer with this slug."),
    "webhook_endpoint_customer_url_key": ("url", "There is an endpoint with this URL."),
}
# The same for what rows have to satisfy, where no serializer asks for exactly that.
CHECKS: Final = {
    "webhook_endpoint_url_check": (
        "url",
        "It isn't a URL, such as https://example.com/webhooks.",
    ),
}
# SQLSTATE classes and codes of PostgreSQL's own.
_BUSY: Final = frozenset({"55P03", "40P01", "40001"})
_UNAVAILABLE: Final = ("08", "53", "57", "58")


class Conflict(exceptions.APIException):
    """The request contradicts the present state."""

    status_code = 409
    default_code = "conflict"
    default_detail = "The request contradicts the present state."


class PayloadTooLarge(exceptions.APIException):
    """The body is too large."""

    status_code = 413
    default_code = "payload_too_large"
    default_detail = "The body is too large."


@dataclass(frozen=True)
class Problem:
    """What is answered. `errors` name fields: {"field", "pointer", "code", "detail"}."""

    code: str
    detail: str = ""
    errors: tuple[dict[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    def body(self) -> dict[str, Any]:
        status, title = CODES[self.code]
        return {
            "type": TYPES + self.code,
            "title": title,
            "status": status,
            "code": self.code,
            "detail": self.detail or DETAILS.get(self.code, f"{title}."),
            "request_id": request_id.get(),
            "errors": list(self.errors),
        }

    def response(self) -> JsonResponse:
        """The answer: JSON also where the view's own answers are something else."""
        return JsonResponse(
            self.body(),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers=dict(self.headers),
        )


def is_busy(error: DatabaseError) -> bool:
    """Whether somebody else held what was needed, so that another try may succeed."""
    return sqlstate(error) in _BUSY


def problem_response(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """A problem as an answer of Django's, for what happens outside of a view of the API."""
    body = Problem(code, detail).body() | {"status": status}
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers)


def field_error(path: Sequence[str], code: str, detail: str) -> dict[str, str]:
    """One entry of `errors`; `path` leads into the body, or names a parameter."""
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
    return {
        "field": ".".join(path),
        "pointer": f"#/{pointer}" if path else "",
        "code": code,
        "detail": detail,
    }


def _flatten(detail: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            within = path if key == "non_field_errors" else (*path, str(key))
            yield from _flatten(value, within)
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for number, value in enumerate(detail):
            is_leaf = isinstance(value, exceptions.ErrorDetail)
            yield from _flatten(value, path if is_leaf else (*path, str(number)))
    else:
        yield field_error(path, getattr(detail, "code", "invalid"), str(detail))


def _of_api(error: exceptions.APIException) -> Problem:
    if isinstance(error, exceptions.ValidationError):
        return Problem("validation_error", errors=tuple(_flatten(error.detail)))
    if isinstance(error, exceptions.NotFound):
        return Problem("not_found")
    if isinstance(error, exceptions.Throttled):
        wait = str(max(1, int(getattr(error, "wait", None) or 1)))
        return Problem(
            "throttled",
            f"Too many attempts. Try again in {wait} seconds.",
            headers=(("Retry-After", wait),),
        )
    code = str(error.get_codes())
    by_status = {status: name for name, (status, _) in CODES.items()}
    if code not in CODES:
        is_parse_error = isinstance(error, exceptions.ParseError)
        code = "parse_error" if is_parse_error else by_status.get(error.status_code, "server_error")
    # Every 401 says how to do better, the one for a wrong password as well.
    headers = (("WWW-Authenticate", SCHEME),) if CODES[code][0] == 401 else ()
    return Problem(code, str(error.detail), headers=headers)


def _of_database(error: DatabaseError, method: str) -> Problem | None:
    state = sqlstate(error)
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None) or ""
    if state in OURS:
        text = f"{diagnosis.message_primary}. {diagnosis.message_hint or ''}".strip()
        code = OURS[state]
        if code == "not_found":
            return Problem(code)
        text = text[0].upper() + text[1:]
        field = BLAMED.get(state)
        return Problem(code, text, (field_error([field], "invalid", text),) if field else ())
    if state == "23505":
        field, detail = UNIQUE.get(constraint, ("", "Something like this exists already."))
        return Problem(
            "conflict", detail, errors=(field_error([field], "unique", detail),) if field else ()
        )
    if state == "23503":
        if method == "DELETE":
            return Problem("conflict", "It can't be deleted: something still refers to it.")
        return Problem("validation_error", "Something that the request refers to doesn't exist.")
    if state == "23514" and constraint in CHECKS:
        field, detail = CHECKS[constraint]
        return Problem("validation_error", errors=(field_error([field], "invalid", detail),))
    if state.startswith(("22", "23")):
        return Problem("validation_error", "A value is out of the range that is allowed.")
    if state in _BUSY:
        return Problem(
            "conflict",
            "Somebody else is changing the same thing. Try again.",
            headers=(("Retry-After", "1"),),
        )
    lost = isinstance(error, OperationalError | InterfaceError) and not state
    if lost or state.startswith(_UNAVAILABLE):
        return Problem("unavailable", headers=(("Retry-After", "5"),))
    return None


def problem_of(error: BaseException, method: str = "GET") -> Problem | None:
    """What an exception means to the client; None if it is nobody's fault but ours."""
    match error:
        case exceptions.APIException():
            return _of_api(error)
        case DatabaseError() | InterfaceError():
            return _of_database(error, method)  # type: ignore[arg-type]
        case Http404():
            return Problem("not_found")
        case PermissionDenied():
            return Problem("permission_denied")
        case RequestDataTooBig():
            return Problem("payload_too_large", "The body is too large.")
        case UnreadablePostError():
            return Problem("parse_error", "The body ended early.")
        case SuspiciousOperation():
            return Problem("parse_error", "The request can't be read.")
        case _:
            return None


def handle_exception(error: Exception, context: dict[str, Any]) -> JsonResponse:
    """DRF's EXCEPTION_HANDLER."""
    view = context["view"]
    problem = problem_of(error, view.request.method or "GET")
    if problem is None or problem.code in {"server_error", "unavailable"}:
        logger.error("%s failed", type(view).__name__, exc_info=error)
    elif isinstance(error, DatabaseError) and sqlstate(error).startswith("22"):
        # The client's value, most likely; but a mistake of ours would look the same.
        logger.warning("%s: the database refused a value", type(view).__name__, exc_info=error)
    return (problem or Problem("server_error")).response()


# For Django: what fails before or beside a view of the API. `api.urls` names them.


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    problem = problem_of(exception) or Problem("parse_error", "The request can't be read.")
    return problem.response()


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    return problem_response(request, 403, "permission_denied")


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return problem_response(request, 404, "not_found")


def server_error(request: HttpRequest) -> JsonResponse:
    return problem_response(request, 500, "server_error")
