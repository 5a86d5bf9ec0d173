"""Runs the stages, and takes them back when one fails; finishes what a killed deployer left."""

import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.commands import StageFailed
from deploy.host import Deployment, Host
from deploy.journal import DEPLOY, Record, has
from deploy.layout import Refused
from deploy.receiver import Receiver
from deploy.rollback import DATABASE_STEPS, Rollback
from deploy.stages import Stages, retire

DEPLOYED: Final = 0
ROLLED_BACK: Final = 1
STUCK: Final = 2
REFUSED: Final = 3
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody told the deployer to stop."""


class Deployer:
    """Deploys on one host. Each method returns an exit code."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def deploy(self, path: Path, *, repair: bool) -> int:
        """Deploy a release. Raises Refused, having done nothing."""
        host = self._host
        if not path.is_dir():
            raise Refused(f"There is no release {path}.")
        if unfinished := host.journal.unfinished():
            raise Refused(
                f"The deploy {unfinished[0]['deploy']} was killed or got stuck at "
                f"{unfinished[-1]['stage']}. First finish it: --recover."
            )
        with Receiver(host.config.ports.receiver) as receiver:
            deployment = Deployment.plan(path.resolve(), host.layout, repair=repair)
            # One that comes now is dealt with when there is something to take back.
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            host.journal.write(deployment.id, DEPLOY, "begin", **deployment.record())
            self._tell(deployment, "started", f"Deploy {deployment.id} to {deployment.slot}.")
            host.say(f"{DEPLOY:9} {deployment.id}: {path.name} to {deployment.slot}; live is "
                     f"{deployment.live or 'nothing'}")  # fmt: skip
            try:
                _on_signals(_interrupt)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
                for name, work in Stages(host, deployment, receiver).all():
                    self._do(deployment, name, work)
                _on_signals(_ignore)
            except (Interrupted, Exception) as failure:
                _on_signals(_ignore)
                return self._take_back(deployment, _reason(failure))
            return self._complete(deployment)

    def recover(self, *, accept: bool) -> int:
        """Finish what a killed or stuck deploy left: forwards once it was baked, else back.

        `accept`: leave the database as it is, and take that for what it should be.
        """
        records = self._host.journal.unfinished()
        if not records:
            self._host.say("recover   Nothing to recover: the last deploy ended in order.")
            return DEPLOYED
        deployment = Deployment.recorded(records)
        self._host.journal.write(deployment.id, "recover", "begin")
        self._host.say(f"recover   {deployment.id} ended at {records[-1]['stage']} "
                       f"({records[-1]['status']})")  # fmt: skip
        _on_signals(_ignore)
        # Not if it was on its way back already.
        goes_back = any(r["stage"].startswith("rollback") for r in records)
        if has(records, "bake", "done") and not goes_back:
            return self._complete(deployment)
        reasons = [r["reason"] for r in records if r["status"] == "failed"]
        return self._take_back(
            deployment, reasons[0] if reasons else "The deployer was killed.", accept=accept
        )

    def _complete(self, deployment: Deployment) -> int:
        """The new release is trusted: there's no way back from here, and none is needed."""
        host = self._host
        try:
            self._do(deployment, "retire", lambda: retire(host, deployment))
        except Exception as failure:
            reason = _reason(failure)
            host.journal.write(deployment.id, DEPLOY, "stuck", failed_stage="retire", reason=reason)
            self._tell(deployment, "deployed, but the old release couldn't be stopped", reason)
            host.say(
                f"{Path(deployment.release).name} IS DEPLOYED, but what was live before couldn't "
                "be stopped. Put right what is said above, then run --recover."
            )
            return STUCK
        host.journal.write(deployment.id, DEPLOY, "done")
        self._tell(deployment, "deployed", f"Deploy {deployment.id}; {deployment.slot} is live.")
        host.say(f"Deployed {Path(deployment.release).name}: {deployment.slot} is live.")
        return DEPLOYED

    def _take_back(self, deployment: Deployment, reason: str, *, accept: bool = False) -> int:
        host = self._host
        records = [r for r in host.journal.read() if r["deploy"] == deployment.id]
        stage = _failed_stage(records)
        name = Path(deployment.release).name
        steps = Rollback(host, deployment, records).all()
        try:
            for step, work in steps:
                if accept and step in DATABASE_STEPS:
                    continue
                self._do(deployment, step, work)
        except Exception as failure:
            why = _reason(failure)
            host.journal.write(deployment.id, DEPLOY, "stuck", failed_stage=stage, reason=why)
            self._tell(deployment, f"COULD NOT BE ROLLED BACK (failed at {stage})", why)
            host.say(
                f"COULD NOT ROLL BACK {name}, which failed at {stage}: {_first_line(reason)} "
                "Put right what is said above, then run --recover: it goes on from there. "
                'docs/deployment.md, "Exit code 2", says how.'
            )
            return STUCK
        host.journal.write(
            deployment.id, DEPLOY, "rolled_back", failed_stage=stage, reason=reason, accepted=accept
        )
        self._tell(deployment, f"rolled back (failed at {stage})", reason)
        host.say(f"Rolled back {name} at {stage}: {_first_line(reason)}")
        return ROLLED_BACK

    def _do(self, deployment: Deployment, name: str, work: Callable[[], str]) -> None:
        """One stage, in journal and report. Raises what it raises."""
        host = self._host
        host.journal.write(deployment.id, name, "begin")
        try:
            what = work()
        except BaseException as failure:
            reason = _reason(failure)
            host.journal.write(deployment.id, name, "failed", reason=reason)
            host.say(f"{name:9} FAILED: {reason}")
            if not isinstance(failure, (StageFailed, Interrupted)):
                host.say(traceback.format_exc())
            raise
        host.journal.write(deployment.id, name, "done", what=what)
        host.say(f"{name:9} {what}")

    def _tell(self, deployment: Deployment, what: str, text: str) -> None:
        # The first line: what follows it is a log's, which stays on the host.
        self._host.notifier.tell(f"{Path(deployment.release).name} {what}", _first_line(text))


def _ignore(number: int, frame: object) -> None:
    # Not print: it might be in the middle of that.
    with suppress(OSError):
        os.write(2, b"Too late to stop: this ends by itself, and soon.\n")


def _interrupt(number: int, frame: object) -> None:
    # Once: what is done next takes the deploy back, and isn't to be interrupted.
    _on_signals(_ignore)
    raise Interrupted(f"The deployer was told to stop ({signal.Signals(number).name}).")


def _on_signals(handler: Callable[[int, object], None]) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _failed_stage(records: list[Record]) -> str:
    """The last stage on the way there that began and didn't end well."""
    stages = [
        record["stage"]
        for record in records
        if record["status"] in {"begin", "failed"}
        and not record["stage"].startswith((DEPLOY, "recover", "rollback"))
    ]
    return stages[-1] if stages else DEPLOY


def _reason(failure: BaseException) -> str:
    if isinstance(failure, (StageFailed, Interrupted)):
        return str(failure)
    return f"A defect of the deployer: {type(failure).__name__}: {failure}"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
