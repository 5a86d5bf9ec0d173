"""What happens to a payer in these tests: normal until SHIFT, and then something.

Runs are weekly, the first on DAY, when the current window holds the new level and nothing else.
The level names are those of the band that a denial rate falls into after a normal of 10 %.
"""

from datetime import date, timedelta

from tests.portfolio import Portfolio

DAY = date(2026, 6, 1)
SHIFT = DAY - timedelta(days=14)
START = DAY - timedelta(days=300)

NORMAL = 0.1
INFO = 0.18
WARNING = 0.25
CRITICAL = 0.3


def week(number: float) -> date:
    """The day of a weekly run; 0 is the first."""
    return DAY + timedelta(days=int(7 * number))


def tell(
    portfolio: Portfolio,
    *steps: tuple[date, float],
    payer: str = "Aetna",
    group: str = "99213",
) -> None:
    """A payer's life: normal until SHIFT, then each rate up to, without, its date."""
    portfolio.decide_steps(START, [(SHIFT, NORMAL), *steps], payer=payer, group=group)


def tell_others(portfolio: Portfolio, until: date, number: int = 3) -> None:
    """Other payers, to whom nothing happens up to, without, a day.

    What they say about the usual ups and downs makes tests of a group with a short baseline surer.
    """
    for other in range(number):
        tell(portfolio, (until, NORMAL), payer=f"Other {other}")


def open_alert(portfolio: Portfolio, rate: float = CRITICAL, until: date = DAY) -> None:
    """An alert that the run of DAY opened; normal again after `until`."""
    tell(portfolio, (until, rate), (DAY + timedelta(days=200), NORMAL))
    portfolio.detect(DAY)
    assert portfolio.kinds() == ["opened"]
