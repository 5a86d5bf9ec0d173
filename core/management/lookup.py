"""Find what a command's arguments name, or say what there is."""

from django.core.management.base import CommandError

from core.models import Customer


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
