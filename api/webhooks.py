"""Webhook endpoints: where a customer's events are sent, their secrets and their health."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.deliveries import (
    SEARCH_DESCRIBES,
    SEARCHED,
    EndpointDeliveryFilterSet,
    WebhookDeliverySerializer,
    refuse_body,
)
from api.fields import (
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictModelSerializer,
    StrictSerializer,
)
from api.views import ListRetrieve, Update
from core import functions
from core.models import WebhookDelivery, WebhookEndpoint
from core.models.webhooks import EventType
from core.webhooks import secrets
from core.webhooks.addresses import MAX_LENGTH, problem_of


class EndpointUrlField(StrictCharField):
    """Where webhooks may be sent, in the words of those who send them."""

    default_error_messages = {
        # That of `problem_of`.
        "max_length": "It has more than {max_length} characters.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **kwargs)
        set_override(self, "field", {"type": "string", "format": "uri", "maxLength": MAX_LENGTH})

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if problem := problem_of(value):
            raise serializers.ValidationError(problem)


class EventTypesField(serializers.ListField):
    """Types of events, each once."""

    child = StrictChoiceField(choices=EventType.choices)

    def run_child_validation(self, data: Any) -> Any:
        return list(dict.fromkeys(super().run_child_validation(data)))


class MomentField(serializers.DateTimeField):
    """A moment, with its time zone: what filters take, and no other."""

    default_error_messages = {"invalid": filters.TimeFilter.says}

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("invalid")
        try:
            return filters.TimeFilter(label="").read(value)
        except (ValueError, OverflowError):
            self.fail("invalid")


class WebhookEndpointSerializer(StrictModelSerializer):
    """Where a customer's events are sent."""

    url = EndpointUrlField()
    event_types = EventTypesField(required=False)
    max_in_flight = StrictIntegerField(min_value=1, max_value=50, required=False)

    class Meta:
        model = WebhookEndpoint
        fields: Sequence[str] = (
            "id", "customer", "url", "description", "event_types", "max_in_flight", "status",
            "status_reason", "status_at", "failing_since", "blocked_until", "last_success_at",
            "created_at",
        )  # fmt: skip
        read_only_fields: Sequence[str] = (
            "id", "customer", "status", "status_reason", "status_at", "failing_since",
            "blocked_until", "last_success_at", "created_at",
        )  # fmt: skip

    descriptions = {
        "url": "Where to send: https, a public address, no user, password or fragment.",
        "description": "What it is for.",
        "event_types": "Which types of events it is sent; empty: all of them.",
        "max_in_flight": "How many requests to it may be under way at once.",
        "status": (
            "active. paused: deliveries wait until it is resumed. disabled: claimdrift gave up, "
            "`status_reason` says why; what happens meanwhile can be recovered."
        ),
        "status_reason": "Why it was disabled; empty otherwise.",
        "status_at": "Since when it has this status.",
        "failing_since": "When the first attempt failed since the last success; null: none did.",
        "blocked_until": "Until when it is left alone, because it did not answer; null: it isn't.",
        "last_success_at": "When it last took something, to a minute; null: never.",
    }
    example = {
        "id": 3,
        "customer": 1,
        "url": "https://hooks.harbor.example/claimdrift",
        "description": "Pages whoever is on call.",
        "event_types": ["alert.opened", "alert.escalated"],
        "max_in_flight": 10,
        "status": "active",
        "status_reason": "",
        "status_at": "2026-01-05T14:00:00Z",
        "failing_since": None,
        "blocked_until": None,
        "last_success_at": "2026-11-24T07:10:02Z",
        "created_at": "2026-01-05T14:00:00Z",
    }


SECRET_EXAMPLE = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwZ6bR1xV3n0k="  # noqa: S105
SECRET_DESCRIPTION = "Signs what is sent, as Standard Webhooks says. It isn't shown again."  # noqa: S105


class WebhookEndpointWithSecretSerializer(WebhookEndpointSerializer):
    """A new endpoint with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookEndpointSerializer.Meta):
        fields = (*WebhookEndpointSerializer.Meta.fields, "secret")
        read_only_fields = fields

    descriptions = WebhookEndpointSerializer.descriptions | {"secret": SECRET_DESCRIPTION}
    example = WebhookEndpointSerializer.example | {"secret": SECRET_EXAMPLE}


class RotationSerializer(StrictSerializer):
    """How long the former secret goes on signing."""

    overlap_hours = StrictIntegerField(min_value=0, max_value=168, required=False, default=24)

    descriptions = {
        "overlap_hours": "For how many hours requests are signed with the former secret as well."
    }
    example = {"overlap_hours": 24}


class NewSecretSerializer(StrictSerializer):
    """A new secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)
    former_secret_expires_at = serializers.DateTimeField(read_only=True)

    descriptions = {
        "secret": SECRET_DESCRIPTION,
        "former_secret_expires_at": "Until when the former secret signs as well.",
    }
    example = {"secret": SECRET_EXAMPLE, "former_secret_expires_at": "2026-11-25T09:30:00Z"}


class RecoverySerializer(StrictSerializer):
    """From when on to make up for what was missed."""

    since = MomentField()

    descriptions = {"since": "The moment, with its time zone."}
    example = {"since": "2026-11-20T00:00:00Z"}


class RecoveredSerializer(StrictSerializer):
    """How much is being made up for."""

    count = serializers.IntegerField(read_only=True)

    descriptions = {"count": "How many deliveries are on their way again, or for the first time."}
    example = {"count": 12}


class WebhookEndpointFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=WebhookEndpoint.Status.choices, label="With this status.")
    status__in = filters.WordListFilter(
        field_name="status",
        choices=WebhookEndpoint.Status.choices,
        label="With any of these statuses.",
    )


class WebhookEndpointViewSet(Update, ListRetrieve):
    """Where the customer's events are sent. Its deliveries go with it when it is deleted."""

    queryset = WebhookEndpoint.objects.all()
    serializer_class = WebhookEndpointSerializer
    filterset_class = WebhookEndpointFilterSet
    search_fields = ("url__icontains", "description__icontains")
    search_describes = "URL or description hold this text"
    list_actions = frozenset({"deliveries"})
    # The functions take the customer's lock first, and the endpoint's row then.
    locks = frozenset({"partial_update"})

    def _given(self, serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
        given = serializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    @extend_schema(
        description=(
            "Adds an endpoint, up to 50. The answer shows its secret, once: keep it where the "
            "receiver finds it."
        ),
        responses={201: WebhookEndpointWithSecretSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        customer_id = self.one_customer_id()
        given = self._given(WebhookEndpointSerializer, request)
        secret = secrets.create(customer_id=customer_id)
        endpoint_id = functions.webhooks_create_endpoint(
            customer_id=customer_id,
            url=given["url"],
            description=given.get("description", ""),
            event_types=given.get("event_types", []),
            max_in_flight=given.get("max_in_flight"),
            ciphertext=secret.ciphertext,
            key_id=secret.key_id,
        )
        response = self.created(endpoint_id)
        response.data["secret"] = secret.text
        return response

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        functions.webhooks_delete_endpoint(customer_id=row.customer_id, endpoint_id=row.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Give an endpoint a new secret",
        description=(
            "Requests are signed with both, the new one first, until `former_secret_expires_at`; "
            "a secret from before the former one is void at once."
        ),
        request=RotationSerializer,
        responses={200: NewSecretSerializer},
        operation_id="webhook_endpoints_rotate_secret",
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        given = self._given(RotationSerializer, request)
        row = self.get_object()
        secret = secrets.create(customer_id=row.customer_id)
        until = functions.webhooks_rotate_secret(
            customer_id=row.customer_id,
            endpoint_id=row.pk,
            ciphertext=secret.ciphertext,
            key_id=secret.key_id,
            overlap=timedelta(hours=given["overlap_hours"]),
        )
        answer = {"secret": secret.text, "former_secret_expires_at": until}
        return Response(NewSecretSerializer(answer).data)

    @extend_schema(
        summary="Send an endpoint a test",
        description=(
            "Sends a `webhook.test`, whatever types it wants. What comes of it is in the delivery "
            "that is the answer: poll it, and its attempts."
        ),
        request=None,
        responses={202: WebhookDeliverySerializer},
        operation_id="webhook_endpoints_test",
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        refuse_body(request)
        row = self.get_object()
        delivery_id = functions.webhooks_send_test(customer_id=row.customer_id, endpoint_id=row.pk)
        delivery = self._deliveries().get(pk=delivery_id)
        return Response(WebhookDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Pause an endpoint",
        description=(
            "Deliveries to it wait, new ones too, and none is lost. A disabled one stays disabled."
        ),
        request=None,
        responses={200: WebhookEndpointSerializer},
        operation_id="webhook_endpoints_pause",
    )
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        refuse_body(request)
        row = self.get_object()
        functions.webhooks_pause(customer_id=row.customer_id, endpoint_id=row.pk)
        return self.answer(row.pk)

    @extend_schema(
        summary="Resume an endpoint",
        description=(
            "Makes a paused or disabled endpoint active, as healthy as a new one, and sends what "
            "waited. What happened while it was disabled comes with `recover`."
        ),
        request=None,
        responses={200: WebhookEndpointSerializer},
        operation_id="webhook_endpoints_resume",
    )
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        refuse_body(request)
        row = self.get_object()
        functions.webhooks_resume(customer_id=row.customer_id, endpoint_id=row.pk)
        return self.answer(row.pk)

    @extend_schema(
        summary="Make up for what an endpoint missed",
        description=(
            "Sends what happened since then and did not reach it: failed and cancelled deliveries "
            "again, and events of which it has none, because it was disabled or is newer."
        ),
        request=RecoverySerializer,
        responses={202: RecoveredSerializer},
        operation_id="webhook_endpoints_recover",
    )
    @action(detail=True, methods=["post"])
    def recover(self, request: Request, pk: str) -> Response:
        given = self._given(RecoverySerializer, request)
        row = self.get_object()
        count = functions.webhooks_recover(
            customer_id=row.customer_id, endpoint_id=row.pk, since=given["since"]
        )
        answer = RecoveredSerializer({"count": count}).data
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="List the deliveries to an endpoint",
        description="What is on its way to it, and what became of the rest, newest first.",
        responses={200: WebhookDeliverySerializer(many=True)},
        operation_id="webhook_endpoints_deliveries_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=EndpointDeliveryFilterSet,
        ordering_fields=("id",),
        search_fields=SEARCHED,
        search_describes=SEARCH_DESCRIBES,
    )
    def deliveries(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        return self.page(self._deliveries().filter(endpoint_id=row.pk), WebhookDeliverySerializer)

    def _deliveries(self) -> QuerySet[WebhookDelivery]:
        return self.own(WebhookDelivery.objects.select_related("event"))
