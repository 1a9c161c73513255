"""What is looked at before anybody is let into a candidate, by the stack's release check and by CodeDeploy's hook.

The check runs before the alias is touched and can say why it refuses; the hook is the last gate, and can only say no.
"""

from collections.abc import Callable, Sequence

from bluegreen_cdn import defaults
from bluegreen_cdn.domain.control import CHECKS, Outcome, OutcomeKind, next_check, outcome_key
from bluegreen_cdn.domain.expressions import Role
from bluegreen_cdn.domain.observation import Alarm, Deployment
from bluegreen_cdn.domain.verdict import METRIC_NAMES
from bluegreen_cdn.errors import (
    BlueGreenError,
    PreconditionFailed,
    ReleaseError,
    ReleaseInProgress,
    VerificationFailed,
)
from bluegreen_cdn.handlers.journal import log
from bluegreen_cdn.handlers.settings import Cloud
from bluegreen_cdn.handlers.smoke import smoke_fetch
from bluegreen_cdn.publish.verify import Verification, Verifier

_NAMED_IN_MESSAGE = 3


class Deadline:
    """The end of all waiting: the limit, or the function's own end if that is nearer.

    Args:
        here: The cloud.
        seconds_left: How long the function may still run.
        seconds: The limit, in real seconds.
    """

    def __init__(self, here: Cloud, seconds_left: Callable[[], float], seconds: float) -> None:
        self._clock, self._seconds_left = here.clock, seconds_left
        self._end = here.clock.now() + seconds
        self._pause = max(here.clock.seconds(defaults.SYNC_LOOP_SECONDS), defaults.POLL_FLOOR_SECONDS)

    def wait(self) -> bool:
        """Pause before another look; False when there is no time for one."""
        if self._clock.now() + self._pause > self._end:
            return False
        if self._seconds_left() < self._pause + defaults.LAMBDA_MARGIN_SECONDS:
            return False
        self._clock.sleep(self._pause)
        return True


def check_alone(here: Cloud, build: str, others: Sequence[Deployment]) -> None:
    """Refuse a candidate beside another deployment.

    Args:
        here: The cloud.
        build: The candidate.
        others: The deployments that are not its own; those that have ended do not count.

    Raises:
        ReleaseInProgress: One is in progress.
    """
    running = [other for other in others if other.running]
    if running:
        raise ReleaseInProgress(
            f"build {build} cannot be let in: deployment {running[0].id} of build {running[0].target} is in "
            f"progress; wait for it, or take it back (bluegreen rollback --site {here.settings.site})"
        )


def longest_wait_seconds(here: Cloud) -> float:
    """How long replicas, alarms and the verdict's window are waited for, unscaled."""
    window = here.settings.verdict_period_seconds + defaults.WINDOW_MARGIN_SECONDS
    return max(defaults.VERIFY_WAIT_MINUTES * 60, window + defaults.WINDOW_MARGIN_SECONDS)


def wait_for_quiet(here: Cloud, deadline: Deadline) -> None:
    """Wait until no alarm is on and the verdict's window has nothing of the last candidate in it.

    Metrics know roles, not builds: what was reported of the last candidate would be held against this one.

    Args:
        here: The cloud.
        deadline: How long it is waited.

    Raises:
        ReleaseError: It did not become quiet; the message names what is on, or how much is in the window.
        CloudError: The cloud refused.
    """
    while noise := _noise(here):
        if not deadline.wait():
            raise ReleaseError(f"{noise}; deploy again when it is quiet")
        log("waiting for quiet", why=noise)


def names_of(alarms: Sequence[Alarm]) -> str:
    """Alarms in words."""
    return ", ".join(alarm.name for alarm in alarms)


def prove(here: Cloud, build: str, deadline: Deadline, seconds_left: Callable[[], float]) -> None:
    """See every object of a build in every region, waiting for late replicas, then fetch it through the distribution.

    Args:
        here: The cloud.
        build: The candidate.
        deadline: How long replicas are waited for.
        seconds_left: How long the function may still run.

    Raises:
        VerificationFailed: Something is missing or differs; the message names it.
        ReleaseError: The site has no secret to sign a preview with.
        CloudError: The cloud refused.
    """
    verifier = Verifier(build, here.buckets, workers=defaults.VERIFY_WORKERS)
    while not (found := verifier.look()).complete:
        if not deadline.wait():
            raise VerificationFailed(_incomplete(found))
        log("waiting for the replicas", build=build, missing=found.wrong)
    if here.settings.smoke_fetch:
        retries = max(here.clock.minutes(defaults.SMOKE_RETRY_MINUTES), defaults.SMOKE_RETRY_FLOOR_SECONDS)
        smoke_fetch(here, build, Deadline(here, seconds_left, retries).wait, seconds_left)


def reason_of(error: Exception) -> str:
    """An error in words."""
    return str(error) if isinstance(error, BlueGreenError) else f"{type(error).__name__}: {error}"


def keep_outcome(here: Cloud, build: str, deployment: str | None, kind: OutcomeKind, why: str) -> None:
    """Note how a candidate fares. Best effort: the answer to whoever waits matters more.

    Args:
        here: The cloud.
        build: The candidate.
        deployment: Its deployment; None if there is none yet.
        kind: How.
        why: The reason.
    """
    try:
        for _ in range(defaults.CONFLICT_ATTEMPTS):
            seen = here.store.read(*map(outcome_key, () if deployment else CHECKS))
            outcome = Outcome(
                build=build,
                deployment=deployment or next_check(seen.values),
                kind=kind,
                reason=why,
                at=int(here.clock.now()),
            )
            try:
                here.store.update(outcome.puts(), etag=seen.etag)
            except PreconditionFailed:
                continue
            return
    except BlueGreenError as error:
        log("outcome not kept", deployment=deployment, why=str(error))


def _noise(here: Cloud) -> str | None:
    ringing = here.alarms.on()
    if ringing:
        return f"{names_of(ringing)} in alarm before the release has begun"
    window = here.settings.verdict_period_seconds
    since = here.clock.now() - here.clock.seconds(window + defaults.WINDOW_MARGIN_SECONDS)
    reports = here.reports.total(Role.CANDIDATE, METRIC_NAMES, since=since)
    if reports:
        return (
            f"{reports} page loads and errors of an earlier candidate are still in the verdict's window of "
            f"{window // 60} minutes and would be held against this one"
        )
    return None


def _incomplete(found: Verification) -> str:
    parts = []
    for region, number in sorted(found.wrong.items()):
        named = sorted(str(finding) for finding in found.findings if finding.region == region)[:_NAMED_IN_MESSAGE]
        more = f" and {number - len(named)} more" if number > len(named) else ""
        parts.append(f"{region}: {', '.join(named)}{more}")
    return (
        f"build {found.build_id} is not complete in every region; {'; '.join(parts)}; look at the replication of the "
        f"primary bucket, or mend it (bluegreen verify {found.build_id} --repair), and deploy again"
    )
