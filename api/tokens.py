"""Tokens: what programs show instead of a password."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.access import Need
from api.fields import StrictIntegerField, StrictModelSerializer
from api.views import Create, Destroy, ListRetrieve
from core import tokens
from core.functions import (
    tenancy_create_superuser_token,
    tenancy_create_token,
    tenancy_revoke_superuser_token,
    tenancy_revoke_token,
)
from core.models import ApiToken

DEFAULT_DAYS = 90


def issue(
    *, customer_id: int | None, user_id: int, name: str, scope: str, lifetime: timedelta
) -> tuple[str, int, datetime]:
    """Make a token. Returns it, which happens this once, its id, and until when it is valid."""
    token, prefix, digest = tokens.generate()
    expires_at = timezone.now() + lifetime
    what: dict[str, Any] = {
        "user_id": user_id,
        "name": name,
        "prefix": prefix,
        "digest": digest,
        "scope": scope,
        "expires_at": expires_at,
    }
    if customer_id is None:
        return token, tenancy_create_superuser_token(**what), expires_at
    return token, tenancy_create_token(customer_id=customer_id, **what), expires_at


def revoke(customer_id: int | None, token_id: int) -> None:
    """End a token: a customer's, or a superuser's."""
    if customer_id is None:
        tenancy_revoke_superuser_token(token_id=token_id)
    else:
        tenancy_revoke_token(customer_id=customer_id, token_id=token_id)


class TokenSerializer(StrictModelSerializer):
    """A token, without itself."""

    class Meta:
        model = ApiToken
        fields = (
            "id", "customer", "user", "name", "prefix", "scope", "created_at", "expires_at",
            "last_used_at",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "customer": "The id of the customer it works for; null for a superuser's.",
        "user": "The id of the user it works for.",
        "name": "What it is for.",
        "prefix": "How it begins, to tell it from others.",
        "scope": "Whether it may change things (write) or only read them (read).",
        "expires_at": "Until when it is valid.",
        "last_used_at": "When it was last used, to the minute; null: never.",
    }
    example = {
        "id": 17,
        "customer": 1,
        "user": 4,
        "name": "nightly import",
        "prefix": "cd_2hV0r5rQ",
        "scope": "write",
        "created_at": "2026-11-24T09:30:00Z",
        "expires_at": "2027-02-22T09:30:00Z",
        "last_used_at": None,
    }


class NewTokenSerializer(StrictModelSerializer):
    """A new token, shown this once."""

    token = serializers.CharField(read_only=True)
    days = StrictIntegerField(min_value=1, max_value=365, default=DEFAULT_DAYS, write_only=True)

    class Meta:
        model = ApiToken
        fields = (
            "id", "customer", "user", "name", "prefix", "scope", "created_at", "expires_at",
            "last_used_at", "token", "days",
        )  # fmt: skip
        read_only_fields = (
            "id", "customer", "user", "prefix", "created_at", "expires_at", "last_used_at",
        )  # fmt: skip

    descriptions = TokenSerializer.descriptions | {
        "token": "The token. It is shown this once; only a digest of it is kept.",
        "days": "For how many days it is valid.",
    }
    example = TokenSerializer.example | {
        "token": "cd_2hV0r5rQ3mY8sZ1kT9wXc4bN6pL7dF0gJ3hK5aE8u",
        "days": 90,
    }


class TokenFilterSet(filters.FilterSet):
    user = filters.IdFilter(field_name="user_id", label="Of this user (id).")
    scope = filters.ChoiceFilter(
        choices=ApiToken.Scope.choices, label="For reading only, or for changing as well."
    )


class TokenViewSet(Create, Destroy, ListRetrieve):
    """Tokens of your own; an admin sees those of the whole customer."""

    queryset = ApiToken.objects.all()
    serializer_class = TokenSerializer
    filterset_class = TokenFilterSet
    search_fields = ("name__icontains",)
    search_describes = "the name holds this text"
    needs = {"create": Need.MEMBER, "destroy": Need.MEMBER}
    locks = frozenset[str]()

    def get_serializer_class(self) -> Any:
        return NewTokenSerializer if self.action == "create" else TokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        queryset = super().get_queryset()
        actor = self.actor
        if actor.is_superuser or actor.role == "admin":
            return queryset
        return queryset.filter(user_id=actor.user_id)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token, token_id, _ = issue(
            customer_id=self.customer_id,
            user_id=self.actor.user_id,
            name=serializer.validated_data["name"],
            scope=serializer.validated_data["scope"],
            lifetime=timedelta(days=serializer.validated_data["days"]),
        )
        row = self.get_queryset().get(pk=token_id)
        row.token = token  # type: ignore[attr-defined]
        return Response(
            self.get_serializer(row).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": request.build_absolute_uri(f"{request.path}/{token_id}")},
        )

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        revoke(row.customer_id, row.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
