"""Sends deliveries: the HTTP between `webhooks.begin_attempt` and `finish_attempt`.

What is sent when, and what follows, is decided there. One sender serves a worker, with one session:
a kept connection costs a twentieth of a new one.
"""

import asyncio
import contextlib
import os
import ssl
import time
import zlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from types import SimpleNamespace
from typing import Final

import aiohttp
from django.conf import settings
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import ConnectorException
from yarl import URL

from core import functions
from core.webhooks import addresses, secrets

# Of everything: resolving the name, connecting, sending, the answer's headers and its body.
DEADLINE_SECONDS: Final = 15.0
MAX_RESPONSE_BYTES: Final = 20_000
NOT_HTTP: Final = "What it answered isn't valid HTTP."
USER_AGENT: Final = (
    f"claimdrift/1.0 (+https://claimdrift.dev/webhooks) aiohttp/{version('aiohttp')}"
)
# Longer than PostgreSQL takes to start again; in vain, the lease runs out and it is sent again.
_PAUSES: Final = (0.1, 0.5, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: `error` is "" where nothing went wrong."""

    status_code: int | None = None
    error: str = ""
    response: str = ""
    retry_after: str | None = None
    duration_ms: int = 0


class Sender:
    """Sends webhooks over one session. An asynchronous context manager."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=addresses.Resolver(),
                socket_factory=addresses.open_socket,
                ssl=ssl.create_default_context(),
                # begin_attempt says how many.
                limit=0,
                ttl_dns_cache=30,
                keepalive_timeout=30,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # asyncio.timeout below covers it all.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            # Compressed answers aren't asked for; one that comes is inflated here, within bounds.
            auto_decompress=False,
            trust_env=False,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            },
            read_bufsize=MAX_RESPONSE_BYTES,
            trace_configs=[_noting_kept_connections()],
        )

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def deliver(
        self,
        queue: BaseAsyncConnector,
        database: BaseAsyncConnector,
        *,
        customer_id: int,
        delivery_id: int,
    ) -> str:
        """Attempt a delivery, if it is to be attempted now. Returns what came of it, in a word.

        `queue`, whose commits a crash may undo, will do for the beginning: it is sent again then.
        """
        attempt = await functions.webhooks_begin_attempt(
            queue, customer_id=customer_id, delivery_id=delivery_id
        )
        if attempt.decision != "send":
            return attempt.decision
        try:
            answer = await self.send(attempt, customer_id=customer_id)
        except asyncio.CancelledError:
            # The worker stops and can't wait any longer: somebody else will send it again.
            answer = Answer(error="The worker was stopped in the middle of it.")
            await self._finish(database, customer_id, delivery_id, attempt, answer)
            raise
        return await self._finish(database, customer_id, delivery_id, attempt, answer)

    async def send(self, attempt: functions.Attempt, *, customer_id: int) -> Answer:
        """Send a request and read its answer, all within the deadline. Raises nothing."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                answer = await self._exchange(attempt, customer_id)
        except Exception as error:
            answer = Answer(error=_reason(error))
        return replace(answer, duration_ms=round((time.monotonic() - began) * 1000))

    async def _exchange(self, attempt: functions.Attempt, customer_id: int) -> Answer:
        if problem := addresses.problem_of(attempt.url):
            return Answer(error=f"The URL is refused. {problem}")
        body = attempt.body.encode()
        timestamp = int(time.time())
        keys = [
            secrets.decrypt(customer_id=customer_id, ciphertext=ciphertext, key_id=key_id)
            for ciphertext, key_id in zip(attempt.ciphertexts, attempt.key_ids, strict=True)
        ]
        headers = {
            "webhook-id": attempt.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": secrets.sign(
                secret_keys=keys, message_id=attempt.message_id, timestamp=timestamp, body=body
            ),
        }
        async with await self._post(URL(attempt.url), body, headers) as response:
            status = response.status
            error = "" if 200 <= status < 300 else f"It answered {status}."
            if 300 <= status < 400:
                error += " Redirects aren't followed."
            if status < 100:
                return Answer(error=NOT_HTTP)
            answer = Answer(
                status_code=status, error=error, retry_after=_header(response, "Retry-After")
            )
            try:
                content = await _start_of(response)
            except TimeoutError:
                raise
            except Exception as broken:
                return replace(answer, error=error or _reason(broken))
            return replace(answer, response=_text(content))

    async def _post(self, url: URL, body: bytes, headers: dict[str, str]) -> aiohttp.ClientResponse:
        kept: list[bool] = []
        try:
            return await self._session.post(
                url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=kept
            )
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # Most probably it was closed, for having been idle, just when this was sent. A receiver
            # that did get it knows its webhook-id.
            if not kept:
                raise
        return await self._session.post(url, data=body, headers=headers, allow_redirects=False)

    async def _finish(
        self,
        database: BaseAsyncConnector,
        customer_id: int,
        delivery_id: int,
        attempt: functions.Attempt,
        answer: Answer,
    ) -> str:
        for pause in (*_PAUSES, None):
            try:
                return await functions.webhooks_finish_attempt(
                    database,
                    customer_id=customer_id,
                    delivery_id=delivery_id,
                    attempt=attempt.attempt,
                    duration_ms=answer.duration_ms,
                    status_code=answer.status_code,
                    error=answer.error,
                    response=answer.response,
                    retry_after=answer.retry_after,
                    schedule=settings.WEBHOOK_SCHEDULE,
                )
            except ConnectorException:
                # The receiver has it: forgetting that would send it twice.
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError  # the loop ends by one of the two


def _noting_kept_connections() -> aiohttp.TraceConfig:
    """Append to a request's `trace_request_ctx` where its connection isn't new."""

    async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.append(True)

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


def _header(response: aiohttp.ClientResponse, name: str) -> str | None:
    value = response.headers.get(name)
    # What isn't UTF-8 comes as lone surrogates, which can't be kept.
    return None if value is None else _text(value.encode("utf-8", "surrogateescape"))


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    """The start of an answer's body, and no more than that, inflated if it came compressed."""
    content = bytearray()
    inflate = (
        zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        if response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "deflate"}
        else None
    )
    received = 0
    while len(content) < MAX_RESPONSE_BYTES and received < MAX_RESPONSE_BYTES:
        chunk = await response.content.readany()
        if not chunk:
            return bytes(content)
        received += len(chunk)
        if inflate is not None:
            with contextlib.suppress(zlib.error):
                content += inflate.decompress(chunk, MAX_RESPONSE_BYTES - len(content))
        else:
            content += chunk
    # There is more, perhaps without end: the connection isn't kept.
    response.close()
    return bytes(content[:MAX_RESPONSE_BYTES])


def _text(content: bytes) -> str:
    # PostgreSQL's text holds no NUL.
    return content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _reason(error: Exception) -> str:
    """Why there is no answer, for the endpoint's admins: without addresses and without values."""
    match error:
        case secrets.SecretUnreadable():
            return str(error)
        case TimeoutError():
            return f"There was no complete answer within {DEADLINE_SECONDS:.0f} seconds."
        case addresses.AddressRefused():
            return "An address of its host isn't public."
        case aiohttp.ClientConnectorError(os_error=addresses.AddressRefused()):
            return "An address of its host isn't public."
        case aiohttp.ClientConnectorDNSError():
            return "The name of its host can't be resolved."
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "unknown reason"
            return f"Its TLS certificate isn't valid: {why}."
        case aiohttp.ClientSSLError():
            return "A TLS connection can't be made."
        case aiohttp.ClientConnectorError():
            # Not its strerror: asyncio writes the address into it.
            number = error.os_error.errno
            return f"It can't be connected to ({os.strerror(number) if number else 'no reason'})."
        case aiohttp.ClientResponseError():
            return NOT_HTTP
        case aiohttp.ClientError() | OSError():
            return "The connection ended before the answer was complete."
        case _:
            return f"Something unexpected happened ({type(error).__name__})."
