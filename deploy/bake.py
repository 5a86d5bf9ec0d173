"""The bake: whether the release bears real traffic, by what HAProxy and the queue count."""

import time
from typing import Final

from deploy.commands import StageFailed
from deploy.host import Deployment, Host
from deploy.traffic import Counters

# The queue is asked less often: each question is a connection to the database.
_QUEUE_SECONDS: Final = 2.0


def bake(host: Host, deployment: Deployment, before: Counters, switched_at: str) -> str:
    """Watch for the bake's time; a sentence about it. Raises StageFailed at the first failure."""
    names = [f"web-{deployment.slot}", f"worker-{deployment.slot}", "haproxy"]
    processes = {name: host.processes.check(name).identity for name in names}
    end = time.monotonic() + host.config.times.bake
    queue_at = time.monotonic() + _QUEUE_SECONDS
    while True:
        is_over = time.monotonic() >= end
        for name, identity in processes.items():
            if host.processes.check(name).identity != identity:
                raise StageFailed(
                    f"{name} ended and was started anew.\n{host.processes.logged(name)}"
                )
        counters = _check_traffic(host, deployment.slot, before)
        if is_over or time.monotonic() >= queue_at:
            _check_queue(host, switched_at)
            queue_at = time.monotonic() + _QUEUE_SECONDS
        if is_over:
            return f"{host.config.times.bake:g} s: {counters.since(before)}"
        time.sleep(host.config.times.poll)


def _check_traffic(host: Host, slot: str, before: Counters) -> Counters:
    counters = host.traffic.counters(slot)
    if counters.errors - before.errors > host.config.limits.errors:
        raise StageFailed(
            f"Under real traffic: {counters.since(before)}. Allowed are "
            f"{host.config.limits.errors} (limits.errors).\n"
            f"{host.processes.logged(f'web-{slot}')}"
        )
    if not counters.is_up:
        raise StageFailed(f"HAProxy finds {slot} {counters.status} ({counters.check}).")
    return counters


def _check_queue(host: Host, switched_at: str) -> None:
    failed = host.database.failed_jobs(switched_at)
    if len(failed) > host.config.limits.failed_jobs:
        raise StageFailed(
            f"{len(failed)} jobs have failed since the switch ({', '.join(sorted(set(failed)))}). "
            f"Allowed are {host.config.limits.failed_jobs} (limits.failed_jobs)."
        )
