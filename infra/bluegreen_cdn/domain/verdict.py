"""Is the candidate worse than stable? One definition that runs here and renders to CloudWatch metric math.

The test is a one-sided two-proportion z-test on pages that went wrong, with Yates' continuity correction: errors are
rare, and without it two of them on fifty page loads are already "four sigma". Without a quotient of proportions,

    score = max(0, b1·n0 − b0·n1 − N/2) · √(N / (n1·n0·B·(N − B)))        B = b0 + b1,  N = n0 + n1

(1 candidate, 0 stable; n page loads, b bad ones) its only denominator is a product of whole numbers, so `at least 1`
keeps it from ever being zero and changes nothing else. Below the minimum sample the score is 0.

CloudWatch looks every minute at the last period, so a period of several minutes is a sliding window: a build that
breaks every page is found out in the first minute, one that breaks a few when enough of them have come together.

The same test asks a second question, in an alarm of its own: are the candidate's pages slow more often? There stable's
slow loads are weighted with a tolerated ratio first, because what a release changes comes from no cache at its
beginning: a candidate is slower only when its share is above that many times stable's, by more than chance.

An alarm takes ten metrics and ten expressions at most, so only what is used more than once has a query of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.expressions import (
    Expression,
    If,
    Metric,
    Named,
    Number,
    Role,
    SquareRoot,
    Sums,
    at_least,
    at_most,
)
from bluegreen_cdn.errors import InvalidInput

PAGE_LOADS = "PageLoads"
SCRIPT_ERRORS = "ScriptErrors"
ASSET_FAILURES = "AssetFailures"
SLOW_LOADS = "SlowLoads"
METRIC_NAMES = (PAGE_LOADS, SCRIPT_ERRORS, ASSET_FAILURES, SLOW_LOADS)


@dataclass(frozen=True, kw_only=True)
class MathQuery:
    """One expression of the alarm; the last of a `MetricMath` is the one that is compared."""

    id: str
    label: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class MetricMath:
    """The verdict as CloudWatch takes it.

    Attributes:
        metrics: The inputs, each with `id`, `role` (dimension) and `name`; namespace and site are the caller's.
        queries: The expressions in the order of their dependence; the last one returns data, the others do not.
        statistic: Of every input.
        period_seconds: Of every input.
        threshold: The alarm is on when the last expression is greater than this.
        evaluation_periods: How many periods are looked at.
        datapoints_to_alarm: How many of them must be over the threshold.
    """

    metrics: tuple[Metric, ...]
    queries: tuple[MathQuery, ...]
    statistic: str
    period_seconds: int
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Candidate against stable over the same period.

    Attributes:
        period_seconds: Length of one period.
        minimum_page_loads: Of the candidate; below it there is no verdict.
        minimum_stable_page_loads: Of stable; below it there is no verdict.
        z_threshold: How many standard errors worse the candidate must be.
        slowdown: Whether a candidate is also judged by its slow page loads.
        slowdown_ratio: How many times stable's share of slow loads the candidate's may be.
        slowdown_z_threshold: How many standard errors above that it must be.

    Raises:
        InvalidInput: One of them is out of its range.
    """

    period_seconds: int = defaults.VERDICT_PERIOD_SECONDS
    minimum_page_loads: int = defaults.VERDICT_MINIMUM_PAGE_LOADS
    minimum_stable_page_loads: int = defaults.VERDICT_MINIMUM_STABLE_PAGE_LOADS
    z_threshold: float = defaults.VERDICT_Z_THRESHOLD
    slowdown: bool = True
    slowdown_ratio: float = defaults.SLOWDOWN_RATIO
    slowdown_z_threshold: float = defaults.SLOWDOWN_Z_THRESHOLD

    def __post_init__(self) -> None:
        """Refuse what CloudWatch would, or what could never or always set the alarm off."""
        longest = defaults.VERDICT_PERIOD_MAXIMUM_SECONDS
        if not _is_whole(self.period_seconds) or not 60 <= self.period_seconds <= longest or self.period_seconds % 60:
            raise InvalidInput(
                f"period_seconds is {self.period_seconds!r}; it must be whole minutes from 60 to {longest}"
            )
        for name in ("minimum_page_loads", "minimum_stable_page_loads"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 1:
                raise InvalidInput(f"{name} is {value!r}; it must be a whole number from 1")
        for name in ("z_threshold", "slowdown_z_threshold"):
            if not 1 <= getattr(self, name) <= 100:
                raise InvalidInput(f"{name} is {getattr(self, name)!r}; it must be from 1 to 100 standard errors")
        if not 1 <= self.slowdown_ratio <= 100:
            raise InvalidInput(f"slowdown_ratio is {self.slowdown_ratio!r}; it must be from 1 (no slower) to 100")
        if not isinstance(self.slowdown, bool):
            raise InvalidInput(f"slowdown is {self.slowdown!r}; it must be True or False")

    def definition(self) -> Expression:
        """The score: the one definition behind `score` and `metric_math`."""
        return self._compare({role: Metric(role, SCRIPT_ERRORS) + Metric(role, ASSET_FAILURES) for role in _COMPARED})

    def slowdown_definition(self) -> Expression:
        """The same of slow loads, behind `slowdown_score` and `slowdown_math`."""
        slow = {role: Metric(role, SLOW_LOADS) for role in _COMPARED}
        return self._compare(
            {Role.CANDIDATE: slow[Role.CANDIDATE], Role.STABLE: slow[Role.STABLE] * self.slowdown_ratio}
        )

    def _compare(self, events: Mapping[Role, Expression]) -> Expression:
        """The test. One page can raise many errors, so events are capped: no more bad loads than loads."""
        loads = {role: Named(f"{role}_loads", f"{role} page loads", Metric(role, PAGE_LOADS)) for role in _COMPARED}
        bad = {
            role: Named(f"{role}_bad", f"{role} bad page loads", at_most(events[role], loads[role]))
            for role in _COMPARED
        }
        n1, n0 = loads[Role.CANDIDATE], loads[Role.STABLE]
        b1, b0 = bad[Role.CANDIDATE], bad[Role.STABLE]
        all_loads = Named("all_loads", "page loads of both", n1 + n0)
        all_bad = Named("all_bad", "bad page loads of both", b1 + b0)
        excess = Named("excess", "how much worse", b1 * n0 - b0 * n1 - all_loads / 2)
        variance = Named("variance", "spread to expect", n1 * n0 * all_bad * (all_loads - all_bad))
        z = at_least(excess, 0) * SquareRoot(all_loads / at_least(variance, 1))
        enough = If(n0 >= self.minimum_stable_page_loads, z, Number(0))
        return Named("score", "candidate against stable", If(n1 >= self.minimum_page_loads, enough, Number(0)))

    def score(self, metrics: Sums) -> float:
        """How many standard errors the candidate is worse than stable; 0 when it is not, or too little is known."""
        return self.definition().evaluate(metrics)

    def is_worse(self, metrics: Sums) -> bool:
        """Whether one period's sums set the alarm off."""
        return self.score(metrics) > self.z_threshold

    def slowdown_score(self, metrics: Sums) -> float:
        """How many standard errors the candidate is slower than it may be; 0 when it is not, or too little is known."""
        return self.slowdown_definition().evaluate(metrics)

    def is_slower(self, metrics: Sums) -> bool:
        """Whether one period's sums set the slowdown's alarm off."""
        return self.slowdown and self.slowdown_score(metrics) > self.slowdown_z_threshold

    def metric_math(self) -> MetricMath:
        """The definition for an alarm."""
        return self._math(self.definition(), self.z_threshold)

    def slowdown_math(self) -> MetricMath | None:
        """The slowdown's definition for an alarm; None if the site does not want it."""
        return self._math(self.slowdown_definition(), self.slowdown_z_threshold) if self.slowdown else None

    def _math(self, definition: Expression, threshold: float) -> MetricMath:
        nodes = list(dict.fromkeys(_bottom_up(definition)))
        return MetricMath(
            metrics=tuple(node for node in nodes if isinstance(node, Metric)),
            queries=tuple(
                MathQuery(id=node.id, label=node.label, expression=node.of.render())
                for node in nodes
                if isinstance(node, Named)
            ),
            statistic="Sum",
            period_seconds=self.period_seconds,
            threshold=threshold,
            evaluation_periods=defaults.VERDICT_EVALUATION_PERIODS,
            datapoints_to_alarm=defaults.VERDICT_DATAPOINTS_TO_ALARM,
        )


_COMPARED = (Role.CANDIDATE, Role.STABLE)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bottom_up(node: Expression) -> Iterator[Expression]:
    for child in node.children():
        yield from _bottom_up(child)
    yield node
