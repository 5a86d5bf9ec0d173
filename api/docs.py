"""The documentation: the schema, Swagger UI and Redoc, which need nothing from elsewhere."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import View
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """The OpenAPI document; `?format=json` or an Accept header for JSON instead of YAML."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = [*SpectacularAPIView.renderer_classes, JSONRenderer]


class PageView(View):
    """A page that loads the schema with scripts of our own."""

    template_name = ""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = render(request, self.template_name, {"schema_url": reverse("schema")})
        response["Content-Security-Policy"] = CSP
        return response


class SwaggerView(PageView):
    template_name = "api/swagger.html"


class RedocView(PageView):
    template_name = "api/redoc.html"
