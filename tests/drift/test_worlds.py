"""The random portfolios reach what they are for: a comparison of nothing would always hold."""

from collections import Counter
from collections.abc import Iterator

from tests.drift.oracle import Measurement
from tests.drift.worlds import AS_OF, World

KINDS = ("rates", "days", "payer", "silence")
REACHED = {
    *(f"{kind} {state}" for kind in KINDS for state in ("drifted", "unchanged", "insufficient")),
    *(f"{kind} with a live alert {state}" for kind in KINDS for state in ("drifted", "unchanged")),
    *(f"baseline of {days} days" for days in (0, 28, 56, 84, 90, 112, 182, 365)),
    *(f"{number} windows" for number in (1, 2, 3)),
    *(f"window of {days} days won" for days in (14, 28, 56)),
    *(f"{kind} neither alike nor unlike" for kind in ("rates", "days")),
    *(f"{kind} noisier than independent claims" for kind in ("rates", "days")),
    "several bins",
    "longer windows noisier than 14 days",
    "own dispersion unknown",
    "Fisher decided",
    "live alert followed in a longer window",
    "window cut by a cleared alert",
    "days all tied",
    "payer moved by one group alone",
    "days left out for a group",
    "days left out for a payer",
    "no look",
    "drifted but may not open",
    "method threshold",
}


def reached(world: World) -> Iterator[str]:
    """What one world reaches, by what the oracle did there."""
    run = world.run()
    rows = run.measure()
    yield f"baseline of {len(run.baseline)} days"
    if not run.is_look:
        yield "no look"
    if not run.is_significance:
        yield "method threshold"
    if len({m.phi_prior for key, m in rows.items() if key[2] == "DENIAL_RATE"} - {None}) > 1:
        yield "several bins"
    for alert in world.alerts:
        if alert.metric != "SILENCE" and any(alert.leaves_out(d, AS_OF) for d in run.baseline):
            yield f"days left out for a {'payer' if alert.group[1] is None else 'group'}"
        if (AS_OF - alert.first_current(AS_OF)).days < run.windows[-1][0]:
            yield "window cut by a cleared alert"
    for (_, group, metric), m in rows.items():
        if metric == "DENIAL_RATE" and group is None and m.z and m.delta and not m.has_effect:
            is_large = world.settings.has_effect(metric, m.delta, m.relative_delta)
            if is_large and m.z * m.delta > 0 and abs(m.z) > 3:
                yield "payer moved by one group alone"
        kind = {"DECISION_DAYS": "days", "SILENCE": "silence"}.get(metric, "rates")
        yield from reached_by_row("payer" if kind == "rates" and group is None else kind, m)


def reached_by_row(kind: str, m: Measurement) -> Iterator[str]:
    """What one row reaches."""
    state = "insufficient" if not m.sufficient else "drifted" if m.drifted else "unchanged"
    yield f"{kind} {state}" if m.frozen_alert_id is None else f"{kind} with a live alert {state}"
    if m.is_tied:
        yield "days all tied"
    if m.drifted and not m.may_open:
        yield "drifted but may not open"
    if m.p_value is None or kind not in ("rates", "days"):
        return
    if m.frozen_alert_id is not None:
        if m.window_days > 14:
            yield "live alert followed in a longer window"
        return
    windows = m.windows or []
    assert m.d0 is not None
    assert m.dispersion is not None
    # Neither a limit nor six for each other group in the bin.
    if 4 < m.d0 < 50 and m.d0 % 6:
        yield f"{kind} neither alike nor unlike"
    if m.dispersion > 1:
        yield f"{kind} noisier than independent claims"
    if m.p_value < 1 and m.phi_own is None:
        yield "own dispersion unknown"
    if kind == "rates":
        yield f"{len(windows)} windows"
        if m.p_value < 1:
            yield f"window of {m.window_days} days won"
    if len({w["phi"] for w in windows} - {None}) > 1:
        yield "longer windows noisier than 14 days"
    if any(w["p_fisher"] is not None and w["p"] > w["p_t"] for w in windows):
        yield "Fisher decided"


def test_the_random_portfolios_reach_every_branch() -> None:
    worlds = Counter(branch for seed in range(100) for branch in set(reached(World(seed))))

    assert not {branch for branch in REACHED if not worlds[branch]}, worlds
