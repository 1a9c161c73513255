from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen_cdn.domain.control import BEFORE_ALL_RELEASES, ControlState, Latch, OutcomeKind, Pin
from bluegreen_cdn.domain.observation import Alarm, AliasTraffic, Deployment, DeploymentStatus, Observed
from bluegreen_cdn.domain.operations import Plan, PlanKind, Scene, plan_rollback, plan_unpin, plan_withdraw
from bluegreen_cdn.domain.operations_log import OperationsLog, TakenBack
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.traffic import next_state
from bluegreen_cdn.errors import OperationRefused

RUNNING, SUCCEEDED = DeploymentStatus.RUNNING, DeploymentStatus.SUCCEEDED
FAILED, STOPPED = DeploymentStatus.FAILED, DeploymentStatus.STOPPED
BUILDS = ("a", "b", "c", "d")


def release(target: str, previous: str, status: DeploymentStatus = SUCCEEDED, number: int = 1) -> Deployment:
    return Deployment(id=f"d-{number}", target=target, previous=previous, status=status)


def scene(
    *deployments: Deployment,
    stable: str,
    alias: AliasTraffic | None = None,
    candidate: str | None = None,
    weight: int = 0,
    pin: Pin | None = None,
    latches: tuple[Latch, ...] = (),
    unfit: dict[str, str] | None = None,
    log: OperationsLog | None = None,
) -> Scene:
    seen = Observed(
        routing=RoutingState(epoch=7, stable=stable, candidate=candidate, weight=weight),
        control=ControlState(pin=pin, latches=latches),
        alias=alias or AliasTraffic(primary=stable),
        deployments=deployments,
        holdout=500,
        now=1000,
    )
    return Scene(seen=seen, published=BUILDS, unfit=(unfit or {}).get, log=log or OperationsLog())


def during() -> Scene:
    """Build b is let in beside a, at 10 %."""
    return scene(
        release("b", "a", RUNNING),
        stable="a",
        candidate="b",
        weight=1000,
        alias=AliasTraffic(primary="a", additional="b", additional_weight=1000),
    )


def after(before: Scene, plan: Plan) -> Scene:
    """The scene once a plan was carried out; a deployment that was stopped has not been taken back yet."""
    deployments = [replace(made, status=STOPPED) if made.id == plan.stop else made for made in before.seen.deployments]
    seen = replace(before.seen, routing=plan.routing, control=plan.control, deployments=deployments)
    return replace(before, seen=seen, log=plan.log or before.log)


def synced(seen: Observed) -> Observed:
    decision = next_state(seen)
    return seen if decision is None else replace(seen, routing=decision.routing, control=decision.control)


def test_during_a_release_it_is_taken_out_and_stopped() -> None:
    plan = plan_rollback(during())
    assert (plan.kind, plan.build, plan.stop) == (PlanKind.STOP, "b", "d-1")
    assert (plan.routing.stable, plan.routing.weight, plan.routing.epoch) == ("a", 0, 8)
    assert plan.control.latches == (Latch("b", "d-1"),)
    assert plan.control.pin is None
    assert plan.outcome is not None
    assert (plan.outcome.kind, plan.outcome.deployment) == (OutcomeKind.WITHDRAWN, "d-1")
    assert plan_withdraw(during(), "b") == plan
    assert plan_rollback(during(), "a") == plan


def test_repeated_it_stops_the_same_deployment_and_then_nothing() -> None:
    first = plan_rollback(during())
    still_running = replace(
        after(during(), first), seen=replace(after(during(), first).seen, deployments=during().seen.deployments)
    )
    again = plan_rollback(still_running)
    assert again.intent == first.intent
    assert again.routing == first.routing
    assert again.control == first.control
    # A second, late command must not go back one build further.
    late = plan_rollback(after(during(), first))
    assert late.changes_nothing
    assert "has not succeeded (deployment d-1 stopped)" in late.steps[0]


def test_during_a_release_another_build_can_be_chosen() -> None:
    plan = plan_rollback(during(), "c")
    assert (plan.kind, plan.stop) == (PlanKind.PIN, "d-1")
    assert (plan.routing.stable, plan.routing.candidate, plan.routing.weight) == ("c", None, 0)
    assert plan.control.is_latched("b")
    assert synced(after(during(), plan).seen).routing.stable == "c"


def test_the_candidate_is_nothing_to_go_back_to() -> None:
    with pytest.raises(OperationRefused, match="is the one that deployment d-1 lets in"):
        plan_rollback(during(), "b")


def test_a_rollback_in_progress_is_left_alone_and_can_be_overruled() -> None:
    back = replace(release("a", "b", RUNNING, 2), is_rollback=True)
    here = scene(back, release("b", "a", FAILED), stable="a", alias=AliasTraffic(primary="b"))
    assert plan_rollback(here).changes_nothing
    assert plan_rollback(here, "c").routing.stable == "c"


def test_after_a_release_the_build_before_it_is_pinned() -> None:
    here = scene(release("c", "b", number=2), release("b", "a"), stable="c")
    plan = plan_rollback(here)
    assert (plan.kind, plan.build, plan.stop) == (PlanKind.PIN, "b", None)
    assert plan.control.pin == Pin(build="b", after="d-2")
    assert (plan.routing.stable, plan.routing.epoch) == ("b", 8)
    assert plan.outcome is not None
    assert "rolled back by hand, to build b" in plan.outcome.reason
    assert plan.log == OperationsLog((TakenBack(build="c", deployment="d-2", to="b", at=1000),))
    assert plan_withdraw(here, "c") == plan
    repeated = plan_rollback(after(here, plan))
    assert repeated.changes_nothing
    assert "build b is pinned already" in repeated.steps[0]


def test_a_build_that_was_rolled_back_by_hand_is_not_gone_back_to() -> None:
    # a → b, rolled back to a; then c, which CodeDeploy says came after b.
    log = OperationsLog((TakenBack(build="b", deployment="d-1", to="a", at=900),))
    here = scene(release("c", "b", number=2), release("b", "a"), stable="c", log=log)
    assert plan_rollback(here).build == "a"


def test_unpinned_again_a_build_is_trusted_again() -> None:
    log = OperationsLog((TakenBack(build="b", deployment="d-1", to="a", at=900),))
    here = scene(
        release("b", "a"), stable="a", pin=Pin(build="a", after="d-1"), alias=AliasTraffic(primary="b"), log=log
    )
    plan = plan_unpin(here)
    assert (plan.kind, plan.routing.stable, plan.control.pin) == (PlanKind.UNPIN, "b", None)
    assert plan.log == OperationsLog()
    assert "all visitors get build b at once" in plan.notes[0]


def test_a_site_with_one_release_has_nothing_to_go_back_to() -> None:
    with pytest.raises(OperationRefused, match=r"knows of no release .* by a; .*--to BUILD\) \(published: b, c, d\)"):
        plan_rollback(scene(stable="a"))
    assert plan_rollback(scene(stable="a"), "c").control.pin == Pin(build="c", after=BEFORE_ALL_RELEASES)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("nope", "there is no build 'nope': it has no manifest in the primary bucket .published: a, b, c, d"),
        ("c", "build c cannot be served: its manifest is not in eu-west-1"),
    ],
)
def test_a_build_that_cannot_be_served_is_refused(to: str, reason: str) -> None:
    here = scene(
        release("b", "a"),
        stable="b",
        unfit={"c": "its manifest is not in eu-west-1"},
    )
    with pytest.raises(OperationRefused, match=reason):
        plan_rollback(here, to)


def test_a_build_that_the_sync_has_still_to_take_out_is_refused_too() -> None:
    here = scene(release("c", "a", FAILED), stable="a", alias=AliasTraffic(primary="c"))
    with pytest.raises(OperationRefused, match="build c was taken out during deployment d-1"):
        plan_rollback(here, "c")


def test_what_is_so_already_is_nothing_to_do() -> None:
    assert plan_rollback(scene(stable="a"), "a").changes_nothing
    assert plan_rollback(scene(stable="a", pin=Pin(build="a", after="-")), "a").changes_nothing
    assert plan_unpin(scene(stable="a")).changes_nothing
    assert plan_withdraw(scene(stable="a"), "b").changes_nothing


def test_withdrawing_what_others_stand_on_is_refused() -> None:
    with pytest.raises(OperationRefused, match="is pinned; pin another one"):
        plan_withdraw(scene(release("b", "a"), stable="a", pin=Pin(build="a", after="d-1")), "a")
    with pytest.raises(OperationRefused, match="what visitors have while build b is let in"):
        plan_withdraw(during(), "a")
    with pytest.raises(OperationRefused, match="there is no build 'nope'"):
        plan_withdraw(during(), "nope")


# -- whatever the state ------------------------------------------------------------------------------------------------

build = st.sampled_from(BUILDS)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Any state, likely or not; the routing state is what the sync makes of it, as it is nearly always."""
    count = draw(st.integers(0, 4))
    ended = st.sampled_from([SUCCEEDED, FAILED, STOPPED])
    deployments = []
    for number in range(count, 0, -1):
        target, previous = draw(build), draw(build)
        status = draw(st.sampled_from([*DeploymentStatus])) if number == count else draw(ended)
        made = release(target, previous, status, number)
        deployments.append(replace(made, is_rollback=draw(st.booleans()) and draw(st.booleans())))
    additional = draw(st.none() | build)
    alias = AliasTraffic(
        primary=draw(build), additional=additional, additional_weight=draw(st.integers(0, 9999)) if additional else 0
    )
    pin = draw(st.none() | st.builds(Pin, build=build, after=st.sampled_from(["-", "d-1", "d-2", None])))
    latches = draw(st.lists(st.builds(Latch, build, st.sampled_from(["d-1", "d-2", "d-3", "d-4"])), max_size=2))
    here = scene(*deployments, stable=draw(build), alias=alias, pin=pin, latches=tuple(latches))
    if draw(st.booleans()):
        here = replace(here, seen=replace(here.seen, alarms=[Alarm(name="worse")]))
    return replace(here, seen=synced(here.seen)) if draw(st.booleans()) else here


commands = st.one_of(
    st.just(plan_unpin),
    st.builds(lambda to: lambda here: plan_rollback(here, to), st.none() | build),
    st.builds(lambda which: lambda here: plan_withdraw(here, which), build),
)


def planned(command: object, here: Scene) -> Plan | None:
    try:
        return command(here)  # type: ignore[operator]
    except OperationRefused:
        return None


def share(routing: RoutingState, which: str) -> int:
    return 10_000 if routing.stable == which else routing.weight if routing.candidate == which else 0


@settings(max_examples=200)
@given(scenes(), commands)
def test_nothing_raises_the_weight_of_a_build_that_is_taken_out(here: Scene, command: object) -> None:
    plan = planned(command, here)
    if plan is not None:
        # What the sync would do by itself is not the command's doing.
        by_itself = synced(here.seen).routing
        for latch in plan.control.latches:
            before = max(share(here.seen.routing, latch.build), share(by_itself, latch.build))
            assert share(plan.routing, latch.build) <= before


@given(scenes(), commands)
def test_a_pin_leads_to_its_build_whatever_the_sync_does_next(here: Scene, command: object) -> None:
    plan = planned(command, here)
    if plan is None or plan.kind is not PlanKind.PIN:
        return
    assert plan.routing.stable == plan.build
    assert plan.control.pin is not None
    assert plan.control.pin.build == plan.build
    later = synced(synced(after(here, plan).seen))
    assert later.routing.stable == plan.build
    assert later.routing.weight == 0 or later.running is not None


@given(scenes())
def test_unpinned_the_edge_follows_the_alias(here: Scene) -> None:
    plan = planned(plan_unpin, here)
    if plan is None or plan.changes_nothing:
        return
    assert plan.control.pin is None
    seen = synced(after(here, plan).seen)
    assert seen.control.pin is None
    if seen.running is None and not seen.control.is_latched(seen.alias.primary):
        assert seen.routing.stable == seen.alias.primary


@given(scenes(), commands)
def test_a_command_is_safe_to_repeat(here: Scene, command: object) -> None:
    plan = planned(command, here)
    if plan is None:
        return
    assert plan.routing.epoch == here.seen.routing.epoch + (plan.routing != here.seen.routing)
    again = planned(command, after(here, plan))
    if again is not None:
        assert share(again.routing, plan.routing.stable) == 10_000
