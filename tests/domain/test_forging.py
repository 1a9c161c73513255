"""What docs/client-metrics.md says of forged reports is what the verdict makes of them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.verdict import PAGE_LOADS, SCRIPT_ERRORS, Verdict

DOCUMENT = Path(__file__).parents[2] / "docs" / "client-metrics.md"
VERDICT = Verdict()
ERRORS = 0.01


def is_worse(loads: float, bad: float, stable_loads: float, stable_bad: float) -> bool:
    return VERDICT.is_worse(
        {
            (Role.CANDIDATE, PAGE_LOADS): loads,
            (Role.CANDIDATE, SCRIPT_ERRORS): bad,
            (Role.STABLE, PAGE_LOADS): stable_loads,
            (Role.STABLE, SCRIPT_ERRORS): stable_bad,
        }
    )


def least(enough: Callable[[int], bool]) -> int:
    """The smallest number that is enough, by doubling and halving: more is always enough, too."""
    high = 1
    while not enough(high):
        high *= 2
    low = 0
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@pytest.mark.parametrize("views", [10, 100, 10_000])
def test_the_documented_numbers_of_forged_reports(views: int) -> None:
    (row,) = re.findall(rf"^\| {views:,} \|(.+)\|$", DOCUMENT.read_text(), re.MULTILINE)
    said = [int(cell.replace(",", "")) for cell in row.split("|")]
    # Minute five at 10 %, with the five minutes before the release in the window; then minute ten, at full weight.
    loads, stable = 0.1 * views * 5, views * 5 + 0.9 * views * 5
    full, held = 0.1 * views * 5 + 0.95 * views * 5, 0.9 * views * 5 + 0.05 * views * 5
    needed = [
        least(lambda forged: is_worse(loads + forged, loads * ERRORS + forged, stable, stable * ERRORS)),
        least(lambda forged: not is_worse(full + forged, full * (ERRORS + 0.5), held, held * ERRORS)),
        least(lambda forged: not is_worse(full, full * (ERRORS + 0.5), held + forged, held * ERRORS + forged)),
    ]
    assert said == pytest.approx(needed, rel=0.05)
