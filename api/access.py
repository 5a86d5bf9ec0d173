"""Who asks, and what they may do: tokens, roles, scopes."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import tokens
from core.functions import tenancy_authenticate

SCHEME: Final = "Bearer"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Actor:
    """The bearer of a token, as the database knows them at this moment.

    A superuser has neither customer nor role: theirs is every customer.
    """

    token_id: int
    scope: str
    user_id: int
    email: str
    is_superuser: bool
    customer_id: int | None
    role: str | None

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def pk(self) -> int:
        return self.user_id


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`, looked up by its digest in one query, in autocommit."""

    def authenticate(self, request: Request) -> tuple[Actor, str] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != SCHEME.lower().encode():
            return None
        if len(words) != 2:
            raise exceptions.AuthenticationFailed(f"Send one token: {SCHEME} <token>.")
        found = tenancy_authenticate(digest=tokens.digest(words[1].decode("latin-1")))
        if found is None:
            raise exceptions.AuthenticationFailed("The token is unknown or has expired.")
        return Actor(**found), ""

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class Need(IntEnum):
    """What an operation needs at least."""

    NOTHING = 0
    MEMBER = 1
    ADMIN = 2
    SUPERUSER = 3


class RolePermission(BasePermission):
    """The view says what each of its actions needs; a token for reading only reads."""

    def has_permission(self, request: Request, view: Any) -> bool:
        need: Need = view.need()
        if need == Need.NOTHING:
            return True
        actor = request.user
        if not isinstance(actor, Actor):
            return False
        if (
            actor.scope != "write"
            and request.method not in SAFE_METHODS
            and not view.allows_read_scope()
        ):
            raise exceptions.PermissionDenied("This token is for reading only.")
        if "customer" in request.query_params and not actor.is_superuser:
            raise exceptions.PermissionDenied("Only superusers choose a customer.")
        if actor.is_superuser:
            return True
        if need == Need.SUPERUSER or (need == Need.ADMIN and actor.role != "admin"):
            raise exceptions.PermissionDenied(
                "This needs the role admin." if need == Need.ADMIN else "This is for superusers."
            )
        return True


def address_of(request: HttpRequest) -> str:
    """The client's address; X-Forwarded-For counts as far as our own proxies wrote it."""
    return str(BaseThrottle().get_ident(Request(request)))


def actor_of(request: Request) -> Actor:
    """The bearer of the request's token; the permission has made sure that there is one."""
    actor = request.user
    if not isinstance(actor, Actor):
        raise exceptions.NotAuthenticated
    return actor
