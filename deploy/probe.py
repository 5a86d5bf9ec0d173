"""Run by a release's own interpreter, in its folder: can it be read, and what does it migrate?

Prints JSON: the migrations in the order in which they are applied, [app, name, atomic] each, and
the names of all that are there.
"""

import json
import os
import sys
from io import StringIO

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.migrations.loader import MigrationLoader  # noqa: E402

if "--plan-only" not in os.environ.get("DEPLOY_PROBE", ""):
    call_command("check", stdout=StringIO())
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=(changes := StringIO()))
    except SystemExit:
        sys.exit(
            f"Its models differ from its migrations; run makemigrations:\n{changes.getvalue()}"
        )
    import core.wsgi  # noqa: F401 (what gunicorn imports)

loader = MigrationLoader(None)
plan: list[tuple[str, str]] = []
for leaf in sorted(loader.graph.leaf_nodes()):
    plan += [node for node in loader.graph.forwards_plan(leaf) if node not in plan]
found = {
    "plan": [[app, name, loader.graph.nodes[app, name].atomic] for app, name in plan],
    "known": sorted(loader.disk_migrations),
}
print(json.dumps(found))
