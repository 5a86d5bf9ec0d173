"""Signing in and out: a password for a token."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import Need, address_of
from api.fields import (
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictSerializer,
)
from api.tokens import issue, revoke
from api.views import ContextView
from core.context import platform_context
from core.functions import tenancy_count_login, tenancy_forgive_login
from core.models import ApiToken, Customer, Membership, User

DEFAULT_DAYS = 30


class LoginSerializer(StrictSerializer):
    """An e-mail address and its password."""

    email = serializers.EmailField(max_length=254)
    password = StrictCharField(max_length=1000, trim_whitespace=False, write_only=True)
    customer = StrictCharField(max_length=60, required=False)
    scope = StrictChoiceField(choices=ApiToken.Scope.choices, default="write")
    days = StrictIntegerField(min_value=1, max_value=365, default=DEFAULT_DAYS)

    descriptions = {
        "email": "The address that the user signs in with.",
        "password": "The password.",
        "customer": "The slug of the customer to work for; needed by members of several.",
        "scope": "Whether the token may change things (write) or only read them (read).",
        "days": "For how many days the token is valid.",
    }
    example = {
        "email": "dana@harbor.example",
        "password": "correct horse battery staple",
        "customer": "demo-harbor-family",
        "scope": "write",
        "days": 30,
    }


class SessionSerializer(StrictSerializer):
    """A new token, shown this once."""

    token = serializers.CharField(read_only=True)
    token_id = serializers.IntegerField(read_only=True)
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
    customer = serializers.IntegerField(read_only=True, allow_null=True)

    descriptions = {
        "token": "The token. It is shown this once; only a digest of it is kept.",
        "token_id": "The token's number, to revoke it by.",
        "scope": "Whether it may change things (write) or only read them (read).",
        "expires_at": "Until when it is valid.",
        "customer": "The id of the customer it works for; null for a superuser's.",
    }
    example = {
        "token": "cd_2hV0r5rQ3mY8sZ1kT9wXc4bN6pL7dF0gJ3hK5aE8u",
        "token_id": 17,
        "scope": "write",
        "expires_at": "2026-12-24T09:30:00Z",
        "customer": 1,
    }


class MeSerializer(StrictSerializer):
    """Whose token this is and what it may do."""

    user = serializers.IntegerField(read_only=True)
    email = serializers.EmailField(read_only=True)
    is_superuser = serializers.BooleanField(read_only=True)
    customer = serializers.IntegerField(read_only=True, allow_null=True)
    customer_slug = serializers.CharField(read_only=True, allow_null=True)
    role = serializers.ChoiceField(choices=Membership.Role.choices, read_only=True, allow_null=True)
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, read_only=True)
    token_id = serializers.IntegerField(read_only=True)

    descriptions = {
        "user": "The user's id.",
        "email": "The address that the user signs in with.",
        "is_superuser": "Whether the token works at all customers.",
        "customer": "The id of the customer it works for; null for a superuser's.",
        "customer_slug": "The slug of that customer.",
        "role": "The user's role there; null for a superuser.",
        "scope": "Whether the token may change things (write) or only read them (read).",
        "token_id": "The token's number.",
    }
    example = {
        "user": 4,
        "email": "dana@harbor.example",
        "is_superuser": False,
        "customer": 1,
        "customer_slug": "demo-harbor-family",
        "role": "admin",
        "scope": "write",
        "token_id": 17,
    }


class LoginView(ContextView):
    """POST auth/login."""

    needs = {"post": Need.NOTHING}
    authentication_classes = ()

    @extend_schema(
        operation_id="auth_login",
        summary="Sign in",
        description=(
            "Exchanges an e-mail address and a password for a token. Show it with every request: "
            "`Authorization: Bearer <token>`. Ten attempts in 15 minutes are allowed for an "
            "account, a hundred for an address; 429 says when to go on."
        ),
        request=LoginSerializer,
        responses={200: SessionSerializer},
        tags=["auth"],
        auth=[],
    )
    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data, context={"view": self})
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        # As the user is looked up, or other spellings would be other accounts to the throttle.
        account = wanted["email"].strip().lower()
        # Counted before the password is looked at, so that guesses at the same time count too.
        wait = tenancy_count_login(account=account, address=address_of(request._request))
        if wait:
            raise exceptions.Throttled(wait)
        with transaction.atomic(), platform_context(None):
            user = authenticate(request._request, username=account, password=wanted["password"])
        if not isinstance(user, User):
            raise exceptions.AuthenticationFailed("The e-mail address or the password is wrong.")
        tenancy_forgive_login(account=account)
        with transaction.atomic(), platform_context(user.pk):
            customer_id = customer_to_work_for(user, wanted.get("customer"))
            token, token_id, expires_at = issue(
                customer_id=customer_id,
                user_id=user.pk,
                name=f"signed in on {timezone.now():%Y-%m-%d}",
                scope=wanted["scope"],
                lifetime=timedelta(days=wanted["days"]),
            )
        answer = {
            "token": token,
            "token_id": token_id,
            "scope": wanted["scope"],
            "expires_at": expires_at,
            "customer": customer_id,
        }
        return Response(SessionSerializer(answer).data)


def customer_to_work_for(user: User, slug: str | None) -> int | None:
    """The customer that a user signs in to; None for a superuser who names none."""
    if user.is_superuser and slug is None:
        return None
    choices = dict(
        Membership.objects.filter(user=user, customer__status=Customer.Status.ACTIVE).values_list(
            "customer__slug", "customer_id"
        )
    )
    if slug is None and len(choices) == 1:
        return int(next(iter(choices.values())))
    if not choices or (slug is not None and slug not in choices):
        raise exceptions.PermissionDenied("This account has no access there.")
    if slug is None:
        names = ", ".join(sorted(choices))
        raise exceptions.ValidationError({"customer": f"Say for which customer: {names}."})
    return int(choices[slug])


class LogoutView(ContextView):
    """POST auth/logout."""

    needs = {"post": Need.MEMBER}

    def allows_read_scope(self) -> bool:
        return True

    def prepare(self, request: Request) -> None:
        """There is no body to read."""

    def is_narrowable(self) -> bool:
        return False

    @extend_schema(
        operation_id="auth_logout",
        summary="Sign out",
        description="Revokes the token that the request shows. It is void at once.",
        request=None,
        responses={204: None},
        tags=["auth"],
    )
    def post(self, request: Request) -> Response:
        revoke(self.actor.customer_id, self.actor.token_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(ContextView):
    """GET auth/me."""

    @extend_schema(
        operation_id="auth_me",
        summary="Who am I?",
        description="Whose token the request shows, for which customer, and what it may do.",
        responses={200: MeSerializer},
        tags=["auth"],
    )
    def get(self, request: Request) -> Response:
        actor = self.actor
        slug = (
            Customer.objects.values_list("slug", flat=True).get(pk=self.customer_id)
            if self.customer_id
            else None
        )
        answer: dict[str, Any] = {
            "user": actor.user_id,
            "email": actor.email,
            "is_superuser": actor.is_superuser,
            "customer": self.customer_id,
            "customer_slug": slug,
            "role": actor.role,
            "scope": actor.scope,
            "token_id": actor.token_id,
        }
        return Response(MeSerializer(answer).data)
