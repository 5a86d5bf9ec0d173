"""What every answer has, and what no request gets away with."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import override_settings
from django.urls import path

from api.access import address_of
from api.middleware import BodyMiddleware
from core.logs import request_id

HEX = re.compile(r"[0-9a-f]{32}")


def fail(request: HttpRequest, pk: int) -> HttpResponse:
    raise ValueError("Jane Doe")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        request_id.get(),
        headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=60"},
    )


class Generous:
    max_body_bytes = 2_000_000


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.read())))


upload.cls = Generous  # type: ignore[attr-defined]  # as DRF marks its views

urlpatterns = [
    path("fail/<int:pk>", fail),
    path("page", page),
    path("upload", upload),
    path("small", lambda request: HttpResponse(str(len(request.read())))),
]
handler404 = "api.errors.not_found"
handler500 = "api.errors.server_error"


@pytest.fixture
def here(as_web: None) -> Iterator[Client]:
    """A client for the views above."""
    with override_settings(ROOT_URLCONF=__name__):
        yield Client(raise_request_exception=False)


# Request ids


@pytest.mark.parametrize("given", ["0f8c1234", "A.b_c-9" * 9, "x" * 64])
def test_an_id_that_is_fit_is_taken_over(browser: Client, given: str) -> None:
    response = browser.get("/health/live", headers={"X-Request-ID": given})

    assert response["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "with blank", "käse-käse", "a/b/c/d/e"])
def test_any_other_is_replaced(browser: Client, given: str) -> None:
    response = browser.get("/health/live", headers={"X-Request-ID": given})

    assert HEX.fullmatch(response["X-Request-ID"])


def test_each_request_has_its_own_and_none_is_left(here: Client) -> None:
    responses = [here.get("/page") for _ in range(3)]

    assert len({response["X-Request-ID"] for response in responses}) == 3
    assert all(r.content.decode() == r["X-Request-ID"] for r in responses)
    assert request_id.get() == ""


def test_errors_carry_the_id_of_their_request(here: Client) -> None:
    for url in ("/fail/7", "/nowhere"):
        response = here.get(url, headers={"X-Request-ID": "0f8c-1234"})

        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["request_id"] == response["X-Request-ID"] == "0f8c-1234"


# The access log


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "api.access"]


def test_one_line_tells_the_route_and_neither_ids_nor_query(
    here: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "api.access"):
        here.get("/fail/7654321?search=Jane")
        here.get("/nowhere/Jane")
        here.get("/static/admin/css/base.css").close()
        here.generic("JANE", "/page")

    assert [re.sub(r"[0-9.]+ ms$", "", line) for line in lines(caplog)] == [
        "GET /fail/<int:pk> 500 ",
        "GET unmatched 404 ",
        "GET static 200 ",
        "OTHER /page 200 ",
    ]
    assert "Jane" not in caplog.text.split("Traceback")[0]


# Headers


def test_an_answer_of_the_api_is_closed_to_everything(browser: Client) -> None:
    for url in ("/health/live", "/nowhere", "/metrics"):
        headers = browser.get(url).headers

        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


def test_a_page_may_say_otherwise(here: Client) -> None:
    headers = here.get("/page").headers

    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert headers["Cache-Control"] == "max-age=60"


def test_static_files_are_served_without_collecting_them(browser: Client) -> None:
    for url in (
        "/static/admin/css/base.css",
        "/static/drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js",
    ):
        response = browser.get(url)

        assert response.status_code == 200
        assert response["Cache-Control"] == "max-age=3600, public"
        assert "Access-Control-Allow-Origin" not in response
        response.close()
    assert browser.get("/static/../core/settings.py").status_code == 404


def test_a_host_that_is_not_ours_is_refused_in_our_shape(browser: Client) -> None:
    response = browser.get("/health/live", headers={"Host": "evil.example"})

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "evil" not in response.content.decode()


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31536000)
def test_https_redirects_all_but_health_and_metrics(as_web: None) -> None:
    browser = Client()
    redirect = browser.get("/admin/?a=1")

    assert (redirect.status_code, redirect["Location"]) == (301, "https://testserver/admin/?a=1")
    assert redirect["X-Request-ID"]
    for url in ("/health/live", "/health/ready", "/metrics"):
        assert browser.get(url).status_code == 200
    assert (
        "max-age=31536000" in browser.get("/health/live", secure=True)["Strict-Transport-Security"]
    )


# Bodies


def test_a_body_of_unknown_length_is_refused(browser: Client) -> None:
    response = browser.post(
        "/health/live", b"{}", content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
    )  # fmt: skip

    assert (response.status_code, response.json()["code"]) == (411, "length_required")


@pytest.mark.parametrize(
    ("url", "length", "status"),
    [
        ("/small", 1_000_000, 200),
        ("/small", 1_000_001, 413),
        ("/upload", 2_000_000, 200),
        ("/upload", 2_000_001, 413),
    ],
)
def test_each_view_has_its_limit(here: Client, url: str, length: int, status: int) -> None:
    response = here.post(url, b"x" * length, content_type="text/csv")

    assert response.status_code == status
    if status == 413:
        assert response.json()["code"] == "payload_too_large"
    else:
        assert response.content.decode() == str(length)


def test_nothing_is_read_of_a_body_that_is_too_long() -> None:
    class Unread:
        def read(self, *arguments: object) -> bytes:
            raise AssertionError("it was read")

    request = RequestFactory().post("/small", b"", content_type="text/csv")
    request.META["CONTENT_LENGTH"] = "9" * 400
    request._stream = Unread()  # type: ignore[assignment]
    response = BodyMiddleware(lambda request: HttpResponse()).process_view(request, fail, (), {})

    assert response is not None
    assert response.status_code == 413


# Proxies


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "6.6.6.6", "10.0.0.1"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (1, "", "10.0.0.1"),
    ],
)
def test_only_our_own_proxies_name_the_client(
    settings: Any, proxies: int, forwarded: str, expected: str
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1")
    if forwarded:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded

    assert address_of(request) == expected
