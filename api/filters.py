"""Filters, search and ordering, as each list declares them; anything else is refused."""

from typing import Any, ClassVar, Final

from django import forms
from django.db import models
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from django_filters.constants import EMPTY_VALUES
from drf_spectacular.drainage import set_override
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

ChoiceFilter = filters.ChoiceFilter
DateFilter = filters.DateFilter
NumberFilter = filters.NumberFilter

MAX_ID: Final = 2**63 - 1
MAX_IDS: Final = 100
MAX_SEARCH: Final = 100


@models.CharField.register_lookup
class BeginsWith(models.Lookup):
    """PostgreSQL's `^@`. Under row-level security LIKE can't use an index, this can."""

    lookup_name = "begins_with"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", (*left_parameters, *right_parameters)


class Documented(filters.Filter):
    """A filter that says what its values look like; `label` says what it is for."""

    schema: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, label=label, **kwargs)
        set_override(self, "field", self.schema | {"description": label})


class IdFilter(Documented):
    """The id of another object; one that doesn't exist finds nothing."""

    field_class = forms.IntegerField
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **kwargs)


class IdListField(forms.CharField):
    """Ids separated by commas."""

    def clean(self, value: Any) -> list[int]:
        text = super().clean(value) or ""
        words = text.split(",") if text else []
        if any(not (w.isascii() and w.isdecimal() and len(w) < 19) for w in words):
            raise forms.ValidationError("Give ids separated by commas.", code="invalid")
        if len(words) > MAX_IDS:
            raise forms.ValidationError(f"Give at most {MAX_IDS} ids.", code="max_length")
        return [int(word) for word in words]


class IdListFilter(Documented):
    """Any of several ids."""

    field_class = IdListField
    schema = {"type": "string", "pattern": "^[0-9]{1,18}(,[0-9]{1,18}){0,99}$"}

    def __init__(self, *, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, lookup_expr="in", **kwargs)


class WordListField(forms.MultipleChoiceField):
    """Documented words separated by commas."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> list[str]:
        return value.split(",") if value else []


class WordListFilter(Documented):
    """Any of several documented words."""

    field_class = WordListField

    def __init__(self, *, field_name: str, choices: Any, label: str, **kwargs: Any) -> None:
        super().__init__(
            field_name=field_name, lookup_expr="in", choices=choices, label=label, **kwargs
        )
        words = "|".join(value for value, _ in choices)
        pattern = f"^({words})(,({words}))*$"
        set_override(self, "field", {"type": "string", "pattern": pattern, "description": label})


class FlagFilter(Documented, filters.ChoiceFilter):
    """true or false."""

    schema = {"type": "boolean"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], **kwargs)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs if value in EMPTY_VALUES else super().filter(qs, value == "true")


class ShareFilter(Documented, filters.NumberFilter):
    """A number from 0 to 1."""

    schema = {"type": "number", "minimum": 0, "maximum": 1}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1, **kwargs)


class TextFilter(Documented, filters.CharFilter):
    """Exactly this text."""

    schema = {"type": "string", "minLength": 1, "maxLength": 200}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, strip=False, **kwargs)


class TimeFilter(Documented, filters.IsoDateTimeFilter):
    """A moment, with its time zone."""

    schema = {"type": "string", "format": "date-time"}


class PresenceFilter(FlagFilter):
    """Whether there is a value at all."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value in EMPTY_VALUES:
            return qs
        return qs.filter(**{f"{self.field_name}__isnull": value == "false"})


class FilterSet(filters.FilterSet):
    """The base of all filtersets."""


class FilterBackend(filters.DjangoFilterBackend):
    """The list's filterset; a bad value is a 400 that names its parameter."""

    raise_exception = True


class SearchBackend(BaseFilterBackend):
    """`?search=`: text that one of the view's `search_fields` (lookups) holds."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        text = request.query_params.get("search")
        if text is None:
            return queryset
        if len(text) > MAX_SEARCH or "\0" in text:
            raise ValidationError({"search": f"Give at most {MAX_SEARCH} characters of text."})
        condition = Q()
        for lookup in view.search_fields:
            condition |= Q(**{lookup: text})
        return queryset.filter(condition)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        if not getattr(view, "search_fields", ()):
            return []
        return [
            {
                "name": "search",
                "in": "query",
                "required": False,
                "description": f"Only those of which {view.search_describes}.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH},
            }
        ]


class OrderingBackend(BaseFilterBackend):
    """`?ordering=`: one of the view's `ordering_fields`, with a minus for descending.

    The paginator applies it; here it is checked and documented.
    """

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        view.chosen_ordering()
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in view.ordering_fields for sign in ("", "-")]
        return [
            {
                "name": "ordering",
                "in": "query",
                "required": False,
                "description": "What to sort by; a minus sorts from high to low.",
                "schema": {"type": "string", "enum": names, "default": view.default_ordering},
            }
        ]
