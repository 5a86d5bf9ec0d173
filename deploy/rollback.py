"""The way back: traffic, processes, migrations, functions; then whether all is as it was.

Every step may be done again, also by another process after this one was killed: they look at what
is, and at the journal for what it was.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from deploy.commands import StageFailed
from deploy.host import Deployment, Host
from deploy.journal import Record, has
from deploy.release import Migration
from deploy.stages import session_name

# What `--accept` leaves out.
DATABASE_STEPS: Final = ("rollback.migrations", "rollback.functions", "rollback.compare")
_START_SECONDS: Final = 60.0
# What never had a customer's request has nothing to finish.
_UNUSED_SECONDS: Final = 5.0
_PAUSES: Final = (2.0, 5.0)
_CLOCKS: Final = timedelta(minutes=1)


class Rollback:
    """Takes a deploy back. Raises StageFailed where it can't."""

    def __init__(self, host: Host, deployment: Deployment, records: list[Record]) -> None:
        self._host = host
        self._deployment = deployment
        self._records = records

    def all(self) -> list[tuple[str, Callable[[], str]]]:
        """Its steps, as journal and report have them."""
        return [
            ("rollback.traffic", self.traffic),
            ("rollback.processes", self.processes),
            ("rollback.migrations", self.migrations),
            ("rollback.functions", self.functions),
            ("rollback.compare", self.compare),
            ("rollback.jobs", self.jobs),
        ]

    def traffic(self) -> str:
        """The public port leads to what was live, which runs."""
        host, live = self._host, self._deployment.live
        if live:
            for name in (f"web-{live}", f"worker-{live}"):
                host.processes.start(name)
                if not self._deployment.repair:
                    host.processes.wait_running(name, _START_SECONDS)
        host.traffic.lead_to(live)
        return f"leads to {live or 'nobody'}"

    def processes(self) -> str:
        """Nothing of the release runs; the idle slot holds what it held."""
        host, slot = self._host, self._deployment.slot
        had_traffic = has(self._records, "switch", "begin")
        if had_traffic:
            host.traffic.drain(slot, host.config.times.drain)
        seconds = host.config.times.stop if had_traffic else _UNUSED_SECONDS
        host.processes.stop([f"web-{slot}", f"canary-{slot}"], seconds)
        host.processes.stop([f"worker-{slot}"], host.config.times.stop)
        former = self._deployment.former
        host.layout.put(slot, None if former is None else host.release(former).path)
        return f"web-{slot} and worker-{slot} stopped"

    def migrations(self) -> str:
        """What the release has migrated is reversed, by its own code."""
        host, deployment = self._host, self._deployment
        if not has(self._records, "migrate", "begin"):
            return "none were applied"
        # A deployer that was killed may have left one running on the server.
        host.database.end_sessions(session_name(deployment))
        before = host.snapshot(deployment).migrations
        if not before:
            return "the database was empty before: its tables stay, nothing uses them"
        for pause in (*_PAUSES, None):
            try:
                return self._reverse(before)
            except StageFailed as failure:
                if pause is None:
                    raise
                host.say(f"rollback  {str(failure).splitlines()[0]} Trying again ...")
                time.sleep(pause)
        raise AssertionError

    def functions(self) -> str:
        """The stored functions are what they were."""
        snapshot = self._host.snapshot(self._deployment)
        if not has(self._records, "migrate", "begin") or not snapshot.migrations:
            return "none were changed"
        restored = self._host.database.restore_functions(snapshot.functions)
        return f"restored {', '.join(restored)}" if restored else "all as before"

    def compare(self) -> str:
        """Schema, privileges, functions, indexes and migrations are as they were."""
        snapshot = self._host.snapshot(self._deployment)
        if not has(self._records, "migrate", "begin") or not snapshot.migrations:
            return "the database was not touched"
        if found := snapshot.differences(self._host.database):
            raise StageFailed("The database isn't what it was:\n" + "\n".join(found))
        return "schema, privileges, functions, indexes and migrations as before"

    def jobs(self) -> str:
        """What the release's worker failed at is tried again, by the old one."""
        switches = [r["at"] for r in self._records if r["stage"] == "switch"]
        if not switches or self._deployment.live is None:
            return "none were touched"
        # The server's clock may be another one; a job that failed before loses nothing by it.
        since = datetime.fromisoformat(switches[0]) - _CLOCKS
        queued = self._host.database.retry_failed_jobs(since.isoformat())
        return (
            f"{queued} that failed since the switch are queued again" if queued else "none failed"
        )

    def _reverse(self, before: set[tuple[str, str]]) -> str:
        host = self._host
        release = host.release(self._deployment.release)
        environment = host.environments.migrator
        now = host.database.migrations()
        if now == before and has(self._records, "migrate", "done"):
            return "none were applied"
        plan, _ = release.probe(environment, host.config.times.check, plan_only=True)
        extra = [migration for migration in plan if migration.key in now - before]
        if half := self._half_applied(plan, now):
            # It did some of its work and isn't recorded: recorded, it can be reversed.
            release.manage("migrate", half.app, half.name, "--fake", "--no-input",
                           environment=environment, seconds=host.config.times.migrate)  # fmt: skip
            extra.append(half)
        if not extra:
            return "none were applied"
        # The newest first: Django reverses what depends on them, whatever app it is of.
        for app in dict.fromkeys(migration.app for migration in reversed(extra)):
            kept = [m.name for m in plan if m.app == app and m.key in before]
            release.manage("migrate", app, kept[-1] if kept else "zero", "--no-input",
                           environment=environment, seconds=host.config.times.migrate)  # fmt: skip
        return "reversed " + ", ".join(f"{m.app}.{m.name}" for m in reversed(extra))

    def _half_applied(self, plan: list[Migration], now: set[tuple[str, str]]) -> Migration | None:
        """The migration that may have done some of its work: the first that isn't recorded."""
        if has(self._records, "migrate", "done"):
            return None
        first = next((migration for migration in plan if migration.key not in now), None)
        return None if first is None or first.is_atomic else first
