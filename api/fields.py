"""Serializers that take what the documentation says and nothing else."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.db import models
from rest_framework import serializers
from rest_framework.fields import empty

DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


class StrictCharField(serializers.CharField):
    """Text: 0 doesn't become "0"."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StrictFloatField(serializers.FloatField):
    """A JSON number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            return float(super().to_internal_value(data))
        except OverflowError:
            self.fail("invalid")


class StrictDecimalField(serializers.DecimalField):
    """A number as text: as JSON's numbers it could lose a cent on its way."""

    default_error_messages = {"invalid": 'Give a number as text, such as "12.50".'}

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        # DRF's own takes blanks for null.
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not DECIMAL.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """true or false, and no word that sounds like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictChoiceField(serializers.ChoiceField):
    """One of the documented words."""

    default_error_messages = {"invalid_choice": "Give one of {words}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", words=", ".join(self.choices))
        return data


class ReferenceField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of another object of the same customer.

    Somebody else's object and a missing one get the same answer.
    """

    default_error_messages = {
        "does_not_exist": "There is no such object.",
        "incorrect_type": "Give the object's id, a whole number.",
    }

    def get_queryset(self) -> Any:
        queryset = super().get_queryset()
        if queryset is None:
            return None
        view = self.context["view"]
        return (
            queryset if view.customer_id is None else queryset.filter(customer_id=view.customer_id)
        )

    def run_validation(self, data: Any = empty) -> Any:
        if data == "":  # DRF takes it for null.
            self.fail("incorrect_type")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type")
        if not 0 < data < 2**63:
            self.fail("does_not_exist")
        return super().to_internal_value(data)

    def use_pk_only_optimization(self) -> bool:
        return True


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it doesn't know, and those that can't be set.

    `Meta.descriptions` explains the fields, `Meta.example` is an example of a whole answer; both
    go into the API's documentation.
    """

    descriptions: ClassVar[dict[str, str]] = {}
    example: ClassVar[dict[str, Any]] = {}

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for name, field in fields.items():
            field.help_text = self.descriptions.get(name) or COMMON.get(name) or field.help_text
        return fields

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, Mapping):
            fields = self.fields
            errors = {
                str(name): [
                    serializers.ErrorDetail("This field can't be set.", "read_only")
                    if name in fields
                    else serializers.ErrorDetail(
                        "There is no such field. Those that can be set: "
                        + ", ".join(n for n, f in fields.items() if not f.read_only)
                        + ".",
                        "unknown",
                    )
                ]
                for name in data
                if name not in fields or fields[name].read_only
            }
            if errors:
                raise serializers.ValidationError(errors)
        return super().run_validation(data)


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[Any]):
    """The same for a model's rows."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: StrictCharField,
        models.TextField: StrictCharField,
        models.EmailField: serializers.EmailField,
        models.IntegerField: StrictIntegerField,
        models.BigIntegerField: StrictIntegerField,
        models.FloatField: StrictFloatField,
        models.DecimalField: StrictDecimalField,
        models.BooleanField: StrictBooleanField,
    }
    serializer_choice_field = StrictChoiceField
    serializer_related_field = ReferenceField

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """Where the database has a default, a field may be left out."""
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        if model_field.has_db_default() and not kwargs.get("read_only"):
            kwargs["required"] = False
        if model_field.null:
            # There is one way to say nothing: null.
            kwargs.pop("allow_blank", None)
        return field_class, kwargs

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        """Write what was named, and leave the other columns to whoever changes them."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if validated_data:
            instance.save(update_fields=list(validated_data))
        return instance

    def get_unique_validators(self) -> list[Any]:
        """The database decides: a check beforehand would only race with it."""
        return []

    def get_unique_together_validators(self) -> list[Any]:
        return []


COMMON = {
    "id": "Its number. Ids grow over time and are never used twice.",
    "customer": "The id of the customer it belongs to.",
    "payer": "The payer's id.",
    "payer_name": "The payer's name.",
    "cpt_group": "The id of the group of procedures; null stands for the payer as a whole.",
    "cpt_group_name": "The name of the group of procedures; null for the payer as a whole.",
    "created_at": "When it was created.",
    "metric": (
        "What is watched: DENIAL_RATE (share of decided claim lines that were denied), "
        "DECISION_DAYS (median days from submission to the first decision) or SILENCE (days "
        "without any decision)."
    ),
}
