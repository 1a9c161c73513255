"""How often pages go wrong, with how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE_Z = 1.959963984540054
"""Two-sided 95 %."""


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """The share of one role's page loads that went wrong, over one window.

    Attributes:
        page_loads: How many there were.
        errors: Script errors and failed files. One page can raise many; no more than the loads are counted.
    """

    page_loads: int
    errors: int

    @property
    def bad(self) -> int:
        """Page loads that went wrong, as the verdict counts them."""
        return min(self.errors, self.page_loads)

    @property
    def rate(self) -> float | None:
        """The share; None without page loads."""
        return self.bad / self.page_loads if self.page_loads else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval at 95 %; everything is possible without page loads."""
        return wilson_interval(self.bad, self.page_loads)


def wilson_interval(bad: int, number: int, z: float = CONFIDENCE_Z) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    It stays within 0 and 1 and is honest for few page loads, where the usual "±" is not.

    Args:
        bad: How many.
        number: Of how many.
        z: How sure, in standard errors. Default: 95 %.
    """
    if number <= 0:
        return 0.0, 1.0
    share, square = bad / number, z * z
    middle = (share + square / (2 * number)) / (1 + square / number)
    half = z / (1 + square / number) * math.sqrt(share * (1 - share) / number + square / (4 * number * number))
    # At the ends the formula is exact; the arithmetic is not.
    low = 0.0 if bad <= 0 else max(0.0, middle - half)
    high = 1.0 if bad >= number else min(1.0, middle + half)
    return low, high
