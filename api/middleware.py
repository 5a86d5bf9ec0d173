"""What happens to every request, whoever answers it; and what the admin needs around it."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from whitenoise.middleware import WhiteNoiseFileResponse

from api.access import address_of
from api.errors import problem_response
from api.metrics import observe
from core.context import platform_context
from core.functions import tenancy_count_login, tenancy_forgive_login
from core.logs import request_id, route_of

access = logging.getLogger("api.access")

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# A page that needs more says so itself.
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
_ADMIN: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # As SecurityMiddleware has them; answers that it caused itself pass it by.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class RequestMiddleware:
    """Gives each request an id, one line in the access log, and its share in the metrics."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        wanted = request.headers.get("X-Request-ID", "")
        token = request_id.set(wanted if _REQUEST_ID.fullmatch(wanted) else uuid.uuid4().hex)
        try:
            response = self.get_response(request)
            self._add_headers(request, response)
            seconds = time.perf_counter() - started
            # Made-up methods and paths would be new series each.
            method = request.method if request.method in _METHODS else "OTHER"
            route = "static" if isinstance(response, WhiteNoiseFileResponse) else route_of(request)
            observe(method or "OTHER", route, response.status_code, seconds)
            access.info("%s %s %s %.1f ms", method, route, response.status_code, seconds * 1000)
            return response
        finally:
            request_id.reset(token)

    def _add_headers(self, request: HttpRequest, response: HttpResponseBase) -> None:
        response.headers["X-Request-ID"] = request_id.get()
        if isinstance(response, WhiteNoiseFileResponse):
            return
        policy = _ADMIN if request.path_info.startswith("/admin/") else _NOTHING
        for name, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
            response.headers.setdefault(name, value)


class PathMiddleware:
    """Takes a slash at the end of an API's path for none."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/api/") and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/")
            request.path = request.path.rstrip("/")
        return self.get_response(request)


class BodyMiddleware:
    """Refuses, before a byte is read, bodies of unknown length or above what the view takes.

    WSGI tells Django a length or nothing, so a chunked body would look like an empty one. A view
    that takes more than MAX_BODY_BYTES has an attribute `max_body_bytes`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            return problem_response(
                request, 411, "length_required", "Send the body with a Content-Length."
            )
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        view_class = getattr(view, "cls", None)
        limit: int = getattr(view_class, "max_body_bytes", settings.MAX_BODY_BYTES)
        length = request.headers.get("Content-Length") or "0"
        if length.isascii() and length.isdecimal() and int(length[:20]) > limit:
            return problem_response(
                request, 413, "payload_too_large", f"At most {limit} bytes are taken here."
            )
        return None


class AdminMiddleware:
    """Lets the admin work as claimdrift_platform, in one transaction for each request.

    Its views, sessions and log know nothing of our roles; the API's login may read no table. The
    audit trail names the superuser. An attempt to sign in is counted before that transaction, so
    that no rollback forgets it, and before the password is looked at.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        if request.method == "POST" and request.path_info == reverse("admin:login"):
            return self._sign_in(request)
        return self._respond(request)

    def _sign_in(self, request: HttpRequest) -> HttpResponseBase:
        account = request.POST.get("username", "")
        wait = tenancy_count_login(account=account, address=address_of(request))
        if wait:
            return HttpResponse(
                f"Too many attempts to sign in. Try again in {wait} seconds.",
                status=429,
                content_type="text/plain; charset=utf-8",
                headers={"Retry-After": str(wait)},
            )
        response = self._respond(request)
        if response.status_code == 302:  # the form comes back with 200 otherwise
            tenancy_forgive_login(account=account)
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        actor = request.session.get(SESSION_KEY)
        with transaction.atomic(), platform_context(int(actor) if actor else None):
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            return response
