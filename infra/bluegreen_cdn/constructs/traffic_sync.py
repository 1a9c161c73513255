"""The traffic sync: what makes the edge follow the alias."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.names import resource_name

SYNC_TIMEOUT_SECONDS = 120
DEAD_AFTER_MINUTES = 5
DRIFT_AFTER_MINUTES = 10


class TrafficSync(Construct):
    """A function that looks at alias, deployment and alarms, and writes what follows from them to the edge.

    It runs on every change of a deployment, on every change of an alarm, and every minute.

    Attributes:
        function: The function.
        dead: On when it has not run, or only failed, for minutes. Nothing is changed then, and somebody should look.
        drift: On when the edge has been serving another build than the alias has, with no release in progress.
    """

    def __init__(self, scope: Construct, construct_id: str, *, control_plane: ControlPlane) -> None:
        """Create the function, its rules and its alarms.

        Args:
            scope: Where they belong, in a stack in us-east-1.
            construct_id: Their id there.
            control_plane: What it watches and steers.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.sync.handler",
            description=f"{control_plane.name}: the edge follows the alias",
            timeout=Duration.seconds(SYNC_TIMEOUT_SECONDS),
            memory_megabytes=512,
            environment=control_plane.environment(),
        )
        control_plane.allow_watching(handler)
        control_plane.allow_steering(handler)
        self.function: lambda_.Function = handler.function
        self._on_deployments(control_plane)
        self._on_alarms(control_plane)
        self._run("EveryMinute", "every minute", schedule=events.Schedule.rate(Duration.minutes(1)))
        self.dead = self._dead_alarm(control_plane.name)
        self.drift = self._drift_alarm(control_plane.name)

    def _on_deployments(self, control_plane: ControlPlane) -> None:
        pattern = events.EventPattern(
            source=["aws.codedeploy"],
            detail_type=["CodeDeploy Deployment State-change Notification"],
            detail={"application": [control_plane.release.application.ref]},
        )
        self._run("OnDeployment", "a deployment has changed its state", pattern=pattern)

    def _on_alarms(self, control_plane: ControlPlane) -> None:
        pattern = events.EventPattern(
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            resources=[alarm.alarm_arn for alarm in control_plane.alarms],
        )
        self._run("OnAlarm", "an alarm has changed its state", pattern=pattern)

    def _run(
        self,
        construct_id: str,
        description: str,
        *,
        pattern: events.EventPattern | None = None,
        schedule: events.Schedule | None = None,
    ) -> None:
        events.Rule(
            self,
            construct_id,
            description=f"Traffic sync: {description}",
            event_pattern=pattern,
            schedule=schedule,
            targets=[targets.LambdaFunction(self.function)],
        )

    def _dead_alarm(self, name: str) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Dead",
            alarm_name=resource_name(name, "sync-dead"),
            alarm_description="The traffic sync does not run: the edge keeps its last state, alarms take nothing back",
            metric=sync_metric(name, defaults.SYNC_HEARTBEAT_METRIC, "Sum"),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=DEAD_AFTER_MINUTES,
            datapoints_to_alarm=DEAD_AFTER_MINUTES,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _drift_alarm(self, name: str) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Drift",
            alarm_name=resource_name(name, "drift"),
            alarm_description="The edge serves another build than the alias has, as it does while a build is pinned",
            metric=sync_metric(name, defaults.DRIFT_METRIC, "Minimum"),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=DRIFT_AFTER_MINUTES,
            datapoints_to_alarm=DRIFT_AFTER_MINUTES,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


def sync_metric(site: str, name: str, statistic: str) -> cloudwatch.Metric:
    """A metric that the sync writes at the end of each of its runs, at least once a minute.

    Args:
        site: The site's name.
        name: One of `defaults.SYNC_METRICS`.
        statistic: Such as `Sum` or `Maximum`.
    """
    return cloudwatch.Metric(
        namespace=defaults.METRIC_NAMESPACE,
        metric_name=name,
        dimensions_map={"site": site},
        statistic=statistic,
        period=Duration.minutes(1),
    )
