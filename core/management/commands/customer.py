"""manage.py customer: add and list customers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core.errors import explain, sqlstate
from core.models import Customer


class Command(BaseCommand):
    help = "Adds a customer, with default drift settings and a default rule, or lists them all."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a customer")
        add.add_argument("slug", help="short name: lower-case letters, digits, single hyphens")
        add.add_argument("--name", required=True, help="the practice's full name")
        add.add_argument(
            "--time-zone",
            default="UTC",
            metavar="ZONE",
            help="where its days begin and end, such as America/New_York (default: UTC)",
        )
        actions.add_parser("list", help="list all customers")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "list":
            self._list()
        else:
            self._add(options["slug"], options["name"], options["time_zone"])

    def _add(self, slug: str, name: str, time_zone: str) -> None:
        try:
            customer = Customer.objects.create(slug=slug, name=name, time_zone=time_zone)
        except DatabaseError as error:
            raise CommandError(self._reason(error, slug)) from error
        self.stdout.write(f"Added customer {slug} (id {customer.pk}).")

    def _reason(self, error: DatabaseError, slug: str) -> str:
        """What was wrong with the arguments; raises the error again if they weren't to blame."""
        diagnosis = getattr(error.__cause__, "diag", None)
        match getattr(diagnosis, "constraint_name", None):
            case "customer_slug_key":
                return f"There is a customer {slug} already."
            case "customer_slug_check":
                return (
                    f"{slug} can't be a slug: only lower-case letters, digits and single hyphens "
                    "between them."
                )
            case "customer_name_check":
                return "The name must not be empty."
        if sqlstate(error) == "22001":
            return "Too long: a slug has at most 60 characters, a name 200, a time zone 64."
        return explain(error)

    def _list(self) -> None:
        rows = [("SLUG", "NAME", "TIME ZONE", "STATUS")]
        rows += Customer.objects.order_by("slug").values_list("slug", "name", "time_zone", "status")
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for slug, name, time_zone, status in rows:
            self.stdout.write(
                f"{slug:{widths[0]}}  {name:{widths[1]}}  {time_zone:{widths[2]}}  {status}"
            )
        if len(rows) == 1:
            self.stdout.write("None yet. Add one: manage.py customer add SLUG --name NAME")
