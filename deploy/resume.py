"""python -m deploy.resume: starts what was live. supervisord runs it once, as it starts."""

import os
import sys
from pathlib import Path

from deploy.commands import StageFailed
from deploy.layout import Layout, Refused
from deploy.processes import Processes


def main() -> int:
    # No more than it needs: this is a reboot, and nothing else may keep the API from starting.
    layout = Layout(Path(os.environ["DEPLOY_ROOT"]))
    try:
        live = layout.read_live()
        if live is None:
            print("Nothing was deployed yet.")
            return 0
        processes = Processes(layout, set())
        for kind in ("web", "worker"):
            processes.start(f"{kind}-{live}")
        print(f"Started {live}: {layout.release_of(live)}")
    except (Refused, StageFailed) as error:
        print(f"What was live can't be started: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
