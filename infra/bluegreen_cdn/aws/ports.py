"""What the control plane asks of the cloud. `fakes` has each in memory; one contract suite runs on fake and real."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import Alarm, AliasTraffic, Deployment
from bluegreen_cdn.domain.smoke import Answer


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Some values of a KeyValueStore, and the version of the store that is not newer than any of them.

    Attributes:
        values: Each key that was asked for; None where there is none.
        etag: To be handed to `update`: it fails if anybody has written since.
    """

    values: Mapping[str, str | None]
    etag: str


class KeyValueStore(Protocol):
    """The store that every edge reads."""

    def read(self, *keys: str) -> Snapshot:
        """Read values, to change them with `update`.

        Raises:
            CloudError: The store cannot be read.
        """

    def keys(self, prefix: str) -> tuple[str, ...]:
        """The keys that begin with a prefix, sorted.

        Raises:
            CloudError: The store cannot be read.
        """

    def update(self, puts: Mapping[str, str], *, etag: str, deletes: Collection[str] = ()) -> str:
        """Change several values at once, and see that they are there.

        Args:
            puts: Values to write.
            etag: Of the snapshot that they were worked out from.
            deletes: Keys to remove. Default: none.

        Returns:
            The store's new version.

        Raises:
            InvalidInput: A key or a value is too long; nothing was written.
            PreconditionFailed: Somebody else wrote since the snapshot; nothing was written.
            CloudError: The store refused, or did not keep what it took.
        """


class Releases(Protocol):
    """The release function's alias and CodeDeploy, in builds instead of versions."""

    def alias(self) -> AliasTraffic:
        """What the alias carries.

        Raises:
            NotFound: There is no alias yet.
            ForeignState: It carries a version that names no build.
        """

    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments of the last days, newest first."""

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment.

        Raises:
            NotFound: There is none of that id.
            ForeignState: It is not one of the release function.
        """

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Tell CodeDeploy how a lifecycle hook went; nothing happens if it has been told already."""

    def stop(self, deployment_id: str) -> None:
        """Stop a deployment and roll it back; nothing happens if it has ended already."""


class Alarms(Protocol):
    """The alarms that a release is watched by."""

    def on(self) -> tuple[Alarm, ...]:
        """Those that are on."""

    def missing(self) -> tuple[str, ...]:
        """The names of those that do not exist."""


class Reports(Protocol):
    """What browsers reported; the real one is `client_signals.CloudWatchSignals`."""

    def total(self, role: Role, names: Collection[str], *, since: float) -> int:
        """The sum of some metrics of one role.

        Args:
            role: Whose.
            names: Of the metrics.
            since: Epoch seconds, of whose minute everything counts.

        Raises:
            CloudError: CloudWatch refused.
        """


class Edge(Protocol):
    """The distribution, as visitors reach it. May be called from several threads."""

    @property
    def domain(self) -> str:
        """Its own domain name."""

    def fetch(self, method: str, uri: str, headers: Mapping[str, str]) -> Answer:
        """Ask for one path.

        Args:
            method: GET or HEAD.
            uri: The path, encoded.
            headers: All headers of the request but the host.

        Raises:
            CloudError: Nobody answers, or not to the end.
        """
