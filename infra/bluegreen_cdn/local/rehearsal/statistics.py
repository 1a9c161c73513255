"""Is a share that was seen compatible with the weight that was set? Exact binomial tails, standard library only."""

import math

DOUBT = 1e-5
"""A window is called wrong only when chance alone would do this once in a hundred thousand windows."""


def tail_probabilities(seen: int, total: int, share: float) -> tuple[float, float]:
    """Return P(X <= seen) and P(X >= seen) for X ~ Binomial(total, share)."""
    if not 0 <= seen <= total:
        raise ValueError(f"seen {seen} of {total}: must lie between 0 and the total")
    if share <= 0.0:
        return 1.0, 1.0 if seen == 0 else 0.0
    if share >= 1.0:
        return 1.0 if seen == total else 0.0, 1.0
    below = sum(_probability(k, total, share) for k in range(seen + 1))
    above = sum(_probability(k, total, share) for k in range(seen, total + 1))
    return min(1.0, below), min(1.0, above)


def is_plausible(seen: int, total: int, share: float, doubt: float = DOUBT) -> bool:
    """Say whether `seen` of `total` could be chance when the true share is `share`."""
    below, above = tail_probabilities(seen, total, share)
    return min(below, above) >= doubt / 2


def plausible_range(total: int, share: float, doubt: float = DOUBT) -> tuple[int, int]:
    """Return the smallest and the largest count that `is_plausible` accepts."""
    accepted = [seen for seen in range(total + 1) if is_plausible(seen, total, share, doubt)]
    return (accepted[0], accepted[-1]) if accepted else (0, total)


def _probability(k: int, n: int, p: float) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
    return math.exp(log)
