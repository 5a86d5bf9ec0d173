"""python -m deploy RELEASE --config FILE; also --recover and --status."""

import argparse
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from deploy import status
from deploy.commands import StageFailed
from deploy.config import ConfigError, read_config
from deploy.deployer import REFUSED, STUCK, Deployer
from deploy.host import Host
from deploy.journal import JournalError
from deploy.layout import Refused

_OWN = Path(__file__).resolve().parent


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse's own 2 would say that a rollback didn't work.
        self.print_usage(sys.stderr)
        self.exit(REFUSED, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m deploy",
        description="Deploys a release without downtime, and takes it back if it is no good.",
        epilog="Exit code 0: deployed (or nothing to do). 1: rolled back completely. 2: neither "
        "was possible, somebody has to act. 3: refused, nothing was done. docs/deployment.md",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("release", nargs="?", type=Path, metavar="RELEASE", help="its directory")
    what.add_argument(
        "--recover", action="store_true", help="finish what a killed or stuck deploy left"
    )
    what.add_argument("--status", action="store_true", help="show what is live and what runs")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="the live release is known to be broken: don't expect it to run or to pass a smoke",
    )
    parser.add_argument(
        "--accept",
        action="store_true",
        help="with --recover: take the database as it is; don't reverse and compare",
    )
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        host = Host(read_config(arguments.config))
        if arguments.status:
            print(status.report(host))
            return 0
        host.layout.read_live()
        with host.layout.locked():
            deployer = Deployer(host)
            try:
                if arguments.recover:
                    return deployer.recover(accept=arguments.accept)
                release: Path = arguments.release
                if _OWN.is_relative_to(release.resolve()):
                    raise Refused(
                        f"This deployer is {release}'s own. Use one that lies elsewhere: it must "
                        "not depend on what it judges."
                    )
                host.processes.check("haproxy")
                return deployer.deploy(release, repair=arguments.repair)
            finally:
                host.notifier.finish()
    except (ConfigError, Refused, JournalError, StageFailed) as error:
        print(f"Refused: {error}", file=sys.stderr)
        return REFUSED
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        print("A defect of the deployer. `--status` says what is live, `--recover` goes on.",
              file=sys.stderr)  # fmt: skip
        return STUCK


if __name__ == "__main__":
    sys.exit(main())
