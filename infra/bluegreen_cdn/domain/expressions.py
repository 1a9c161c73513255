"""A small language: what both Python and CloudWatch's metric math can say.

Only what the verdict needs, so that whoever evaluates metric math (CloudWatch, the local cloud) meets few functions:
the four operations, two comparisons, `IF`, `SQRT` and `FILL`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Which build a page load belonged to: the value of the metrics' `role` dimension."""

    STABLE = "stable"
    CANDIDATE = "candidate"
    OTHER = "other"


Sums = Mapping[tuple[Role, str], float]
"""What one period's metrics add up to, by role and metric name; one that is missing counts as zero."""


@dataclass(frozen=True)
class Expression:
    """A node of the definition. Sums, products, quotients and comparisons are written with Python's operators."""

    def __add__(self, other: Expression | float) -> Expression:
        return Operation("+", self, as_expression(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Operation("-", self, as_expression(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Operation("*", self, as_expression(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Operation("/", self, as_expression(other))

    def __gt__(self, other: Expression | float) -> Expression:
        return Operation(">", self, as_expression(other))

    def __ge__(self, other: Expression | float) -> Expression:
        return Operation(">=", self, as_expression(other))

    def evaluate(self, metrics: Sums) -> float:
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

    def evaluate(self, metrics: Sums) -> float:
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

    def evaluate(self, metrics: Sums) -> float:
        return float(metrics.get((self.role, self.name), 0.0))

    def render(self) -> str:
        return f"FILL({self.id}, 0)"


@dataclass(frozen=True)
class Operation(Expression):
    """Two nodes and an operator; a comparison is 1 or 0."""

    operator: str
    left: Expression
    right: Expression

    def evaluate(self, metrics: Sums) -> float:
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

    def evaluate(self, metrics: Sums) -> float:
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

    def evaluate(self, metrics: Sums) -> float:
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

    def evaluate(self, metrics: Sums) -> float:
        return self.of.evaluate(metrics)

    def render(self) -> str:
        return self.id

    def children(self) -> tuple[Expression, ...]:
        return (self.of,)


def as_expression(value: Expression | float) -> Expression:
    """A node; a plain number becomes a constant."""
    return value if isinstance(value, Expression) else Number(float(value))


def at_least(value: Expression, least: float) -> Expression:
    """The greater of a node and a constant."""
    return If(value > least, value, Number(least))


def at_most(value: Expression, most: Expression) -> Expression:
    """The lesser of two nodes."""
    return If(value > most, most, value)
