"""A Lambda function of ours: its own role, its own log group, and no right that it was not given by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import AssetHashType, Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from bluegreen_cdn.constructs.bundling import Archive, handlers_archive

RUNTIME_NAME = "python3.13"


def archive_code(archive: Archive) -> lambda_.Code:
    """The archive as Lambda code whose asset hash is the archive's own digest."""
    return lambda_.Code.from_asset(str(archive.path), asset_hash=archive.digest, asset_hash_type=AssetHashType.CUSTOM)


class HandlerFunction(Construct):
    """A function, its role and its log group.

    Attributes:
        function: The function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        description: str,
        timeout: Duration,
        memory_megabytes: int = 256,
        storage_megabytes: int | None = None,
        environment: Mapping[str, str] | None = None,
        code: lambda_.Code | None = None,
        with_libraries: bool = True,
    ) -> None:
        """Create the function.

        Args:
            scope: Where it belongs.
            construct_id: Its id there.
            handler: Entry point, such as `bluegreen_cdn.handlers.sync.handler`.
            description: What it is for.
            timeout: Of one invocation.
            memory_megabytes: Of the function. Default: 256.
            storage_megabytes: Of its disk. Default: Lambda's own, 512.
            environment: Its variables. Default: none.
            code: Its code. Default: the bundle of our handlers.
            with_libraries: Whether that bundle brings `awscrt` and `brotli`. Default: true.
        """
        super().__init__(scope, construct_id)
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.X86_64,
            handler=handler,
            code=code or archive_code(handlers_archive(with_libraries=with_libraries)),
            description=description,
            timeout=timeout,
            memory_size=memory_megabytes,
            ephemeral_storage_size=None if storage_megabytes is None else Size.mebibytes(storage_megabytes),
            environment=dict(environment or {}),
            role=self._role,
            log_group=log_group,
        )

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        conditions: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Let the function do these actions on these resources."""
        self._role.add_to_policy(
            iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
        )
