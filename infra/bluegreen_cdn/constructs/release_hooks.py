"""The two questions that CodeDeploy asks: may the release begin, and has it succeeded."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.handler_function import HandlerFunction

HOOK_TIMEOUT_MINUTES = 15


class ReleaseHooks(Construct):
    """The functions behind CodeDeploy's lifecycle hooks of a release.

    Attributes:
        before: Verifies the candidate in every region, and fetches it through the distribution.
        after: Watches the full candidate for the bake time.
    """

    def __init__(self, scope: Construct, construct_id: str, *, control_plane: ControlPlane) -> None:
        """Create the functions and let CodeDeploy ask them.

        Args:
            scope: Where they belong, in a stack in us-east-1.
            construct_id: Their id there.
            control_plane: What they look at.
        """
        super().__init__(scope, construct_id)
        before = self._hook(
            "Before", "before_allow_traffic", f"{control_plane.name}: is the candidate fit to be let in", control_plane
        )
        control_plane.allow_verifying(before)
        control_plane.allow_reading_reports(before)
        after = self._hook(
            "After", "after_allow_traffic", f"{control_plane.name}: has the candidate stood the bake", control_plane
        )
        self.before: lambda_.Function = before.function
        self.after: lambda_.Function = after.function
        control_plane.release.add_hooks(before=self.before, after=self.after)

    def _hook(self, construct_id: str, module: str, description: str, control_plane: ControlPlane) -> HandlerFunction:
        handler = HandlerFunction(
            self,
            construct_id,
            handler=f"bluegreen_cdn.handlers.{module}.handler",
            description=description,
            timeout=Duration.minutes(HOOK_TIMEOUT_MINUTES),
            memory_megabytes=512,
            environment=control_plane.environment(),
        )
        control_plane.allow_watching(handler)
        # A hook that must wait longer than a function can run writes itself down for the sync.
        control_plane.allow_steering(handler)
        return handler
