"""The smoke's own customer and user, and a token for one deploy."""

from deploy.commands import StageFailed
from deploy.config import Config
from deploy.environment import Environments
from deploy.release import Release

_SECONDS = 60.0


def token_for(config: Config, environments: Environments, release: Release, deploy: str) -> str:
    """A token that works for a day; the release makes customer and user if they're missing."""

    def manage(*arguments: str) -> str:
        return release.manage(*arguments, environment=environments.worker, seconds=_SECONDS).strip()

    slug = config.smoke.customer
    email = f"{slug}@deploy.invalid"
    ask = ("token", email, "--customer", slug, "--name", f"deploy {deploy}", "--scope", "write",
           "--days", "1")  # fmt: skip
    try:
        return manage(*ask)
    except StageFailed as first:
        # Nearly always they are there. What went wrong otherwise, goes wrong again.
        if "There is no" not in str(first):
            raise
    if slug not in {line.split()[0] for line in manage("customer", "list").splitlines()}:
        manage("customer", "add", slug, "--name", "The deployer's smoke (not a practice)")
    if not any(
        line.startswith(f"{email} ") and f"{slug} (admin)" in line
        for line in manage("user", "list").splitlines()
    ):
        # Its password is printed and kept by nobody.
        manage("user", "add", email, "--customer", slug, "--role", "admin")
    return manage(*ask)
