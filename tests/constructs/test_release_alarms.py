import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from bluegreen_cdn.domain.verdict import Verdict
from bluegreen_cdn.errors import InvalidInput


def alarm(templates: Any, name: str) -> dict[str, Any]:
    (found,) = (
        resource["Properties"]
        for resource in templates.of_type("AWS::CloudWatch::Alarm", "web").values()
        if resource["Properties"].get("AlarmName") == name
    )
    return found


@pytest.mark.parametrize("name", ["verdict", "slowdown"])
def test_verdict_and_slowdown_are_the_domains_definitions(templates: Any, name: str) -> None:
    math = Verdict().metric_math() if name == "verdict" else Verdict().slowdown_math()
    assert math is not None
    found = alarm(templates, f"bluegreen-shop-{name}")
    assert len([query for query in found["Metrics"] if "Expression" in query]) == len(math.queries) <= 10
    returned = [query for query in found["Metrics"] if query["ReturnData"]]
    assert [query["Expression"] for query in returned] == [math.queries[-1].expression]
    expressions = {query["Id"]: query["Expression"] for query in found["Metrics"] if "Expression" in query}
    assert {query.id: query.expression for query in math.queries[:-1]}.items() <= expressions.items()
    sums = {
        query["Id"]: (
            query["MetricStat"]["Metric"]["MetricName"],
            {dimension["Name"]: dimension["Value"] for dimension in query["MetricStat"]["Metric"]["Dimensions"]},
            query["MetricStat"]["Stat"],
        )
        for query in found["Metrics"]
        if "MetricStat" in query
    }
    assert sums == {
        metric.id: (metric.name, {"site": "shop", "role": metric.role.value}, "Sum") for metric in math.metrics
    }
    assert (found["Threshold"], found["ComparisonOperator"]) == (math.threshold, "GreaterThanThreshold")
    assert found["TreatMissingData"] == "notBreaching"


def test_every_id_that_an_expression_names_is_there(templates: Any) -> None:
    for name in ("verdict", "slowdown", "edge-errors"):
        queries = alarm(templates, f"bluegreen-shop-{name}")["Metrics"]
        ids = {query["Id"] for query in queries}
        for query in queries:
            words = set(re.findall(r"[a-zA-Z_]\w*", query.get("Expression", ""))) - {"IF", "FILL", "SQRT"}
            assert words <= ids


def test_the_sample_sizes_reach_the_alarm(synthesise: Any) -> None:
    templates = synthesise(verdict=Verdict(minimum_page_loads=17, z_threshold=3.5))
    found = alarm(templates, "bluegreen-shop-verdict")
    assert found["Threshold"] == 3.5
    assert any(">= 17" in query.get("Expression", "") for query in found["Metrics"])


def test_the_slowdown_stops_a_release_unless_it_is_left_out(templates: Any, synthesise: Any) -> None:
    without = synthesise(verdict=Verdict(slowdown=False))
    for found, watched in ((templates, 3), (without, 2)):
        group = found.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
        assert len(group["AlarmConfiguration"]["Alarms"]) == watched
    names = {each["Properties"].get("AlarmName") for each in without.of_type("AWS::CloudWatch::Alarm", "web").values()}
    assert "bluegreen-shop-verdict" in names
    assert "bluegreen-shop-slowdown" not in names


def test_more_alarms_than_codedeploy_watches_are_refused(synthesise: Any) -> None:
    def around(stack: cdk.Stack) -> dict[str, Any]:
        arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:own"
        return {"alarms": [cloudwatch.Alarm.from_alarm_arn(stack, f"A{n}", f"{arn}{n}") for n in range(8)]}

    with pytest.raises(InvalidInput, match="CodeDeploy watches 10 and 3 of them are the site's own"):
        synthesise(around=around)


def test_errors_of_the_edge_count_on_this_distribution_when_there_are_requests(templates: Any) -> None:
    found = alarm(templates, "bluegreen-shop-edge-errors")
    (expression,) = (query["Expression"] for query in found["Metrics"] if query["ReturnData"])
    assert expression == "IF(requests >= 100, rate, 0)"
    metrics = [query["MetricStat"]["Metric"] for query in found["Metrics"] if "MetricStat" in query]
    assert {metric["MetricName"] for metric in metrics} == {"Requests", "5xxErrorRate"}
    for metric in metrics:
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        assert dimensions["Region"] == "Global"
        assert "Fn::ImportValue" in dimensions["DistributionId"]


def test_the_users_own_alarms_stop_a_release_too(synthesise: Any) -> None:
    def around(stack: cdk.Stack) -> dict[str, Any]:
        own = cloudwatch.Alarm.from_alarm_arn(
            stack, "Orders", "arn:aws:cloudwatch:us-east-1:111122223333:alarm:no-orders"
        )
        return {"alarms": [own]}

    templates = synthesise(around=around)
    group = templates.only("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    assert {"Name": "no-orders"} in group["AlarmConfiguration"]["Alarms"]
    (rule,) = (
        resource["Properties"]["EventPattern"]
        for resource in templates.of_type("AWS::Events::Rule").values()
        if resource["Properties"].get("EventPattern", {}).get("source") == ["aws.cloudwatch"]
    )
    assert "arn:aws:cloudwatch:us-east-1:111122223333:alarm:no-orders" in rule["resources"]
    (sync,) = (
        resource["Properties"]["Environment"]["Variables"]["ALARM_NAMES"]
        for resource in templates.of_type("AWS::Lambda::Function", "web").values()
        if resource["Properties"]["Handler"] == "bluegreen_cdn.handlers.sync.handler"
    )
    assert '"no-orders"' in "".join(part for part in sync["Fn::Join"][1] if isinstance(part, str))
