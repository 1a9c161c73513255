"""What CodeDeploy knows: groups, revisions and deployments, without a clock or a network."""

import hashlib
import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen_cdn.local.cloud.deployment_config import DeploymentConfig

BEFORE_ALLOW_TRAFFIC = "BeforeAllowTraffic"
ALLOW_TRAFFIC = "AllowTraffic"
AFTER_ALLOW_TRAFFIC = "AfterAllowTraffic"
HOOKS = (BEFORE_ALLOW_TRAFFIC, AFTER_ALLOW_TRAFFIC)
ENDED = ("Succeeded", "Failed", "Stopped")


class InvalidRevisionError(ValueError):
    """An AppSpec that is not one Lambda alias moving from one version to another."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The account and region that something belongs to."""

    account: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One Lambda alias that goes from one version to another, with its hooks (hook name to function)."""

    function: str
    alias: str
    current_version: str
    target_version: str
    hooks: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> str:
        """Give the AppSpec that GetDeployment shows."""
        properties = {
            "Name": self.function,
            "Alias": self.alias,
            "CurrentVersion": self.current_version,
            "TargetVersion": self.target_version,
        }
        resource = {self.function: {"Type": "AWS::Lambda::Function", "Properties": properties}}
        spec: dict[str, Any] = {"version": 0.0, "Resources": [resource]}
        if self.hooks:
            spec["Hooks"] = [{name: function} for name, function in self.hooks.items()]
        return json.dumps(spec)

    def describe(self) -> dict[str, Any]:
        """Give the `revision` member of the API."""
        content = self.content()
        return {
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": content, "sha256": hashlib.sha256(content.encode()).hexdigest()},
        }

    def reversed(self) -> "Revision":
        """Give the revision that takes the alias back, without hooks."""
        return Revision(
            function=self.function,
            alias=self.alias,
            current_version=self.target_version,
            target_version=self.current_version,
        )


def parse_revision(revision: Mapping[str, Any] | None) -> Revision:
    """Read the `revision` of CreateDeployment.

    Raises:
        InvalidRevisionError: It is not an AppSpec with exactly one Lambda function.
    """
    holder = (revision or {}).get("appSpecContent") or (revision or {}).get("string") or {}
    try:
        spec = json.loads(holder.get("content") or "")
        (resource,) = spec["Resources"]
        ((_, definition),) = resource.items()
        properties = definition["Properties"]
        hooks = {name: function for entry in spec.get("Hooks") or [] for name, function in entry.items()}
        parsed = Revision(
            function=str(properties["Name"]),
            alias=str(properties["Alias"]),
            current_version=str(properties["CurrentVersion"]),
            target_version=str(properties["TargetVersion"]),
            hooks=hooks,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidRevisionError(
            "The AppSpec (JSON) must name one AWS::Lambda::Function with Name, Alias, CurrentVersion and TargetVersion"
        ) from None
    unknown = sorted(set(hooks) - set(HOOKS))
    if unknown:
        raise InvalidRevisionError(f"Lifecycle event {unknown[0]} is not one of {', '.join(HOOKS)}")
    return parsed


@dataclass(kw_only=True)
class Group:
    """A deployment group: where deployments go, and what stops them."""

    scope: Scope
    application: str
    name: str
    config_name: str = "CodeDeployDefault.LambdaAllAtOnce"
    role_arn: str = ""
    alarms: tuple[str, ...] = ()
    alarms_enabled: bool = False
    rollback_events: frozenset[str] = frozenset()
    group_id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def arn(self) -> str:
        """Give the group's ARN, the second resource of its events."""
        owner = f"{self.scope.region}:{self.scope.account}"
        return f"arn:aws:codedeploy:{owner}:deploymentgroup:{self.application}/{self.name}"

    def application_arn(self) -> str:
        """Give the ARN of the application."""
        return f"arn:aws:codedeploy:{self.scope.region}:{self.scope.account}:application:{self.application}"


@dataclass(kw_only=True)
class HookExecution:
    """One call of a hook; `status` is None until somebody reports it."""

    execution_id: str
    event: str
    status: str | None = None


@dataclass(kw_only=True)
class Deployment:
    """One deployment, from its creation on."""

    deployment_id: str
    group: Group
    revision: Revision
    config: DeploymentConfig
    create_time: float
    creator: str = "user"
    description: str = ""
    status: str = "Created"
    start_time: float | None = None
    complete_time: float | None = None
    error_code: str = ""
    error_message: str = ""
    rollback_info: dict[str, str] = field(default_factory=dict)
    percent: int = 0
    lifecycle: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, HookExecution] = field(default_factory=dict)
    stop_requested: bool = False
    stop_rolls_back: bool = True
    rollback_of: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen, the rollback aside."""
        return self.status in ENDED

    def describe(self) -> dict[str, Any]:
        """Give the `deploymentInfo` member of the API."""
        info: dict[str, Any] = {
            "applicationName": self.group.application,
            "deploymentGroupName": self.group.name,
            "deploymentConfigName": self.config.name,
            "deploymentId": self.deployment_id,
            "revision": self.revision.describe(),
            "status": self.status,
            "createTime": self.create_time,
            "deploymentOverview": self._overview(),
            "creator": self.creator,
            "ignoreApplicationStopFailures": False,
            "autoRollbackConfiguration": {
                "enabled": bool(self.group.rollback_events),
                "events": sorted(self.group.rollback_events),
            },
            "updateOutdatedInstancesOnly": False,
            "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            "instanceTerminationWaitTimeStarted": False,
            "computePlatform": "Lambda",
        }
        optional = {
            "description": self.description,
            "startTime": self.start_time,
            "completeTime": self.complete_time,
            "rollbackInfo": self.rollback_info,
        }
        info.update({name: value for name, value in optional.items() if value})
        if self.error_code:
            info["errorInformation"] = {"code": self.error_code, "message": self.error_message}
        return info

    def _overview(self) -> dict[str, int]:
        counted = {"Created": "Pending", "Queued": "Pending", "Stopped": "Failed"}.get(self.status, self.status)
        return {
            name: int(name == counted) for name in ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
        }

    def target(self) -> dict[str, Any]:
        """Give the `deploymentTarget` member of the API."""
        revision = self.revision
        status = {"Created": "Pending", "Stopped": "Failed"}.get(self.status, self.status)
        events = [{"lifecycleEventName": name, "status": state} for name, state in self.lifecycle.items()]
        return {
            "deploymentTargetType": "LambdaTarget",
            "lambdaTarget": {
                "deploymentId": self.deployment_id,
                "targetId": f"{revision.function}:{revision.alias}",
                "targetArn": f"arn:aws:lambda:{self.group.scope.region}:{self.group.scope.account}:function:"
                f"{revision.function}:{revision.alias}",
                "status": status,
                "lastUpdatedAt": self.complete_time or self.start_time or self.create_time,
                "lifecycleEvents": events,
                "lambdaFunctionInfo": {
                    "functionName": revision.function,
                    "functionAlias": revision.alias,
                    "currentVersion": revision.current_version,
                    "targetVersion": revision.target_version,
                    "targetVersionWeight": float(self.percent),
                },
            },
        }


def new_deployment_id() -> str:
    """Give an id of AWS's shape, such as `d-8Q2PX3WZ7`."""
    return "d-" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(9))
