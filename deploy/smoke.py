"""The smoke: what a customer does, done by a made-up one through the API of one slot.

It signs in, uploads claims of a payer that drifts, waits until the alert is there and its signed
webhook has come, and resolves it. Each smoke has a payer of its own, so that the next one finds
nothing of this.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from deploy import claims
from deploy.api import Api
from deploy.commands import StageFailed
from deploy.config import Config
from deploy.database import Database
from deploy.receiver import Receiver

_POLL_SECONDS: Final = 0.1
# Each question is a connection to the database.
_JOBS_SECONDS: Final = 1.0
_LISTS: Final = (
    "/alert-rules", "/alerts", "/audit", "/claims", "/claims/payer-summary", "/cpt-groups",
    "/cpt-mappings", "/customers", "/drift-events", "/drift-events/active", "/drift-runs",
    "/memberships", "/payer-aliases", "/payers", "/tokens", "/uploads", "/webhook-deliveries",
    "/webhook-endpoints",
)  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the smoke's customer at our receiver."""

    id: int
    path: str


class Smoke:
    """Smokes of one deploy. Raises StageFailed, saying which step failed and how."""

    def __init__(
        self, config: Config, database: Database, receiver: Receiver, token: str, deploy: str
    ) -> None:
        self._config = config
        self._database = database
        self._receiver = receiver
        self._token = token
        self._deploy = deploy

    def api(self, port: int) -> Api:
        """A slot's API as the smoke's customer asks it."""
        return Api(port, self._config.smoke.host, self._token)

    def run(self, port: int, name: str) -> str:
        """One smoke; a sentence about it. `name` tells it from the others of this deploy."""
        api = self.api(port)
        began = time.monotonic()
        patience = _Patience(self._config, self._database)
        api.call("GET", "/auth/me")
        api.refuses("/auth/me", 401, token="")
        api.refuses("/claims?no_such_filter=1", 400)
        payer = f"Smoke {self._deploy} {name} {secrets.token_hex(2)}"
        with self.endpoint(api) as endpoint:
            self._upload(api, payer, patience)
            alert = self._alert(api, payer, patience)
            self._webhook(endpoint, payer, patience)
            for path in _LISTS:
                api.page(path)
            self._resolve(api, alert)
        return f"detected, told and resolved in {time.monotonic() - began:.1f} s"

    @contextmanager
    def endpoint(self, api: Api) -> Iterator[Endpoint]:
        """An endpoint for as long as this lasts. Those that a killed deploy left are deleted."""
        for left in api.page("/webhook-endpoints?page_size=100"):
            if left["url"].startswith(self._receiver.url("/")):
                api.call("DELETE", f"/webhook-endpoints/{left['id']}", expect=204)
        path = f"/{secrets.token_hex(8)}"
        body = {"url": self._receiver.url(path), "description": "A deploy's smoke"}
        made = api.call("POST", "/webhook-endpoints", body, expect=201)
        self._receiver.expect(path, made["secret"])
        try:
            yield Endpoint(made["id"], path)
        finally:
            # If this fails, something else has.
            with suppress(StageFailed):
                api.call("DELETE", f"/webhook-endpoints/{made['id']}", expect=204)

    def _upload(self, api: Api, payer: str, patience: "_Patience") -> None:
        prefix = f"S{time.time_ns():x}"
        content = claims.drifting(payer, prefix, datetime.now(UTC).date())
        upload = api.call("POST", "/uploads?filename=smoke.csv", csv=content, expect=202)
        while True:
            upload = api.call("GET", f"/uploads/{upload['id']}")
            if upload["status"] == "completed":
                break
            if upload["status"] == "failed":
                raise StageFailed(f"The upload failed: {upload['error']}")
            patience.wait(f"The upload is still {upload['status']}. Does a worker run?")
        rows = content.count(b"\n") - 1
        if upload["rows_inserted"] != rows:
            raise StageFailed(f"{upload['rows_inserted']} of {rows} uploaded claims were loaded.")

    def _alert(self, api: Api, payer: str, patience: "_Patience") -> dict[str, Any]:
        [found] = [p for p in api.page(f"/payers?search={_quoted(payer)}") if p["name"] == payer]
        path = f"/alerts?payer={found['id']}&metric=DENIAL_RATE&status=open"
        while not (alerts := api.page(path)):
            patience.wait("Detection opened no alert, though the payer denies ten times as "
                        "much as before. Does a worker run?")  # fmt: skip
        alert: dict[str, Any] = alerts[0]
        return alert

    def _webhook(self, endpoint: Endpoint, payer: str, patience: "_Patience") -> None:
        def tells_of_it(event: dict[str, Any]) -> bool:
            return event["type"] == "alert.opened" and payer in str(event["data"])

        while not self._receiver.has_genuine(endpoint.path, tells_of_it):
            came = self._receiver.summary(endpoint.path)
            patience.wait(f"The alert's webhook didn't come; what came: {came}.")

    def _resolve(self, api: Api, alert: dict[str, Any]) -> None:
        path = f"/alerts/{alert['id']}"
        api.call("POST", f"{path}/resolve", {"note": "The smoke is over."})
        if (status := api.call("GET", path)["status"]) != "resolved":
            raise StageFailed(f"The alert was resolved, and is {status}.")


class _Patience:
    """How long a smoke waits for what the worker does; no longer than that can still succeed."""

    def __init__(self, config: Config, database: Database) -> None:
        self._smoke = config.smoke
        self._database = database
        self._since = database.clock()
        self._deadline = time.monotonic() + config.smoke.seconds
        self._jobs_at = time.monotonic() + _JOBS_SECONDS

    def wait(self, says: str) -> None:
        """A moment. Raises StageFailed when all the time is over, saying what was waited for."""
        if time.monotonic() > self._deadline:
            raise StageFailed(f"{says} So it was after {self._smoke.seconds:g} s.")
        if time.monotonic() >= self._jobs_at:
            if failed := self._database.failed_jobs(self._since, self._smoke.customer):
                raise StageFailed(f"The job {failed[0]} failed; the worker's log says why. {says}")
            self._jobs_at = time.monotonic() + _JOBS_SECONDS
        time.sleep(_POLL_SECONDS)


def _quoted(text: str) -> str:
    return text.replace(" ", "%20")
