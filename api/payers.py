"""Payers and groups of procedures, and under which other names files know them."""

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.fields import (
    ReferenceField,
    StrictCharField,
    StrictModelSerializer,
    StrictSerializer,
)
from api.views import Create, Destroy, ListRetrieve, Update
from core.functions import ingest_merge_payers
from core.models import CptGroup, CptMapping, Payer, PayerAlias


class PayerSerializer(StrictModelSerializer):
    """An insurer that decides the customer's claims."""

    class Meta:
        model = Payer
        fields = ("id", "customer", "name", "merged_into", "created_at")
        read_only_fields = ("id", "customer", "merged_into", "created_at")

    descriptions = {
        "name": "Its name. A former name stays known, as an alias.",
        "merged_into": "The id of the payer that it was merged into; null: none.",
    }
    example = {
        "id": 7,
        "customer": 1,
        "name": "Aetna",
        "merged_into": None,
        "created_at": "2026-01-05T14:00:00Z",
    }


class MergeSerializer(StrictSerializer):
    """Which payer it really is."""

    into = ReferenceField(queryset=Payer.objects.all())

    descriptions = {"into": "The id of the payer to merge it into."}
    example = {"into": 7}


class PayerFilterSet(filters.FilterSet):
    merged = filters.PresenceFilter(
        field_name="merged_into", label="Whether it was merged into another."
    )


class PayerViewSet(Create, Update, Destroy, ListRetrieve):
    """Payers. Files bring them along; one with claims can't be deleted, but merged."""

    queryset = Payer.objects.all()
    serializer_class = PayerSerializer
    filterset_class = PayerFilterSet
    search_fields = ("name__icontains",)
    search_describes = "the name holds this text"

    @extend_schema(
        summary="Merge a payer into another",
        description=(
            "For an insurer that files know under two names. Its name becomes an alias of the "
            "other's, its live alerts are resolved, and its claims follow in the worker's next "
            "job, hence 202. Its history stays where it is."
        ),
        request=MergeSerializer,
        responses={202: PayerSerializer},
    )
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        serializer = MergeSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        ingest_merge_payers(
            customer_id=row.customer_id,
            payer_id=row.pk,
            into_payer_id=serializer.validated_data["into"].pk,
            actor_id=self.actor.user_id,
        )
        return self.answer(row.pk, status.HTTP_202_ACCEPTED)


class PayerAliasSerializer(StrictModelSerializer):
    """Another name under which files know a payer."""

    payer = ReferenceField(queryset=Payer.objects.all())
    payer_name = serializers.CharField(source="payer.name", read_only=True)

    class Meta:
        model = PayerAlias
        fields = ("id", "customer", "alias", "payer", "payer_name", "created_at")
        read_only_fields = ("id", "customer", "created_at")

    descriptions = {"alias": "The other name."}
    example = {
        "id": 2,
        "customer": 1,
        "alias": "AETNA INC.",
        "payer": 7,
        "payer_name": "Aetna",
        "created_at": "2026-01-05T14:00:00Z",
    }


class PayerAliasFilterSet(filters.FilterSet):
    payer = filters.IdFilter(field_name="payer_id", label="Of this payer (id).")


class PayerAliasViewSet(Create, Update, Destroy, ListRetrieve):
    """Other names of payers. A change reaches all claims, in the worker's next job."""

    queryset = PayerAlias.objects.all()
    serializer_class = PayerAliasSerializer
    filterset_class = PayerAliasFilterSet
    related = ("payer",)
    search_fields = ("alias__icontains", "payer__name__icontains")
    search_describes = "the alias or the payer's name hold this text"


class CptGroupSerializer(StrictModelSerializer):
    """Procedures whose claims are watched together."""

    class Meta:
        model = CptGroup
        fields = ("id", "customer", "name", "created_at")
        read_only_fields = ("id", "customer", "created_at")

    descriptions = {
        "name": "Its name. A code that isn't mapped is a group of its own, named after the code."
    }
    example = {
        "id": 5,
        "customer": 1,
        "name": "Office visit",
        "created_at": "2026-01-05T14:00:00Z",
    }


class CptGroupViewSet(Create, Update, Destroy, ListRetrieve):
    """Groups of procedures. One with claims can't be deleted."""

    queryset = CptGroup.objects.all()
    serializer_class = CptGroupSerializer
    search_fields = ("name__icontains",)
    search_describes = "the name holds this text"


class CptMappingSerializer(StrictModelSerializer):
    """Which group a CPT or HCPCS code belongs to."""

    cpt = StrictCharField(
        max_length=20,
        validators=[
            RegexValidator(
                r"^[A-Z0-9][A-Z0-9.-]{0,19}$", "Give capitals, digits, points and hyphens."
            )
        ],
    )
    cpt_group = ReferenceField(queryset=CptGroup.objects.all())
    cpt_group_name = serializers.CharField(source="cpt_group.name", read_only=True)

    class Meta:
        model = CptMapping
        fields = ("id", "customer", "cpt", "cpt_group", "cpt_group_name", "created_at")
        read_only_fields = ("id", "customer", "created_at")

    descriptions = {
        "cpt": "The code, in capitals.",
        "cpt_group": "The id of the group that it belongs to.",
        "cpt_group_name": "The name of that group.",
    }
    example = {
        "id": 9,
        "customer": 1,
        "cpt": "99213",
        "cpt_group": 5,
        "cpt_group_name": "Office visit",
        "created_at": "2026-01-05T14:00:00Z",
    }


class CptMappingFilterSet(filters.FilterSet):
    cpt = filters.TextFilter(label="Of this code.")
    cpt_group = filters.IdFilter(field_name="cpt_group_id", label="To this group (id).")


class CptMappingViewSet(Create, Update, Destroy, ListRetrieve):
    """Which group each code belongs to. A change reaches all claims, in the worker's next job."""

    queryset = CptMapping.objects.all()
    serializer_class = CptMappingSerializer
    filterset_class = CptMappingFilterSet
    related = ("cpt_group",)
    search_fields = ("cpt__istartswith", "cpt_group__name__icontains")
    search_describes = "the code begins with this text or the group's name holds it"
