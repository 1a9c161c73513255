"""One site in the local cloud: its assemblies, its deployments, and the edge in front of it."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bluegreen_cdn.local.edge import EdgeSimulator
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.cdk_cli import CdkResult
from bluegreen_cdn.local.rehearsal.options import REGIONS
from bluegreen_cdn.local.rehearsal.stage import Stage

PROPAGATION_SECONDS = 1.0
VERDICT_PERIOD_SECONDS = 300
MINIMUM_PAGE_LOADS = 4
"""Of the candidate in one period. The defaults suit a site with real traffic: a rehearsal has a few page loads with
scripts a second, and its minutes are short. CloudWatch looks at the last five minutes once a minute."""


class StagedSite:
    """A site that is deployed on a stage.

    Args:
        stage: Cloud and CLIs.
        name: The site's name.
        rollout: How candidates are let in.
        context: Further context values of every deployment. Default: none.

    Attributes:
        builds: Every build that it has been given, by id.
    """

    def __init__(self, stage: Stage, name: str, rollout: str, context: Mapping[str, str] | None = None) -> None:
        self.stage, self.name, self.rollout = stage, name, rollout
        self.builds: dict[str, PreparedBuild] = {}
        self._context = dict(context or {})
        self._assemblies: dict[str, asyncio.Task[Path]] = {}
        self._newest: asyncio.Task[Path] | None = None
        self._edge: EdgeSimulator | None = None

    def synthesise(self, builds: Iterable[PreparedBuild], context: Mapping[str, str] | None = None) -> None:
        """Begin to synthesise the app for each build in turn, in the background: visitors do not wait for it.

        Args:
            builds: Each with an id of its own.
            context: Context values for these builds only. Default: none.
        """
        for build in builds:
            self.builds[build.build_id] = build
            task = asyncio.create_task(self._synthesise(build, context or {}, self._newest))
            self._newest = self._assemblies[build.build_id] = task

    async def _synthesise(
        self, build: PreparedBuild, context: Mapping[str, str], previous: asyncio.Task[Path] | None
    ) -> Path:
        if previous is not None:
            await asyncio.wait([previous])
        folder = self.stage.work / f"cdk.out.{self.name}.{build.build_id}"
        return await self.stage.cdk.synth(folder, {**self.context(build), **context})

    async def deploy(self, build: PreparedBuild) -> CdkResult:
        """Run `cdk deploy --all` for a build; this blocks through the canary, as it does on AWS."""
        return await self.stage.cdk.deploy(await self._assemblies[build.build_id])

    async def start_edge(self) -> Site:
        """Start the edge simulator and wait until it serves the distribution."""
        parameter = f"/bluegreen/{self.name}/distribution-id"
        answer = await asyncio.to_thread(self.stage.client("ssm").get_parameter, Name=parameter)
        self._edge = EdgeSimulator(
            self.stage.cloud.endpoint,
            self.stage.work / f"edge.{self.name}",
            distribution_id=str(answer["Parameter"]["Value"]),
            propagation_seconds=PROPAGATION_SECONDS,
        )
        await asyncio.to_thread(self._edge.start)
        await self.connect()
        await asyncio.to_thread(self._edge.wait_until_serving)
        return self.address

    async def connect(self) -> None:
        """Let the cloud's functions reach distributions at this site's edge; one site's at a time can be reached."""
        await asyncio.to_thread(self.stage.cloud.connect_edge, self.edge.address)

    async def forget_cached(self) -> None:
        """Let every edge location forget everything that it has cached."""
        await asyncio.to_thread(self.edge.purge)

    async def answers(self, since: float) -> list[dict[str, Any]]:
        """Give the edge's access log from a time on, in seconds since 1970: an entry for each answer."""
        await asyncio.to_thread(self.edge.flush_log)
        text = await asyncio.to_thread(self.edge.access_log.read_text)
        entries: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if entry["time"] >= since]

    def successor(self, name: str) -> "StagedSite":
        """Give a site like this one under another name, with nothing deployed."""
        return StagedSite(self.stage, name, self.rollout, self._context)

    async def clear(self) -> None:
        """Stop the edge and whatever is being synthesised."""
        for task in self._assemblies.values():
            task.cancel()
        await asyncio.gather(*self._assemblies.values(), return_exceptions=True)
        if self._edge is not None:
            await asyncio.to_thread(self._edge.stop)

    def context(self, build: PreparedBuild) -> Mapping[str, str]:
        """The context values that make the app release this build."""
        return {
            "site": self.name,
            "regions": ",".join(REGIONS),
            "build": str(build.folder),
            "build_id": build.build_id,
            "rollout": self.rollout,
            "verdict_period_seconds": str(VERDICT_PERIOD_SECONDS),
            "minimum_page_loads": str(MINIMUM_PAGE_LOADS),
            **self._context,
        }

    def bucket(self, region: str) -> str:
        """The name of its bucket in a region."""
        return f"bluegreen-{self.name}-{self.stage.cdk.environment['CDK_DEFAULT_ACCOUNT']}-{region}"

    @property
    def edge(self) -> EdgeSimulator:
        """The edge simulator; there is one once `start_edge` has been called."""
        if self._edge is None:
            raise RuntimeError("the edge simulator has not been started")
        return self._edge

    @property
    def address(self) -> Site:
        """Where the site is served."""
        return Site(port=self.edge.port, host=self.edge.url.removeprefix("http://").partition(":")[0])
