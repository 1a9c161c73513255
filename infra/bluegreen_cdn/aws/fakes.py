"""The control plane's ports in memory: for tests, and for whoever builds on them."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.key_value_store import check_sizes
from bluegreen_cdn.aws.ports import Snapshot
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import Alarm, AliasTraffic, Deployment, DeploymentStatus
from bluegreen_cdn.errors import CloudError, NotFound, PreconditionFailed


class FakeClock(Clock):
    """Time that passes only when somebody sleeps.

    Args:
        now: Epoch seconds at the start. Default: 1,000,000.
        scale: As for `Clock`. Default: 1.
        on_sleep: Called after every sleep: what the rest of the world does meanwhile. Default: nothing.
    """

    def __init__(
        self, now: float = 1_000_000.0, *, scale: float = 1.0, on_sleep: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(scale)
        self.time = now
        self.on_sleep = on_sleep

    def now(self) -> float:
        """The present of this clock."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += max(0.0, seconds)
        self.on_sleep()


class FakeKeyValueStore:
    """A KeyValueStore in memory.

    Args:
        values: What is in it. Default: nothing.
        before_update: Called before every update: the place for another writer. Default: nobody.
    """

    def __init__(
        self, values: Mapping[str, str] | None = None, *, before_update: Callable[[], None] = lambda: None
    ) -> None:
        self.values: dict[str, str] = dict(values or {})
        self.updates: list[dict[str, str]] = []
        self.before_update = before_update
        self._version = 1

    def read(self, *keys: str) -> Snapshot:
        """Read values, to change them with `update`."""
        return Snapshot(values={key: self.values.get(key) for key in keys}, etag=f"E{self._version}")

    def keys(self, prefix: str) -> tuple[str, ...]:
        """The keys that begin with a prefix."""
        return tuple(sorted(key for key in self.values if key.startswith(prefix)))

    def update(self, puts: Mapping[str, str], *, etag: str, deletes: Collection[str] = ()) -> str:
        """Change several values at once."""
        check_sizes(puts)
        self.before_update()
        if etag != f"E{self._version}":
            raise PreconditionFailed(
                f"the store is at E{self._version}, not {etag}", service="memory", operation="UpdateKeys"
            )
        self.write(puts, deletes)
        return f"E{self._version}"

    def write(self, puts: Mapping[str, str], deletes: Collection[str] = ()) -> None:
        """Write as somebody else, without a condition."""
        self.updates.append(dict(puts))
        self.values.update(puts)
        for key in deletes:
            self.values.pop(key, None)
        self._version += 1


@dataclass
class FakeReleases:
    """An alias and CodeDeploy in memory, which do what a test tells them.

    Attributes:
        traffic: What the alias carries; None before the first deploy.
        history: The deployments, newest first.
        answers: The hooks answered, as (deployment, execution) and whether it went well.
        stopped: The deployments that were asked to stop.
    """

    traffic: AliasTraffic | None = None
    history: list[Deployment] = field(default_factory=list)
    answers: dict[tuple[str, str], bool] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def begin(self, target: str, *, is_rollback: bool = False, created: float = 0.0) -> Deployment:
        """Start a deployment from what the alias carries."""
        if self.traffic is None:
            raise NotFound("there is no alias yet", service="memory", operation="CreateDeployment")
        made = Deployment(
            id=f"d-{next(self._numbers)}",
            target=target,
            previous=self.traffic.primary,
            status=DeploymentStatus.RUNNING,
            is_rollback=is_rollback,
            created=created,
        )
        self.history.insert(0, made)
        return made

    def shift(self, weight: int) -> None:
        """Give the running deployment's build a weight."""
        made = self.history[0]
        if weight >= 10_000:
            self.traffic = AliasTraffic(primary=made.target)
        else:
            self.traffic = AliasTraffic(primary=made.previous, additional=made.target, additional_weight=weight)

    def end(self, status: DeploymentStatus) -> None:
        """End the newest deployment; the alias stays as it is."""
        self.history[0] = replace(self.history[0], status=status)

    def alias(self) -> AliasTraffic:
        """What the alias carries."""
        if self.traffic is None:
            raise NotFound("there is no alias yet", service="memory", operation="GetAlias")
        return self.traffic

    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments, newest first."""
        return tuple(self.history)

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment."""
        for made in self.history:
            if made.id == deployment_id:
                return made
        raise NotFound(f"there is no deployment {deployment_id}", service="memory", operation="GetDeployment")

    def answer_hook(self, deployment_id: str, execution: str, *, succeeded: bool) -> None:
        """Note the answer; the first one counts."""
        self.answers.setdefault((deployment_id, execution), succeeded)

    def stop(self, deployment_id: str) -> None:
        """Stop a deployment."""
        made = self.deployment(deployment_id)
        self.stopped.append(deployment_id)
        if made.running:
            self.history[self.history.index(made)] = replace(made, status=DeploymentStatus.STOPPED)


@dataclass
class FakeAlarms:
    """Alarms in memory.

    Attributes:
        ringing: The names of those that are on.
        unknown: The names of those that do not exist.
        failing: Raised by every look, if set.
    """

    ringing: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    failing: CloudError | None = None

    def on(self) -> tuple[Alarm, ...]:
        """Those that are on."""
        if self.failing is not None:
            raise self.failing
        return tuple(Alarm(name=name) for name in sorted(self.ringing))

    def missing(self) -> tuple[str, ...]:
        """The names of those that do not exist."""
        return tuple(sorted(self.unknown))


@dataclass
class FakeReports:
    """What browsers reported, in memory.

    Attributes:
        reports: Each as (epoch seconds, role, metric, count).
        failing: Raised by every look, if set.
    """

    reports: list[tuple[float, Role, str, int]] = field(default_factory=list)
    failing: CloudError | None = None

    def total(self, role: Role, names: Collection[str], *, since: float) -> int:
        """The sum of some metrics of one role."""
        if self.failing is not None:
            raise self.failing
        return sum(count for at, whose, name, count in self.reports if at >= since and whose is role and name in names)
