"""What browsers reported, summed by role."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.defaults import METRIC_NAMESPACE
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.status_rates import ErrorRate
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, PAGE_LOADS, SCRIPT_ERRORS

ROLES = ("candidate", "stable")
_METRICS = (PAGE_LOADS, SCRIPT_ERRORS, ASSET_FAILURES)
_PERIOD_SECONDS = 60


class CloudWatchSignals:
    """The client metrics of a site.

    Args:
        site: Its name.
        region: Where they are. Default: what the environment says.
        clock: Time. Default: real time.
        cloudwatch: A client to use instead of a new one. Default: a new one.
    """

    def __init__(
        self, site: str, *, region: str | None = None, clock: Clock | None = None, cloudwatch: Any | None = None
    ) -> None:
        self._site = site
        self._clock = clock or Clock()
        self._cloudwatch = cloudwatch or client("cloudwatch", region)

    def rates(self, seconds: int) -> dict[str, ErrorRate]:
        """How often pages went wrong lately, by role.

        Args:
            seconds: How far to look back.
        """
        since = self._clock.now() - self._clock.seconds(seconds)
        sums = self._sums([(role, name) for role in ROLES for name in _METRICS], since)
        return {role: _rate(sums, role) for role in ROLES}

    def total(self, role: Role, names: Collection[str], *, since: float) -> int:
        """The sum of some metrics of one role.

        Args:
            role: Whose.
            names: Of the metrics.
            since: Epoch seconds, of whose minute everything counts.
        """
        return round(sum(self._sums([(role.value, name) for name in names], since).values()))

    def _sums(self, wanted: Sequence[tuple[str, str]], since: float) -> dict[str, float]:
        queries = [
            {
                "Id": f"{role}_{name}".lower(),
                "MetricStat": {
                    "Metric": {
                        "Namespace": METRIC_NAMESPACE,
                        "MetricName": name,
                        "Dimensions": [{"Name": "site", "Value": self._site}, {"Name": "role", "Value": role}],
                    },
                    "Period": _PERIOD_SECONDS,
                    "Stat": "Sum",
                },
            }
            for role, name in wanted
        ]
        with translate_errors("cloudwatch", "GetMetricData", self._site):
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=_moment(since),
                EndTime=_moment(self._clock.now()),
            )
            sums: dict[str, float] = {}
            for page in pages:
                for result in page["MetricDataResults"]:
                    sums[result["Id"]] = sums.get(result["Id"], 0) + sum(result["Values"])
        return sums


def _rate(sums: dict[str, float], role: str) -> ErrorRate:
    loads, *errors = (round(sums.get(f"{role}_{name}".lower(), 0)) for name in _METRICS)
    return ErrorRate(page_loads=loads, errors=sum(errors))


def _moment(epoch: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC)
