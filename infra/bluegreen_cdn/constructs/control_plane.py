"""What every function of the control plane knows and may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Aws, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.published_build import KEY_VALUE_STORE_READ, KEY_VALUE_STORE_WRITE
from bluegreen_cdn.constructs.release_alias import ALIAS, EVERY_ALARM, ReleaseAlias


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """The things that a site's control plane watches and steers.

    Attributes:
        name: The site's name.
        key_value_store_arn: Where the routing state is.
        distribution_domain: Where the site is asked for a page before it is released.
        release: What CodeDeploy moves.
        alarms: What takes a candidate back.
        bucket_names: The bucket of every region.
        verdict_period_seconds: How far back the verdict's alarm looks.
        smoke_fetch: Whether a candidate is fetched through the distribution before it is let in.
    """

    name: str
    key_value_store_arn: str
    distribution_domain: str
    release: ReleaseAlias
    alarms: Sequence[cloudwatch.IAlarm]
    bucket_names: Mapping[str, str]
    verdict_period_seconds: int = defaults.VERDICT_PERIOD_SECONDS
    smoke_fetch: bool = True

    def environment(self) -> dict[str, str]:
        """The functions' variables."""
        stack = Stack.of(self.release)
        return {
            "SITE": self.name,
            "KEY_VALUE_STORE_ARN": self.key_value_store_arn,
            "DISTRIBUTION_DOMAIN": self.distribution_domain,
            "RELEASE_FUNCTION": self.release.function.function_name,
            "ALIAS": ALIAS,
            "CODEDEPLOY_APPLICATION": self.release.application.ref,
            "CODEDEPLOY_GROUP": self.release.deployment_group.ref,
            "ALARM_NAMES": stack.to_json_string([alarm.alarm_name for alarm in self.alarms]),
            "BUCKETS": stack.to_json_string(dict(self.bucket_names)),
            "BAKE_MINUTES": str(self.release.rollout.bake_minutes),
            "HOLDOUT_BASIS_POINTS": str(self.release.rollout.holdout_basis_points),
            "SMOKE_FETCH": "true" if self.smoke_fetch else "false",
            "VERDICT_PERIOD_SECONDS": str(self.verdict_period_seconds),
            "MINIMUM_SAMPLE": str(self.release.rollout.on_no_traffic.minimum_page_loads),
        }

    def parameter(self, own_alarms: Sequence[cloudwatch.IAlarm]) -> str:
        """What the command line has to know, as one JSON text.

        Args:
            own_alarms: Alarms about the control plane itself, which stop no release.
        """
        return Stack.of(self.release).to_json_string(
            {
                "application": self.release.application.ref,
                "group": self.release.deployment_group.ref,
                "alarms": [alarm.alarm_name for alarm in self.alarms],
                "own_alarms": [alarm.alarm_name for alarm in own_alarms],
                "buckets": dict(self.bucket_names),
                "holdout": self.release.rollout.holdout_basis_points,
            }
        )

    def allow_watching(self, handler: HandlerFunction) -> None:
        """Let a function see routing state, alias, versions, deployments and alarms, and answer a waiting hook.

        Where the answer depends on the candidate's page loads, it may sum those, too.
        """
        if self.release.rollout.on_no_traffic.minimum_page_loads:
            self.allow_reading_reports(handler)
        self.allow_reading_releases(handler)
        handler.allow(["codedeploy:PutLifecycleEventHookExecutionStatus"], [self.release.deployment_group_arn])
        self.allow_reading_alarms(handler)

    def allow_reading_alarms(self, handler: HandlerFunction) -> None:
        """Let a function see which alarms are on."""
        handler.allow(["cloudwatch:DescribeAlarms"], EVERY_ALARM)

    def allow_reading_releases(self, handler: HandlerFunction) -> None:
        """Let a function see routing state, alias, versions and deployments."""
        function_arn = self.release.function.function_arn
        handler.allow(KEY_VALUE_STORE_READ, [self.key_value_store_arn])
        handler.allow(["lambda:GetAlias"], [function_arn, self.release.alias_arn])
        # Versions have numbers, which nobody knows before they exist.
        handler.allow(["lambda:GetFunctionConfiguration"], [function_arn, f"{function_arn}:*"])
        handler.allow(["codedeploy:GetDeployment", "codedeploy:ListDeployments"], [self.release.deployment_group_arn])

    def allow_steering(self, handler: HandlerFunction) -> None:
        """Let a function change the routing state."""
        handler.allow(KEY_VALUE_STORE_WRITE, [self.key_value_store_arn])

    def allow_reading_reports(self, handler: HandlerFunction) -> None:
        """Let a function sum what browsers reported. Metrics know no resource, so the right is on all of them."""
        handler.allow(["cloudwatch:GetMetricData"], ["*"])

    def allow_verifying(self, handler: HandlerFunction) -> None:
        """Let a function look at every object of a build in every region."""
        arns = [f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in self.bucket_names.values()]
        prefixes = ("builds", "shared", "manifests")
        handler.allow(["s3:GetObject"], [f"{arn}/{prefix}/*" for arn in arns for prefix in prefixes])
        # What retention is about to delete does not count as being there.
        handler.allow(["s3:GetObject"], [f"{arns[0]}/{defaults.CONDEMNED_PREFIX}*"])
        # Without it a missing object is "forbidden", which says less.
        handler.allow(["s3:ListBucket"], arns)
