"""Metrics and alarms, seen from outside."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, eventually

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]

EMITTER = """
import json, time
def handler(event, context):
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{
        "Namespace": "Shop", "Dimensions": [["site", "role"]], "Metrics": [{"Name": "PageLoads", "Unit": "Count"}]}]},
        "site": "shop", "role": event["role"], "PageLoads": event["loads"]}))
"""
RECORDER = """
import boto3, json
def handler(event, context):
    name = "/events/" + event["detail"].get("alarmName", "schedule").replace(" ", "-")
    boto3.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps(event), Overwrite=True)
"""


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def alarm(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": "Test",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }


def state(aws: Aws, name: str) -> str:
    (found,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def moves(aws: Aws, name: str) -> list[str]:
    """The states that an alarm has gone into, in order."""
    return [one["new"] for one in aws.cloud.timeline(kind="alarm") if one["alarm"] == name]


def put(aws: Aws, metric: str, values: dict[str, float]) -> None:
    """Report a value for each role, all at the same moment and so in the same period."""
    data = [
        {"MetricName": metric, "Value": value, "Dimensions": dimensions(role=role), "Timestamp": time.time()}
        for role, value in values.items()
    ]
    aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=data)


def put_until_alarm(aws: Aws, name: str, metric: str, values: dict[str, float]) -> None:
    """Report again and again: one report is in the newest period for a moment only, which a busy machine may miss."""

    def fires() -> bool:
        put(aws, metric, values)
        return state(aws, name) == "ALARM"

    eventually(fires)


def minutes(aws: Aws, count: float) -> float:
    return count * 60 / aws.cloud.time_scale


def test_an_alarm_on_one_dimension_is_not_fired_by_another_and_recovers(aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    for role in ("stable", "candidate"):
        cloudwatch.put_metric_alarm(**alarm(f"by-{role}", MetricName="by", Dimensions=dimensions(role=role)))
    cloudwatch.put_metric_alarm(**alarm("by-nothing", MetricName="by"))
    alarms = ("by-stable", "by-candidate", "by-nothing")
    eventually(lambda: [moves(aws, name) for name in alarms] == [["OK"]] * 3)
    put_until_alarm(aws, "by-candidate", "by", {"candidate": 50})
    eventually(lambda: state(aws, "by-candidate") == "OK")
    eventually(lambda: moves(aws, "by-candidate")[-2:] == ["ALARM", "OK"])
    assert moves(aws, "by-stable") == moves(aws, "by-nothing") == ["OK"]


@pytest.mark.parametrize(
    ("treat", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("breaching", "ALARM"), ("notBreaching", "OK"), ("ignore", "INSUFFICIENT_DATA")],
)
def test_missing_data_is_treated_as_told(aws: Aws, treat: str, expected: str) -> None:
    name = f"missing-{treat}"
    aws.client("cloudwatch").put_metric_alarm(**alarm(name, TreatMissingData=treat))
    if expected == "INSUFFICIENT_DATA":
        time.sleep(minutes(aws, 3))
        assert state(aws, name) == expected
    else:
        eventually(lambda: state(aws, name) == expected)


def test_a_templates_alarm_on_metric_math_fires_and_tells_eventbridge(aws: Aws) -> None:
    def stat(identifier: str, role: str) -> dict[str, Any]:
        metric = {"Namespace": "Test", "MetricName": "math", "Dimensions": dimensions(role=role)}
        return {"Id": identifier, "ReturnData": False, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}

    status = aws.deploy(
        "math",
        {
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "math-alarm",
                    "EvaluationPeriods": 1,
                    "Threshold": 2,
                    "TreatMissingData": "notBreaching",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "AlarmDescription": "twice as bad",
                    "Metrics": [
                        {"Id": "ratio", "Expression": "IF(b >= 10, b / FILL(a, 1), 0)", "Label": "ratio"},
                        stat("a", "stable"),
                        stat("b", "candidate"),
                    ],
                },
            },
            "Recorder": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "recorder",
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Timeout": 30,
                    "Role": "arn:aws:iam::111122223333:role/x",
                    "Code": {"ZipFile": RECORDER},
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": "Recorder"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "events.amazonaws.com",
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {
                        "source": ["aws.cloudwatch"],
                        "detail-type": ["CloudWatch Alarm State Change"],
                        "detail": {"alarmName": ["math-alarm"], "state": {"value": ["ALARM"]}},
                    },
                    "Targets": [{"Id": "t", "Arn": {"Fn::GetAtt": ["Recorder", "Arn"]}}],
                },
            },
        },
    )
    assert status == "CREATE_COMPLETE", aws.failure_reasons("math")
    eventually(lambda: state(aws, "math-alarm") == "OK")
    put_until_alarm(aws, "math-alarm", "math", {"stable": 5, "candidate": 11})

    ssm = aws.client("ssm")
    found = eventually(lambda: ssm.get_parameters(Names=["/events/math-alarm"])["Parameters"])
    event = json.loads(found[0]["Value"])
    detail = event["detail"]
    assert (detail["state"]["value"], detail["previousState"]["value"]) == ("ALARM", "OK")
    assert event["resources"] == [f"arn:aws:cloudwatch:us-east-1:{aws.account}:alarm:math-alarm"]
    assert detail["configuration"]["metrics"][1]["metricStat"]["metric"]["dimensions"] == {"role": "stable"}
    (described,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["math-alarm"])["MetricAlarms"]
    assert described["Metrics"][0]["Expression"].startswith("IF(")
    assert "MetricName" not in described


@pytest.mark.parametrize(("expression", "complaint"), [("a +", "its end"), ("a + nobody", "nobody")])
def test_an_alarm_that_cannot_be_evaluated_is_refused(aws: Aws, expression: str, complaint: str) -> None:
    queries = [
        {"Id": "x", "Expression": expression},
        {
            "Id": "a",
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Test", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
        },
    ]
    with pytest.raises(ClientError, match=complaint):
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName="refused",
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            Metrics=queries,
        )


def test_metrics_come_out_of_a_functions_log_with_their_dimensions(aws: Aws) -> None:
    aws.function("emitter", EMITTER)
    for role, loads in (("stable", 3), ("candidate", 4), ("candidate", 5)):
        aws.client("lambda").invoke(FunctionName="emitter", Payload=json.dumps({"role": role, "loads": loads}))

    def total(**values: str) -> float:
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace="Shop",
            MetricName="PageLoads",
            Dimensions=dimensions(**values),
            Period=3600,
            Statistics=["Sum"],
            StartTime=time.time() - 60,
            EndTime=time.time() + 60,
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    eventually(lambda: total(site="shop", role="candidate") == 9)
    assert total(site="shop", role="stable") == 3
    assert total(site="shop") == 0, "another set of dimensions is another metric"
    answer = aws.client("cloudwatch").get_metric_data(
        StartTime=time.time() - 60,
        EndTime=time.time() + 60,
        MetricDataQueries=[
            {"Id": "sum", "Expression": "SUM([a, b])"},
            *(
                {
                    "Id": name,
                    "ReturnData": False,
                    "MetricStat": {
                        "Stat": "Sum",
                        "Period": 60,
                        "Metric": {
                            "Namespace": "Shop",
                            "MetricName": "PageLoads",
                            "Dimensions": dimensions(site="shop", role=role),
                        },
                    },
                }
                for name, role in (("a", "stable"), ("b", "candidate"))
            ),
        ],
    )
    (result,) = answer["MetricDataResults"]
    assert sum(result["Values"]) == 12


def test_an_alarm_state_set_by_hand_lasts_until_the_next_look(aws: Aws) -> None:
    aws.client("cloudwatch").put_metric_alarm(**alarm("by-hand"))
    eventually(lambda: moves(aws, "by-hand") == ["OK"])
    aws.client("cloudwatch").set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="a drill")
    # The next look may come before ours.
    eventually(lambda: moves(aws, "by-hand") == ["OK", "ALARM", "OK"])
    assert state(aws, "by-hand") == "OK"


@pytest.mark.parametrize("expression", ["rate(1 minute)", "cron(* * * * ? *)"])
def test_a_schedule_fires_in_scaled_minutes(aws: Aws, expression: str) -> None:
    name = f"schedule-{expression[:4]}"
    aws.function(name, "def handler(event, context):\n    return None\n")
    with scheduled(aws, name, expression):
        eventually(lambda: invocations(aws, name) >= 2)


def test_a_scheduled_run_waits_for_the_one_before(aws: Aws) -> None:
    aws.function(
        "slow",
        "import time\ndef handler(event, context):\n    time.sleep(event.get('seconds', 3))\n    return 'done'\n",
    )
    began = time.monotonic()
    with scheduled(aws, "slow", "rate(1 minute)"):
        eventually(lambda: invocations(aws, "slow") >= 1)
        time.sleep(6)  # twelve minutes of the cloud
        ended = invocations(aws, "slow")
        assert ended <= (time.monotonic() - began) / 3
        answer = aws.client("lambda").invoke(FunctionName="slow", Payload=b'{"seconds": 0}')
        assert answer["Payload"].read() == b'"done"'  # who asks by hand is not held up


@contextlib.contextmanager
def scheduled(aws: Aws, name: str, expression: str) -> Iterator[None]:
    events = aws.client("events")
    rule = events.put_rule(Name=name, ScheduleExpression=expression)["RuleArn"]
    target = f"arn:aws:lambda:us-east-1:{aws.account}:function:{name}"
    aws.client("lambda").add_permission(
        FunctionName=name,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": target}])
    yield
    events.remove_targets(Rule=name, Ids=["t"])
    events.delete_rule(Name=name)


def invocations(aws: Aws, name: str) -> float:
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Dimensions=dimensions(FunctionName=name),
        Period=3600,
        Statistics=["Sum"],
        StartTime=time.time() - 60,
        EndTime=time.time() + 60,
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))
