"""The release function, its alias and CodeDeploy: what the control plane asks them, in builds instead of versions."""

import datetime
import re
import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.session import client, translate_errors
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.observation import AliasTraffic, Deployment, DeploymentStatus
from bluegreen_cdn.errors import CloudError, ForeignState, InvalidBuildId, NotFound

_STATUS = {
    "Succeeded": DeploymentStatus.SUCCEEDED,
    "Failed": DeploymentStatus.FAILED,
    "Stopped": DeploymentStatus.STOPPED,
}
_ROLLBACK_CREATORS = {"codeDeployRollback", "CloudFormationRollback"}
_ANSWERED = {"LifecycleEventAlreadyCompletedException"}
_ENDED = {"DeploymentAlreadyCompletedException"}
# The AppSpec is JSON or YAML, as its author liked; both write these two the same way.
_VERSION = r"""["']?{name}["']?\s*:\s*["']?(\d+)["']?"""


class CodeDeployReleases:
    """The real `bluegreen_cdn.aws.ports.Releases`.

    Args:
        function: Name of the release function.
        alias: Name of its alias.
        application: CodeDeploy application.
        group: Its deployment group.
        region: Where they are. Default: what the environment says.
        aws_lambda: A client to use instead of a new one. Default: a new one.
        codedeploy: A client to use instead of a new one. Default: a new one.
    """

    def __init__(
        self,
        *,
        function: str,
        alias: str,
        application: str,
        group: str,
        region: str | None = None,
        aws_lambda: Any | None = None,
        codedeploy: Any | None = None,
    ) -> None:
        self._function, self._alias, self._application, self._group = function, alias, application, group
        self._lambda = aws_lambda or client("lambda", region)
        self._codedeploy = codedeploy or client("codedeploy", region)
        # Neither a version nor an ended deployment ever changes.
        self._builds: dict[str, str] = {}
        self._ended: dict[str, Deployment] = {}

    def alias(self) -> AliasTraffic:
        """What the alias carries."""
        with translate_errors("lambda", "GetAlias", f"{self._function}:{self._alias}"):
            answer = self._lambda.get_alias(FunctionName=self._function, Name=self._alias)
        primary = self._build_of(answer["FunctionVersion"])
        weights: Mapping[str, float] = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        for version, weight in weights.items():
            if weight > 0:
                share = round(weight * defaults.FULL_WEIGHT_BASIS_POINTS)
                return AliasTraffic(primary=primary, additional=self._build_of(version), additional_weight=share)
        return AliasTraffic(primary=primary)

    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments of the last days, newest first."""
        found = []
        for deployment_id in self._recent_ids():
            try:
                found.append(self._ended.get(deployment_id) or self.deployment(deployment_id))
            except (ForeignState, NotFound):
                # Ended long ago, its version removed since; or somebody else's. One that runs must be understood.
                if self._is_running(deployment_id):
                    raise
        return tuple(sorted(found, key=lambda deployment: deployment.created, reverse=True))

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment."""
        info = self._info(deployment_id)
        content = _content(info)
        target, previous = _version(content, "TargetVersion"), _version(content, "CurrentVersion")
        if target is None or previous is None:
            raise ForeignState(
                f"deployment {deployment_id} of {self._application} names no versions of a Lambda function; nothing "
                f"but this site's stack may deploy with that application"
            )
        made = Deployment(
            id=deployment_id,
            target=self._build_of(target),
            previous=self._build_of(previous),
            status=status_of(info),
            is_rollback=is_rollback(info),
            created=_epoch(info.get("createTime")),
        )
        if not made.running:
            self._ended[deployment_id] = made
        return made

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Tell CodeDeploy how a lifecycle hook went."""
        try:
            with translate_errors("codedeploy", "PutLifecycleEventHookExecutionStatus", deployment_id):
                self._codedeploy.put_lifecycle_event_hook_execution_status(
                    deploymentId=deployment_id,
                    lifecycleEventHookExecutionId=execution,
                    status="Succeeded" if succeeded else "Failed",
                )
        except CloudError as error:
            if error.code not in _ANSWERED:
                raise

    def stop(self, deployment_id: str) -> None:
        """Stop a deployment and roll it back."""
        try:
            with translate_errors("codedeploy", "StopDeployment", deployment_id):
                self._codedeploy.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=True)
        except CloudError as error:
            if error.code not in _ENDED:
                raise

    def _recent_ids(self) -> list[str]:
        start = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
        start -= datetime.timedelta(hours=defaults.DEPLOYMENTS_WATCHED_HOURS)
        with translate_errors("codedeploy", "ListDeployments", self._application):
            pages = self._codedeploy.get_paginator("list_deployments").paginate(
                applicationName=self._application, deploymentGroupName=self._group, createTimeRange={"start": start}
            )
            return [deployment_id for page in pages for deployment_id in page.get("deployments", ())]

    def _info(self, deployment_id: str) -> Mapping[str, Any]:
        with translate_errors("codedeploy", "GetDeployment", deployment_id):
            info: Mapping[str, Any] = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return info

    def _is_running(self, deployment_id: str) -> bool:
        return self._info(deployment_id)["status"] not in _STATUS

    def _build_of(self, version: str) -> str:
        if version not in self._builds:
            with translate_errors("lambda", "GetFunctionConfiguration", f"{self._function}:{version}"):
                answer = self._lambda.get_function_configuration(FunctionName=self._function, Qualifier=version)
            build = answer.get("Environment", {}).get("Variables", {}).get("BUILD_ID", "")
            try:
                self._builds[version] = check_build_id(build)
            except InvalidBuildId as error:
                raise ForeignState(
                    f"version {version} of {self._function} has BUILD_ID {build!r}, which is no build; only versions "
                    f"that this site's stack has made may be deployed"
                ) from error
        return self._builds[version]


def status_of(info: Mapping[str, Any]) -> DeploymentStatus:
    """What has become of a deployment, from CodeDeploy's description of it."""
    return _STATUS.get(info["status"], DeploymentStatus.RUNNING)


def is_rollback(info: Mapping[str, Any]) -> bool:
    """Whether a deployment takes another one back, from CodeDeploy's description of it."""
    return info.get("creator") in _ROLLBACK_CREATORS


def _content(info: Mapping[str, Any]) -> str:
    revision = info.get("revision") or {}
    for place in ("appSpecContent", "string"):
        content = (revision.get(place) or {}).get("content")
        if isinstance(content, str):
            return content
    return ""


def _version(content: str, name: str) -> str | None:
    match = re.search(_VERSION.format(name=name), content)
    return match[1] if match else None


def _epoch(moment: datetime.datetime | float | None) -> float:
    return moment.timestamp() if isinstance(moment, datetime.datetime) else float(moment or 0)
