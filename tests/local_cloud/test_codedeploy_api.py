"""The CodeDeploy API by itself, as `aws deploy` and the handlers use it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, eventually

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("local-cloud")]

SOURCE = "def handler(event, context):\n    return 1\n"


@pytest.fixture(scope="module")
def group(aws: Aws) -> str:
    """A function with two versions, an alias, and a group that shifts it."""
    name = "by-api"
    functions, codedeploy = aws.client("lambda"), aws.client("codedeploy")
    aws.function(name, SOURCE, BUILD="one")
    functions.publish_version(FunctionName=name)
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"BUILD": "two"}})
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    codedeploy.create_application(applicationName=name, computePlatform="Lambda")
    codedeploy.create_deployment_config(
        deploymentConfigName=name,
        computePlatform="Lambda",
        trafficRoutingConfig={
            "type": "TimeBasedLinear",
            "timeBasedLinear": {"linearPercentage": 50, "linearInterval": 1},
        },
    )
    codedeploy.create_deployment_group(
        applicationName=name,
        deploymentGroupName=name,
        deploymentConfigName=name,
        serviceRoleArn="arn:aws:iam::1:role/x",
        alarmConfiguration={"enabled": True, "alarms": [{"name": "nothing"}]},
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )
    return name


def revision(name: str, current: str, target: str) -> dict[str, Any]:
    properties = {"Name": name, "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    content = {"version": 0.0, "Resources": [{name: {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}}


def test_a_deployment_by_hand(aws: Aws, group: str) -> None:
    codedeploy = aws.client("codedeploy")
    identifier = codedeploy.create_deployment(
        applicationName=group, deploymentGroupName=group, revision=revision(group, "1", "2")
    )["deploymentId"]

    def info() -> dict[str, Any]:
        found: dict[str, Any] = codedeploy.get_deployment(deploymentId=identifier)["deploymentInfo"]
        return found

    assert (info()["creator"], info()["computePlatform"], info()["deploymentConfigName"]) == ("user", "Lambda", group)
    eventually(lambda: info()["status"] == "Succeeded")
    assert info()["completeTime"] >= info()["startTime"] >= info()["createTime"]
    assert codedeploy.list_deployment_targets(deploymentId=identifier)["targetIds"] == [f"{group}:live"]
    target = codedeploy.get_deployment_target(deploymentId=identifier, targetId=f"{group}:live")["deploymentTarget"]
    assert target["lambdaTarget"]["lambdaFunctionInfo"]["targetVersionWeight"] == 100
    listed = codedeploy.list_deployments(
        applicationName=group, deploymentGroupName=group, includeOnlyStatuses=["Succeeded"]
    )
    assert identifier in listed["deployments"]
    running = codedeploy.list_deployments(
        applicationName=group, deploymentGroupName=group, includeOnlyStatuses=["InProgress"]
    )
    assert running["deployments"] == []
    (batch,) = codedeploy.batch_get_deployments(deploymentIds=[identifier])["deploymentsInfo"]
    assert batch["deploymentId"] == identifier
    described = codedeploy.get_deployment_group(applicationName=group, deploymentGroupName=group)["deploymentGroupInfo"]
    assert described["lastSuccessfulDeployment"]["deploymentId"] == identifier
    assert described["alarmConfiguration"]["alarms"] == [{"name": "nothing"}]


def test_a_group_can_be_changed(aws: Aws, group: str) -> None:
    codedeploy = aws.client("codedeploy")
    codedeploy.update_deployment_group(
        applicationName=group,
        currentDeploymentGroupName=group,
        alarmConfiguration={"enabled": True, "alarms": [{"name": "other"}]},
    )
    described = codedeploy.get_deployment_group(applicationName=group, deploymentGroupName=group)["deploymentGroupInfo"]
    assert described["alarmConfiguration"]["alarms"] == [{"name": "other"}]
    assert described["deploymentConfigName"] == group, "what the update does not name stays"


def test_errors_have_the_names_that_sdks_know(aws: Aws, group: str) -> None:
    codedeploy = aws.client("codedeploy")
    known = codedeploy.exceptions
    with pytest.raises(known.ApplicationDoesNotExistException):
        codedeploy.list_deployment_groups(applicationName="nobody")
    with pytest.raises(known.DeploymentGroupDoesNotExistException):
        codedeploy.get_deployment_group(applicationName=group, deploymentGroupName="nobody")
    with pytest.raises(known.DeploymentDoesNotExistException):
        codedeploy.get_deployment(deploymentId="d-000000000")
    with pytest.raises(known.DeploymentConfigInUseException):
        codedeploy.delete_deployment_config(deploymentConfigName=group)
    with pytest.raises(known.InvalidRevisionException):
        codedeploy.create_deployment(
            applicationName=group,
            deploymentGroupName=group,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": "{}"}},
        )
    with pytest.raises(known.InvalidComputePlatformException):
        codedeploy.create_application(applicationName="servers", computePlatform="Server")
    with pytest.raises(ClientError, match="no operation 'ContinueDeployment'"):
        codedeploy.continue_deployment(deploymentId="d-000000000")


def test_another_region_has_its_own(aws: Aws, group: str) -> None:
    assert group in aws.client("codedeploy").list_applications()["applications"]
    assert aws.client("codedeploy", "eu-west-1").list_applications()["applications"] == []
