"""manage.py token: a token for the API."""

import argparse
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from core import functions, tokens
from core.errors import explain, sqlstate
from core.management.lookup import find_customer, find_user
from core.models import ApiToken, User

MOST_DAYS = 366


class Command(BaseCommand):
    help = (
        "Makes a token for a user and prints it, this once: a member's works at one customer, a "
        "superuser's without --customer at all of them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="whose token it is")
        parser.add_argument("--customer", metavar="SLUG", help="the customer that it works at")
        parser.add_argument("--name", required=True, help="what it is for, to recognise it by")
        parser.add_argument(
            "--scope",
            choices=ApiToken.Scope.values,
            default="read",
            help="whether it may change things, or only read them (default: read)",
        )
        parser.add_argument(
            "--days", type=days, default=90, help="for how long it is valid (default: 90)"
        )

    def handle(self, *, email: str, customer: str | None, **options: Any) -> None:
        user = find_user(email)
        if customer is None and not user.is_superuser:
            raise CommandError(
                f"{user.email} is no superuser, so say for which customer: --customer SLUG."
            )
        try:
            token = create_token(
                user, find_customer(customer).pk if customer else None,
                options["name"], options["scope"], options["days"],
            )  # fmt: skip
        except DatabaseError as error:
            if sqlstate(error) == "22001":
                raise CommandError("The name may have 100 characters.") from error
            if sqlstate(error) == "23514":
                raise CommandError("The name must not be empty.") from error
            raise CommandError(explain(error)) from error
        self.stdout.write(token)


def create_token(user: User, customer_id: int | None, name: str, scope: str, days: int) -> str:
    """Add a token and return it; customer None: a superuser's, for all customers."""
    token, prefix, digest = tokens.generate()
    expires_at = timezone.now() + timedelta(days=days)
    if customer_id is None:
        functions.tenancy_create_superuser_token(
            user_id=user.pk, name=name, prefix=prefix, digest=digest, scope=scope,
            expires_at=expires_at,
        )  # fmt: skip
    else:
        functions.tenancy_create_token(
            customer_id=customer_id, user_id=user.pk, name=name, prefix=prefix, digest=digest,
            scope=scope, expires_at=expires_at,
        )  # fmt: skip
    return token


def days(text: str) -> int:
    """A number of days that a token may be valid for."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"give 1 to {MOST_DAYS} days")
    return int(text)
