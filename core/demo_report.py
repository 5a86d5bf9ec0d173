"""What the demo prints: tables, sentences, and which expectations held."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from core.demo_webhooks import Receiver
from core.functions import drift_explain
from core.models import Alert, Customer, DriftEvent, DriftRun, Upload, WebhookDelivery


class Report:
    """What is printed; `failures` collects the expectations that did not hold."""

    def __init__(self) -> None:
        self.console = Console(width=None if sys.stdout.isatty() else 110)
        self.failures: list[str] = []

    def expect(self, what: str, holds: bool) -> None:
        self.console.print(f"  {'[green]✓[/green]' if holds else '[red]✗[/red]'} {what}")
        if not holds:
            self.failures.append(what)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*map(str, row))
        self.console.print(table)

    def show_loaded(self, customers: Sequence[Customer]) -> None:
        self.table(
            "Loaded through manage.py ingest",
            ("customer", "rows", "inserted", "updated", "stale", "rejected", "never stored"),
            (
                (c.slug, u.rows_total, u.rows_inserted, u.rows_updated, u.rows_stale,
                 u.rows_rejected, ", ".join(u.patient_columns))
                for c in customers
                for u in Upload.objects.filter(customer=c)
            ),
        )  # fmt: skip

    def show_found(self, customers: Sequence[Customer], connections: int) -> None:
        runs = [DriftRun.objects.filter(customer=c).earliest("id") for c in customers]
        self.table(
            f"Measured, by {connections} connections at once",
            ("customer", "as of", "baseline", "measured", "too few claims", "drifted"),
            (
                (c.slug, r.as_of, f"{r.parameters['baseline_start']} to "
                 f"{r.parameters['baseline_end']}", r.groups_measured, r.groups_insufficient,
                 r.events_found)
                for c, r in zip(customers, runs, strict=True)
            ),
        )  # fmt: skip
        events = DriftEvent.objects.filter(customer__in=customers).select_related(
            "payer", "cpt_group"
        )
        self.table(
            "Drifted, and why",
            ("payer, group", "metric", "before", "now", "in days", "claims", "q", "severity"),
            (
                (f"{e.payer.name}, {e.cpt_group.name if e.cpt_group else 'all'}", e.metric,
                 value(e.metric, e.baseline_value), value(e.metric, e.current_value),
                 e.window_days, f"{e.current_n} v {e.baseline_n}",
                 "-" if e.q_value is None else f"{e.q_value:.1e}", f"{e.severity:.2f}")
                for e in events.order_by("customer_id", "q_value")
            ),
        )  # fmt: skip
        alerts = Alert.objects.filter(customer__in=customers).select_related(
            "customer", "payer", "cpt_group", "rule"
        )
        self.table(
            "Alerts",
            ("customer", "payer, group", "metric", "direction", "level", "status", "rule"),
            (
                (a.customer.slug, f"{a.payer.name}, {a.cpt_group.name if a.cpt_group else 'all'}",
                 a.metric, a.direction, a.level, a.status, a.rule.name)
                for a in alerts.order_by("id")
            ),
        )  # fmt: skip
        for event in events.order_by("customer_id", "q_value"):
            raised = alerts.filter(
                customer=event.customer_id, payer=event.payer_id, cpt_group=event.cpt_group_id,
                metric=event.metric, direction=event.direction,
            ).exists()  # fmt: skip
            self.console.print(
                f"  {sentence(event)} "
                + ("Hence the alert." if raised else "Better, so no rule asks for an alert.")
            )
        alert = alerts.earliest("id")
        self.console.print("\nIn full, from drift.explain:")
        for line in drift_explain(
            customer_id=alert.customer_id,
            as_of=alert.opened_as_of,
            payer_id=alert.payer_id,
            cpt_group_id=alert.cpt_group_id,
        ):
            self.console.print(f"  {line}", highlight=False)

    def show_delivered(self, customers: Sequence[Customer], receiver: Receiver) -> None:
        rows = []
        for customer in customers:
            received = receiver.of(customer)
            verified = Counter(r.event["type"] for r in received if r.verified)
            attempts: Counter[str] = Counter()
            deliveries: Counter[str] = Counter()
            for delivery in WebhookDelivery.objects.filter(
                customer=customer, status="delivered"
            ).select_related("event"):
                deliveries[delivery.event.type] += 1
                attempts[delivery.event.type] += delivery.attempts
            rows += [
                (customer.slug, event_type, deliveries[event_type], attempts[event_type],
                 verified[event_type])
                for event_type in sorted(deliveries)
            ]  # fmt: skip
        self.console.print()
        self.table(
            "Delivered by a worker to a receiver, which verified",
            ("customer", "event type", "deliveries", "attempts", "verified"),
            rows,
        )


def value(metric: str, number: float | None) -> str:
    """A rate as per cent, decision days as days."""
    if number is None:
        return "-"
    return f"{number:.1%}" if metric == "DENIAL_RATE" else f"{number:g} days"


def sentence(event: DriftEvent) -> str:
    """What happened, for a billing manager."""
    group = event.cpt_group.name if event.cpt_group else "all procedures"
    now, before = (value(event.metric, v) for v in (event.current_value, event.baseline_value))
    what = (
        f"denied {now} of its {group} claims"
        if event.metric == "DENIAL_RATE"
        else f"took {now} (median) to decide {group} claims"
    )
    odds = 1 / max(event.p_value or 1, 1e-9)
    return (
        f"In the last {event.window_days} days {event.payer.name} {what}, in the half year before "
        f"{before}; by chance that happens less than once in {10 ** int(math.log10(odds)):,} times."
    )
