"""CodeDeploy for Lambda, seen from outside: API, CloudFormation, hooks, alarms, rollback."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, eventually, zipped

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]

RELEASE = "import os\ndef handler(event, context):\n    return {'build': os.environ['BUILD_ID']}\n"
HOOK = """
import boto3
def handler(event, context):
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="%s")
"""


def release_stack(
    name: str,
    build: str,
    *,
    percent: int = 10,
    minutes: int = 4,
    hooks: dict[str, str] | None = None,
    alarms: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A stack as the constructs make it: function, version per build, alias under CodeDeploy."""
    version = f"Version{build}"
    policy: dict[str, Any] = {"ApplicationName": {"Ref": "Application"}, "DeploymentGroupName": {"Ref": "Group"}}
    resources: dict[str, Any] = {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": f"{name}-release",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": "arn:aws:iam::111122223333:role/x",
                "Code": {"ZipFile": RELEASE},
                "Environment": {"Variables": {"BUILD_ID": build}},
            },
        },
        version: {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Application": {
            "Type": "AWS::CodeDeploy::Application",
            "Properties": {"ApplicationName": name, "ComputePlatform": "Lambda"},
        },
        "Config": {
            "Type": "AWS::CodeDeploy::DeploymentConfig",
            "Properties": {
                "DeploymentConfigName": f"{name}-{percent}-{minutes}",
                "ComputePlatform": "Lambda",
                "TrafficRoutingConfig": {
                    "Type": "TimeBasedCanary",
                    "TimeBasedCanary": {"CanaryPercentage": percent, "CanaryInterval": minutes},
                },
            },
        },
        "Group": {
            "Type": "AWS::CodeDeploy::DeploymentGroup",
            "Properties": {
                "ApplicationName": {"Ref": "Application"},
                "DeploymentGroupName": name,
                "DeploymentConfigName": {"Ref": "Config"},
                "ServiceRoleArn": "arn:aws:iam::111122223333:role/x",
                "DeploymentStyle": {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
                "AlarmConfiguration": {"Enabled": bool(alarms), "Alarms": [{"Name": alarm} for alarm in alarms]},
                "AutoRollbackConfiguration": {
                    "Enabled": True,
                    "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
                },
            },
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": policy},
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Name": "live",
                "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
            },
        },
    }
    for hook, source in (hooks or {}).items():
        resources[hook] = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": f"{name}-{hook}",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": 60,
                "Role": "arn:aws:iam::111122223333:role/x",
                "Code": {"ZipFile": source},
            },
        }
        policy[f"{hook}Hook"] = {"Ref": hook}
    return resources


def deployments(aws: Aws, name: str) -> list[dict[str, Any]]:
    """The group's deployments, oldest first."""
    codedeploy = aws.client("codedeploy")
    ids = codedeploy.list_deployments(applicationName=name, deploymentGroupName=name)["deployments"]
    found = [codedeploy.get_deployment(deploymentId=one)["deploymentInfo"] for one in ids]
    return sorted(found, key=lambda one: one["createTime"])


def alias(aws: Aws, name: str) -> tuple[str, dict[str, float]]:
    """The alias's version and weights."""
    found = aws.client("lambda").get_alias(FunctionName=f"{name}-release", Name="live")
    return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})


def build_of(aws: Aws, name: str, version: str) -> str:
    """The build that a version stands for."""
    found = aws.client("lambda").get_function_configuration(FunctionName=f"{name}-release", Qualifier=version)
    return str(found["Environment"]["Variables"]["BUILD_ID"])


def test_a_canary_shifts_in_two_steps_between_its_hooks(aws: Aws) -> None:
    hooks = {"BeforeAllowTraffic": HOOK % "Succeeded", "AfterAllowTraffic": HOOK % "Succeeded"}
    assert aws.deploy("canary", release_stack("canary", "one", hooks=hooks, minutes=16)) == "CREATE_COMPLETE"
    assert deployments(aws, "canary") == [], "the first creation of an alias does no canary"

    aws.deploy("canary", release_stack("canary", "two", hooks=hooks, minutes=16), wait=False)
    seen = eventually(lambda: (found := alias(aws, "canary"))[1] and found)
    assert seen == ("1", {"2": 0.1})
    assert aws.settled("canary") == "UPDATE_COMPLETE"
    assert alias(aws, "canary") == ("2", {})
    assert [build_of(aws, "canary", version) for version in ("1", "2")] == ["one", "two"]

    (deployment,) = deployments(aws, "canary")
    assert (deployment["status"], deployment["creator"]) == ("Succeeded", "CloudFormation")
    spec = json.loads(deployment["revision"]["appSpecContent"]["content"])
    properties = spec["Resources"][0]["canary-release"]["Properties"]
    assert (properties["CurrentVersion"], properties["TargetVersion"]) == ("1", "2")
    mine = [one for one in aws.cloud.timeline() if one.get("deployment") == deployment["deploymentId"]]
    story = [
        (one["kind"], one.get("percent"), one.get("event")) for one in mine if one["kind"] in ("weight", "hook_result")
    ]
    assert story == [
        ("hook_result", None, "BeforeAllowTraffic"),
        ("weight", 10, None),
        ("weight", 100, None),
        ("hook_result", None, "AfterAllowTraffic"),
    ]


def test_an_infrastructure_only_change_starts_no_deployment(aws: Aws) -> None:
    stack = release_stack("still", "one")
    aws.deploy("still", stack)
    stack["Extra"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/still", "Type": "String", "Value": "x"}}
    assert aws.deploy("still", stack) == "UPDATE_COMPLETE"
    assert deployments(aws, "still") == []


@pytest.mark.parametrize("hook", ["BeforeAllowTraffic", "AfterAllowTraffic"])
def test_a_failing_hook_rolls_the_stack_back(aws: Aws, hook: str) -> None:
    name = f"failing-{hook[:5].lower()}"
    aws.deploy(name, release_stack(name, "one", minutes=1, hooks={hook: HOOK % "Failed"}))
    assert (
        aws.deploy(name, release_stack(name, "two", minutes=1, hooks={hook: HOOK % "Failed"}))
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    assert "HOOK_EXECUTION_FAILURE" in aws.failure_reasons(name)
    assert alias(aws, name) == ("1", {})
    failed, rollback = deployments(aws, name)
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert failed["rollbackInfo"]["rollbackDeploymentId"] == rollback["deploymentId"]
    assert (rollback["status"], rollback["creator"]) == ("Succeeded", "codeDeployRollback")


def test_a_rolled_back_release_can_be_deployed_again(aws: Aws) -> None:
    aws.deploy("again", release_stack("again", "one", minutes=1, hooks={"BeforeAllowTraffic": HOOK % "Failed"}))
    failing = release_stack("again", "two", minutes=1, hooks={"BeforeAllowTraffic": HOOK % "Failed"})
    assert aws.deploy("again", failing) == "UPDATE_ROLLBACK_COMPLETE"
    configuration = aws.client("lambda").get_function_configuration(FunctionName="again-release")
    assert configuration["Environment"]["Variables"] == {"BUILD_ID": "one"}, "the rollback restores earlier properties"
    versions = aws.client("lambda").list_versions_by_function(FunctionName="again-release")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1"], "the version made by the failed update is deleted"

    good = release_stack("again", "two", minutes=1, hooks={"BeforeAllowTraffic": HOOK % "Succeeded"})
    assert aws.deploy("again", good) == "UPDATE_COMPLETE"
    version, weights = alias(aws, "again")
    assert (build_of(aws, "again", version), weights) == ("two", {})
    back = release_stack("again", "one", minutes=1, hooks={"BeforeAllowTraffic": HOOK % "Succeeded"})
    assert aws.deploy("again", back) == "UPDATE_COMPLETE"
    assert build_of(aws, "again", alias(aws, "again")[0]) == "one", "an older build can be released again"


def test_an_alarm_stops_the_deployment_and_rolls_back(aws: Aws) -> None:
    stack = release_stack("alarmed", "one", minutes=60, alarms=("alarmed-alarm",))
    stack["Alarm"] = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": "alarmed-alarm",
            "Namespace": "Test",
            "MetricName": "alarmed",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        },
    }
    aws.deploy("alarmed", stack)
    second = {**release_stack("alarmed", "two", minutes=60, alarms=("alarmed-alarm",)), "Alarm": stack["Alarm"]}
    aws.deploy("alarmed", second, wait=False)
    eventually(lambda: alias(aws, "alarmed")[1])

    def stopped_by_reports() -> bool:
        aws.client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[{"MetricName": "alarmed", "Value": 3}])
        return bool(deployments(aws, "alarmed")[0]["status"] != "InProgress")

    # One report keeps the alarm on for a moment only, which a busy machine may miss.
    eventually(stopped_by_reports)
    assert aws.settled("alarmed") == "UPDATE_ROLLBACK_COMPLETE"
    assert alias(aws, "alarmed") == ("1", {})
    stopped, _ = deployments(aws, "alarmed")
    assert (stopped["status"], stopped["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")


def test_stop_with_rollback_takes_the_alias_back(aws: Aws) -> None:
    aws.deploy("stopped", release_stack("stopped", "one", minutes=60))
    aws.deploy("stopped", release_stack("stopped", "two", minutes=60), wait=False)
    eventually(lambda: alias(aws, "stopped")[1])
    (running,) = deployments(aws, "stopped")
    codedeploy = aws.client("codedeploy")
    with pytest.raises(ClientError, match="already has an active Deployment"):
        codedeploy.create_deployment(
            applicationName="stopped", deploymentGroupName="stopped", revision=running["revision"]
        )
    codedeploy.stop_deployment(deploymentId=running["deploymentId"], autoRollbackEnabled=True)
    assert aws.settled("stopped") == "UPDATE_ROLLBACK_COMPLETE"
    assert alias(aws, "stopped") == ("1", {})
    with pytest.raises(ClientError, match="already completed"):
        codedeploy.stop_deployment(deploymentId=running["deploymentId"])


def test_an_alias_moved_by_hand_fails_the_next_update(aws: Aws) -> None:
    aws.deploy("moved", release_stack("moved", "one", minutes=1))
    functions = aws.client("lambda")
    functions.update_function_code(FunctionName="moved-release", ZipFile=zipped(RELEASE + "# changed"))
    functions.publish_version(FunctionName="moved-release")
    functions.update_alias(FunctionName="moved-release", Name="live", FunctionVersion="2")
    assert aws.deploy("moved", release_stack("moved", "two", minutes=1)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "alias version (2) does not match the current version in AppSpec (1)" in aws.failure_reasons("moved")
    assert alias(aws, "moved") == ("2", {})


def test_weights_are_honoured_over_a_thousand_invocations(aws: Aws) -> None:
    from concurrent.futures import ThreadPoolExecutor

    functions = aws.client("lambda")
    aws.function("weighted", RELEASE, BUILD_ID="one")
    functions.publish_version(FunctionName="weighted")
    functions.update_function_configuration(FunctionName="weighted", Environment={"Variables": {"BUILD_ID": "two"}})
    functions.publish_version(FunctionName="weighted")
    functions.create_alias(
        FunctionName="weighted",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}},
    )

    def build(_: int) -> str:
        answer = functions.invoke(FunctionName="weighted", Qualifier="live", Payload=b"{}")
        assert answer["ExecutedVersion"] in ("1", "2")
        return str(json.loads(answer["Payload"].read())["build"])

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(build, range(1000)))
    # 300 expected; 5 standard deviations are 72.
    assert 228 <= seen.count("two") <= 372
    assert seen.count("one") + seen.count("two") == 1000
