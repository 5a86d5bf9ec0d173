"""python -m deploy.supervise --config FILE: the host's processes, until SIGTERM.

Becomes supervisord, in the foreground, with the environment that supervisord.conf and haproxy.cfg
take their places from. A service manager starts this.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from deploy.config import Config, ConfigError, read_config
from deploy.environment import Environments
from deploy.layout import Layout

_PACKAGE = Path(__file__).resolve().parent.parent


def places(config: Config, haproxy: str) -> dict[str, str]:
    """The variables of supervisord.conf and haproxy.cfg."""
    variables = {
        "DEPLOY_ROOT": str(config.root),
        "DEPLOY_CONFIG": str(config.file),
        "DEPLOY_PACKAGE": str(_PACKAGE),
        "DEPLOY_PYTHON": sys.executable,
        "DEPLOY_HAPROXY": haproxy,
        "DEPLOY_PUBLIC": config.ports.public,
        "DEPLOY_PREVIEW": str(config.ports.preview),
        "DEPLOY_BLUE": str(config.ports.blue),
        "DEPLOY_GREEN": str(config.ports.green),
        "DEPLOY_HOST": config.smoke.host,
    }
    # haproxy.cfg asks whether they are defined.
    if config.tls_pem:
        variables["DEPLOY_TLS"] = str(config.tls_pem)
    if config.proxy_trusted:
        variables["DEPLOY_TRUSTED"] = "1"
    return variables


def find(program: str) -> str:
    """A program's path. Raises ConfigError."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH") or os.defpath, "/usr/sbin"]
    found = shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise ConfigError(f"{program} isn't installed. docs/deployment.md says how to get it.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.supervise")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    try:
        config = read_config(parser.parse_args().config)
        # Here, where somebody looks, rather than in a slot that won't start.
        Environments(config)
        supervisord, haproxy = find("supervisord"), find("haproxy")
        if config.tls_pem and not config.tls_pem.exists():
            raise ConfigError(f"{config.file}: tls.pem: there is no {config.tls_pem}.")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 3
    Layout(config.root).create()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DEPLOY_")}
    environment |= places(config, haproxy) | {"PYTHONPATH": str(_PACKAGE)}
    configuration = str(_PACKAGE / "deploy" / "supervisord.conf")
    os.execve(supervisord, [supervisord, "-n", "-c", configuration], environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
