"""Alerts: the rules that raise them, their life, and what people say of them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import filters
from api.access import Need
from api.fields import (
    ReferenceField,
    StrictBooleanField,
    StrictCharField,
    StrictModelSerializer,
    StrictSerializer,
)
from api.views import Create, Destroy, ListRetrieve, Update
from core import functions
from core.models import Alert, AlertJudgment, AlertRule, AlertTransition, CptGroup, Payer
from core.models.alerts import Level
from core.models.drift import Direction, Metric


class AlertRuleSerializer(StrictModelSerializer):
    """Which drifts become alerts, and how loud."""

    payer = ReferenceField(queryset=Payer.objects.all(), required=False, allow_null=True)
    cpt_group = ReferenceField(queryset=CptGroup.objects.all(), required=False, allow_null=True)

    class Meta:
        model = AlertRule
        fields = (
            "id", "customer", "name", "payer", "cpt_group", "metric", "direction", "measure",
            "comparison", "threshold", "level", "enabled", "created_at",
        )  # fmt: skip
        read_only_fields = ("id", "customer", "created_at")
        extra_kwargs = {"threshold": {"min_value": 0, "max_value": 10_000}}

    descriptions = {
        "name": "What it is called.",
        "payer": "Only this payer (id); null: any.",
        "cpt_group": "Only this group (id); null: any, and payers as a whole.",
        "metric": "Only this metric; null: any.",
        "direction": "worse: more denials, longer decisions or silences; better; or any.",
        "measure": (
            "What the threshold is about: severity (0 to 1), delta (share of 1, or days) or "
            "relative_delta (of the baseline)."
        ),
        "comparison": "How the measure compares with the threshold.",
        "threshold": "From where on it alerts.",
        "level": "How loud; null: by severity (info below 0.4, critical above 0.7).",
        "enabled": "A disabled rule raises nothing; its live alerts may still clear.",
    }
    example = {
        "id": 6,
        "customer": 1,
        "name": "Aetna office visits",
        "payer": 7,
        "cpt_group": 5,
        "metric": "DENIAL_RATE",
        "direction": "worse",
        "measure": "delta",
        "comparison": "gte",
        "threshold": 0.08,
        "level": "critical",
        "enabled": True,
        "created_at": "2026-01-05T14:00:00Z",
    }


class AlertRuleFilterSet(filters.FilterSet):
    payer = filters.IdFilter(field_name="payer_id", label="About this payer alone (id).")
    cpt_group = filters.IdFilter(field_name="cpt_group_id", label="About this group alone (id).")
    metric = filters.ChoiceFilter(choices=Metric.choices, label="About this metric alone.")
    direction = filters.ChoiceFilter(
        choices=AlertRule.Direction.choices, label="About this direction."
    )
    level = filters.ChoiceFilter(choices=Level.choices, label="With this fixed level.")
    enabled = filters.FlagFilter(label="Whether it is enabled.")


class AlertRuleViewSet(Create, Update, Destroy, ListRetrieve):
    """Which drifts become alerts. The most specific rule that matches owns the alert."""

    queryset = AlertRule.objects.all()
    serializer_class = AlertRuleSerializer
    filterset_class = AlertRuleFilterSet
    search_fields = ("name__icontains",)
    search_describes = "the name holds this text"


class AlertSerializer(StrictModelSerializer):
    """One thing that happened: a payer's group that drifted."""

    payer_name = serializers.CharField(source="payer.name", read_only=True)
    cpt_group_name = serializers.CharField(
        source="cpt_group.name", read_only=True, allow_null=True, default=None
    )
    rule_name = serializers.CharField(source="rule.name", read_only=True)

    class Meta:
        model = Alert
        fields = (
            "id", "customer", "payer", "payer_name", "cpt_group", "cpt_group_name", "metric",
            "direction", "rule", "rule_name", "status", "level", "peak_severity", "occurrences",
            "opened_as_of", "last_seen_as_of", "resolved_as_of", "resolved_by", "new_normal",
            "muted", "muted_until", "baseline_start", "baseline_end", "baseline_n",
            "baseline_value", "baseline_dispersion", "opening_delta", "previous_alert", "version",
            "opened_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "direction": "up is worse: more denials, longer decisions, a longer silence.",
        "rule": "The id of the rule that owns it.",
        "rule_name": "That rule's name.",
        "status": "open, acknowledged (somebody is on it) or resolved.",
        "level": "How loud it is.",
        "peak_severity": "The largest severity it has had, from 0 to 1.",
        "occurrences": "On how many days it was seen.",
        "opened_as_of": "The day on which it was opened.",
        "last_seen_as_of": "The last day on which it was seen.",
        "resolved_as_of": "The day on which it was resolved; null while it is live.",
        "resolved_by": "By a user, cleared by newer decisions, or by a change of rules.",
        "new_normal": "Whether the alerted level was declared the new baseline.",
        "muted": "Whether it is kept quiet.",
        "muted_until": "Until when, where that is a matter of time.",
        "baseline_start": "The first day of the baseline that it is measured against.",
        "baseline_end": "Its last day.",
        "baseline_n": "Claim lines in the baseline.",
        "baseline_value": "The baseline's rate (a share of 1) or median (days).",
        "baseline_dispersion": "How much wider than chance alone the group varies; 1: not at all.",
        "opening_delta": "How far it had moved when it opened.",
        "previous_alert": "The id of the last alert of the same kind; null: the first.",
        "version": "Grows by one with each change of state.",
        "opened_at": "When it was opened.",
        "updated_at": "When it last changed.",
    }
    example = {
        "id": 21,
        "customer": 1,
        "payer": 7,
        "payer_name": "Aetna",
        "cpt_group": 5,
        "cpt_group_name": "Office visit",
        "metric": "DENIAL_RATE",
        "direction": "up",
        "rule": 1,
        "rule_name": "Any worsening",
        "status": "open",
        "level": "warning",
        "peak_severity": 0.58,
        "occurrences": 1,
        "opened_as_of": "2026-11-24",
        "last_seen_as_of": "2026-11-24",
        "resolved_as_of": None,
        "resolved_by": None,
        "new_normal": False,
        "muted": False,
        "muted_until": None,
        "baseline_start": "2026-03-31",
        "baseline_end": "2026-09-28",
        "baseline_n": 1820,
        "baseline_value": 0.096,
        "baseline_dispersion": 1.1,
        "opening_delta": 0.14,
        "previous_alert": None,
        "version": 1,
        "opened_at": "2026-11-24T07:10:01Z",
        "updated_at": "2026-11-24T07:10:01Z",
    }


class NoteSerializer(StrictSerializer):
    """Why."""

    note = StrictCharField(max_length=2000, required=False, default="", allow_blank=True)

    descriptions = {"note": "Why, for whoever reads the alert's history."}
    example = {"note": "Asked Aetna's provider line."}


class ResolutionSerializer(NoteSerializer):
    """Why, and whether it is to stay like this."""

    new_normal = StrictBooleanField(default=False)

    descriptions = NoteSerializer.descriptions | {
        "new_normal": "Whether the alerted level is the group's baseline from now on."
    }
    example = {"note": "Their new policy.", "new_normal": True}


class ExplanationSerializer(StrictSerializer):
    """Why there was an alert, sentence by sentence."""

    alert = serializers.IntegerField(read_only=True)
    as_of = serializers.DateField(read_only=True)
    lines = serializers.ListField(child=serializers.CharField(), read_only=True)

    descriptions = {
        "alert": "The alert's id.",
        "as_of": "The day that is explained: the last one on which the alert was seen.",
        "lines": "The explanation, line by line: what was compared, and what came of it.",
    }
    example = {
        "alert": 21,
        "as_of": "2026-11-24",
        "lines": ["Aetna, Office visit, as of 2026-11-24."],
    }


class TransitionSerializer(StrictModelSerializer):
    """One change of an alert's state."""

    class Meta:
        model = AlertTransition
        fields = (
            "id", "alert", "version", "kind", "from_status", "to_status", "level", "severity",
            "as_of", "actor", "note", "at",
        )  # fmt: skip
        read_only_fields = fields

    descriptions = {
        "alert": "The alert's id.",
        "version": "The alert's version from here on.",
        "kind": "What happened.",
        "from_status": "The status before; null when it was opened.",
        "to_status": "The status after.",
        "level": "How loud it was then.",
        "severity": "How severe it was then, from 0 to 1.",
        "as_of": "The day that was measured.",
        "actor": "The id of the user who did it; null: claimdrift.",
        "note": "Why.",
        "at": "When.",
    }
    example = {
        "id": 55,
        "alert": 21,
        "version": 2,
        "kind": "acknowledged",
        "from_status": "open",
        "to_status": "acknowledged",
        "level": "warning",
        "severity": 0.58,
        "as_of": "2026-11-24",
        "actor": 4,
        "note": "Asked Aetna's provider line.",
        "at": "2026-11-24T09:30:00Z",
    }


class JudgmentSerializer(StrictModelSerializer):
    """What a user says an alert was worth."""

    note = StrictCharField(max_length=2000, required=False, default="", allow_blank=True)

    class Meta:
        model = AlertJudgment
        fields = ("id", "alert", "user", "verdict", "recovered_amount", "note", "at")
        read_only_fields = ("id", "alert", "user", "at")
        extra_kwargs = {"recovered_amount": {"min_value": 0}}

    descriptions = {
        "alert": "The alert's id.",
        "user": "The id of the user who says so.",
        "verdict": "noise, real or needs_followup. Noise twice mutes the next of its kind.",
        "recovered_amount": "The money that it brought back, in US dollars.",
        "note": "Why.",
        "at": "When.",
    }
    example = {
        "id": 8,
        "alert": 21,
        "user": 4,
        "verdict": "real",
        "recovered_amount": "1240.00",
        "note": "Appealed; paid in full.",
        "at": "2026-11-24T09:30:00Z",
    }


class AlertFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Alert.Status.choices, label="With this status.")
    status__in = filters.WordListFilter(
        field_name="status", choices=Alert.Status.choices, label="With any of these statuses."
    )
    level = filters.ChoiceFilter(choices=Level.choices, label="With this level.")
    level__in = filters.WordListFilter(
        field_name="level", choices=Level.choices, label="With any of these levels."
    )
    payer = filters.IdFilter(field_name="payer_id", label="On this payer (id).")
    payer__in = filters.IdListFilter(field_name="payer_id", label="On any of these payers.")
    cpt_group = filters.IdFilter(field_name="cpt_group_id", label="On this group (id).")
    whole_payer = filters.FlagFilter(
        field_name="cpt_group_id",
        lookup_expr="isnull",
        label="Only on payers as a whole (true), or only on their groups (false).",
    )
    metric = filters.ChoiceFilter(choices=Metric.choices, label="Of this metric.")
    metric__in = filters.WordListFilter(
        field_name="metric", choices=Metric.choices, label="Of any of these metrics."
    )
    direction = filters.ChoiceFilter(choices=Direction.choices, label="In this direction.")
    rule = filters.IdFilter(field_name="rule_id", label="Of this rule (id).")
    muted = filters.FlagFilter(label="Whether it is kept quiet.")
    severity_min = filters.ShareFilter(
        field_name="peak_severity", lookup_expr="gte", label="At least as severe."
    )
    severity_max = filters.ShareFilter(
        field_name="peak_severity", lookup_expr="lte", label="At most as severe."
    )
    opened_as_of_after = filters.DateFilter(
        field_name="opened_as_of", lookup_expr="gte", label="Opened on this day or later."
    )
    opened_as_of_before = filters.DateFilter(
        field_name="opened_as_of", lookup_expr="lte", label="Opened on this day or earlier."
    )
    last_seen_as_of_after = filters.DateFilter(
        field_name="last_seen_as_of", lookup_expr="gte", label="Last seen on this day or later."
    )
    last_seen_as_of_before = filters.DateFilter(
        field_name="last_seen_as_of", lookup_expr="lte", label="Last seen on this day or earlier."
    )


class TransitionFilterSet(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=AlertTransition.Kind.choices, label="Of this kind.")


class JudgmentFilterSet(filters.FilterSet):
    verdict = filters.ChoiceFilter(
        choices=AlertJudgment.Verdict.choices, label="With this verdict."
    )
    user = filters.IdFilter(field_name="user_id", label="Of this user (id).")


class AlertViewSet(ListRetrieve):
    """Alerts: one for each thing that happened."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    filterset_class = AlertFilterSet
    related = ("payer", "cpt_group", "rule")
    ordering_fields = ("id", "last_seen_as_of", "peak_severity")
    search_fields = ("payer__name__icontains", "cpt_group__name__icontains")
    search_describes = "the payer's or the group's name hold this text"
    list_actions = frozenset({"history", "judgments"})
    needs = {
        "acknowledge": Need.MEMBER,
        "resolve": Need.MEMBER,
        "reopen": Need.MEMBER,
        "judge": Need.MEMBER,
    }

    def _given(self, serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
        given = serializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    @extend_schema(
        summary="Acknowledge an alert",
        description="Says that somebody is on it. Only an open alert can be acknowledged.",
        request=NoteSerializer,
        responses={200: AlertSerializer},
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        given = self._given(NoteSerializer, request)
        alert = self.get_object()
        functions.alerts_acknowledge(
            customer_id=alert.customer_id,
            alert_id=alert.pk,
            actor_id=self.actor.user_id,
            note=given["note"],
        )
        return self.answer(alert.pk)

    @extend_schema(
        summary="Resolve an alert",
        description=(
            "Ends it. It stays resolved until the group was measured without drift once, or "
            "drifts further. With `new_normal` the alerted level becomes the group's baseline."
        ),
        request=ResolutionSerializer,
        responses={200: AlertSerializer},
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        given = self._given(ResolutionSerializer, request)
        alert = self.get_object()
        functions.alerts_resolve(
            customer_id=alert.customer_id,
            alert_id=alert.pk,
            actor_id=self.actor.user_id,
            note=given["note"],
            new_normal=given["new_normal"],
        )
        return self.answer(alert.pk)

    @extend_schema(
        summary="Reopen an alert",
        description="Takes a resolution back. Only the newest alert of its kind can be reopened.",
        request=NoteSerializer,
        responses={200: AlertSerializer},
    )
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        given = self._given(NoteSerializer, request)
        alert = self.get_object()
        functions.alerts_reopen(
            customer_id=alert.customer_id,
            alert_id=alert.pk,
            actor_id=self.actor.user_id,
            note=given["note"],
        )
        return self.answer(alert.pk)

    @extend_schema(
        summary="Explain an alert",
        description="What was compared with what, and why that made an alert, in words.",
        responses={200: ExplanationSerializer},
    )
    @action(detail=True, methods=["get"])
    def explanation(self, request: Request, pk: str) -> Response:
        alert = self.get_object()
        lines = functions.drift_explain(
            customer_id=alert.customer_id,
            as_of=alert.last_seen_as_of,
            payer_id=alert.payer_id,
            cpt_group_id=alert.cpt_group_id,
        )
        answer = {"alert": alert.pk, "as_of": alert.last_seen_as_of, "lines": lines}
        return Response(ExplanationSerializer(answer).data)

    @extend_schema(
        summary="List an alert's history",
        description="Every change of its state, first to last.",
        responses={200: TransitionSerializer(many=True)},
        operation_id="alerts_history_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=TransitionFilterSet,
        ordering_fields=("version", "id"),
        default_ordering="version",
        search_fields=("note__icontains",),
        search_describes="the note holds this text",
    )
    def history(self, request: Request, pk: str) -> Response:
        alert = self.get_object()
        queryset = self.own(AlertTransition.objects.all()).filter(alert_id=alert.pk)
        return self.page(queryset, TransitionSerializer)

    @extend_schema(
        summary="List what people say of an alert",
        description="The latest verdict of each user.",
        responses={200: JudgmentSerializer(many=True)},
        operation_id="alerts_judgments_list",
    )
    @action(
        detail=True,
        methods=["get"],
        filterset_class=JudgmentFilterSet,
        ordering_fields=("id",),
        search_fields=("note__icontains",),
        search_describes="the note holds this text",
    )
    def judgments(self, request: Request, pk: str) -> Response:
        alert = self.get_object()
        queryset = self.own(AlertJudgment.objects.all()).filter(alert_id=alert.pk)
        return self.page(queryset, JudgmentSerializer)

    @extend_schema(
        summary="Say what an alert was worth",
        description="Records your verdict, in place of your former one on this alert.",
        request=JudgmentSerializer,
        responses={200: JudgmentSerializer},
        operation_id="alerts_judge",
    )
    @judgments.mapping.post
    def judge(self, request: Request, pk: str) -> Response:
        given = self._given(JudgmentSerializer, request)
        alert = self.get_object()
        judgment_id = functions.alerts_judge(
            customer_id=alert.customer_id,
            alert_id=alert.pk,
            user_id=self.actor.user_id,
            verdict=given["verdict"],
            recovered_amount=given.get("recovered_amount"),
            note=given["note"],
        )
        row = self.own(AlertJudgment.objects.all()).get(pk=judgment_id)
        return Response(JudgmentSerializer(row).data)
