"""Applications, configurations and groups of CodeDeploy, by account and region."""

import uuid
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.deployment_config import DeploymentConfig, predefined
from bluegreen_cdn.local.cloud.deployment_model import Group, Scope


class CodeDeployError(Exception):
    """An error of the API: `code` is the exception's name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def group_from(
    scope: Scope, application: str, name: str, settings: Mapping[str, Any], base: Group | None = None
) -> Group:
    """Build a group from the members of CreateDeploymentGroup or UpdateDeploymentGroup (keys of the API).

    Args:
        scope: Account and region.
        application: The application's name.
        name: The group's name.
        settings: The request.
        base: The group as it was; members that the request leaves out keep their values.
    """
    merged = {**(base.settings if base else {}), **settings}
    alarms = merged.get("alarmConfiguration") or {}
    rollback = merged.get("autoRollbackConfiguration") or {}
    return Group(
        scope=scope,
        application=application,
        name=name,
        config_name=merged.get("deploymentConfigName") or "CodeDeployDefault.LambdaAllAtOnce",
        role_arn=merged.get("serviceRoleArn") or "",
        alarms=tuple(str(alarm.get("name", "")) for alarm in alarms.get("alarms") or []),
        alarms_enabled=bool(alarms.get("enabled")),
        rollback_events=frozenset(rollback.get("events") or ()) if rollback.get("enabled") else frozenset(),
        group_id=base.group_id if base else str(uuid.uuid4()),
        settings=merged,
    )


class DeploymentStore:
    """Keeps what deployments refer to."""

    def __init__(self) -> None:
        self._applications: dict[tuple[Scope, str], dict[str, Any]] = {}
        self._configs: dict[tuple[Scope, str], DeploymentConfig] = {}
        self._groups: dict[tuple[Scope, str, str], Group] = {}
        self._predefined = predefined()

    def add_application(self, scope: Scope, name: str, platform: str, created: float) -> dict[str, Any]:
        """Create an application; only Lambda ones exist here."""
        if not name:
            raise CodeDeployError("ApplicationNameRequiredException", "An application name must be specified")
        if (scope, name) in self._applications:
            raise CodeDeployError("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        if platform != "Lambda":
            raise CodeDeployError(
                "InvalidComputePlatformException", f"The local cloud deploys to Lambda only, not to {platform!r}"
            )
        record = {
            "applicationId": str(uuid.uuid4()),
            "applicationName": name,
            "createTime": created,
            "linkedToGitHub": False,
            "computePlatform": platform,
        }
        self._applications[scope, name] = record
        return record

    def application(self, scope: Scope, name: str) -> dict[str, Any]:
        """Give an application's record."""
        try:
            return self._applications[scope, name]
        except KeyError:
            raise CodeDeployError(
                "ApplicationDoesNotExistException", f"No application found for name: {name}"
            ) from None

    def applications(self, scope: Scope) -> list[str]:
        """Name the applications."""
        return sorted(name for known, name in self._applications if known == scope)

    def remove_application(self, scope: Scope, name: str) -> None:
        """Delete an application and its groups."""
        self._applications.pop((scope, name), None)
        for key in [key for key in self._groups if key[:2] == (scope, name)]:
            del self._groups[key]

    def add_config(self, scope: Scope, config: DeploymentConfig) -> None:
        """Create a deployment configuration."""
        if (scope, config.name) in self._configs or config.name in self._predefined:
            raise CodeDeployError(
                "DeploymentConfigAlreadyExistsException", f"Deployment config already exists: {config.name}"
            )
        self._configs[scope, config.name] = config

    def config(self, scope: Scope, name: str) -> DeploymentConfig:
        """Give a configuration, own or predefined."""
        found = self._configs.get((scope, name)) or self._predefined.get(name)
        if found is None:
            raise CodeDeployError(
                "DeploymentConfigDoesNotExistException", f"No Deployment Config found for name: {name}"
            )
        return found

    def configs(self, scope: Scope) -> list[str]:
        """Name the configurations."""
        return sorted([*self._predefined, *(name for known, name in self._configs if known == scope)])

    def remove_config(self, scope: Scope, name: str) -> None:
        """Delete a configuration that no group uses."""
        users = [group.name for group in self._groups.values() if group.scope == scope and group.config_name == name]
        if users:
            raise CodeDeployError(
                "DeploymentConfigInUseException", f"Deployment config {name} is used by deployment group {users[0]}"
            )
        self._configs.pop((scope, name), None)

    def put_group(self, group: Group, *, new: bool) -> Group:
        """Create or replace a group; its application and configuration must exist."""
        self.application(group.scope, group.application)
        self.config(group.scope, group.config_name)
        key = (group.scope, group.application, group.name)
        if new and key in self._groups:
            raise CodeDeployError(
                "DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {group.name}"
            )
        self._groups[key] = group
        return group

    def group(self, scope: Scope, application: str, name: str) -> Group:
        """Give a group."""
        self.application(scope, application)
        try:
            return self._groups[scope, application, name]
        except KeyError:
            raise CodeDeployError(
                "DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}"
            ) from None

    def groups(self, scope: Scope, application: str) -> list[str]:
        """Name the groups of an application."""
        self.application(scope, application)
        return sorted(name for known, owner, name in self._groups if (known, owner) == (scope, application))

    def remove_group(self, scope: Scope, application: str, name: str) -> None:
        """Delete a group."""
        self._groups.pop((scope, application, name), None)
