"""Metric queries, as alarms and GetMetricData take them: metrics and expressions that refer to each other, pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bluegreen_cdn.local.cloud.metric_grammar import MathError, names, parse
from bluegreen_cdn.local.cloud.metric_math import Evaluation, Series, Value

Fetch = Callable[[Mapping[str, Any]], Series]
"""Gives the series of a `MetricStat`."""


def resolve(
    queries: Sequence[Mapping[str, Any]], fetch: Fetch, grid: Sequence[float], period_seconds: float
) -> dict[str, Value]:
    """Evaluate every query of a list.

    Args:
        queries: Each with `Id` and either `MetricStat` or `Expression`.
        fetch: Reads a metric.
        grid: The moments of the window.
        period_seconds: The period of the window.

    Raises:
        MathError: An expression is wrong, or refers to itself.
    """
    by_id = {str(query["Id"]): query for query in queries}
    done: dict[str, Value] = {}

    def value_of(identifier: str, path: tuple[str, ...]) -> Value:
        if identifier in path:
            raise MathError(f"query {identifier!r} refers to itself by way of {' → '.join(path)}")
        if identifier not in done:
            query = by_id[identifier]
            if query.get("MetricStat"):
                done[identifier] = fetch(query["MetricStat"])
            else:
                expression = str(query.get("Expression", ""))
                used = names(parse(expression)) & by_id.keys()
                values = {name: value_of(name, (*path, identifier)) for name in used}
                evaluation = Evaluation(values=values, grid=grid, period_seconds=period_seconds)
                done[identifier] = evaluation.run(expression)
        return done[identifier]

    return {identifier: value_of(identifier, ()) for identifier in by_id}


def returned(queries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the ids whose data is returned; `ReturnData` counts as true when it is absent."""
    return [str(query["Id"]) for query in queries if query.get("ReturnData") not in (False, "false")]


def period_of(queries: Sequence[Mapping[str, Any]], otherwise: int = 60) -> int:
    """Give the period that queries share: the largest that any of them names."""
    periods = [query.get("Period") or (query.get("MetricStat") or {}).get("Period") for query in queries]
    return max((int(period) for period in periods if period), default=otherwise)
