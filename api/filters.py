"""Filters, search and ordering, as each list declares them; anything else is refused."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final

from django import forms
from django.db import models
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from django_filters.constants import EMPTY_VALUES
from django_filters.utils import translate_validation
from drf_spectacular.drainage import set_override
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

MAX_ID: Final = 10**18 - 1
MAX_IDS: Final = 100
MAX_SEARCH: Final = 100

# Django's own fields read more than that: 1_000, Oct 25 2026, digits of any script.
_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@models.CharField.register_lookup
class BeginsWith(models.Lookup):
    """PostgreSQL's `^@`. Under row-level security LIKE can't use an index, this can."""

    lookup_name = "begins_with"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} ^@ {right}", (*left_parameters, *right_parameters)


class Documented(filters.Filter):
    """A filter that says what its values look like, and takes no others.

    `schema` says so to programs, `says` to people; `label` says what the filter is for.
    """

    schema: dict[str, Any] = {}
    says: str = ""

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, label=label, **kwargs)
        set_override(self, "field", self.schema | {"description": label})

    def read(self, text: str) -> Any:
        """The value that a text stands for; raises ValueError where it is none."""
        raise NotImplementedError

    @property
    def field(self) -> forms.Field:
        return ReadField(self)


class ReadField(forms.Field):
    """A parameter's text, as its filter reads it."""

    def __init__(self, documented: Documented) -> None:
        super().__init__(label=documented.label, required=False)
        self._documented = documented

    def clean(self, value: Any) -> Any:
        if value in EMPTY_VALUES:
            return None
        try:
            return self._documented.read(value)
        except (ValueError, OverflowError):
            raise forms.ValidationError(self._documented.says, code="invalid") from None


def matched(pattern: re.Pattern[str], text: str) -> str:
    """The text, if it is of this form; else ValueError."""
    if not pattern.fullmatch(text):
        raise ValueError
    return text


class IdFilter(Documented):
    """The id of another object; one that doesn't exist finds nothing."""

    schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    says = "Give an id: a whole number above 0."

    def read(self, text: str) -> int:
        number = int(matched(_WHOLE, text))
        if number == 0:
            raise ValueError
        return number


class WholeFilter(Documented):
    """A whole number."""

    schema = {"type": "integer", "minimum": 0, "maximum": MAX_ID}
    says = "Give a whole number."

    def read(self, text: str) -> int:
        return int(matched(_WHOLE, text))


class IdListFilter(Documented):
    """Any of several ids."""

    schema = {"type": "string", "pattern": f"^[0-9]{{1,18}}(,[0-9]{{1,18}}){{0,{MAX_IDS - 1}}}$"}
    says = f"Give up to {MAX_IDS} ids separated by commas."

    def __init__(self, *, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, lookup_expr="in", **kwargs)

    def read(self, text: str) -> list[int]:
        words = text.split(",")
        if len(words) > MAX_IDS:
            raise ValueError
        return [int(matched(_WHOLE, word)) for word in words]


class ChoiceFilter(Documented):
    """One of several documented words."""

    def __init__(self, *args: Any, choices: Iterable[tuple[str, Any]], **kwargs: Any) -> None:
        self.words = [value for value, _ in choices]
        self.schema = {"type": "string", "enum": self.words}
        self.says = f"Give one of {', '.join(self.words)}."
        super().__init__(*args, **kwargs)

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError
        return text


class WordListFilter(Documented):
    """Any of several documented words."""

    def __init__(
        self, *, field_name: str, choices: Iterable[tuple[str, Any]], **kwargs: Any
    ) -> None:
        self.words = [value for value, _ in choices]
        word = "|".join(self.words)
        self.schema = {"type": "string", "pattern": f"^({word})(,({word}))*$"}
        self.says = f"Give one or more of {', '.join(self.words)}, separated by commas."
        super().__init__(field_name=field_name, lookup_expr="in", **kwargs)

    def read(self, text: str) -> list[str]:
        words = text.split(",")
        if not set(words) <= set(self.words):
            raise ValueError
        return words


class FlagFilter(Documented):
    """true or false."""

    schema = {"type": "boolean"}
    says = "Give true or false."

    def read(self, text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError
        return text == "true"


class PresenceFilter(FlagFilter):
    """Whether there is a value at all."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs if value is None else qs.filter(**{f"{self.field_name}__isnull": not value})


class ShareFilter(Documented):
    """A number from 0 to 1."""

    schema = {"type": "number", "minimum": 0, "maximum": 1}
    says = "Give a number from 0 to 1."

    def read(self, text: str) -> float:
        number = float(matched(_NUMBER, text))
        if not 0 <= number <= 1:
            raise ValueError
        return number


class TextFilter(Documented):
    """Exactly this text."""

    longest: ClassVar[int] = 200
    schema = {"type": "string", "minLength": 1, "maxLength": longest}
    says = f"Give at most {longest} characters."

    def read(self, text: str) -> str:
        if len(text) > self.longest:
            raise ValueError
        return text


class DateFilter(Documented):
    """A day."""

    schema = {"type": "string", "format": "date"}
    says = "Give a day: YYYY-MM-DD."

    def read(self, text: str) -> date:
        return date.fromisoformat(matched(_DATE, text))


class TimeFilter(Documented):
    """A moment, with its time zone."""

    schema = {"type": "string", "format": "date-time"}
    says = "Give a moment with its time zone, such as 2026-11-24T09:30:00Z."

    def read(self, text: str) -> datetime:
        return datetime.fromisoformat(matched(_TIME, text).upper()).astimezone(UTC)


class FilterSet(filters.FilterSet):
    """The base of all filtersets."""

    def along(self, column: str) -> Any:
        """What the filters by one column leave."""
        queryset: Any = self.queryset
        for name, value in self.form.cleaned_data.items():
            if self.filters[name].field_name == column:
                queryset = self.filters[name].filter(queryset, value)
        return queryset


class FilterBackend(filters.DjangoFilterBackend):
    """The list's filterset; a bad value is a 400 that names its parameter."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset: Any = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)  # type: ignore[misc]
        # A page in an ordering lies within the range of it that was asked for.
        view.everything = filterset.along(view.chosen_ordering().removeprefix("-"))
        filtered: QuerySet[Any] = filterset.qs
        return filtered


class SearchBackend(BaseFilterBackend):
    """`?search=`: text that one of the view's `search_fields` (lookups) holds."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        text = request.query_params.get("search")
        if text is None:
            return queryset
        if len(text) > MAX_SEARCH:
            raise ValidationError({"search": f"Give at most {MAX_SEARCH} characters."})
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
