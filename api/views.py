"""What all views have in common: parameters, permissions, the transaction and its context."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from django.db import DatabaseError, models, transaction
from django.db.models import QuerySet
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import MethodNotAllowed, NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from api.access import SAFE_METHODS, Actor, Need, actor_of
from api.errors import is_busy
from api.filters import FilterBackend, OrderingBackend, SearchBackend
from api.pagination import KeysetPagination
from core.context import platform_context, tenant_context
from core.models import Customer

Row = TypeVar("Row", bound=models.Model)
ATTEMPTS = 2


class ContextView(APIView):
    """Runs its handler in one transaction, as the customer of the request's token.

    `customer_id` is whose rows it is about; None for a superuser who named no customer. A lock
    that somebody else held is waited for once more before the client hears of it.
    """

    needs: ClassVar[dict[str, Need]] = {}
    customer_id: int | None = None
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def need(self) -> Need:
        """What the present action needs: to be a member for reading, admin for the rest."""
        action = getattr(self, "action", None) or (self.request.method or "").lower()
        default = Need.MEMBER if self.request.method in SAFE_METHODS else Need.ADMIN
        return self.needs.get(action, default)

    def allows_read_scope(self) -> bool:
        """Whether a token for reading may do this although it is no GET."""
        return False

    def is_narrowable(self) -> bool:
        """Whether superusers may say which customer is meant."""
        return Need.NOTHING < self.need() < Need.SUPERUSER

    def parameters(self) -> set[str]:
        """The query parameters that the present action knows."""
        return set()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)
        narrowed = {"customer"} if self.is_narrowable() else set()
        check_parameters(request, self.parameters() | narrowed)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        name = (request.method or "").lower()
        handler = getattr(self, name, None)
        if name in self.http_method_names and handler is not None:
            setattr(self, name, self._in_context(handler))
        return super().dispatch(request, *args, **kwargs)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        # Whatever a view's answers are otherwise, a problem is JSON.
        if response.exception:
            response.accepted_renderer = JSONRenderer()
        return response

    def _in_context(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        def handle(request: Request, *args: Any, **kwargs: Any) -> Response:
            self.prepare(request)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    with self.context(request):
                        return handler(request, *args, **kwargs)
                except DatabaseError as error:
                    if attempt == ATTEMPTS or not is_busy(error):
                        raise
            raise AssertionError("unreachable")

        return handle

    def prepare(self, request: Request) -> None:
        """What is done before the transaction begins: waiting for a slow client's body."""
        if request.method not in SAFE_METHODS:
            _ = request.data

    @contextmanager
    def context(self, request: Request) -> Iterator[None]:
        """The request's transaction and whose it is."""
        if self.need() == Need.NOTHING:
            yield
            return
        actor = actor_of(request)
        self.customer_id = actor.customer_id
        with transaction.atomic():
            if not actor.is_superuser:
                assert actor.customer_id is not None  # noqa: S101 (authenticate sees to it)
                with tenant_context(actor.customer_id, actor.user_id):
                    yield
                return
            with platform_context(actor.user_id):
                # What only superusers do isn't done as some customer.
                if self.need() == Need.SUPERUSER or "customer" not in request.query_params:
                    yield
                    return
                self.customer_id = customer_named(request.query_params["customer"])
                with tenant_context(self.customer_id, actor.user_id):
                    yield

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def one_customer_id(self) -> int:
        """Whose row is to be written; a superuser has to say so."""
        if self.customer_id is None:
            raise ValidationError({"customer": "Say for which customer: its slug or its id."})
        return self.customer_id


class ResourceView(ContextView, viewsets.GenericViewSet[Any]):
    """A resource: queryset, serializer, filterset.

    `ordering_fields` are indexed columns. `search_fields` are lookups, `search_describes` says
    what they do. `related` are the references whose names an answer shows.
    """

    pagination_class = KeysetPagination
    filter_backends = [FilterBackend, SearchBackend, OrderingBackend]
    lookup_value_regex = "[0-9]{1,18}"
    ordering_fields: ClassVar[tuple[str, ...]] = ("id",)
    default_ordering = "-id"
    search_fields: ClassVar[tuple[str, ...]] = ()
    search_describes = ""
    related: ClassVar[tuple[str, ...]] = ()
    # Whether what is found by id is about to be changed.
    locks: ClassVar[frozenset[str]] = frozenset({"partial_update", "destroy"})
    # What a list is about before filters and search narrow it down.
    everything: QuerySet[Any]
    # Lists that aren't the plain one.
    list_actions: ClassVar[frozenset[str]] = frozenset()

    def parameters(self) -> set[str]:
        if self.action != "list" and self.action not in self.list_actions:
            return set()
        names = {"page_size", "cursor", "ordering"}
        if self.search_fields:
            names.add("search")
        if filterset := getattr(self, "filterset_class", None):
            names |= set(filterset.base_filters)
        return names

    def chosen_ordering(self) -> str:
        text = str(self.request.query_params.get("ordering", self.default_ordering))
        if text.removeprefix("-") not in self.ordering_fields:
            names = ", ".join(sign + n for n in self.ordering_fields for sign in ("", "-"))
            raise ValidationError({"ordering": f"Give one of {names}."})
        return text

    def get_queryset(self) -> QuerySet[Any]:
        """The rows of the customer in context. Row-level security says the same once more."""
        queryset = super().get_queryset()
        # Without a name select_related would follow every reference there is.
        return self.own(queryset.select_related(*self.related) if self.related else queryset)

    def own(self, queryset: QuerySet[Row]) -> QuerySet[Row]:
        """Those rows that belong to the customer in context."""
        if self.customer_id is None:
            return queryset
        return queryset.filter(customer_id=self.customer_id)

    def get_object(self) -> Any:
        """The row that the URL names. From here on its customer is the one that is meant."""
        queryset = self.get_queryset().order_by()
        if self.action in self.locks:
            queryset = queryset.select_for_update(of=("self",), no_key=self.action != "destroy")
        row = queryset.filter(pk=int(self.kwargs["pk"])).first()
        if row is None:
            raise NotFound
        if self.customer_id is None:
            self.customer_id = row.customer_id
        return row

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        self.everything = queryset
        return super().filter_queryset(queryset)

    def is_narrowed(self) -> bool:
        """Whether a list shows only part of the customer's rows."""
        asked = set(self.request.query_params) - {"customer", "cursor", "ordering", "page_size"}
        return bool(asked) or self.action in self.list_actions

    def page(self, queryset: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """One page of a list that isn't the resource's own."""
        rows = self.paginate_queryset(self.filter_queryset(queryset))
        context = self.get_serializer_context()
        return self.get_paginated_response(serializer(rows, many=True, context=context).data)

    def page_of_rows(
        self, rows: list[dict[str, Any]], key: str, serializer: type[BaseSerializer[Any]]
    ) -> Response:
        """One page of rows that were counted for this request; `key` tells them apart."""
        paginator = self.paginator
        assert isinstance(paginator, KeysetPagination)  # noqa: S101
        page = paginator.paginate_rows(rows, key, self.request, self)
        return paginator.get_paginated_response(serializer(page, many=True).data)

    def created(self, pk: int, status: int = status.HTTP_201_CREATED) -> Response:
        """A row that this request brought about, and where it is."""
        response = self.answer(pk, status)
        response["Location"] = self.request.build_absolute_uri(f"{self.request.path}/{pk}")
        return response

    def answer(self, pk: int, status: int = status.HTTP_200_OK) -> Response:
        """A row as it is now."""
        row = self.get_queryset().get(pk=pk)
        return Response(self.get_serializer(row).data, status=status)


class ListRetrieve(mixins.ListModelMixin, mixins.RetrieveModelMixin, ResourceView):
    """A resource that can be read."""


class Create(ResourceView):
    """POST to the collection."""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        customer_id = self.one_customer_id()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.created(serializer.save(customer_id=customer_id).pk)


class Update(ResourceView):
    """PATCH: what isn't named stays."""

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return self.answer(row.pk)


class Destroy(ResourceView):
    """DELETE."""

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def check_parameters(request: Request, known: set[str]) -> None:
    """Refuse parameters that mean nothing here: a typo must never return everything."""
    errors = {}
    for name, values in request.query_params.lists():
        if name not in known:
            names = ", ".join(sorted(known - {"customer"})) or "none"
            errors[name] = f"There is no such parameter. Those that there are: {names}."
        elif len(values) > 1:
            errors[name] = "Give it once."
        elif values[0].strip() == "":
            errors[name] = "Give a value, or leave it out."
        elif "\0" in values[0]:
            errors[name] = "Give text without NUL characters."
    if errors:
        raise ValidationError(errors)


def customer_named(name: str) -> int:
    """The customer with this slug or, failing that, this id."""
    ids = dict(
        Customer.objects.filter(
            models.Q(slug=name)
            | models.Q(
                id=int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else 0
            )
        ).values_list("slug", "id")
    )
    if not ids:
        raise ValidationError({"customer": "There is no customer with this slug or id."})
    return ids.get(name) or next(iter(ids.values()))
