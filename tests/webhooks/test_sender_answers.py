"""The sender against a real receiver: the bodies of answers, and connections that are kept."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from functools import partial

import pytest
from pytest_django import Settings

from core.webhooks import addresses
from core.webhooks.sender import MAX_RESPONSE_BYTES, Answer, Sender
from tests.webhooks.receiver import (
    Receiver,
    Script,
    answer,
    answers,
    closes_after,
    floods,
    in_turn,
    says,
)
from tests.webhooks.sending import (
    BROKEN,
    HEAD,
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


# Bodies


def test_a_body_is_kept_to_its_limit() -> None:
    found = answer_to(answers(200, b"x" * 1_000_000))

    assert (found.status_code, found.error) == (200, "")
    assert found.response == "x" * MAX_RESPONSE_BYTES


def test_a_body_without_end_is_left_alone() -> None:
    for script in (
        floods(HEAD + b"\r\n", then=b"x" * 10_000),
        floods(HEAD + b"Content-Length: 999999999999\r\n\r\n", then=b"x" * 10_000),
        floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", then=b"a\r\nxxxxxxxxxx\r\n"),
    ):
        found = answer_to(script)

        assert (found.status_code, found.error) == (200, "")
        assert found.response == "x" * MAX_RESPONSE_BYTES


def test_a_body_of_no_length_ends_with_the_connection() -> None:
    found = answer_to(closes_after(HEAD + b"\r\nhello"))

    assert (found.status_code, found.error, found.response) == (200, "", "hello")


def test_a_body_in_chunks_is_read() -> None:
    chunks = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    found = answer_to(says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))

    assert (found.status_code, found.error, found.response) == (200, "", "hello world")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\0b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("Ä€😀".encode(), "Ä€😀"),
        (b"\x1b[31m\x07", "\x1b[31m\x07"),
    ],
)
def test_a_body_becomes_text_that_can_be_kept(content: bytes, text: str) -> None:
    assert answer_to(answers(200, content)).response == text


def compressed(encoding: str, content: bytes) -> Script:
    return answers(200, content, headers=[f"Content-Encoding: {encoding}"])


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("GZip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("identity", b"hello"),
        ("br", b"hello"),
    ],
)
def test_an_answer_is_inflated_where_that_is_known(encoding: str, content: bytes) -> None:
    found = answer_to(compressed(encoding, content))

    assert (found.status_code, found.error, found.response) == (200, "", "hello")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "content", [b"garbage", b"\x1f\x8b", gzip.compress(b"hello", mtime=0)[:-9], b""]
)
def test_what_cannot_be_inflated_does_not_undo_a_success(encoding: str, content: bytes) -> None:
    found = answer_to(compressed(encoding, content))

    assert (found.status_code, found.error) == (200, "")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "br", "zstd"])
def test_a_bomb_takes_no_memory(encoding: str) -> None:
    deflater = zlib.compressobj(9, wbits=31 if encoding.startswith("gzip") else 15)
    bomb = b"".join(deflater.compress(bytes(1_000_000)) for _ in range(100)) + deflater.flush()
    if encoding == "gzip, gzip":
        bomb = gzip.compress(bomb, mtime=0)
    with Receiver(compressed(encoding, bomb)) as receiver:
        tracemalloc.start()
        try:
            found = send(receiver.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert (found.status_code, found.error) == (200, "")
    assert len(found.response) <= MAX_RESPONSE_BYTES
    assert peak < 5_000_000


# Connections


def test_a_connection_is_kept() -> None:
    async def often(sending: Sender) -> list[Answer]:
        return [await one(sending, receiver.url) for _ in range(5)]

    with Receiver(answers(200, b"thanks")) as receiver:
        found = with_sender(often)

    assert [got.status_code for got in found] == [200] * 5
    assert receiver.connections == 1


@pytest.mark.parametrize("body", [b"", b"thanks"])
def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew(body: bytes) -> None:
    async def often(sending: Sender) -> list[Answer]:
        found = []
        for _ in range(5):
            found.append(await one(sending, receiver.url))
            await asyncio.sleep(0.1)
        return found

    # It doesn't announce it.
    with Receiver(closes_after(answer(200, body))) as receiver:
        found = with_sender(often)

    assert [got.error for got in found] == [""] * 5
    assert receiver.connections == 5


def test_a_kept_connection_that_is_closed_under_a_request_is_made_anew() -> None:
    async def twice(sending: Sender) -> list[Answer]:
        return [await one(sending, receiver.url) for _ in range(2)]

    # What was sent on it meets a server that had given it up.
    with Receiver(in_turn(answers(), closes_after(), answers())) as receiver:
        found = with_sender(twice)

    assert [got.error for got in found] == ["", ""]
    assert [request.connection for request in receiver.requests] == [1, 1, 2]


def test_a_request_on_a_new_connection_is_not_sent_twice() -> None:
    with Receiver(closes_after()) as receiver:
        found = send(receiver.url)

    assert found.error == BROKEN
    assert len(receiver.requests) == 1


def test_what_was_left_of_one_answer_is_not_taken_for_the_next() -> None:
    async def twice(sending: Sender) -> list[Answer]:
        found = []
        for _ in range(2):
            found.append(await one(sending, receiver.url))
            await asyncio.sleep(0.1)
        return found

    smuggled = answer(200) + answer(500, b"smuggled")
    with Receiver(in_turn(says(smuggled), answers(201))) as receiver:
        found = with_sender(twice)

    assert [got.status_code for got in found] == [200, 201]


def test_a_connection_with_an_answer_cut_off_is_not_kept() -> None:
    async def twice(sending: Sender) -> list[Answer]:
        return [await one(sending, receiver.url) for _ in range(2)]

    with Receiver(in_turn(answers(200, b"x" * 5_000_000), answers(201))) as receiver:
        found = with_sender(twice)

    assert [got.status_code for got in found] == [200, 201]
    assert receiver.connections == 2
