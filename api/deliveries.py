"""Deliveries of webhooks: what is on its way to an endpoint, and what came of each attempt."""

from collections.abc import Sequence

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.fields import StrictModelSerializer
from api.views import ListRetrieve
from core.functions import webhooks_replay
from core.models import WebhookAttempt, WebhookDelivery, WebhookEvent
from core.models.webhooks import EventType


class WebhookEventSerializer(StrictModelSerializer):
    """What happened."""

    class Meta:
        model = WebhookEvent
        fields: Sequence[str] = ("type", "message_id", "occurred_at")
        read_only_fields = fields

    descriptions = {
        "type": "What kind of thing happened.",
        "message_id": "The webhook-id of every attempt to tell it: what receivers dedupe by.",
        "occurred_at": "When it happened.",
    }
    example = {
        "type": "alert.opened",
        "message_id": "msg_2f9c1e6d5b4b7f9a3e1d2c4b5a697801",
        "occurred_at": "2026-11-24T07:10:01Z",
    }


class WebhookEventWithPayloadSerializer(WebhookEventSerializer):
    """What happened, as it is told."""

    payload = serializers.DictField(read_only=True)

    class Meta(WebhookEventSerializer.Meta):
        fields = (*WebhookEventSerializer.Meta.fields, "payload")
        read_only_fields = fields

    descriptions = WebhookEventSerializer.descriptions | {
        "payload": "The body of the request: type, timestamp and data.",
    }
    example = WebhookEventSerializer.example | {
        "payload": {
            "type": "alert.opened",
            "timestamp": "2026-11-24T07:10:01.000000Z",
            "data": {"alert_id": 21, "version": 1, "link": "/api/v1/alerts/21"},
        }
    }


class WebhookDeliverySerializer(StrictModelSerializer):
    """An event on its way to an endpoint."""

    event = WebhookEventSerializer(read_only=True)

    class Meta:
        model = WebhookDelivery
        fields = (
            "id", "customer", "endpoint", "event", "status", "attempts", "next_attempt_at",
            "last_status_code", "last_error", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "endpoint": "The id of the endpoint.",
        "event": "What it tells.",
        "status": (
            "pending: waits, or is under way. delivered. failed: no attempt is left. cancelled: "
            "the endpoint was disabled or the customer suspended."
        ),
        "attempts": "How many attempts were ever begun.",
        "next_attempt_at": "When the next attempt is due; null where there is none.",
        "last_status_code": "The HTTP status of the last attempt; null: there was no answer.",
        "last_error": "What went wrong the last time; empty where nothing did.",
        "finished_at": "When it ended; null while it is pending.",
    }
    example = {
        "id": 301,
        "customer": 1,
        "endpoint": 3,
        "event": WebhookEventSerializer.example,
        "status": "delivered",
        "attempts": 2,
        "next_attempt_at": None,
        "last_status_code": 200,
        "last_error": "",
        "created_at": "2026-11-24T07:10:01Z",
        "finished_at": "2026-11-24T07:10:07Z",
    }


class WebhookDeliveryWithPayloadSerializer(WebhookDeliverySerializer):
    """An event on its way to an endpoint, with the body that is sent."""

    event = WebhookEventWithPayloadSerializer(read_only=True)

    class Meta(WebhookDeliverySerializer.Meta):
        pass

    example = WebhookDeliverySerializer.example | {
        "event": WebhookEventWithPayloadSerializer.example
    }


class WebhookAttemptSerializer(StrictModelSerializer):
    """One attempt at a delivery, and what came of it."""

    class Meta:
        model = WebhookAttempt
        fields = (
            "id", "number", "started_at", "duration_ms", "status_code", "error", "response",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "number": "Counts a delivery's attempts, from 1.",
        "started_at": "When it began.",
        "duration_ms": "How long it took, in milliseconds; null where its worker was lost.",
        "status_code": "The HTTP status of the answer; null: there was none.",
        "error": "What went wrong; empty where nothing did.",
        "response": "The start of the answer's body: 20 kB at most.",
    }
    example = {
        "id": 412,
        "number": 1,
        "started_at": "2026-11-24T07:10:01Z",
        "duration_ms": 84,
        "status_code": 503,
        "error": "It answered 503.",
        "response": "Service Unavailable",
    }


class EndpointDeliveryFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=WebhookDelivery.Status.choices, label="With this status.")
    status__in = filters.WordListFilter(
        field_name="status",
        choices=WebhookDelivery.Status.choices,
        label="With any of these statuses.",
    )
    event_type = filters.ChoiceFilter(
        field_name="event__type", choices=EventType.choices, label="Of this type of event."
    )
    event_type__in = filters.WordListFilter(
        field_name="event__type", choices=EventType.choices, label="Of any of these types."
    )
    created_at_after = filters.TimeFilter(
        field_name="created_at", lookup_expr="gte", label="Created at this time or later."
    )
    created_at_before = filters.TimeFilter(
        field_name="created_at", lookup_expr="lte", label="Created at this time or earlier."
    )


class DeliveryFilterSet(EndpointDeliveryFilterSet):
    endpoint = filters.IdFilter(field_name="endpoint_id", label="To this endpoint (id).")


class AttemptFilterSet(filters.FilterSet):
    status_code = filters.WholeFilter(label="Answered with this HTTP status.")
    started_at_after = filters.TimeFilter(
        field_name="started_at", lookup_expr="gte", label="Begun at this time or later."
    )
    started_at_before = filters.TimeFilter(
        field_name="started_at", lookup_expr="lte", label="Begun at this time or earlier."
    )


def refuse_body(request: Request) -> None:
    """Of what takes no body: a field that is sent all the same is a mistake, never ignored."""
    if request.data:
        raise ValidationError(dict.fromkeys(request.data, "There is nothing to be set here."))


SEARCHED = ("event__message_id__icontains", "last_error__icontains")
SEARCH_DESCRIBES = "the webhook-id or the last error hold this text"


class WebhookDeliveryViewSet(ListRetrieve):
    """What is on its way to the endpoints, and what became of it."""

    queryset = WebhookDelivery.objects.all()
    serializer_class = WebhookDeliverySerializer
    filterset_class = DeliveryFilterSet
    related = ("event",)
    search_fields = SEARCHED
    search_describes = SEARCH_DESCRIBES
    list_actions = frozenset({"attempts"})

    @extend_schema(responses={200: WebhookDeliveryWithPayloadSerializer})
    def retrieve(self, request: Request, *args: object, **kwargs: object) -> Response:
        return Response(WebhookDeliveryWithPayloadSerializer(self.get_object()).data)

    @extend_schema(
        summary="List the attempts at a delivery",
        description="What came of each, first to last.",
        responses={200: WebhookAttemptSerializer(many=True)},
        operation_id="webhook_deliveries_attempts_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=AttemptFilterSet,
        ordering_fields=("number", "id"),
        default_ordering="number",
        search_fields=("error__icontains", "response__icontains"),
        search_describes="the error or the answer hold this text",
    )
    def attempts(self, request: Request, pk: str) -> Response:
        delivery = self.get_object()
        queryset = self.own(WebhookAttempt.objects.all()).filter(delivery_id=delivery.pk)
        return self.page(queryset, WebhookAttemptSerializer)

    @extend_schema(
        summary="Send a delivery again",
        description=(
            "Whatever became of it: under the same webhook-id, and from the start of the schedule. "
            "One that waits is sent at once, one that is under way is left alone."
        ),
        request=None,
        responses={202: WebhookDeliverySerializer},
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        refuse_body(request)
        delivery = self.get_object()
        webhooks_replay(customer_id=delivery.customer_id, delivery_id=delivery.pk)
        return self.answer(delivery.pk, status.HTTP_202_ACCEPTED)
