"""Claims, and what payers made of them."""

from datetime import date, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.fields import StrictModelSerializer, StrictSerializer
from api.views import ListRetrieve
from core.functions import drift_payer_summary, tenancy_local_date
from core.models import Claim, Payer

SUMMARY_DAYS = 90
MAX_SUMMARY_DAYS = 366


class ClaimSerializer(StrictModelSerializer):
    """One line of a claim and what its payer decided."""

    payer_name = serializers.CharField(source="payer.name", read_only=True)
    cpt_group_name = serializers.CharField(source="cpt_group.name", read_only=True)

    class Meta:
        model = Claim
        fields = (
            "id", "customer", "source", "claim_number", "line_number", "payer", "payer_name",
            "cpt", "cpt_group", "cpt_group_name", "submitted_date", "decided_date", "outcome",
            "first_decided_date", "first_outcome", "billed_amount", "allowed_amount",
            "paid_amount", "denial_code", "upload",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "source": "The billing system that numbered it; empty where there is only one.",
        "claim_number": "The claim's number in that system.",
        "line_number": "The line's number within the claim.",
        "cpt": "The CPT or HCPCS code.",
        "cpt_group": "The id of the group of procedures that the code belongs to.",
        "cpt_group_name": "The name of that group.",
        "submitted_date": "When it was submitted.",
        "decided_date": "When the payer last decided; null while it is pending.",
        "outcome": "The latest decision.",
        "first_decided_date": "When the payer decided first: what detection reads.",
        "first_outcome": "The first decision; it stays when an appeal overturns it.",
        "billed_amount": "What was asked for, in US dollars.",
        "allowed_amount": "What the payer allows, in US dollars.",
        "paid_amount": "What the payer paid, in US dollars.",
        "denial_code": "Why it was denied: a claim adjustment reason code (CARC).",
        "upload": "The id of the upload that wrote it last.",
    }
    example = {
        "id": 4711,
        "customer": 1,
        "source": "",
        "claim_number": "A-1002",
        "line_number": 1,
        "payer": 7,
        "payer_name": "Aetna",
        "cpt": "99213",
        "cpt_group": 5,
        "cpt_group_name": "Office visit",
        "submitted_date": "2026-05-03",
        "decided_date": "2026-05-16",
        "outcome": "DENIED",
        "first_decided_date": "2026-05-16",
        "first_outcome": "DENIED",
        "billed_amount": "120.00",
        "allowed_amount": None,
        "paid_amount": "0.00",
        "denial_code": "CO-50",
        "upload": 12,
    }


class ClaimFilterSet(filters.FilterSet):
    payer = filters.IdFilter(field_name="payer_id", label="Decided by this payer (id).")
    payer__in = filters.IdListFilter(field_name="payer_id", label="Decided by any of these payers.")
    cpt_group = filters.IdFilter(field_name="cpt_group_id", label="In this group (id).")
    cpt_group__in = filters.IdListFilter(field_name="cpt_group_id", label="In any of these groups.")
    source = filters.TextFilter(label="Numbered by this billing system.")
    cpt = filters.TextFilter(label="With this CPT or HCPCS code.")
    outcome = filters.ChoiceFilter(
        choices=Claim.Outcome.choices, label="With this latest decision."
    )
    outcome__in = filters.WordListFilter(
        field_name="outcome",
        choices=Claim.Outcome.choices,
        label="With any of these latest decisions.",
    )
    denial_code = filters.TextFilter(label="Denied for this reason.")
    first_decided_date_after = filters.DateFilter(
        field_name="first_decided_date", lookup_expr="gte", label="First decided then or later."
    )
    first_decided_date_before = filters.DateFilter(
        field_name="first_decided_date", lookup_expr="lte", label="First decided then or earlier."
    )
    submitted_date_after = filters.DateFilter(
        field_name="submitted_date", lookup_expr="gte", label="Submitted then or later."
    )
    submitted_date_before = filters.DateFilter(
        field_name="submitted_date", lookup_expr="lte", label="Submitted then or earlier."
    )


class PayerSummarySerializer(StrictSerializer):
    """What a payer decided in a period, beside the period of the same length before."""

    payer = serializers.IntegerField(read_only=True)
    payer_name = serializers.CharField(read_only=True)
    claims = serializers.IntegerField(read_only=True)
    denied = serializers.IntegerField(read_only=True)
    denial_rate = serializers.FloatField(read_only=True, allow_null=True)
    median_days = serializers.FloatField(read_only=True, allow_null=True)
    previous_claims = serializers.IntegerField(read_only=True)
    previous_denial_rate = serializers.FloatField(read_only=True, allow_null=True)
    previous_median_days = serializers.FloatField(read_only=True, allow_null=True)
    open_alerts = serializers.IntegerField(read_only=True)

    descriptions = {
        "claims": "Claim lines that it decided for the first time in the period.",
        "denied": "How many of them it denied.",
        "denial_rate": "Their share of 1; null where there are none.",
        "median_days": "The median of the days from submission to decision.",
        "previous_claims": "Claim lines decided in the period before.",
        "previous_denial_rate": "The share denied in the period before.",
        "previous_median_days": "The median of days in the period before.",
        "open_alerts": "Alerts on it that aren't resolved.",
    }
    example = {
        "payer": 7,
        "payer_name": "Aetna",
        "claims": 1350,
        "denied": 189,
        "denial_rate": 0.14,
        "median_days": 12.0,
        "previous_claims": 1340,
        "previous_denial_rate": 0.09,
        "previous_median_days": 12.0,
        "open_alerts": 1,
    }


class SummaryFilterSet(filters.FilterSet):
    decided_after = filters.DateFilter(
        method="unchanged", label=f"The period's first day; by default {SUMMARY_DAYS} days ago."
    )
    decided_before = filters.DateFilter(
        method="unchanged", label="The period's last day; by default yesterday there."
    )
    payer = filters.IdFilter(field_name="id", label="Of this payer (id).")

    def unchanged(self, queryset: Any, name: str, value: Any) -> Any:
        """The view hands the period on to the function that counts."""
        return queryset


class ClaimViewSet(ListRetrieve):
    """Claim lines, as files brought them."""

    queryset = Claim.objects.all()
    serializer_class = ClaimSerializer
    filterset_class = ClaimFilterSet
    related = ("payer", "cpt_group")
    ordering_fields = ("id", "first_decided_date", "submitted_date")
    search_fields = ("claim_number__begins_with",)
    search_describes = "the claim number begins with this text"
    list_actions = frozenset({"payer_summary"})

    @extend_schema(
        summary="Compare payers",
        description=(
            "What each payer decided in a period (90 days by default), beside the period of the "
            "same length before. First decisions count, whatever became of them on appeal."
        ),
        responses={200: PayerSummarySerializer(many=True)},
        operation_id="claims_payer_summary_list",
    )
    @action(
        detail=False,
        methods=["get"],
        url_path="payer-summary",
        filterset_class=SummaryFilterSet,
        search_fields=("name__icontains",),
        search_describes="the payer's name holds this text",
        ordering_fields=("payer", "claims", "denial_rate", "median_days", "open_alerts"),
        default_ordering="-claims",
    )
    def payer_summary(self, request: Request) -> Response:
        customer_id = self.one_customer_id()
        payers = self.filter_queryset(self.own(Payer.objects.all()))
        names = dict(payers.values_list("id", "name"))
        given = SummaryFilterSet(request.query_params, payers).form
        given.full_clean()  # what isn't clean was refused above
        first, last = (given.cleaned_data[name] for name in ("decided_after", "decided_before"))
        start, end = self._period(customer_id, first, last)
        rows = [
            {"payer": payer_id, "payer_name": names[payer_id], **figures}
            for payer_id, figures in drift_payer_summary(
                customer_id=customer_id, start=start, end=end
            ).items()
            if payer_id in names
        ]
        return self.page_of_rows(rows, "payer", PayerSummarySerializer)

    def _period(self, customer_id: int, first: date | None, last: date | None) -> tuple[date, date]:
        usual = timedelta(SUMMARY_DAYS - 1)
        try:
            if last is None:
                yesterday = tenancy_local_date(customer_id=customer_id) - timedelta(1)
                last = first + usual if first else yesterday
            first = first or last - usual
        except OverflowError:
            raise ValidationError(
                {"decided_before" if last else "decided_after": "Dates end there."}
            ) from None
        if not timedelta(0) <= last - first < timedelta(MAX_SUMMARY_DAYS):
            raise ValidationError(
                {"decided_after": f"Give a period of 1 to {MAX_SUMMARY_DAYS} days."}
            )
        return first, last
