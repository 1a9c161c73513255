"""A release while it runs: `cdk deploy` in the background, and what the edge made of it in the end."""

import asyncio
from collections.abc import Callable

from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.cdk_cli import CdkResult
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite
from bluegreen_cdn.local.rehearsal.watch import Watch

SETTLE_SECONDS = 20.0
"""How long the edge may take to show what the deployment came to."""
FIRST_VISITORS_SECONDS = 300.0
"""A release waits for an empty window, for copies, for a busy machine; if it is refused, nobody waits any longer."""

_WORDS = {
    Outcome.PROMOTED: "was promoted",
    Outcome.ROLLED_BACK: "was taken back",
    Outcome.REFUSED: "was refused",
    Outcome.UNFINISHED: "came to no end",
}


class RunningRelease:
    """One `cdk deploy` under way.

    Args:
        release: Where to note what becomes of it.
        build: What is released.
        site: Where.
        watch: Sees the edge.
        now: Seconds since the rehearsal began.
    """

    def __init__(
        self, release: Release, build: PreparedBuild, site: StagedSite, watch: Watch, now: Callable[[], float]
    ) -> None:
        self.release, self.build = release, build
        self._site, self._watch, self._now = site, watch, now
        self._deploying = asyncio.create_task(site.deploy(build))

    @property
    def deploys(self) -> bool:
        """Whether `cdk deploy` still runs."""
        return not self._deploying.done()

    @property
    def deployment(self) -> str:
        """CodeDeploy's id of its deployment; empty before there is one."""
        event = self._watch.last("deployment", status="InProgress", creator="CloudFormation")
        return str(event["deployment"]) if event is not None and event["at"] >= self.release.started else ""

    async def has_visitors(self, weight: int | None = None, seconds: float = FIRST_VISITORS_SECONDS) -> None:
        """Wait until every edge location lets visitors into the build.

        Args:
            weight: Wait for this weight, in basis points. Default: any above 0.
            seconds: How long to wait.

        Raises:
            RehearsalError: It was not in time, or the deployment ended before.
        """

        def let_in() -> bool:
            seen = self._watch.weight_everywhere(self.build.build_id)
            return (seen or 0) > 0 if weight is None else seen == weight

        await self._watch.until(lambda: let_in() or not self.deploys, seconds)
        if not let_in():
            wanted = "visitors" if weight is None else f"{weight / 100:g} % of the visitors"
            ended = "" if self.deploys else f"; its deployment has ended: {self._deploying.result().last_error()}"
            raise RehearsalError(f"the {self.build.name} never had {wanted}{ended}")

    async def stop_deployment(self) -> None:
        """Stop its deployment with rollback, as somebody with the console or the AWS CLI does."""
        codedeploy = self._site.stage.client("codedeploy")
        self.release.by_hand_at = self._now()
        await asyncio.to_thread(codedeploy.stop_deployment, deploymentId=self.deployment, autoRollbackEnabled=True)

    async def deployed(self) -> CdkResult:
        """Wait for `cdk deploy` alone."""
        return await asyncio.shield(self._deploying)

    async def ends(self) -> Release:
        """Wait for the end, the edge's included, and note it.

        Raises:
            RehearsalError: It ended otherwise than it should.
        """
        result = await self.deployed()
        build_id, release = self.build.build_id, self.release
        if result.code == 0:
            everywhere = await self._watch.until(lambda: self._watch.everywhere(build_id), SETTLE_SECONDS)
            release.outcome = Outcome.PROMOTED if everywhere else Outcome.UNFINISHED
            release.error = "" if everywhere else "the deployment succeeded, but not every edge location serves it"
        else:
            gone = await self._watch.until(lambda: self._watch.without(build_id), SETTLE_SECONDS)
            let_in = release.first_weight_at is not None
            release.outcome = (Outcome.ROLLED_BACK if let_in else Outcome.REFUSED) if gone else Outcome.UNFINISHED
            release.error = release.error or result.last_error()
        release.ended = self._now()
        if not release.ended_as_expected:
            words = f"the {release.name} {_WORDS[release.outcome]}"
            raise RehearsalError(f"{words}: {release.error}" if release.error else words)
        return release

    async def abandon(self) -> None:
        """End `cdk deploy`; what it has begun in the cloud goes on."""
        self._deploying.cancel()
        await asyncio.gather(self._deploying, return_exceptions=True)
