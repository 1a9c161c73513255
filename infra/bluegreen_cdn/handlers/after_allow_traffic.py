"""CodeDeploy's AfterAllowTraffic: the full candidate bakes, with the hold-out as its control group.

A bake may be longer than a function may run, so the hook only notes that it waits; the traffic sync answers it: yes
when the time is over, no when the build was taken out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import HookKind, PendingHook
from bluegreen_cdn.domain.observation import Deployment
from bluegreen_cdn.errors import BlueGreenError, PreconditionFailed, ReleaseError
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Cloud, cloud
from bluegreen_cdn.handlers.sync import observe, sync_once


def handler(event: Mapping[str, str], context: Any) -> dict[str, object]:
    """Entry point; the event names the deployment and this run of the hook."""
    return run(cloud(), event["DeploymentId"], event["LifecycleEventHookExecutionId"])


def run(here: Cloud, deployment_id: str, execution: str) -> dict[str, object]:
    """Note that the hook waits for the bake, or answer at once where there is nothing to wait for.

    Args:
        here: The cloud.
        deployment_id: The deployment that waits.
        execution: This run of the hook.
    """
    try:
        release = here.releases.deployment(deployment_id)
        if release.is_rollback:
            here.releases.answer_hook(deployment_id, execution, succeeded=True)
            log("rollback needs no bake", deployment=deployment_id, build=release.target)
            return {"answered": True}
        until = _note(here, release, execution)
    except Exception as error:  # an answer that nobody sends is one that CodeDeploy awaits for an hour
        why = str(error) if isinstance(error, BlueGreenError) else f"{type(error).__name__}: {error}"
        log("bake could not begin", deployment=deployment_id, why=why)
        here.releases.answer_hook(deployment_id, execution, succeeded=False)
        return {"answered": True}
    log("bake began", deployment=deployment_id, build=release.target, until=until)
    return {"answered": _answer_what_needs_no_waiting(here, execution)}


def _answer_what_needs_no_waiting(here: Cloud, execution: str) -> bool:
    """Let the sync have a look at once: a bake of no length, or a build already taken out."""
    try:
        sync_once(here)
        found = observe(here)
    except BlueGreenError as error:
        log("left to the next sync", why=str(error))
        return False
    hook = found[0].control.hook if found else None
    return hook is None or hook.execution != execution


def _note(here: Cloud, release: Deployment, execution: str) -> int:
    until = int(here.clock.now() + here.clock.minutes(here.settings.bake_minutes))
    hook = PendingHook(deployment=release.id, execution=execution, kind=HookKind.AFTER, until=until)
    for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
        found = observe(here)
        if found is None:
            raise ReleaseError("the routing state has not been seeded; deploy the site's stack again")
        seen, etag = found
        if seen.control.hook is not None and seen.control.hook.execution == execution:
            return seen.control.hook.until  # Lambda delivers an event twice now and then: the bake does not begin anew
        try:
            here.store.update({defaults.CONTROL_KEY: replace(seen.control, hook=hook).to_json()}, etag=etag)
        except PreconditionFailed:
            if attempt == defaults.CONFLICT_ATTEMPTS:
                raise
        else:
            return until
    raise AssertionError("unreachable")
