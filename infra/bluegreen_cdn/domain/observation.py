"""What the control plane can see at one look, in builds: CodeDeploy, the alias, the alarms and its own two values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bluegreen_cdn.defaults import FULL_WEIGHT_BASIS_POINTS
from bluegreen_cdn.domain.control import ControlState
from bluegreen_cdn.domain.routing import RoutingState


class DeploymentStatus(StrEnum):
    """What has become of a deployment."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment of CodeDeploy, in builds.

    Attributes:
        id: CodeDeploy's id.
        target: The build that is let in.
        previous: The build that held the traffic when it began.
        status: What has become of it.
        is_rollback: Whether it takes a release back instead of being one.
        created: When, in epoch seconds.
    """

    id: str
    target: str
    previous: str
    status: DeploymentStatus
    is_rollback: bool = False
    created: float = 0.0

    @property
    def running(self) -> bool:
        """Whether CodeDeploy is still at it."""
        return self.status is DeploymentStatus.RUNNING


@dataclass(frozen=True, kw_only=True)
class AliasTraffic:
    """Which builds the alias `live` carries.

    Attributes:
        primary: The build of its version.
        additional: The build of the version beside it, while traffic is shifted.
        additional_weight: That one's share in basis points.
    """

    primary: str
    additional: str | None = None
    additional_weight: int = 0

    def weight_of(self, build: str) -> int:
        """The share of a build in basis points."""
        if build == self.additional and build != self.primary:
            return self.additional_weight
        return FULL_WEIGHT_BASIS_POINTS if build == self.primary else 0


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm that is on.

    Attributes:
        name: Its name.
        since: When it came on, in epoch seconds.
    """

    name: str
    since: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One look at the world.

    Attributes:
        routing: What the edge does now.
        control: What the control plane remembers.
        alias: What the alias carries.
        deployments: The recent ones, newest first.
        alarms: Those of the watched alarms that are on.
        holdout: The hold-out that the site is configured with, in basis points.
        now: Epoch seconds.
        sample: The candidate's page loads since its release began; looked up only when a decision waits for it.
            Default: not known.
        minimum_sample: With fewer of them at the end of its bake the candidate is taken back. Default: none needed.
    """

    routing: RoutingState
    control: ControlState
    alias: AliasTraffic
    deployments: Sequence[Deployment] = ()
    alarms: Sequence[Alarm] = ()
    holdout: int
    now: float
    sample: int | None = None
    minimum_sample: int = 0

    @property
    def running(self) -> Deployment | None:
        """The deployment in progress: CodeDeploy runs one at a time."""
        return next((deployment for deployment in self.deployments if deployment.running), None)

    @property
    def newest_release(self) -> Deployment | None:
        """The newest deployment that is not a rollback, whatever became of it."""
        return next((deployment for deployment in self.deployments if not deployment.is_rollback), None)
