"""`makemigrations` that knows about models, triggers and the stored logic in `sql/`."""

from django.core.management.commands import makemigrations

from core.autodetector import Autodetector


class Command(makemigrations.Command):
    autodetector = Autodetector
