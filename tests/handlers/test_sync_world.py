"""The control plane as it runs, hooks and operator's commands with it, against a world that does what it likes.

`tests/domain/test_traffic.py` has the same for the decision alone. Here everything goes through the store, whose writes
race and fail, and edges hear of them late.
"""

from contextlib import redirect_stdout
from io import StringIO

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.handlers.conftest import BUILDS
from tests.handlers.sync_world import BADLY, EDGE_DELAYS, LOOK_SECONDS, SyncWorld

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.observation import DeploymentStatus
from bluegreen_cdn.domain.operations import plan_rollback, plan_unpin, plan_withdraw
from bluegreen_cdn.domain.routing import RoutingState

builds = st.sampled_from(BUILDS)


def idle(machine: "World") -> bool:
    """Whether CodeDeploy has nothing in progress."""
    return machine.world.running is None


def releasing(machine: "World") -> bool:
    """Whether a release is in progress."""
    return machine.world.running is not None and not machine.world.running.is_rollback


class World(RuleBasedStateMachine):
    """Alias, CodeDeploy, alarms, clock, operator and faults, in any order."""

    @initialize(weight=st.sampled_from([None, 0, 1000, 10_000]))
    def start(self, weight: int | None) -> None:
        """Quiet, or in the middle of a release."""
        self.said = redirect_stdout(StringIO())
        self.said.__enter__()
        self.world = SyncWorld()
        self.checked = 0
        if weight is not None:
            assert self.world.begin("b2")
            self.world.pass_time(LOOK_SECONDS)
            self.world.shift(weight)
            self.world.pass_time(LOOK_SECONDS)

    def teardown(self) -> None:
        if hasattr(self, "said"):
            self.said.__exit__(None, None, None)

    # what CodeDeploy does

    @precondition(idle)
    @rule(build=builds, weight=st.sampled_from([0, 1000, 1000]))
    def release(self, build: str, weight: int) -> None:
        if self.world.begin(build) and weight:
            self.world.shift(weight)

    @precondition(releasing)
    @rule(weight=st.sampled_from([1000, 5000, 10_000]), seconds=st.sampled_from([0, 5]))
    def shift(self, weight: int, seconds: int) -> None:
        self.world.shift(weight)
        self.world.pass_time(seconds)

    @precondition(releasing)
    @rule(seconds=st.sampled_from([0, 70]))
    def heed_the_hook(self, seconds: int) -> None:
        self.world.pass_time(seconds)
        self.world.advance()

    @precondition(releasing)
    @rule()
    def heed_the_alarm(self) -> None:
        if self.world.alarms.ringing:
            self.world.fail(DeploymentStatus.FAILED)

    @precondition(releasing)
    @rule(rollback=st.booleans())
    def stop_by_hand(self, rollback: bool) -> None:
        self.world.fail(DeploymentStatus.STOPPED, rollback=rollback)

    @precondition(lambda self: not idle(self) and not releasing(self))
    @rule()
    def roll_back(self) -> None:
        self.world.roll_back()

    # what others do

    @precondition(lambda self: not self.world.alarms.ringing and releasing(self))
    @rule()
    def alarm(self) -> None:
        self.world.alarms.ringing, self.world.alarm_since = {"worse"}, self.world.clock.now()

    @precondition(lambda self: bool(self.world.alarms.ringing))
    @rule()
    def calm(self) -> None:
        self.world.alarms.ringing, self.world.alarm_since = set(), None

    @precondition(releasing)
    @rule()
    def alarm_that_clears(self) -> None:
        """As it does by itself once nobody is left to report anything."""
        if not self.world.alarms.ringing:
            self.alarm()
        self.world.pass_time(LOOK_SECONDS)
        self.calm()
        self.world.pass_time(LOOK_SECONDS)

    @rule(seconds=st.sampled_from([1, 4, 6, 30, 90]))
    def wait(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(to=st.one_of(st.none(), builds))
    def operator_rolls_back(self, to: str | None) -> None:
        self.world.operate(lambda scene: plan_rollback(scene, to))

    @rule(build=builds)
    def operator_withdraws(self, build: str) -> None:
        self.world.operate(lambda scene: plan_withdraw(scene, build))

    @rule()
    def operator_unpins(self) -> None:
        self.world.operate(plan_unpin)

    # what fails

    @precondition(lambda self: self.world.store.refusing is None)
    @rule(call=st.sampled_from(["read", "update", "answer"]))
    def the_store_refuses(self, call: str) -> None:
        self.world.store.refusing = call

    @precondition(lambda self: not self.world.dead)
    @rule()
    def the_sync_dies(self) -> None:
        self.world.dead = True

    @rule(races=st.booleans())
    def a_second_sync_runs(self, races: bool) -> None:
        self.world.races = races

    @rule()
    def the_fault_ends(self) -> None:
        world = self.world
        if not world.healthy():
            world.faulted_at = world.clock.now()
        world.store.refusing, world.dead = None, False

    @rule()
    def all_settles(self) -> None:
        """Once they do, and nothing moves, the state is what pin, else latch, else alias say, and stays."""
        world = self.world
        self.the_fault_ends()
        world.pass_time(2 * LOOK_SECONDS)
        if world.running is not None:
            return
        routing, control, alias = world.routing, world.control, world.releases.alias()
        if control.pin is not None:
            assert (routing.stable, routing.weight) == (control.pin.build, 0)
        elif not control.is_latched(alias.primary):
            assert routing.stable == alias.primary
            latched = alias.additional is None or control.is_latched(alias.additional)
            assert routing.weight == (0 if latched else alias.additional_weight)
        else:
            assert routing.stable != alias.primary
            assert routing.weight == 0
        written = len(world.store.history)
        world.pass_time(2 * LOOK_SECONDS)
        assert len(world.store.history) == written, "and nobody writes what is there"

    # what must always hold

    @invariant()
    def epochs_only_grow_and_an_alarm_raises_no_weight(self) -> None:
        history = self.world.store.history
        for (_, before), (at, after) in zip(history[self.checked :], history[self.checked + 1 :], strict=False):
            if after[defaults.ROUTING_KEY] == before[defaults.ROUTING_KEY]:
                continue
            old, new = (RoutingState.from_json(values[defaults.ROUTING_KEY]) for values in (before, after))
            assert new.epoch == old.epoch + 1
            since = self.world.alarm_since
            if since is not None and at > since and new.candidate == old.candidate and new.candidate:
                assert new.weight <= old.weight, "an alarm never raises a weight"
        self.checked = max(0, len(history) - 1)

    @invariant()
    def edges_drop_what_is_withdrawn_within_the_propagation_time(self) -> None:
        for withdrawn in self.world.withdrawals():
            for delay in EDGE_DELAYS:
                if self.world.clock.now() >= withdrawn.at + delay:
                    assert withdrawn.build not in self.world.serves(delay)

    @invariant()
    def an_alarm_empties_every_edge_within_a_look_and_the_propagation_time(self) -> None:
        """As long as the sync lives and the store answers."""
        world = self.world
        release = world.running
        if release is None or release.is_rollback or world.alarm_since is None or not world.healthy():
            return
        since = max(world.alarm_since, world.faulted_at, release.created)
        for delay in EDGE_DELAYS:
            if world.clock.now() >= since + LOOK_SECONDS + delay and release.target != world.routing.stable:
                assert release.target not in world.serves(delay)

    @invariant()
    def what_has_done_harm_is_let_in_no_more_when_its_alarm_clears(self) -> None:
        world = self.world
        newest = next((made for made in world.releases.history if not made.is_rollback), None)
        if newest is not None and newest.id in world.harmful and world.routing.candidate == newest.target:
            assert world.routing.weight == 0

    @invariant()
    def what_has_ended_badly_is_dropped_before_the_alias_lets_go_of_it(self) -> None:
        world = self.world
        newest = next(iter(world.releases.history), None)
        if newest is not None and newest.is_rollback and newest.running:
            newest = world.releases.history[1]
        pin = world.control.pin
        if newest is None or newest.status not in BADLY or (pin and pin.build == newest.target) or not world.healthy():
            return
        since = max(world.ended_badly_at, world.faulted_at)
        for delay in EDGE_DELAYS:
            if world.clock.now() >= since + LOOK_SECONDS + delay:
                assert newest.target not in world.serves(delay)


World.TestCase.settings = hypothesis_settings(max_examples=40, stateful_step_count=50, deadline=None)
TestWorld = World.TestCase
