from django.apps import AppConfig
from django.contrib.admin import apps


class ApiConfig(AppConfig):
    name = "api"
    default = True


class AdminConfig(apps.AdminConfig):
    """Django's admin, for superusers only."""

    default = False
    default_site = "api.admin_site.AdminSite"
