"""The admin's front door: superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest


class SuperuserForm(AdminAuthenticationForm):
    """Refuses everybody else with the words for a wrong password."""

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        if not (user.is_active and getattr(user, "is_superuser", False)):
            raise ValidationError(
                self.error_messages["invalid_login"],
                code="invalid_login",
                params={"username": self.username_field.verbose_name},
            )


class AdminSite(admin.AdminSite):
    site_header = "claimdrift"
    site_title = "claimdrift"
    index_title = "All customers"
    site_url = None
    login_form = SuperuserForm

    def has_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_active and user.is_superuser)
