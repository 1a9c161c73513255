"""Scheduled retention: the only function of a site that may delete anything."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.constructs.published_build import KEY_VALUE_STORE_READ, KEY_VALUE_STORE_WRITE
from bluegreen_cdn.domain.retention import RetentionPolicy
from bluegreen_cdn.errors import InvalidInput

COLLECT_TIMEOUT_MINUTES = 15
COLLECT_MEMORY_MEGABYTES = 1024
_CONDEMNED = defaults.CONDEMNED_PREFIX.rstrip("/")
_OURS = ("builds", "shared", "manifests", _CONDEMNED)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Which old builds are kept, and how often the others are removed.

    Attributes:
        keep_last: The builds published last, kept whatever their age. Default: 5.
        skew_days: How long after a later build was published an open page may still ask for a build's files.
            Default: 7.
        every_hours: Between two runs; a build goes with the second run after it has become old. Default: 24.

    Raises:
        InvalidInput: A number is out of its range.
    """

    keep_last: int = defaults.RETAINED_BUILDS
    skew_days: float = defaults.SKEW_WINDOW_DAYS
    every_hours: int = 24

    def __post_init__(self) -> None:
        """Check the numbers."""
        RetentionPolicy(keep_last=self.keep_last, skew_days=self.skew_days)
        if not 1 <= self.every_hours <= 24 * 31:
            raise InvalidInput(f"every_hours is {self.every_hours!r}; it must be from 1 to 744")


class RetentionCollector(Construct):
    """A function that removes, in two sweeps, the builds that nobody can ask for any more.

    Attributes:
        function: The function.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, control_plane: ControlPlane, retention: Retention
    ) -> None:
        """Create the function and its schedule.

        Args:
            scope: Where they belong, in a stack in us-east-1.
            construct_id: Their id there.
            control_plane: What it looks at.
            retention: What is kept.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.collect.handler",
            description=f"{control_plane.name}: removes old builds",
            timeout=Duration.minutes(COLLECT_TIMEOUT_MINUTES),
            memory_megabytes=COLLECT_MEMORY_MEGABYTES,
            environment={
                **control_plane.environment(),
                "KEEP_LAST": str(retention.keep_last),
                "SKEW_DAYS": str(retention.skew_days),
            },
        )
        self._allow(handler, control_plane)
        self.function: lambda_.Function = handler.function
        events.Rule(
            self,
            "Schedule",
            description="Retention: old builds",
            schedule=events.Schedule.rate(Duration.hours(retention.every_hours)),
            targets=[targets.LambdaFunction(self.function)],
        )

    def _allow(self, handler: HandlerFunction, control_plane: ControlPlane) -> None:
        buckets = [f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in control_plane.bucket_names.values()]
        primary = buckets[0]
        # Manifests and its own notes are all that it reads; it never sees the content of a build.
        handler.allow(["s3:GetObject"], [f"{primary}/manifests/*", f"{primary}/{_CONDEMNED}/*"])
        handler.allow(["s3:PutObject"], [f"{primary}/{_CONDEMNED}/*"])
        handler.allow(["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"], buckets)
        # By version only: without s3:DeleteObject nothing can be hidden behind a delete marker.
        handler.allow(["s3:DeleteObjectVersion"], [f"{bucket}/{prefix}/*" for bucket in buckets for prefix in _OURS])
        handler.allow([*KEY_VALUE_STORE_READ, *KEY_VALUE_STORE_WRITE], [control_plane.key_value_store_arn])
        function_arn = control_plane.release.function.function_arn
        handler.allow(["lambda:GetAlias"], [function_arn, control_plane.release.alias_arn])
        handler.allow(["lambda:ListVersionsByFunction"], [function_arn])
