"""The figures of api_bench as one picture: each request a dot, each list a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

Rows = Sequence[dict[str, Any]]

KINDS = {
    "first page": ("#1b6ca8", "first page"),
    "page": ("#2e8b57", "another page or ordering"),
    "filter": ("#9a9a9a", "filtered or searched"),
    "far": ("#e07b39", "half of all claims match, all far from the list's beginning"),
    "summary": ("#7d3c98", "payer summary"),
}


def save_chart(path: Path, rows: Rows) -> None:
    """95th percentiles by list, on a log scale, with the bars."""
    lists = list(dict.fromkeys(row["list"] for row in rows))[::-1]
    figure, axis = plt.subplots(figsize=(11, 8), layout="constrained")
    for place, (kind, (colour, label)) in enumerate(KINDS.items()):
        mine = [row for row in rows if row["kind"] == kind]
        axis.scatter(
            [row["p95_ms"] for row in mine],
            [lists.index(row["list"]) + 0.15 * (2 - place) for row in mine],
            s=22,
            color=colour,
            label=label,
            alpha=0.8,
            linewidths=0,
        )
    for bar in sorted({row["bar_ms"] for row in rows}):
        axis.axvline(bar, color="black", linewidth=0.8, linestyle="--")
        axis.annotate(f"{bar:.0f} ms", (bar, len(lists) - 0.4), ha="right", rotation=90, fontsize=8)
    axis.set_xscale("log")
    axis.set_yticks(range(len(lists)), lists)
    axis.set(xlabel="95th percentile of what the server takes, in ms (log scale)")
    axis.set_title("Lists of a tenant with a million claims, fifty other tenants beside it")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
