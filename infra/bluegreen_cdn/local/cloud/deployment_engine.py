"""Carries out deployments: hooks, shifts, alarms, stops and rollbacks, one thread per deployment."""

import threading
import uuid
from collections.abc import Callable

from bluegreen_cdn.local.cloud.clock import ScaledClock
from bluegreen_cdn.local.cloud.deployment_config import DeploymentConfig
from bluegreen_cdn.local.cloud.deployment_model import (
    AFTER_ALLOW_TRAFFIC,
    ALLOW_TRAFFIC,
    BEFORE_ALLOW_TRAFFIC,
    Deployment,
    Group,
    HookExecution,
    Revision,
    new_deployment_id,
)
from bluegreen_cdn.local.cloud.deployment_port import DeploymentRunningError, EndedError, Surroundings
from bluegreen_cdn.local.cloud.timeline import Timeline

HOOK_TIMEOUT_MINUTES = 60
ALARM_POLL_SECONDS = 5
POLL_MINIMUM_REAL_SECONDS = 0.05
ALL_AT_ONCE = DeploymentConfig(name="CodeDeployDefault.LambdaAllAtOnce", kind="AllAtOnce")


class DeploymentEngine:
    """Runs deployments and keeps them."""

    def __init__(self, surroundings: Surroundings, clock: ScaledClock, timeline: Timeline) -> None:
        self._cloud = surroundings
        self._clock = clock
        self._timeline = timeline
        self._changed = threading.Condition()
        self.deployments: dict[str, Deployment] = {}

    # -- what the API calls --------------------------------------------------------------------------------------

    def create(
        self,
        group: Group,
        revision: Revision,
        config: DeploymentConfig,
        *,
        creator: str = "user",
        description: str = "",
    ) -> Deployment:
        """Start a deployment.

        Raises:
            DeploymentRunningError: The group has one in progress.
        """
        with self._changed:
            active = self._active(group)
            if active:
                raise DeploymentRunningError(
                    f"The Deployment Group '{group.name}' already has an active Deployment '{active.deployment_id}'"
                )
            deployment = self._add(group, revision, config, creator=creator, description=description)
        self._spawn(deployment)
        return deployment

    def stop(self, deployment: Deployment, *, roll_back: bool) -> None:
        """Ask a deployment to stop; it ends as Stopped, and its alias goes back if `roll_back`."""
        with self._changed:
            deployment.stop_requested, deployment.stop_rolls_back = True, roll_back
            self._changed.notify_all()

    def report_hook(self, deployment: Deployment, execution_id: str, status: str) -> bool:
        """Take a hook's result; False when it is not waiting for one."""
        with self._changed:
            execution = deployment.hooks.get(execution_id)
            if execution is None or execution.status is not None or deployment.ended:
                return False
            execution.status = status
            self._changed.notify_all()
        self._timeline.record("hook_result", deployment=deployment.deployment_id, event=execution.event, status=status)
        return True

    def wait(self, deployment: Deployment) -> Deployment:
        """Block until a deployment, and the rollback that it starts, have ended."""
        with self._changed:
            self._changed.wait_for(lambda: deployment.ended and not self._rollback_pending(deployment))
        return deployment

    # -- the story of one deployment -------------------------------------------------------------------------------

    def _run(self, deployment: Deployment) -> None:
        self._set_status(deployment, "InProgress")
        self._send(deployment, "START")
        try:
            self._check_versions(deployment)
            self._check_alarms(deployment)
            self._run_hook(deployment, BEFORE_ALLOW_TRAFFIC)
            self._shift(deployment)
            self._run_hook(deployment, AFTER_ALLOW_TRAFFIC)
            self._check_alarms(deployment)
        except EndedError as end:
            self._end_badly(deployment, end)
        except Exception as error:  # the thread is the last to see it: without this the stack would wait for ever
            self._end_badly(deployment, EndedError("Failed", "INTERNAL_ERROR", str(error), "DEPLOYMENT_FAILURE"))
        else:
            self._set_status(deployment, "Succeeded")
            self._send(deployment, "SUCCESS")

    def _check_versions(self, deployment: Deployment) -> None:
        """Refuse before anything is touched: such a failure is not rolled back, an alias moved by hand stays there."""
        revision, scope = deployment.revision, deployment.group.scope
        try:
            version, _ = self._cloud.read_alias(scope, revision.function, revision.alias)
        except LookupError as error:
            raise EndedError("Failed", "INVALID_LAMBDA_FUNCTION", str(error), "") from None
        if version != revision.current_version and not deployment.rollback_of:
            raise EndedError(
                "Failed",
                "INVALID_LAMBDA_CONFIGURATION",
                f"The deployment failed because the alias version ({version}) does not match the current "
                f"version in AppSpec ({revision.current_version}) for {revision.function}:{revision.alias}",
                "",
            )
        if not self._cloud.version_exists(scope, revision.function, revision.target_version):
            raise EndedError(
                "Failed",
                "INVALID_LAMBDA_FUNCTION",
                f"Function not found: {revision.function}:{revision.target_version}",
                "",
            )

    def _shift(self, deployment: Deployment) -> None:
        deployment.lifecycle[ALLOW_TRAFFIC] = "InProgress"
        started = self._clock.now()
        for minute, percent in deployment.config.steps():
            due = started + self._clock.real_minutes(minute)
            self._watch(deployment, due, until=lambda: False)
            self._set_percent(deployment, percent)
        deployment.lifecycle[ALLOW_TRAFFIC] = "Succeeded"

    def _set_percent(self, deployment: Deployment, percent: int) -> None:
        revision = deployment.revision
        if percent >= 100:
            version, weights = revision.target_version, {}
        else:
            version, weights = revision.current_version, {revision.target_version: percent / 100}
        self._cloud.write_alias(deployment.group.scope, revision.function, revision.alias, version, weights)
        deployment.percent = percent
        self._timeline.record(
            "weight",
            deployment=deployment.deployment_id,
            function=revision.function,
            alias=revision.alias,
            version=revision.target_version,
            percent=percent,
        )

    def _run_hook(self, deployment: Deployment, event: str) -> None:
        function = deployment.revision.hooks.get(event)
        if not function:
            return
        execution = HookExecution(execution_id=str(uuid.uuid4()), event=event)
        with self._changed:
            deployment.hooks[execution.execution_id] = execution
            deployment.lifecycle[event] = "InProgress"
        self._timeline.record("hook_called", deployment=deployment.deployment_id, event=event, function=function)
        self._cloud.call_hook(
            deployment.group.scope,
            function,
            {"DeploymentId": deployment.deployment_id, "LifecycleEventHookExecutionId": execution.execution_id},
        )
        due = self._clock.now() + self._clock.real_minutes(HOOK_TIMEOUT_MINUTES)
        self._watch(deployment, due, until=lambda: execution.status is not None)
        succeeded = execution.status == "Succeeded"
        deployment.lifecycle[event] = "Succeeded" if succeeded else "Failed"
        if not succeeded:
            said = f"reported {execution.status}" if execution.status else "did not report within one hour"
            raise self._failure("HOOK_EXECUTION_FAILURE", f"The {event} hook {function} {said}")

    def _watch(self, deployment: Deployment, due: float, *, until: Callable[[], bool]) -> None:
        """Wait for `until` or `due`, and meanwhile for a stop or an alarm."""
        pause = max(POLL_MINIMUM_REAL_SECONDS, self._clock.real_seconds(ALARM_POLL_SECONDS))
        while True:
            with self._changed:
                left = due - self._clock.now()
                if not deployment.stop_requested and not until() and left > 0:
                    self._changed.wait(min(pause, left))
            if deployment.stop_requested:
                raise EndedError(
                    "Stopped", "MANUAL_STOP", "The deployment was stopped by a user", "DEPLOYMENT_STOP_ON_REQUEST"
                )
            self._check_alarms(deployment)
            if until() or self._clock.now() >= due:
                return

    def _check_alarms(self, deployment: Deployment) -> None:
        group = deployment.group
        if not group.alarms_enabled or deployment.rollback_of:
            return
        active = self._cloud.alarms_on(group.scope, group.alarms)
        if active:
            raise EndedError(
                "Stopped",
                "ALARM_ACTIVE",
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "
                f"and the affected deployments have been stopped. Activated alarms: <{', '.join(active)}>",
                "DEPLOYMENT_STOP_ON_ALARM",
            )

    # -- ends --------------------------------------------------------------------------------------------------------

    def _end_badly(self, deployment: Deployment, end: EndedError) -> None:
        group = deployment.group
        asked_to_stay = end.code == "MANUAL_STOP" and not deployment.stop_rolls_back
        asked_to_go_back = end.code == "MANUAL_STOP" and deployment.stop_rolls_back
        rolls_back = (
            not deployment.rollback_of
            and not asked_to_stay
            and (asked_to_go_back or end.trigger in group.rollback_events)
        )
        for event, state in deployment.lifecycle.items():
            if state == "InProgress":
                deployment.lifecycle[event] = "Failed"
        with self._changed:
            deployment.error_code, deployment.error_message = end.code, str(end)
            rollback = None
            if rolls_back:
                rollback = self._add(
                    group,
                    deployment.revision.reversed(),
                    ALL_AT_ONCE,
                    creator="codeDeployRollback",
                    description=f"Rollback of {deployment.deployment_id}",
                )
                rollback.rollback_of = deployment.deployment_id
                rollback.rollback_info = {"rollbackTriggeringDeploymentId": deployment.deployment_id}
                deployment.rollback_info = {
                    "rollbackDeploymentId": rollback.deployment_id,
                    "rollbackMessage": f"Deployment {deployment.deployment_id} is rolled back by deployment "
                    f"{rollback.deployment_id}: {end}",
                }
        self._set_status(deployment, end.status)
        self._send(deployment, "STOP" if end.status == "Stopped" else "FAILURE")
        if rollback is not None:
            self._spawn(rollback)

    @staticmethod
    def _failure(code: str, message: str) -> EndedError:
        return EndedError("Failed", code, message, "DEPLOYMENT_FAILURE")

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _add(
        self, group: Group, revision: Revision, config: DeploymentConfig, *, creator: str, description: str
    ) -> Deployment:
        deployment = Deployment(
            deployment_id=new_deployment_id(),
            group=group,
            revision=revision,
            config=config,
            create_time=self._clock.now(),
            creator=creator,
            description=description,
        )
        self.deployments[deployment.deployment_id] = deployment
        return deployment

    def _active(self, group: Group) -> Deployment | None:
        return next(
            (
                known
                for known in self.deployments.values()
                if not known.ended
                and known.group.scope == group.scope
                and (known.group.application, known.group.name) == (group.application, group.name)
            ),
            None,
        )

    def _rollback_pending(self, deployment: Deployment) -> bool:
        rollback = self.deployments.get(deployment.rollback_info.get("rollbackDeploymentId", ""))
        return rollback is not None and not rollback.ended

    def _spawn(self, deployment: Deployment) -> None:
        threading.Thread(
            target=self._run, args=(deployment,), daemon=True, name=f"codedeploy-{deployment.deployment_id}"
        ).start()

    def _set_status(self, deployment: Deployment, status: str) -> None:
        with self._changed:
            deployment.status = status
            if status == "InProgress":
                deployment.start_time = self._clock.now()
            if deployment.ended:
                deployment.complete_time = self._clock.now()
            self._changed.notify_all()
        self._timeline.record(
            "deployment",
            deployment=deployment.deployment_id,
            group=deployment.group.name,
            creator=deployment.creator,
            status=status,
            error=deployment.error_code,
            message=deployment.error_message,
            current=deployment.revision.current_version,
            target=deployment.revision.target_version,
        )

    def _send(self, deployment: Deployment, state: str) -> None:
        group = deployment.group
        self._cloud.send_event(
            group.scope,
            "CodeDeploy Deployment State-change Notification",
            {
                "region": group.scope.region,
                "deploymentId": deployment.deployment_id,
                "instanceGroupId": group.group_id,
                "deploymentGroup": group.name,
                "state": state,
                "application": group.application,
            },
            [group.application_arn(), group.arn()],
        )
