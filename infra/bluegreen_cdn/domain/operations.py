"""What an operator may do by hand, as plans: frozen data that say what would be written and stopped, and why.

A plan changes what the control plane remembers (a pin, a latch) and lets `next_state`, the traffic sync's own decision,
say what the edge has to do then. So a command and a sync that runs right after it cannot disagree. No plan moves the
alias: moved by hand, every later stack update would fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bluegreen_cdn.domain.control import BEFORE_ALL_RELEASES, ControlState, Latch, Outcome, OutcomeKind, Pin
from bluegreen_cdn.domain.observation import Deployment, DeploymentStatus, Observed
from bluegreen_cdn.domain.operations_log import OperationsLog, TakenBack
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.traffic import next_state
from bluegreen_cdn.errors import OperationRefused

_BUILDS_NAMED = 8


class PlanKind(StrEnum):
    """What a plan comes down to."""

    NOTHING = "nothing"
    STOP = "stop"
    PIN = "pin"
    UNPIN = "unpin"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What an operator's command is decided on.

    Attributes:
        seen: What the traffic sync would see.
        published: The builds that have a manifest.
        history: Releases and rollbacks, newest first, from further back than `seen` has them. Default: none.
        log: The releases that operators have taken back. Default: none.
        unfit: Says why a published build could not be served just now, or nothing if it could. Default: all could.
    """

    seen: Observed
    published: Collection[str]
    history: Sequence[Deployment] = ()
    log: OperationsLog = field(default_factory=OperationsLog)
    unfit: Callable[[str], str | None] = lambda build: None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a command would do: write both values in one update, then stop the deployment.

    Attributes:
        kind: What it comes down to.
        build: The build that it is about.
        routing: The routing state to be; with the same epoch as before when nothing in it changes.
        control: The control state to be.
        log: The log to be; None when nothing in it changes. Default: None.
        stop: The deployment to stop, with rollback. Default: none.
        outcome: How that ends a release. Default: it ends none.
        steps: What would be done, a sentence each; what there is nothing to do for, if so.
        notes: What else the operator should know.
    """

    kind: PlanKind
    build: str
    routing: RoutingState
    control: ControlState
    log: OperationsLog | None = None
    stop: str | None = None
    outcome: Outcome | None = None
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether everything is already as asked for."""
        return self.kind is PlanKind.NOTHING

    @property
    def intent(self) -> tuple[PlanKind, str, str | None, str]:
        """What the operator agrees to; a plan of the same intent may take its place when somebody else wrote first."""
        return self.kind, self.build, self.stop, self.routing.stable


def plan_rollback(scene: Scene, to: str | None = None) -> Plan:
    """Stop the release in progress; if there is none, pin an earlier build.

    Args:
        scene: What it is decided on.
        to: The build to go back to. Default: the one that was stable before.

    Raises:
        OperationRefused: It makes no sense now; the message says why.
    """
    seen = scene.seen
    release = seen.running
    if release is not None and release.is_rollback:
        release = None
        if to is None:
            return _nothing(seen, seen.routing.stable, "a deployment that takes the release back is in progress")
    if release is not None:
        if to is None or (to == release.previous and seen.control.pin is None):
            return _stop(seen, release)
        if to == release.target:
            raise OperationRefused(
                f"build {to} is the one that deployment {release.id} lets in; name another build, or leave --to out"
            )
        _check_servable(scene, to)
        return _pin(scene, to, stopped=release)
    if to is None:
        pin, newest = seen.control.pin, seen.newest_release
        if pin is not None:
            return _nothing(
                seen, pin.build, f"build {pin.build} is pinned already; name another one with --to, or unpin it"
            )
        if newest is not None and newest.status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
            return _nothing(
                seen,
                seen.routing.stable,
                f"the newest release, of build {newest.target}, has not succeeded (deployment {newest.id} "
                f"{newest.status.value}), and build {seen.routing.stable} is stable; to go back further, name the "
                f"build with --to",
            )
        to = _previous_stable(scene)
    return _pin_if_needed(scene, to)


def plan_withdraw(scene: Scene, build: str) -> Plan:
    """Stop serving a build's entries, whatever it is now: candidate, stable, or neither.

    Args:
        scene: What it is decided on.
        build: The build.

    Raises:
        OperationRefused: It makes no sense now; the message says why.
    """
    seen = scene.seen
    routing, pin, release = seen.routing, seen.control.pin, seen.running
    if build not in scene.published and build not in (routing.stable, routing.candidate):
        raise OperationRefused(_no_such_build(scene, build))
    if release is not None and not release.is_rollback and release.target == build:
        return _stop(seen, release)
    if pin is not None and pin.build == build:
        raise OperationRefused(
            f"build {build} is pinned; pin another one instead (bluegreen rollback --to BUILD), or unpin it"
        )
    if routing.stable != build:
        return _nothing(
            seen, build, f"no visitor is let into build {build}; pages of it that are open keep their files"
        )
    if release is not None and not release.is_rollback:
        raise OperationRefused(
            f"build {build} is what visitors have while build {release.target} is let in; go back further instead "
            f"(bluegreen rollback --to BUILD), or wait until deployment {release.id} has ended"
        )
    return _pin_if_needed(scene, _previous_stable(scene))


def plan_unpin(scene: Scene) -> Plan:
    """Let the edge follow the alias again.

    Raises:
        OperationRefused: The alias's build could not be served; the message says why.
    """
    seen = scene.seen
    pin = seen.control.pin
    if pin is None:
        return _nothing(seen, seen.routing.stable, f"no build is pinned; build {seen.routing.stable} is stable")
    control = replace(seen.control, pin=None)
    routing, control = _consequence(seen, control)
    if routing.stable != pin.build:
        _check_servable(scene, routing.stable)
    log = scene.log.without(routing.stable)
    steps = [f"unpin build {pin.build}: the edge follows the alias again, {_shares(routing)}"]
    notes = []
    if routing.stable != pin.build:
        notes.append(f"all visitors get build {routing.stable} at once, with no rollout; a new release would have one")
    elif control.is_latched(seen.alias.primary):
        notes.append(f"build {pin.build} stays stable until the alias has let go of build {seen.alias.primary}")
    return Plan(
        kind=PlanKind.UNPIN,
        build=pin.build,
        routing=routing,
        control=control,
        log=log if log != scene.log else None,
        steps=tuple(steps),
        notes=tuple(notes),
    )


def _stop(seen: Observed, release: Deployment) -> Plan:
    control = seen.control.with_latch(Latch(release.target, release.id))
    routing, control = _consequence(seen, control)
    notes = ["the `cdk deploy` that waits for this release fails, and its stack goes back"]
    if routing.stable == release.target:
        notes.append(f"build {release.target} is pinned, so visitors go on getting it; pin another one, or unpin it")
    return Plan(
        kind=PlanKind.STOP,
        build=release.target,
        routing=routing,
        control=control,
        stop=release.id,
        outcome=_withdrawn(release, f"build {release.target} was taken back by hand", seen),
        steps=(_take_out(release, seen), _stop_step(release)),
        notes=tuple(notes),
    )


def _pin_if_needed(scene: Scene, build: str) -> Plan:
    seen = scene.seen
    pin = seen.control.pin
    if pin is not None and pin.build == build:
        return _nothing(seen, build, f"build {build} is pinned already")
    if pin is None and seen.routing.stable == build and seen.running is None:
        return _nothing(seen, build, f"build {build} is stable already")
    _check_servable(scene, build)
    return _pin(scene, build)


def _pin(scene: Scene, build: str, *, stopped: Deployment | None = None) -> Plan:
    seen, log = scene.seen, scene.log.without(build)
    newest = seen.newest_release
    pin = Pin(build=build, after=newest.id if newest else BEFORE_ALL_RELEASES)
    control = replace(seen.control, pin=pin)
    steps: list[str] = []
    outcome = None
    if stopped is not None:
        control = control.with_latch(Latch(stopped.target, stopped.id))
        steps.append(_take_out(stopped, seen))
        outcome = _withdrawn(stopped, f"build {stopped.target} was taken back by hand, to build {build}", seen)
    elif newest is not None and newest.target == seen.routing.stable:
        outcome = _withdrawn(newest, f"build {newest.target} was rolled back by hand, to build {build}", seen)
    current = _release_of(scene, seen.routing.stable)
    if current is not None and seen.routing.stable != build:
        log = log.with_note(TakenBack(build=current.target, deployment=current.id, to=build, at=int(seen.now)))
    routing, control = _consequence(seen, control)
    steps.append(f"pin build {build}: all visitors get its documents, instead of those of {seen.routing.stable}")
    if stopped is not None:
        steps.append(_stop_step(stopped))
    return Plan(
        kind=PlanKind.PIN,
        build=build,
        routing=routing,
        control=control,
        log=log if log != scene.log else None,
        stop=stopped.id if stopped else None,
        outcome=outcome,
        steps=tuple(steps),
        notes=(
            "the pin lasts until a later release succeeds, or until `bluegreen unpin`; the alias and the stack stay "
            "as they are",
        ),
    )


def _consequence(seen: Observed, control: ControlState) -> tuple[RoutingState, ControlState]:
    """What the traffic sync would make of the new control state: the two are written together."""
    decision = next_state(replace(seen, control=control))
    return (seen.routing, control) if decision is None else (decision.routing, decision.control)


def _nothing(seen: Observed, build: str, why: str) -> Plan:
    return Plan(
        kind=PlanKind.NOTHING, build=build, routing=seen.routing, control=seen.control, steps=(f"nothing to do: {why}",)
    )


def _previous_stable(scene: Scene) -> str:
    """The build that the present stable one took over from, by the newest release of it that has succeeded.

    A build whose release was taken back by hand is passed over: CodeDeploy's "previous" is what the alias had, not what
    visitors had.
    """
    stable = build = scene.seen.routing.stable
    passed = {stable}
    while (release := _release_of(scene, build)) is not None and release.previous not in passed:
        build = release.previous
        passed.add(build)
        before = _release_of(scene, build)
        if before is None or scene.log.of(before.id) is None:
            return build
    raise OperationRefused(
        f"CodeDeploy knows of no release that replaced another build by {stable}; name the build to go back to "
        f"(bluegreen rollback --to BUILD){_others(scene, stable)}"
    )


def _release_of(scene: Scene, build: str) -> Deployment | None:
    """The newest release that made a build stable."""
    for release in scene.history or scene.seen.deployments:
        succeeded = not release.is_rollback and release.status is DeploymentStatus.SUCCEEDED
        if succeeded and release.target == build and release.previous != build:
            return release
    return None


def _check_servable(scene: Scene, build: str) -> None:
    if build not in scene.published:
        raise OperationRefused(_no_such_build(scene, build))
    # As of the sync's next look: it may have still to take the build out, or to forget that it was.
    _, control = _consequence(scene.seen, scene.seen.control)
    latch = next((latch for latch in control.latches if latch.build == build), None)
    if latch is not None:
        raise OperationRefused(
            f"build {build} was taken out during deployment {latch.deployment}, which is not over; wait until it is, "
            f"or choose another build{_others(scene, build)}"
        )
    why = scene.unfit(build)
    if why is not None:
        raise OperationRefused(f"build {build} cannot be served: {why}")


def _no_such_build(scene: Scene, build: str) -> str:
    return f"there is no build {build!r}: it has no manifest in the primary bucket{_others(scene, build)}"


def _others(scene: Scene, build: str) -> str:
    others = [other for other in sorted(scene.published) if other != build]
    more = f" and {len(others) - _BUILDS_NAMED} more" if len(others) > _BUILDS_NAMED else ""
    return f" (published: {', '.join(others[:_BUILDS_NAMED])}{more})" if others else ""


def _withdrawn(release: Deployment, reason: str, seen: Observed) -> Outcome:
    return Outcome(
        build=release.target, deployment=release.id, kind=OutcomeKind.WITHDRAWN, reason=reason, at=int(seen.now)
    )


def _take_out(release: Deployment, seen: Observed) -> str:
    share = f"{seen.routing.weight / 100:g} %" if seen.routing.candidate == release.target else "0 %"
    return f"take build {release.target} out at the edge, at once: {share} → 0 %"


def _stop_step(release: Deployment) -> str:
    return f"stop deployment {release.id} with rollback: CodeDeploy takes the alias back to build {release.previous}"


def _shares(routing: RoutingState) -> str:
    beside = f", build {routing.candidate} at {routing.weight / 100:g} %" if routing.candidate else ""
    return f"build {routing.stable} stable{beside}"
