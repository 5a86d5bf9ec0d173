"""One attempt with the real sender, without a database: what goes out, and what comes of it."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pytest_django import Settings

from core.functions import Attempt
from core.webhooks import secrets
from core.webhooks.sender import Answer, Sender
from tests.webhooks.receiver import Receiver, Script

CUSTOMER_ID = 7
BODY = '{"type": "alert.opened", "data": {"payer": "Äetna €"}}'
BROKEN = "The connection ended before the answer was complete."
NOT_HTTP = "What it answered isn't valid HTTP."
HEAD = b"HTTP/1.1 200 OK\r\n"
T = TypeVar("T")


def key(number: int) -> str:
    """A key for CLAIMDRIFT_WEBHOOK_KEYS, always the same for a number."""
    return base64.b64encode(bytes([number]) * 32).decode()


@contextmanager
def own_keys(settings: Settings, *keys: str) -> Iterator[None]:
    """These keys, in a process that has read none yet, as it is before and after."""
    settings.WEBHOOK_KEYS = list(keys)
    secrets._keys.cache_clear()
    yield
    secrets._keys.cache_clear()


def attempt(
    url: str,
    *,
    signed_with: Sequence[secrets.NewSecret] = (),
    body: str = BODY,
    message_id: str = "msg_2hTSxrEHkbQ",
    number: int = 1,
) -> Attempt:
    """What webhooks.begin_attempt says of one to be sent; with a secret of its own, if need be."""
    signed_with = signed_with or [secrets.create(customer_id=CUSTOMER_ID)]
    return Attempt(
        decision="send",
        reason=None,
        attempt=number,
        url=url,
        message_id=message_id,
        body=body,
        ciphertexts=[secret.ciphertext for secret in signed_with],
        key_ids=[secret.key_id for secret in signed_with],
    )


def with_sender(work: Callable[[Sender], Awaitable[T]]) -> T:
    """Do something with a sender, in an event loop of its own."""

    async def run() -> T:
        async with Sender() as sender:
            result = await work(sender)
        # In which what was closed is closed.
        await asyncio.sleep(0.01)
        return result

    return asyncio.run(run())


def send(url: str, **changes: Any) -> Answer:
    """Send once, by a sender of its own."""
    return with_sender(lambda sender: sender.send(attempt(url, **changes), customer_id=CUSTOMER_ID))


def answer_to(script: Script) -> Answer:
    """What the sender makes of what a receiver does."""
    with Receiver(script) as receiver:
        return send(receiver.url)


async def one(sending: Sender, url: str) -> Answer:
    """Send once, by this sender."""
    return await sending.send(attempt(url), customer_id=CUSTOMER_ID)
