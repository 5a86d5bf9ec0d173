"""The stages of a deploy, in order. Each raises StageFailed; rollback.py takes back what it did."""

import json
import time
from collections.abc import Callable
from typing import Final

from deploy.api import Api
from deploy.bake import bake
from deploy.commands import StageFailed
from deploy.customer import token_for
from deploy.environment import with_application_name
from deploy.host import Deployment, Host
from deploy.layout import replace_durably
from deploy.processes import Process
from deploy.receiver import Receiver
from deploy.release import Migration
from deploy.smoke import Smoke
from deploy.traffic import Counters

# So often in a row /health/ready must be well, each asked on a new connection.
_HEALTHY_TIMES: Final = 3
_POLL_SECONDS: Final = 0.2
# A program's startsecs, and Python's imports before.
_START_SECONDS: Final = 30.0


class Stages:
    """One deploy's stages, which hand on to each other what they found."""

    def __init__(self, host: Host, deployment: Deployment, receiver: Receiver) -> None:
        self._host = host
        self._deployment = deployment
        self._receiver = receiver
        self._release = host.release(deployment.release)
        self._web = f"web-{deployment.slot}"
        self._worker = f"worker-{deployment.slot}"
        self._canary = f"canary-{deployment.slot}"
        self._plan: list[Migration] = []
        self._smoke: Smoke | None = None
        # What `start` and `switch` leave to those after them.
        self._process: Process
        self._before: Counters
        self._switched_at: str

    def all(self) -> list[tuple[str, Callable[[], str]]]:
        """Their names, as journal and report have them, and what each does."""
        stages = [
            ("check", self.check),
            ("snapshot", self.snapshot),
            ("migrate", self.migrate),
            ("smoke_old", self.smoke_old),
            ("start", self.start),
            ("healthy", self.healthy),
            ("preview", self.preview),
            ("canary", self.canary),
            ("switch", self.switch),
            ("bake", self.bake),
        ]
        if self._deployment.live is None or self._deployment.repair:
            stages = [stage for stage in stages if stage[0] != "smoke_old"]
        return stages

    def check(self) -> str:
        """The host is in order, and the release can be read, imported and migrated to."""
        host, deployment = self._host, self._deployment
        if host.traffic.live() != deployment.live:
            raise StageFailed(
                f"HAProxy leads to {host.traffic.live()}, {host.layout.live_map} to "
                f"{deployment.live}. Find out which is right, and restart HAProxy or change the "
                "file."
            )
        if deployment.live and not deployment.repair:
            for name in (f"web-{deployment.live}", f"worker-{deployment.live}"):
                if not host.processes.of(name).is_running:
                    raise StageFailed(
                        f"{name} of the live release isn't running. Start it (supervisorctl start "
                        f"{name}), or say --repair if this release is what repairs it."
                    )
        self._release.check_complete()
        self._plan, known = self._release.probe(host.environments.migrator, host.config.times.check)
        applied = host.database.migrations()
        if unknown := sorted(applied - known):
            raise StageFailed(
                f"The database has migrations that {self._release.name} doesn't know: "
                f"{', '.join('.'.join(key) for key in unknown[:5])}. It is older than what was "
                "deployed last: revert the change in a new release instead."
            )
        pending = sum(migration.key not in applied for migration in self._plan)
        return f"{self._release.name} can be read; {pending} migrations to apply"

    def snapshot(self) -> str:
        """What the database is, for the way back."""
        return self._host.snapshot(self._deployment).take(self._host.database)

    def migrate(self) -> str:
        """The release's migrations, which the live release must bear."""
        host = self._host
        before = host.snapshot(self._deployment).migrations
        pending = [migration for migration in self._plan if migration.key not in before]
        if not pending:
            return "nothing to do"
        environment = dict(host.environments.migrator)
        environment["DATABASE_URL"] = with_application_name(
            environment["DATABASE_URL"], session_name(self._deployment)
        )
        self._release.manage(
            "migrate", "--no-input", environment=environment, seconds=host.config.times.migrate
        )
        if missing := {migration.key for migration in pending} - host.database.migrations():
            raise StageFailed(f"migrate ended well, but didn't apply {sorted(missing)}.")
        return ", ".join(f"{migration.app}.{migration.name}" for migration in pending)

    def smoke_old(self) -> str:
        """The live release works on the new schema."""
        deployment = self._deployment
        port = self._host.config.ports.of(str(deployment.live))
        try:
            return self._smoker().run(port, "old")
        except StageFailed as failure:
            raise StageFailed(
                f"The live release doesn't work on the new schema (or didn't before): {failure}"
            ) from failure

    def start(self) -> str:
        """The release in the idle slot."""
        host, deployment = self._host, self._deployment
        names = [self._web, self._worker, self._canary]
        host.processes.stop(names, host.config.times.stop)
        host.layout.put(deployment.slot, self._release.path)
        replace_durably(
            host.layout.environment(deployment.slot),
            json.dumps(host.environments.of_slot()),
            mode=0o600,
        )
        host.traffic.expect_new(deployment.slot)
        host.processes.start(self._web)
        self._process = host.processes.wait_running(self._web, _START_SECONDS)
        if not self._has_live_worker():
            # There is nobody else to do the smoke's jobs, and nobody whose jobs it could spoil.
            host.processes.start(self._worker)
            host.processes.wait_running(self._worker, _START_SECONDS)
        return f"{self._web} on port {host.config.ports.of(deployment.slot)}"

    def healthy(self) -> str:
        """HAProxy finds it healthy, and so do we."""
        host, slot = self._host, self._deployment.slot
        port, host_name = host.config.ports.of(slot), host.config.smoke.host
        api = Api(port, host_name, token="")
        began = time.monotonic()
        answer, times = "no answer", 0
        while times < _HEALTHY_TIMES:
            if time.monotonic() - began > host.config.times.healthy:
                raise StageFailed(
                    f"{self._web} wasn't healthy within {host.config.times.healthy:g} s. "
                    f"/health/ready as {host_name}: {answer}; HAProxy: "
                    f"{host.traffic.counters(slot).check}.\n"
                    f"{host.processes.logged(self._web)}"
                )
            time.sleep(_POLL_SECONDS)
            self._expect_same_process()
            try:
                answer = str(api.ask("GET", "/health/ready", seconds=5.0).status)
            except StageFailed as failure:
                answer = str(failure)
            is_well = answer == "200" and host.traffic.counters(slot).is_up
            times = times + 1 if is_well else 0
        return f"after {time.monotonic() - began:.1f} s"

    def preview(self) -> str:
        """It does a customer's work, before customers can reach it."""
        return self._smoker().run(self._host.config.ports.preview, "new")

    def canary(self) -> str:
        """Its worker detects and delivers, from a queue that has nobody else's jobs."""
        host = self._host
        seconds = host.config.times.canary
        host.processes.start(self._canary)
        process = host.processes.wait_running(self._canary, _START_SECONDS)
        smoke = self._smoker()
        with smoke.endpoint(smoke.api(host.config.ports.preview)) as endpoint:
            try:
                self._release.manage(
                    "canary",
                    host.config.smoke.customer,
                    f"--seconds={seconds:g}",
                    environment=host.environments.worker,
                    seconds=seconds + 30,
                )
            except StageFailed as failure:
                raise StageFailed(f"{failure}\n{host.processes.logged(self._canary)}") from failure
            self._receiver.wait_for(endpoint.path, lambda e: e["type"] == "webhook.test", seconds)
        if host.processes.check(self._canary).identity != process.identity:
            raise StageFailed(f"{self._canary} was started anew meanwhile.")
        host.processes.stop([self._canary], host.config.times.stop)
        return "a detection and a webhook by the new worker"

    def switch(self) -> str:
        """Its worker takes everybody's jobs, and it gets the traffic."""
        host, slot = self._host, self._deployment.slot
        self._expect_same_process()
        self._switched_at = host.database.clock()
        host.processes.start(self._worker)
        host.processes.wait_running(self._worker, _START_SECONDS)
        self._before = host.traffic.counters(slot)
        if not self._before.is_up:
            raise StageFailed(f"HAProxy finds {slot} {self._before.status} ({self._before.check}).")
        host.traffic.lead_to(slot)
        return f"{self._deployment.live or 'nobody'} -> {slot}"

    def bake(self) -> str:
        """Real traffic doesn't fail."""
        return bake(self._host, self._deployment, self._before, self._switched_at)

    def _has_live_worker(self) -> bool:
        live = self._deployment.live
        return live is not None and self._host.processes.of(f"worker-{live}").is_running

    def _smoker(self) -> Smoke:
        """The smoke, whose customer the live release knows best, if there is one."""
        if self._smoke is None:
            host, deployment = self._host, self._deployment
            maker = deployment.release if deployment.repair else deployment.live_release
            release = host.release(maker or deployment.release)
            token = token_for(host.config, host.environments, release, deployment.id)
            host.secrets.add(token)
            self._smoke = Smoke(host.config, host.database, self._receiver, token, deployment.id)
        return self._smoke

    def _expect_same_process(self) -> None:
        process = self._host.processes.check(self._web)
        if process.identity != self._process.identity:
            raise StageFailed(
                f"{self._web} ended and was started anew.\n{self._host.processes.logged(self._web)}"
            )


def session_name(deployment: Deployment) -> str:
    """What the server calls the sessions of its migrations."""
    return f"deploy-{deployment.id}"


def retire(host: Host, deployment: Deployment) -> str:
    """Stop what was live before, when the requests that it has are answered."""
    if deployment.live is None:
        return "nothing was live before"
    if host.traffic.live() != deployment.slot:
        raise StageFailed(
            f"HAProxy leads to {host.traffic.live()}, not to {deployment.slot}, so nothing was "
            "stopped."
        )
    left = host.traffic.drain(deployment.live, host.config.times.drain)
    names = [f"{kind}-{deployment.live}" for kind in ("web", "worker", "canary")]
    host.processes.stop(names, host.config.times.stop)
    what = f"web-{deployment.live} and worker-{deployment.live} stopped"
    if left:
        what += f"; {left} requests were under way for more than {host.config.times.drain:g} s"
    return what
