"""manage.py user: add and list users."""

import secrets
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from core.management.lookup import find_customer
from core.models import Customer, Membership, User


class Command(BaseCommand):
    help = (
        "Adds a user, or adds one that exists to another customer; or lists all users. A password "
        "is made and printed once, unless one is read from standard input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a user, or a user to a customer")
        add.add_argument("email", metavar="EMAIL", help="the address to sign in with")
        add.add_argument("--name", default="", help="the person's name")
        add.add_argument("--customer", metavar="SLUG", help="the customer to work for")
        add.add_argument(
            "--role",
            choices=Membership.Role.values,
            help="what the user may do there (default: member)",
        )
        add.add_argument(
            "--superuser", action="store_true", help="may do everything, at all customers"
        )
        add.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        actions.add_parser("list", help="list all users")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "list":
            self._list()
        else:
            self._add(**options)

    def _add(
        self,
        *,
        email: str,
        name: str,
        customer: str | None,
        role: str | None,
        superuser: bool,
        password_stdin: bool,
        **options: Any,
    ) -> None:
        if role and not customer:
            raise CommandError("A role is one at a customer: name it with --customer SLUG.")
        email = email.strip().lower()
        employer = find_customer(customer) if customer else None
        former = User.objects.filter(email=email).first()
        if former and (superuser or password_stdin or name or not employer):
            raise CommandError(
                f"There is a user {email} already. Change them in the admin, or add them to a "
                "customer with --customer SLUG."
            )
        with transaction.atomic():
            if former is None:
                self._create(email, name, superuser, password_stdin)
            if employer:
                self._employ(former or User.objects.get(email=email), employer, role or "member")

    def _create(self, email: str, name: str, superuser: bool, password_stdin: bool) -> None:
        password = sys.stdin.readline().rstrip("\n") if password_stdin else None
        user = User(email=email, name=name, is_superuser=superuser, is_staff=superuser)
        try:
            validate_email(email)
            if password is not None:
                validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        made = secrets.token_urlsafe(12)
        user.set_password(made if password is None else password)
        user.save(force_insert=True)
        self.stdout.write(f"Added user {email} (id {user.pk}){', a superuser' * superuser}.")
        if password is None:
            self.stdout.write(f"Password, shown this once: {made}")

    def _employ(self, user: User, customer: Customer, role: str) -> None:
        try:
            with transaction.atomic():
                Membership.objects.create(customer=customer, user=user, role=role)
        except IntegrityError as error:
            raise CommandError(f"{user.email} works for {customer.slug} already.") from error
        self.stdout.write(f"{user.email} is {role} at {customer.slug}.")

    def _list(self) -> None:
        rows = [("EMAIL", "STATE", "CUSTOMERS")]
        places: dict[int, list[str]] = {}
        for membership in Membership.objects.select_related("customer").order_by("customer__slug"):
            places.setdefault(membership.user_id, []).append(
                f"{membership.customer.slug} ({membership.role})"
            )
        for user in User.objects.order_by("email"):
            state = "disabled" if not user.is_active else "superuser" * user.is_superuser
            own = places.get(user.pk, ["all"] if user.is_superuser else ["none"])
            rows.append((user.email, state or "active", ", ".join(own)))
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for email, state, where in rows:
            self.stdout.write(f"{email:{widths[0]}}  {state:{widths[1]}}  {where}")
        if len(rows) == 1:
            self.stdout.write("None yet. Add one: manage.py user add EMAIL --customer SLUG")
