"""What a rehearsal plays on: the local cloud, the CDK CLI, the edge simulator, and a clock that all of them share."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bluegreen_cdn.errors import LocalCloudError, RehearsalError
from bluegreen_cdn.local.cloud import LocalCloud
from bluegreen_cdn.local.cloud.launcher import running_instance
from bluegreen_cdn.local.edge import EdgeSimulator
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.cdk_cli import CdkCli, CdkResult, checkout_folder, find_app, find_cdk
from bluegreen_cdn.local.rehearsal.options import REGIONS, RehearsalOptions

PROPAGATION_SECONDS = 1.0
VERDICT_PERIOD_SECONDS = 300
MINIMUM_PAGE_LOADS = 4
"""Of the candidate in one period. The defaults suit a site with real traffic: a rehearsal has a few page loads with
scripts a second, and its minutes are short. CloudWatch looks at the last five minutes once a minute."""


class Stopwatch:
    """Seconds since the rehearsal began."""

    def __init__(self) -> None:
        self._began, self._began_wall = time.monotonic(), time.time()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def from_wall(self, seconds: float) -> float:
        """Turn seconds since 1970 into seconds since the beginning."""
        return seconds - self._began_wall


class Stage:
    """Sets the stage and clears it.

    Args:
        options: The rehearsal's choices.
        work: Folder for state, assemblies and logs.
    """

    def __init__(self, options: RehearsalOptions, work: Path) -> None:
        self._options, self._work = options, work
        running = running_instance(work / "cloud")
        if running is not None:
            raise RehearsalError(
                f"another rehearsal (process {running['pid']}) uses {options.output}: "
                "wait for it or stop it, or choose another folder with --output"
            )
        self._checkout = checkout_folder()
        executable = find_cdk(self._checkout)
        app, folder = find_app(self._checkout)
        self.cloud = LocalCloud(work / "cloud", time_scale=options.time_scale)
        self.edge: EdgeSimulator | None = None
        self._executable, self._app, self.folder = executable, app, folder
        self._cdk: CdkCli | None = None
        self._assemblies: dict[str, asyncio.Task[Path]] = {}

    async def start_cloud(self) -> None:
        """Start the local cloud, without anything of an earlier rehearsal."""
        for remains in ("cloud", "edge", "logs"):
            shutil.rmtree(self._work / remains, ignore_errors=True)
        for assembly in self._work.glob("cdk.out.*"):
            shutil.rmtree(assembly, ignore_errors=True)
        await asyncio.to_thread(self.cloud.start)
        self._cdk = CdkCli(
            executable=self._executable,
            app=self._app,
            folder=self.folder,
            environment=self.cloud.environment(),
            logs=self._work / "logs",
        )

    async def bootstrap(self) -> None:
        """Run `cdk bootstrap` for every region."""
        account = self.cdk.environment["CDK_DEFAULT_ACCOUNT"]
        await self.cdk.bootstrap(account, REGIONS)

    def synthesise(self, builds: Sequence[PreparedBuild]) -> None:
        """Begin to synthesise the app for each build in turn, in the background: visitors do not wait for it."""
        previous: asyncio.Task[Path] | None = None
        for build in builds:
            previous = self._assemblies[build.build_id] = asyncio.create_task(self._synthesise(build, previous))

    async def _synthesise(self, build: PreparedBuild, previous: asyncio.Task[Path] | None) -> Path:
        if previous is not None:
            await previous
        return await self.cdk.synth(self._work / f"cdk.out.{build.build_id}", self.context(build))

    async def deploy(self, build: PreparedBuild) -> CdkResult:
        """Run `cdk deploy --all` for a build; this blocks through the canary, as it does on AWS."""
        return await self.cdk.deploy(await self._assemblies[build.build_id])

    async def start_edge(self) -> Site:
        """Start the edge simulator and wait until it serves the distribution."""
        edge = EdgeSimulator(self.cloud.endpoint, self._work / "edge", propagation_seconds=PROPAGATION_SECONDS)
        self.edge = edge
        await asyncio.to_thread(edge.start)
        await asyncio.to_thread(self.cloud.connect_edge, edge.address)
        await asyncio.to_thread(edge.wait_until_serving)
        return Site(port=edge.port, host=edge.url.removeprefix("http://").partition(":")[0])

    async def clear(self) -> None:
        """Stop everything."""
        for task in self._assemblies.values():
            task.cancel()
        await asyncio.gather(*self._assemblies.values(), return_exceptions=True)
        if self.edge is not None:
            await asyncio.to_thread(self.edge.stop)
        with contextlib.suppress(OSError, LocalCloudError):
            events = await asyncio.to_thread(self.cloud.timeline)
            (self._work / "logs" / "timeline.json").write_text(json.dumps(events, indent=1))
        await asyncio.to_thread(self.cloud.stop)

    @property
    def cdk(self) -> CdkCli:
        """The CDK CLI; there is one once the cloud runs."""
        if self._cdk is None:
            raise RuntimeError("the cloud has not been started")
        return self._cdk

    def context(self, build: PreparedBuild) -> Mapping[str, str]:
        """The context values that make the app release this build."""
        return {
            "site": self._options.site,
            "regions": ",".join(REGIONS),
            "build": str(build.folder),
            "build_id": build.build_id,
            "rollout": self._options.rollout,
            "verdict_period_seconds": str(VERDICT_PERIOD_SECONDS),
            "minimum_page_loads": str(MINIMUM_PAGE_LOADS),
        }
