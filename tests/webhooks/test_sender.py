"""What the sender sends to a real receiver, and which answer is a success."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest
import standardwebhooks
from pytest_django import Settings

from core.webhooks import addresses, secrets, sender
from core.webhooks.sender import Sender
from tests.webhooks.receiver import (
    Receiver,
    answer,
    answers,
    says,
)
from tests.webhooks.sending import (
    BODY,
    CUSTOMER_ID,
    answer_to,
    key,
    one,
    own_keys,
    send,
    with_sender,
)


@pytest.fixture(autouse=True)
def _settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    # The resolver that senders share stays open for each event loop, and here are many.
    monkeypatch.setattr(addresses, "Resolver", partial(addresses.Resolver, tries=2))
    with own_keys(settings, key(1)):
        yield


# What is sent


def test_a_request_is_exactly_this() -> None:
    secret = secrets.create(customer_id=CUSTOMER_ID)
    with Receiver() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/a/b?c=d&e=%20"
        assert send(url, signed_with=[secret]).error == ""

    [request] = receiver.requests
    assert request.line == "POST /a/b?c=d&e=%20 HTTP/1.1"
    assert request.body == BODY.encode()
    fields = dict(request.fields)
    assert list(fields) == [name for name, _ in request.fields]
    assert set(fields) == {
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Content-Type",
        "Content-Length",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert fields["Host"] == f"127.0.0.1:{receiver.port}"
    assert re.fullmatch(
        r"claimdrift/\S+ \(\+https://claimdrift\.dev/webhooks\) \S+", fields["User-Agent"]
    )
    assert (fields["Accept"], fields["Accept-Encoding"]) == ("*/*", "identity")
    assert fields["Content-Type"] == "application/json"
    assert fields["Content-Length"] == str(len(BODY.encode()))
    assert fields["webhook-id"] == "msg_2hTSxrEHkbQ"
    assert abs(int(fields["webhook-timestamp"]) - request.at) < 60
    assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", fields["webhook-signature"])
    verified = standardwebhooks.Webhook(secret.text).verify(request.body, fields)
    assert verified == json.loads(BODY)


def test_both_secrets_sign_while_one_is_rotated() -> None:
    latter, former = (secrets.create(customer_id=CUSTOMER_ID) for _ in range(2))
    with Receiver() as receiver:
        send(receiver.url, signed_with=[latter, former])

    [request] = receiver.requests
    signatures = request.headers["webhook-signature"].split(" ")
    for secret, signature in zip((latter, former), signatures, strict=True):
        standardwebhooks.Webhook(secret.text).verify(
            request.body, request.headers | {"webhook-signature": signature}
        )


def test_each_attempt_has_its_own_time_and_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    times = iter([now, now + 300])
    clock = SimpleNamespace(time=lambda: next(times), monotonic=time.monotonic)
    monkeypatch.setattr(sender, "time", clock)
    secret = secrets.create(customer_id=CUSTOMER_ID)
    with Receiver(answers(503)) as receiver:
        for number in (1, 2):
            send(receiver.url, signed_with=[secret], number=number)

    first, second = (request.headers for request in receiver.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 300
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("message_id", ["a\r\nX-Injected: 1", "a\nb", "a\0b", "a\r"])
def test_an_id_cannot_add_a_header(message_id: str) -> None:
    with Receiver() as receiver:
        found = send(receiver.url, message_id=message_id)

    assert receiver.requests == []
    assert found.error


@pytest.mark.parametrize("end", ["\r\nX-Injected: 1", "\nX: 1", " HTTP/1.1\r\nX: 1", "\0", "\t"])
def test_a_url_cannot_add_a_header(end: str) -> None:
    with Receiver() as receiver:
        found = send(receiver.url + end)

    assert receiver.requests == []
    assert found.error.startswith("The URL is refused.")


@pytest.mark.parametrize(
    "path", ["/%0d%0aX-Injected:%201", "/a%00b", "/?a=%0d%0a", "/%20HTTP/1.1%0d%0a"]
)
def test_what_is_encoded_in_a_url_stays_encoded(path: str) -> None:
    with Receiver() as receiver:
        send(f"http://127.0.0.1:{receiver.port}{path}")

    [request] = receiver.requests
    assert request.path.lower() == path.lower()
    assert len(request.fields) == 9


def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert send(receiver.url).status_code == 200

    assert proxy.connections == 0
    assert "authorization" not in receiver.requests[0].headers


def test_a_cookie_is_never_sent_back() -> None:
    async def twice(sending: Sender) -> None:
        for _ in range(2):
            await one(sending, receiver.url)

    with Receiver(answers(headers=["Set-Cookie: a=b; Path=/"])) as receiver:
        with_sender(twice)

    assert [("cookie" in request.headers) for request in receiver.requests] == [False, False]


def test_a_secret_that_cannot_be_read_is_not_replaced_by_none(settings: Settings) -> None:
    secret = secrets.create(customer_id=CUSTOMER_ID)
    settings.WEBHOOK_KEYS = [key(2)]
    secrets._keys.cache_clear()
    with Receiver() as receiver:
        found = send(receiver.url, signed_with=[secret])

    assert receiver.connections == 0
    assert secret.key_id in found.error


# Statuses


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    body = b"" if status == 204 else b'{"ok": true}'
    found = answer_to(answers(status, body))

    assert (found.status_code, found.error, found.response) == (status, "", body.decode())
    assert found.retry_after is None


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 410, 418, 429, 500, 503, 599])
def test_any_other_status_is_a_failure(status: int) -> None:
    found = answer_to(answers(status, b"" if status == 304 else b"no"))

    assert found.status_code == status
    assert found.error.startswith(f"It answered {status}.")
    assert found.response == ("" if status == 304 else "no")


@pytest.mark.parametrize("code", ["000", "099", "600", "999"])
def test_a_status_that_does_not_exist_is_a_failure_that_can_be_recorded(code: str) -> None:
    found = answer_to(says(f"HTTP/1.1 {code} What\r\nContent-Length: 0\r\n\r\n".encode()))

    assert found.error
    assert found.status_code is None or 100 <= found.status_code <= 999


@pytest.mark.parametrize(
    "value",
    ["120", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1e9", "9" * 500, "soon", "\N{SNOWMAN}", ""],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_handed_on_as_it_came(status: int, value: str) -> None:
    found = answer_to(answers(status, headers=[f"Retry-After: {value}"]))

    assert (found.status_code, found.retry_after) == (status, value)


def test_a_header_that_is_no_text_can_be_recorded() -> None:
    found = answer_to(
        says(b"HTTP/1.1 503 No\r\nRetry-After: \xff\xfe1\r\nContent-Length: 0\r\n\r\n")
    )

    assert found.status_code == 503
    # PostgreSQL takes no lone surrogates.
    (found.retry_after or "").encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as internal:
        for location in (internal.url, "http://169.254.169.254/", "/else", "//x", "file:///"):
            with Receiver(answers(status, headers=[f"Location: {location}"])) as receiver:
                found = send(receiver.url)

            assert found.status_code == status
            assert found.error == f"It answered {status}. Redirects aren't followed."
            assert len(receiver.requests) == 1
    assert internal.connections == 0


def test_an_interim_answer_is_not_the_answer() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    assert answer_to(says(interim + answer(201))).status_code == 201
