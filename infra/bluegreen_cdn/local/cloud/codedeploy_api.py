"""The CodeDeploy API for Lambda: JSON 1.1, target `CodeDeploy_20141006`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen_cdn.local.cloud.deployment_config import InvalidConfigError, parse_routing
from bluegreen_cdn.local.cloud.deployment_engine import DeploymentEngine
from bluegreen_cdn.local.cloud.deployment_model import Deployment, Group, InvalidRevisionError, Scope, parse_revision
from bluegreen_cdn.local.cloud.deployment_port import DeploymentRunningError
from bluegreen_cdn.local.cloud.deployment_store import CodeDeployError, DeploymentStore, group_from

Request = Mapping[str, Any]
Answer = dict[str, Any]
HOOK_STATUSES = ("Succeeded", "Failed")


class CodeDeployApi:
    """Answers requests; `handle` is what ministack's dispatcher calls."""

    def __init__(
        self, store: DeploymentStore, engine: DeploymentEngine, scope: Callable[[], Scope], now: Callable[[], float]
    ) -> None:
        self._store = store
        self._engine = engine
        self._scope = scope
        self._now = now

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Any:
        """Answer one HTTP request as (status, headers, body)."""
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        operation = getattr(self, "_" + _snake(action), None)
        if not action or operation is None:
            return _answer(
                400,
                {
                    "__type": "UnknownOperationException",
                    "message": f"the local cloud's CodeDeploy has no operation {action!r}",
                },
            )
        try:
            return _answer(200, operation(json.loads(body or b"{}")))
        except CodeDeployError as error:
            return _answer(400, {"__type": error.code, "message": str(error)})
        except InvalidConfigError as error:
            return _answer(400, {"__type": "InvalidTrafficRoutingConfigurationException", "message": str(error)})
        except InvalidRevisionError as error:
            return _answer(400, {"__type": "InvalidRevisionException", "message": str(error)})

    # -- applications, configurations, groups ---------------------------------------------------------------------

    def _create_application(self, request: Request) -> Answer:
        record = self._store.add_application(
            self._scope(), request.get("applicationName", ""), request.get("computePlatform") or "Server", self._now()
        )
        return {"applicationId": record["applicationId"]}

    def _get_application(self, request: Request) -> Answer:
        return {"application": self._store.application(self._scope(), request.get("applicationName", ""))}

    def _list_applications(self, request: Request) -> Answer:
        return {"applications": self._store.applications(self._scope())}

    def _delete_application(self, request: Request) -> Answer:
        self._store.remove_application(self._scope(), request.get("applicationName", ""))
        return {}

    def _create_deployment_config(self, request: Request) -> Answer:
        name = request.get("deploymentConfigName", "")
        self._store.add_config(self._scope(), parse_routing(name, request.get("trafficRoutingConfig")))
        return {"deploymentConfigId": name}

    def _get_deployment_config(self, request: Request) -> Answer:
        config = self._store.config(self._scope(), request.get("deploymentConfigName", ""))
        return {
            "deploymentConfigInfo": {
                "deploymentConfigName": config.name,
                "computePlatform": "Lambda",
                "trafficRoutingConfig": config.routing(),
            }
        }

    def _list_deployment_configs(self, request: Request) -> Answer:
        return {"deploymentConfigsList": self._store.configs(self._scope())}

    def _delete_deployment_config(self, request: Request) -> Answer:
        self._store.remove_config(self._scope(), request.get("deploymentConfigName", ""))
        return {}

    def _create_deployment_group(self, request: Request) -> Answer:
        group = group_from(
            self._scope(), request.get("applicationName", ""), request.get("deploymentGroupName", ""), request
        )
        return {"deploymentGroupId": self._store.put_group(group, new=True).group_id}

    def _update_deployment_group(self, request: Request) -> Answer:
        application, name = request.get("applicationName", ""), request.get("currentDeploymentGroupName", "")
        old = self._store.group(self._scope(), application, name)
        new_name = request.get("newDeploymentGroupName") or name
        self._store.put_group(group_from(self._scope(), application, new_name, request, base=old), new=new_name != name)
        if new_name != name:
            self._store.remove_group(self._scope(), application, name)
        return {}

    def _get_deployment_group(self, request: Request) -> Answer:
        return {"deploymentGroupInfo": self._describe_group(self._group(request))}

    def _batch_get_deployment_groups(self, request: Request) -> Answer:
        application = request.get("applicationName", "")
        names = request.get("deploymentGroupNames") or []
        return {
            "deploymentGroupsInfo": [
                self._describe_group(self._store.group(self._scope(), application, name)) for name in names
            ]
        }

    def _list_deployment_groups(self, request: Request) -> Answer:
        application = request.get("applicationName", "")
        return {"applicationName": application, "deploymentGroups": self._store.groups(self._scope(), application)}

    def _delete_deployment_group(self, request: Request) -> Answer:
        self._store.remove_group(
            self._scope(), request.get("applicationName", ""), request.get("deploymentGroupName", "")
        )
        return {"hooksNotCleanedUp": []}

    # -- deployments -----------------------------------------------------------------------------------------------

    def _create_deployment(self, request: Request) -> Answer:
        group = self._group(request)
        config = self._store.config(self._scope(), request.get("deploymentConfigName") or group.config_name)
        if not request.get("revision"):
            raise CodeDeployError("RevisionRequiredException", "The deployment's revision must be specified")
        try:
            deployment = self._engine.create(
                group, parse_revision(request["revision"]), config, description=request.get("description") or ""
            )
        except DeploymentRunningError as error:
            raise CodeDeployError("DeploymentLimitExceededException", str(error)) from None
        return {"deploymentId": deployment.deployment_id}

    def _get_deployment(self, request: Request) -> Answer:
        return {"deploymentInfo": self._deployment(request).describe()}

    def _batch_get_deployments(self, request: Request) -> Answer:
        wanted = set(request.get("deploymentIds") or [])
        return {"deploymentsInfo": [known.describe() for known in self._known() if known.deployment_id in wanted]}

    def _list_deployments(self, request: Request) -> Answer:
        application, group = request.get("applicationName"), request.get("deploymentGroupName")
        statuses = set(request.get("includeOnlyStatuses") or ())
        window = request.get("createTimeRange") or {}
        start, end = window.get("start") or 0.0, window.get("end") or float("inf")
        if group:
            self._store.group(self._scope(), application or "", group)
        return {
            "deployments": [
                known.deployment_id
                for known in self._known()
                if (not application or known.group.application == application)
                and (not group or known.group.name == group)
                and (not statuses or known.status in statuses)
                and start <= known.create_time <= end
            ]
        }

    def _stop_deployment(self, request: Request) -> Answer:
        deployment = self._deployment(request)
        if deployment.ended:
            raise CodeDeployError(
                "DeploymentAlreadyCompletedException", f"Deployment {deployment.deployment_id} is already completed"
            )
        self._engine.stop(
            deployment, roll_back=bool(request.get("autoRollbackEnabled", deployment.group.rollback_events))
        )
        return {"status": "Pending", "statusMessage": "The stop of the deployment is pending"}

    def _put_lifecycle_event_hook_execution_status(self, request: Request) -> Answer:
        deployment = self._deployment(request)
        status, execution = request.get("status", ""), request.get("lifecycleEventHookExecutionId", "")
        if status not in HOOK_STATUSES:
            raise CodeDeployError(
                "InvalidLifecycleEventHookExecutionStatusException",
                f"Status {status!r} is not one of {', '.join(HOOK_STATUSES)}",
            )
        if execution not in deployment.hooks:
            raise CodeDeployError(
                "InvalidLifecycleEventHookExecutionIdException",
                f"Hook execution {execution!r} does not belong to {deployment.deployment_id}",
            )
        if not self._engine.report_hook(deployment, execution, status):
            raise CodeDeployError(
                "LifecycleEventAlreadyCompletedException",
                f"The lifecycle event of hook execution {execution} is already completed",
            )
        return {"lifecycleEventHookExecutionId": execution}

    def _list_deployment_targets(self, request: Request) -> Answer:
        return {"targetIds": [self._deployment(request).target()["lambdaTarget"]["targetId"]]}

    def _get_deployment_target(self, request: Request) -> Answer:
        return {"deploymentTarget": self._deployment(request).target()}

    def _batch_get_deployment_targets(self, request: Request) -> Answer:
        return {"deploymentTargets": [self._deployment(request).target()]}

    def _list_tags_for_resource(self, request: Request) -> Answer:
        return {"Tags": []}

    # -- lookups ---------------------------------------------------------------------------------------------------

    def _group(self, request: Request) -> Group:
        return self._store.group(
            self._scope(), request.get("applicationName", ""), request.get("deploymentGroupName", "")
        )

    def _known(self) -> list[Deployment]:
        scope = self._scope()
        mine = [known for known in self._engine.deployments.values() if known.group.scope == scope]
        return sorted(mine, key=lambda known: known.create_time, reverse=True)

    def _deployment(self, request: Request) -> Deployment:
        identifier = request.get("deploymentId")
        if not identifier:
            raise CodeDeployError("DeploymentIdRequiredException", "At least one deployment ID must be specified")
        found = self._engine.deployments.get(identifier)
        if found is None or found.group.scope != self._scope():
            raise CodeDeployError("DeploymentDoesNotExistException", f"The deployment {identifier} could not be found")
        return found

    def _describe_group(self, group: Group) -> Answer:
        info = {
            **group.settings,
            "applicationName": group.application,
            "deploymentGroupName": group.name,
            "deploymentGroupId": group.group_id,
            "deploymentConfigName": group.config_name,
            "serviceRoleArn": group.role_arn,
            "computePlatform": "Lambda",
        }
        mine = [
            known
            for known in self._known()
            if (known.group.application, known.group.name) == (group.application, group.name)
        ]
        for name, matching in (
            ("lastAttemptedDeployment", mine),
            ("lastSuccessfulDeployment", [known for known in mine if known.status == "Succeeded"]),
        ):
            if matching:
                last = matching[0]
                times = {"createTime": last.create_time, "endTime": last.complete_time}
                info[name] = {
                    "deploymentId": last.deployment_id,
                    "status": last.status,
                    **{key: value for key, value in times.items() if value},
                }
        return info


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")


def _answer(status: int, payload: Answer) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    if "__type" in payload:
        headers["x-amzn-errortype"] = payload["__type"]
    return status, headers, json.dumps(payload).encode()
