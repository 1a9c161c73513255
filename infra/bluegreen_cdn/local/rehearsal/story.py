"""The story of a rehearsal, told by `Rehearsal.run`: releases, and visitors who must not notice."""

import asyncio
from collections.abc import Callable

from bluegreen_cdn.errors import BlueGreenError
from bluegreen_cdn.local.rehearsal.audience import EXAMPLE_ROUTES, Audience, Guests
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.example_builds import check_node
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.report import Record
from bluegreen_cdn.local.rehearsal.scenarios.bad_build import release_bad
from bluegreen_cdn.local.rehearsal.scenarios.healthy import release_good
from bluegreen_cdn.local.rehearsal.scene import Scene
from bluegreen_cdn.local.rehearsal.sessions import check_page_runner
from bluegreen_cdn.local.rehearsal.stage import Stage
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite
from bluegreen_cdn.local.rehearsal.workshop import Workshop

ARRIVAL_SECONDS = 6.0
BETWEEN_SECONDS = 4.0
AFTERWARDS_SECONDS = 6.0


class Rehearsal:
    """One rehearsal. `run` tells it; the attributes show how far it is.

    Args:
        options: What to do.
        changed: Called when a new phase begins.
    """

    def __init__(self, options: RehearsalOptions, changed: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self._work = (options.output / "work").resolve()
        self._scene = Scene(options, guests(options), changed=changed)

    async def run(self) -> Record:
        """Carry out the rehearsal; whatever ends it once it has begun, there is a record of everything seen until then.

        Raises:
            BlueGreenError: A tool is missing or a build is not acceptable; nothing was started.
        """
        prepared = False
        try:
            self._scene.phase("prepare")
            stage, builds = await self._prepare()
            prepared = True
            await self._tell(stage, *builds)
        except asyncio.CancelledError:
            self.record.error = (self.audience.failure if self.audience else "") or "interrupted"
        except BlueGreenError as error:
            if not prepared:
                raise
            self.record.error = str(error)
        finally:
            self._scene.close()
        return self.record

    async def _tell(
        self, stage: Stage, stable: PreparedBuild, candidate: PreparedBuild, bad: PreparedBuild | None = None
    ) -> None:
        scene = self._scene
        site = StagedSite(stage, self.options.site, self.options.rollout)
        scene.enter(site)
        try:
            scene.phase("local cloud and bootstrap")
            await stage.start_cloud()
            site.synthesise([build for build in (stable, candidate, bad) if build is not None])
            await stage.bootstrap()

            scene.phase("first build")
            await scene.first_release(stable)
            await site.start_edge()
            async with scene.visitors() as audience:
                scene.phase("visitors arrive")
                await scene.pause(ARRIVAL_SECONDS)
                await release_good(scene, candidate)
                if bad is not None:
                    scene.phase("between releases")
                    await scene.pause(BETWEEN_SECONDS)
                    await release_bad(scene, bad)

                scene.phase("afterwards")
                await scene.pause(AFTERWARDS_SECONDS)
                scene.phase("open tabs finish")
                await audience.finish()
                self.record.releases[-1].ended = scene.now()
        finally:
            scene.phase("stop")
            await site.clear()
            await stage.clear()

    async def _prepare(self) -> tuple[Stage, list[PreparedBuild]]:
        """Check the tools and make the builds ready."""
        check_tools()
        stage = Stage(self.options, self._work)
        workshop = Workshop(self.options, self._work / "builds")
        makers = [workshop.first, workshop.second]
        makers += [workshop.bad] if self.options.bad or self.options.uses_example else []
        builds = [await asyncio.to_thread(make) for make in makers]
        self.record.notes += workshop.notes
        self._scene.cast(builds)
        return stage, builds

    # -- how far it is ------------------------------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """What was seen so far."""
        return self._scene.record

    @property
    def audience(self) -> Audience | None:
        """The visitors, once they have begun to come."""
        return self._scene.audience

    @property
    def title(self) -> str:
        """What the story is called: it is the only one."""
        return ""

    def now(self) -> float:
        """Seconds since the rehearsal began."""
        return self._scene.now()


def guests(options: RehearsalOptions) -> Guests:
    """Who comes to a site with these options."""
    routes = EXAMPLE_ROUTES if options.uses_example else ()
    return Guests(visitors=options.visitors, browsers=options.browsers, routes=routes)


def check_tools() -> None:
    """Check what every rehearsal needs.

    Raises:
        RehearsalError: Node, or something that the page runner loads, is missing or of the wrong version.
    """
    check_node()
    check_page_runner()
