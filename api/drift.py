"""Drift: runs of detection, what they measured and what they found."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.fields import StrictModelSerializer, StrictSerializer
from api.views import ListRetrieve
from core.functions import drift_newest_as_of, drift_request_run
from core.models import DriftEvent, DriftMeasurement, DriftRun
from core.models.drift import Direction, Metric


class DriftRunSerializer(StrictModelSerializer):
    """One run of detection."""

    class Meta:
        model = DriftRun
        fields = (
            "id", "customer", "as_of", "trigger", "status", "is_look", "applied",
            "groups_measured", "groups_insufficient", "events_found", "parameters", "error",
            "requested_by", "requested_at", "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    parameters = serializers.DictField(read_only=True)

    descriptions = {
        "as_of": "The day as of which it measured: claims decided before it count.",
        "trigger": "What asked for it: nightly, upload, manual or api.",
        "status": "queued: waits for the worker. running. completed, or failed: `error` says why.",
        "is_look": "Whether alerts could open at the full false discovery rate.",
        "applied": "Whether alerts followed; a day older than the newest is measured only.",
        "groups_measured": "Groups and metrics with enough claims for a verdict.",
        "groups_insufficient": "Groups and metrics with too few.",
        "events_found": "Groups and metrics that drifted.",
        "parameters": "The settings and the baseline that it used.",
        "error": "Why it failed.",
        "requested_by": "The id of the user who asked for it; null for the schedule.",
        "requested_at": "When it was asked for.",
        "started_at": "When it started; while it is queued, when it was asked for.",
        "finished_at": "When it ended.",
    }
    example = {
        "id": 40,
        "customer": 1,
        "as_of": "2026-11-24",
        "trigger": "nightly",
        "status": "completed",
        "is_look": True,
        "applied": True,
        "groups_measured": 21,
        "groups_insufficient": 3,
        "events_found": 2,
        "parameters": {"method": "significance", "baseline_days": 182},
        "error": "",
        "requested_by": None,
        "requested_at": "2026-11-24T07:10:00Z",
        "started_at": "2026-11-24T07:10:00Z",
        "finished_at": "2026-11-24T07:10:01Z",
    }


class NewRunSerializer(StrictSerializer):
    """Which day to measure."""

    as_of = serializers.DateField(required=False, allow_null=True, default=None)

    descriptions = {"as_of": "The day; left out or null: today there."}
    example = {"as_of": "2026-11-24"}


FIGURES = (
    "id", "customer", "run", "payer", "payer_name", "cpt_group", "cpt_group_name", "metric",
    "direction", "baseline_start", "baseline_end", "current_start", "current_end", "window_days",
    "baseline_n", "current_n", "baseline_x", "current_x", "baseline_value", "current_value",
    "delta", "relative_delta", "ci_low", "ci_high", "dispersion", "z", "p_value", "q_value",
    "severity", "confidence",
)  # fmt: skip
FIGURE_DESCRIPTIONS = {
    "run": "The id of the run.",
    "direction": "up is worse: more denials, longer decisions.",
    "baseline_start": "The baseline's first day.",
    "baseline_end": "The baseline's last day.",
    "current_start": "The first day of the window that it is compared with.",
    "current_end": "The last day of that window.",
    "window_days": "The days in that window: 14, 28 or 56.",
    "baseline_n": "Claim lines first decided in the baseline.",
    "current_n": "Claim lines first decided in the window.",
    "baseline_x": "Those denied in the baseline (DENIAL_RATE).",
    "current_x": "Those denied in the window (DENIAL_RATE).",
    "baseline_value": "The baseline's rate (a share of 1) or median (days).",
    "current_value": "The window's rate or median.",
    "delta": "How far it moved.",
    "relative_delta": "How far it moved, relative to the baseline; null at a baseline of 0.",
    "ci_low": "The lower end of the 95 % interval of delta.",
    "ci_high": "Its upper end.",
    "dispersion": "How much wider than chance alone the group varies by itself; 1: not at all.",
    "z": "The test's statistic.",
    "p_value": "How likely a move like this is by chance.",
    "q_value": "The same, considering how many groups were looked at.",
    "severity": "How much it matters, from 0 to 1.",
    "confidence": "1 - q_value.",
}
FIGURE_EXAMPLE: dict[str, Any] = {
    "id": 310,
    "customer": 1,
    "run": 40,
    "payer": 7,
    "payer_name": "Aetna",
    "cpt_group": 5,
    "cpt_group_name": "Office visit",
    "metric": "DENIAL_RATE",
    "direction": "up",
    "baseline_start": "2026-03-31",
    "baseline_end": "2026-09-28",
    "current_start": "2026-11-10",
    "current_end": "2026-11-23",
    "window_days": 14,
    "baseline_n": 1820,
    "current_n": 140,
    "baseline_x": 175,
    "current_x": 33,
    "baseline_value": 0.096,
    "current_value": 0.236,
    "delta": 0.14,
    "relative_delta": 1.458,
    "ci_low": 0.071,
    "ci_high": 0.218,
    "dispersion": 1.1,
    "z": 4.9,
    "p_value": 1.1e-06,
    "q_value": 4.1e-05,
    "severity": 0.58,
    "confidence": 0.99996,
}


class DriftMeasurementSerializer(StrictModelSerializer):
    """One group and metric as a run measured it: why an alert, or why none."""

    payer_name = serializers.CharField(source="payer.name", read_only=True)
    cpt_group_name = serializers.CharField(
        source="cpt_group.name", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = DriftMeasurement
        fields = (*FIGURES, "sufficient", "drifted")
        read_only_fields = fields

    descriptions = FIGURE_DESCRIPTIONS | {
        "sufficient": "Whether there were enough claims for a verdict.",
        "drifted": "Whether it moved by more than chance explains, and enough to matter.",
    }
    example = FIGURE_EXAMPLE | {"sufficient": True, "drifted": True}


class DriftEventSerializer(StrictModelSerializer):
    """A group and metric that drifted as of a day."""

    payer_name = serializers.CharField(source="payer.name", read_only=True)
    cpt_group_name = serializers.CharField(
        source="cpt_group.name", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = DriftEvent
        fields = (*FIGURES, "withdrawn", "created_at")
        read_only_fields = fields

    descriptions = FIGURE_DESCRIPTIONS | {
        "withdrawn": "Whether a later run of the same day, with more claims, took it back.",
    }
    example = FIGURE_EXAMPLE | {"withdrawn": False, "created_at": "2026-11-24T07:10:01Z"}


class FigureFilterSet(filters.FilterSet):
    payer = filters.IdFilter(field_name="payer_id", label="Of this payer (id).")
    payer__in = filters.IdListFilter(field_name="payer_id", label="Of any of these payers.")
    cpt_group = filters.IdFilter(field_name="cpt_group_id", label="Of this group (id).")
    whole_payer = filters.FlagFilter(
        field_name="cpt_group_id",
        lookup_expr="isnull",
        label="Only payers as a whole (true), or only their groups (false).",
    )
    metric = filters.ChoiceFilter(choices=Metric.choices, label="Of this metric.")
    metric__in = filters.WordListFilter(
        field_name="metric", choices=Metric.choices, label="Of any of these metrics."
    )
    direction = filters.ChoiceFilter(choices=Direction.choices, label="In this direction.")
    severity_min = filters.ShareFilter(
        field_name="severity", lookup_expr="gte", label="At least as severe."
    )
    severity_max = filters.ShareFilter(
        field_name="severity", lookup_expr="lte", label="At most as severe."
    )


class MeasurementFilterSet(FigureFilterSet):
    sufficient = filters.FlagFilter(label="Whether there were enough claims.")
    drifted = filters.FlagFilter(label="Whether it drifted.")


class EventFilterSet(FigureFilterSet):
    run = filters.IdFilter(field_name="run_id", label="Found by this run (id).")
    withdrawn = filters.FlagFilter(label="Whether it was taken back.")
    current_end_after = filters.DateFilter(
        field_name="current_end", lookup_expr="gte", label="In a window that ends then or later."
    )
    current_end_before = filters.DateFilter(
        field_name="current_end", lookup_expr="lte", label="In a window that ends then or earlier."
    )


class RunFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=DriftRun.Status.choices, label="With this status.")
    trigger = filters.TextFilter(label="Asked for by this: nightly, upload, manual or api.")
    applied = filters.FlagFilter(label="Whether alerts followed.")
    as_of_after = filters.DateFilter(
        field_name="as_of", lookup_expr="gte", label="As of this day or later."
    )
    as_of_before = filters.DateFilter(
        field_name="as_of", lookup_expr="lte", label="As of this day or earlier."
    )


class DriftRunViewSet(ListRetrieve):
    """Runs of detection."""

    queryset = DriftRun.objects.all()
    serializer_class = DriftRunSerializer
    filterset_class = RunFilterSet
    ordering_fields = ("id", "as_of")
    search_fields = ("trigger__icontains",)
    search_describes = "the trigger holds this text"
    list_actions = frozenset({"measurements"})

    @extend_schema(
        summary="Start a run",
        description=(
            "Queues a run of detection for the worker. Poll the run that `Location` names until "
            "its status is neither `queued` nor `running`. While one for the same day waits, that "
            "one is the answer."
        ),
        request=NewRunSerializer,
        responses={202: DriftRunSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        customer_id = self.one_customer_id()
        serializer = NewRunSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        run_id = drift_request_run(
            customer_id=customer_id, as_of=serializer.validated_data["as_of"]
        )
        return self.created(run_id, status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="List what a run measured",
        description="Every group and metric, with all the numbers: why an alert, or why none.",
        responses={200: DriftMeasurementSerializer(many=True)},
        operation_id="drift_runs_measurements_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=MeasurementFilterSet,
        search_fields=("payer__name__icontains", "cpt_group__name__icontains"),
        search_describes="the payer's or the group's name hold this text",
        ordering_fields=("id",),
        default_ordering="id",
    )
    def measurements(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        queryset = self.own(DriftMeasurement.objects.select_related("payer", "cpt_group"))
        queryset = queryset.filter(run_id=run.measurement_run_id or run.pk)
        return self.page(queryset, DriftMeasurementSerializer)


class DriftEventViewSet(ListRetrieve):
    """Drifts, as each day's run found them, in either direction."""

    queryset = DriftEvent.objects.all()
    serializer_class = DriftEventSerializer
    filterset_class = EventFilterSet
    related = ("payer", "cpt_group")
    ordering_fields = ("id", "current_end")
    search_fields = ("payer__name__icontains", "cpt_group__name__icontains")
    search_describes = "the payer's or the group's name hold this text"
    list_actions = frozenset({"active"})

    @extend_schema(
        summary="List what drifts now",
        description="The drifts that the newest run found, and that nobody took back.",
        responses={200: DriftEventSerializer(many=True)},
        operation_id="drift_events_active_list",
    )
    @action(detail=False, methods=["get"])
    def active(self, request: Request) -> Response:
        customer_id = self.one_customer_id()
        newest = drift_newest_as_of(customer_id=customer_id)
        queryset: QuerySet[DriftEvent] = self.get_queryset().filter(withdrawn=False)
        queryset = queryset.filter(current_end=newest - timedelta(1)) if newest else queryset.none()
        return self.page(queryset, DriftEventSerializer)
