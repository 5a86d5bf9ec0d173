"""The sender against receivers that are slow, broken, or up to no good."""

import asyncio
import gzip
import json
import socket
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest
from pytest_django import Settings

from core.webhooks import addresses, sender
from core.webhooks.sender import Answer, Sender
from tests.webhooks.receiver import (
    Receiver,
    Script,
    closes_after,
    drips,
    floods,
    hangs_after,
    resets_after,
)
from tests.webhooks.sending import (
    BROKEN,
    CUSTOMER_ID,
    HEAD,
    NOT_HTTP,
    answer_to,
    attempt,
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


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> str:
    """A deadline that a test can wait for; what is said of one that is over."""
    monkeypatch.setattr(sender, "DEADLINE_SECONDS", 1.0)
    return "There was no complete answer within 1 seconds."


# Slow, broken and wrong


@pytest.mark.parametrize(
    "script",
    [
        hangs_after(),
        hangs_after(HEAD),
        hangs_after(HEAD + b"Content-Length: 10\r\n\r\nhello"),
        hangs_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        drips(b"", then=HEAD),
        drips(HEAD, then=b"X-A: b\r\n"),
        drips(HEAD + b"Content-Length: 99999\r\n\r\n", then=b"x"),
        drips(HEAD + b"\r\n", then=b"x"),
        drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", then=b"1\r\nx\r\n"),
        drips(HEAD + b"Content-Encoding: gzip\r\n\r\n", then=gzip.compress(b"x" * 1000, mtime=0)),
        drips(b"", then=b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001),
        floods(b"", then=b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_the_deadline_is_over_everything(script: Script, short: str) -> None:
    with Receiver(script) as receiver:
        found = send(receiver.url)

    assert found.error == short
    # 1 s, and not many times that.
    assert 900 <= found.duration_ms < 10_000


# It would hold up an event loop; ours are never as large.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_a_request_that_nobody_takes_is_given_up(short: str) -> None:
    async def wait(sending: Sender) -> Answer:
        # More than its buffers hold.
        body = json.dumps("x" * 20_000_000)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        found = await sending.send(attempt(url, body=body), customer_id=CUSTOMER_ID)
        # What was left to send ends with it.
        deaf.close()
        await asyncio.sleep(0.1)
        return found

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        found = with_sender(wait)

    assert found.error == short


def test_a_server_that_does_not_accept_is_given_up(short: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for connection in waiting:
                connection.setblocking(False)
                connection.connect_ex(address)
            found = send(f"http://127.0.0.1:{address[1]}/")
        finally:
            for connection in waiting:
                connection.close()

    assert found.error == short


def test_a_hung_request_does_not_hold_up_others(short: str) -> None:
    async def together(sending: Sender) -> tuple[list[Answer], bool]:
        hung = [asyncio.create_task(one(sending, hanging.url)) for _ in range(50)]
        answered = [await one(sending, receiver.url) for _ in range(20)]
        were_waiting = not any(task.done() for task in hung)
        await asyncio.gather(*hung)
        return answered, were_waiting

    with Receiver(hangs_after()) as hanging, Receiver() as receiver:
        answered, were_waiting = with_sender(together)

    assert {found.status_code for found in answered} == {200}
    assert were_waiting


@pytest.mark.parametrize(
    "script",
    [
        closes_after(),
        resets_after(),
        closes_after(b"HTTP/1.1 2"),
        closes_after(HEAD),
        closes_after(HEAD + b"Content-Length: 10\r\n\r\nhello"),
        resets_after(HEAD + b"Content-Length: 10\r\n\r\nhello"),
        closes_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        resets_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
    ],
)
def test_a_connection_that_ends_too_early_is_a_failure(script: Script) -> None:
    assert answer_to(script).error == BROKEN


@pytest.mark.parametrize(
    "content",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        HEAD + b"No colon\r\n\r\n",
        HEAD + b"X\0: y\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"X: y\0z\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n",
        b"\0" * 1000,
        b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
        HEAD + b"X: y\r\n" * 100_000 + b"\r\n",
    ],
)
def test_what_is_not_http_is_a_failure(content: bytes) -> None:
    found = answer_to(closes_after(content))

    assert found.error in {NOT_HTTP, BROKEN}


@pytest.mark.parametrize(
    "script",
    [
        floods(HEAD, then=b"X: " + b"y" * 1000 + b"\r\n"),
        floods(HEAD + b"X: ", then=b"y" * 10_000),
        floods(b"", then=b"x" * 10_000),
    ],
)
def test_headers_without_end_take_no_memory(script: Script) -> None:
    with Receiver(script) as receiver:
        tracemalloc.start()
        try:
            found = send(receiver.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert found.error == NOT_HTTP
    assert peak < 5_000_000


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = send(f"http://127.0.0.1:{closed.getsockname()[1]}/")

    assert found.error == "It can't be connected to (Connection refused)."
    assert found.status_code is None


def test_a_connection_cannot_be_switched_to_something_else(short: str) -> None:
    switch = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

    assert answer_to(hangs_after(switch)).error
