"""Traffic sync: make the edge do what pin, latches and alias say.

Runs on CodeDeploy's and CloudWatch's events and every minute; while a deployment is in progress it looks again every
few seconds until the next run takes over. It needs no event to be right, and none can lead it astray: it acts on what
it sees.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.key_value_store import build_key
from bluegreen_cdn.domain.control import ControlState
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import AliasTraffic, Deployment, Observed
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.traffic import Decision, bake_is_over, next_state
from bluegreen_cdn.domain.verdict import PAGE_LOADS
from bluegreen_cdn.errors import CloudError, NotFound, PreconditionFailed, ReleaseError
from bluegreen_cdn.handlers.journal import emit, log
from bluegreen_cdn.handlers.settings import Cloud, cloud


def handler(event: Mapping[str, Any], context: Any) -> dict[str, object]:
    """Entry point; any event will do."""
    log("sync asked for", by=event.get("detail-type", "nobody"), source=event.get("source"))
    return run(cloud(), lambda: context.get_remaining_time_in_millis() / 1000)


def run(here: Cloud, seconds_left: Callable[[], float]) -> dict[str, object]:
    """Look and act until nothing is in progress or this run's time is over.

    A look that the cloud refuses (throttled, or away for a moment) is followed by another one: while a release is in
    progress the next run would come a minute too late for its alarm.

    Args:
        here: The cloud.
        seconds_left: How long the function may still run.

    Raises:
        CloudError: The cloud refused the last look, too.
        UnsupportedFormat, ForeignState, ReleaseError: As `sync_once`.
    """
    clock = here.clock
    end = clock.now() + clock.seconds(defaults.SYNC_RUN_SECONDS)
    pause = max(clock.seconds(defaults.SYNC_LOOP_SECONDS), defaults.POLL_FLOOR_SECONDS)
    looks = 0
    while True:
        looks += 1
        refused: CloudError | None = None
        try:
            seen = sync_once(here)
        except CloudError as error:
            refused, seen = error, None
            log("sync could not look", look=looks, why=str(error))
        if refused is None and (seen is None or (seen.running is None and seen.control.hook is None)):
            break
        if clock.now() + pause > end or seconds_left() < pause + defaults.LAMBDA_MARGIN_SECONDS:
            break
        clock.sleep(pause)
    if refused is not None:
        raise refused  # no heartbeat: when this lasts, the alarm about a dead sync comes on
    if seen is None:
        return {"looks": looks, "epoch": None}
    drifts = seen.running is None and seen.routing.stable != seen.alias.primary
    emit(
        {"site": here.settings.site},
        {defaults.SYNC_HEARTBEAT_METRIC: 1, defaults.DRIFT_METRIC: int(drifts), **_shares(seen)},
        epoch=seen.routing.epoch,
    )
    return {"looks": looks, "epoch": seen.routing.epoch}


def _shares(seen: Observed) -> dict[str, float]:
    """What the candidate gets, in percent of the visitors: at the edge, which lags or refuses, and of the alias."""
    routing, full = seen.routing, defaults.FULL_WEIGHT_BASIS_POINTS
    at_edge = min(routing.weight, full - routing.holdout) if routing.candidate else 0
    of_alias = seen.alias.weight_of(routing.candidate) if routing.candidate else 0
    return {defaults.EDGE_SHARE_METRIC: at_edge / 100, defaults.ALIAS_SHARE_METRIC: of_alias / 100}


def sync_once(here: Cloud) -> Observed | None:
    """Look once, and act on it; look again when another writer was faster.

    Returns:
        What was seen, with what was done about it; None when the site has not had its first deploy.

    Raises:
        UnsupportedFormat, ForeignState: The store holds what this version may not touch; nothing was changed.
        ReleaseError: The alias carries a build that is not published; nothing was changed.
        CloudError: The cloud refused.
    """
    for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
        try:
            found = observe(here)
            if found is None:
                return None
            seen, etag = found
            decision = next_state(seen)
            if decision is None:
                return seen
            _act(here, seen, decision, etag)
            return replace(seen, routing=decision.routing, control=decision.control)
        except PreconditionFailed as error:
            log("sync lost a race", attempt=attempt, why=str(error))
            if attempt == defaults.CONFLICT_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def observe(here: Cloud) -> tuple[Observed, str] | None:
    """See everything that matters, with the store's version; None before the first deploy.

    CodeDeploy is asked before the alias and once more after it, so that the two belong to the same moment: an alias
    that a deployment has moved must not be taken for one that nobody is moving.
    """
    snapshot = here.store.read(defaults.ROUTING_KEY, defaults.CONTROL_KEY)
    routing, control = snapshot.values[defaults.ROUTING_KEY], snapshot.values[defaults.CONTROL_KEY]
    if routing is None:
        log("nothing to sync", why="the routing state has not been seeded yet")
        return None
    try:
        deployments, alias = deployments_and_alias(here)
    except NotFound as error:
        if error.operation != "GetAlias":
            raise
        log("nothing to sync", why="the release function has no alias yet")
        return None
    seen = Observed(
        routing=RoutingState.from_json(routing),
        control=ControlState.from_json(control) if control is not None else ControlState(),
        alias=alias,
        deployments=deployments,
        alarms=here.alarms.on(),
        holdout=here.settings.holdout_basis_points,
        minimum_sample=here.settings.minimum_sample,
        now=here.clock.now(),
    )
    if seen.minimum_sample and bake_is_over(seen, seen.control):
        seen = replace(seen, sample=_page_loads(here, seen))
    return seen, snapshot.etag


def _page_loads(here: Cloud, seen: Observed) -> int | None:
    """How often the candidate has been opened; None if nobody can tell just now, and then the decision waits."""
    if seen.running is None:
        return None
    try:
        return here.reports.total(Role.CANDIDATE, [PAGE_LOADS], since=seen.running.created)
    except CloudError as error:
        log("page loads not known", deployment=seen.running.id, why=str(error))
        return None


def deployments_and_alias(here: Cloud) -> tuple[tuple[Deployment, ...], AliasTraffic]:
    """CodeDeploy's deployments and what the alias carries, of the same moment.

    Raises:
        NotFound: There is no alias yet.
    """
    before = here.releases.deployments()
    for _ in range(defaults.CONFLICT_ATTEMPTS):
        alias = here.releases.alias()
        after = here.releases.deployments()
        if after == before:
            break
        before = after
    return before, alias


def _act(here: Cloud, seen: Observed, decision: Decision, etag: str) -> None:
    _check_published(here, seen.routing, decision.routing)
    puts: dict[str, str] = {}
    if decision.routing != seen.routing:
        puts[defaults.ROUTING_KEY] = decision.routing.to_json()
    if decision.control != seen.control:
        puts[defaults.CONTROL_KEY] = decision.control.to_json()
    if decision.outcome is not None:
        puts |= decision.outcome.puts()
    if puts:
        etag = here.store.update(puts, etag=etag)
        log("state changed", why="; ".join(decision.reasons), **_summary(decision.routing))
    if decision.answer is not None:
        answer = decision.answer
        here.releases.answer_hook(answer.deployment, answer.execution, succeeded=answer.succeeded)
        log("hook answered", deployment=answer.deployment, succeeded=answer.succeeded, why=answer.reason)
        here.store.update({defaults.CONTROL_KEY: decision.control.without_hook().to_json()}, etag=etag)


def _check_published(here: Cloud, old: RoutingState, new: RoutingState) -> None:
    for build in {new.stable, new.candidate} - {old.stable, old.candidate, None}:
        key = build_key(str(build))
        if here.store.read(key).values[key] is None:
            raise ReleaseError(
                f"build {build} is to be let in but is not published; publish it (bluegreen publish), or roll back"
            )


def _summary(state: RoutingState) -> dict[str, object]:
    return {
        "epoch": state.epoch,
        "stable": state.stable,
        "candidate": state.candidate,
        "weight": state.weight,
        "holdout": state.holdout,
    }
