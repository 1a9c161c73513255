"""Plays scenarios one after the other in one local cloud, and as far as possible on one site."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bluegreen_cdn.errors import BlueGreenError
from bluegreen_cdn.local.rehearsal.audience import Audience, Guests
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.report import Record
from bluegreen_cdn.local.rehearsal.scenarios.scenario import Scenario
from bluegreen_cdn.local.rehearsal.scene import Scene
from bluegreen_cdn.local.rehearsal.settling import settle
from bluegreen_cdn.local.rehearsal.stage import Stage
from bluegreen_cdn.local.rehearsal.staged_site import StagedSite
from bluegreen_cdn.local.rehearsal.story import check_tools, guests
from bluegreen_cdn.local.rehearsal.workshop import Workshop

ARRIVAL_SECONDS = 3.0
"""Before a scenario begins: some tabs are to be open by then."""
AFTERWARDS_SECONDS = 2.0
SHORT_VERDICT_PERIOD_SECONDS = 60


@dataclass(kw_only=True)
class Played:
    """A scenario that was played, or could not be.

    Attributes:
        scenario: Which.
        record: What was seen.
    """

    scenario: Scenario
    record: Record


@dataclass(kw_only=True)
class _Place:
    """A site where scenarios play, and what is known about it."""

    name: str
    site: StagedSite
    first: PreparedBuild
    guests: Guests
    builds: dict[str, tuple[PreparedBuild, ...]] = field(default_factory=dict)
    begun: bool = False
    deployed: bool = False


class Programme:
    """Several scenarios. `run` plays them; the attributes show how far it is.

    Args:
        options: For all of them.
        scenarios: Which, in this order.
        changed: Called when a new phase of any begins.
    """

    def __init__(
        self,
        options: RehearsalOptions,
        scenarios: Sequence[Scenario],
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.options, self.scenarios = options, tuple(scenarios)
        self.played: list[Played] = []
        self.error = ""
        self.seconds = 0.0
        self._changed = changed
        self._work = (options.output / "work").resolve()
        self._workshop = Workshop(options, self._work / "builds")
        self._overture = self._scene = Scene(options, guests(options), changed=changed)
        self._places: dict[str, _Place] = {}
        self._takes = 1

    async def run(self) -> None:
        """Play all of them; one that fails does not keep the others from being played.

        Raises:
            BlueGreenError: A tool is missing or a build is not acceptable; nothing was started.
        """
        self._overture.phase("prepare")
        check_tools()
        stage = Stage(self.options, self._work)
        places = [await asyncio.to_thread(self._place, stage, scenario) for scenario in self.scenarios]
        try:
            self._overture.phase("local cloud and bootstrap")
            await stage.start_cloud()
            ahead = list(zip(self.scenarios, places, strict=True))
            self._synthesise(*ahead[0])
            await stage.bootstrap()
            for (scenario, place), later in zip(ahead, [*ahead[1:], None], strict=True):
                if later is not None:
                    self._synthesise(*later)
                await self._play(scenario, place)
        except asyncio.CancelledError:
            self.error = "interrupted"
        except BlueGreenError as error:
            self.error = str(error)
        finally:
            self.seconds = self._overture.now()
            for place in self._places.values():
                await place.site.clear()
            await stage.clear()
            self._workshop.service.close()

    # -- one scenario -------------------------------------------------------------------------------------------------

    async def _play(self, scenario: Scenario, place: _Place) -> None:
        """Play one scenario on a site that is at rest; what goes wrong ends this scenario only."""
        scene = self._scene = Scene(
            self.options,
            place.guests if scenario.visited else Guests.nobody(),
            title=scenario.name,
            changed=self._changed,
        )
        record = scene.record
        record.scenario, record.about, record.notes = scenario.name, scenario.happens, list(self._workshop.notes)
        self.played.append(Played(scenario=scenario, record=record))
        try:
            stable = await self._ready(scene, scenario, place)
            scene.begin_anew()
            scene.service = self._workshop.service
            scene.builds = place.builds[scenario.name]
            scene.enter(place.site)
            scene.cast((stable, *scene.builds), place.site.builds.values())
            scene.find(stable)
            async with scene.visitors() as audience:
                scene.phase("visitors arrive")
                await scene.pause(ARRIVAL_SECONDS)
                await scenario.play(scene)
                scene.phase("afterwards")
                await scene.pause(AFTERWARDS_SECONDS)
                scene.phase("open tabs finish")
                await audience.finish()
        except asyncio.CancelledError:
            record.error = scene.audience.failure if scene.audience else ""
            if not record.error:
                record.error = "interrupted"
                raise
            me = asyncio.current_task()
            if me is not None:
                me.uncancel()
        except BlueGreenError as error:
            record.error = str(error)
        finally:
            scene.close()

    async def _ready(self, scene: Scene, scenario: Scenario, place: _Place) -> PreparedBuild:
        """Bring a site to rest, and give the build that it serves; one that does not come to rest gets a successor."""
        if place.deployed:
            scene.phase("the site comes to rest")
            await place.site.connect()
            stable = await settle(place.site)
            if stable is not None:
                return stable
            await self._renew(place, scenario)
        scene.phase("first build")
        scene.enter(place.site)
        await scene.first_release(place.first)
        scene.record.releases.clear()
        place.deployed = True
        await place.site.start_edge()
        return place.first

    async def _renew(self, place: _Place, scenario: Scenario) -> None:
        """Replace a site that a scenario has left in disorder."""
        self._takes += 1
        await place.site.clear()
        place.site = place.site.successor(f"take{self._takes}-{place.name}")
        place.begun = place.deployed = False
        self._synthesise(scenario, place)

    # -- before anything starts ---------------------------------------------------------------------------------------

    def _place(self, stage: Stage, scenario: Scenario) -> _Place:
        """Find the site of a scenario, and make its builds."""
        own, shared = scenario.site, guests(self.options)
        name = own.name if own else self.options.site
        if name not in self._places:
            self._places[name] = _Place(
                name=name,
                site=StagedSite(stage, name, self.options.rollout, own.context if own else None),
                first=own.first(self._workshop) if own else self._workshop.first(),
                guests=replace(shared, routes=own.routes) if own else shared,
            )
        place = self._places[name]
        place.builds[scenario.name] = tuple(scenario.builds(self._workshop))
        return place

    def _synthesise(self, scenario: Scenario, place: _Place) -> None:
        """Begin to synthesise what a scenario deploys, in the background."""
        if not place.begun:
            place.begun = True
            place.site.synthesise([place.first])
        shared = {} if scenario.judged else {"verdict_period_seconds": str(SHORT_VERDICT_PERIOD_SECONDS)}
        for build in place.builds[scenario.name]:
            place.site.synthesise([build], {**shared, **scenario.context, **scenario.contexts.get(build.name, {})})

    # -- how far it is ------------------------------------------------------------------------------------------------

    @property
    def ok(self) -> bool:
        """Whether every scenario was played and everything held in each."""
        all_played = len(self.played) == len(self.scenarios)
        return not self.error and all_played and all(played.record.ok for played in self.played)

    @property
    def record(self) -> Record:
        """What was seen so far in the present scenario."""
        return self._scene.record

    @property
    def audience(self) -> Audience | None:
        """The visitors of the present scenario."""
        return self._scene.audience

    @property
    def title(self) -> str:
        """The present scenario."""
        return self._scene.title

    def now(self) -> float:
        """Seconds since the present scenario began."""
        return self._scene.now()
