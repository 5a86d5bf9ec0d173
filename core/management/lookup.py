"""Find what a command's arguments name, or say what there is."""

from django.core.management.base import CommandError

from core.models import Customer, User


def find_customer(slug: str) -> Customer:
    """The customer with this slug. Raises CommandError, naming those that exist."""
    customer = Customer.objects.filter(slug=slug).first()
    if customer is None:
        slugs = list(Customer.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(
            f"There is no customer {slug}. "
            + (
                f"There are: {', '.join(slugs)}."
                if slugs
                else "There are none yet: add one with `manage.py customer add`."
            )
        )
    return customer


def find_user(email: str) -> User:
    """The user with this address. Raises CommandError, saying how to add one."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise CommandError(f"There is no user {email}. Add one: manage.py user add {email}")
    return user
