"""Alarms that go on and off by themselves: metric math, exact dimensions, missing data, events."""

import contextlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bluegreen_cdn.local.cloud.alarm_rules import (
    COMPARISONS,
    MISSING_DATA_TREATMENTS,
    AlarmRule,
    reason,
)
from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.deployment_model import Scope
from bluegreen_cdn.local.cloud.metric_grammar import MathError, parse
from bluegreen_cdn.local.cloud.metric_math import as_series
from bluegreen_cdn.local.cloud.metric_query import period_of, resolve, returned
from bluegreen_cdn.local.cloud.metric_store import MetricStore
from bluegreen_cdn.local.cloud.seams import replace, require
from bluegreen_cdn.local.cloud.timeline import Timeline

EVALUATION_SECONDS = 60
"""CloudWatch looks at an alarm once a minute, and once in ten seconds when its period is shorter than that."""
INGESTION_SECONDS = 10
"""How long after a period's end it is looked at, so that what was logged at its end has arrived."""
INGESTION_MINIMUM_REAL_SECONDS = 0.15
logger = logging.getLogger("bluegreen.alarms")
SendEvent = Callable[..., None]


class Alarms:
    """Evaluates every alarm of every account and region in a thread of its own."""

    def __init__(
        self,
        cloudwatch: Any,
        request_scope: Any,
        store: MetricStore,
        clock: ScaledClock,
        timeline: Timeline,
        send_event: SendEvent,
    ) -> None:
        require(
            cloudwatch,
            "_alarms",
            "_composite_alarms",
            "_record_history",
            "_evaluate_parent_alarms",
            "_evaluate_all_alarms",
        )
        self._cloudwatch = cloudwatch
        self._request_scope = request_scope
        self._store = store
        self._clock = clock
        self._timeline = timeline
        self._send_event = send_event
        self._next: dict[tuple[str, str, str], float] = {}
        # Theirs looks at one number over all dimensions whenever a point arrives, and so never finds an alarm's end.
        replace(cloudwatch, "_evaluate_alarm", lambda alarm: None)
        self._original_actions = replace(cloudwatch, "_dispatch_alarm_actions", self._on_transition)

    def start(self) -> None:
        """Begin to evaluate."""
        threading.Thread(target=self._loop, daemon=True, name="alarm-evaluation").start()

    def _loop(self) -> None:
        pause = max(0.02, min(1.0, self._clock.real_seconds(5)))
        while True:
            time.sleep(pause)
            for key, alarm in list(self._cloudwatch._alarms._data.items()):
                try:
                    self._evaluate_when_due(key, alarm)
                except Exception:
                    logger.exception("alarm %s could not be evaluated", key[-1])

    def _evaluate_when_due(self, key: tuple[str, str, str], alarm: dict[str, Any]) -> None:
        now = self._clock.now()
        if now < self._next.get(key, 0.0):
            return
        interval = self._clock.real_seconds(EVALUATION_SECONDS if _period(alarm) >= EVALUATION_SECONDS else 10)
        lag = max(INGESTION_MINIMUM_REAL_SECONDS, self._clock.real_seconds(INGESTION_SECONDS))
        end = math.floor((now - lag) / interval) * interval
        self._next[key] = end + interval + lag
        account, region, _ = key
        with self._request_scope(account, region):
            self._evaluate(alarm, end)

    def _evaluate(self, alarm: dict[str, Any], end: float) -> None:
        rule = rule_of(alarm)
        period = _period(alarm)
        width = self._clock.real_seconds(period)
        grid = [end - width * back for back in range(rule.window_periods, 0, -1)]
        queries = queries_of(alarm)
        values = resolve(queries, lambda stat: self._store.fetch(stat, grid, width), grid, period)
        series = as_series(values[returned(queries)[0]], grid)
        window = [series.get(moment) for moment in grid]
        state = rule.decide(window, alarm["StateValue"])
        if state != alarm["StateValue"]:
            self._move(alarm, rule, window, state, end, period)

    def _move(
        self, alarm: dict[str, Any], rule: AlarmRule, window: list[float | None], state: str, end: float, period: int
    ) -> None:
        old = alarm["StateValue"]
        words = reason(rule, window, state)
        data = {
            "version": "1.0",
            "queryDate": _stamp(time.time()),
            "startDate": _stamp(end),
            "period": period,
            "recentDatapoints": [value for value in window if value is not None],
            "threshold": rule.threshold,
        }
        alarm.update(
            {
                "StateValue": state,
                "StateReason": words,
                "StateReasonData": json.dumps(data),
                "StateUpdatedTimestamp": time.time(),
                "StateTransitionedTimestamp": time.time(),
            }
        )
        self._cloudwatch._record_history(alarm["AlarmName"], old, state, words, reason_data=data)
        self._cloudwatch._dispatch_alarm_actions(alarm, old, state, words)
        self._cloudwatch._evaluate_parent_alarms(alarm)

    def _on_transition(self, alarm: dict[str, Any], old: str, new: str, words: str) -> None:
        """Tell the world of a change of state, whoever made it (we, SetAlarmState, a composite alarm's rule)."""
        _, _, _, region, account, *_ = alarm["AlarmArn"].split(":")
        self._timeline.record("alarm", alarm=alarm["AlarmName"], old=old, new=new, reason=words, region=region)
        self._send_event(
            Scope(account=account, region=region),
            "CloudWatch Alarm State Change",
            event_detail(alarm, old, time.time()),
            [alarm["AlarmArn"]],
            source="aws.cloudwatch",
        )
        self._original_actions(alarm, old, new, words)


def rule_of(alarm: Mapping[str, Any]) -> AlarmRule:
    """Give the deciding part of an alarm's record."""
    periods = int(alarm.get("EvaluationPeriods") or 1)
    return AlarmRule(
        comparison=alarm["ComparisonOperator"],
        threshold=float(alarm.get("Threshold") or 0),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.get("DatapointsToAlarm") or periods),
        treat_missing_data=alarm.get("TreatMissingData") or "missing",
    )


def queries_of(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give an alarm's queries; an alarm on one metric has one."""
    if alarm.get("Metrics"):
        return list(alarm["Metrics"])
    metric = {
        "Namespace": alarm.get("Namespace"),
        "MetricName": alarm.get("MetricName"),
        "Dimensions": alarm.get("Dimensions") or [],
    }
    stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    return [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": int(alarm.get("Period") or 60), "Stat": stat}}]


def check_alarm(alarm: Mapping[str, Any]) -> None:
    """Refuse an alarm that we could not evaluate.

    Raises:
        ValueError: Comparison, missing-data treatment or expressions are not ones we know.
    """
    if alarm.get("ComparisonOperator") not in COMPARISONS:
        raise ValueError(
            f"ComparisonOperator {alarm.get('ComparisonOperator')!r} is not one of {', '.join(COMPARISONS)}"
        )
    if (alarm.get("TreatMissingData") or "missing") not in MISSING_DATA_TREATMENTS:
        raise ValueError(
            f"TreatMissingData {alarm.get('TreatMissingData')!r} is not one of {', '.join(MISSING_DATA_TREATMENTS)}"
        )
    if alarm.get("ThresholdMetricId"):
        raise ValueError("ThresholdMetricId (anomaly detection) is not something the local cloud has")
    queries = queries_of(alarm)
    if len(returned(queries)) != 1:
        raise ValueError("Exactly one element of the metrics list should return data")
    try:
        for query in queries:
            if query.get("Expression"):
                parse(str(query["Expression"]))
        resolve(queries, lambda stat: {}, [0.0], 60)
    except (MathError, KeyError) as error:
        raise ValueError(f"Invalid metrics list: {error}") from None


def event_detail(alarm: Mapping[str, Any], old: str, moment: float) -> dict[str, Any]:
    """Give the detail of the event, shaped as on AWS."""
    state = {"value": alarm["StateValue"], "reason": alarm.get("StateReason", ""), "timestamp": _stamp(moment)}
    with contextlib.suppress(KeyError):
        state["reasonData"] = alarm["StateReasonData"]
    configuration: dict[str, Any] = {"description": alarm.get("AlarmDescription") or ""}
    if alarm.get("AlarmRule"):
        configuration["alarmRule"] = alarm["AlarmRule"]
    else:
        configuration["metrics"] = [_configured(query) for query in queries_of(alarm)]
    return {
        "alarmName": alarm["AlarmName"],
        "state": state,
        "previousState": {"value": old},
        "configuration": configuration,
    }


def _configured(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData") not in (False, "false")}
    if query.get("MetricStat"):
        stat = query["MetricStat"]
        metric = stat["Metric"]
        shown["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []},
            },
            "period": int(stat.get("Period") or 60),
            "stat": stat.get("Stat"),
        }
    else:
        shown["expression"] = query.get("Expression")
        shown["label"] = query.get("Label") or query["Id"]
    return shown


def _period(alarm: Mapping[str, Any]) -> int:
    return period_of(queries_of(alarm))


def _stamp(moment: float) -> str:
    at = datetime.fromtimestamp(moment, tz=UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"
