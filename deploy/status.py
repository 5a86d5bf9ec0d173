"""python -m deploy --status: what is live, what runs, and how the last deploys ended."""

from pathlib import Path
from typing import Final

from deploy.commands import StageFailed
from deploy.config import SLOTS
from deploy.host import Host
from deploy.journal import DEPLOY

_DEPLOYS: Final = 5


def report(host: Host) -> str:
    """It all, in lines. Raises Refused and JournalError."""
    live = host.layout.read_live()
    lines = [f"live      {live or 'nothing'}"]
    for slot in SLOTS:
        release = host.layout.release_of(slot)
        lines.append(f"{slot:9} {release or 'empty'}")
        for kind in ("web", "worker", "canary"):
            try:
                process = host.processes.of(f"{kind}-{slot}")
                lines.append(f"    {process.name:14} {process.state:9} {process.reason}")
            except StageFailed as failure:
                lines.append(f"    {failure}")
                break
        try:
            counters = host.traffic.counters(slot)
            lines.append(f"    HAProxy        {counters.status:9} {counters.check}")
        except StageFailed as failure:
            lines.append(f"    {failure}")
    return "\n".join([*lines, *_deploys(host)])


def _deploys(host: Host) -> list[str]:
    records = host.journal.read()
    lines = []
    for deploy in list(dict.fromkeys(r["deploy"] for r in records))[-_DEPLOYS:]:
        own = [r for r in records if r["deploy"] == deploy]
        last = own[-1]
        ending = last["status"] if last["stage"] == DEPLOY else f"at {last['stage']}"
        if "failed_stage" in last:
            ending += f" (failed at {last['failed_stage']})"
        lines.append(f"{deploy}  {Path(own[0]['release']).name}: {ending}, {last['at']}")
    if unfinished := host.journal.unfinished():
        lines.append(
            f"{unfinished[0]['deploy']} runs, or was killed, or is stuck. If none runs: --recover"
        )
    return ["", *lines] if lines else ["", "Nothing was deployed yet."]
