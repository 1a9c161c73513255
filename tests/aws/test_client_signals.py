from typing import Any

from bluegreen_cdn.aws.client_signals import CloudWatchSignals
from bluegreen_cdn.aws.fakes import FakeClock
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.status_rates import ErrorRate
from bluegreen_cdn.domain.verdict import ASSET_FAILURES, PAGE_LOADS, SCRIPT_ERRORS, SLOW_LOADS


class Stub:
    """CloudWatch with two pages of sums."""

    def __init__(self) -> None:
        self.call: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> "Stub":
        assert operation == "get_metric_data"
        return self

    def paginate(self, **call: Any) -> list[dict[str, Any]]:
        self.call = call

        def result(id_: str, *values: float) -> dict[str, Any]:
            return {"Id": id_, "Values": list(values)}

        return [
            {"MetricDataResults": [result("stable_pageloads", 50.0, 30.0), result("stable_scripterrors", 2.0)]},
            {"MetricDataResults": [result("stable_pageloads", 20.0), result("stable_assetfailures", 3.0)]},
        ]


def test_sums_are_put_together_by_role() -> None:
    stub, clock = Stub(), FakeClock(scale=60)
    rates = CloudWatchSignals("shop", clock=clock, cloudwatch=stub).rates(300)
    assert rates == {
        "stable": ErrorRate(page_loads=100, errors=5),
        "candidate": ErrorRate(page_loads=0, errors=0),
    }
    assert (stub.call["EndTime"] - stub.call["StartTime"]).total_seconds() == 5, "a rehearsal's minute is a second"
    dimensions = {
        tuple((one["Name"], one["Value"]) for one in query["MetricStat"]["Metric"]["Dimensions"])
        for query in stub.call["MetricDataQueries"]
    }
    assert dimensions == {(("site", "shop"), ("role", role)) for role in ("stable", "candidate")}


def test_a_total_is_the_sum_of_some_metrics_of_one_role_since_a_moment() -> None:
    stub, clock = Stub(), FakeClock(scale=60)
    names = (PAGE_LOADS, SCRIPT_ERRORS, ASSET_FAILURES, SLOW_LOADS)
    assert CloudWatchSignals("shop", clock=clock, cloudwatch=stub).total(Role.STABLE, names, since=999_000.0) == 105
    assert stub.call["StartTime"].timestamp() == 999_000, "a moment is a moment, however quick a rehearsal is"
    assert {query["MetricStat"]["Metric"]["MetricName"] for query in stub.call["MetricDataQueries"]} == set(names)
