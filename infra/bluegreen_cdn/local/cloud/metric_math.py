"""CloudWatch's metric math, evaluated; pure.

A value is a number, a time series (moment to number; a missing point is an absent key), or an array of them. Arithmetic
on two series keeps the moments that both have; a point that cannot be computed (division by zero, root of a negative
number) goes missing, as on CloudWatch.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bluegreen_cdn.local.cloud.metric_grammar import MathError, Name, Node, Number, parse

Series = dict[float, float]
Value = float | Series | list["Value"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Evaluates expressions over one window.

    Args:
        values: What each id stands for.
        grid: The moments of the window, oldest first; `FILL` fills exactly these.
        period_seconds: What `PERIOD` and `RATE` count with.
    """

    values: Mapping[str, Value]
    grid: Sequence[float]
    period_seconds: float = field(default=60.0)

    def run(self, expression: str) -> Value:
        """Evaluate an expression.

        Raises:
            MathError: It does not parse, names an unknown id, or calls an unknown function.
        """
        return self._value(parse(expression))

    def _value(self, node: Node) -> Value:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Name):
            if node.name not in self.values:
                raise MathError(
                    f"id {node.name!r} is not among the queries {', '.join(sorted(self.values)) or '(none)'}"
                )
            return self.values[node.name]
        if node.function == "FILL":
            return self._fill(node.arguments)
        arguments = [self._value(argument) for argument in node.arguments]
        if node.function == "array":
            return list(arguments)
        if node.function in _OPERATORS:
            return _pointwise(_OPERATORS[node.function], arguments)
        if node.function in _ELEMENTWISE and len(arguments) == 1:
            return _pointwise(_ELEMENTWISE[node.function], arguments)
        if node.function in _AGGREGATES and len(arguments) == 1:
            return _aggregate(_AGGREGATES[node.function], arguments[0])
        if node.function == "IF" and len(arguments) in (2, 3):
            return _choose(arguments)
        if node.function in _ALONG and len(arguments) == 1 and isinstance(arguments[0], dict):
            return _ALONG[node.function](arguments[0], self.period_seconds)
        raise MathError(f"function {node.function} with {len(arguments)} arguments is not one that the local cloud has")

    def _fill(self, arguments: tuple[Node, ...]) -> Value:
        if len(arguments) != 2:
            raise MathError("FILL takes a series and what to fill it with")
        filled, filler = self._value(arguments[0]), arguments[1]
        if isinstance(filled, list):
            return [self._fill_one(one, filler) for one in filled]
        return self._fill_one(filled, filler)

    def _fill_one(self, value: Value, filler: Node) -> Value:
        if not isinstance(value, dict):
            return value
        if isinstance(filler, Name) and filler.name.upper() == "REPEAT":
            return _repeat(value, self.grid)
        with_what = self._value(filler)
        if isinstance(with_what, dict):
            return {
                moment: value.get(moment, with_what.get(moment, math.nan))
                for moment in self.grid
                if moment in value or moment in with_what
            }
        if isinstance(with_what, list):
            raise MathError("FILL takes a number, a series or REPEAT as its second argument")
        return {moment: value.get(moment, with_what) for moment in self.grid}


def as_series(value: Value, grid: Sequence[float]) -> Series:
    """Give a result as one series; a number becomes a constant one.

    Raises:
        MathError: It is an array.
    """
    if isinstance(value, list):
        raise MathError("an expression that ends as an array cannot be used here")
    if isinstance(value, dict):
        return value
    return dict.fromkeys(grid, value) if math.isfinite(value) else {}


def _repeat(series: Series, grid: Sequence[float]) -> Series:
    filled: Series = {}
    for moment in grid:
        if moment in series:
            filled[moment] = last = series[moment]
        elif filled:
            filled[moment] = last
    return filled


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(base: float, exponent: float) -> float:
    try:
        result = base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return result if isinstance(result, float | int) else math.nan


_OPERATORS: dict[str, Callable[..., float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divide,
    "^": _power,
    "<": lambda left, right: float(left < right),
    "<=": lambda left, right: float(left <= right),
    ">": lambda left, right: float(left > right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
    "!": lambda value: float(not value),
    "negate": lambda value: -value,
}
_ELEMENTWISE: dict[str, Callable[..., float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "SQRT": lambda value: math.sqrt(value) if value >= 0 else math.nan,
    "LOG": lambda value: math.log(value) if value > 0 else math.nan,
    "LOG10": lambda value: math.log10(value) if value > 0 else math.nan,
}
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "STDDEV": lambda values: math.sqrt(sum((one - sum(values) / len(values)) ** 2 for one in values) / len(values)),
}


def _running_sum(series: Series, period_seconds: float) -> Series:
    total, found = 0.0, {}
    for moment in sorted(series):
        total += series[moment]
        found[moment] = total
    return found


def _difference(series: Series, period_seconds: float) -> Series:
    moments = sorted(series)
    return {later: series[later] - series[earlier] for earlier, later in itertools.pairwise(moments)}


def _rate(series: Series, period_seconds: float) -> Series:
    return {moment: step / period_seconds for moment, step in _difference(series, period_seconds).items()}


_ALONG: dict[str, Callable[[Series, float], Value]] = {
    "RUNNING_SUM": _running_sum,
    "DIFF": _difference,
    "RATE": _rate,
    "PERIOD": lambda series, period_seconds: period_seconds,
    "FIRST": lambda series, _: series[min(series)] if series else math.nan,
    "LAST": lambda series, _: series[max(series)] if series else math.nan,
    "DATAPOINT_COUNT": lambda series, _: float(len(series)),
}


def _pointwise(function: Callable[..., float], arguments: Sequence[Value]) -> Value:
    arrays = [one for one in arguments if isinstance(one, list)]
    if arrays:
        length = len(arrays[0])
        spread = [one if isinstance(one, list) else [one] * length for one in arguments]
        if any(len(one) != length for one in spread):
            raise MathError("arrays of different lengths cannot be combined")
        return [_pointwise(function, row) for row in zip(*spread, strict=True)]
    series = [one for one in arguments if isinstance(one, dict)]
    if not series:
        return function(*arguments)
    shared = set(series[0]).intersection(*series[1:])
    results = {moment: function(*(at(one, moment) for one in arguments)) for moment in sorted(shared)}
    return {moment: value for moment, value in results.items() if math.isfinite(value)}


def at(value: Value, moment: float) -> float:
    """Give a number or series at one moment."""
    if isinstance(value, list):
        raise MathError("an array cannot be used where a number or series is expected")
    return value[moment] if isinstance(value, dict) else value


def _aggregate(function: Callable[[Sequence[float]], float], value: Value) -> Value:
    if isinstance(value, dict):
        return function(list(value.values())) if value else math.nan
    if not isinstance(value, list):
        return value
    series = [one for one in value if isinstance(one, dict)]
    if not series:
        return function([at(one, 0) for one in value])
    moments = sorted(set().union(*series))
    return {
        moment: function([at(one, moment) for one in value if not isinstance(one, dict) or moment in one])
        for moment in moments
    }


def _choose(arguments: Sequence[Value]) -> Value:
    condition, then = arguments[0], arguments[1]
    otherwise: Value = arguments[2] if len(arguments) == 3 else {}
    if not isinstance(condition, dict):
        return then if at(condition, 0) else otherwise
    found: Series = {}
    for moment, value in condition.items():
        taken = then if value else otherwise
        if not isinstance(taken, dict) or moment in taken:
            found[moment] = at(taken, moment)
    return found
