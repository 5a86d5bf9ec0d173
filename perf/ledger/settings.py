"""The project's settings, with the ledger's migrations among its own."""

from core.settings import *  # noqa: F403
from core.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "perf.ledger"]
