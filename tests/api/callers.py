"""Everybody that the API can be asked by."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from api.access import Need
from tests.api.client import Api, Office
from tests.api.worlds import World, insert_token
from tests.database import Database

ROLES: Final = {"member": Need.MEMBER, "admin": Need.ADMIN}


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, and what it ought to be good for.

    `role` None with a known token is a superuser's; `home` is then whom `?customer=` names.
    """

    name: str
    api: Api
    home: Office | None = None
    role: str | None = None
    scope: str = "write"
    is_known: bool = True
    user_id: int | None = None
    token_id: int | None = None

    @property
    def is_superuser(self) -> bool:
        return self.is_known and self.role is None

    @property
    def is_narrowed(self) -> bool:
        return self.is_superuser and self.home is not None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.api.token is None else {"Authorization": f"Bearer {self.api.token}"}

    def path(self, path: str) -> str:
        """A path as this caller asks for it."""
        if not self.is_narrowed:
            return path
        assert self.home is not None
        return f"{path}{'&' if '?' in path else '?'}customer={self.home.slug}"

    def sees(self, world: World) -> bool:
        return self.home is None or self.home.customer_id == world.customer_id

    def may(self, need: Need) -> bool:
        """Whether the role is enough."""
        return self.is_superuser or need <= ROLES[self.role or ""]


class Callers:
    """Every kind of caller of two customers."""

    def __init__(self, ours: World, theirs: World, suspended: Office) -> None:
        self.ours, self.theirs, self.suspended = ours, theirs, suspended
        owner = self.owner = ours.owner
        self.disabled_id = ours.join("admin")
        owner.execute('UPDATE "user" SET is_active = false WHERE id = %s', self.disabled_id)
        self.removed_id = ours.join("admin")
        owner.execute("DELETE FROM membership WHERE user_id = %s", self.removed_id)
        self.suspended_id = suspended.join("admin")
        suspended.worker.execute(
            "UPDATE customer SET status = 'suspended' WHERE id = %s", suspended.customer_id
        )
        self.stranger_id = theirs.join("admin")
        self.superuser_id = self._superuser()
        self.superuser_member_id = self._superuser()
        ours.insert("membership", customer_id=ours.customer_id, user_id=self.superuser_member_id)
        self.renew()

    def _superuser(self) -> int:
        user_id = self.ours.user()
        self.owner.execute('UPDATE "user" SET is_superuser = true WHERE id = %s', user_id)
        return user_id

    def refused(self) -> list[Caller]:
        """Those who are nobody, or nobody any more."""
        ours = self.ours
        admin_id = ours.people["admin"]
        past = {"created_at": date(2020, 1, 1), "expires_at": date(2020, 2, 1)}
        # Tokens go with a membership, and when a customer is suspended; these came back somehow.
        tokens = {
            "expired token": self._token(admin_id, ours, **past),
            "disabled user": self._token(self.disabled_id, ours),
            "removed user": self._token(self.removed_id, ours),
            "suspended customer": self._token(self.suspended_id, self.suspended),
            "member elsewhere": self._token(self.stranger_id, ours),
            "former superuser": self._token(admin_id, None),
        }
        return [
            Caller("anonymous", Api(), is_known=False),
            Caller("unknown token", Api("cd_" + secrets.token_urlsafe(32)), is_known=False),
            *(Caller(name, Api(token), is_known=False) for name, (token, _) in tokens.items()),
        ]

    def admitted(self) -> list[Caller]:
        """Those whose token is good for something."""
        ours, theirs = self.ours, self.theirs
        member_id, admin_id = ours.people["member"], ours.people["admin"]
        their_id, super_id = theirs.people["admin"], self.superuser_id
        return [
            self._known("reading member", member_id, ours, "member", "read"),
            self._known("reading admin", admin_id, ours, "admin", "read"),
            self._known("member", member_id, ours, "member"),
            self._known("admin", admin_id, ours, "admin"),
            self._known("their admin", their_id, theirs, "admin"),
            # What a token may do depends on whom it was made for, not on who its user also is.
            self._known("superuser as member", self.superuser_member_id, ours, "member"),
            self._known("reading superuser", super_id, None, scope="read"),
            self._known("superuser", super_id, None),
            replace(self._known("superuser, narrowed", super_id, None), home=ours),
        ]

    def _token(self, user_id: int, home: Office | None, **columns: Any) -> tuple[str, int]:
        customer_id = None if home is None else home.customer_id
        return new_token(self.owner, customer_id, user_id, **columns)

    def _known(
        self,
        name: str,
        user_id: int,
        home: Office | None,
        role: str | None = None,
        scope: str = "write",
    ) -> Caller:
        token, token_id = self._token(user_id, home, scope=scope)
        return Caller(
            name, Api(token), home, role=role, scope=scope, user_id=user_id, token_id=token_id
        )

    def renew(self) -> None:
        """Give everybody a new token."""
        self.everybody = [*self.refused(), *self.admitted()]

    def named(self, name: str) -> Caller:
        [caller] = [caller for caller in self.everybody if caller.name == name]
        return caller


def new_token(
    owner: Database, customer_id: int | None, user_id: int, **columns: Any
) -> tuple[str, int]:
    """A token and its id, whether or not its user may have one."""
    token = "cd_" + secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return token, insert_token(owner, customer_id, user_id, digest=digest, **columns)
