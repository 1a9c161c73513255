"""Where the traffic should go now: a pure function of everything that can be seen.

Level-triggered: no event is needed to be right, only a fresh look. The order of what decides is

    pin      stable is this build, whatever the alias says
    latch    a candidate that an alarm took out has weight 0
    alias    the weights that CodeDeploy has given the versions

A release in progress names both its builds, so that the candidate stays a candidate, with a control group beside it,
even when the alias is wholly its own and only the bake is left. A release that ended badly latches its build until the
alias has let go of it: between its end and the rollback the alias still points there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bluegreen_cdn.domain.control import BEFORE_ALL_RELEASES, ControlState, HookKind, Latch, Outcome, OutcomeKind, Pin
from bluegreen_cdn.domain.observation import Deployment, DeploymentStatus, Observed
from bluegreen_cdn.domain.routing import RoutingState


@dataclass(frozen=True, kw_only=True)
class HookAnswer:
    """What a waiting hook is to be told."""

    deployment: str
    execution: str
    succeeded: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do. To be done in this order: write both values in one update, then answer the hook, then forget it.

    Attributes:
        routing: The routing state to be; with the same epoch as before when nothing in it changes.
        control: The control state to be. A hook that is answered is still in it: a crash in between answers again.
        answer: The waiting hook's answer, if it is due.
        outcome: How a release went, if that was decided just now.
        reasons: Why, one sentence each.
    """

    routing: RoutingState
    control: ControlState
    answer: HookAnswer | None = None
    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()


def next_state(seen: Observed) -> Decision | None:
    """Decide what to do about what is seen; None when everything is as it should be."""
    reasons: list[str] = []
    control = _release_latches(seen, seen.control, reasons)
    control, alarmed = _latch_alarmed(seen, control, reasons)
    control, failed = _latch_failed(seen, control, reasons)
    control, unseen = _latch_unseen(seen, control, reasons)
    control = _anchor_pin(seen, control)
    control = _clear_pin(seen, control, reasons)
    control, answer = _settle_hook(seen, control, reasons)
    routing = _follow(seen, control)
    if routing != seen.routing:
        routing = replace(routing, epoch=seen.routing.epoch + 1)
        reasons.append(_describe_change(seen.routing, routing))
    if routing == seen.routing and control == seen.control and answer is None:
        return None
    outcome = alarmed or failed or unseen or _promotion(seen, routing)
    return Decision(routing=routing, control=control, answer=answer, outcome=outcome, reasons=tuple(reasons))


def _release_latches(seen: Observed, control: ControlState, reasons: list[str]) -> ControlState:
    """Forget a latch when its deployment has ended and nothing of it is left in the alias."""
    kept = tuple(latch for latch in control.latches if not _is_over(latch, seen))
    for latch in control.latches:
        if latch not in kept:
            reasons.append(f"latch of build {latch.build} released: deployment {latch.deployment} is over")
    return replace(control, latches=kept)


def _is_over(latch: Latch, seen: Observed) -> bool:
    running = seen.running
    if running is not None:
        # Released again by a later deployment: the weight that the alias shows is that deployment's, not this one's.
        # Any other deployment may still be taken back, and to this build.
        return running.id != latch.deployment and not running.is_rollback and running.target == latch.build
    release = seen.newest_release
    comes_back = release is not None and release.previous == latch.build and _failed_and_not_taken_back(release, seen)
    return seen.alias.weight_of(latch.build) == 0 and not comes_back


def _latch_alarmed(seen: Observed, control: ControlState, reasons: list[str]) -> tuple[ControlState, Outcome | None]:
    """Take the candidate out when an alarm is on and it has had traffic in this deployment."""
    release = seen.running
    if release is None or release.is_rollback or not seen.alarms or release.target == _stable_beside(release, control):
        return control, None
    was_let_in = seen.routing.candidate == release.target and seen.routing.weight > 0
    latch = Latch(release.target, release.id)
    # An alarm that is on before any of its traffic tells of its predecessor: CodeDeploy stops the deployment for it,
    # and a latch would outlive the reason.
    if latch in control.latches or not (was_let_in or seen.alias.weight_of(release.target)):
        return control, None
    names = ", ".join(sorted(alarm.name for alarm in seen.alarms))
    reason = f"build {release.target} taken out: {names} {'are' if len(seen.alarms) > 1 else 'is'} in alarm"
    reasons.append(reason)
    return control.with_latch(latch), _withdrawn(release, reason, seen)


def _latch_failed(seen: Observed, control: ControlState, reasons: list[str]) -> tuple[ControlState, Outcome | None]:
    """Keep a build out whose release ended badly while the alias still carries it."""
    release = seen.newest_release
    if release is None or not _failed_and_not_taken_back(release, seen):
        return control, None
    held_it_before = release.target in (release.previous, seen.routing.stable)
    latch = Latch(release.target, release.id)
    if held_it_before or latch in control.latches or seen.alias.weight_of(release.target) == 0:
        return control, None
    reason = f"build {release.target} kept out: deployment {release.id} {release.status.value}"
    reasons.append(reason)
    return control.with_latch(latch), _withdrawn(release, reason, seen)


def _latch_unseen(seen: Observed, control: ControlState, reasons: list[str]) -> tuple[ControlState, Outcome | None]:
    """Take a candidate out that has baked without enough visitors to tell, where the site wants them."""
    release = seen.running
    if release is None or seen.sample is None or not bake_is_over(seen, control):
        return control, None
    latch = Latch(release.target, release.id)
    if seen.sample >= seen.minimum_sample or latch in control.latches:
        return control, None
    reason = (
        f"build {release.target} taken out: browsers reported {seen.sample} page loads of it during its release, and "
        f"it must be {seen.minimum_sample} at least (on_no_traffic)"
    )
    reasons.append(reason)
    return control.with_latch(latch), _withdrawn(release, reason, seen)


def bake_is_over(seen: Observed, control: ControlState) -> bool:
    """Whether the release in progress has baked as long as it should, and CodeDeploy waits to be told."""
    hook, release = control.hook, seen.running
    return (
        hook is not None
        and release is not None
        and hook.kind is HookKind.AFTER
        and hook.deployment == release.id
        and seen.now >= hook.until
    )


def _failed_and_not_taken_back(release: Deployment, seen: Observed) -> bool:
    if release.status not in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
        return False
    newer = seen.deployments[: list(seen.deployments).index(release)]
    return not any(rollback.status is DeploymentStatus.SUCCEEDED for rollback in newer)


def _withdrawn(release: Deployment, reason: str, seen: Observed) -> Outcome:
    return Outcome(
        build=release.target, deployment=release.id, kind=OutcomeKind.WITHDRAWN, reason=reason, at=int(seen.now)
    )


def _anchor_pin(seen: Observed, control: ControlState) -> ControlState:
    """Note the newest release beside a pin that was set without it: only later ones clear the pin."""
    if control.pin is None or control.pin.after is not None:
        return control
    newest = seen.newest_release
    return replace(control, pin=replace(control.pin, after=newest.id if newest else BEFORE_ALL_RELEASES))


def _clear_pin(seen: Observed, control: ControlState, reasons: list[str]) -> ControlState:
    """Forget the pin when a release that is newer than it has succeeded."""
    pin = control.pin
    if pin is None:
        return control
    for release in _newer_than(pin, seen.deployments):
        if release.status is DeploymentStatus.SUCCEEDED and not control.is_latched(release.target):
            reasons.append(f"pin of build {pin.build} cleared: release of build {release.target} succeeded")
            return replace(control, pin=None)
    return control


def _newer_than(pin: Pin, deployments: Sequence[Deployment]) -> list[Deployment]:
    """The releases after a pin was set; a deployment that has dropped out of the list is older than all in it."""
    ids = [deployment.id for deployment in deployments]
    end = ids.index(pin.after) if pin.after in ids else len(ids)
    return [deployment for deployment in deployments[:end] if not deployment.is_rollback]


def _settle_hook(seen: Observed, control: ControlState, reasons: list[str]) -> tuple[ControlState, HookAnswer | None]:
    """Answer the waiting hook when its release was taken out or its time has come; forget it when nobody waits."""
    hook = control.hook
    if hook is None:
        return control, None
    release = seen.running
    if release is None or release.id != hook.deployment:
        reasons.append(f"hook of deployment {hook.deployment} dropped: the deployment has ended")
        return replace(control, hook=None), None
    if Latch(release.target, release.id) in control.latches:
        return control, _answer(control, False, f"build {release.target} was taken out", reasons)
    if bake_is_over(seen, control) and (seen.sample is not None or not seen.minimum_sample):
        return control, _answer(control, True, f"build {release.target} has baked without an alarm", reasons)
    return control, None


def _answer(control: ControlState, succeeded: bool, reason: str, reasons: list[str]) -> HookAnswer | None:
    if control.hook is None:
        return None
    reasons.append(reason)
    hook = control.hook
    return HookAnswer(deployment=hook.deployment, execution=hook.execution, succeeded=succeeded, reason=reason)


def _follow(seen: Observed, control: ControlState) -> RoutingState:
    """The routing state that pin, latches and alias call for, with the present epoch."""
    stable, candidate, weight = _by_alias(seen, control)
    if candidate == stable:
        candidate = None
    if candidate is None or control.is_latched(candidate):
        weight = 0
    return replace(seen.routing, stable=stable, candidate=candidate, weight=weight, holdout=seen.holdout)


def _by_alias(seen: Observed, control: ControlState) -> tuple[str, str | None, int]:
    alias, running, pin = seen.alias, seen.running, control.pin
    if running is not None and not running.is_rollback:
        stable = pin.build if pin else _unlatched(running.previous, seen, control)
        let_in = pin is None or running in _newer_than(pin, seen.deployments)
        return stable, running.target if let_in else None, alias.weight_of(running.target)
    if pin is not None:
        return pin.build, None, 0
    if running is not None:
        return _unlatched(running.target, seen, control), None, 0
    stable = _unlatched(alias.primary, seen, control)
    if stable != alias.primary:
        return stable, None, 0
    return stable, alias.additional, alias.additional_weight


def _unlatched(build: str, seen: Observed, control: ControlState) -> str:
    """A build, or the present stable one in place of a build that is taken out."""
    return seen.routing.stable if control.is_latched(build) else build


def _stable_beside(release: Deployment, control: ControlState) -> str:
    return control.pin.build if control.pin else release.previous


def _promotion(seen: Observed, routing: RoutingState) -> Outcome | None:
    if (
        seen.routing.candidate is None
        or routing.stable != seen.routing.candidate
        or seen.routing.stable == routing.stable
    ):
        return None
    release = seen.newest_release
    reason = f"build {routing.stable} is stable"
    deployment = release.id if release and release.target == routing.stable else "-"
    return Outcome(
        build=routing.stable, deployment=deployment, kind=OutcomeKind.PROMOTED, reason=reason, at=int(seen.now)
    )


def _describe_change(old: RoutingState, new: RoutingState) -> str:
    def side(state: RoutingState) -> str:
        return f"{state.stable} + {state.candidate} at {state.weight / 100:g} %" if state.candidate else state.stable

    return f"routing {side(old)} → {side(new)} (epoch {new.epoch})"
