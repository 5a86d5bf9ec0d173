"""The figures of worlds_bench as one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from perf.worlds import WORLDS

Rows = Sequence[dict[str, Any]]

COLOURS = {"significance": "#1b6ca8", "fisher": "#e07b39", "threshold": "#9a9a9a"}
LABELS = {"significance": "ours", "fisher": "Fisher + BH", "threshold": "threshold"}
CHANGE = {"lasting": ("#c0392b", "lasting change"), "passing": ("#2e8b57", "over after 8 weeks")}


def save_chart(path: Path, false: Rows, power: Rows, endings: Rows) -> None:
    """Small multiples: false runs and alerts by world; power, and how alerts end, in each world."""
    figure, axes = plt.subplots(3, 3, figsize=(13, 11.5), layout="constrained")
    for axis, what, bar in zip(axes[0], ("false_runs", "weekly", "daily"), (6, 4, 4), strict=True):
        _bars(axis, false, what, bar)
    axes[0, 0].set(title="Runs with a false flag", ylabel="% of fortnightly runs", ylim=(0, 130))
    for axis, often in zip(axes[0, 1:], ("weekly", "daily"), strict=True):
        axis.set(title=f"False alerts, run {often}", ylabel="alerts a year (log scale)")
        axis.set_yscale("symlog", linthresh=10)
        axis.set_ylim(0, 10_000)
    axes[0, 0].set_yticks(range(0, 101, 20))
    axes[0, 0].legend(loc="upper center", fontsize=8, ncols=2)
    for world, *column in zip(WORLDS, axes[1], axes[2], strict=True):
        _power(column[0], [row for row in power if row["world"] == world])
        _endings(column[1], [row for row in endings if row["world"] == world])
        column[0].set_title(f"Found: 10 → 20 %, {world}")
        column[1].set_title(f"Alerts still live, {world}")
    axes[1, 0].legend(fontsize=7, handlelength=4, loc="lower right")
    axes[2, 0].legend(fontsize=7, handlelength=4, loc="center right")
    figure.suptitle(
        "Detection in simulated worlds: 200 groups of 20 payers, 30-500 lines in 14 days"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _bars(axis: Axes, rows: Rows, what: str, bar: float) -> None:
    for place, (method, colour) in enumerate(COLOURS.items()):
        mine = [row for row in rows if row["method"] == method and row[what] is not None]
        at = [WORLDS.index(row["world"]) + 0.27 * (place - 1) for row in mine]
        heights = [row[what] for row in mine]
        axis.bar(at, heights, 0.25, color=colour, label=LABELS[method])
        for x, height in zip(at, heights, strict=True):
            axis.annotate(
                f"{height:.3g}" if height < 100 else f"{height:.0f}",
                (x, height),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
    axis.axhline(bar, color="black", linewidth=0.8, linestyle="--", label=f"our bar: {bar}")
    axis.set_xticks(range(len(WORLDS)), WORLDS)


def _power(axis: Axes, rows: Rows) -> None:
    sizes = sorted({row["n"] for row in rows})
    lines = [
        ("significance", "day_14", "-"),
        ("significance", "week_4", "--"),
        ("significance", "week_8", ":"),
        ("fisher", "day_14", "-"),
        ("threshold", "day_14", "-"),
    ]
    for method, when, style in lines:
        axis.plot(
            range(len(sizes)),
            [row[when] for row in rows if row["method"] == method],
            style,
            marker="o",
            markersize=4,
            color=COLOURS[method],
            label=f"{LABELS[method]}, by {when.replace('_', ' ')}",
        )
    axis.set_xticks(range(len(sizes)), map(str, sizes))
    axis.set(xlabel="lines in 14 days", ylabel="% of changed groups alerted", ylim=(-3, 103))
    axis.grid(alpha=0.3)


def _endings(axis: Axes, rows: Rows) -> None:
    for row in rows:
        if row["change"] not in CHANGE:
            continue
        live = {int(k.split("_")[1]): v for k, v in row.items() if k.endswith("_days_on")}
        colour, label = CHANGE[row["change"]]
        axis.plot(
            [days / 7 for days in live],
            [float("nan") if v is None else v for v in live.values()],
            "-" if row["n"] == 500 else "--",
            marker="o",
            markersize=4,
            color=colour,
            label=f"{label}, {row['n']} lines",
        )
    axis.set(
        xlabel="weeks after week 8 of the change",
        ylabel="% of those alerted by then",
        ylim=(-3, 103),
    )
    axis.grid(alpha=0.3)
