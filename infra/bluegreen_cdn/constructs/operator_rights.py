"""What somebody needs who looks at a site, takes a release back and makes preview links."""

from __future__ import annotations

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam

from bluegreen_cdn import defaults
from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.names import parameter_name
from bluegreen_cdn.constructs.published_build import KEY_VALUE_STORE_READ, KEY_VALUE_STORE_WRITE

_VERIFIED = ("builds", "manifests", "shared")


def operator_statements(control_plane: ControlPlane) -> list[iam.PolicyStatement]:
    """The rights of `bluegreen status`, `history`, `preview`, `rollback`, `withdraw` and `unpin`; none moves the alias.

    Args:
        control_plane: The site's.
    """
    release = control_plane.release
    stack = Stack.of(release)
    folder = parameter_name(control_plane.name, "")[1:-1]
    function_arn = release.function.function_arn
    buckets = [f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in control_plane.bucket_names.values()]
    allowed = [
        (
            ["ssm:GetParametersByPath"],
            [
                stack.format_arn(service="ssm", resource="parameter", resource_name=name)
                for name in (folder, f"{folder}/*")
            ],
        ),
        (
            sorted({*KEY_VALUE_STORE_READ, *KEY_VALUE_STORE_WRITE}),
            [control_plane.key_value_store_arn],
        ),
        (["lambda:GetAlias"], [function_arn, release.alias_arn]),
        (["lambda:GetFunctionConfiguration"], [function_arn, f"{function_arn}:*"]),
        (
            [
                "codedeploy:BatchGetDeployments",
                "codedeploy:GetDeployment",
                "codedeploy:GetDeploymentGroup",
                "codedeploy:ListDeployments",
                "codedeploy:StopDeployment",
            ],
            [release.deployment_group_arn],
        ),
        (
            ["codedeploy:GetDeploymentConfig"],
            [
                stack.format_arn(
                    service="codedeploy",
                    resource="deploymentconfig",
                    resource_name="*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
        ),
        # Of alarms and metrics the names are no secret, and metrics know no resource.
        (["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], ["*"]),
        (["s3:ListBucket"], buckets),
        (["s3:GetObject"], [f"{bucket}/{prefix}/*" for bucket in buckets for prefix in _VERIFIED]),
        # What retention is about to delete does not count as being there.
        (["s3:GetObject"], [f"{buckets[0]}/{defaults.CONDEMNED_PREFIX}*"]),
    ]
    return [iam.PolicyStatement(actions=actions, resources=resources) for actions, resources in allowed]
