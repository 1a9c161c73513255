"""Alarms with metric math, let in through the API and through templates, which ministack refuses or forgets."""

import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.alarms import check_alarm
from bluegreen_cdn.local.cloud.seams import replace, require

_SINGLE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def install(cloudwatch: Any, provisioners: Any) -> None:
    """Keep `Metrics`, and refuse at once what could not be evaluated later."""
    require(cloudwatch, "_alarms", "_error")

    def put_metric_alarm(params: Any, request: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            try:
                check_alarm({**request, "Threshold": request.get("Threshold") or 0})
            except ValueError as error:
                return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
        answer = original_put(params, request, is_cbor, is_json)
        alarm = cloudwatch._alarms.get((request or {}).get("AlarmName"))
        if alarm and request.get("Metrics"):
            _with_metrics(alarm, request["Metrics"])
        return answer

    def alarm_record(name: str, props: Mapping[str, Any]) -> dict[str, Any]:
        metrics = props.get("Metrics")
        if not metrics:
            alarm: dict[str, Any] = original_record(name, props)
            check_alarm(alarm)
            return alarm
        # The original refuses `Metrics`; it is shown a plain alarm, and the queries are put in afterwards.
        plain = {key: value for key, value in props.items() if key != "Metrics"}
        alarm = original_record(name, {**plain, "MetricName": "math", "Namespace": "math"})
        _with_metrics(alarm, [_typed(query) for query in metrics])
        check_alarm(alarm)
        return alarm

    original_put = replace(cloudwatch, "_put_metric_alarm", put_metric_alarm)
    original_record = replace(provisioners, "_cw_metric_alarm_record", alarm_record)


def _with_metrics(alarm: dict[str, Any], metrics: Any) -> None:
    for name in _SINGLE_METRIC:
        alarm.pop(name, None)
    alarm["Metrics"] = metrics
    alarm["AlarmConfigurationUpdatedTimestamp"] = int(time.time())


def _typed(query: Mapping[str, Any]) -> dict[str, Any]:
    """Give a template's query with the types of the API: templates may carry numbers and booleans as text."""
    typed = dict(query)
    if "ReturnData" in typed:
        typed["ReturnData"] = str(typed["ReturnData"]).lower() == "true"
    if "Period" in typed:
        typed["Period"] = int(typed["Period"])
    if typed.get("MetricStat"):
        typed["MetricStat"] = {**typed["MetricStat"], "Period": int(typed["MetricStat"].get("Period") or 60)}
    return typed
