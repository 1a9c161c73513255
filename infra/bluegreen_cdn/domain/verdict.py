"""Is the candidate worse than stable? One definition that runs here and renders to CloudWatch metric math.

The test is a one-sided two-proportion z-test on pages that went wrong, with Yates' continuity correction: errors are
rare, and without it two of them on fifty page loads are already "four sigma". Without a quotient of proportions,

    score = max(0, b1·n0 − b0·n1 − N/2) · √(N / (n1·n0·B·(N − B)))        B = b0 + b1,  N = n0 + n1

(1 candidate, 0 stable; n page loads, b bad ones) its only denominator is a product of whole numbers, so `at least 1`
keeps it from ever being zero and changes nothing else. Below the minimum sample the score is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bluegreen_cdn import defaults


class Role(StrEnum):
    """Which build a page load belonged to: the value of the metrics' `role` dimension."""

    STABLE = "stable"
    CANDIDATE = "candidate"
    OTHER = "other"


PAGE_LOADS = "PageLoads"
SCRIPT_ERRORS = "ScriptErrors"
ASSET_FAILURES = "AssetFailures"
SLOW_LOADS = "SlowLoads"
METRIC_NAMES = (PAGE_LOADS, SCRIPT_ERRORS, ASSET_FAILURES, SLOW_LOADS)


# -- a small language: what both Python and metric math can say -----------------------------------------------------


@dataclass(frozen=True)
class Expression:
    """A node of the definition. Sums, products, quotients and comparisons are written with Python's operators."""

    def __add__(self, other: Expression | float) -> Expression:
        return Operation("+", self, _expression(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Operation("-", self, _expression(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Operation("*", self, _expression(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Operation("/", self, _expression(other))

    def __gt__(self, other: Expression | float) -> Expression:
        return Operation(">", self, _expression(other))

    def __ge__(self, other: Expression | float) -> Expression:
        return Operation(">=", self, _expression(other))

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        """The value for one period's sums; a metric that is missing counts as zero."""
        raise NotImplementedError

    def render(self) -> str:
        """The node in metric math."""
        raise NotImplementedError

    def children(self) -> tuple[Expression, ...]:
        """The nodes this one is made of."""
        return ()


@dataclass(frozen=True)
class Number(Expression):
    """A constant."""

    value: float

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        return self.value

    def render(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Metric(Expression):
    """The sum of one metric of one role over the period; zero where there is none."""

    role: Role
    name: str

    @property
    def id(self) -> str:
        """Its id among the alarm's queries."""
        return f"{self.role.value}_{self.name}"

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        return float(metrics.get((self.role, self.name), 0.0))

    def render(self) -> str:
        return f"FILL({self.id}, 0)"


@dataclass(frozen=True)
class Operation(Expression):
    """Two nodes and an operator; a comparison is 1 or 0."""

    operator: str
    left: Expression
    right: Expression

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        left, right = self.left.evaluate(metrics), self.right.evaluate(metrics)
        match self.operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case ">":
                return float(left > right)
            case _:
                return float(left >= right)

    def render(self) -> str:
        return f"({self.left.render()} {self.operator} {self.right.render()})"

    def children(self) -> tuple[Expression, ...]:
        return (self.left, self.right)


@dataclass(frozen=True)
class SquareRoot(Expression):
    """√ of a node that is never negative."""

    of: Expression

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        return math.sqrt(self.of.evaluate(metrics))

    def render(self) -> str:
        return f"SQRT({self.of.render()})"

    def children(self) -> tuple[Expression, ...]:
        return (self.of,)


@dataclass(frozen=True)
class If(Expression):
    """One of two nodes. Both must be safe to compute: CloudWatch does not promise to skip the other."""

    condition: Expression
    then: Expression
    otherwise: Expression

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        then, otherwise = self.then.evaluate(metrics), self.otherwise.evaluate(metrics)
        return then if self.condition.evaluate(metrics) else otherwise

    def render(self) -> str:
        return f"IF({self.condition.render()}, {self.then.render()}, {self.otherwise.render()})"

    def children(self) -> tuple[Expression, ...]:
        return (self.condition, self.then, self.otherwise)


@dataclass(frozen=True)
class Named(Expression):
    """A node with a name: a query of its own in the alarm, which the others refer to by its id."""

    id: str
    label: str
    of: Expression

    def evaluate(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        return self.of.evaluate(metrics)

    def render(self) -> str:
        return self.id

    def children(self) -> tuple[Expression, ...]:
        return (self.of,)


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Number(float(value))


def _at_least(value: Expression, least: float) -> Expression:
    return If(value > least, value, Number(least))


def _at_most(value: Expression, most: Expression) -> Expression:
    return If(value > most, most, value)


# -- the verdict ----------------------------------------------------------------------------------------------------


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
    """

    period_seconds: int = defaults.VERDICT_PERIOD_SECONDS
    minimum_page_loads: int = defaults.VERDICT_MINIMUM_PAGE_LOADS
    minimum_stable_page_loads: int = defaults.VERDICT_MINIMUM_STABLE_PAGE_LOADS
    z_threshold: float = defaults.VERDICT_Z_THRESHOLD

    def definition(self) -> Expression:
        """The score: the one definition behind `score` and `metric_math`."""
        loads = {role: Named(f"{role}_loads", f"{role} page loads", Metric(role, PAGE_LOADS)) for role in _COMPARED}
        bad = {role: _bad_loads(role, loads[role]) for role in _COMPARED}
        n1, n0 = loads[Role.CANDIDATE], loads[Role.STABLE]
        b1, b0 = bad[Role.CANDIDATE], bad[Role.STABLE]
        all_loads = Named("all_loads", "page loads of both", n1 + n0)
        all_bad = Named("all_bad", "bad page loads of both", b1 + b0)
        excess = Named("excess", "how much worse", b1 * n0 - b0 * n1 - all_loads / 2)
        variance = Named("variance", "spread to expect", n1 * n0 * all_bad * (all_loads - all_bad))
        z = _at_least(excess, 0) * SquareRoot(all_loads / _at_least(variance, 1))
        enough = If(n0 >= self.minimum_stable_page_loads, z, Number(0))
        return Named("score", "candidate against stable", If(n1 >= self.minimum_page_loads, enough, Number(0)))

    def score(self, metrics: Mapping[tuple[Role, str], float]) -> float:
        """How many standard errors the candidate is worse than stable; 0 when it is not, or too little is known."""
        return self.definition().evaluate(metrics)

    def is_worse(self, metrics: Mapping[tuple[Role, str], float]) -> bool:
        """Whether one period's sums set the alarm off."""
        return self.score(metrics) > self.z_threshold

    def metric_math(self) -> MetricMath:
        """The same definition for an alarm."""
        nodes = list(dict.fromkeys(_bottom_up(self.definition())))
        return MetricMath(
            metrics=tuple(node for node in nodes if isinstance(node, Metric)),
            queries=tuple(
                MathQuery(id=node.id, label=node.label, expression=node.of.render())
                for node in nodes
                if isinstance(node, Named)
            ),
            statistic="Sum",
            period_seconds=self.period_seconds,
            threshold=self.z_threshold,
            evaluation_periods=defaults.VERDICT_EVALUATION_PERIODS,
            datapoints_to_alarm=defaults.VERDICT_DATAPOINTS_TO_ALARM,
        )


_COMPARED = (Role.CANDIDATE, Role.STABLE)


def _bad_loads(role: Role, loads: Expression) -> Expression:
    """Loads that went wrong. One page can raise many errors, so they are capped: no more bad loads than loads."""
    errors = Named(f"{role}_errors", f"{role} errors", Metric(role, SCRIPT_ERRORS) + Metric(role, ASSET_FAILURES))
    return Named(f"{role}_bad", f"{role} bad page loads", _at_most(errors, loads))


def _bottom_up(node: Expression) -> Iterator[Expression]:
    for child in node.children():
        yield from _bottom_up(child)
    yield node
