"""The release check: what a candidate lacks is said by `cdk deploy` itself, before the alias is touched."""

from __future__ import annotations

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.handler_function import HandlerFunction
from bluegreen_cdn.domain.builds import check_build_id

CHECK_TIMEOUT_MINUTES = 15


class ReleaseCheck(Construct):
    """Verifies a new build in every region and fetches it through the distribution, when the stack is updated.

    Then it waits until no alarm is on and nothing of the last candidate is in the verdict's window. CodeDeploy's first
    hook looks at the same, and at more; but CodeDeploy takes a release back for any alarm while a hook waits, it takes
    a yes or a no, and whoever deploys learns no more than that. The reason why a custom resource has failed is in the
    stack's event, and `cdk deploy` prints it.

    Attributes:
        function: Looks.
        resource: The custom resource, which the alias depends on; it asks again for every other build.
    """

    def __init__(self, scope: Construct, construct_id: str, *, control_plane: ControlPlane, build_id: str) -> None:
        """Create the function and ask it before the alias.

        Args:
            scope: Where it belongs, in the alias's stack.
            construct_id: Its id there.
            control_plane: What it looks at.
            build_id: The build to release.
        """
        super().__init__(scope, construct_id)
        handler = HandlerFunction(
            self,
            "Handler",
            handler="bluegreen_cdn.handlers.check.handler",
            description=f"{control_plane.name}: says what a candidate lacks",
            timeout=Duration.minutes(CHECK_TIMEOUT_MINUTES),
            memory_megabytes=512,
            environment=control_plane.environment(),
        )
        control_plane.allow_reading_releases(handler)
        control_plane.allow_verifying(handler)
        # It waits until the alarms are quiet and the verdict's window is empty.
        control_plane.allow_reading_alarms(handler)
        control_plane.allow_reading_reports(handler)
        # It notes why it has refused.
        control_plane.allow_steering(handler)
        # A stack that goes back is let through.
        handler.allow(["cloudformation:DescribeStacks"], [Aws.STACK_ID])
        self.function: lambda_.Function = handler.function
        self.resource: CustomResource = CustomResource(
            self,
            "Candidate",
            resource_type="Custom::BlueGreenReleaseCheck",
            service_token=handler.function.function_arn,
            service_timeout=Duration.minutes(CHECK_TIMEOUT_MINUTES + 1),
            properties={"BuildId": check_build_id(build_id)},
        )
        control_plane.release.alias.node.add_dependency(self.resource)
