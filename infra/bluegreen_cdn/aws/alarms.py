"""The CloudWatch alarms that a release is watched by."""

import datetime
from collections.abc import Sequence
from typing import Any

from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.observation import Alarm

_NAMES_PER_CALL = 100


class CloudWatchAlarms:
    """The real `bluegreen_cdn.aws.ports.Alarms`.

    Args:
        names: The alarms.
        region: Where they are. Default: what the environment says.
        cloudwatch: A client to use instead of a new one. Default: a new one.
    """

    def __init__(self, names: Sequence[str], *, region: str | None = None, cloudwatch: Any | None = None) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._cloudwatch = cloudwatch or client("cloudwatch", region)

    def on(self) -> tuple[Alarm, ...]:
        """Those that are on."""
        return tuple(
            Alarm(name=alarm["AlarmName"], since=_epoch(alarm.get("StateTransitionedTimestamp")))
            for alarm in self._describe()
            if alarm["StateValue"] == "ALARM"
        )

    def missing(self) -> tuple[str, ...]:
        """The names of those that do not exist."""
        found = {alarm["AlarmName"] for alarm in self._describe()}
        return tuple(name for name in self._names if name not in found)

    def _describe(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for start in range(0, len(self._names), _NAMES_PER_CALL):
            names = list(self._names[start : start + _NAMES_PER_CALL])
            with translate_errors("cloudwatch", "DescribeAlarms", ", ".join(names)):
                # Without the types, composite alarms are left out.
                answer = self._cloudwatch.describe_alarms(
                    AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=_NAMES_PER_CALL
                )
            found += [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        return found


def _epoch(moment: object) -> float:
    return moment.timestamp() if isinstance(moment, datetime.datetime) else 0.0
