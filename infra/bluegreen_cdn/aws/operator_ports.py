"""What the operator's commands ask beside the control plane's ports, and fakes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bluegreen_cdn.domain.observation import Deployment
from bluegreen_cdn.domain.status_rates import ErrorRate
from bluegreen_cdn.domain.status_releases import DeploymentRecord, Schedule


class Records(Protocol):
    """What CodeDeploy remembers; the real one is `CodeDeployRecords`."""

    def newest(self, count: int) -> tuple[DeploymentRecord, ...]:
        """The newest deployments, newest first."""

    def schedule(self) -> Schedule | None:
        """The rollout."""


class Signals(Protocol):
    """What browsers reported; the real one is `client_signals.CloudWatchSignals`."""

    def rates(self, seconds: int) -> Mapping[str, ErrorRate]:
        """How often pages went wrong lately, by role."""


@dataclass
class FakeRecords:
    """Deployments in memory.

    Attributes:
        history: The deployments, newest first; may be the list of a `FakeReleases`.
        rollout: The rollout.
        messages: CodeDeploy's words, by deployment.
    """

    history: Sequence[Deployment] = ()
    rollout: Schedule | None = None
    messages: dict[str, str] = field(default_factory=dict)

    def newest(self, count: int) -> tuple[DeploymentRecord, ...]:
        """The newest deployments, newest first."""
        return tuple(
            DeploymentRecord(
                deployment=made,
                ended=None if made.running else made.created + 60,
                message=self.messages.get(made.id, ""),
            )
            for made in self.history[:count]
        )

    def schedule(self) -> Schedule | None:
        """The rollout."""
        return self.rollout


@dataclass
class FakeSignals:
    """Error rates in memory.

    Attributes:
        by_role: The rates.
    """

    by_role: dict[str, ErrorRate] = field(default_factory=dict)

    def rates(self, seconds: int) -> Mapping[str, ErrorRate]:
        """The rates, however far back."""
        return dict(self.by_role)
