"""What a story is told with: releases, visitors, commands, faults, and a record of everything that was seen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.errors import RehearsalError
from bluegreen_cdn.local.rehearsal.audience import Audience
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.commands import CommandResult
from bluegreen_cdn.local.rehearsal.releases import Outcome, Release
from bluegreen_cdn.local.rehearsal.running_release import RunningRelease
from bluegreen_cdn.local.rehearsal.service import Service
from bluegreen_cdn.local.rehearsal.settling import patience, unrest
from bluegreen_cdn.local.rehearsal.stage import Stage
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite
from bluegreen_cdn.local.rehearsal.telling import Telling
from bluegreen_cdn.local.rehearsal.watch import Watch


class Scene(Telling):
    """One story on one site. The attributes show how far it is; those of `Telling` belong to them.

    Attributes:
        builds: The builds that the story releases, in the order in which the scenario names them.
        service: Somebody else's service that builds may depend on.
    """

    builds: tuple[PreparedBuild, ...] = ()
    service: Service | None = None
    _site: StagedSite | None = None
    _running: tuple[RunningRelease, ...] = ()

    # -- where it plays -----------------------------------------------------------------------------------------------

    def enter(self, site: StagedSite) -> None:
        """Say where it plays."""
        self._site = site
        self.record.site = site.name

    # -- the steps of a story -----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def visitors(self) -> AsyncIterator[Audience]:
        """Let visitors come until the block ends; from here on the edge is watched."""
        audience = Audience(self.guests, self.site, self.record.ledger, self.clock, self.pages, self.options.seed)
        self.audience = audience
        async with audience.present():
            if self.record.releases:
                audience.watch.release = self.record.releases[-1]
            try:
                yield audience
            finally:
                for running in self._running:
                    await running.abandon()

    async def first_release(self, build: PreparedBuild) -> Release:
        """Deploy a site's first build, which needs no canary.

        Raises:
            RehearsalError: It failed.
        """
        release = self._new_release(build, expected=Outcome.FIRST)
        result = await self.site.deploy(build)
        if result.code:
            raise RehearsalError(f"the first deployment failed: {result.last_error()}")
        release.ended, release.outcome, self.stable = self.clock.now(), Outcome.FIRST, build
        return release

    def begin_release(
        self,
        build: PreparedBuild,
        expected: Outcome,
        *,
        also: tuple[Outcome, ...] = (),
        by_alarm: bool = True,
        all_steps: bool | None = None,
    ) -> RunningRelease:
        """Begin `cdk deploy` of a build, and go on while it runs.

        Args:
            build: What to release.
            expected: How it is to end.
            also: Other ends that are right, too. Default: none.
            by_alarm: Whether an alarm is to take it back, if it is to be taken back. Default: yes.
            all_steps: Whether the edge must show every step of the rollout. Default: if it is to be promoted; otherwise
                the first is enough.
        """
        release = self._new_release(build, expected, also=also, by_alarm=by_alarm)
        release.steps = self._steps(expected is Outcome.PROMOTED if all_steps is None else all_steps)
        self.watch.release = release
        running = RunningRelease(release, build, self.site, self.watch, self.clock.now)
        self._running += (running,)
        return running

    async def release(
        self,
        build: PreparedBuild,
        expected: Outcome,
        *,
        also: tuple[Outcome, ...] = (),
        by_alarm: bool = True,
        all_steps: bool | None = None,
    ) -> Release:
        """Release a build, as `begin_release` does, and see how it ends.

        Raises:
            RehearsalError: It ends otherwise than it should.
        """
        running = self.begin_release(build, expected, also=also, by_alarm=by_alarm, all_steps=all_steps)
        return await running.ends()

    async def until(self, what: str, condition: Callable[[], bool], seconds: float = 60.0) -> float:
        """Wait until something is so; return the seconds that it took.

        Raises:
            RehearsalError: It was not in time; `what` is told.
        """
        began = self.clock.now()
        if not await self.watch.until(condition, seconds):
            raise RehearsalError(f"waited {seconds:g} s in vain until {what}")
        return self.clock.now() - began

    async def at_rest(self) -> dict[str, Any]:
        """Wait until `bluegreen status` tells of nothing under way: no deployment, latch, alarm or drift.

        Raises:
            RehearsalError: There is something after that time; it is named.
        """
        seconds = patience(self.stage.time_scale)
        deadline = self.clock.now() + seconds
        while True:
            found = (await self.command("status", "--site", self.site.name, "--json")).checked().json()
            left = unrest(found)
            if not left:
                return dict(found)
            if self.clock.now() > deadline:
                raise RehearsalError(f"{' and '.join(left)} is left after {seconds:g} s")
            await self.pause(0.5)

    async def pause(self, seconds: float) -> None:
        """Let some real seconds pass."""
        await asyncio.sleep(seconds)

    async def command(self, *arguments: str) -> CommandResult:
        """Call `bluegreen` with these arguments, as an operator does."""
        return await self.stage.commands.run(*arguments)

    # -- where it plays -----------------------------------------------------------------------------------------------

    @property
    def site(self) -> StagedSite:
        """The site."""
        if self._site is None:
            raise RehearsalError("the story has no site yet")
        return self._site

    @property
    def stage(self) -> Stage:
        """Cloud and CLIs."""
        return self.site.stage

    @property
    def watch(self) -> Watch:
        """The watch on edge and cloud."""
        if self.audience is None:
            raise RehearsalError("nobody watches the edge")
        return self.audience.watch

    def _new_release(
        self, build: PreparedBuild, expected: Outcome, *, also: tuple[Outcome, ...] = (), by_alarm: bool = True
    ) -> Release:
        release = Release(
            name=build.name,
            build_id=build.build_id,
            expected=expected,
            also=also,
            by_alarm=by_alarm,
            started=self.clock.now(),
        )
        self.record.releases.append(release)
        return release

    def _steps(self, every: bool) -> tuple[int, ...]:
        steps = tuple(weight for _, weight in Rollout.parse(self.site.rollout).steps())
        return steps if every else steps[:1]
