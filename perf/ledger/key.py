"""The key that is to be unique, and the plain index that helps on the way."""

from django.db.models import Index, UniqueConstraint

KEY = UniqueConstraint(fields=["customer_id", "number"], name="ledger_entry_customer_number_key")
KEY_INDEX = Index(fields=["customer_id", "number"], name="ledger_entry_number_idx")
