"""CodeDeploy's BeforeAllowTraffic: no weight moves before every replica is proven, and the way through the edge to it.

The stack's release check has looked at most of this before the alias was touched; here is looked once more, for what
may have changed since. What is wrong is named in the log and in the KeyValueStore's value `outcome`; CodeDeploy itself
only takes a yes or a no.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bluegreen_cdn.domain.control import OutcomeKind
from bluegreen_cdn.domain.observation import Deployment
from bluegreen_cdn.errors import ReleaseError, ReleaseInProgress
from bluegreen_cdn.handlers.candidate_check import (
    Deadline,
    check_alone,
    keep_outcome,
    longest_wait_seconds,
    names_of,
    prove,
    reason_of,
    wait_for_quiet,
)
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Cloud, cloud
from bluegreen_cdn.handlers.sync import observe, sync_once


def handler(event: Mapping[str, str], context: Any) -> dict[str, object]:
    """Entry point; the event names the deployment and this run of the hook."""
    return run(
        cloud(),
        event["DeploymentId"],
        event["LifecycleEventHookExecutionId"],
        lambda: context.get_remaining_time_in_millis() / 1000,
    )


def run(here: Cloud, deployment_id: str, execution: str, seconds_left: Callable[[], float]) -> dict[str, object]:
    """Check the candidate and tell CodeDeploy.

    Args:
        here: The cloud.
        deployment_id: The deployment that waits.
        execution: This run of the hook.
        seconds_left: How long the function may still run.
    """
    release: Deployment | None = None
    try:
        release = here.releases.deployment(deployment_id)
        if not release.is_rollback:  # nothing may stand in the way of a rollback
            # Now, while its version exists: of a release that ends in seconds nobody else could tell the build.
            keep_outcome(here, release.target, release.id, OutcomeKind.BEGUN, "its checks have begun")
            _check(here, release, seconds_left)
    except Exception as error:
        why = reason_of(error)
        log("release refused", deployment=deployment_id, build=release and release.target, why=why)
        if release is not None:
            keep_outcome(here, release.target, release.id, OutcomeKind.REFUSED, why)
        here.releases.answer_hook(deployment_id, execution, succeeded=False)
        return {"succeeded": False, "why": why}
    log("release may begin", deployment=deployment_id, build=release.target)
    here.releases.answer_hook(deployment_id, execution, succeeded=True)
    return {"succeeded": True, "why": ""}


def _check(here: Cloud, release: Deployment, seconds_left: Callable[[], float]) -> None:
    deadline = Deadline(here, seconds_left, here.clock.seconds(longest_wait_seconds(here)))
    _check_nothing_else_in_progress(here, release)
    _check_alarms_exist(here)
    wait_for_quiet(here, deadline)
    prove(here, release.target, deadline, seconds_left)
    if ringing := here.alarms.on():
        raise ReleaseError(f"{names_of(ringing)} came on while the build was checked; deploy again when it is quiet")


def _check_nothing_else_in_progress(here: Cloud, release: Deployment) -> None:
    """Refuse beside another candidate; one that is only a leftover is tidied away first."""
    sync_once(here)
    found = observe(here)
    if found is None:
        raise ReleaseError("the routing state has not been seeded; deploy the site's stack again")
    seen, _ = found
    check_alone(here, release.target, [other for other in seen.deployments if other.id != release.id])
    if seen.routing.weight and seen.routing.candidate != release.target:
        raise ReleaseInProgress(
            f"build {release.target} cannot be let in: build {seen.routing.candidate} is still being let in, at "
            f"{seen.routing.weight / 100:g} %; wait for the traffic sync, or look at its log"
        )


def _check_alarms_exist(here: Cloud) -> None:
    missing = here.alarms.missing()
    if missing:
        raise ReleaseError(
            f"alarm {', '.join(missing)} does not exist, so nobody would watch the release; "
            f"deploy the site's stack again"
        )
