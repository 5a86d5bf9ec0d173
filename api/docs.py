"""The documentation: the schema, Swagger UI and Redoc, which need nothing from elsewhere."""

from typing import Any, Final

from django.template.loader import render_to_string
from django.urls import reverse
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import Need
from api.views import ContextView

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class PublicView(ContextView):
    """Needs no token, and reads no data."""

    needs = {"get": Need.NOTHING}
    authentication_classes = ()


class SchemaView(PublicView):
    """GET schema."""

    renderer_classes = [OpenApiYamlRenderer, OpenApiJsonRenderer]

    @extend_schema(
        operation_id="schema",
        summary="Read the OpenAPI document",
        description="This document: YAML, or JSON where `Accept` asks for it.",
        responses={(200, "application/vnd.oai.openapi"): dict},
        tags=["documentation"],
    )
    def get(self, request: Request) -> Response:
        generator = spectacular_settings.DEFAULT_GENERATOR_CLASS()
        return Response(generator.get_schema(request=None, public=True))


class PageView(PublicView):
    """A page that loads the schema, with scripts of our own."""

    renderer_classes = [StaticHTMLRenderer]
    template_name = ""

    def page(self) -> Response:
        page = render_to_string(self.template_name, {"schema_url": reverse("schema")})
        return Response(page, headers={"Content-Security-Policy": CSP})


class SwaggerView(PageView):
    """GET docs."""

    template_name = "api/swagger.html"

    @extend_schema(
        operation_id="docs",
        summary="Try the API out",
        description="This documentation as a page that can also send requests (Swagger UI).",
        responses={(200, "text/html"): str},
        tags=["documentation"],
    )
    def get(self, request: Request, *args: Any) -> Response:
        return self.page()


class RedocView(PageView):
    """GET redoc."""

    template_name = "api/redoc.html"

    @extend_schema(
        operation_id="redoc",
        summary="Read the documentation",
        description="This documentation as a page to read (Redoc).",
        responses={(200, "text/html"): str},
        tags=["documentation"],
    )
    def get(self, request: Request, *args: Any) -> Response:
        return self.page()
