"""Customers, their members and settings, and what was changed by whom."""

from typing import Any

from django.core.validators import RegexValidator
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.access import Need
from api.fields import StrictCharField, StrictChoiceField, StrictModelSerializer, StrictSerializer
from api.views import Create, ListRetrieve, Row, Update
from core.functions import tenancy_add_member, tenancy_change_role, tenancy_remove_member
from core.models import AuditEntry, Customer, DriftSettings, Membership


class CustomerSerializer(StrictModelSerializer):
    """A practice."""

    slug = StrictCharField(
        max_length=60,
        validators=[
            RegexValidator(
                r"^[a-z0-9]+(-[a-z0-9]+)*$", "Give words of a-z and 0-9, with hyphens between."
            )
        ],
    )

    class Meta:
        model = Customer
        fields = ("id", "name", "slug", "time_zone", "status", "created_at")
        read_only_fields = ("id", "created_at")

    descriptions = {
        "name": "The practice's name.",
        "slug": "A short name for URLs and commands: a-z, 0-9 and hyphens.",
        "time_zone": "Where its days begin and end: a name of the IANA database.",
        "status": "A suspended customer's tokens are void and nothing runs for it.",
    }
    example = {
        "id": 1,
        "name": "Harbor Family Medicine",
        "slug": "demo-harbor-family",
        "time_zone": "America/New_York",
        "status": "active",
        "created_at": "2026-01-05T14:00:00Z",
    }


class DriftSettingsSerializer(StrictModelSerializer):
    """How drift is detected for a customer."""

    class Meta:
        model = DriftSettings
        fields = (
            "id", "customer", "method", "baseline_days", "guard_days", "min_volume",
            "false_discovery_rate", "min_rate_delta", "min_rate_relative", "min_days_delta",
            "min_days_relative", "clear_odds", "cooldown_hours",
        )  # fmt: skip
        read_only_fields = ("id", "customer")
        extra_kwargs = {
            name: {"min_value": low, "max_value": high}
            for name, low, high in (
                ("baseline_days", 28, 730),
                ("guard_days", 14, 180),
                ("min_volume", 1, 1_000_000),
                ("false_discovery_rate", 0.000001, 0.5),
                ("min_rate_delta", 0, 1),
                ("min_rate_relative", 0, 100),
                ("min_days_delta", 0, 365),
                ("min_days_relative", 0, 100),
                ("clear_odds", 2, 1_000_000),
                ("cooldown_hours", 0, 8760),
            )
        }

    descriptions = {
        "method": (
            "significance: a change must be larger than chance explains, and large enough to "
            "matter. threshold: large enough alone, to compare with; it raises many false alerts."
        ),
        "baseline_days": "Days in the baseline.",
        "guard_days": "Days between the baseline and today that belong to neither.",
        "min_volume": "Decided claim lines that baseline and current window need each.",
        "false_discovery_rate": "Which share of the drifts that are reported may be chance.",
        "min_rate_delta": "How much a denial rate must move, as a share of 1, or ...",
        "min_rate_relative": "... relative to the baseline's rate.",
        "min_days_delta": "How many days the median must move, or ...",
        "min_days_relative": "... relative to the baseline's median.",
        "clear_odds": "How many times likelier the old level must be before an alert clears.",
        "cooldown_hours": "An alert that returns within this time is reopened, not a new one.",
    }
    example = {
        "id": 1,
        "customer": 1,
        "method": "significance",
        "baseline_days": 182,
        "guard_days": 56,
        "min_volume": 30,
        "false_discovery_rate": 0.05,
        "min_rate_delta": 0.05,
        "min_rate_relative": 0.5,
        "min_days_delta": 3.0,
        "min_days_relative": 0.5,
        "clear_odds": 20.0,
        "cooldown_hours": 168,
    }


class CustomerFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Customer.Status.choices, label="With this status.")


class CustomerViewSet(Create, Update, ListRetrieve):
    """The customer of the token; a superuser sees all of them."""

    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilterSet
    search_fields = ("name__icontains", "slug__icontains")
    search_describes = "name or slug hold this text"
    needs = {
        "create": Need.SUPERUSER,
        "partial_update": Need.SUPERUSER,
        "drift_settings": Need.MEMBER,
        "change_drift_settings": Need.ADMIN,
    }

    def own(self, queryset: QuerySet[Row]) -> QuerySet[Row]:
        return queryset if self.customer_id is None else queryset.filter(pk=self.customer_id)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        row = serializer.save()
        return self.created(row.pk)

    @extend_schema(
        summary="Read the drift settings",
        description="How drift is detected for the customer.",
        responses={200: DriftSettingsSerializer},
        operation_id="customers_drift_settings_retrieve",
    )
    @action(detail=True, methods=["get"], url_path="drift-settings")
    def drift_settings(self, request: Request, pk: str) -> Response:
        return Response(DriftSettingsSerializer(self._settings()).data)

    @extend_schema(
        summary="Change the drift settings",
        description="Changes what is named; it applies from the next run on.",
        request=DriftSettingsSerializer(partial=True),
        responses={200: DriftSettingsSerializer},
        operation_id="customers_drift_settings_partial_update",
    )
    @drift_settings.mapping.patch
    def change_drift_settings(self, request: Request, pk: str) -> Response:
        serializer = DriftSettingsSerializer(
            self._settings(), data=request.data, partial=True, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(DriftSettingsSerializer(self._settings()).data)

    def _settings(self) -> DriftSettings:
        customer = self.get_object()
        queryset = DriftSettings.objects.filter(customer_id=customer.pk)
        if self.request.method == "PATCH":
            queryset = queryset.select_for_update(no_key=True)
        return queryset.get()

    def get_object(self) -> Any:
        row = super().get_queryset().filter(pk=int(self.kwargs["pk"])).first()
        if row is None:
            raise NotFound
        return row


class MembershipSerializer(StrictModelSerializer):
    """What a person may do at a customer."""

    email = serializers.EmailField(source="user.email", read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "customer", "user", "email", "name", "role", "created_at")
        read_only_fields = ("id", "customer", "user", "name", "created_at")

    descriptions = {
        "user": "The user's id.",
        "email": "The address that the person signs in with.",
        "name": "What the customer calls the person.",
        "role": (
            "member: reads everything, uploads claims and handles alerts. admin: also rules, "
            "settings, mappings, drift runs, members and everybody's tokens."
        ),
    }
    example = {
        "id": 3,
        "customer": 1,
        "user": 4,
        "email": "dana@harbor.example",
        "name": "Dana Reyes",
        "role": "member",
        "created_at": "2026-01-05T14:00:00Z",
    }


class NewMemberSerializer(StrictSerializer):
    """Who is to become a member."""

    email = serializers.EmailField(max_length=254)
    name = StrictCharField(max_length=150, required=False, default="", allow_blank=True)
    role = StrictChoiceField(choices=Membership.Role.choices, default="member")

    descriptions = MembershipSerializer.descriptions | {"name": "What you call the person."}
    example = {
        "email": "dana@harbor.example",
        "name": "Dana Reyes",
        "role": "member",
    }


class MembershipFilterSet(filters.FilterSet):
    user = filters.IdFilter(field_name="user_id", label="Of this user (id).")
    role = filters.ChoiceFilter(choices=Membership.Role.choices, label="With this role.")


class MembershipViewSet(ListRetrieve):
    """Who works for the customer, and as what."""

    queryset = Membership.objects.all()
    serializer_class = MembershipSerializer
    filterset_class = MembershipFilterSet
    related = ("user",)
    search_fields = ("user__email__icontains", "name__icontains")
    search_describes = "e-mail address or name hold this text"
    locks = frozenset[str]()

    @extend_schema(request=NewMemberSerializer, responses={201: MembershipSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        customer_id = self.one_customer_id()
        serializer = NewMemberSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return self.created(
            tenancy_add_member(customer_id=customer_id, **serializer.validated_data)
        )

    @extend_schema(request=MembershipSerializer(partial=True), responses=MembershipSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "role" in serializer.validated_data:
            tenancy_change_role(
                customer_id=row.customer_id,
                membership_id=row.pk,
                role=serializer.validated_data["role"],
            )
        return self.answer(row.pk)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        tenancy_remove_member(customer_id=row.customer_id, membership_id=row.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditEntrySerializer(StrictModelSerializer):
    """One change of something that people set."""

    class Meta:
        model = AuditEntry
        fields = (
            "id", "customer", "table_name", "row_id", "operation", "actor", "login", "changes",
            "at",
        )  # fmt: skip
        read_only_fields = fields

    changes = serializers.DictField(
        child=serializers.ListField(child=serializers.JSONField(), min_length=2, max_length=2),
        read_only=True,
    )

    descriptions = {
        "table_name": "What kind of thing was changed.",
        "row_id": "The id of the thing.",
        "operation": "insert, update or delete.",
        "actor": "The id of the user who did it; null for a command or a DBA.",
        "login": "The database login that it was done with.",
        "changes": "Each column that changed, with its value before and after.",
        "at": "When.",
    }
    example = {
        "id": 88,
        "customer": 1,
        "table_name": "drift_settings",
        "row_id": 1,
        "operation": "update",
        "actor": 4,
        "login": "claimdrift_web",
        "changes": {"min_volume": [30, 40]},
        "at": "2026-11-24T09:30:00Z",
    }


class AuditFilterSet(filters.FilterSet):
    table_name = filters.TextFilter(label="Of this kind of thing, such as `alert_rule`.")
    row_id = filters.IdFilter(label="Of the thing with this id.")
    operation = filters.ChoiceFilter(
        choices=[("insert", "insert"), ("update", "update"), ("delete", "delete")],
        label="What was done.",
    )
    actor = filters.IdFilter(field_name="actor_id", label="Done by this user (id).")
    at_after = filters.TimeFilter(
        field_name="at", lookup_expr="gte", label="At this time or later."
    )
    at_before = filters.TimeFilter(
        field_name="at", lookup_expr="lte", label="At this time or earlier."
    )


class AuditViewSet(ListRetrieve):
    """Who changed which setting, rule, mapping, membership or token. It can't be changed."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilterSet
    ordering_fields = ("id", "at")
    search_fields = ("table_name__icontains",)
    search_describes = "the kind of thing holds this text"
