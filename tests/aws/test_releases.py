"""CodeDeploy and the alias in builds: against answers as AWS documents them, and against the local cloud."""

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.releases import CodeDeployReleases
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.errors import CloudError, ForeignState, NotFound

JSON_APPSPEC = json.dumps(
    {
        "version": 0.0,
        "Resources": [
            {
                "shop": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Name": "shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"},
                }
            }
        ],
    }
)
YAML_APPSPEC = """
version: 0.0
Resources:
  - shop:
      Type: AWS::Lambda::Function
      Properties:
        Name: shop
        Alias: live
        CurrentVersion: 1
        TargetVersion: '2'
"""
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def error(code: str, operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Stub:
    """Lambda and CodeDeploy in one."""

    def __init__(self) -> None:
        self.builds = {"1": "a1", "2": "b2"}
        self.alias: dict[str, Any] = {"FunctionVersion": "1"}
        self.infos: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuse = ""

    def add(self, name: str, status: str = "InProgress", *, appspec: str = JSON_APPSPEC, **more: Any) -> None:
        made = {"status": status, "createTime": NOW + timedelta(minutes=len(self.infos)), "creator": "CloudFormation"}
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec}}
        self.infos[name] = {**made, "revision": revision, **more}

    def releases(self) -> CodeDeployReleases:
        return CodeDeployReleases(
            function="shop", alias="live", application="shop", group="shop", aws_lambda=self, codedeploy=self
        )

    def get_alias(self, **call: str) -> dict[str, Any]:
        if not self.alias:
            raise error("ResourceNotFoundException")
        return self.alias

    def get_function_configuration(self, **call: str) -> dict[str, Any]:
        self.calls.append(f"version {call['Qualifier']}")
        if call["Qualifier"] not in self.builds:
            raise error("ResourceNotFoundException")
        return {"Environment": {"Variables": {"BUILD_ID": self.builds[call["Qualifier"]]}}}

    def get_deployment(self, **call: str) -> dict[str, Any]:
        self.calls.append(f"get {call['deploymentId']}")
        if call["deploymentId"] not in self.infos:
            raise error("DeploymentDoesNotExistException")
        return {"deploymentInfo": self.infos[call["deploymentId"]]}

    def get_paginator(self, name: str) -> "Stub":
        assert name == "list_deployments"
        return self

    def paginate(self, **call: Any) -> Iterator[dict[str, Any]]:
        assert call["createTimeRange"]["start"] < datetime.now(UTC)
        for name in self.infos:
            yield {"deployments": [name]}

    def put_lifecycle_event_hook_execution_status(self, **call: str) -> None:
        self.calls.append(f"{call['status']} {call['lifecycleEventHookExecutionId']}")
        if self.refuse:
            raise error(self.refuse)

    def stop_deployment(self, **call: Any) -> None:
        assert call["autoRollbackEnabled"] is True
        self.calls.append(f"stop {call['deploymentId']}")
        if self.refuse:
            raise error(self.refuse)


def test_the_alias_in_builds() -> None:
    stub = Stub()
    releases = stub.releases()
    assert releases.alias() == AliasTraffic(primary="a1")
    stub.alias = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}
    assert releases.alias() == AliasTraffic(primary="a1", additional="b2", additional_weight=1000)
    stub.alias = {"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}}}
    assert releases.alias() == AliasTraffic(primary="b2")
    assert stub.calls.count("version 1") == 1, "a version never changes, so it is asked for once"


@pytest.mark.parametrize("build", ["", "../x", "a b"])
def test_a_version_that_names_no_build_is_refused(build: str) -> None:
    stub = Stub()
    stub.builds["1"] = build
    with pytest.raises(ForeignState, match="version 1 of shop has BUILD_ID"):
        stub.releases().alias()


def test_no_alias_is_not_found() -> None:
    stub = Stub()
    stub.alias = {}
    with pytest.raises(NotFound) as caught:
        stub.releases().alias()
    assert caught.value.operation == "GetAlias"


@pytest.mark.parametrize("appspec", [JSON_APPSPEC, YAML_APPSPEC])
def test_a_deployment_in_builds_whatever_the_appspec_is_written_in(appspec: str) -> None:
    stub = Stub()
    stub.add("d-1", appspec=appspec)
    found = stub.releases().deployment("d-1")
    assert (found.previous, found.target, found.status) == ("a1", "b2", DeploymentStatus.RUNNING)
    assert found.created == NOW.timestamp()
    assert not found.is_rollback


@pytest.mark.parametrize("status", ["Created", "Queued", "InProgress", "Baking", "Ready"])
def test_what_has_not_ended_runs(status: str) -> None:
    stub = Stub()
    stub.add("d-1", status)
    assert stub.releases().deployment("d-1").running


@pytest.mark.parametrize("creator", ["codeDeployRollback", "CloudFormationRollback"])
def test_rollbacks_are_known_by_their_creator(creator: str) -> None:
    stub = Stub()
    stub.add("d-1", "Failed", rollbackInfo={"rollbackDeploymentId": "d-2", "rollbackTriggeringDeploymentId": "d-1"})
    stub.add("d-2", creator=creator)
    assert [found.is_rollback for found in stub.releases().deployments()] == [True, False]


def test_deployments_come_newest_first_and_ended_ones_are_asked_for_once() -> None:
    stub = Stub()
    for name, status in (("d-1", "Succeeded"), ("d-2", "Failed"), ("d-3", "InProgress")):
        stub.add(name, status)
    releases = stub.releases()
    for _ in range(3):
        assert [found.id for found in releases.deployments()] == ["d-3", "d-2", "d-1"]
    assert stub.calls.count("get d-1") == 1
    assert stub.calls.count("get d-3") == 3


def test_an_ended_deployment_that_can_no_longer_be_read_is_passed_over() -> None:
    stub = Stub()
    stub.add("d-1", "Succeeded", appspec=JSON_APPSPEC.replace('"1"', '"77"'))
    stub.add("d-2")
    assert [found.id for found in stub.releases().deployments()] == ["d-2"]


@pytest.mark.parametrize("appspec", ["", "{}", "version: 0.0", JSON_APPSPEC.replace("TargetVersion", "Other")])
def test_a_running_deployment_that_is_not_ours_is_refused(appspec: str) -> None:
    stub = Stub()
    stub.add("d-1", appspec=appspec)
    with pytest.raises(ForeignState, match="d-1 of shop names no versions"):
        stub.releases().deployments()


def test_an_answer_that_was_given_before_is_no_error() -> None:
    stub = Stub()
    stub.releases().answer_hook("d-1", "e-1", succeeded=True)
    stub.releases().answer_hook("d-1", "e-2", succeeded=False)
    assert stub.calls == ["Succeeded e-1", "Failed e-2"]
    stub.refuse = "LifecycleEventAlreadyCompletedException"
    stub.releases().answer_hook("d-1", "e-1", succeeded=True)
    stub.refuse = "InvalidLifecycleEventHookExecutionIdException"
    with pytest.raises(CloudError):
        stub.releases().answer_hook("d-1", "e-1", succeeded=True)


def test_stopping_what_has_ended_is_no_error() -> None:
    stub = Stub()
    stub.releases().stop("d-1")
    stub.refuse = "DeploymentAlreadyCompletedException"
    stub.releases().stop("d-1")
    stub.refuse = "DeploymentDoesNotExistException"
    with pytest.raises(NotFound):
        stub.releases().stop("d-1")


# -- the local cloud ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Gives clients of a local cloud of its own."""
    from bluegreen_cdn.aws.session import client
    from bluegreen_cdn.local.cloud import LocalCloud

    folder = Path(tmp_path_factory.mktemp("cloud"))
    with LocalCloud(folder, time_scale=120) as cloud, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
        yield lambda service: client(service, "us-east-1")


def code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return None\n")
    return buffer.getvalue()


def eventually(read: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (value := read()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return value


@pytest.mark.cloud
def test_a_stopped_canary_on_the_local_cloud(local: Callable[..., Any]) -> None:
    aws_lambda, codedeploy = local("lambda"), local("codedeploy")
    role = "arn:aws:iam::123456789012:role/x"
    aws_lambda.create_function(
        FunctionName="shop", Runtime="python3.13", Handler="index.handler", Role=role, Code={"ZipFile": code()},
        Environment={"Variables": {"BUILD_ID": "a1"}},
    )  # fmt: skip
    first = aws_lambda.publish_version(FunctionName="shop")["Version"]
    aws_lambda.update_function_configuration(FunctionName="shop", Environment={"Variables": {"BUILD_ID": "b2"}})
    second = aws_lambda.publish_version(FunctionName="shop")["Version"]
    releases = CodeDeployReleases(function="shop", alias="live", application="shop", group="shop", region="us-east-1")
    with pytest.raises(NotFound):
        releases.alias()
    aws_lambda.create_alias(FunctionName="shop", Name="live", FunctionVersion=first)
    codedeploy.create_application(applicationName="shop", computePlatform="Lambda")
    codedeploy.create_deployment_group(
        applicationName="shop", deploymentGroupName="shop", serviceRoleArn=role,
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent30Minutes",
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"]},
    )  # fmt: skip
    assert releases.alias() == AliasTraffic(primary="a1")
    assert releases.deployments() == ()

    appspec = JSON_APPSPEC.replace('"1"', f'"{first}"').replace('"2"', f'"{second}"')
    made = codedeploy.create_deployment(
        applicationName="shop", deploymentGroupName="shop",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec}},
    )["deploymentId"]  # fmt: skip
    shifting = AliasTraffic(primary="a1", additional="b2", additional_weight=1000)
    eventually(lambda: releases.alias() == shifting)
    [running] = releases.deployments()
    assert (running.id, running.previous, running.target, running.running) == (made, "a1", "b2", True)
    assert abs(running.created - time.time()) < 60

    releases.stop(made)
    eventually(lambda: len(releases.deployments()) == 2 and not any(one.running for one in releases.deployments()))
    back, stopped = releases.deployments()
    assert (back.is_rollback, back.target, back.status) == (True, "a1", DeploymentStatus.SUCCEEDED)
    assert (stopped.is_rollback, stopped.status) == (False, DeploymentStatus.STOPPED)
    assert releases.alias() == AliasTraffic(primary="a1")
    releases.stop(made)
