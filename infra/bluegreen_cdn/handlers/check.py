"""Custom resource: say why a candidate is not fit to be let in, before the alias is touched.

Property: `BuildId`; the rest is in the environment, as for the hooks. A refusal is CloudFormation's reason for the
failed resource, which `cdk deploy` prints. It is quiet before the alias is touched, because CodeDeploy takes a
release back for any alarm from its first moment on: what the last candidate's reports still set off while a hook waited
would end this one. What the traffic sync has to tidy away is left to the hook. Nothing is looked at where nobody would
be let in: at the first deploy, by a stack that goes back, and for a build that is live already.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.stacks import stack_status
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.control import OutcomeKind
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import AccessDenied, CloudError, NotFound
from bluegreen_cdn.handlers.candidate_check import (
    Deadline,
    check_alone,
    keep_outcome,
    longest_wait_seconds,
    prove,
    reason_of,
    wait_for_quiet,
)
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Cloud, cloud
from bluegreen_cdn.handlers.sync import deployments_and_alias


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Entry point."""

    def seconds_left() -> float:
        # Before the custom resource says by itself that the time is over.
        return float(context.get_remaining_time_in_millis() / 1000 - defaults.CUSTOM_RESOURCE_MARGIN_SECONDS)

    @custom_resource
    def answer(request: ResourceRequest) -> ResourceAnswer:
        return run(cloud(), request, stack_status, seconds_left)

    answer(event, context)


def run(
    here: Cloud, request: ResourceRequest, status: Callable[[str], str], seconds_left: Callable[[], float]
) -> ResourceAnswer:
    """Check the candidate, if it is one.

    Args:
        here: The cloud.
        request: What CloudFormation wants.
        status: Says what a stack is doing.
        seconds_left: How long the function may still run.

    Raises:
        BlueGreenError: The candidate is not fit to be let in, or nobody can tell; the message says why.
    """
    build = check_build_id(request.text("BuildId"))
    answer = ResourceAnswer(physical_id=f"check-{here.settings.site}")
    if request.type == "Create" or _goes_back(request.stack_id, status):
        log("nothing to check", build=build, why="the site begins, or its stack goes back")
        return answer
    try:
        if _is_candidate(here, build):
            _prove(here, build, seconds_left)
            log("candidate may be let in", build=build)
    except Exception as error:
        why = reason_of(error)
        log("release refused", build=build, why=why)
        keep_outcome(here, build, None, OutcomeKind.REFUSED, why)
        raise
    return answer


def _prove(here: Cloud, build: str, seconds_left: Callable[[], float]) -> None:
    rights = Deadline(here, seconds_left, here.clock.seconds(defaults.RIGHTS_WAIT_SECONDS))
    replicas = Deadline(here, seconds_left, here.clock.minutes(defaults.VERIFY_WAIT_MINUTES))
    quiet = Deadline(here, seconds_left, here.clock.seconds(longest_wait_seconds(here)))

    def once_allowed(look: Callable[[], None]) -> None:
        while True:
            try:
                return look()
            except AccessDenied as error:
                if not rights.wait():
                    raise
                log("waiting for rights", build=build, why=str(error))

    # Apart, so that every object is not looked at again for want of a right on alarms.
    once_allowed(lambda: prove(here, build, replicas, seconds_left))
    once_allowed(lambda: wait_for_quiet(here, quiet))


def _goes_back(stack_id: str, status: Callable[[str], str]) -> bool:
    """Whether the stack rolls back; also when nobody can tell, for the hook looks again at what goes forward."""
    try:
        return "ROLLBACK" in status(stack_id)
    except CloudError as error:
        log("stack not known", why=str(error))
        return True


def _is_candidate(here: Cloud, build: str) -> bool:
    """Whether this build is live nowhere yet.

    Raises:
        ReleaseInProgress: Another one is being let in. One that is being taken back is not waited for here.
    """
    routing = here.store.read(defaults.ROUTING_KEY).values[defaults.ROUTING_KEY]
    try:
        deployments, alias = deployments_and_alias(here)
    except NotFound as error:
        if error.operation != "GetAlias":
            raise
        return False
    live = {alias.primary} if routing is None else {alias.primary, RoutingState.from_json(routing).stable}
    if build in live:
        log("nothing to check", build=build, why="it is live")
        return False
    check_alone(here, build, [other for other in deployments if not other.is_rollback])
    return True
