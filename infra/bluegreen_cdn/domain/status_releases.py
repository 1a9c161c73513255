"""Releases as they are looked back on, and the next step of one that is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bluegreen_cdn.domain.control import HookKind, Outcome, OutcomeKind, PendingHook
from bluegreen_cdn.domain.observation import Deployment, DeploymentStatus
from bluegreen_cdn.domain.operations_log import OperationsLog

UNKNOWN_BUILD = "?"
"""In place of a build that nobody can tell any more. No build can have this name."""
_RESULTS = {
    DeploymentStatus.RUNNING: "in progress",
    DeploymentStatus.SUCCEEDED: "promoted",
    DeploymentStatus.FAILED: "failed",
    DeploymentStatus.STOPPED: "stopped",
}


@dataclass(frozen=True, kw_only=True)
class DeploymentRecord:
    """A deployment with what CodeDeploy says about it.

    Attributes:
        deployment: Who, from which build to which.
        ended: When, in epoch seconds; None while it runs.
        message: CodeDeploy's own words, if it has any.
    """

    deployment: Deployment
    ended: float | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord:
    """One line of the history.

    Attributes:
        build: The build that was released.
        previous: The build that held the traffic.
        deployment: CodeDeploy's id; one of `CHECKS` where it came to none.
        began: When, in epoch seconds.
        ended: When; None while it runs.
        result: `promoted`, `withdrawn`, `refused`, `failed`, `stopped` or `in progress`.
        reason: Why, as far as anybody has kept it.
    """

    build: str
    previous: str
    deployment: str
    began: float
    ended: float | None
    result: str
    reason: str

    def to_json(self) -> dict[str, object]:
        """The line for scripts."""
        return {
            "build": self.build,
            "previous": self.previous,
            "deployment": self.deployment,
            "began": self.began,
            "ended": self.ended,
            "result": self.result,
            "reason": self.reason,
        }


def release_history(
    records: Sequence[DeploymentRecord],
    outcomes: Mapping[str, Outcome],
    log: OperationsLog,
    refused: Sequence[Outcome] = (),
) -> tuple[ReleaseRecord, ...]:
    """Put together what is known of every release, newest first.

    Args:
        records: All deployments that CodeDeploy remembers, newest first; rollbacks tell about the release before them.
        outcomes: The control plane's own notes, by deployment.
        log: The releases that operators have taken back after their success.
        refused: The builds that the stack has refused before there was a deployment. Default: none.
    """
    lines = []
    for record in records:
        made = record.deployment
        if made.is_rollback:
            continue
        result, reason = _RESULTS[made.status], record.message
        taken_back, outcome = log.of(made.id), outcomes.get(made.id)
        if taken_back is not None:
            result, reason = "withdrawn", f"rolled back by hand, to build {taken_back.to}"
        elif outcome is not None and outcome.kind is not OutcomeKind.BEGUN:
            reason = outcome.reason
            # A promotion is only believed of a deployment that has succeeded: the note may be older than its end.
            if not made.running and (outcome.kind is not OutcomeKind.PROMOTED or _succeeded(made)):
                result = outcome.kind.value
        lines.append(
            ReleaseRecord(
                build=outcome.build if outcome is not None else made.target,
                previous=made.previous,
                deployment=made.id,
                began=made.created,
                ended=record.ended,
                result=result,
                reason=reason,
            )
        )
    lines += [_refusal(outcome) for outcome in refused]
    return tuple(sorted(lines, key=lambda line: line.began, reverse=True))


def _refusal(outcome: Outcome) -> ReleaseRecord:
    return ReleaseRecord(
        build=outcome.build,
        previous=UNKNOWN_BUILD,
        deployment=outcome.deployment,
        began=outcome.at,
        ended=outcome.at,
        result=outcome.kind.value,
        reason=outcome.reason,
    )


def _succeeded(deployment: Deployment) -> bool:
    return deployment.status is DeploymentStatus.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The rollout that CodeDeploy follows.

    Attributes:
        step_basis_points: Weight of the first step, and of every further one of a linear rollout. All at once: 10000.
        interval_minutes: Between two steps.
        linear: Whether there are equal steps up to the full weight; otherwise the second one is the last.
    """

    step_basis_points: int
    interval_minutes: int = 0
    linear: bool = False

    def after(self, weight: int) -> int | None:
        """The weight that follows a weight; None after the last."""
        if weight >= 10_000:
            return None
        if weight == 0 or not self.linear:
            return self.step_basis_points if weight == 0 else 10_000
        return min(10_000, (weight // self.step_basis_points + 1) * self.step_basis_points)


def next_step(release: Deployment, weight: int, schedule: Schedule | None, hook: PendingHook | None, now: float) -> str:
    """What a deployment in progress does next, in words.

    Args:
        release: The deployment.
        weight: What the alias gives its build, in basis points.
        schedule: The rollout; None if CodeDeploy does not say.
        hook: The hook that waits, if one does.
        now: Epoch seconds.
    """
    if release.is_rollback:
        return f"takes the alias back to build {release.target}"
    if hook is not None and hook.deployment == release.id and hook.kind is HookKind.AFTER:
        return f"bakes; promoted in {max(0, round(hook.until - now))} s unless an alarm comes on"
    if weight >= 10_000:
        return "bake at full weight (less the hold-out), then promoted"
    if weight == 0:
        first = f", then {schedule.step_basis_points / 100:g} %" if schedule else ""
        return f"checks before any traffic{first}"
    following = schedule.after(weight) if schedule else None
    if schedule is None or following is None:
        return "the next step of its rollout"
    return f"{following / 100:g} %, {schedule.interval_minutes} min after {weight / 100:g} % began"
