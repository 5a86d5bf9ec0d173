"""`alerts.mute_until`: two alerts of an identity that were noise mute its next ones."""

from collections.abc import Sequence

import pytest

from tests.alerts.stories import CRITICAL, DAY, INFO, NORMAL, START, week
from tests.portfolio import Portfolio

# Three spikes, far enough apart for three alerts; the last is as high as the test says.
SPIKES = (0, 6, 12)


def spikes(portfolio: Portfolio, last: float = INFO) -> None:
    """Two alerts that cleared; the third spike is yet to be detected."""
    portfolio.settings(clear_odds=2)
    steps = [
        step
        for number, rate in zip(SPIKES, (0.19, 0.19, last), strict=True)
        for step in ((week(number - 2), NORMAL), (week(number), rate))
    ]
    portfolio.decide_steps(START, [*steps, (week(20), NORMAL)])
    for number in SPIKES[:2]:
        portfolio.detect_weekly(week(number), week(number + 3))
    assert portfolio.kinds() == ["opened", "cleared"] * 2


def judge(portfolio: Portfolio, verdicts: Sequence[str], ages: Sequence[int] = (0, 0)) -> None:
    """Judge the first alerts in order, so many days ago."""
    for alert, verdict, age in zip(portfolio.rows("alert"), verdicts, ages, strict=False):
        judgment_id = portfolio.judge(alert["id"], portfolio.user(), verdict)
        portfolio.owner.execute(
            "UPDATE alert_judgment SET at = at - make_interval(days => %s) WHERE id = %s",
            age,
            judgment_id,
        )


@pytest.mark.parametrize(
    ("verdicts", "ages", "muted"),
    [
        (["noise", "noise"], (0, 0), True),
        (["noise", "noise"], (29, 0), True),
        (["noise", "noise"], (0, 29), True),
        (["noise", "noise"], (31, 0), False),
        (["noise", "noise"], (100, 89), True),
        (["noise", "noise"], (100, 91), False),
        (["noise", "needs_followup"], (0, 0), False),
        (["noise"], (0,), False),
        (["real", "noise"], (0, 0), False),
        ([], (), False),
    ],
)
def test_noise_on_two_alerts_within_30_days_mutes_for_90(
    portfolio: Portfolio, verdicts: list[str], ages: tuple[int, ...], muted: bool
) -> None:
    spikes(portfolio)
    judge(portfolio, verdicts, ages)

    portfolio.detect(week(12))

    alert = portfolio.rows("alert")[-1]
    assert (alert["status"], alert["opened_as_of"]) == ("open", week(12))
    assert alert["muted"] is muted
    if muted:
        age = portfolio.owner.value(
            "SELECT max(at) + interval '90 days' FROM alert_judgment WHERE customer_id = %s",
            portfolio.customer_id,
        )
        assert alert["muted_until"] == age
    assert portfolio.kinds()[-1] == "opened"


def test_two_users_who_call_one_alert_noise_mute_nothing(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["noise"])
    judge(portfolio, ["noise"])

    portfolio.detect(week(12))

    assert portfolio.rows("alert")[-1]["muted"] is False


def test_the_top_band_is_never_muted(portfolio: Portfolio) -> None:
    spikes(portfolio, last=CRITICAL)
    judge(portfolio, ["noise", "noise"])

    portfolio.detect(week(12))

    assert portfolio.rows("alert")[-1]["muted"] is False


def test_a_later_real_ends_it(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["noise", "noise"], (20, 10))
    judge(portfolio, ["real"], (5,))

    portfolio.detect(week(12))

    assert portfolio.rows("alert")[-1]["muted"] is False


def test_an_earlier_real_does_not(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["real"], (40,))
    judge(portfolio, ["noise", "noise"], (20, 10))

    portfolio.detect(week(12))

    assert portfolio.rows("alert")[-1]["muted"] is True


def test_real_is_heard_at_once_by_the_alert_that_is_muted(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["noise", "noise"])
    portfolio.detect(week(12))
    alert = portfolio.rows("alert")[-1]
    assert alert["muted"] is True

    portfolio.judge(alert["id"], portfolio.user(), "real")

    assert portfolio.rows("alert")[-1]["muted"] is False


def test_another_group_is_not_muted(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["noise", "noise"])
    portfolio.decide_steps(START, [(week(10), NORMAL), (week(12), INFO)], payer="Cigna", per_day=20)

    portfolio.detect(week(12))

    assert [alert["muted"] for alert in portfolio.rows("alert")[2:]] == [True, False]


def test_a_reopened_alert_is_muted_as_well(portfolio: Portfolio) -> None:
    spikes(portfolio)
    judge(portfolio, ["noise", "noise"])
    portfolio.settings(cooldown_hours=8760)

    portfolio.detect(week(12))

    alert = portfolio.rows("alert")[-1]
    assert portfolio.kinds()[-1] == "reopened"
    assert (alert["episode_as_of"], alert["muted"]) == (week(12), True)
    assert alert["opened_as_of"] > DAY
