"""GetMetricData and GetMetricStatistics over exact dimensions, scaled periods and metric math."""

import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.metric_grammar import MathError
from bluegreen_cdn.local.cloud.metric_math import as_series
from bluegreen_cdn.local.cloud.metric_query import period_of, resolve, returned
from bluegreen_cdn.local.cloud.metric_store import MetricStore, period_grid
from bluegreen_cdn.local.cloud.seams import replace, require


class MetricApi:
    """Takes the place of ministack's two readers, for the protocols that carry documents (CBOR and JSON)."""

    def __init__(self, cloudwatch: Any, store: MetricStore, clock: ScaledClock) -> None:
        require(cloudwatch, "_parse_ts", "_cbor_ok", "_json_ok", "_cbor_timestamp", "_error")
        self._cloudwatch = cloudwatch
        self._store = store
        self._clock = clock
        self._original_data = replace(cloudwatch, "_get_metric_data", self._get_metric_data)
        self._original_statistics = replace(cloudwatch, "_get_metric_statistics", self._get_metric_statistics)

    def _window(self, request: Mapping[str, Any], period: int) -> tuple[list[float], float]:
        width = self._clock.real_seconds(period)
        end = self._cloudwatch._parse_ts(request.get("EndTime")) or time.time()
        start = self._cloudwatch._parse_ts(request.get("StartTime")) or end
        return period_grid(start, end, width), width

    def _get_metric_data(self, params: Any, request: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if not (is_cbor or is_json):
            return self._original_data(params, request, is_cbor, is_json)
        queries = request.get("MetricDataQueries") or []
        period = period_of(queries)
        grid, width = self._window(request, period)
        try:
            values = resolve(queries, lambda stat: self._store.fetch(stat, grid, width), grid, period)
            results = [
                self._result(query, as_series(values[str(query["Id"])], grid), request, is_cbor)
                for query in queries
                if str(query["Id"]) in returned(queries)
            ]
        except MathError as error:
            return self._cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
        return self._answer({"MetricDataResults": results}, is_cbor)

    def _result(
        self, query: Mapping[str, Any], series: dict[float, float], request: Mapping[str, Any], is_cbor: bool
    ) -> dict[str, Any]:
        newest_first = request.get("ScanBy") != "TimestampAscending"
        moments = sorted(series, reverse=newest_first)
        label = query.get("Label") or (query.get("MetricStat") or {}).get("Metric", {}).get("MetricName") or query["Id"]
        return {
            "Id": query["Id"],
            "Label": label,
            "StatusCode": "Complete",
            "Timestamps": [self._moment(moment, is_cbor) for moment in moments],
            "Values": [series[moment] for moment in moments],
        }

    def _get_metric_statistics(self, params: Any, request: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if not (is_cbor or is_json):
            return self._original_statistics(params, request, is_cbor, is_json)
        grid, width = self._window(request, int(request.get("Period") or 60))
        dimensions = {one["Name"]: one["Value"] for one in request.get("Dimensions") or []}
        basic, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
        found: dict[float, dict[str, Any]] = {}
        for statistic in (*basic, *extended):
            series = self._store.series(
                request.get("Namespace", ""), request.get("MetricName", ""), dimensions, statistic, grid, width
            )
            for moment, value in series.items():
                point = found.setdefault(moment, {"Timestamp": self._moment(moment, is_cbor), "Unit": "None"})
                if statistic in basic:
                    point[statistic] = value
                else:
                    point.setdefault("ExtendedStatistics", {})[statistic] = value
        points = [found[moment] for moment in sorted(found)]
        return self._answer({"Label": request.get("MetricName", ""), "Datapoints": points}, is_cbor)

    def _moment(self, moment: float, is_cbor: bool) -> Any:
        return self._cloudwatch._cbor_timestamp(moment) if is_cbor else moment

    def _answer(self, payload: dict[str, Any], is_cbor: bool) -> Any:
        return self._cloudwatch._cbor_ok(payload) if is_cbor else self._cloudwatch._json_ok(payload)
