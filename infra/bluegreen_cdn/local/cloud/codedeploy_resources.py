"""`AWS::CodeDeploy::*` and the deployment that an alias update makes, for CloudFormation."""

import copy
import time
from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.deployment_config import parse_routing
from bluegreen_cdn.local.cloud.deployment_engine import ALL_AT_ONCE, DeploymentEngine
from bluegreen_cdn.local.cloud.deployment_model import HOOKS, Group, Revision, Scope
from bluegreen_cdn.local.cloud.deployment_port import DeploymentRunningError
from bluegreen_cdn.local.cloud.deployment_store import DeploymentStore, group_from
from bluegreen_cdn.local.cloud.seams import replace, require

UPDATE_POLICY = "CodeDeployLambdaAliasUpdate"


def lower_first(value: Any) -> Any:
    """Turn a template's member names (`AlarmConfiguration`) into the API's (`alarmConfiguration`), at every depth."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: lower_first(item) for key, item in value.items()}
    if isinstance(value, list):
        return [lower_first(item) for item in value]
    return _as_boolean(value)


def _as_boolean(value: Any) -> Any:
    return value == "true" if value in ("true", "false") else value


class CodeDeployResources:
    """The create, update and delete handlers that go into ministack's table of resource types."""

    def __init__(self, ministack: Any, store: DeploymentStore, engine: DeploymentEngine) -> None:
        self._store = store
        self._engine = engine
        self._responses = ministack.responses
        self._provisioners = ministack.provisioners
        self._lambda = ministack.lambda_service
        self._cloudformation = ministack.cloudformation
        self._engine_module = ministack.cloudformation_engine

    def install(self, stacks: Any) -> None:
        """Register the types, and make an alias update that has an update policy wait for its deployment."""
        provisioners = self._provisioners
        require(
            provisioners,
            "_RESOURCE_HANDLERS",
            "_physical_name",
            "_cfn_wait_condition_definition",
            "_lambda_function_for_cfn_ref",
            "_lambda_alias_update",
        )
        require(self._engine_module, "_resolve_refs", "_evaluate_conditions")
        handlers = provisioners._RESOURCE_HANDLERS
        handlers["AWS::CodeDeploy::Application"] = {
            "create": self.create_application,
            "update": self.keep,
            "delete": self.delete_application,
        }
        handlers["AWS::CodeDeploy::DeploymentConfig"] = {
            "create": self.create_config,
            "update": self.update_config,
            "update_with_logical_id": True,
            "delete": self.delete_config,
        }
        handlers["AWS::CodeDeploy::DeploymentGroup"] = {
            "create": self.create_group,
            "update": self.update_group,
            "update_with_logical_id": True,
            "delete": self.delete_group,
        }
        self._plain_alias_update = provisioners._lambda_alias_update
        handlers["AWS::Lambda::Alias"]["update"] = self.update_alias
        runs_on_thread = stacks._runs_on_worker_thread

        def runs_on_worker_thread(resource_type: str) -> bool:
            # A canary takes minutes; on the event loop it would stop the whole cloud, hooks included.
            return resource_type == "AWS::Lambda::Alias" or bool(runs_on_thread(resource_type))

        replace(stacks, "_runs_on_worker_thread", runs_on_worker_thread)

    def _scope(self) -> Scope:
        return Scope(account=self._responses.get_account_id(), region=self._responses.get_region())

    # -- application -----------------------------------------------------------------------------------------------

    def create_application(
        self, logical_id: str, props: Mapping[str, Any], stack_name: str
    ) -> tuple[str, dict[str, str]]:
        """Create `AWS::CodeDeploy::Application`."""
        name = props.get("ApplicationName") or self._name(stack_name, logical_id)
        self._store.add_application(self._scope(), name, props.get("ComputePlatform") or "Server", time.time())
        return name, {}

    def delete_application(self, physical_id: str, props: Mapping[str, Any]) -> None:
        """Delete an application."""
        self._store.remove_application(self._scope(), physical_id)

    @staticmethod
    def keep(physical_id: str, old: Any, new: Any, stack_name: str) -> tuple[str, dict[str, str]]:
        """Leave the resource as it is: only its tags can change in place."""
        return physical_id, {}

    # -- configuration ---------------------------------------------------------------------------------------------

    def create_config(self, logical_id: str, props: Mapping[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        """Create `AWS::CodeDeploy::DeploymentConfig`."""
        name = props.get("DeploymentConfigName") or self._name(stack_name, logical_id)
        self._store.add_config(self._scope(), parse_routing(name, self._routing(props)))
        return name, {}

    def update_config(
        self,
        physical_id: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, str]]:
        """Replace a configuration: on AWS every property needs replacement, and a custom name forbids that."""
        if old.get("DeploymentConfigName") and old.get("DeploymentConfigName") == new.get("DeploymentConfigName"):
            raise ValueError(
                f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {physical_id} and update the stack again."
            )
        name = (
            new.get("DeploymentConfigName") or f"{self._name(stack_name, logical_id or physical_id)}-{time.time_ns()}"
        )
        self._store.add_config(self._scope(), parse_routing(name, self._routing(new)))
        return name, {}

    def delete_config(self, physical_id: str, props: Mapping[str, Any]) -> None:
        """Delete a configuration."""
        self._store.remove_config(self._scope(), physical_id)

    @staticmethod
    def _routing(props: Mapping[str, Any]) -> dict[str, Any]:
        routing: dict[str, Any] = lower_first(props.get("TrafficRoutingConfig") or {"Type": "AllAtOnce"})
        return routing

    # -- group -----------------------------------------------------------------------------------------------------

    def create_group(self, logical_id: str, props: Mapping[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        """Create `AWS::CodeDeploy::DeploymentGroup`."""
        name = props.get("DeploymentGroupName") or self._name(stack_name, logical_id)
        self._store.put_group(self._group(props, name), new=True)
        return name, {}

    def update_group(
        self,
        physical_id: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, str]]:
        """Update a group in place; another application or name makes a new one."""
        moved = (old.get("ApplicationName"), old.get("DeploymentGroupName")) != (
            new.get("ApplicationName"),
            new.get("DeploymentGroupName"),
        )
        if moved:
            return self.create_group(logical_id or physical_id, new, stack_name)
        known = self._store.group(self._scope(), str(new.get("ApplicationName")), physical_id)
        group = self._group(new, physical_id)
        group.group_id = known.group_id
        self._store.put_group(group, new=False)
        return physical_id, {}

    def delete_group(self, physical_id: str, props: Mapping[str, Any]) -> None:
        """Delete a group."""
        self._store.remove_group(self._scope(), str(props.get("ApplicationName")), physical_id)

    def _group(self, props: Mapping[str, Any], name: str) -> Group:
        settings = {key: value for key, value in lower_first(props).items() if key != "tags"}
        return group_from(self._scope(), str(props.get("ApplicationName") or ""), name, settings)

    # -- alias -----------------------------------------------------------------------------------------------------

    def update_alias(
        self,
        physical_id: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> Any:
        """Update an alias: through CodeDeploy when its version changes and the template has an update policy."""
        policy = self._update_policy(stack_name, logical_id or "")
        renamed = any(old.get(name) != new.get(name) for name in ("Name", "FunctionName"))
        if not policy or renamed or old.get("FunctionVersion") == new.get("FunctionVersion"):
            return self._plain_alias_update(physical_id, old, new, stack_name, logical_id)
        self._deploy(policy, old, new, stack_name)
        # What is left (description, provisioned concurrency): the version is where the deployment put it.
        rest = {**new, "FunctionVersion": old.get("FunctionVersion")}
        if rest != dict(old):
            self._plain_alias_update(
                physical_id, {**old, "FunctionVersion": new["FunctionVersion"]}, new, stack_name, logical_id
            )
        return physical_id, {"AliasArn": physical_id}

    def _deploy(
        self, policy: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any], stack_name: str
    ) -> None:
        scope = self._scope()
        group = self._store.group(scope, str(policy.get("ApplicationName")), str(policy.get("DeploymentGroupName")))
        _, function, _, _ = self._provisioners._lambda_function_for_cfn_ref(new.get("FunctionName", ""))
        hooks = {hook: function_name(str(policy[hook + "Hook"])) for hook in HOOKS if policy.get(hook + "Hook")}
        rolling_back = "ROLLBACK" in (self._cloudformation._stacks.get(stack_name) or {}).get("StackStatus", "")
        revision = Revision(
            function=function,
            alias=str(new.get("Name")),
            current_version=str(old["FunctionVersion"]),
            target_version=str(new["FunctionVersion"]),
            hooks={} if rolling_back else hooks,
        )
        config = ALL_AT_ONCE if rolling_back else self._store.config(scope, group.config_name)
        try:
            deployment = self._engine.create(
                group,
                revision,
                config,
                creator="CloudFormationRollback" if rolling_back else "CloudFormation",
                description=f"Created by CloudFormation for stack {stack_name}",
            )
        except DeploymentRunningError as error:
            raise ValueError(f"CodeDeploy: {error}") from None
        self._engine.wait(deployment)
        if deployment.status != "Succeeded":
            raise ValueError(
                f"CodeDeploy deployment {deployment.deployment_id} {deployment.status.lower()} "
                f"({deployment.error_code}): {deployment.error_message}"
            )

    def _update_policy(self, stack_name: str, logical_id: str) -> dict[str, Any]:
        """Give the alias's update policy with its references resolved, empty when it has none."""
        definition = self._provisioners._cfn_wait_condition_definition(stack_name, logical_id)
        policy = (definition.get("UpdatePolicy") or {}).get(UPDATE_POLICY)
        if not policy:
            return {}
        stack = self._cloudformation._stacks.get(stack_name) or {}
        template = stack.get("_template") or {}
        params = stack.get("_resolved_params") or {}
        conditions = self._engine_module._evaluate_conditions(template, params)
        resolved: dict[str, Any] = self._engine_module._resolve_refs(
            copy.deepcopy(policy),
            stack.get("_resources") or {},
            params,
            conditions,
            template.get("Mappings", {}),
            stack_name,
            stack.get("StackId", ""),
        )
        return resolved

    def _name(self, stack_name: str, logical_id: str) -> str:
        return str(self._provisioners._physical_name(stack_name, logical_id, max_len=100))


def function_name(reference: str) -> str:
    """Give the name (and qualifier) in a function's ARN; a plain name stays as it is."""
    return reference.split(":function:", 1)[1] if ":function:" in reference else reference
