"""Reads and writes ministack's metric points, by exact dimensions and scaled periods."""

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.metric_math import Series
from bluegreen_cdn.local.cloud.seams import replace, require

RESOLUTION_SECONDS = 1
"""What the same metric gets within one second of the cloud is kept as one statistic set."""


class MetricStore:
    """Metric points of the present account and region; periods are given in the cloud's seconds."""

    def __init__(self, cloudwatch: Any, clock: ScaledClock) -> None:
        require(cloudwatch, "_metrics", "_metric_bucket", "_dims_key", "_calc_stats", "_stat_value", "_point_stats")
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._lock = threading.Lock()
        replace(cloudwatch, "record_metric", self._record)
        # The original walks every point of every metric on each request, and replaces lists that threads append to.
        replace(cloudwatch, "_evict_old_metrics", lambda: None)

    def add(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Iterable[float],
        unit: str,
        timestamp: float,
    ) -> None:
        """Add values that were seen at one moment."""
        added = list(values)
        width = self._clock.real_seconds(RESOLUTION_SECONDS)
        middle = (math.floor(timestamp / width) + 0.5) * width
        key = (namespace, name, self._cloudwatch._dims_key(dict(dimensions)))
        with self._lock:
            points = self._cloudwatch._metric_bucket(key)
            if points and points[-1]["Timestamp"] == middle and points[-1].get("_stat") and points[-1]["Unit"] == unit:
                count, total, low, high = self._cloudwatch._point_stats(points[-1])
            else:
                count, total, low, high = 0.0, 0.0, math.inf, -math.inf
                points.append({"Timestamp": middle, "Unit": unit, "Dimensions": dict(dimensions), "Value": 0.0})
            count, total = count + len(added), total + sum(added)
            points[-1]["_stat"] = {
                "SampleCount": count,
                "Sum": total,
                "Minimum": min(low, *added),
                "Maximum": max(high, *added),
            }
            points[-1]["Value"] = total / count

    def _record(
        self,
        namespace: str,
        metric_name: str,
        value: float,
        unit: str = "None",
        dimensions: Mapping[str, str] | None = None,
    ) -> None:
        self.add(namespace, metric_name, dimensions or {}, [float(value)], unit, self._clock.now())

    def points(
        self, namespace: str, name: str, dimensions: Mapping[str, str], start: float, end: float
    ) -> list[dict[str, Any]]:
        """Give the stored points with exactly these dimensions, `start` included and `end` not."""
        stored = self._cloudwatch._metrics.get((namespace, name, self._cloudwatch._dims_key(dict(dimensions)))) or []
        return [point for point in list(stored) if start <= point["Timestamp"] < end]

    def series(
        self, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str, grid: list[float], width: float
    ) -> Series:
        """Give one statistic per period that has data.

        Args:
            namespace: The metric's namespace.
            name: The metric's name.
            dimensions: Exactly its dimensions.
            statistic: Such as `Sum` or `p95`.
            grid: The beginnings of the periods, oldest first, without gaps.
            width: The length of a period in real seconds.
        """
        if not grid:
            return {}
        found: dict[int, list[dict[str, Any]]] = {}
        for point in self.points(namespace, name, dimensions, grid[0], grid[-1] + width):
            found.setdefault(min(int((point["Timestamp"] - grid[0]) / width), len(grid) - 1), []).append(point)
        values = {grid[index]: self._statistic(points, statistic) for index, points in found.items()}
        return {moment: value for moment, value in sorted(values.items()) if value is not None}

    def _statistic(self, points: list[dict[str, Any]], statistic: str) -> float | None:
        value = self._cloudwatch._stat_value(self._cloudwatch._calc_stats(points), statistic, points)
        return None if value is None else float(value)

    def fetch(self, metric_stat: Mapping[str, Any], grid: list[float], width: float) -> Series:
        """Give the series of a `MetricStat`, as `metric_query.resolve` asks for it."""
        metric = metric_stat.get("Metric") or {}
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []}
        return self.series(
            metric.get("Namespace", ""),
            metric.get("MetricName", ""),
            dimensions,
            metric_stat.get("Stat", "Average"),
            grid,
            width,
        )


def period_grid(start: float, end: float, width: float) -> list[float]:
    """Give the beginnings of the periods that hold `start` up to `end`; periods begin at multiples of their width."""
    first, last = math.floor(start / width + 1e-6), math.ceil(end / width - 1e-6)
    return [index * width for index in range(first, max(last, first + 1))]
