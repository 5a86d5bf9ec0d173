"""`migrate` that knows about models, triggers and the stored logic in `sql/`."""

from django.core.management.commands import migrate

from core.autodetector import Autodetector


class Command(migrate.Command):
    autodetector = Autodetector
