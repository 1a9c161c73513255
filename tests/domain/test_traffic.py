from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bluegreen_cdn.aws.fakes import FakeReleases
from bluegreen_cdn.domain.control import ControlState, HookKind, Latch, OutcomeKind, PendingHook, Pin
from bluegreen_cdn.domain.observation import Alarm, AliasTraffic, Deployment, DeploymentStatus, Observed
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.traffic import Decision, next_state

RUNNING, SUCCEEDED = DeploymentStatus.RUNNING, DeploymentStatus.SUCCEEDED
FAILED, STOPPED = DeploymentStatus.FAILED, DeploymentStatus.STOPPED


def release(target: str = "b", previous: str = "a", status: DeploymentStatus = RUNNING, number: int = 1) -> Deployment:
    return Deployment(id=f"d-{number}", target=target, previous=previous, status=status)


def rollback(target: str = "a", status: DeploymentStatus = RUNNING, number: int = 2) -> Deployment:
    return Deployment(id=f"d-{number}", target=target, previous="b", status=status, is_rollback=True)


def look(
    *deployments: Deployment,
    alias: AliasTraffic,
    stable: str = "a",
    candidate: str | None = None,
    weight: int = 0,
    control: ControlState | None = None,
    alarms: tuple[str, ...] = (),
    now: float = 1000,
) -> Observed:
    return Observed(
        routing=RoutingState(
            epoch=7, stable=stable, candidate=candidate, weight=weight, regions_out=("eu-west-1",), channels={"qa": "c"}
        ),
        control=control or ControlState(),
        alias=alias,
        deployments=deployments,
        alarms=tuple(Alarm(name=name) for name in alarms),
        holdout=500,
        now=now,
    )


ON_A, ON_B = AliasTraffic(primary="a"), AliasTraffic(primary="b")
SHIFTING = AliasTraffic(primary="a", additional="b", additional_weight=1000)


def decide(seen: Observed) -> Decision:
    decision = next_state(seen)
    assert decision is not None
    return decision


def sides(decision: Decision) -> tuple[str, str | None, int]:
    return decision.routing.stable, decision.routing.candidate, decision.routing.weight


def test_quiet_means_nothing_to_do() -> None:
    assert next_state(look(alias=ON_A)) is None
    assert next_state(look(release(), alias=SHIFTING, candidate="b", weight=1000)) is None


def test_the_alias_leads_and_the_rest_of_the_state_is_kept() -> None:
    decision = decide(look(release(), alias=SHIFTING))
    assert sides(decision) == ("a", "b", 1000)
    assert decision.routing.epoch == 8
    assert decision.routing.regions_out == ("eu-west-1",)
    assert decision.routing.channels == {"qa": "c"}
    assert "epoch 8" in decision.reasons[-1]


def test_before_any_traffic_the_candidate_is_known_at_weight_zero() -> None:
    assert sides(decide(look(release(), alias=ON_A))) == ("a", "b", 0)


def test_at_full_weight_the_old_build_stays_stable_until_the_release_has_succeeded() -> None:
    baking = decide(look(release(), alias=ON_B, candidate="b", weight=1000))
    assert sides(baking) == ("a", "b", 10_000)
    assert baking.routing.holdout == 500
    done = decide(look(release(status=SUCCEEDED), alias=ON_B, candidate="b", weight=10_000))
    assert sides(done) == ("b", None, 0)
    assert done.outcome is not None
    assert (done.outcome.kind, done.outcome.deployment) == (OutcomeKind.PROMOTED, "d-1")


def test_an_alarm_takes_the_candidate_out_at_once_and_names_itself() -> None:
    decision = decide(look(release(), alias=SHIFTING, candidate="b", weight=1000, alarms=("worse",)))
    assert sides(decision) == ("a", "b", 0)
    assert decision.control.latches == (Latch("b", "d-1"),)
    assert decision.outcome is not None
    assert decision.outcome.kind is OutcomeKind.WITHDRAWN
    assert "worse is in alarm" in decision.outcome.reason


def test_an_alarm_seen_together_with_the_first_weight_lets_nobody_in() -> None:
    assert sides(decide(look(release(), alias=SHIFTING, alarms=("worse",)))) == ("a", "b", 0)


def test_an_alarm_from_before_the_release_does_not_latch_its_candidate() -> None:
    decision = decide(look(release(), alias=ON_A, alarms=("left over",)))
    assert decision.control.latches == ()


def test_a_latch_outlives_the_alarm() -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    assert next_state(look(release(), alias=SHIFTING, candidate="b", control=control)) is None


@pytest.mark.parametrize("status", [FAILED, STOPPED, SUCCEEDED])
def test_a_latch_stays_while_the_alias_carries_the_build(status: DeploymentStatus) -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    seen = look(release(status=status), alias=ON_B, candidate="b", control=control)
    decision = decide(seen)
    assert sides(decision) == ("a", None, 0)
    assert decision.control.is_latched("b")


def test_a_latch_goes_when_the_rollback_is_over() -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    during = look(rollback(), release(status=FAILED), alias=ON_A, candidate="b", control=control)
    assert decide(during).control.is_latched("b")
    after = look(rollback(status=SUCCEEDED), release(status=FAILED), alias=ON_A, control=control)
    assert decide(after).control == ControlState()
    assert decide(after).routing.epoch == 7, "no edge need hear of it"


def test_a_second_try_of_a_latched_build_is_let_in() -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    seen = look(release(number=3), rollback(status=SUCCEEDED), release(status=FAILED), alias=SHIFTING, control=control)
    assert sides(decide(seen)) == ("a", "b", 1000)


def test_a_failed_release_is_out_before_its_rollback_begins() -> None:
    for alias in (SHIFTING, ON_B):
        decision = decide(look(release(status=FAILED), alias=alias, candidate="b", weight=9000))
        assert decision.routing.stable == "a"
        assert decision.routing.weight == 0
        assert decision.outcome is not None
        assert decision.outcome.kind is OutcomeKind.WITHDRAWN


def test_a_rollback_is_followed_at_once_and_never_judged() -> None:
    decision = decide(
        look(rollback(), release(status=FAILED), alias=ON_B, candidate="b", weight=10_000, alarms=("worse",))
    )
    assert sides(decision)[::2] == ("a", 0)
    assert not decision.control.is_latched("a")


def test_the_latched_predecessor_of_a_release_is_not_its_control_group() -> None:
    """b was promoted by CodeDeploy in the very moment of its alarm; now c is let in, and is wholly in."""
    control = ControlState(latches=(Latch("b", "d-1"),))
    third = release(target="c", previous="b", number=3)
    for alias in (AliasTraffic(primary="b", additional="c", additional_weight=1000), AliasTraffic(primary="c")):
        decision = decide(look(third, release(status=SUCCEEDED), alias=alias, control=control))
        assert (decision.routing.stable, decision.routing.candidate) == ("a", "c")
    failed = look(
        replace(third, status=FAILED), release(status=SUCCEEDED), alias=AliasTraffic(primary="c"), control=control
    )
    assert decide(failed).routing.stable == "a"
    assert decide(failed).control.is_latched("b"), "the rollback leads back to b"


def test_a_rollback_never_leads_back_to_a_latched_build() -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    third = release(target="c", previous="b", status=FAILED, number=3)
    seen = look(rollback(target="b", number=4), third, release(status=SUCCEEDED), alias=ON_B, control=control)
    assert next_state(seen) is None
    assert sides(decide(replace(seen, routing=replace(seen.routing, candidate="c", weight=9)))) == ("a", None, 0)


def test_a_rollback_leads_before_the_alias_has_followed_it() -> None:
    """CloudFormation takes a release back that had succeeded, because something else in the stack failed."""
    assert sides(decide(look(rollback(), release(status=SUCCEEDED), alias=ON_B, stable="b"))) == ("a", None, 0)
    assert next_state(look(rollback(), release(status=FAILED), alias=ON_A, alarms=("worse",))) is None


def test_after_a_rollback_the_alias_leads_again() -> None:
    seen = look(rollback(status=SUCCEEDED), release(status=FAILED), alias=ON_B)
    assert sides(decide(seen)) == ("b", None, 0)


def test_a_failed_release_of_the_stable_build_changes_nothing() -> None:
    assert next_state(look(release(target="a", previous="b", status=FAILED), alias=ON_A)) is None


def test_nothing_is_let_in_beside_a_latched_primary_without_a_release() -> None:
    control = ControlState(latches=(Latch("b", "d-1"),))
    alias = AliasTraffic(primary="b", additional="c", additional_weight=1000)
    assert next_state(look(release(status=SUCCEEDED), alias=alias, control=control)) is None


def test_a_new_hold_out_reaches_the_edge() -> None:
    assert decide(replace(look(alias=ON_A), holdout=0)).routing.holdout == 0


# -- pins -----------------------------------------------------------------------------------------------------------


def test_a_pin_outweighs_the_alias() -> None:
    control = ControlState(pin=Pin(build="z", after="d-1"))
    decision = decide(look(release(status=SUCCEEDED), alias=ON_B, stable="b", control=control))
    assert sides(decision) == ("z", None, 0)
    assert decision.control.pin == control.pin


def test_a_pin_without_its_release_is_given_the_newest() -> None:
    control = ControlState(pin=Pin(build="z"))
    assert decide(look(release(status=SUCCEEDED), alias=ON_B, control=control)).control.pin == Pin(
        build="z", after="d-1"
    )
    assert decide(look(alias=ON_B, control=control)).control.pin == Pin(build="z", after="-")


def test_a_later_release_is_let_in_beside_the_pin_and_clears_it() -> None:
    control = ControlState(pin=Pin(build="z", after="d-1"))
    third = release(target="c", previous="b", number=3)
    shifting = AliasTraffic(primary="b", additional="c", additional_weight=1000)
    assert sides(decide(look(third, release(status=SUCCEEDED), alias=shifting, stable="z", control=control))) == (
        "z",
        "c",
        1000,
    )
    done = look(
        replace(third, status=SUCCEEDED), release(status=SUCCEEDED), alias=AliasTraffic(primary="c"), stable="z",
        candidate="c", weight=10_000, control=control,
    )  # fmt: skip
    assert sides(decide(done)) == ("c", None, 0)
    assert decide(done).control.pin is None


def test_a_release_that_was_running_when_the_pin_was_set_neither_gets_in_nor_clears_it() -> None:
    control = ControlState(pin=Pin(build="a", after="d-1"))
    assert sides(decide(look(release(), alias=SHIFTING, candidate="b", weight=500, control=control))) == ("a", None, 0)
    assert next_state(look(release(status=SUCCEEDED), alias=ON_B, control=control)) is None


def test_a_release_that_succeeded_in_the_moment_of_its_alarm_does_not_clear_the_pin() -> None:
    control = ControlState(pin=Pin(build="a", after="-"), latches=(Latch("b", "d-1"),))
    assert next_state(look(release(status=SUCCEEDED), alias=ON_B, control=control)) is None


# -- hooks ----------------------------------------------------------------------------------------------------------

HOOK = PendingHook(deployment="d-1", execution="e-1", kind=HookKind.AFTER, until=1300)


def test_a_bake_is_answered_when_its_time_has_come_and_not_before() -> None:
    control = ControlState(hook=HOOK)
    seen = look(release(), alias=ON_B, candidate="b", weight=10_000, control=control, now=1299)
    assert next_state(seen) is None
    decision = decide(replace(seen, now=1300))
    assert decision.answer is not None
    assert (decision.answer.succeeded, decision.answer.execution) == (True, "e-1")
    assert decision.control.hook == HOOK, "it is forgotten only after CodeDeploy has been told"


def test_an_alarm_during_the_bake_fails_it_in_the_same_look() -> None:
    seen = look(
        release(),
        alias=ON_B,
        candidate="b",
        weight=10_000,
        control=ControlState(hook=HOOK),
        alarms=("worse",),
        now=1300,
    )
    decision = decide(seen)
    assert decision.routing.weight == 0
    assert decision.answer is not None
    assert not decision.answer.succeeded


def baked(sample: int | None, least: int = 20, now: float = 1300) -> Observed:
    seen = look(release(), alias=ON_B, candidate="b", weight=10_000, control=ControlState(hook=HOOK), now=now)
    return replace(seen, sample=sample, minimum_sample=least)


def test_a_candidate_that_too_few_have_seen_is_taken_back_where_the_site_wants_that() -> None:
    decision = decide(baked(19))
    assert decision.answer is not None
    assert not decision.answer.succeeded
    assert (decision.routing.stable, decision.routing.weight) == ("a", 0), "at the edge before CodeDeploy has moved"
    assert decision.control.is_latched("b")
    assert decision.outcome is not None
    assert decision.outcome.kind is OutcomeKind.WITHDRAWN
    assert "browsers reported 19 page loads of it" in decision.outcome.reason
    assert "20 at least (on_no_traffic)" in decision.outcome.reason


@pytest.mark.parametrize(("sample", "least"), [(20, 20), (0, 0), (None, 0)])
def test_a_candidate_that_enough_have_seen_is_promoted(sample: int | None, least: int) -> None:
    decision = decide(baked(sample, least))
    assert decision.answer is not None
    assert decision.answer.succeeded
    assert decision.control.latches == ()


def test_while_nobody_knows_how_many_have_seen_it_the_decision_waits() -> None:
    assert next_state(baked(None)) is None


def test_a_sample_is_judged_at_the_end_of_the_bake_only() -> None:
    assert next_state(baked(0, now=1299)) is None
    before = replace(HOOK, kind=HookKind.BEFORE)
    assert next_state(replace(baked(0), control=ControlState(hook=before))) is None


def test_a_hook_of_an_ended_deployment_is_dropped() -> None:
    decision = decide(look(release(status=STOPPED), alias=ON_A, control=ControlState(hook=HOOK), now=9999))
    assert decision.answer is None
    assert decision.control.hook is None


def test_a_hook_of_another_deployment_is_dropped() -> None:
    decision = decide(look(release(number=9), alias=ON_A, candidate="b", control=ControlState(hook=HOOK), now=9999))
    assert decision.answer is None
    assert decision.control.hook is None


# -- everything at once ---------------------------------------------------------------------------------------------


class World(RuleBasedStateMachine):
    """Alias, CodeDeploy, alarms, an operator and time do what they like; a sync that now and then wakes follows."""

    @initialize()
    def begin(self) -> None:
        self.cloud = FakeReleases(traffic=AliasTraffic(primary="a"))
        self.routing = RoutingState(epoch=1, stable="a")
        self.control = ControlState()
        self.ringing = False
        self.now = 1000
        self.trusted = {"a"}
        self.withdrawn: set[str] = set()
        self.answers: dict[str, bool] = {}
        self.full = False

    # what CodeDeploy does

    def running(self) -> Deployment | None:
        return next((deployment for deployment in self.cloud.history if deployment.running), None)

    @rule(build=st.sampled_from("abcd"))
    def release(self, build: str) -> None:
        if self.running() is None and self.cloud.alias().additional is None and build != self.cloud.alias().primary:
            # CodeDeploy rolls back before it takes the next one.
            newest = self.cloud.history[0] if self.cloud.history else None
            if (
                newest is not None
                and newest.status in (FAILED, STOPPED)
                and self.cloud.alias().primary == newest.target
            ):
                return
            self.cloud.begin(build)
            self.withdrawn.discard(build)
            self.full = False

    @rule(weight=st.sampled_from([100, 1000, 5000, 10_000]))
    def shift(self, weight: int) -> None:
        deployment = self.running()
        if deployment is None or deployment.is_rollback or self.full:
            return
        if weight > self.cloud.alias().weight_of(deployment.target):
            self.cloud.shift(weight)
            self.full = weight == 10_000
            if self.full:
                hook = PendingHook(deployment=deployment.id, execution="e", kind=HookKind.AFTER, until=self.now + 5)
                self.control = replace(self.control, hook=hook)

    @rule()
    def succeed(self) -> None:
        deployment = self.running()
        if deployment is not None and not deployment.is_rollback and self.answers.get(deployment.id):
            self.cloud.end(SUCCEEDED)
            self.trusted.add(deployment.target)

    @rule()
    def fail(self) -> None:
        """By its alarm, by a hook or by somebody's hand."""
        deployment = self.running()
        if deployment is not None and not deployment.is_rollback:
            self.cloud.end(FAILED if self.ringing else STOPPED)

    @rule()
    def roll_back(self) -> None:
        newest = self.cloud.history[0] if self.cloud.history else None
        if newest is not None and newest.status in (FAILED, STOPPED) and not newest.is_rollback:
            self.cloud.begin(newest.previous, is_rollback=True)

    @rule()
    def rolled_back(self) -> None:
        deployment = self.running()
        if deployment is not None and deployment.is_rollback:
            self.cloud.traffic = AliasTraffic(primary=deployment.target)

    @rule()
    def end_rollback(self) -> None:
        deployment = self.running()
        if (
            deployment is not None
            and deployment.is_rollback
            and self.cloud.traffic == AliasTraffic(primary=deployment.target)
        ):
            self.cloud.end(SUCCEEDED)

    # what others do

    @rule()
    def alarm(self) -> None:
        self.ringing = True

    @rule()
    def calm(self) -> None:
        self.ringing = False

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(build=st.sampled_from("abcd"))
    def pin(self, build: str) -> None:
        newest = next((deployment for deployment in self.cloud.history if not deployment.is_rollback), None)
        self.control = replace(self.control, pin=Pin(build=build, after=newest.id if newest else "-"))
        self.trusted.add(build)

    @rule()
    def unpin(self) -> None:
        self.control = replace(self.control, pin=None)

    # what the sync does

    def look(self) -> Observed:
        return Observed(
            routing=self.routing,
            control=self.control,
            alias=self.cloud.alias(),
            deployments=self.cloud.deployments(),
            alarms=(Alarm(name="worse"),) if self.ringing else (),
            holdout=500,
            now=self.now,
        )

    @rule()
    def sync(self) -> None:
        seen = self.look()
        decision = next_state(seen)
        if decision is None:
            return
        self.check(seen, decision)
        self.routing, self.control = decision.routing, decision.control
        if decision.answer is not None:
            self.answers[decision.answer.deployment] = decision.answer.succeeded
            self.control = self.control.without_hook()

    def check(self, seen: Observed, decision: Decision) -> None:
        old, new = seen.routing, decision.routing
        changed = replace(new, epoch=old.epoch) != old
        assert new.epoch == old.epoch + (1 if changed else 0)
        assert decision.reasons, "nothing is done without a reason"
        deployment = self.running()
        if seen.alarms and new.candidate is not None and new.candidate == old.candidate:
            assert new.weight <= old.weight or deployment is None, "an alarm never raises a weight"
        if seen.alarms and deployment is not None and not deployment.is_rollback:
            assert new.weight == 0, "while an alarm is on, a release in progress has no traffic"
        for latch in decision.control.latches:
            if latch not in seen.control.latches and latch.build != old.stable:
                self.withdrawn.add(latch.build)

    @precondition(lambda self: self.running() is None)
    @rule()
    def settle(self) -> None:
        """Once nothing moves, the state is what pin, else latch, else alias say, and stays."""
        self.sync()
        self.sync()
        assert next_state(self.look()) is None
        alias = self.cloud.alias()
        if self.control.pin is not None:
            assert (self.routing.stable, self.routing.weight) == (self.control.pin.build, 0)
        elif not self.control.is_latched(alias.primary):
            assert self.routing.stable == alias.primary
            if not self.control.is_latched(alias.additional):
                assert self.routing.weight == alias.additional_weight
        for latch in self.control.latches:
            assert self.routing.weight == 0 or self.routing.candidate != latch.build

    @invariant()
    def only_trusted_builds_are_stable(self) -> None:
        """The first one, those that have baked, and those that an operator has chosen."""
        assert self.routing.stable in self.trusted

    @invariant()
    def what_was_withdrawn_gets_nobody_until_it_is_released_again(self) -> None:
        if self.routing.candidate in self.withdrawn:
            assert self.routing.weight == 0


World.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=60, deadline=None)
TestWorld = World.TestCase
