"""Poisson and binomial draws, exact, from the standard library alone: the same seed gives the same draws everywhere.

Small means are drawn by counting, large ones by Hörmann's transformed rejection ("The transformed rejection method for
generating Poisson random variables", 1993, and "The generation of binomial random variates", 1993: PTRS and BTRS).
`random.binomialvariate` came with Python 3.12 and would tie the figures to its version.
"""

import math
import random

COUNTED_MEAN = 10


class Chance:
    """A source of draws."""

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed).random

    def poisson(self, mean: float) -> int:
        """How many of many rare things happen, when `mean` are expected."""
        draw = self.draw
        if mean < COUNTED_MEAN:
            limit, count, product = math.exp(-mean), 0, draw()
            while product > limit:
                count += 1
                product *= draw()
            return count
        b = 0.931 + 2.53 * math.sqrt(mean)
        a = -0.059 + 0.02483 * b
        height = 1.1239 + 1.1328 / (b - 3.4)
        while True:
            u, v = draw() - 0.5, draw()
            edge = 0.5 - abs(u)
            if edge == 0 or v == 0:
                continue
            k = math.floor((2 * a / edge + b) * u + mean + 0.43)
            if edge >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
                return k
            if k < 0 or (edge < 0.013 and v > edge):
                continue
            left = math.log(v * height / (a / (edge * edge) + b))
            if left <= k * math.log(mean) - mean - math.lgamma(k + 1):
                return k

    def binomial(self, count: int, share: float) -> int:
        """How many of `count` it hits, each with probability `share`."""
        if share > 0.5:
            return count - self.binomial(count, 1 - share)
        if count == 0 or share <= 0:
            return 0
        if count * share < COUNTED_MEAN:
            return self._by_gaps(count, share)
        draw = self.draw
        spread = math.sqrt(count * share * (1 - share))
        b = 1.15 + 2.53 * spread
        a = -0.0873 + 0.0248 * b + 0.01 * share
        middle = count * share + 0.5
        alpha = (2.83 + 5.1 / b) * spread
        odds = math.log(share / (1 - share))
        mode = math.floor((count + 1) * share)
        at_mode = math.lgamma(mode + 1) + math.lgamma(count - mode + 1)
        while True:
            u, v = draw() - 0.5, draw()
            edge = 0.5 - abs(u)
            if edge == 0 or v == 0:
                continue
            k = math.floor((2 * a / edge + b) * u + middle)
            if not 0 <= k <= count:
                continue
            if edge >= 0.07 and v <= 0.92 - 4.2 / b:
                return k
            left = math.log(v * alpha / (a / (edge * edge) + b))
            if left <= at_mode - math.lgamma(k + 1) - math.lgamma(count - k + 1) + (k - mode) * odds:
                return k

    def _by_gaps(self, count: int, share: float) -> int:
        """From hit to hit: quick while there are few."""
        hits, at, scale = 0, 0, math.log1p(-share)
        while True:
            at += int(math.log(1 - self.draw()) / scale) + 1
            if at > count:
                return hits
            hits += 1
