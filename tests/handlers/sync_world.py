"""Everything around the traffic sync, on fakes: CodeDeploy as it behaves, edges that hear late, an operator, faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.handlers.conftest import Plane

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.fakes import FakeKeyValueStore
from bluegreen_cdn.aws.operator import OperatedSite
from bluegreen_cdn.aws.operator_ports import FakeRecords, FakeSignals
from bluegreen_cdn.domain.control import ControlState
from bluegreen_cdn.domain.observation import AliasTraffic, Deployment, DeploymentStatus
from bluegreen_cdn.domain.operations import Plan, Scene
from bluegreen_cdn.domain.routing import RoutingState, takes_candidate
from bluegreen_cdn.errors import BlueGreenError, CloudError
from bluegreen_cdn.handlers import after_allow_traffic, before_allow_traffic, sync

EDGE_DELAYS = (1.0, 4.0, 9.0)
"""Seconds until a change of the store has reached each edge location."""
LOOK_SECONDS = float(defaults.SYNC_LOOP_SECONDS)


class FlakyStore(FakeKeyValueStore):
    """A KeyValueStore that refuses calls when told to, and remembers what it was when."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self.refusing: str | None = None
        self.history: list[tuple[float, dict[str, str]]] = []

    def read(self, *keys: str) -> Any:
        self._refuse("read")
        return super().read(*keys)

    def update(self, puts: Mapping[str, str], **how: Any) -> str:
        self._refuse("update")
        version = super().update(puts, **how)
        self._refuse("answer")
        return version

    def write(self, puts: Mapping[str, str], deletes: Any = ()) -> None:
        super().write(puts, deletes)
        self.history.append((self._now(), dict(self.values)))

    def as_of(self, moment: float) -> dict[str, str]:
        """What was in it then."""
        return next((values for at, values in reversed(self.history) if at <= moment), self.history[0][1])

    def _refuse(self, call: str) -> None:
        if self.refusing == call:
            raise CloudError(f"{call} refused", service="kvs", operation=call, code="ThrottlingException")


@dataclass
class Withdrawal:
    """A build that nobody may get any more.

    Attributes:
        build: The build.
        at: Since when the store says so.
    """

    build: str
    at: float


class SyncWorld(Plane):
    """A control plane whose time passes in steps that a live sync looks at.

    Attributes:
        dead: Whether the sync does not run.
        races: Whether a second sync runs beside it.
        refused: The deployments that the first hook has refused.
        faulted_at: When something last kept the sync from its work, or changed what it is about.
        alarm_since: When the alarm came on; None while it is off.
        harmful: The deployments during whose traffic a live sync has seen an alarm.
        ended_badly_at: When the last release did.
        here: The cloud as its functions see it.
    """

    def __init__(self) -> None:
        super().__init__()
        plain, self.store = self.store, FlakyStore(self.clock.now)
        self.store.write(plain.values)
        self.edge._store = self.store
        self.dead = False
        self.races = False
        self.refused: set[str] = set()
        self.faulted_at = self.clock.now()
        self.alarm_since: float | None = None
        self.harmful: set[str] = set()
        self.ended_badly_at = self.clock.now()
        self.here = self.cloud(bake_minutes=1)

    # -- time ------------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass; a live sync looks every five seconds, as it does while a deployment runs."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time = min(end, self.clock.time + LOOK_SECONDS)
            if not self.dead:
                self.look()

    def look(self) -> None:
        """The sync looks once, with another one in between if they race."""
        raced = []

        def the_other() -> None:
            if not raced:
                raced.append(True)
                sync.sync_once(self.here)

        self.store.before_update = the_other if self.races else lambda: None
        made, let_in = self.running, self.routing.candidate if self.routing.weight else None
        try:
            sync.sync_once(self.here)
            if made is not None and made.target == let_in and not made.is_rollback and self.alarms.ringing:
                self.harmful.add(made.id)
        except CloudError:
            self.faulted_at = self.clock.now()
        finally:
            self.store.before_update = lambda: None

    def healthy(self) -> bool:
        """Whether nothing keeps the sync from its work."""
        return not self.dead and self.store.refusing is None

    # -- CodeDeploy ------------------------------------------------------------------------------------------------

    @property
    def running(self) -> Deployment | None:
        return next((made for made in self.releases.history if made.running), None)

    def begin(self, build: str) -> Deployment | None:
        """A release begins, as far as CodeDeploy allows it, and its first hook is asked."""
        alias, newest = self.releases.alias(), next(iter(self.releases.history), None)
        unfinished = newest is not None and not newest.is_rollback and newest.status in BADLY
        if self.running or alias.additional or build == alias.primary or unfinished:
            return None
        release = self.releases.begin(build, created=self.clock.now())
        before_allow_traffic.run(self.here, release.id, "before", lambda: 900.0)
        if not self.releases.answers[release.id, "before"]:
            self.refused.add(release.id)
            self.fail(DeploymentStatus.FAILED)
            return None
        return release

    def shift(self, weight: int) -> None:
        """CodeDeploy goes a step further; after the last one it asks the second hook."""
        made = self.running
        if made is None or made.is_rollback or weight <= self.releases.alias().weight_of(made.target):
            return
        self.releases.shift(weight)
        if weight == defaults.FULL_WEIGHT_BASIS_POINTS:
            after_allow_traffic.run(self.here, made.id, "after")

    def advance(self) -> None:
        """CodeDeploy heeds the second hook's answer."""
        made = self.running
        answer = made and self.releases.answers.get((made.id, "after"))
        if made is not None and not made.is_rollback and answer is not None:
            self.fail(DeploymentStatus.FAILED) if not answer else self.releases.end(DeploymentStatus.SUCCEEDED)

    def fail(self, status: DeploymentStatus, *, rollback: bool = True) -> None:
        """A release ends badly; CodeDeploy takes it back, unless it was told not to."""
        if self.running is None or self.running.is_rollback:
            return
        failed = self.running
        self.ended_badly_at = self.clock.now()
        self.releases.end(status)
        if rollback:
            self.releases.begin(failed.previous, is_rollback=True, created=self.clock.now())

    def roll_back(self) -> None:
        """The rollback moves the alias, and ends."""
        made = self.running
        if made is not None and made.is_rollback:
            self.releases.traffic = AliasTraffic(primary=made.target)
            self.releases.end(DeploymentStatus.SUCCEEDED)

    # -- the operator ----------------------------------------------------------------------------------------------

    def operate(self, decide: Callable[[Scene], Plan]) -> Plan | None:
        """A command, with what its plan stops; None when it is refused or the store is."""
        site = OperatedSite(
            name="shop", domain="d1", rules=None, precompress=False, holdout=500, store=self.store,
            releases=self.releases, records=FakeRecords(self.releases.history), alarms=self.alarms,
            own_alarms=self.alarms, signals=FakeSignals(), buckets=self.buckets, clock=self.clock,
        )  # fmt: skip
        try:
            look = site.look()
            plan = decide(site.scene(look))
            if not plan.changes_nothing:
                plan = site.carry_out(plan, look, lambda seen: decide(site.scene(seen)))
        except BlueGreenError:
            return None
        finally:
            self.faulted_at = self.clock.now()  # what he has changed is on its way to the edges
        if plan.stop is not None:
            stopped = self.releases.deployment(plan.stop)
            self.releases.begin(stopped.previous, is_rollback=True, created=self.clock.now())
        return plan

    # -- the edges -------------------------------------------------------------------------------------------------

    def serves(self, delay: float) -> frozenset[str]:
        """The builds whose entries an edge location gives to anybody now."""
        state = RoutingState.from_json(self.store.as_of(self.clock.now() - delay)[defaults.ROUTING_KEY])
        candidate = [state.candidate] if state.candidate and takes_candidate(state, 0) else []
        return frozenset([state.stable, *candidate])

    def withdrawals(self) -> list[Withdrawal]:
        """The builds that are latched and not pinned, each since when that has been so without a break."""
        found = []
        for latch in self.control.latches:
            since = None
            for at, values in reversed(self.store.history):
                text = values.get(defaults.CONTROL_KEY)
                control = ControlState.from_json(text) if text else ControlState()
                # A pin is an operator's choice, and outweighs a latch.
                if latch not in control.latches or (control.pin and control.pin.build == latch.build):
                    break
                since = at
            if since is not None:
                found.append(Withdrawal(latch.build, since))
        return found


BADLY = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)
